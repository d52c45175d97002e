//! Lists of slots, one for each port of a page: of two octets each while the table has few enough slots.

use super::slab::reserve;
use crate::expiry::NONE;
use crate::prefetch::prefetch;

/// Ports of a page.
const PORTS: usize = 256;

/// No slot, in two octets.
const NO_SLOT: u16 = u16::MAX;

#[derive(Clone, Debug)]
pub(super) struct Lists {
    /// List after list, the first of which is nobody's. A long slot takes two items, the low half first.
    halves: Vec<u16>,
    is_long: bool,
    /// Lists that are not in use.
    free: Vec<u32>,
}

impl Lists {
    pub(super) const fn new() -> Self {
        Self { halves: Vec::new(), is_long: false, free: Vec::new() }
    }

    /// Where the slot of `port` is in its page's list.
    #[inline]
    pub(super) const fn place(list: u32, port: u16) -> usize {
        list as usize * PORTS + port as usize % PORTS
    }

    #[inline]
    pub(super) fn prefetch(&self, place: usize) {
        prefetch(&self.halves, place << u32::from(self.is_long));
    }

    /// The slot at a place, or `NONE`.
    #[inline]
    pub(super) fn get(&self, place: usize) -> u32 {
        self.all().get(place)
    }

    #[inline]
    pub(super) fn all(&self) -> AllLists<'_> {
        AllLists { halves: &self.halves, is_long: self.is_long }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the halves are taken apart")]
    pub(super) fn set(&mut self, place: usize, slot: u32) {
        if !self.is_long && slot >= u32::from(NO_SLOT) && slot != NONE {
            self.lengthen();
        }
        if self.is_long {
            self.halves[2 * place..2 * place + 2].copy_from_slice(&[slot as u16, (slot >> 16) as u16]);
        } else {
            self.halves[place] = slot as u16;
        }
    }

    /// Gives every slot four octets.
    fn lengthen(&mut self) {
        let long = |slot: u16| [slot, if slot == NO_SLOT { NO_SLOT } else { 0 }];
        self.halves = self.halves.iter().flat_map(|slot| long(*slot)).collect();
        self.is_long = true;
    }

    /// A list without slots.
    pub(super) fn take(&mut self) -> u32 {
        if let Some(list) = self.free.pop() {
            return list;
        }
        let halves = PORTS << u32::from(self.is_long);
        let new = if self.halves.is_empty() { 2 * halves } else { halves };
        reserve(&mut self.halves, new);
        self.halves.resize(self.halves.len() + new, NO_SLOT);
        u32::try_from(self.halves.len() / halves - 1).unwrap_or(0)
    }

    /// Gives back a list, which has no slots by now.
    pub(super) fn free(&mut self, list: u32) {
        self.free.push(list);
    }

    /// Octets on the heap.
    pub(super) fn allocated(&self) -> usize {
        self.halves.capacity() * size_of::<u16>() + self.free.capacity() * size_of::<u32>()
    }
}

/// All lists, to be read.
#[derive(Clone, Copy)]
pub(super) struct AllLists<'a> {
    halves: &'a [u16],
    is_long: bool,
}

impl AllLists<'_> {
    #[inline(always)]
    pub(super) fn get(self, place: usize) -> u32 {
        if self.is_long {
            return match self.halves.get(2 * place..2 * place + 2) {
                Some(halves) => u32::from(halves[0]) | u32::from(halves[1]) << 16,
                None => NONE,
            };
        }
        match self.halves.get(place) {
            Some(slot) if *slot != NO_SLOT => u32::from(*slot),
            _ => NONE,
        }
    }
}
