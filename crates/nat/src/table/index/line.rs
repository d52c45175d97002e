//! Slots that share a cache line, each with sixteen bits of its hash.

use std::hint::select_unpredictable;

use crate::expiry::NONE;
use crate::slots::{Slot, short};

/// Octets of a cache line.
pub(super) const LINE: usize = 64;

/// A line with lanes for some slots. The tag of a lane without a slot is 0.
pub(crate) trait Line: Clone {
    const EMPTY: Self;
    /// Slots of a line, on average, before the index grows.
    const FULL: usize;

    /// The slot with this tag, if one has it; if none or several have, any number.
    fn likely(&self, tag: u16) -> u32;
    /// A bit for each lane with this tag.
    fn lanes(&self, tag: u16) -> u16;
    /// The slot in a lane, or `NONE`: tag 0 may be that of a slot as well as of a lane without one.
    fn slot(&self, lane: usize) -> u32;
    /// Puts a slot, or `NONE`, in a lane.
    fn set(&mut self, lane: usize, tag: u16, slot: u32);
    /// The lane that has this slot, or for `NONE` no slot.
    fn lane_of(&self, slot: u32) -> Option<usize>;
    fn slots(&self) -> impl Iterator<Item = u32>;
    /// How many slots whose home is this line or one before it stand in a later line.
    fn spilled(&self) -> u32;
    fn set_spilled(&mut self, count: u32);
}

/// A line of ten slots.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(crate) struct Long {
    slots: [u32; 10],
    tags: [u16; 10],
    spilled: u32,
}

/// A line of fifteen slots of two octets.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(crate) struct Short {
    /// The last is not a slot but how many have spilled: sixteen are compared in one go.
    slots: [u16; 16],
    tags: [u16; 16],
}

const _: () = assert!(size_of::<Long>() == LINE && size_of::<Short>() == LINE);

impl Short {
    const LANES: usize = 15;
}

impl Line for Long {
    const EMPTY: Self = Self { slots: [NONE; 10], tags: [0; 10], spilled: 0 };
    const FULL: usize = 8;

    #[inline(always)]
    fn likely(&self, tag: u16) -> u32 {
        let lanes = self.slots.iter().zip(&self.tags);
        lanes.fold(0, |chosen, (slot, known)| chosen | select_unpredictable(*known == tag, *slot, 0))
    }

    #[inline]
    fn lanes(&self, tag: u16) -> u16 {
        lanes(&self.tags, tag)
    }

    #[inline]
    fn slot(&self, lane: usize) -> u32 {
        self.slots[lane]
    }

    #[inline]
    fn set(&mut self, lane: usize, tag: u16, slot: u32) {
        (self.tags[lane], self.slots[lane]) = (tag, slot);
    }

    #[inline]
    fn lane_of(&self, slot: u32) -> Option<usize> {
        self.slots.iter().position(|known| *known == slot)
    }

    fn slots(&self) -> impl Iterator<Item = u32> {
        self.slots.into_iter()
    }

    #[inline]
    fn spilled(&self) -> u32 {
        self.spilled
    }

    fn set_spilled(&mut self, count: u32) {
        self.spilled = count;
    }
}

impl Line for Short {
    const EMPTY: Self = {
        let mut slots = [u16::NO_SLOT; 16];
        slots[Self::LANES] = 0;
        Self { slots, tags: [0; 16] }
    };
    const FULL: usize = 12;

    #[inline(always)]
    fn likely(&self, tag: u16) -> u32 {
        let lanes = self.slots.iter().zip(&self.tags);
        lanes.fold(0, |chosen, (slot, known)| chosen | select_unpredictable(*known == tag, *slot, 0)).into()
    }

    #[inline]
    fn lanes(&self, tag: u16) -> u16 {
        lanes(&self.tags, tag) & ((1 << Self::LANES) - 1)
    }

    #[inline]
    fn slot(&self, lane: usize) -> u32 {
        if self.slots[lane] == Slot::NO_SLOT { NONE } else { self.slots[lane].into() }
    }

    #[inline]
    fn set(&mut self, lane: usize, tag: u16, slot: u32) {
        debug_assert!(short(slot).is_some(), "the index gets long lines first");
        (self.tags[lane], self.slots[lane]) = (tag, short(slot).unwrap_or(Slot::NO_SLOT));
    }

    #[inline]
    fn lane_of(&self, slot: u32) -> Option<usize> {
        let slot = short(slot)?;
        self.slots[..Self::LANES].iter().position(|known| *known == slot)
    }

    fn slots(&self) -> impl Iterator<Item = u32> {
        self.slots
            .into_iter()
            .take(Self::LANES)
            .map(|slot| if slot == Slot::NO_SLOT { NONE } else { slot.into() })
    }

    #[inline]
    fn spilled(&self) -> u32 {
        self.slots[Self::LANES].into()
    }

    fn set_spilled(&mut self, count: u32) {
        debug_assert!(count <= u16::MAX.into(), "there are no more slots");
        self.slots[Self::LANES] = u16::try_from(count).unwrap_or(u16::MAX);
    }
}

#[inline(always)]
fn lanes(tags: &[u16], tag: u16) -> u16 {
    let lanes = tags.iter().enumerate().map(|(lane, known)| u16::from(*known == tag) << lane);
    lanes.fold(0, |lanes, lane| lanes | lane)
}
