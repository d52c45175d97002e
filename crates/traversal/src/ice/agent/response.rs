//! What becomes of checks (RFC 8445 section 7.2.5).

use natbed_packet::{Endpoint, Timestamp};

use crate::ice::config::Role;
use crate::ice::event::{CheckFailure, Event, Failure, Ignored};
use crate::ice::nomination::Valid;
use crate::ice::pair::{PairAddresses, PairState};
use crate::stun::{Class, Message};

use super::session::{Check, Peer};
use super::{Agent, State};

impl Agent {
    pub(super) fn handle_response(
        &mut self,
        now: Timestamp,
        base: usize,
        from: Endpoint,
        message: &Message<'_>,
    ) {
        let response = PairAddresses { base: self.bases[base].address, remote: from };
        let id = message.transaction_id();
        let Some(place) = self.session.checks.iter().position(|check| check.id == id) else {
            if !self.handle_consent_response(now, response, message) {
                self.ignore(response, Ignored::UnknownTransaction);
            }
            return;
        };
        // Over UDP a response without the right integrity is as if it had never come (RFC 8489 section 9.1.4).
        let genuine = |peer: &Peer| message.verify_integrity(&peer.key).is_ok();
        if !self.session.peer.as_ref().is_some_and(genuine) {
            return self.ignore(response, Ignored::Unauthenticated);
        }
        let check = self.session.checks.swap_remove(place);
        match self.verdict(&check, response, message) {
            Ok(mapped) => self.succeed_check(now, &check, mapped),
            Err(CheckFailure::RoleConflict) => self.handle_role_conflict(&check),
            Err(why) => self.fail_check(now, &check, why),
        }
    }

    /// The mapped address of a check that succeeded (RFC 8445 sections 7.2.5.2 and 7.2.5.3).
    fn verdict(
        &self,
        check: &Check,
        response: PairAddresses,
        message: &Message<'_>,
    ) -> Result<Endpoint, CheckFailure> {
        if self.addresses_of(check.pair) != response {
            return Err(CheckFailure::NonSymmetric { response });
        }
        if message.class() == Class::Error {
            return Err(match message.error_code() {
                Some(error) if error.code == 487 => CheckFailure::RoleConflict,
                Some(error) => CheckFailure::Rejected(error.code),
                None => CheckFailure::Malformed,
            });
        }
        let understood = message.unknown_required().is_empty();
        message.xor_mapped_address().filter(|_| understood).ok_or(CheckFailure::Malformed)
    }

    /// RFC 8445 section 7.2.5.3.
    fn succeed_check(&mut self, now: Timestamp, check: &Check, mapped: Endpoint) {
        let place = check.pair;
        let rtt = now.since(check.started);
        let pair = self.addresses_of(place);
        self.events.push_back(Event::CheckSucceeded { pair, transaction: check.id, mapped, rtt });
        // An older check of a pair that is valid already adds nothing.
        let known = self.session.checklist.get(place).state == PairState::Succeeded && !check.use_candidate;
        if self.session.state != State::Running || known {
            return;
        }
        let local = self.learn_local(mapped, check.priority, place);
        self.session.valid.retain(|valid| valid.pair != place);
        let priority = self.valid_priority(place, local);
        self.session.valid.push(Valid { pair: place, local, priority, rtt });
        self.session.cancel_checks(place);
        self.session.checklist.untrigger(place);
        self.set_state(place, PairState::Succeeded);
        self.thaw(place);
        let nominated = match self.role {
            Role::Controlling => check.use_candidate,
            Role::Controlled => self.session.checklist.get(place).nominated_by_peer,
        };
        if nominated {
            self.select(now, place);
        }
    }

    /// "The agent MUST set the states for all other Frozen candidate pairs [...] with the same foundation to Waiting"
    /// (RFC 8445 section 7.2.5.3.3).
    fn thaw(&mut self, succeeded: usize) {
        let foundation = self.session.checklist.get(succeeded).foundation;
        for place in 0..self.session.checklist.pairs().len() {
            let pair = self.session.checklist.get(place);
            if pair.state == PairState::Frozen && pair.foundation == foundation {
                self.set_state(place, PairState::Waiting);
            }
        }
    }

    /// RFC 8445 section 7.2.5.1. The conflict may have been settled meanwhile by a check of the peer's.
    fn handle_role_conflict(&mut self, check: &Check) {
        self.note_failure(check, CheckFailure::RoleConflict);
        if self.session.state != State::Running {
            return;
        }
        if check.role == self.role {
            self.switch_role(self.role.opposite());
            self.tie_breaker = rand::RngExt::random(&mut self.rng);
        }
        if self.session.checklist.get(check.pair).state != PairState::Succeeded {
            self.session.cancel_checks(check.pair);
            self.recheck(check.pair);
        }
    }

    /// Takes on a role, which the priorities depend on (RFC 8445 section 7.3.1.1).
    pub(super) fn switch_role(&mut self, role: Role) {
        self.role = role;
        self.session.nominating = None;
        self.events.push_back(Event::RoleSwitched { role });
        self.recompute_priorities();
    }

    /// RFC 8445 section 7.2.5.2. A cancelled check fails without consequence: a newer one decides.
    pub(super) fn fail_check(&mut self, now: Timestamp, check: &Check, why: CheckFailure) {
        self.note_failure(check, why);
        if let CheckFailure::NonSymmetric { .. } = why {
            let base = self.session.checklist.get(check.pair).base;
            self.session.note_asymmetry(base, self.addresses_of(check.pair).remote.ip);
        }
        if self.session.state != State::Running || check.cancelled {
            return;
        }
        if check.use_candidate && self.session.nominating == Some(check.pair) {
            self.session.valid.retain(|valid| valid.pair != check.pair);
            self.set_state(check.pair, PairState::Failed);
            self.session.nominating = None;
            // Not "while the timer is still running" (RFC 8863 section 4): till then another pair may do.
            if self.session.pac.is_none() {
                self.fail(now, Failure::NominationFailed);
            }
            return;
        }
        if self.session.checklist.get(check.pair).state == PairState::InProgress {
            self.set_state(check.pair, PairState::Failed);
        }
    }

    fn note_failure(&mut self, check: &Check, why: CheckFailure) {
        let pair = self.addresses_of(check.pair);
        self.events.push_back(Event::CheckFailed { pair, transaction: check.id, why });
    }
}
