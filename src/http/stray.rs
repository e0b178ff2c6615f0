//! Requests for sessions of other nodes: counted, and told to the operator once in a while.

use std::fmt;
use std::time::Instant;

use crate::throttle::Throttle;

type Owner = dyn Fn(&str) -> Option<String> + Send + Sync;

/// What a server remembers of requests that should have gone to other nodes. One for all workers.
pub(crate) struct Strays {
    /// The name of the node with this route, if it is known.
    owner: Box<Owner>,
    throttle: Throttle,
}

impl fmt::Debug for Strays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Strays").finish_non_exhaustive()
    }
}

impl Strays {
    /// `owner` gives the name of the node that a route leads to. It is asked at most once a minute, and may be asked on
    /// any worker, so it must not block.
    pub(crate) fn new(owner: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self {
            owner: Box::new(owner),
            throttle: Throttle::new(),
        }
    }

    /// One more request, for a session with this route. Gives what to log about it and those before, if it is time.
    pub(crate) fn seen(&self, route: &str, now: Instant) -> Option<String> {
        let n_requests = self.throttle.pass(now)?;
        Some(match (self.owner)(route) {
            Some(node) => format!(
                "the load balancer sends requests for sessions of another node here, it is not sticky route={route} node={node} n_requests={n_requests}"
            ),
            // A client of a node that has stopped asks once more, also with a balancer that does all it should.
            None => format!(
                "the load balancer sends requests for sessions of another node here, it is not sticky or the node has gone route={route} node=unknown n_requests={n_requests}"
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::throttle::BETWEEN_LINES;

    #[test]
    fn the_line_names_route_and_node() {
        let strays = Strays::new(|route| (route == "b.").then(|| "web2".to_owned()));
        let now = Instant::now();
        let line = strays.seen("b.", now).unwrap();
        assert!(
            line.ends_with(" is not sticky route=b. node=web2 n_requests=1"),
            "{line}"
        );
        assert_eq!(strays.seen("c.", now), None);
        let line = strays.seen("c.", now + BETWEEN_LINES).unwrap();
        assert!(
            line.ends_with(" or the node has gone route=c. node=unknown n_requests=2"),
            "{line}"
        );
    }
}
