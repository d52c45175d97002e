//! The event queue: a hierarchical timing wheel over exact nanoseconds, totally ordered by time, then by insertion.

use std::collections::VecDeque;

use natbed_packet::Timestamp;

const DIGIT_BITS: u32 = 6;
const SLOTS: usize = 1 << DIGIT_BITS;
const LEVELS: usize = 64_usize.div_ceil(DIGIT_BITS as usize);

/// Events by time. An event stands at the level of the highest base-64 digit in which its time differs from
/// `now`, in the slot of that digit. Levels below the first occupied one are empty whenever a slot is spread over
/// them, and spreading keeps the order, so events of equal time leave in the order they came. A lone event is taken
/// from where it stands, and events that all have one time go down together.
pub(crate) struct Queue<T> {
    now: u64,
    /// The levels that have events, a bit for each.
    levels: u16,
    /// The slots of each level that have events, a bit for each.
    occupied: [u64; LEVELS],
    slots: Vec<Slot<T>>,
    /// Memory of slots that are empty now, the one that was in use last on top: the next slot takes it while it is in
    /// the cache.
    spare: Vec<VecDeque<(u64, T)>>,
    /// The time of the event that was added last and the place of its slot, which has not been empty since: more events
    /// often come for that time.
    recent: Option<(u64, usize)>,
    len: usize,
}

struct Slot<T> {
    /// The earliest time here; the end of time where there is none.
    first: u64,
    /// The latest time here; the beginning of time where there is none.
    last: u64,
    events: VecDeque<(u64, T)>,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        let slots = (0..LEVELS * SLOTS).map(|_| Slot::new()).collect();
        Self { now: 0, levels: 0, occupied: [0; LEVELS], slots, spare: Vec::new(), recent: None, len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds an event at `time`; the past counts as now.
    #[inline]
    pub(crate) fn push(&mut self, time: Timestamp, item: T) {
        self.len += 1;
        let time = time.as_nanos().max(self.now);
        match self.recent {
            Some((recent, index)) if recent == time => self.slots[index].events.push_back((time, item)),
            _ => {
                let index = self.place(time, item);
                self.recent = Some((time, index));
            }
        }
    }

    /// When the next event is.
    pub(crate) fn next_time(&self) -> Option<Timestamp> {
        let (level, slot) = self.first_slot()?;
        Some(Timestamp::from_nanos(self.slots[level * SLOTS + slot].first))
    }

    /// The first slot that has events, on the lowest level that has any.
    #[inline]
    fn first_slot(&self) -> Option<(usize, usize)> {
        let level = self.levels.trailing_zeros() as usize;
        let slot = self.occupied.get(level)?.trailing_zeros() as usize;
        Some((level, slot))
    }

    /// Takes the next event unless it is later than `deadline`.
    #[inline]
    pub(crate) fn pop_until(&mut self, deadline: Timestamp) -> Option<(Timestamp, T)> {
        let deadline = deadline.as_nanos();
        loop {
            let (level, slot) = self.first_slot()?;
            let place = &mut self.slots[level * SLOTS + slot];
            let time = place.first;
            if time > deadline {
                return None;
            }
            self.now = time;
            if level > 0 && place.events.len() > 1 {
                self.lower(level, slot);
                continue;
            }
            let (_, item) = place.events.pop_front()?;
            if place.events.is_empty() {
                let mut events = std::mem::take(&mut place.events);
                events.clear();
                self.vacate(level, slot, events);
            }
            self.len -= 1;
            return Some((Timestamp::from_nanos(time), item));
        }
    }

    /// Notes that a slot has no events any more, and keeps their memory.
    fn vacate(&mut self, level: usize, slot: usize, memory: VecDeque<(u64, T)>) {
        let index = level * SLOTS + slot;
        (self.slots[index].first, self.slots[index].last) = EMPTY;
        self.recent = self.recent.filter(|(_, recent)| *recent != index);
        self.occupied[level] &= !(1 << slot);
        if self.occupied[level] == 0 {
            self.levels &= !(1 << level);
        }
        if memory.capacity() > 0 {
            self.spare.push(memory);
        }
    }

    /// Moves the events of a slot to lower levels, `now` being the earliest of their times.
    #[inline(never)]
    fn lower(&mut self, level: usize, slot: usize) {
        let place = &mut self.slots[level * SLOTS + slot];
        let Slot { first, last, .. } = *place;
        let mut events = std::mem::take(&mut place.events);
        if first == last {
            let lowest = digit(first, 0);
            self.levels |= 1;
            self.occupied[0] |= 1 << lowest;
            let memory = std::mem::replace(&mut self.slots[lowest], Slot { first, last, events }).events;
            self.vacate(level, slot, memory);
            return;
        }
        for (time, item) in events.drain(..) {
            self.place(time, item);
        }
        self.vacate(level, slot, events);
    }

    /// Puts an event where it belongs, and returns the place of the slot.
    fn place(&mut self, time: u64, item: T) -> usize {
        let level = ((time ^ self.now) | 1).ilog2() / DIGIT_BITS;
        let slot = digit(time, level);
        self.levels |= 1 << level;
        let level = level as usize;
        self.occupied[level] |= 1 << slot;
        let index = level * SLOTS + slot;
        let slot = &mut self.slots[index];
        slot.first = slot.first.min(time);
        slot.last = slot.last.max(time);
        if slot.events.capacity() == 0
            && let Some(memory) = self.spare.pop()
        {
            slot.events = memory;
        }
        slot.events.push_back((time, item));
        index
    }
}

impl<T> Slot<T> {
    fn new() -> Self {
        let (first, last) = EMPTY;
        Self { first, last, events: VecDeque::new() }
    }
}

/// The earliest and the latest time of a slot without events.
const EMPTY: (u64, u64) = (u64::MAX, 0);

/// The base-64 digit of `time` at `level`.
#[expect(clippy::cast_possible_truncation, reason = "only the lowest six bits count")]
fn digit(time: u64, level: u32) -> usize {
    usize::from((time >> (level * DIGIT_BITS)) as u8) % SLOTS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The wheel against a sorted list, with pushes between pops, and several for one time.
        #[test]
        fn order_is_time_then_insertion(batches in prop::collection::vec(
            (prop::collection::vec((0u64..1 << 40, 0u32..40, 1usize..4), 0..20), 0usize..40), 1..20)
        ) {
            let (mut queue, mut model, mut sequence, mut now) = (Queue::new(), Vec::new(), 0u32, 0u64);
            for (pushes, pops) in batches {
                for (delay, shift, copies) in pushes {
                    for time in std::iter::repeat_n(now + (delay >> shift), copies) {
                        queue.push(Timestamp::from_nanos(time), sequence);
                        model.push((time, sequence));
                        sequence += 1;
                    }
                }
                model.sort_unstable();
                for _ in 0..pops.min(model.len()) {
                    prop_assert_eq!(queue.next_time().map(Timestamp::as_nanos), model.first().map(|event| event.0));
                    let (time, item) = queue.pop_until(Timestamp::MAX).unwrap();
                    prop_assert_eq!((time.as_nanos(), item), model.remove(0));
                    now = time.as_nanos();
                }
                prop_assert_eq!(queue.len(), model.len());
                if let Some((time, _)) = model.first() && *time > now {
                    prop_assert!(queue.pop_until(Timestamp::from_nanos(time - 1)).is_none());
                }
            }
        }
    }

    /// Bursts come down to the present together, whatever came for other times in between.
    #[test]
    fn a_burst_stays_in_order() {
        let mut queue = Queue::new();
        let at = |millis, item, queue: &mut Queue<u32>| queue.push(Timestamp::from_millis(millis), item);
        for item in 0..3 {
            at(10, item, &mut queue);
        }
        at(20, 6, &mut queue);
        at(10, 3, &mut queue);
        assert_eq!(queue.pop_until(Timestamp::MAX), Some((Timestamp::from_millis(10), 0)));
        at(10, 4, &mut queue);
        at(5, 5, &mut queue);
        at(20, 7, &mut queue);
        let rest: Vec<u32> =
            std::iter::from_fn(|| queue.pop_until(Timestamp::MAX)).map(|event| event.1).collect();
        assert_eq!(rest, [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!((queue.len(), queue.next_time()), (0, None));
    }

    #[test]
    fn the_far_end_of_time_is_kept() {
        let mut queue = Queue::new();
        queue.push(Timestamp::MAX, 'z');
        queue.push(Timestamp::ZERO, 'a');
        assert_eq!(queue.pop_until(Timestamp::MAX), Some((Timestamp::ZERO, 'a')));
        assert_eq!(queue.pop_until(Timestamp::MAX), Some((Timestamp::MAX, 'z')));
        assert_eq!(queue.pop_until(Timestamp::MAX), None);
    }
}
