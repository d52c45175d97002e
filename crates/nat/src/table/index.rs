//! A hash index from keys to table slots that touches one cache line to find a slot.
//!
//! Ten slots share a line with sixteen bits of each one's hash. The keys stay in the table's records: the caller
//! compares them, and supplies their hashes when the index grows. So a search costs one line here and one record.

use std::hint::select_unpredictable;

use crate::expiry::NONE;
use crate::prefetch::prefetch;

const LANES: usize = 10;

/// Lines that are fetched ahead of many insertions.
const AHEAD: usize = 32;

/// A line is this full on average before the index grows.
const FULL: usize = 8;

#[derive(Clone, Debug)]
#[repr(align(64))]
struct Line {
    slots: [u32; LANES],
    /// Sixteen bits of each slot's hash; 0 where there is no slot.
    tags: [u16; LANES],
    /// How many slots whose home is this line or one before it stand in a later line.
    spilled: u32,
}

impl Line {
    const EMPTY: Self = Self { slots: [NONE; LANES], tags: [0; LANES], spilled: 0 };

    /// The slot with this tag, if one has it; 0 if none has.
    #[inline]
    fn likely(&self, tag: u16) -> u32 {
        let lanes = self.slots.iter().zip(&self.tags);
        lanes.fold(0, |chosen, (slot, known)| chosen | select_unpredictable(*known == tag, *slot, 0))
    }

    /// A bit for each lane with this tag.
    #[inline]
    fn lanes(&self, tag: u16) -> u16 {
        let mut lanes = 0;
        for (lane, known) in self.tags.iter().enumerate() {
            lanes |= u16::from(*known == tag) << lane;
        }
        lanes
    }
}

/// The index. Hashes are given by the caller, who must use their high and low bits well.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    lines: Vec<Line>,
    len: usize,
}

impl Index {
    /// An index with room for `capacity` slots.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { lines: vec![Line::EMPTY; (capacity / FULL + 1).max(2)], len: 0 }
    }

    /// Whether another slot wants a larger index first.
    pub(crate) const fn is_full(&self) -> bool {
        self.len >= self.lines.len() * FULL
    }

    /// Whether it has room for four times as many slots as there are.
    pub(crate) const fn is_roomy(&self) -> bool {
        self.lines.len() > 2 && self.len < self.lines.len() * FULL / 4
    }

    /// The same slots with room for a quarter more.
    pub(crate) fn resized(&self, hash_of: impl Fn(u32) -> u64) -> Self {
        let mut resized = Self::with_capacity(self.len + self.len / 4);
        let slots = self.lines.iter().flat_map(|line| line.slots).filter(|slot| *slot != NONE);
        resized.extend(slots.map(|slot| (hash_of(slot), slot)));
        resized
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Octets allocated.
    pub(crate) const fn allocated(&self) -> usize {
        self.lines.capacity() * size_of::<Line>()
    }

    /// The slot with this hash that `is_it`.
    #[inline]
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let tag = tag(hash);
        let mut place = self.home(hash);
        loop {
            let line = &self.lines[place];
            let mut lanes = line.lanes(tag);
            while lanes != 0 {
                let slot = line.slots[lanes.trailing_zeros() as usize];
                if is_it(slot) {
                    return Some(slot);
                }
                lanes &= lanes - 1;
            }
            if line.spilled == 0 {
                return None;
            }
            place = self.after(place);
        }
    }

    /// Fetches the line that [`Index::likely`] will read.
    #[inline]
    pub(crate) fn prefetch(&self, hash: u64) {
        prefetch(&self.lines, self.home(hash));
    }

    /// The slot that [`Index::find`] finds, in almost all cases; otherwise any number.
    #[inline]
    pub(crate) fn likely(&self, hash: u64) -> u32 {
        let home = self.home(hash);
        let line = &self.lines[home];
        match line.likely(tag(hash)) {
            0 if line.spilled != 0 => self.lines[self.after(home)].likely(tag(hash)),
            slot => slot,
        }
    }

    /// Puts in `slot`, which must not be in.
    pub(crate) fn insert(&mut self, hash: u64, slot: u32) {
        debug_assert!(!self.is_full(), "the caller grows the index");
        let mut place = self.home(hash);
        loop {
            let line = &mut self.lines[place];
            if let Some(lane) = line.slots.iter().position(|slot| *slot == NONE) {
                line.tags[lane] = tag(hash);
                line.slots[lane] = slot;
                self.len += 1;
                return;
            }
            line.spilled += 1;
            place = self.after(place);
        }
    }

    /// Puts in many slots with their hashes; the lines of some are on their way while those before go in.
    pub(crate) fn extend(&mut self, entries: impl Iterator<Item = (u64, u32)>) {
        let mut ahead = [(0, NONE); AHEAD];
        for (place, entry) in entries.enumerate() {
            self.prefetch(entry.0);
            let (hash, slot) = std::mem::replace(&mut ahead[place % AHEAD], entry);
            if slot != NONE {
                self.insert(hash, slot);
            }
        }
        let rest = ahead.into_iter().filter(|(_, slot)| *slot != NONE);
        rest.for_each(|(hash, slot)| self.insert(hash, slot));
    }

    /// Takes out `slot`, which must be in.
    pub(crate) fn remove(&mut self, hash: u64, slot: u32) {
        let mut place = self.home(hash);
        loop {
            let line = &mut self.lines[place];
            if let Some(lane) = line.slots.iter().position(|known| *known == slot) {
                line.tags[lane] = 0;
                line.slots[lane] = NONE;
                self.len -= 1;
                return;
            }
            if line.spilled == 0 {
                debug_assert!(false, "the slot is not in the index");
                return;
            }
            line.spilled -= 1;
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
