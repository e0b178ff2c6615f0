//! Jobs of many keys: one after the other for each key, different keys beside each other.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use foldhash::quality::RandomState;

/// What waits behind a job that is being done. A key is here as long as one of its jobs is.
#[derive(Debug)]
pub(crate) struct Lanes<K, J>(HashMap<K, VecDeque<J>, RandomState>);

impl<K, J> Default for Lanes<K, J> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<K: Eq + Hash, J> Lanes<K, J> {
    /// Queues a job. It is given back if none of its key is being done: do it now.
    #[must_use]
    pub(crate) fn push(&mut self, key: K, job: J) -> Option<J> {
        match self.0.entry(key) {
            std::collections::hash_map::Entry::Occupied(mut lane) => {
                lane.get_mut().push_back(job);
                None
            }
            std::collections::hash_map::Entry::Vacant(lane) => {
                lane.insert(VecDeque::new());
                Some(job)
            }
        }
    }

    /// A job of this key is done: the next one, if there is one.
    #[must_use]
    pub(crate) fn done(&mut self, key: &K) -> Option<J> {
        let next = self.0.get_mut(key)?.pop_front();
        if next.is_none() {
            self.0.remove(key);
        }
        next
    }

    /// How many keys have jobs.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_of_a_key_are_done_in_order_and_keys_do_not_wait_for_each_other() {
        let mut lanes = Lanes::default();
        assert_eq!(lanes.push("a", 1), Some(1));
        assert_eq!(lanes.push("a", 2), None);
        assert_eq!(lanes.push("b", 3), Some(3));
        assert_eq!(lanes.push("a", 4), None);
        assert_eq!(lanes.done(&"a"), Some(2));
        assert_eq!(lanes.done(&"b"), None);
        assert_eq!(lanes.done(&"a"), Some(4));
        assert_eq!(lanes.done(&"a"), None);
        assert_eq!(lanes.len(), 0, "nothing is kept of who has no jobs");
        assert_eq!(lanes.push("a", 5), Some(5));
    }
}
