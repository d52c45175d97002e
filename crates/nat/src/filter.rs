//! The remotes that may send to a mapping (RFC 4787 section 5).
//!
//! A mapping's record holds the first remote that it has sent to. The others, and all of them where they expire one
//! by one, stand in a [`RemoteSet`].

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use crate::address::{Address, Socket};

/// Remotes that a mapping has sent to. Under address-dependent filtering their port is 0.
#[derive(Clone, Debug)]
pub(crate) struct RemoteSet<A> {
    remotes: Vec<Socket<A>>,
    /// When each expires, where they expire one by one.
    expiries: Vec<u64>,
    /// The place of each, once there are too many to scan.
    places: Option<HashMap<Socket<A>, u32, FxBuildHasher>>,
}

impl<A> Default for RemoteSet<A> {
    fn default() -> Self {
        Self { remotes: Vec::new(), expiries: Vec::new(), places: None }
    }
}

/// The most remotes that are scanned one after the other.
const SCANNED: usize = 64;

impl<A: Address> RemoteSet<A> {
    /// Whether `remote` is in the set and has not expired.
    pub(crate) fn permits(&self, remote: Socket<A>, now: u64) -> bool {
        self.place(remote).is_some_and(|place| self.is_live(place, now))
    }

    /// Permits `remote` until `expires`, or for as long as the set lives. Returns whether it was not permitted.
    pub(crate) fn permit(&mut self, remote: Socket<A>, now: u64, expires: Option<u64>) -> bool {
        let Some(place) = self.place(remote) else {
            self.add(remote, now, expires);
            return true;
        };
        let expired = !self.is_live(place, now);
        if let Some(expires) = expires {
            self.expiries[place] = expires;
        }
        expired
    }

    /// The live remotes and when each expires; `None`: with the set.
    pub(crate) fn live(&self, now: u64) -> impl Iterator<Item = (Socket<A>, Option<u64>)> {
        let live = move |(place, _): &(usize, _)| self.is_live(*place, now);
        let expires = |place: usize| self.expiries.get(place).copied();
        self.remotes.iter().enumerate().filter(live).map(move |(place, remote)| (*remote, expires(place)))
    }

    /// Octets on the heap.
    pub(crate) fn allocated(&self) -> usize {
        self.remotes.capacity() * size_of::<Socket<A>>()
            + self.expiries.capacity() * size_of::<u64>()
            + self.places.as_ref().map_or(0, HashMap::allocation_size)
    }

    fn is_live(&self, place: usize, now: u64) -> bool {
        self.expiries.get(place).is_none_or(|expires| now < *expires)
    }

    fn place(&self, remote: Socket<A>) -> Option<usize> {
        match &self.places {
            Some(places) => places.get(&remote).map(|place| *place as usize),
            None => self.remotes.iter().position(|known| *known == remote),
        }
    }

    fn add(&mut self, remote: Socket<A>, now: u64, expires: Option<u64>) {
        if self.remotes.len() == self.remotes.capacity() {
            self.forget_expired(now);
        }
        self.remotes.push(remote);
        self.expiries.extend(expires);
        match &mut self.places {
            Some(places) => {
                places.insert(remote, last_place(&self.remotes));
            }
            None if self.remotes.len() > SCANNED => self.index(),
            None => {}
        }
    }

    /// Makes room before the list grows, so that it never holds many more than are alive.
    fn forget_expired(&mut self, now: u64) {
        if self.expiries.iter().all(|expires| now < *expires) {
            return;
        }
        let mut expiries = self.expiries.iter();
        self.remotes.retain(|_| expiries.next().is_none_or(|expires| now < *expires));
        self.expiries.retain(|expires| now < *expires);
        self.places = None;
        if self.remotes.len() > SCANNED {
            self.index();
        }
    }

    fn index(&mut self) {
        self.places = Some(self.remotes.iter().copied().zip(0..).collect());
    }
}

fn last_place<T>(list: &[T]) -> u32 {
    u32::try_from(list.len() - 1).unwrap_or(u32::MAX)
}
