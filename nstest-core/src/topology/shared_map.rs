//! A map: its copies share the parts that are equal.
//!
//! The entries are in chunks, and copies share the chunks. To copy a map of a thousand
//! entries takes some thirty steps, to change one entry copies one chunk, and to compare two
//! copies looks only into chunks that they do not share.

use std::ops::Index;
use std::sync::Arc;

use litemap::LiteMap;

/// How many numbers belong to one chunk.
const CHUNK: u32 = 32;

/// A number that is a key.
pub(crate) trait Key: Copy + Ord {
    /// Without gaps, or nearly so.
    fn number(self) -> u32;
}

/// A map that shares its chunks with its copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SharedMap<K, V> {
    /// None of them is empty. Sorted vectors, since each `BTreeMap` of another type takes the
    /// compiler ten times as long.
    chunks: LiteMap<u32, Arc<LiteMap<K, V>>>,
}

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        Self { chunks: LiteMap::new() }
    }
}

impl<K: Key, V: Clone> SharedMap<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.chunks.get(&chunk(*key))?.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let chunk = self.chunks.get_mut(&chunk(*key)).filter(|chunk| chunk.contains_key(key))?;
        Arc::make_mut(chunk).get_mut(key)
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        Arc::make_mut(self.chunks.entry(chunk(key)).or_default()).insert(key, value);
    }

    pub(crate) fn remove(&mut self, key: &K) {
        if self.contains_key(key) {
            let number = chunk(*key);
            if let Some(chunk) = self.chunks.get_mut(&number).map(Arc::make_mut) {
                chunk.remove(key);
                if chunk.is_empty() {
                    self.chunks.remove(&number);
                }
            }
        }
    }

    /// In the order of the keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> + Clone {
        self.chunks.values().flat_map(|chunk| chunk.iter())
    }

    pub(crate) fn last_key(&self) -> Option<&K> {
        let (_, chunk) = self.chunks.last()?;
        chunk.last().map(|(key, _)| key)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> + Clone {
        self.iter().map(|(key, _)| key)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> + Clone {
        self.iter().map(|(_, value)| value)
    }

    pub(crate) fn len(&self) -> usize {
        self.chunks.values().map(|chunk| chunk.len()).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The keys with another value in `other`, and those that only one of both has, in their
    /// order.
    pub(crate) fn differences(&self, other: &Self) -> Vec<K>
    where
        V: PartialEq,
    {
        let mut keys = Vec::new();
        for (number, chunk) in &self.chunks {
            match other.chunks.get(number) {
                Some(others) if Arc::ptr_eq(chunk, others) => {}
                others => {
                    let there = |key| others.and_then(|others| others.get(key));
                    keys.extend(
                        chunk.iter().filter(|(k, v)| there(*k) != Some(*v)).map(|(k, _)| k),
                    );
                    let missing = |key: &&K| !chunk.contains_key(*key);
                    keys.extend(others.iter().flat_map(|others| others.keys()).filter(missing));
                }
            }
        }
        let new = other.chunks.iter().filter(|(number, _)| !self.chunks.contains_key(number));
        keys.extend(new.flat_map(|(_, chunk)| chunk.keys()));
        keys.sort_unstable();
        keys
    }
}

impl<K: Key, V: Clone> Index<&K> for SharedMap<K, V> {
    type Output = V;

    fn index(&self, key: &K) -> &V {
        self.get(key).expect("there is such a key")
    }
}

impl<K: Key, V: Clone> Extend<(K, V)> for SharedMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        entries.into_iter().for_each(|(key, value)| self.insert(key, value));
    }
}

fn chunk<K: Key>(key: K) -> u32 {
    key.number() / CHUNK
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Key for u32 {
        fn number(self) -> u32 {
            self
        }
    }

    fn map(numbers: impl IntoIterator<Item = u32>) -> SharedMap<u32, u32> {
        let mut map = SharedMap::default();
        map.extend(numbers.into_iter().map(|number| (number, number)));
        map
    }

    #[test]
    fn copies_differ_in_what_was_changed_since() {
        let before = map(1..200);
        let mut after = before.clone();
        assert!(before.differences(&after).is_empty());
        after.insert(300, 0);
        after.remove(&70);
        *after.get_mut(&5).unwrap() = 0;
        assert_eq!(after.get_mut(&70), None);
        let keys = [5, 70, 300];
        assert_eq!(before.differences(&after), keys);
        assert_eq!(after.differences(&before), keys);
        assert_eq!((before.last_key(), after.last_key()), (Some(&199), Some(&300)));
        assert_eq!((before.len(), after.len()), (199, 199));
        assert_eq!(before, map(1..200));
    }

    #[test]
    fn an_emptied_map_is_an_empty_one() {
        let mut all = map([1, 40]);
        all.remove(&1);
        all.remove(&40);
        assert!(all.is_empty());
        assert_eq!(all.last_key(), None);
        assert_eq!(all, SharedMap::default());
        assert_eq!(map([40]).differences(&all), [40]);
    }
}
