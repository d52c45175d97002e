//! What nearly all packets of a batch have in common: that they only refresh a mapping.

use std::ops::RangeInclusive;

use natbed_packet::Protocol;

use super::{Flow, Verdict};
use crate::address::{Socket, Tagged};
use crate::behavior::{Behavior, Filtering, Kind, Refresh, ReplyMapping};
use crate::pool::Pool;
use crate::table::{Key, Record};
use crate::translator::Translator;

/// How to tell such packets, and what becomes of them.
pub(super) struct Usual {
    /// Compares remotes as closely as the mapping and the filter do.
    key: Key<u32>,
    /// Whether a remote's port may be any, even 0.
    any_port: bool,
    /// The deadlines that a refresh gives: to a mapping that has let nothing in, and to another.
    deadlines: Option<[u64; 2]>,
    /// First octets of addresses that are surely neither martian nor, as far as that matters, the NAT's.
    elsewhere: [bool; 256],
}

impl Usual {
    /// Packets from inside; `None` if a mapping alone does not tell what becomes of them.
    pub(super) fn outbound(nat: &Translator<u32>) -> Option<Self> {
        let Behavior { filtering, refresh, reply_mapping, .. } = *nat.behavior;
        let noted = nat.filter_lifetime().is_none() || filtering == Filtering::EndpointIndependent;
        (noted && reply_mapping == ReplyMapping::Outbound).then(|| Self {
            key: nat.table.key().finer(filtering),
            any_port: !nat.table.key().finer(filtering).covers_ports(),
            deadlines: (refresh != Refresh::Inbound).then(|| nat.deadlines(Protocol::Udp)),
            elsewhere: elsewhere(nat.pool.span().into_iter()),
        })
    }

    /// Packets from outside.
    pub(super) fn inbound(nat: &Translator<u32>) -> Option<Self> {
        let Behavior { kind, filtering, refresh, reply_mapping, .. } = *nat.behavior;
        let noted = nat.filter_lifetime().is_none() || filtering == Filtering::EndpointIndependent;
        let plain = nat.pool.span().is_some_and(|span| octets(&span).all(|octet| PLAIN[octet]));
        (noted && plain && kind == Kind::Nat && reply_mapping == ReplyMapping::Outbound).then(|| Self {
            key: Key::any().finer(filtering),
            any_port: filtering != Filtering::AddressAndPortDependent,
            deadlines: (refresh != Refresh::Outbound).then(|| nat.deadlines(Protocol::Udp)),
            elsewhere: elsewhere(nat.inside().chain(nat.pool.span())),
        })
    }

    /// Sends flows up to the first that does more than refresh its mapping, and returns how many.
    #[inline(never)]
    pub(super) fn send_all(
        &self,
        records: &mut [Record<u32>],
        pool: &Pool<u32>,
        slots: &[u32],
        flows: &[Flow],
        verdicts: &mut [Verdict],
    ) -> usize {
        if self.any_port {
            decide_while(slots, flows, verdicts, |slot, flow| self.send(slot, records, pool, flow))
        } else {
            decide_while(slots, flows, verdicts, |slot, flow| self.send_to_known(slot, records, pool, flow))
        }
    }

    /// Lets flows in up to the first that does more than refresh its mapping, and returns how many.
    #[inline(never)]
    pub(super) fn receive_all(
        &self,
        records: &mut [Record<u32>],
        slots: &[u32],
        flows: &[Flow],
        verdicts: &mut [Verdict],
    ) -> usize {
        decide_while(slots, flows, verdicts, |slot, flow| self.receive(slot, records, flow))
    }

    /// Sends a flow that only refreshes its mapping.
    #[inline(always)]
    pub(super) fn send(
        &self,
        slot: u32,
        records: &mut [Record<u32>],
        pool: &Pool<u32>,
        flow: &Flow,
    ) -> Option<Verdict> {
        if self.any_port && !flow.destination.has_port() {
            return None;
        }
        self.send_to_known(slot, records, pool, flow)
    }

    /// The same where the mapping and the filter know all of a remote.
    #[inline(always)]
    fn send_to_known(
        &self,
        slot: u32,
        records: &mut [Record<u32>],
        pool: &Pool<u32>,
        flow: &Flow,
    ) -> Option<Verdict> {
        let record = records.get_mut(slot as usize)?;
        if !record.leads(&self.key, Protocol::Udp, flow.source, flow.destination)
            || !self.is_elsewhere(flow.destination)
        {
            return None;
        }
        if let Some(deadlines) = self.deadlines {
            record.refresh(deadlines[usize::from(record.has_replied())]);
        }
        let ip = pool.get(record.pool).unwrap_or(record.internal().ip);
        let source = Tagged::new(Socket::new(ip, record.external_port()), 0);
        Some(Verdict::Outside(Flow { source, ..*flow }))
    }

    /// Lets in a flow that only refreshes its mapping.
    #[inline(always)]
    pub(super) fn receive(&self, slot: u32, records: &mut [Record<u32>], flow: &Flow) -> Option<Verdict> {
        let record = records.get_mut(slot as usize)?;
        if !record.answers(&self.key, flow.source) || self.any_port && !flow.source.has_port() {
            return None;
        }
        if let Some([_, deadline]) = self.deadlines {
            record.refresh(deadline);
        }
        Some(Verdict::Inside(Flow { destination: record.inside(), ..*flow }))
    }

    /// Whether an end's address is surely neither martian nor one of the NAT's.
    #[inline]
    pub(super) const fn is_elsewhere(&self, end: u64) -> bool {
        self.elsewhere[(end >> 56) as usize]
    }
}

/// Decides flows while `decide` can, and returns how many.
#[inline(always)]
fn decide_while(
    slots: &[u32],
    flows: &[Flow],
    verdicts: &mut [Verdict],
    mut decide: impl FnMut(u32, &Flow) -> Option<Verdict>,
) -> usize {
    for (done, ((slot, flow), verdict)) in slots.iter().zip(flows).zip(verdicts).enumerate() {
        match decide(*slot, flow) {
            Some(decided) => *verdict = decided,
            None => return done,
        }
    }
    flows.len()
}

/// The first octets that neither martian addresses nor those in `ranges` have.
fn elsewhere(ranges: impl Iterator<Item = RangeInclusive<u32>>) -> [bool; 256] {
    let mut elsewhere = PLAIN;
    for range in ranges {
        elsewhere[octets(&range)].fill(false);
    }
    elsewhere
}

/// The first octets in a range.
const fn octets(range: &RangeInclusive<u32>) -> RangeInclusive<usize> {
    (*range.start() >> 24) as usize..=(*range.end() >> 24) as usize
}

/// The first octets that no martian address has.
const PLAIN: [bool; 256] = {
    let mut plain = [true; 256];
    let mut octet = 224;
    while octet < 256 {
        plain[octet] = false;
        octet += 1;
    }
    (plain[0], plain[127], plain[169]) = (false, false, false);
    plain
};
