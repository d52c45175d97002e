//! Nominating, selecting, failing and freeing (RFC 8445 section 8).

use std::time::Duration;

use natbed_packet::Timestamp;

use crate::ice::candidate::Candidate;
use crate::ice::config::Role;
use crate::ice::consent::Consent;
use crate::ice::event::{Event, Failure, SelectedPair};
use crate::ice::nomination::{Decision, Relayed, decide};
use crate::ice::pair::{Pair, PairState};

use crate::stun::Schedule;

use super::keep::Selected;
use super::session::Peer;
use super::{Agent, State, Via};

/// "Once a checklist has reached the Completed state, the agent SHOULD wait an additional three seconds" (RFC 8445
/// section 8.3.1).
const FREE_AFTER: Duration = Duration::from_secs(3);

impl Agent {
    /// Draws the conclusions that are due at `now`.
    pub(super) fn conclude(&mut self, now: Timestamp) {
        match self.session.state {
            State::Running if self.config.lite => self.conclude_lite(now),
            State::Running => {
                self.start_relay_wait(now);
                self.consider_nomination(now);
                self.consider_failure(now);
            }
            State::Completed if self.session.free.is_some_and(|free| free <= now) => {
                self.free_candidates(now);
            }
            State::Completed | State::Failed => {}
        }
    }

    /// Notes the first valid pair that is relayed or may be. Pairs that are Frozen for the sake of their foundation are
    /// not held back any longer, since the relay waits for them.
    fn start_relay_wait(&mut self, now: Timestamp) {
        let session = &self.session;
        if session.relay_wait_over.is_some() || session.valid.is_empty() {
            return;
        }
        let relayed = session.valid.iter().map(|valid| valid.pair).find(|&place| {
            let pair = session.checklist.get(place);
            self.relayed(pair.base, pair.remote) != Relayed::No
        });
        let Some(relayed) = relayed else { return };
        let until = now + self.config.relay_wait;
        self.session.relay_wait_over = Some(until);
        if self.role == Role::Controlling {
            self.events.push_back(Event::RelayWait { pair: self.addresses_of(relayed), until });
        }
        for place in 0..self.session.checklist.pairs().len() {
            if self.session.checklist.get(place).state == PairState::Frozen {
                self.set_state(place, PairState::Waiting);
            }
        }
    }

    fn consider_nomination(&mut self, now: Timestamp) {
        self.session.reconsider = None;
        let session = &self.session;
        if self.role != Role::Controlling || session.nominating.is_some() || session.valid.is_empty() {
            return;
        }
        let relay_wait_over = session.relay_wait_over.unwrap_or_default();
        let relayed = |pair: &Pair| self.relayed(pair.base, pair.remote);
        match decide(now, session.checklist.pairs(), &session.valid, relay_wait_over, relayed) {
            Decision::Nominate(valid) => {
                let place = session.valid[valid].pair;
                self.events.push_back(Event::Nominated { pair: self.addresses_of(place) });
                // "by enqueueing the pair that generated the check into the triggered-check queue, this time with the
                // USE-CANDIDATE attribute" (RFC 8445 section 8.1.1).
                self.session.nominating = Some(place);
                self.session.checklist.trigger_first(place);
            }
            Decision::WaitUntil(until) => self.session.reconsider = Some(until),
            Decision::WaitForChecks | Decision::NoValidPair => {}
        }
    }

    /// The controlling agent nominates the pair (RFC 8445 section 7.3.1.5).
    pub(super) fn accept_nomination(&mut self, now: Timestamp, place: usize) {
        let pair = self.session.checklist.get_mut(place);
        let known = std::mem::replace(&mut pair.nominated_by_peer, true);
        let valid = pair.state == PairState::Succeeded;
        if !known {
            self.events.push_back(Event::Nominated { pair: self.addresses_of(place) });
        }
        if valid {
            self.select(now, place);
        }
    }

    /// Concludes with a nominated pair (RFC 8445 sections 8.1.1 and 8.1.2).
    pub(super) fn select(&mut self, now: Timestamp, place: usize) {
        let Some(valid) = self.session.valid.iter().copied().find(|valid| valid.pair == place) else {
            return;
        };
        let Some(peer) = self.session.peer.clone() else { return };
        let pair = self.session.checklist.get(place);
        let (base, remote) = (pair.base, pair.remote);
        self.session.checklist.keep_only(place);
        self.session.free = Some(now + FREE_AFTER);
        self.complete(now, base, self.session.locals[valid.local].candidate, remote, peer);
        let remote = self.session.remotes[remote].candidate.address;
        self.bind_channel(now, base, remote);
    }

    /// Has data go between `local`, whose base is at the place `base`, and the remote candidate at the place `remote`.
    pub(super) fn complete(
        &mut self,
        now: Timestamp,
        base: usize,
        local: Candidate,
        remote: usize,
        peer: Peer,
    ) {
        let pair = SelectedPair {
            local,
            remote: self.session.remotes[remote].candidate,
            base: self.bases[base].address,
            relayed: self.relayed(base, remote) == Relayed::Yes,
        };
        // "an ICE-lite agent does not generate consent checks" (RFC 7675 section 1).
        let consent = Consent::new(now, self.config.consent && !self.config.lite, &mut self.rng);
        self.selected = Some(Selected { base, pair, peer, consent });
        self.previous = None;
        let session = &mut self.session;
        session.state = State::Completed;
        session.checks.clear();
        session.valid.clear();
        (session.nominating, session.reconsider, session.pac) = (None, None, None);
        self.events.push_back(Event::Selected(Box::new(pair)));
    }

    /// RFC 8445 section 7.2.5.4, but not "while the [PAC] timer is still running" (RFC 8863 section 4). When it has run
    /// out, pairs that still have requests to send are waited for, and none other.
    fn consider_failure(&mut self, now: Timestamp) {
        if self.session.peer.is_none() || !self.session.valid.is_empty() || self.session.nominating.is_some()
        {
            return self.session.pac = self.session.pac.filter(|&pac| pac > now);
        }
        let over = match self.session.pac {
            Some(pac) if pac > now => return,
            Some(_) => !self.has_requests_left(),
            None => !self.session.checklist.is_open(),
        };
        self.session.pac = None;
        if over {
            let none = self.session.checklist.pairs().is_empty();
            self.fail(now, if none { Failure::NoPairs } else { Failure::NoValidPair });
        }
    }

    fn has_requests_left(&self) -> bool {
        let session = &self.session;
        let unsent = |state| matches!(state, PairState::Waiting | PairState::Frozen);
        session.checklist.pairs().iter().any(|pair| unsent(pair.state))
            || session
                .checks
                .iter()
                .any(|check| !check.cancelled && check.timer.sent() < Schedule::default().rc)
    }

    pub(super) fn fail(&mut self, now: Timestamp, why: Failure) {
        let session = &mut self.session;
        session.state = State::Failed;
        session.checks.clear();
        (session.nominating, session.reconsider, session.pac) = (None, None, None);
        self.events.push_back(Event::Failed { why });
        self.release_relays(now);
    }

    /// RFC 8445 section 8.3.1.
    pub(super) fn free_candidates(&mut self, now: Timestamp) {
        self.session.free = None;
        let Some(selected) = self.selected.as_ref().map(|selected| selected.base) else { return };
        for place in (0..self.bases.len()).filter(|&place| place != selected) {
            let base = &mut self.bases[place];
            if !std::mem::replace(&mut base.freed, true) {
                let (address, via) = (base.address, base.via);
                self.events.push_back(Event::Freed { base: address });
                if let Via::Relay(relay) = via {
                    self.release_relay(now, relay);
                }
            }
        }
    }
}
