//! When to look at which mapping: a timing wheel, exact at its hand.
//!
//! A mapping stands in the wheel once, at a time no later than its deadline. When that time comes, the caller looks
//! at the mapping: a refreshed one goes back in. So a refresh writes nothing here.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::slots::Slots;

/// No entry.
pub(crate) const NONE: u32 = u32::MAX;

/// Spokes of the wheel; the occupied ones are bits of one word.
const SPOKES: usize = 64;

/// A wheel of table slots. Slots of one spoke are linked through `chain`, which the table keeps beside its records.
#[derive(Clone, Debug)]
pub(crate) struct Wheel {
    heads: [u32; SPOKES],
    occupied: u64,
    /// A tick is 2^shift nanoseconds.
    shift: u32,
    /// The tick at the hand.
    tick: u64,
    /// The entries of the ticks up to the hand, by exact time.
    due: BinaryHeap<Reverse<(u64, u32)>>,
}

impl Wheel {
    /// A wheel that reaches `horizon` nanoseconds ahead.
    pub(crate) const fn new(horizon: u64) -> Self {
        let shift = u64::BITS - (horizon / (SPOKES as u64 - 2)).leading_zeros();
        Self { heads: [NONE; SPOKES], occupied: 0, shift, tick: 0, due: BinaryHeap::new() }
    }

    /// Puts in `slot` at `time`, which is at most the horizon after `now`. If [`Wheel::next_due`] is not after `now`,
    /// everything due must have been taken out.
    pub(crate) fn insert(&mut self, now: u64, time: u64, slot: u32, chain: &mut Slots) {
        self.tick = now >> self.shift;
        let tick = time >> self.shift;
        if tick <= self.tick {
            self.due.push(Reverse((time, slot)));
            return;
        }
        debug_assert!(tick - self.tick < SPOKES as u64, "beyond the horizon");
        let spoke = spoke(tick);
        chain.set(slot as usize, std::mem::replace(&mut self.heads[spoke as usize], slot));
        self.occupied |= 1 << spoke;
    }

    /// Octets on the heap.
    pub(crate) fn allocated(&self) -> usize {
        self.due.capacity() * size_of::<Reverse<(u64, u32)>>()
    }

    /// A time before which nothing is due; `u64::MAX` if the wheel is empty.
    pub(crate) fn next_due(&self) -> u64 {
        let due = self.due.peek().map_or(u64::MAX, |Reverse((time, _))| *time);
        due.min(self.next_tick().map_or(u64::MAX, |tick| tick << self.shift))
    }

    /// Takes out one slot whose time has come, the earliest first, with that time; `time_of` gives the time at which
    /// to look at a slot by now.
    pub(crate) fn pop(
        &mut self,
        now: u64,
        chain: &mut Slots,
        time_of: impl Fn(u32) -> u64,
    ) -> Option<(u64, u32)> {
        if self.next_tick().is_some_and(|tick| tick <= now >> self.shift) {
            self.turn(now, chain, time_of);
        }
        let Reverse((time, _)) = self.due.peek()?;
        if *time > now {
            return None;
        }
        self.due.pop().map(|Reverse(entry)| entry)
    }

    /// Turns the hand to `now` and sorts what it passed: back into the wheel, or due in this tick.
    fn turn(&mut self, now: u64, chain: &mut Slots, time_of: impl Fn(u32) -> u64) {
        let mut passed = [NONE; SPOKES];
        while let Some(tick) = self.next_tick().filter(|tick| *tick <= now >> self.shift) {
            let spoke = spoke(tick);
            passed[spoke as usize] = std::mem::replace(&mut self.heads[spoke as usize], NONE);
            self.occupied &= !(1 << spoke);
        }
        for head in passed {
            let mut slot = head;
            while slot != NONE {
                let next = chain.get(slot as usize);
                self.insert(now, time_of(slot), slot, chain);
                slot = next;
            }
        }
    }

    /// The first tick after the hand whose spoke is occupied.
    fn next_tick(&self) -> Option<u64> {
        if self.occupied == 0 {
            return None;
        }
        let from = self.tick + 1;
        let ahead = self.occupied.rotate_right(spoke(from)).trailing_zeros();
        Some(from + u64::from(ahead))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the remainder is below 64")]
const fn spoke(tick: u64) -> u32 {
    (tick % SPOKES as u64) as u32
}
