//! What a question to the whole cluster has brought.

use std::fmt;
use std::ops::Deref;

/// What a question to the whole cluster has brought: all there is, or what was there at the deadline and who
/// was silent. It reads as what was found (`*gathered`, `for … in gathered`).
///
/// ```
/// # use greenroom::prelude::*;
/// # async fn example(server: Server) {
/// let sockets = server.root().to("lobby").fetch_sockets().await;
/// println!("{} are there", sockets.len());
/// if !sockets.silent.is_nobody() {
///     println!("without those of {}", sockets.silent);
/// }
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gathered<T> {
    /// What was found.
    pub found: T,
    /// Who has not answered in time.
    pub silent: Silent,
}

impl<T> Gathered<T> {
    pub(crate) const fn new(found: T, silent: Silent) -> Self {
        Self { found, silent }
    }

    /// Of this server, which is all there is.
    pub(crate) fn alone(found: T) -> Self {
        Self::new(found, Silent::default())
    }
}

impl<T> Deref for Gathered<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.found
    }
}

impl<T: IntoIterator> IntoIterator for Gathered<T> {
    type Item = T::Item;
    type IntoIter = T::IntoIter;

    fn into_iter(self) -> T::IntoIter {
        self.found.into_iter()
    }
}

/// The servers that have not answered in time.
///
/// Greenroom servers are known by name. Node.js servers do not say who they are: they are only counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Silent {
    /// Their names, as far as known: `redis.node` in their configuration.
    pub nodes: Vec<String>,
    /// How many others.
    pub unnamed: usize,
}

impl Silent {
    /// Whether everybody has answered.
    #[must_use]
    pub const fn is_nobody(&self) -> bool {
        self.nodes.is_empty() && self.unnamed == 0
    }

    /// How many have not.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.nodes.len() + self.unnamed
    }

    /// As [`Silent::is_nobody`].
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.is_nobody()
    }
}

impl fmt::Display for Silent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.nodes.join(", "))?;
        match (self.nodes.is_empty(), self.unnamed) {
            (true, 0) => f.write_str("nobody"),
            (false, 0) => Ok(()),
            (true, n) => write!(f, "{n} unnamed"),
            (false, n) => write!(f, " and {n} unnamed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_silent_are_named_and_counted() {
        let silent = |nodes: &[&str], unnamed| Silent {
            nodes: nodes.iter().map(|name| (*name).to_owned()).collect(),
            unnamed,
        };
        for (silent, text, n) in [
            (silent(&[], 0), "nobody", 0),
            (silent(&["a", "b"], 0), "a, b", 2),
            (silent(&[], 3), "3 unnamed", 3),
            (silent(&["a"], 1), "a and 1 unnamed", 2),
        ] {
            assert_eq!((silent.to_string().as_str(), silent.len()), (text, n));
            assert_eq!(silent.is_nobody(), n == 0);
        }
    }
}
