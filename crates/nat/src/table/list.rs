//! Lists of slots, one for each port of a page.

use crate::prefetch::prefetch;
use crate::slots::Slots;

/// Ports of a page.
const PORTS: usize = 256;

#[derive(Clone, Debug)]
pub(super) struct Lists {
    /// List after list, the first of which is nobody's.
    slots: Slots,
    /// Lists that are not in use.
    free: Vec<u32>,
}

impl Lists {
    pub(super) const fn new() -> Self {
        Self { slots: Slots::new(), free: Vec::new() }
    }

    #[inline]
    pub(super) fn prefetch(&self, list: u32, port: u16) {
        match &self.slots {
            Slots::Short(slots) => prefetch(slots, place(list, port)),
            Slots::Long(slots) => prefetch(slots, place(list, port)),
        }
    }

    /// The slot of `port` in a list, or `NONE`.
    #[inline]
    pub(super) fn slot(&self, list: u32, port: u16) -> u32 {
        self.slots.get(place(list, port))
    }

    /// All lists, one after the other.
    #[inline]
    pub(super) const fn all(&self) -> &Slots {
        &self.slots
    }

    /// Puts a slot, or `NONE`, in a list.
    pub(super) fn set(&mut self, list: u32, port: u16, slot: u32) {
        self.slots.set(place(list, port), slot);
    }

    /// Where a list without slots begins.
    pub(super) fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            let list = self.slots.len().max(PORTS);
            self.slots.grow(list + PORTS);
            u32::try_from(list).expect("65,535 addresses have fewer ports than 2^32")
        })
    }

    /// Makes nobody's list. Pages with neither a list nor a run refer to it, so that [`Nearby`] may read one for any page.
    ///
    /// [`Nearby`]: super::Nearby
    pub(super) fn begin(&mut self) {
        self.slots.grow(self.slots.len().max(PORTS));
    }

    /// Gives back a list, which has no slots by now.
    pub(super) fn free(&mut self, list: u32) {
        self.free.push(list);
    }

    /// Octets on the heap.
    pub(super) const fn allocated(&self) -> usize {
        self.slots.allocated() + self.free.capacity() * size_of::<u32>()
    }
}

/// Where the slot of `port` is.
#[inline]
const fn place(list: u32, port: u16) -> usize {
    list as usize + port as usize % PORTS
}
