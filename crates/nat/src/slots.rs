//! Numbers of slots, each of two octets while all are small enough.

use crate::expiry::NONE;

/// A list of slots, some of which are `NONE`.
#[derive(Clone, Debug)]
pub(crate) enum Slots {
    Short(Vec<u16>),
    Long(Vec<u32>),
}

/// A slot in such a list.
pub(crate) trait Slot: Copy + Into<u32> {
    /// What stands for `NONE`. While items are short, others may have a slot of this number.
    const NO_SLOT: Self;
}

impl Slot for u16 {
    const NO_SLOT: Self = Self::MAX;
}

impl Slot for u32 {
    const NO_SLOT: Self = NONE;
}

impl Slots {
    pub(crate) const fn new() -> Self {
        Self::Short(Vec::new())
    }

    #[inline]
    pub(crate) fn get(&self, place: usize) -> u32 {
        match self {
            Self::Short(slots) if slots[place] == Slot::NO_SLOT => NONE,
            Self::Short(slots) => slots[place].into(),
            Self::Long(slots) => slots[place],
        }
    }

    #[inline]
    pub(crate) fn set(&mut self, place: usize, slot: u32) {
        match self {
            Self::Short(slots) => match short(slot) {
                Some(slot) => slots[place] = slot,
                None => self.lengthen()[place] = slot,
            },
            Self::Long(slots) => slots[place] = slot,
        }
    }

    /// Gives every item four octets.
    #[cold]
    fn lengthen(&mut self) -> &mut [u32] {
        *self = Self::Long((0..self.len()).map(|place| self.get(place)).collect());
        let Self::Long(slots) = self else { return &mut [] };
        slots
    }

    pub(crate) const fn len(&self) -> usize {
        match self {
            Self::Short(slots) => slots.len(),
            Self::Long(slots) => slots.len(),
        }
    }

    /// Makes it so long, with `NONE` in what is new.
    pub(crate) fn grow(&mut self, len: usize) {
        match self {
            Self::Short(slots) => grow(slots, len, Slot::NO_SLOT),
            Self::Long(slots) => grow(slots, len, Slot::NO_SLOT),
        }
    }

    /// Octets on the heap.
    pub(crate) const fn allocated(&self) -> usize {
        match self {
            Self::Short(slots) => slots.capacity() * size_of::<u16>(),
            Self::Long(slots) => slots.capacity() * size_of::<u32>(),
        }
    }
}

/// A slot, or `NONE`, in two octets, if it goes into them.
#[inline]
pub(crate) fn short(slot: u32) -> Option<u16> {
    match u16::try_from(slot) {
        Ok(slot) if slot != Slot::NO_SLOT => Some(slot),
        _ if slot == NONE => Some(Slot::NO_SLOT),
        _ => None,
    }
}

/// Makes a list so long, with `item` in what is new.
pub(crate) fn grow<T: Clone>(list: &mut Vec<T>, len: usize, item: T) {
    reserve(list, len - list.len());
    list.resize(len, item);
}

/// Makes room for `count` more, growing by a thirty-second: a table of millions should not be half empty.
pub(crate) fn reserve<T>(list: &mut Vec<T>, count: usize) {
    if list.capacity() - list.len() < count {
        list.reserve_exact((list.len() / 32).max(count).max(4));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_grow_longer_with_the_first_that_wants_it() {
        let mut slots = Slots::new();
        slots.grow(4);
        slots.set(0, 0xfffe);
        slots.set(1, NONE);
        assert!(matches!(slots, Slots::Short(_)));
        slots.set(2, 0xffff);
        assert!(matches!(slots, Slots::Long(_)));
        assert_eq!([0, 1, 2, 3].map(|place| slots.get(place)), [0xfffe, NONE, 0xffff, NONE]);
    }
}
