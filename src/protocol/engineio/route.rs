//! The way back to a node: what its sids begin with, and what a sid tells of the node that made it.

use super::random::N_SYMBOLS;
use super::sid::{MAX_WORKER_SYMBOLS, Sid, SidPrefix, is_symbol};

/// Ends a route. No symbol of a worker or of the random part, so a sid shows where its route ends.
const END: u8 = b'.';

/// The other character that may be in a route and nowhere else in a sid.
const OTHER_END: u8 = b'~';

/// Symbols of the hash in the route of a node with a long name.
const N_HASH_DIGITS: usize = 8;

impl SidPrefix {
    /// The route of a node with this name, where no prefix is configured. The same name always gives the same route,
    /// so that it can be written into the configuration of a balancer; a node without a name has none.
    ///
    /// Shape: the name, in which every character but `A` to `Z`, `a` to `z`, `0` to `9`, `-` and `_` has become a `-`,
    /// then a `.`: of `web1:3000` it is `web1-3000.`. Of a name with more than 23 characters the first 14 are left, then
    /// a `-`, and eight hexadecimal digits of the FNV-1a hash of the whole name. Only the last character is a dot, so no
    /// route begins with another. Names that differ in replaced characters alone (`web.1` and `web-1`) have the same
    /// route: such nodes need a prefix of their own each.
    #[must_use]
    pub fn of_node(name: &str) -> Self {
        if name.is_empty() {
            return Self::default();
        }
        let is_kept = |symbol: &char| u8::try_from(*symbol).is_ok_and(is_symbol);
        let mut route: String = name
            .chars()
            .map(|symbol| Some(symbol).filter(is_kept).unwrap_or('-'))
            .collect();
        if route.len() + 1 > Self::MAX_LEN {
            // Every character is one byte by now.
            route.truncate(Self::MAX_LEN - N_HASH_DIGITS - 2);
            route.push_str(&format!("-{:08x}", fnv1a(name.as_bytes())));
        }
        route.push(char::from(END));
        // What has been put together here is a prefix, as the test of all names shows.
        route.parse().unwrap_or_default()
    }
}

/// The 32 bits of FNV-1a. Not secret and not against an attacker: names come from operators.
///
/// Source: the Internet draft draft-eastlake-fnv.
fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

impl Sid {
    /// The route of the node that made this sid, if it is not the one with the prefix `own`. Never more than what is in
    /// front of the random symbols, so it may be logged.
    ///
    /// A route that ends with `.` or `~` is told exactly. Of one that does not, the end is a guess, as if the node had at
    /// most 64 workers. The sid may be invented, and so may the route.
    #[must_use]
    pub fn foreign_route(&self, own: &SidPrefix) -> Option<&str> {
        if self.worker(own).is_some() {
            return None;
        }
        let sid = self.as_str();
        let public = sid.len().checked_sub(N_SYMBOLS)?;
        let end = sid
            .bytes()
            .rposition(|byte| byte == END || byte == OTHER_END);
        let len = match end {
            // Servers of others put no worker behind their prefix.
            Some(end)
                if (public.saturating_sub(MAX_WORKER_SYMBOLS)..=public).contains(&(end + 1)) =>
            {
                end + 1
            }
            _ => public.checked_sub(1)?,
        };
        let route = &sid[..len];
        (!route.is_empty() && route != own.as_str()).then_some(route)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn prefix(text: &str) -> SidPrefix {
        text.parse().unwrap()
    }

    #[test]
    fn a_node_has_the_route_of_its_name() {
        for (name, route) in [
            ("a", "a."),
            ("web1:3000", "web1-3000."),
            ("10.0.0.7:3000", "10-0-0-7-3000."),
            ("[::1]:3000", "---1--3000."),
            ("Knödel/№1", "Kn-del--1."),
            ("", ""),
            // 23 characters are the most that stay as they are.
            ("chat-web-17.example:300", "chat-web-17-example-300."),
            ("chat-web-17.example:3000", "chat-web-17-ex-c7ac04f4."),
            ("chat-web-17.example:3001", "chat-web-17-ex-c8ac0687."),
        ] {
            assert_eq!(SidPrefix::of_node(name).as_str(), route, "{name}");
        }
    }

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a(b""), 0x811c_9dc5);
        assert_eq!(fnv1a(b"a"), 0xe40c_292c);
        assert_eq!(fnv1a(b"foobar"), 0xbf9c_f968);
    }

    #[test]
    fn nodes_with_long_names_have_routes_of_their_own() {
        let routes: HashSet<String> = (0..500)
            .map(|n| format!("greenroom-7d9c5b6f4-{n:05}.chat.svc.cluster.local:3000"))
            .map(|name| SidPrefix::of_node(&name).as_str().to_owned())
            .collect();
        assert_eq!(routes.len(), 500);
    }

    #[test]
    fn a_sid_of_another_node_shows_its_route() {
        for (own, other) in [
            ("a.", "b."),
            ("a.", "a.b."),
            ("a", "ab."),
            ("", "b."),
            ("a.", "web1-3000."),
            ("a.", "b~"),
            ("a-", "b-"),
            ("a.", "node"),
        ] {
            for worker in [0, 1, 63] {
                let sid = Sid::generate(&prefix(other), worker);
                assert_eq!(sid.foreign_route(&prefix(own)), Some(other), "{own} {sid}");
                assert_eq!(sid.foreign_route(&prefix(other)), None);
            }
        }
        // Of many workers: exact with an end, a guess without.
        let sid = Sid::generate(&prefix("b."), 4095);
        assert_eq!(sid.foreign_route(&prefix("a.")), Some("b."));
        let sid = Sid::generate(&prefix("node"), 4095);
        assert_eq!(sid.foreign_route(&prefix("a.")), Some("node_"));
        // From a server that has no workers.
        let sid: Sid = "b.xxxxxxxxxxxxxxxxxxxx".parse().unwrap();
        assert_eq!(sid.foreign_route(&prefix("a.")), Some("b."));
    }

    #[test]
    fn a_sid_that_may_be_our_own_has_no_foreign_route() {
        let x = "x".repeat(20);
        for (own, head) in [
            ("a.", "a.A"),
            // No worker of anybody.
            ("a.", "a."),
            ("a.", "a.AA"),
            ("", "A"),
            ("", "BA"),
            // Nothing is in front of the worker.
            ("a.", "B"),
        ] {
            let sid: Sid = format!("{head}{x}").parse().unwrap();
            assert_eq!(sid.foreign_route(&prefix(own)), None, "{own} {head}");
        }
    }

    proptest! {
        #[test]
        fn every_name_has_a_route(name in any::<String>(), worker: u16) {
            let route = SidPrefix::of_node(&name);
            prop_assert_eq!(name.is_empty(), route.as_str().is_empty());
            prop_assert!(name.is_empty() || route.as_str().ends_with('.'));
            prop_assert_eq!(route.as_str().matches('.').count(), usize::from(!name.is_empty()));
            let sid = Sid::generate(&route, worker);
            if !name.is_empty() {
                prop_assert_eq!(sid.foreign_route(&prefix("~")), Some(route.as_str()));
            }
        }

        #[test]
        fn no_route_shows_a_secret(text in "[A-Za-z0-9._~-]{21,47}", own in "[A-Za-z0-9._~-]{0,24}") {
            let sid: Sid = text.parse().unwrap();
            if let Some(route) = sid.foreign_route(&prefix(&own)) {
                prop_assert!(text.starts_with(route));
                prop_assert!(route.len() + 20 <= text.len());
            }
        }
    }
}
