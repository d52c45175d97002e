//! Ports whose slots are found without a search, many in one loop.

use super::Record;
use super::slab::RUN;
use crate::address::Address;
use crate::slots::{Slot, Slots};

/// Where the slots of a page are: 0 for the index, where its list begins, or [`Page::RUN`] and the run's first slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page(pub(super) u32);

impl Page {
    pub(super) const FEW: Self = Self(0);
    pub(super) const RUN: u32 = 1 << 31;

    /// The slot of `port`, where the page has a run.
    #[inline]
    pub(super) fn in_run(self, port: u16) -> Option<u32> {
        (self.0 & Self::RUN != 0).then_some((self.0 & !Self::RUN) + u32::from(port) % RUN)
    }
}

/// What finds those ports that take no search.
#[derive(Clone, Copy)]
pub(crate) struct Nearby<'a> {
    pub(super) pages: &'a [Page],
    pub(super) lists: &'a Slots,
    /// Whether there are ports that take one.
    pub(super) has_others: bool,
}

impl Nearby<'_> {
    /// Finds the slots of endpoints that are so far from port 0 of the pool's first address, as IPv4's [`Tagged`] words are
    /// subtracted, up to the first that is out of the pool: of a free port the slot that it would have, where its page has
    /// a run; [`Nearby::is_no_slot`] of a port that takes a search or has none. Returns how many.
    ///
    /// [`Tagged`]: crate::address::Tagged
    #[inline(always)]
    pub(crate) fn find_while(
        self,
        distances: impl Iterator<Item = u64>,
        slots: &mut [u32],
        found: impl FnMut(u32),
    ) -> usize {
        match self.lists {
            Slots::Short(lists) => find_in(self.pages, lists, distances, slots, found),
            Slots::Long(lists) => find_in(self.pages, lists, distances, slots, found),
        }
    }

    /// What stands for no slot.
    const fn no_slot(self) -> u32 {
        match self.lists {
            Slots::Short(_) => <u16 as Slot>::NO_SLOT as u32,
            Slots::Long(_) => <u32 as Slot>::NO_SLOT,
        }
    }

    /// Whether it may find a port.
    pub(crate) const fn knows_any(self) -> bool {
        self.lists.len() > 0
    }

    #[inline]
    pub(crate) const fn is_no_slot(self, slot: u32) -> bool {
        slot == self.no_slot()
    }

    /// Whether no port of these addresses takes a search, and no slot is that of a record.
    pub(crate) fn knows_all<A: Address>(self, records: &[Record<A>]) -> bool {
        !self.has_others && records.len() <= self.no_slot() as usize
    }
}

#[inline(always)]
fn find_in<T: Slot>(
    pages: &[Page],
    lists: &[T],
    distances: impl Iterator<Item = u64>,
    slots: &mut [u32],
    mut found: impl FnMut(u32),
) -> usize {
    let slot = |distance: u64| {
        let [_, _, port, ..] = distance.to_le_bytes();
        let page = pages.get(usize::try_from(distance >> 24).ok()?)?;
        match page.in_run(port.into()) {
            Some(slot) => Some(slot),
            None => lists.get(page.0 as usize + usize::from(port)).map(|slot| (*slot).into()),
        }
    };
    let mut done = 0;
    for (distance, place) in distances.zip(slots) {
        let Some(slot) = slot(distance) else { return done };
        *place = slot;
        found(slot);
        done += 1;
    }
    done
}
