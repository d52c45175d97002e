//! Lists of slots, one for each port of a page: of two octets each while the table has few enough slots.

use super::slab::reserve;
use crate::expiry::NONE;
use crate::prefetch::prefetch;

/// Ports of a page.
const PORTS: usize = 256;

/// List after list, the first of which is nobody's.
#[derive(Clone, Debug)]
pub(super) struct Lists {
    items: Items,
    /// Lists that are not in use.
    free: Vec<u32>,
}

#[derive(Clone, Debug)]
enum Items {
    Short(Vec<u16>),
    Long(Vec<u32>),
}

/// All lists, to be read.
#[derive(Clone, Copy)]
pub(super) enum AllLists<'a> {
    Short(&'a [u16]),
    Long(&'a [u32]),
}

/// A slot in a list.
pub(super) trait Item: Copy + Into<u32> {
    /// No slot. While items are short, others may have one of this number.
    const NO_SLOT: Self;
}

impl Item for u16 {
    const NO_SLOT: Self = Self::MAX;
}

impl Item for u32 {
    const NO_SLOT: Self = NONE;
}

impl Lists {
    pub(super) const fn new() -> Self {
        Self { items: Items::Short(Vec::new()), free: Vec::new() }
    }

    #[inline]
    pub(super) fn prefetch(&self, list: u32, port: u16) {
        match &self.items {
            Items::Short(items) => prefetch(items, place(list, port)),
            Items::Long(items) => prefetch(items, place(list, port)),
        }
    }

    /// The slot of `port` in a list, or `NONE`.
    #[inline]
    pub(super) fn slot(&self, list: u32, port: u16) -> u32 {
        let place = place(list, port);
        match &self.items {
            Items::Short(items) if items[place] == Item::NO_SLOT => NONE,
            Items::Short(items) => items[place].into(),
            Items::Long(items) => items[place],
        }
    }

    #[inline]
    pub(super) fn all(&self) -> AllLists<'_> {
        match &self.items {
            Items::Short(items) => AllLists::Short(items),
            Items::Long(items) => AllLists::Long(items),
        }
    }

    /// Puts a slot, or `NONE`, in a list.
    pub(super) fn set(&mut self, list: u32, port: u16, slot: u32) {
        let place = place(list, port);
        match &mut self.items {
            Items::Short(items) => match u16::try_from(slot) {
                Ok(slot) if slot != Item::NO_SLOT => items[place] = slot,
                _ if slot == NONE => items[place] = Item::NO_SLOT,
                _ => {
                    let long = |item: &u16| if *item == Item::NO_SLOT { NONE } else { u32::from(*item) };
                    self.items = Items::Long(items.iter().map(long).collect());
                    self.set(list, port, slot);
                }
            },
            Items::Long(items) => items[place] = slot,
        }
    }

    /// Where a list without slots begins.
    pub(super) fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| match &mut self.items {
            Items::Short(items) => extend(items),
            Items::Long(items) => extend(items),
        })
    }

    /// Gives back a list, which has no slots by now.
    pub(super) fn free(&mut self, list: u32) {
        self.free.push(list);
    }

    /// Octets on the heap.
    pub(super) fn allocated(&self) -> usize {
        let items = match &self.items {
            Items::Short(items) => items.capacity() * size_of::<u16>(),
            Items::Long(items) => items.capacity() * size_of::<u32>(),
        };
        items + self.free.capacity() * size_of::<u32>()
    }
}

/// Adds a list, and returns where it begins.
fn extend<T: Item>(items: &mut Vec<T>) -> u32 {
    let list = items.len().max(PORTS);
    reserve(items, list + PORTS - items.len());
    items.resize(list + PORTS, T::NO_SLOT);
    u32::try_from(list).unwrap_or(0)
}

/// Where the slot of `port` is.
#[inline]
const fn place(list: u32, port: u16) -> usize {
    list as usize + port as usize % PORTS
}
