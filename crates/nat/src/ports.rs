//! Choosing an external port (RFC 4787 section 4.2).
//!
//! Every way of choosing comes down to a first candidate and the first free port from there, around the end of the
//! range and on, as in RFC 6056 section 3.3.1. A set of many ports finds it in constant time, free or not.

use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::behavior::{Behavior, OnConflict, PortAssignment, PortRange};

/// Which ports may be chosen, and where to begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search {
    pub(crate) range: PortRange,
    /// The lowest bit that the port must have.
    pub(crate) parity: Option<u16>,
    pub(crate) start: u16,
}

impl Search {
    fn allows(&self, port: u16) -> bool {
        self.range.contains(port) && self.parity.is_none_or(|parity| port & 1 == parity)
    }

    /// The allowed ports in the order in which to try them.
    fn candidates(self) -> impl Iterator<Item = u16> {
        let PortRange { first, last } = self.range;
        let start = if self.range.contains(self.start) { self.start } else { first };
        (start..=last).chain(first..start).filter(move |port| self.allows(*port))
    }
}

/// Chooses an external port for `internal`. `next_free` is asked for the first free port from a candidate on.
/// `cursor` is the port that was chosen last.
pub(crate) fn choose(
    behavior: &Behavior,
    range: PortRange,
    internal: u16,
    cursor: Option<u16>,
    rng: &mut Xoshiro256PlusPlus,
    next_free: impl Fn(Search) -> Option<u16>,
) -> Option<u16> {
    let parity = behavior.port_parity.then_some(internal & 1);
    let free_from = |start| next_free(Search { range, parity, start });
    match behavior.ports {
        PortAssignment::Preserve => {
            let next = free_from(internal)?;
            let done = next == internal || behavior.on_conflict == OnConflict::Next;
            if done { Some(next) } else { free_from(random(range, rng)) }
        }
        PortAssignment::Sequential => free_from(following(range, cursor, behavior.step)),
        PortAssignment::Random => free_from(random(range, rng)),
    }
}

fn random(range: PortRange, rng: &mut Xoshiro256PlusPlus) -> u16 {
    rng.random_range(range.first..=range.last)
}

fn following(range: PortRange, cursor: Option<u16>, step: u16) -> u16 {
    match cursor {
        Some(cursor) if range.contains(cursor) => {
            let place = (u32::from(cursor - range.first) + u32::from(step)) % range.size();
            range.first + u16::try_from(place).unwrap_or(0)
        }
        _ => range.first,
    }
}

/// The first free port of `search` where a handful is used.
pub(crate) fn next_free_among(search: Search, is_used: impl Fn(u16) -> bool) -> Option<u16> {
    search.candidates().find(|port| !is_used(*port))
}

/// Ports in use. Few of them stand in a list, many in a bitmap of 8 KiB.
#[derive(Clone, Debug)]
pub(crate) enum PortSet {
    /// In the order of their [`place`].
    Few(Vec<u16>),
    Many(Box<Bitmap>),
}

/// The most ports in a list: it takes a quarter of the bitmap's memory.
const FEW: usize = 1024;

impl Default for PortSet {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl PortSet {
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Few(ports) if ports.is_empty())
    }

    /// Octets on the heap.
    pub(crate) fn allocated(&self) -> usize {
        match self {
            Self::Few(ports) => ports.capacity() * size_of::<u16>(),
            Self::Many(_) => size_of::<Bitmap>(),
        }
    }

    pub(crate) fn contains(&self, port: u16) -> bool {
        match self {
            Self::Few(ports) => ports.binary_search(&place(port)).is_ok(),
            Self::Many(bitmap) => bitmap.contains(port),
        }
    }

    /// Puts in `port`, which must not be in.
    pub(crate) fn insert(&mut self, port: u16) {
        match self {
            Self::Few(ports) if ports.len() < FEW => {
                let among = ports.partition_point(|used| *used < place(port));
                if ports.len() == ports.capacity() {
                    ports.reserve_exact((ports.len() / 4).max(4));
                }
                ports.insert(among, place(port));
            }
            Self::Few(ports) => {
                let mut bitmap = Box::<Bitmap>::default();
                ports.iter().for_each(|used| bitmap.insert(used.rotate_left(1)));
                bitmap.insert(port);
                *self = Self::Many(bitmap);
            }
            Self::Many(bitmap) => bitmap.insert(port),
        }
    }

    /// Takes out `port`, which must be in.
    pub(crate) fn remove(&mut self, port: u16) {
        match self {
            Self::Few(ports) => {
                if let Ok(among) = ports.binary_search(&place(port)) {
                    ports.remove(among);
                }
            }
            Self::Many(bitmap) => {
                bitmap.remove(port);
                if bitmap.used == 0 {
                    *self = Self::default();
                }
            }
        }
    }

    /// The first free port of `search`, in time that does not depend on how many are used.
    pub(crate) fn next_free(&self, search: Search) -> Option<u16> {
        let PortRange { first, last } = search.range;
        let start = if search.range.contains(search.start) { search.start } else { first };
        self.first_free(start, last, search.parity)
            .or_else(|| if start > first { self.first_free(first, start - 1, search.parity) } else { None })
    }

    fn first_free(&self, from: u16, to: u16, parity: Option<u16>) -> Option<u16> {
        let of_parity = |parity: u16| {
            let lowest = usize::from(from >> 1) + usize::from(from & 1 > parity);
            let port = self.first_free_half(usize::from(parity), lowest)? << 1 | usize::from(parity);
            u16::try_from(port).ok().filter(|port| *port <= to)
        };
        match parity {
            Some(parity) => of_parity(parity),
            None => match (of_parity(0), of_parity(1)) {
                (Some(even), Some(odd)) => Some(even.min(odd)),
                (even, odd) => even.or(odd),
            },
        }
    }

    /// The first free port of one parity from `lowest` on, both without their lowest bit.
    fn first_free_half(&self, parity: usize, lowest: usize) -> Option<usize> {
        match self {
            Self::Few(ports) => {
                let first = parity * HALF;
                (lowest < HALF).then(|| first_gap(ports, first + lowest) - first).filter(|port| *port < HALF)
            }
            Self::Many(bitmap) => bitmap.halves[parity].first_free(lowest),
        }
    }
}

/// Ports of one parity.
const HALF: usize = 1 << 15;

/// Where a port stands in a list: even ones come before odd ones, so that those of one parity follow one another.
const fn place(port: u16) -> u16 {
    port.rotate_right(1)
}

/// The first place from `from` on that is not in the list: it ends a run, in which place and index grow alike.
fn first_gap(places: &[u16], from: usize) -> usize {
    let rest = &places[places.partition_point(|place| usize::from(*place) < from)..];
    let (mut run, mut end) = (0, rest.len());
    while run < end {
        let middle = usize::midpoint(run, end);
        if usize::from(rest[middle]) == from + middle {
            run = middle + 1;
        } else {
            end = middle;
        }
    }
    from + run
}

/// A bit for each port, even and odd ones apart so that parity costs nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bitmap {
    halves: [Half; 2],
    used: u32,
}

impl Bitmap {
    fn insert(&mut self, port: u16) {
        self.halves[usize::from(port & 1)].insert(usize::from(port >> 1));
        self.used += 1;
    }

    fn remove(&mut self, port: u16) {
        self.halves[usize::from(port & 1)].remove(usize::from(port >> 1));
        self.used -= 1;
    }

    fn contains(&self, port: u16) -> bool {
        let bit = usize::from(port >> 1);
        self.halves[usize::from(port & 1)].used[bit / 64] >> (bit % 64) & 1 != 0
    }
}

/// The ports of one parity: a bit for each that is used, and a bit for each word of them that is full.
#[derive(Clone, Debug)]
struct Half {
    used: [u64; 512],
    full: [u64; 8],
}

impl Default for Half {
    fn default() -> Self {
        Self { used: [0; 512], full: [0; 8] }
    }
}

impl Half {
    fn insert(&mut self, bit: usize) {
        let word = bit / 64;
        self.used[word] |= 1 << (bit % 64);
        if self.used[word] == u64::MAX {
            self.full[word / 64] |= 1 << (word % 64);
        }
    }

    fn remove(&mut self, bit: usize) {
        let word = bit / 64;
        self.used[word] &= !(1 << (bit % 64));
        self.full[word / 64] &= !(1 << (word % 64));
    }

    fn first_free(&self, from: usize) -> Option<usize> {
        let word = from / 64;
        let here = !self.used.get(word)? & u64::MAX << (from % 64);
        if here != 0 {
            return Some(word * 64 + here.trailing_zeros() as usize);
        }
        let word = self.first_with_room(word + 1)?;
        Some(word * 64 + self.used[word].trailing_ones() as usize)
    }

    fn first_with_room(&self, from: usize) -> Option<usize> {
        let mut group = from / 64;
        let mut room = !self.full.get(group)? & u64::MAX << (from % 64);
        while room == 0 {
            group += 1;
            room = !*self.full.get(group)?;
        }
        Some(group * 64 + room.trailing_zeros() as usize)
    }
}

#[cfg(test)]
mod tests;
