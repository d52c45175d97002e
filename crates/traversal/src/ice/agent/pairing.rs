//! Pairs: formed, triggered, ranked and judged.

use std::net::IpAddr;

use natbed_packet::{Endpoint, Timestamp};

use crate::ice::candidate::{Candidate, CandidateType};
use crate::ice::checklist::{Insertion, NewPair};
use crate::ice::event::Event;
use crate::ice::nomination::Relayed;
use crate::ice::pair::{PairAddresses, PairState, pair_priority};

use super::{Agent, State, Via};

impl Agent {
    /// Pairs a base with the remote candidates that were signalled; peer-reflexive ones are paired by the checks that
    /// show them alone (RFC 8445 section 7.3.1.3).
    pub(super) fn pair_base(&mut self, now: Timestamp, base: usize) {
        for remote in 0..self.session.remotes.len() {
            if self.session.remotes[remote].signalled {
                self.pair(now, base, remote);
            }
        }
    }

    pub(super) fn pair_remote(&mut self, now: Timestamp, remote: usize) {
        for base in 0..self.bases.len() {
            self.pair(now, base, remote);
        }
    }

    /// Forms a pair (RFC 8445 section 6.1.2.2). Its local candidate is a base, so that reflexive ones never form
    /// redundant pairs (RFC 8445 section 6.1.2.4).
    fn pair(&mut self, now: Timestamp, base: usize, remote: usize) {
        let pair = self.addresses(base, remote);
        let wanted = self.session.state == State::Running && self.is_checked_from(base) && may_pair(pair);
        if !wanted || self.session.checklist.find(base, remote).is_some() {
            return;
        }
        let Some(new) = self.new_pair(base, remote) else { return };
        let insertion = self.session.checklist.insert(new);
        self.note_insertion(now, insertion, pair);
    }

    /// Whether checks go out from a base. "A lite implementation does not generate connectivity checks" (RFC 8445 section 2.5).
    fn is_checked_from(&self, base: usize) -> bool {
        self.is_used(base) && !self.bases[base].hidden && !self.config.lite
    }

    /// Finds the pair that a check came on, or forms it, and has it checked in turn (RFC 8445 section 7.3.1.4). `None`
    /// when there may be no more pairs, unless it is the one that the peer has `nominated`.
    pub(super) fn trigger(
        &mut self,
        now: Timestamp,
        base: usize,
        remote: usize,
        nominated: bool,
    ) -> Option<usize> {
        let place = match self.session.checklist.find(base, remote) {
            Some(place) => place,
            None => {
                let new = self.new_pair(base, remote)?;
                let insertion = self.session.checklist.insert_triggered(new, nominated);
                self.note_insertion(now, insertion, self.addresses(base, remote))?
            }
        };
        match self.session.checklist.get(place).state {
            PairState::Succeeded => {}
            PairState::InProgress => {
                self.session.cancel_checks(place);
                self.recheck(place);
            }
            PairState::Waiting | PairState::Frozen | PairState::Failed => self.recheck(place),
        }
        Some(place)
    }

    /// Puts a pair into the triggered-check queue.
    pub(super) fn recheck(&mut self, place: usize) {
        self.set_state(place, PairState::Waiting);
        self.session.checklist.trigger(place);
    }

    fn note_insertion(&mut self, now: Timestamp, insertion: Insertion, pair: PairAddresses) -> Option<usize> {
        let place = match insertion {
            Insertion::Full => {
                self.events.push_back(Event::PairDiscarded { pair });
                return None;
            }
            Insertion::Added(place) => place,
            Insertion::Replaced { place, old: (base, remote) } => {
                self.session.checks.retain(|check| check.pair != place);
                let pair = self.addresses(base, remote);
                self.events.push_back(Event::PairDiscarded { pair });
                place
            }
        };
        let new = self.session.checklist.get(place);
        let (base, to) = (new.base, new.state);
        self.events.push_back(Event::PairState { pair, from: None, to });
        self.permit(now, base, pair.remote);
        Some(place)
    }

    fn new_pair(&self, base: usize, remote: usize) -> Option<NewPair> {
        let local = self.base_candidate(base)?;
        let remote_candidate = &self.session.remotes[remote].candidate;
        Some(NewPair {
            base,
            remote,
            priority: pair_priority(self.role, local.priority, remote_candidate.priority),
            foundation: (local.foundation, remote_candidate.foundation),
        })
    }

    /// The host or relayed candidate that a base is.
    fn base_candidate(&self, base: usize) -> Option<&Candidate> {
        let address = self.bases[base].address;
        let mut locals = self.session.locals.iter();
        locals
            .find(|local| local.base == base && local.candidate.address == address)
            .map(|local| &local.candidate)
    }

    /// Brings all priorities and foundations up to date, after a role switch or when a candidate is known better.
    pub(super) fn recompute_priorities(&mut self) {
        for place in 0..self.session.checklist.pairs().len() {
            let pair = self.session.checklist.get(place);
            if let Some(new) = self.new_pair(pair.base, pair.remote) {
                let pair = self.session.checklist.get_mut(place);
                (pair.priority, pair.foundation) = (new.priority, new.foundation);
            }
        }
        for place in 0..self.session.valid.len() {
            let valid = self.session.valid[place];
            self.session.valid[place].priority = self.valid_priority(valid.pair, valid.local);
        }
    }

    /// The priority of the valid pair that a check of `pair` showed (RFC 8445 section 7.2.5.3.2).
    pub(super) fn valid_priority(&self, pair: usize, local: usize) -> u64 {
        let remote = self.session.checklist.get(pair).remote;
        let local = self.session.locals[local].candidate.priority;
        pair_priority(self.role, local, self.session.remotes[remote].candidate.priority)
    }

    /// Whether a pair goes through a relay: either of its addresses belongs to an allocation, whatever type it was given.
    pub(super) fn relayed(&self, base: usize, remote: usize) -> Relayed {
        let remote = &self.session.remotes[remote];
        if matches!(self.bases[base].via, Via::Relay(_)) || remote.candidate.kind == CandidateType::Relayed {
            Relayed::Yes
        } else if remote.signalled || self.session.remotes_complete {
            Relayed::No
        } else {
            Relayed::Perhaps
        }
    }
}

/// "IPv6 link-local addresses MUST NOT be paired with other than link-local addresses" (RFC 8445 section 6.1.2.2), nor
/// one family with the other.
pub(super) fn may_pair(pair: PairAddresses) -> bool {
    let link_local = |endpoint: Endpoint| match endpoint.ip {
        IpAddr::V4(_) => false,
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    pair.base.family() == pair.remote.family() && link_local(pair.base) == link_local(pair.remote)
}
