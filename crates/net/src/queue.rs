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
    /// The list of each slot that has events. The others have none, as most never do.
    slots: [u16; LEVELS * SLOTS],
    lists: Vec<List<T>>,
    /// Lists without events and slot, the one that was in use last on top: the next slot takes it while it is in the
    /// cache.
    spare: Vec<u16>,
    /// The time of the event that was added last and its list, which has not been empty since: more events often come for
    /// that time.
    recent: Option<(u64, u16)>,
    len: usize,
}

/// The events of a slot.
struct List<T> {
    /// The earliest time here; the end of time where there is none.
    first: u64,
    /// The latest time here; the beginning of time where there is none.
    last: u64,
    events: VecDeque<(u64, T)>,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self {
            now: 0,
            levels: 0,
            occupied: [0; LEVELS],
            slots: [0; LEVELS * SLOTS],
            lists: Vec::new(),
            spare: Vec::new(),
            recent: None,
            len: 0,
        }
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
            Some((recent, list)) if recent == time => self.list_mut(list).events.push_back((time, item)),
            _ => self.recent = Some((time, self.place(time, item))),
        }
    }

    /// When the next event is.
    pub(crate) fn next_time(&self) -> Option<Timestamp> {
        let list = self.slots[self.first_slot()?];
        Some(Timestamp::from_nanos(self.lists[usize::from(list)].first))
    }

    /// The first slot that has events, on the lowest level that has any.
    #[inline]
    fn first_slot(&self) -> Option<usize> {
        let level = self.levels.trailing_zeros() as usize;
        let slot = self.occupied.get(level)?.trailing_zeros() as usize;
        Some(level * SLOTS + slot)
    }

    #[inline]
    fn list_mut(&mut self, list: u16) -> &mut List<T> {
        &mut self.lists[usize::from(list)]
    }

    /// Takes the next event unless it is later than `deadline`.
    #[inline]
    pub(crate) fn pop_until(&mut self, deadline: Timestamp) -> Option<(Timestamp, T)> {
        let deadline = deadline.as_nanos();
        loop {
            let slot = self.first_slot()?;
            let index = self.slots[slot];
            let list = &mut self.lists[usize::from(index)];
            let time = list.first;
            if time > deadline {
                return None;
            }
            self.now = time;
            if slot >= SLOTS && list.events.len() > 1 {
                self.lower(slot);
                continue;
            }
            let (_, item) = list.events.pop_front()?;
            if list.events.is_empty() {
                list.events.clear();
                self.vacate(slot);
                self.free(index);
            }
            self.len -= 1;
            return Some((Timestamp::from_nanos(time), item));
        }
    }

    /// Notes that a slot has no events any more.
    fn vacate(&mut self, slot: usize) {
        let level = slot / SLOTS;
        self.occupied[level] &= !(1 << (slot % SLOTS));
        if self.occupied[level] == 0 {
            self.levels &= !(1 << level);
        }
    }

    /// Keeps a list without events for another slot.
    fn free(&mut self, list: u16) {
        self.recent = self.recent.filter(|(_, recent)| *recent != list);
        (self.list_mut(list).first, self.list_mut(list).last) = EMPTY;
        self.spare.push(list);
    }

    /// Moves the events of a slot to lower levels, `now` being the earliest of their times.
    #[inline(never)]
    fn lower(&mut self, slot: usize) {
        let index = self.slots[slot];
        let list = self.list_mut(index);
        let first = list.first;
        let together = first == list.last;
        self.vacate(slot);
        if together {
            let lowest = digit(first, 0);
            self.levels |= 1;
            self.occupied[0] |= 1 << lowest;
            self.slots[lowest] = index;
            return;
        }
        let mut events = std::mem::take(&mut self.list_mut(index).events);
        for (time, item) in events.drain(..) {
            self.place(time, item);
        }
        self.list_mut(index).events = events;
        self.free(index);
    }

    /// Puts an event where it belongs, and returns its list.
    fn place(&mut self, time: u64, item: T) -> u16 {
        let level = ((time ^ self.now) | 1).ilog2() / DIGIT_BITS;
        let digit = digit(time, level);
        let level = level as usize;
        let slot = level * SLOTS + digit;
        if self.occupied[level] & (1 << digit) == 0 {
            self.levels |= 1 << level;
            self.occupied[level] |= 1 << digit;
            self.slots[slot] = self.spare.pop().unwrap_or_else(|| self.add_list());
        }
        let index = self.slots[slot];
        let list = self.list_mut(index);
        list.first = list.first.min(time);
        list.last = list.last.max(time);
        list.events.push_back((time, item));
        index
    }

    fn add_list(&mut self) -> u16 {
        let (first, last) = EMPTY;
        self.lists.push(List { first, last, events: VecDeque::new() });
        u16::try_from(self.lists.len() - 1).expect("a list for each slot at the most, and one that is spread")
    }
}

/// The earliest and the latest time of a list without events.
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
