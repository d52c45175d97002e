//! What changes a whole table: giving the records other slots, and another pool of external addresses.

use super::slab::Slab;
use super::{Shape, Table};
use crate::address::Address;
use crate::expiry::NONE;

impl<A: Address> Table<A> {
    /// Gives the records other slots, in the order of their ports where these are dense, and returns the new slot of
    /// each old one. Nothing may be due at `now`. Records that are found by arithmetic save an index and a line of
    /// memory each, which is worth copying all when as many as half of them come to that.
    pub(crate) fn lay_out(&mut self, now: u64) -> Vec<u32> {
        let limits = self.limits();
        let Some(large) = self.large.take() else { return Vec::new() };
        let old = std::mem::replace(&mut self.slab, Slab::new());
        let mut inbound = large.inbound.map(|inbound| inbound.laid_out(&self.shape, limits, &mut self.slab));
        let mut slots = vec![NONE; old.records.len()];
        for ((record, created), moved) in old.records.iter().zip(&old.created).zip(&mut slots) {
            if record.is_live() {
                let slot = inbound[record.protocol() as usize].take_slot(record, &mut self.slab);
                self.slab.records[slot as usize] = *record;
                self.slab.created[slot as usize] = *created;
                *moved = slot;
            }
        }
        drop(old);
        self.index(now, inbound, Some(self.generation));
        slots
    }

    /// The entries whose external address has no place in a new pool, which `place` gives. They must be removed, and
    /// [`Table::repool`] called, before anything else is done.
    pub(crate) fn without_place(&self, place: impl Fn(u16) -> Option<u16>) -> Vec<u32> {
        self.slots().filter(|slot| place(self.record(*slot).pool).is_none()).collect()
    }

    /// Follows the external addresses into a new pool, where `place` says where each is now; `is_elsewhere`, which remotes
    /// are. The entries of addresses that are not in it must have been removed.
    pub(crate) fn repool(
        &mut self,
        now: u64,
        shape: Shape,
        place: impl Fn(u16) -> Option<u16>,
        is_elsewhere: impl Fn(A) -> bool,
    ) {
        self.shape = shape;
        for record in self.slab.records.iter_mut().filter(|record| record.is_live()) {
            record.pool = place(record.pool).unwrap_or(record.pool);
            record.set_elsewhere(is_elsewhere(record.remote().ip));
        }
        if let Some(large) = self.large.take() {
            let inbound = large.inbound.map(|inbound| inbound.repooled(&shape, self.limits(), &place));
            self.index(now, inbound, large.laid_out);
        }
    }
}
