//! A map for a few entries, most often one.

use smallvec::SmallVec;

/// A map whose first entry needs no memory of its own, so that a datagram through an allocation with one peer touches
/// one place. Look-ups are binary searches; insertions and removals move what is behind.
#[derive(Clone, Debug)]
pub(super) struct SmallMap<K, V> {
    /// Ordered by key.
    entries: SmallVec<[(K, V); 1]>,
}

impl<K, V> Default for SmallMap<K, V> {
    fn default() -> Self {
        Self { entries: SmallVec::new() }
    }
}

impl<K: Ord, V> SmallMap<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.find(key).ok().map(|at| &self.entries[at].1)
    }

    pub(super) fn contains_key(&self, key: &K) -> bool {
        self.find(key).is_ok()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns the value that stood there before.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok(at) => Some(std::mem::replace(&mut self.entries[at].1, value)),
            Err(at) => {
                self.entries.insert(at, (key, value));
                None
            }
        }
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        self.find(key).ok().map(|at| self.entries.remove(at).1)
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        self.entries.retain(|(key, value)| keep(key, value));
    }

    fn find(&self, key: &K) -> Result<usize, usize> {
        self.entries.binary_search_by(|(other, _)| other.cmp(key))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_does_what_a_btree_map_does(ops in proptest::collection::vec((0u8..12, any::<u8>(), 0u8..3), 0..60)) {
            let (mut small, mut tree) = (SmallMap::default(), BTreeMap::new());
            for (key, value, op) in ops {
                match op {
                    0 => prop_assert_eq!(small.remove(&key), tree.remove(&key)),
                    1 => prop_assert_eq!(small.insert(key, value), tree.insert(key, value)),
                    _ => {
                        small.retain(|other, _| *other != key);
                        tree.retain(|other, _| *other != key);
                    }
                }
                prop_assert_eq!(small.len(), tree.len());
                for key in 0..12 {
                    prop_assert_eq!(small.get(&key), tree.get(&key));
                    prop_assert_eq!(small.contains_key(&key), tree.contains_key(&key));
                }
            }
        }
    }
}
