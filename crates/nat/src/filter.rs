//! The remotes that may send to a mapping (RFC 4787 section 5).
//!
//! A mapping's record holds the first remote that it has sent to. The others, and all of them where they expire one
//! by one, stand in a [`RemoteSet`].

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use crate::address::{Address, Socket};

/// Remotes that a mapping has sent to. Under address-dependent filtering their port is 0. Nearly always they are few and
/// live as long as the mapping, and then they stand in place.
#[derive(Clone, Debug)]
pub(crate) struct RemoteSet<A> {
    few: [Socket<A>; FEW],
    /// How many of those there are.
    count: u8,
    /// All of them where they are more, or expire one by one.
    many: Option<Box<Many<A>>>,
}

/// The most remotes in place.
const FEW: usize = 2;

#[derive(Clone, Debug)]
struct Many<A> {
    remotes: Vec<Socket<A>>,
    /// When each expires, where they expire one by one.
    expiries: Vec<u64>,
    /// The place of each, once there are too many to scan.
    places: Option<HashMap<Socket<A>, u32, FxBuildHasher>>,
}

impl<A: Address> Default for RemoteSet<A> {
    fn default() -> Self {
        Self { few: [Socket::default(); FEW], count: 0, many: None }
    }
}

/// The most remotes that are scanned one after the other.
const SCANNED: usize = 64;

impl<A: Address> RemoteSet<A> {
    /// Whether `remote` is in the set and has not expired.
    #[inline]
    pub(crate) fn permits(&self, remote: Socket<A>, now: u64) -> bool {
        match &self.many {
            None => self.few().contains(&remote),
            Some(many) => many.place(remote).is_some_and(|place| many.is_live(place, now)),
        }
    }

    /// Permits `remote` until `expires`, or for as long as the set lives. Returns whether it was not permitted.
    #[inline]
    pub(crate) fn permit(&mut self, remote: Socket<A>, now: u64, expires: Option<u64>) -> bool {
        if self.many.is_some() || expires.is_some() {
            return self.many().permit(remote, now, expires);
        }
        if self.few().contains(&remote) {
            return false;
        }
        match self.few.get_mut(usize::from(self.count)) {
            Some(room) => {
                *room = remote;
                self.count += 1;
                true
            }
            None => self.many().permit(remote, now, expires),
        }
    }

    fn few(&self) -> &[Socket<A>] {
        &self.few[..usize::from(self.count)]
    }

    /// Moves those in place out of it.
    fn many(&mut self) -> &mut Many<A> {
        let remotes = &self.few[..usize::from(self.count)];
        self.count = 0;
        self.many.get_or_insert_with(|| {
            Box::new(Many { remotes: remotes.to_vec(), expiries: Vec::new(), places: None })
        })
    }

    /// The live remotes and when each expires; `None`: with the set.
    pub(crate) fn live(&self, now: u64) -> impl Iterator<Item = (Socket<A>, Option<u64>)> {
        let few = self.few().iter().map(|remote| (*remote, None));
        few.chain(self.many.iter().flat_map(move |many| many.live(now)))
    }

    /// Octets on the heap.
    pub(crate) fn allocated(&self) -> usize {
        self.many.as_ref().map_or(0, |many| size_of::<Many<A>>() + many.allocated())
    }
}

impl<A: Address> Many<A> {
    fn permit(&mut self, remote: Socket<A>, now: u64, expires: Option<u64>) -> bool {
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

    fn live(&self, now: u64) -> impl Iterator<Item = (Socket<A>, Option<u64>)> {
        let live = move |(place, _): &(usize, _)| self.is_live(*place, now);
        let expires = |place: usize| self.expiries.get(place).copied();
        self.remotes.iter().enumerate().filter(live).map(move |(place, remote)| (*remote, expires(place)))
    }

    fn allocated(&self) -> usize {
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
