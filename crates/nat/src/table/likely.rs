//! Searches in three steps, so that those of many packets overlap: a first step says where to look and fetches that
//! line, a second finds the slot there and fetches its record, and a third, the caller's, looks whether it is right.

use natbed_packet::Protocol;

use super::ports::Ports;
use super::{Record, Table};
use crate::address::Address;
use crate::expiry::NONE;
use crate::prefetch::prefetch;

impl<A: Address> Table<A> {
    /// Whether there is an index.
    pub(crate) const fn is_indexed(&self) -> bool {
        self.large.is_some()
    }

    /// All records, by slot.
    #[inline]
    pub(crate) fn records(&self) -> &[Record<A>] {
        &self.slab.records
    }

    /// The same, to be changed.
    #[inline]
    pub(crate) fn records_mut(&mut self) -> &mut [Record<A>] {
        &mut self.slab.records
    }

    /// Where [`Table::find_likely_outbound`] is to look for the mapping that [`Table::find_outbound`] finds, which is fetched.
    #[inline]
    pub(crate) fn aim_outbound(&self, protocol: Protocol, internal: A::Tagged, remote: A::Tagged) -> u64 {
        let hash = self.key.hash(protocol, internal, remote);
        if let Some(large) = &self.large {
            large.outbound.prefetch(hash);
        }
        hash
    }

    /// The slots that most likely hold them; `NONE` where [`Table::find_outbound`] must be asked.
    #[inline(never)]
    pub(crate) fn find_likely_outbound(&self, aims: &[u64], slots: &mut [u32]) {
        let Some(large) = &self.large else { return slots.fill(NONE) };
        large.outbound.likely(aims, slots, |slot| self.prefetch(slot));
    }

    /// The ports, where each has one entry at most and they are indexed.
    #[inline]
    pub(crate) fn ports(&self, protocol: Protocol) -> Option<&Ports> {
        self.large.as_ref()?.ports(protocol)
    }

    /// Whether all records are close to the processor, so that it hides by itself how long they take to come.
    pub(crate) const fn is_near(&self) -> bool {
        self.slab.records.len() * size_of::<Record<A>>() <= 1 << 19
    }

    /// Fetches a record.
    #[inline]
    pub(crate) fn prefetch(&self, slot: u32) {
        prefetch(&self.slab.records, slot as usize);
    }
}
