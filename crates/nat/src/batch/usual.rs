//! What nearly all packets of a batch have in common: that they only refresh a mapping.

use std::ops::RangeInclusive;

use natbed_packet::Protocol;

use super::{Flow, Verdict};
use crate::address::{Socket, Tagged};
use crate::behavior::{Behavior, Filtering, Kind, Refresh, ReplyMapping};
use crate::pool::Pool;
use crate::table::{Key, Record, Sign};
use crate::translator::Translator;

/// How to tell such packets, and what becomes of them.
pub(super) struct Usual {
    /// Tells their mappings.
    sign: Sign<u32>,
    covers: Covers,
    /// The deadlines that a refresh gives: to a mapping that has let nothing in, and to another.
    deadlines: Option<[u64; 2]>,
}

/// How much of a packet's remote is known once its mapping bears the sign.
#[expect(clippy::large_enum_variant, reason = "there is one for each batch")]
enum Covers {
    Endpoint,
    Address,
    Nothing {
        /// The first octets of addresses that are surely neither martian nor, as far as that matters, the NAT's.
        elsewhere: [bool; 256],
    },
}

impl Usual {
    /// Packets from inside; `None` if a mapping alone does not tell what becomes of them.
    pub(super) fn outbound(nat: &Translator<u32>) -> Option<Self> {
        let Behavior { filtering, refresh, reply_mapping, .. } = *nat.behavior;
        let noted = nat.filter_lifetime().is_none() || filtering == Filtering::EndpointIndependent;
        let key = nat.table.key().finer(filtering);
        (noted && reply_mapping == ReplyMapping::Outbound).then(|| Self {
            sign: Sign::mapping_of(&key, Protocol::Udp),
            covers: Covers::new(&key, nat.pool.span().into_iter()),
            deadlines: (refresh != Refresh::Inbound).then(|| nat.deadlines(Protocol::Udp)),
        })
    }

    /// Packets from outside.
    pub(super) fn inbound(nat: &Translator<u32>) -> Option<Self> {
        let Behavior { kind, filtering, refresh, reply_mapping, .. } = *nat.behavior;
        let noted = nat.filter_lifetime().is_none() || filtering == Filtering::EndpointIndependent;
        let plain = nat.pool.span().is_some_and(|span| octets(&span).all(|octet| PLAIN[octet]));
        let key = Key::any().finer(filtering);
        (noted && plain && kind == Kind::Nat && reply_mapping == ReplyMapping::Outbound).then(|| Self {
            sign: Sign::replied_mapping(&key),
            covers: Covers::new(&key, nat.inside().chain(nat.pool.span())),
            deadlines: (refresh != Refresh::Outbound).then(|| nat.deadlines(Protocol::Udp)),
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
        let remote = |flow: &Flow| flow.destination;
        self.decide_plain(slots, flows, verdicts, remote, |slot, flow| {
            self.send_plain(slot, records, pool, flow)
        })
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
        let remote = |flow: &Flow| flow.source;
        self.decide_plain(slots, flows, verdicts, remote, |slot, flow| {
            self.receive_plain(slot, records, flow)
        })
    }

    /// Decides flows while `decide` can and their remotes are plain, in a loop that looks at no more of them than it must, and
    /// returns how many.
    #[inline(always)]
    fn decide_plain(
        &self,
        slots: &[u32],
        flows: &[Flow],
        verdicts: &mut [Verdict],
        remote: impl Fn(&Flow) -> u64,
        mut decide: impl FnMut(u32, &Flow) -> Option<Verdict>,
    ) -> usize {
        match &self.covers {
            Covers::Endpoint => decide_while(slots, flows, verdicts, decide),
            Covers::Address => decide_while(slots, flows, verdicts, |slot, flow| {
                if remote(flow).has_port() { decide(slot, flow) } else { None }
            }),
            Covers::Nothing { elsewhere } => decide_while(slots, flows, verdicts, |slot, flow| {
                if is_plain(elsewhere, remote(flow)) { decide(slot, flow) } else { None }
            }),
        }
    }

    /// Sends a flow that only refreshes its mapping.
    #[inline]
    pub(super) fn send(
        &self,
        slot: u32,
        records: &mut [Record<u32>],
        pool: &Pool<u32>,
        flow: &Flow,
    ) -> Option<Verdict> {
        if self.is_plain(flow.destination) { self.send_plain(slot, records, pool, flow) } else { None }
    }

    /// The same to a remote of which what the sign does not tell is plain.
    #[inline(always)]
    fn send_plain(
        &self,
        slot: u32,
        records: &mut [Record<u32>],
        pool: &Pool<u32>,
        flow: &Flow,
    ) -> Option<Verdict> {
        let record = records.get_mut(slot as usize)?;
        if !record.is_of(flow.source) || !record.bears(&self.sign, flow.destination) {
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
    #[inline]
    pub(super) fn receive(&self, slot: u32, records: &mut [Record<u32>], flow: &Flow) -> Option<Verdict> {
        if self.is_plain(flow.source) { self.receive_plain(slot, records, flow) } else { None }
    }

    /// The same from a remote of which what the sign does not tell is plain.
    #[inline(always)]
    fn receive_plain(&self, slot: u32, records: &mut [Record<u32>], flow: &Flow) -> Option<Verdict> {
        let record = records.get_mut(slot as usize)?;
        if !record.bears(&self.sign, flow.source) {
            return None;
        }
        if let Some([_, deadline]) = self.deadlines {
            record.refresh(deadline);
        }
        Some(Verdict::Inside(Flow { destination: record.inside(), ..*flow }))
    }

    /// Whether what the sign does not tell of a remote is nothing special.
    #[inline]
    fn is_plain(&self, remote: u64) -> bool {
        match &self.covers {
            Covers::Endpoint => true,
            Covers::Address => remote.has_port(),
            Covers::Nothing { elsewhere } => is_plain(elsewhere, remote),
        }
    }
}

impl Covers {
    /// What `key` compares; `ranges` are the NAT's.
    fn new(key: &Key<u32>, ranges: impl Iterator<Item = RangeInclusive<u32>>) -> Self {
        match key {
            _ if key.covers_ports() => Self::Endpoint,
            _ if key.covers_addresses() => Self::Address,
            _ => Self::Nothing { elsewhere: elsewhere(ranges) },
        }
    }
}

/// Whether a remote has a port, and an address that is `elsewhere`.
#[inline(always)]
fn is_plain(elsewhere: &[bool; 256], remote: u64) -> bool {
    remote.has_port() && elsewhere[(remote >> 56) as usize]
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
