//! The records of a table, in slots.

use natbed_packet::Protocol;

use super::Record;
use crate::address::{Address, Socket};
use crate::expiry::NONE;
use crate::slots::{Slots, grow};

/// Slots that are given out together, one after the other in memory.
pub(super) const RUN: u32 = 256;

#[derive(Clone, Debug)]
pub(super) struct Slab<A: Address> {
    pub(super) records: Vec<Record<A>>,
    pub(super) created: Vec<u64>,
    /// Links the free slots, the free runs, and the slots on one spoke of the wheel.
    pub(super) chain: Slots,
    /// The first of the free slots.
    slots: u32,
    /// The first slot of the first free run.
    runs: u32,
}

impl<A: Address> Slab<A> {
    pub(super) const fn new() -> Self {
        Self { records: Vec::new(), created: Vec::new(), chain: Slots::new(), slots: NONE, runs: NONE }
    }

    /// How many slots there are, free or not.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.records.len()).unwrap_or(NONE)
    }

    /// Takes a slot. Where none is free but a run is, that one is broken up.
    pub(super) fn take_slot(&mut self) -> u32 {
        if self.slots == NONE && self.runs != NONE {
            let run = self.take_run();
            (run..run + RUN).rev().for_each(|slot| self.free_slot(slot));
        }
        if self.slots == NONE {
            return self.extend(1);
        }
        let slot = self.slots;
        self.slots = self.chain.get(slot as usize);
        slot
    }

    /// Takes a run, and returns its first slot.
    pub(super) fn take_run(&mut self) -> u32 {
        if self.runs == NONE {
            return self.extend(RUN);
        }
        let run = self.runs;
        self.runs = self.chain.get(run as usize);
        run
    }

    pub(super) fn free_slot(&mut self, slot: u32) {
        self.chain.set(slot as usize, std::mem::replace(&mut self.slots, slot));
    }

    /// Gives back a run, none of whose slots has a live record.
    pub(super) fn free_run(&mut self, run: u32) {
        self.chain.set(run as usize, std::mem::replace(&mut self.runs, run));
    }

    /// Adds so many slots, and returns the first.
    fn extend(&mut self, count: u32) -> u32 {
        let first = self.len();
        let nobody = Socket::default();
        let mut dead = Record::new(Protocol::Udp, nobody, nobody, 0, 0);
        dead.set_dead();
        let len = (first + count) as usize;
        grow(&mut self.records, len, dead);
        grow(&mut self.created, len, 0);
        self.chain.grow(len);
        first
    }

    /// Octets on the heap.
    pub(super) fn allocated(&self) -> usize {
        self.records.capacity() * size_of::<Record<A>>()
            + self.created.capacity() * size_of::<u64>()
            + self.chain.allocated()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs and single slots come from one another's leavings before the slab grows.
    #[test]
    fn free_slots_are_used_before_new_ones() {
        let mut slab = Slab::<u32>::new();
        let (first, second) = (slab.take_run(), slab.take_run());
        assert_eq!((first, second, slab.len()), (0, RUN, 2 * RUN));
        slab.free_run(first);
        let mut singles: Vec<u32> = (0..RUN).map(|_| slab.take_slot()).collect();
        singles.sort_unstable();
        assert_eq!(singles, (0..RUN).collect::<Vec<_>>());
        slab.free_run(second);
        assert_eq!(slab.take_run(), second);
        slab.free_slot(3);
        assert_eq!(slab.take_slot(), 3);
        assert_eq!((slab.take_slot(), slab.len()), (2 * RUN, 2 * RUN + 1));
    }
}
