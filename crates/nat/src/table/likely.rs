//! Searches in three steps, so that those of many packets overlap: a first step says where to look and may fetch that
//! line, a second finds the slot there and may fetch its record, and a third, the caller's, looks whether it is right.

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

    /// Where [`Table::find_likely_outbound`] is to look for the mapping that [`Table::find_outbound`] finds.
    #[inline]
    pub(crate) fn aim_outbound(&self, protocol: Protocol, internal: A::Tagged, remote: A::Tagged) -> u64 {
        self.key.hash(protocol, internal, remote)
    }

    /// Fetches what [`Table::find_likely_outbound`] reads there.
    #[inline]
    pub(crate) fn fetch_aim(&self, aim: u64) {
        if let Some(large) = &self.large {
            large.outbound.prefetch(aim);
        }
    }

    /// The slots that most likely hold the mappings, each of which `found` is told; any number where it is another one, or
    /// there is no mapping.
    #[inline]
    pub(crate) fn find_likely_outbound(&self, aims: &[u64], slots: &mut [u32], found: impl Fn(u32)) {
        let Some(large) = &self.large else { return slots.fill(NONE) };
        large.outbound.likely(aims, slots, found);
    }

    /// The ports, where each has one entry at most and they are indexed.
    #[inline]
    pub(crate) fn ports(&self, protocol: Protocol) -> Option<&Ports> {
        self.large.as_ref()?.ports(protocol)
    }

    /// Whether the records and the index of mappings are too large to be near the processor.
    pub(crate) fn is_far_outbound(&self) -> bool {
        self.are_far(self.large.as_ref().map_or(0, |large| large.outbound.allocated()))
    }

    /// Whether the records and what leads to those of `ports` are.
    pub(crate) const fn is_far_inbound(&self, ports: &Ports) -> bool {
        self.are_far(ports.octets())
    }

    /// Whether what leads to the records of `ports` alone is.
    pub(crate) const fn are_far_ports(&self, ports: &Ports) -> bool {
        ports.octets() > self.limits().near
    }

    const fn are_far(&self, octets: usize) -> bool {
        self.slab.records.len() * size_of::<Record<A>>() + octets > self.limits().near
    }

    /// Fetches a record.
    #[inline]
    pub(crate) fn prefetch(&self, slot: u32) {
        prefetch(&self.slab.records, slot as usize);
    }
}
