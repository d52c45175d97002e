//! Sending checks (RFC 8445 sections 6.1.4.2 and 7.2.4).

use bytes::Bytes;
use natbed_packet::{Endpoint, Timestamp};

use crate::ice::candidate::{CandidateType, priority};
use crate::ice::config::Role;
use crate::ice::event::{CheckFailure, Event};
use crate::ice::pair::{Pair, PairState};
use crate::stun::client::{RetransmitStep, RetransmitTimer};
use crate::stun::{Attribute, Builder, Class, Method, Schedule, TransactionId};

use super::session::{Check, Peer};
use super::{Agent, State, Via};

/// A transaction that is never answered takes 2^(Rc - 1) - 1 + Rm = 79 RTOs (RFC 8489 section 6.2.1).
const WHOLE_TRANSACTION: u32 = 79;

impl Agent {
    /// Whether a check waits for its turn.
    pub(super) fn has_check(&self) -> bool {
        let checklist = &self.session.checklist;
        self.session.peer.is_some()
            && self.session.state == State::Running
            && (checklist.has_next(|pair| self.is_ready(pair)) || !checklist.thawing().is_empty())
    }

    /// Begins the check whose turn it is; `false` if there is none.
    pub(super) fn start_next_check(&mut self, now: Timestamp) -> bool {
        if self.session.state != State::Running {
            return false;
        }
        let Some(peer) = self.session.peer.take() else { return false };
        let place = self.pick();
        if let Some(place) = place {
            self.start_check(now, place, &peer);
        }
        self.session.peer = Some(peer);
        place.is_some()
    }

    fn pick(&mut self) -> Option<usize> {
        for place in self.session.checklist.thawing() {
            self.set_state(place, PairState::Waiting);
        }
        // Moved out so that `is_ready` may look at the rest of the agent.
        let mut checklist = std::mem::take(&mut self.session.checklist);
        let place = checklist.next(|pair| self.is_ready(pair));
        self.session.checklist = checklist;
        place
    }

    /// Whether a check of the pair would pass its relay: "the agent MUST create permissions" first (RFC 8445 section
    /// 7.2.1).
    fn is_ready(&self, pair: &Pair) -> bool {
        match self.bases[pair.base].via {
            Via::Socket | Via::Gone => true,
            Via::Relay(relay) => {
                self.gatherer.is_permitted(relay, self.session.remotes[pair.remote].candidate.address)
            }
        }
    }

    fn start_check(&mut self, now: Timestamp, place: usize, peer: &Peer) {
        let use_candidate = self.session.nominating == Some(place);
        let checklist = &mut self.session.checklist;
        let rto = self.config.rto.value(self.config.pace(), checklist.pairs().len() * checklist.active());
        let pair = checklist.get_mut(place);
        pair.note_try(now);
        let base = pair.base;
        if pair.state != PairState::Succeeded {
            self.set_state(place, PairState::InProgress);
        }
        let id = TransactionId::random(&mut self.rng);
        let priority = priority(CandidateType::PeerReflexive, self.bases[base].check_preference());
        let request = self.binding_request(id, priority, use_candidate, peer);
        self.session.checks.push(Check {
            id,
            pair: place,
            role: self.role,
            priority,
            use_candidate,
            started: now,
            request,
            timer: RetransmitTimer::new(now, Schedule { rto, ..Schedule::default() }),
            expires: now + rto * WHOLE_TRANSACTION,
            cancelled: false,
        });
        self.send_check(now, self.session.checks.len() - 1);
    }

    /// A Binding request with the credentials and attributes of a check (RFC 8445 sections 7.1 and 7.2.2).
    pub(super) fn binding_request(
        &mut self,
        id: TransactionId,
        priority: u32,
        use_candidate: bool,
        peer: &Peer,
    ) -> Bytes {
        let mut request = Builder::new(&mut self.buffer, Class::Request, Method::Binding, id);
        request.attribute(Attribute::Username(&peer.username)).attribute(Attribute::Priority(priority));
        request.attribute(match self.role {
            Role::Controlling => Attribute::IceControlling(self.tie_breaker),
            Role::Controlled => Attribute::IceControlled(self.tie_breaker),
        });
        if use_candidate {
            request.attribute(Attribute::UseCandidate);
        }
        request.integrity(&peer.key).fingerprint();
        Bytes::copy_from_slice(&self.buffer)
    }

    fn send_check(&mut self, now: Timestamp, place: usize) {
        let check = &self.session.checks[place];
        let (request, pair) = (check.request.clone(), check.pair);
        let (transaction, use_candidate) = (check.id, check.use_candidate);
        let retransmission = check.timer.sent() - 1;
        let (base, remote) = self.ends_of(pair);
        self.transmit(now, base, remote, request);
        let pair = self.addresses_of(pair);
        self.events.push_back(Event::CheckSent { pair, transaction, retransmission, use_candidate });
    }

    fn ends_of(&self, pair: usize) -> (usize, Endpoint) {
        let pair = self.session.checklist.get(pair);
        (pair.base, self.session.remotes[pair.remote].candidate.address)
    }

    /// Retransmits checks, and gives up those that were not answered (RFC 8445 section 7.2.5.2.3).
    pub(super) fn handle_check_timeouts(&mut self, now: Timestamp) {
        let mut place = 0;
        while let Some(check) = self.session.checks.get_mut(place) {
            if check.deadline() > now {
                place += 1;
            } else if check.cancelled {
                self.session.checks.swap_remove(place);
            } else {
                match check.timer.handle_timeout(now) {
                    Some(RetransmitStep::Retransmit) => {
                        let pair = check.pair;
                        self.session.checklist.get_mut(pair).note_try(now);
                        self.send_check(now, place);
                    }
                    Some(RetransmitStep::GiveUp) | None => {
                        let check = self.session.checks.swap_remove(place);
                        self.fail_check(now, &check, CheckFailure::Timeout);
                    }
                }
            }
        }
    }
}
