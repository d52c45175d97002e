//! Answering checks (RFC 8445 section 7.3).

use bytes::Bytes;
use natbed_packet::{Endpoint, Timestamp};

use crate::ice::config::Role;
use crate::ice::event::{CheckAnswer, Event, Ignored};
use crate::ice::pair::{PairAddresses, PairState};
use crate::stun::{Attribute, AttributeType, Builder, Class, ErrorCode, Key, Message, Method};

use super::session::EarlyCheck;
use super::{Agent, State};

/// Most checks remembered before the peer's credentials come.
const MAX_EARLY: usize = 100;

/// What a check says, once its credential is known to be right.
#[derive(Clone, Copy, Debug)]
struct Request {
    base: usize,
    source: Endpoint,
    priority: u32,
    use_candidate: bool,
}

/// The error codes that a check is answered with.
const BAD_REQUEST: ErrorCode<'_> = ErrorCode { code: 400, reason: "Bad Request" };
const UNAUTHENTICATED: ErrorCode<'_> = ErrorCode { code: 401, reason: "Unauthenticated" };
const UNKNOWN_ATTRIBUTE: ErrorCode<'_> = ErrorCode { code: 420, reason: "Unknown Attribute" };
const ROLE_CONFLICT: ErrorCode<'_> = ErrorCode { code: 487, reason: "Role Conflict" };

impl Agent {
    pub(super) fn handle_request(
        &mut self,
        now: Timestamp,
        base: usize,
        source: Endpoint,
        message: &Message<'_>,
    ) {
        let pair = PairAddresses { base: self.bases[base].address, remote: source };
        if !self.is_used(base) {
            return self.ignore(pair, Ignored::NoSuchBase);
        }
        let username = message.username();
        let (Some(username), true) = (username, message.has(AttributeType::MESSAGE_INTEGRITY)) else {
            // RFC 8489 section 9.1.3.
            return self.refuse(now, base, source, message, BAD_REQUEST, None);
        };
        let (local, peer) = username.split_once(':').unwrap_or((username, ""));
        let current = local == self.session.secret.credentials.ufrag();
        let Some(key) = self.key_for(local).filter(|key| message.verify_integrity(key).is_ok()) else {
            return self.refuse(now, base, source, message, UNAUTHENTICATED, None);
        };
        let priority = match self.examine(message, current) {
            Ok(priority) => priority,
            Err(error) => return self.refuse(now, base, source, message, error, Some(&key)),
        };
        let use_candidate = message.use_candidate();
        let request = Request { base, source, priority, use_candidate };
        let known = self.session.peer.as_ref().is_some_and(|known| known.credentials.ufrag() == peer);
        self.grant(now, base, source, message, &key);
        let answer = if known || !current { CheckAnswer::Success } else { CheckAnswer::Early };
        let transaction = message.transaction_id();
        self.events.push_back(Event::CheckReceived { pair, transaction, use_candidate, answer });
        match answer {
            CheckAnswer::Success if current => self.take_check(now, request),
            CheckAnswer::Early => self.remember(request, peer),
            _ => {}
        }
    }

    /// Does what the checks that came before the peer's credentials ask for: "Once the answer is received, it MUST
    /// proceed with the remaining steps required" (RFC 8445 section 7.3).
    pub(super) fn take_up_early_checks(&mut self, now: Timestamp) {
        for early in std::mem::take(&mut self.session.early) {
            if self.session.peer.as_ref().is_some_and(|peer| peer.credentials.ufrag() == early.ufrag) {
                let EarlyCheck { base, source, priority, use_candidate, .. } = early;
                self.take_check(now, Request { base, source, priority, use_candidate });
            }
        }
    }

    fn remember(&mut self, request: Request, ufrag: &str) {
        let Request { base, source, priority, use_candidate } = request;
        let early = &mut self.session.early;
        if let Some(known) = early.iter_mut().find(|known| known.base == base && known.source == source) {
            known.use_candidate |= use_candidate;
        } else if early.len() < MAX_EARLY {
            let ufrag = ufrag.to_owned();
            early.push_back(EarlyCheck { base, source, priority, use_candidate, ufrag });
        }
    }

    /// The key of this session or, for consent while a restart is under way, of the one before.
    fn key_for(&self, ufrag: &str) -> Option<Key> {
        let secrets = std::iter::once(&self.session.secret).chain(&self.previous);
        secrets
            .into_iter()
            .find(|secret| secret.credentials.ufrag() == ufrag)
            .map(|secret| secret.key.clone())
    }

    /// The PRIORITY of a request that is right in form and role.
    fn examine(&mut self, message: &Message<'_>, current: bool) -> Result<u32, ErrorCode<'static>> {
        if !message.unknown_required().is_empty() {
            return Err(UNKNOWN_ATTRIBUTE);
        }
        let priority = message.priority().ok_or(BAD_REQUEST)?;
        // Conflicts are for full agents to detect: a lite one controls no full one (RFC 8445 sections 6.1.1 and 7.3.1).
        if current && self.session.state == State::Running && !self.config.lite {
            self.settle_roles(message)?;
        }
        Ok(priority)
    }

    /// Detects and repairs a role conflict (RFC 8445 section 7.3.1.1).
    fn settle_roles(&mut self, message: &Message<'_>) -> Result<(), ErrorCode<'static>> {
        let theirs = match self.role {
            Role::Controlling => message.ice_controlling(),
            Role::Controlled => message.ice_controlled(),
        };
        let Some(theirs) = theirs else { return Ok(()) };
        let controls = self.tie_breaker >= theirs;
        if controls == (self.role == Role::Controlling) {
            return Err(ROLE_CONFLICT);
        }
        self.switch_role(self.role.opposite());
        Ok(())
    }

    /// Learns from a check and has its pair checked (RFC 8445 sections 7.3.1.3 to 7.3.1.5).
    fn take_check(&mut self, now: Timestamp, request: Request) {
        if self.session.state != State::Running {
            return;
        }
        let Request { base, source, priority, use_candidate } = request;
        if self.config.lite {
            return self.take_lite_check(now, base, source, priority, use_candidate);
        }
        let first = !std::mem::replace(&mut self.session.peer_seen, true);
        if first {
            self.wake();
        }
        let nominated = use_candidate && self.role == Role::Controlled;
        let hopeless = self.session.is_hopeless(base, source.ip) && self.session.remote_at(source).is_none();
        if hopeless && !nominated {
            let pair = PairAddresses { base: self.bases[base].address, remote: source };
            return self.events.push_back(Event::PairDiscarded { pair });
        }
        let Some(remote) = self.learn_remote(source, priority, base) else { return };
        let Some(place) = self.trigger(now, base, remote, nominated) else { return };
        if nominated {
            self.accept_nomination(now, place);
        }
    }

    /// The peer has begun to check, so filters on its side open only now, and retransmissions have become rare: pairs
    /// whose next one may come later than a peer waits before it takes a relay are checked anew.
    fn wake(&mut self) {
        for place in 0..self.session.checklist.pairs().len() {
            let pair = self.session.checklist.get(place);
            if pair.state == PairState::InProgress && pair.tries >= 3 {
                self.session.cancel_checks(place);
                self.session.checklist.get_mut(place).forget_tries();
                self.recheck(place);
            }
        }
    }

    fn grant(&mut self, now: Timestamp, base: usize, to: Endpoint, message: &Message<'_>, key: &Key) {
        Builder::new(&mut self.buffer, Class::Success, Method::Binding, message.transaction_id())
            .attribute(Attribute::XorMappedAddress(to))
            .integrity(key)
            .fingerprint();
        let payload = Bytes::copy_from_slice(&self.buffer);
        self.transmit(now, base, to, payload);
    }

    fn refuse(
        &mut self,
        now: Timestamp,
        base: usize,
        to: Endpoint,
        message: &Message<'_>,
        error: ErrorCode<'static>,
        key: Option<&Key>,
    ) {
        let transaction = message.transaction_id();
        let mut response = Builder::new(&mut self.buffer, Class::Error, Method::Binding, transaction);
        response.attribute(Attribute::ErrorCode(error));
        if error == UNKNOWN_ATTRIBUTE {
            response.unknown_attributes(&message.unknown_required());
        }
        if let Some(key) = key {
            response.integrity(key);
        }
        response.fingerprint();
        let payload = Bytes::copy_from_slice(&self.buffer);
        self.transmit(now, base, to, payload);
        let pair = PairAddresses { base: self.bases[base].address, remote: to };
        if key.is_none() {
            return self.ignore(pair, Ignored::Unauthenticated);
        }
        let (use_candidate, answer) = (message.use_candidate(), CheckAnswer::Error(error.code));
        self.events.push_back(Event::CheckReceived { pair, transaction, use_candidate, answer });
    }
}
