//! Collections that nearly always hold one thing, which then needs no memory of its own: a run touches thousands of
//! nodes in turn, and every pointer followed is a cache miss.

use std::hash::Hash;

use rustc_hash::FxHashMap;

/// A list whose first element is in place: 16 octets where elements have four.
#[derive(Clone, Debug)]
pub(crate) struct List<T> {
    first: Option<T>,
    rest: Option<Box<Rest<T>>>,
}

/// Behind a pointer of one word.
#[derive(Clone, Debug)]
struct Rest<T>(Vec<T>);

impl<T: Copy> List<T> {
    pub(crate) fn new(all: &[T]) -> Self {
        let (first, rest) = all.split_first().map_or((None, all), |(first, rest)| (Some(*first), rest));
        Self { first, rest: (!rest.is_empty()).then(|| Box::new(Rest(rest.to_vec()))) }
    }

    #[inline]
    pub(crate) fn first(&self) -> Option<T> {
        self.first
    }

    /// The first element that `is_it`.
    #[inline]
    pub(crate) fn find(&self, mut is_it: impl FnMut(T) -> bool) -> Option<T> {
        match (self.first, &self.rest) {
            (Some(first), _) if is_it(first) => Some(first),
            (_, None) => None,
            (_, Some(rest)) => rest.0.iter().copied().find(|element| is_it(*element)),
        }
    }

    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = T> + Clone {
        let rest = self.rest.as_ref().map_or(&[][..], |rest| &rest.0);
        self.first.into_iter().chain(rest.iter().copied())
    }
}

/// A map with an only entry in place; two or more are hashed.
#[derive(Debug)]
pub(crate) enum SmallMap<K, V> {
    One(Option<(K, V)>),
    Many(Box<Hashed<K, V>>),
}

/// Behind a pointer of one word.
#[derive(Debug)]
pub(crate) struct Hashed<K, V>(FxHashMap<K, V>);

impl<K, V> Default for SmallMap<K, V> {
    fn default() -> Self {
        Self::One(None)
    }
}

impl<K: Copy + Eq + Hash, V: Copy> SmallMap<K, V> {
    #[inline]
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        match self {
            Self::One(Some((only, value))) if only == key => Some(*value),
            Self::One(_) => None,
            Self::Many(map) => map.0.get(key).copied(),
        }
    }

    /// Whether `wanted` holds for any key.
    #[expect(clippy::disallowed_methods, reason = "whether there is one does not depend on the order")]
    pub(crate) fn any_key(&self, mut wanted: impl FnMut(&K) -> bool) -> bool {
        match self {
            Self::One(only) => only.as_ref().is_some_and(|(key, _)| wanted(key)),
            Self::Many(map) => map.0.keys().any(wanted),
        }
    }

    /// Puts `value` at `key`; what was there.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self {
            Self::One(Some((only, there))) if *only == key => Some(std::mem::replace(there, value)),
            Self::One(Some(only)) => {
                *self = Self::Many(Box::new(Hashed(FxHashMap::from_iter([*only, (key, value)]))));
                None
            }
            Self::One(none) => {
                *none = Some((key, value));
                None
            }
            Self::Many(map) => map.0.insert(key, value),
        }
    }

    pub(crate) fn remove(&mut self, key: &K) {
        match self {
            Self::One(only) => *only = only.filter(|(other, _)| other != key),
            Self::Many(map) => {
                map.0.remove(key);
            }
        }
    }

    /// Keeps what `keep` says to, asked in no particular order.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        match self {
            Self::One(only) => *only = only.filter(|(key, value)| keep(key, value)),
            Self::Many(map) => map.0.retain(|key, value| keep(key, value)),
        }
    }
}
