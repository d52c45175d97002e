//! What a lite agent does otherwise (RFC 8445 sections 5.2, 6.1.1, 7.3.2 and 8.2).

use std::net::IpAddr;

use natbed_packet::{Endpoint, Timestamp};

use crate::ice::candidate::CandidateType;
use crate::ice::config::Role;
use crate::ice::event::{Event, Failure, GatheringState};
use crate::ice::pair::{PairAddresses, pair_priority};

use super::pairing::may_pair;
use super::{Agent, Via};

impl Agent {
    /// Tells whether the peer is lite, which signaling says before its credentials. "The full agent MUST take the
    /// controlling role, and the lite agent MUST take the controlled role"; of two lite ones the initiator controls (RFC
    /// 8445 section 6.1.1).
    pub fn set_remote_lite(&mut self, lite: bool) {
        self.remote_lite = lite;
        let role = match (self.config.lite, lite) {
            (false, false) => return,
            (false, true) => Role::Controlling,
            (true, false) => Role::Controlled,
            (true, true) => self.config.role,
        };
        if role != self.role {
            self.switch_role(role);
        }
    }

    /// Whether this agent is lite, as signaling is to tell the peer (`a=ice-lite`, RFC 8839 section 5.3).
    pub const fn is_lite(&self) -> bool {
        self.config.lite
    }

    /// Local preference of a lite agent's candidate. "If a host is IPv4 only, the local preference value SHOULD be set to
    /// 65535. If a host is IPv6 or dual stack, [...] to the precedence value for IP addresses described in RFC 6724" (RFC
    /// 8445 section 5.2); the next lower one that is free, as priorities are unique.
    pub(super) fn lite_preference(&mut self, base: Endpoint) -> u16 {
        let only_v4 =
            self.bases.iter().map(|known| known.address).chain([base]).all(|known| known.ip.is_ipv4());
        let wanted = if only_v4 { u16::MAX } else { precedence(base.ip) };
        let taken = |preference: u16| {
            self.bases.iter().any(|base| base.via == Via::Socket && base.preference == preference)
        };
        (0..=wanted).rev().find(|&free| !taken(free)).unwrap_or(0)
    }

    /// Heeds a check: "If the controlled agent receives a Binding request with the USE-CANDIDATE attribute set, [it]
    /// constructs a candidate pair whose local candidate has the transport address on which the request was received, and
    /// whose remote candidate is equal to the source transport address" (RFC 8445 section 7.3.2).
    pub(super) fn take_lite_check(
        &mut self,
        now: Timestamp,
        base: usize,
        source: Endpoint,
        priority: u32,
        use_candidate: bool,
    ) {
        if !use_candidate || self.role == Role::Controlling {
            return;
        }
        let Some(remote) = self.learn_remote(source, priority, base) else { return };
        let pair = PairAddresses { base: self.bases[base].address, remote: source };
        self.events.push_back(Event::Nominated { pair });
        self.complete_lite(now, base, remote);
    }

    /// Between two lite agents "no connectivity checks are ever sent" (RFC 8445 section 6.1.1): once both have told all
    /// candidates, each takes the pair of highest priority, which is the same one for both (RFC 8445 section 8.2). Of two
    /// families that is the one that RFC 6724 prefers, by the local preferences of section 5.2.
    pub(super) fn conclude_lite(&mut self, now: Timestamp) {
        let complete = self.session.gathering == GatheringState::Complete && self.session.remotes_complete;
        if !self.remote_lite || !complete || self.session.peer.is_none() {
            return;
        }
        let mut best: Option<(u64, usize, usize)> = None;
        for (place, local) in self.session.locals.iter().enumerate() {
            for (remote, other) in self.session.remotes.iter().enumerate() {
                let pair = PairAddresses { base: local.candidate.address, remote: other.candidate.address };
                let direct = local.candidate.kind == CandidateType::Host;
                let priority = pair_priority(self.role, local.candidate.priority, other.candidate.priority);
                if direct && may_pair(pair) && best.is_none_or(|(highest, ..)| priority > highest) {
                    best = Some((priority, place, remote));
                }
            }
        }
        match best {
            Some((_, local, remote)) => self.complete_lite(now, self.session.locals[local].base, remote),
            None => self.fail(now, Failure::NoPairs),
        }
    }

    /// Concludes, and frees the other candidates at once (RFC 8445 section 8.3.2).
    fn complete_lite(&mut self, now: Timestamp, base: usize, remote: usize) {
        let mut locals = self.session.locals.iter().map(|local| (local.base, local.candidate));
        let local = locals.find(|&(its_base, _)| its_base == base).map(|(_, candidate)| candidate);
        let (Some(local), Some(peer)) = (local, self.session.peer.clone()) else { return };
        self.complete(now, base, local, remote, peer);
        self.free_candidates(now);
    }
}

/// "precedence" in the default policy table of RFC 6724 section 2.1, as far as host candidates are concerned.
fn precedence(ip: IpAddr) -> u16 {
    match ip {
        IpAddr::V4(_) => 35,
        IpAddr::V6(ip) if ip.is_loopback() => 50,
        IpAddr::V6(ip) if ip.is_unique_local() => 3,
        IpAddr::V6(_) => 40,
    }
}
