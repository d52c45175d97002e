//! A hash index from keys to table slots that touches one cache line to find a slot.
//!
//! Ten slots share a line with sixteen bits of each one's hash, or fifteen while all are small enough for two octets.
//! The keys stay in the table's records: the caller compares them, and supplies their hashes when the index grows. So a
//! search costs one line here and one record.

use crate::expiry::NONE;
use crate::prefetch::prefetch;
use crate::slots::short;

mod line;

use line::{LINE, Line, Long, Short};

/// Lines that are fetched ahead of many insertions.
const AHEAD: usize = 32;

/// The index. Hashes are given by the caller, who must use their high and low bits well.
#[derive(Clone, Debug)]
pub(crate) enum Index {
    Short(Lines<Short>),
    Long(Lines<Long>),
}

/// The lines of an index.
#[derive(Clone, Debug)]
pub(crate) struct Lines<L> {
    lines: Vec<L>,
    len: usize,
}

/// The same for lines of both kinds.
macro_rules! of_either {
    ($index:expr, $lines:ident => $what:expr) => {
        match $index {
            Index::Short($lines) => $what,
            Index::Long($lines) => $what,
        }
    };
}

impl Index {
    /// An index with room for `capacity` of the first `slots` slots.
    pub(crate) fn with_capacity(capacity: usize, slots: usize) -> Self {
        if slots < usize::from(u16::MAX) {
            Self::Short(Lines::with_capacity(capacity))
        } else {
            Self::Long(Lines::with_capacity(capacity))
        }
    }

    /// Whether `slot` wants another index first, with more room or for more slots.
    pub(crate) fn is_full(&self, slot: u32) -> bool {
        match self {
            Self::Short(lines) => lines.is_full() || short(slot).is_none(),
            Self::Long(lines) => lines.is_full(),
        }
    }

    /// Whether it has room for four times as many slots as there are.
    pub(crate) fn is_roomy(&self) -> bool {
        of_either!(self, lines => lines.is_roomy())
    }

    /// The same slots, which are among the first `slots`, with room for a quarter more.
    pub(crate) fn resized(&self, slots: usize, hash_of: impl Fn(u32) -> u64) -> Self {
        let mut resized = Self::with_capacity(self.len() + self.len() / 4, slots);
        of_either!(self, lines => {
            let known = lines.lines.iter().flat_map(Line::slots).filter(|slot| *slot != NONE);
            resized.extend(known.map(|slot| (hash_of(slot), slot)));
        });
        resized
    }

    pub(crate) const fn len(&self) -> usize {
        of_either!(self, lines => lines.len)
    }

    /// Octets allocated.
    pub(crate) const fn allocated(&self) -> usize {
        LINE * of_either!(self, lines => lines.lines.capacity())
    }

    /// The slot with this hash that `is_it`.
    #[inline]
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        of_either!(self, lines => lines.find(hash, is_it))
    }

    /// Fetches the line that [`Index::find`] reads first.
    #[inline]
    pub(crate) fn prefetch(&self, hash: u64) {
        of_either!(self, lines => prefetch(&lines.lines, lines.home(hash)));
    }

    /// The slots that [`Index::find`] finds, in almost all cases; otherwise any numbers.
    #[inline]
    pub(crate) fn likely(&self, hashes: &[u64], slots: &mut [u32], found: impl Fn(u32)) {
        of_either!(self, lines => for (hash, slot) in hashes.iter().zip(slots) {
            *slot = lines.likely(*hash);
            found(*slot);
        });
    }

    /// Puts in `slot`, which must not be in, and for which there must be room.
    pub(crate) fn insert(&mut self, hash: u64, slot: u32) {
        debug_assert!(!self.is_full(slot), "the caller grows the index");
        of_either!(self, lines => lines.insert(hash, slot));
    }

    /// Puts in many slots with their hashes.
    pub(crate) fn extend(&mut self, entries: impl Iterator<Item = (u64, u32)>) {
        of_either!(self, lines => lines.extend(entries));
    }

    /// Takes out `slot`, which must be in.
    pub(crate) fn remove(&mut self, hash: u64, slot: u32) {
        of_either!(self, lines => lines.remove(hash, slot));
    }
}

impl<L: Line> Lines<L> {
    fn with_capacity(capacity: usize) -> Self {
        Self { lines: vec![L::EMPTY; (capacity / L::FULL + 1).max(2)], len: 0 }
    }

    const fn is_full(&self) -> bool {
        self.len >= self.lines.len() * L::FULL
    }

    const fn is_roomy(&self) -> bool {
        self.lines.len() > 2 && self.len < self.lines.len() * L::FULL / 4
    }

    #[inline]
    fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let tag = tag(hash);
        let mut place = self.home(hash);
        loop {
            let line = &self.lines[place];
            let mut lanes = line.lanes(tag);
            while lanes != 0 {
                let slot = line.slot(lanes.trailing_zeros() as usize);
                if is_it(slot) {
                    return Some(slot);
                }
                lanes &= lanes - 1;
            }
            if line.spilled() == 0 {
                return None;
            }
            place = self.after(place);
        }
    }

    #[inline(always)]
    fn likely(&self, hash: u64) -> u32 {
        let home = self.home(hash);
        let line = &self.lines[home];
        match line.likely(tag(hash)) {
            0 if line.spilled() != 0 => self.lines[self.after(home)].likely(tag(hash)),
            slot => slot,
        }
    }

    fn insert(&mut self, hash: u64, slot: u32) {
        let mut place = self.home(hash);
        loop {
            let line = &mut self.lines[place];
            if let Some(lane) = line.lane_of(NONE) {
                line.set(lane, tag(hash), slot);
                self.len += 1;
                return;
            }
            line.set_spilled(line.spilled() + 1);
            place = self.after(place);
        }
    }

    /// The lines of some slots are on their way while those before go in.
    fn extend(&mut self, entries: impl Iterator<Item = (u64, u32)>) {
        let mut ahead = [(0, NONE); AHEAD];
        for (place, entry) in entries.enumerate() {
            prefetch(&self.lines, self.home(entry.0));
            let (hash, slot) = std::mem::replace(&mut ahead[place % AHEAD], entry);
            if slot != NONE {
                self.insert(hash, slot);
            }
        }
        let rest = ahead.into_iter().filter(|(_, slot)| *slot != NONE);
        rest.for_each(|(hash, slot)| self.insert(hash, slot));
    }

    fn remove(&mut self, hash: u64, slot: u32) {
        let mut place = self.home(hash);
        loop {
            let line = &mut self.lines[place];
            if let Some(lane) = line.lane_of(slot) {
                line.set(lane, 0, NONE);
                self.len -= 1;
                return;
            }
            if line.spilled() == 0 {
                debug_assert!(false, "the slot is not in the index");
                return;
            }
            line.set_spilled(line.spilled() - 1);
            place = self.after(place);
        }
    }

    /// The high half of the hash scaled to the number of lines.
    #[inline]
    fn home(&self, hash: u64) -> usize {
        (((hash >> 32) * self.lines.len() as u64) >> 32) as usize
    }

    #[inline]
    const fn after(&self, place: usize) -> usize {
        if place + 1 == self.lines.len() { 0 } else { place + 1 }
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the low bits are wanted")]
const fn tag(hash: u64) -> u16 {
    hash as u16
}
