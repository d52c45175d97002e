//! The agent: its verbs, and what is due when.

mod candidates;
mod check;
mod conclude;
mod gather;
mod keep;
mod lite;
mod pairing;
mod relay;
mod request;
mod response;
mod session;
mod unreachable;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use natbed_packet::{Endpoint, Timestamp};
use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;
use thiserror::Error;

use crate::Transmit;
use crate::stun::{AttributeType, Class, Message, Method, is_stun};

use super::candidate::Candidate;
use super::config::{Config, Role};
use super::credentials::Credentials;
use super::event::{Event, GatheringState, Ignored, SelectedPair};
use super::pair::{PairAddresses, PairState};

use self::gather::Gatherer;
use self::keep::Selected;
use self::session::{Peer, Secret, Session};

/// "It MUST set a timer, henceforth known as the PAC timer [...] When using default values [...] this amounts to 39.5
/// seconds" (RFC 8863 section 4).
const PAC: Duration = Duration::from_millis(39_500);

/// An ICE agent (RFC 8445), full or lite, with one component of one data stream.
#[derive(Debug)]
pub struct Agent {
    config: Config,
    rng: Xoshiro256PlusPlus,
    role: Role,
    /// Whether the peer is lite.
    remote_lite: bool,
    tie_breaker: u64,
    bases: Vec<Base>,
    gatherer: Gatherer,
    session: Session,
    /// How many sessions there were, this one included.
    sessions: u32,
    /// How many sessions of the peer's are known, and the credentials of the latest.
    peer_sessions: u32,
    peer_credentials: Option<Credentials>,
    /// The credentials before a restart, which the peer may still ask for consent with.
    previous: Option<Secret>,
    selected: Option<Selected>,
    /// When the next transaction may begin (RFC 8445 section 14.2).
    pace: Timestamp,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
    buffer: Vec<u8>,
}

/// Where packets are sent from and arrive: the base of some candidates (RFC 8445 section 4).
#[derive(Clone, Copy, Debug)]
struct Base {
    address: Endpoint,
    via: Via,
    /// Local preference of its candidates (RFC 8445 section 5.1.2.1).
    preference: u16,
    /// Whether it is neither used nor served any more.
    freed: bool,
    /// Whether nothing is checked from it, as no candidate of it has been told.
    hidden: bool,
}

/// How a base reaches the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Via {
    /// A socket of the host.
    Socket,
    /// An allocation, by its place in the gatherer.
    Relay(usize),
    /// Not any more.
    Gone,
}

impl Base {
    /// Local preference of a candidate that the `nth` server gave.
    fn preference_of(&self, nth: usize) -> u16 {
        self.preference - u16::try_from(nth).unwrap_or(u16::MAX).min(255)
    }

    /// Local preference in the PRIORITY of checks. Those from a relay come last among the peer-reflexive candidates that
    /// they may be learnt as.
    const fn check_preference(&self) -> u16 {
        match self.via {
            Via::Relay(_) => self.preference / 2,
            Via::Socket | Via::Gone => self.preference,
        }
    }
}

/// The state of the check list, of which there is one (RFC 8445 section 6.1.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// No pair is selected yet.
    Running,
    /// A pair is selected.
    Completed,
    /// No pair can be selected.
    Failed,
}

/// Why data was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// No pair has been selected yet.
    #[error("no candidate pair is selected")]
    NotSelected,
    /// The peer has not consented lately (RFC 7675).
    #[error("the peer's consent is lost")]
    NoConsent,
}

impl Agent {
    /// An agent without candidates; all it draws comes from `rng`.
    pub fn new(config: Config, mut rng: Xoshiro256PlusPlus) -> Self {
        let session = Session::new(config.max_pairs, &mut rng);
        Self {
            role: if config.lite { Role::Controlled } else { config.role },
            remote_lite: false,
            tie_breaker: rng.random(),
            bases: Vec::new(),
            gatherer: Gatherer::default(),
            session,
            sessions: 1,
            peer_sessions: 0,
            peer_credentials: None,
            previous: None,
            selected: None,
            pace: Timestamp::ZERO,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            buffer: Vec::new(),
            config,
            rng,
        }
    }

    /// The credentials to signal to the peer; a restart changes them.
    pub const fn credentials(&self) -> &Credentials {
        &self.session.secret.credentials
    }

    /// The present role.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The state of the check list.
    pub const fn state(&self) -> State {
        self.session.state
    }

    /// How far gathering is.
    pub const fn gathering_state(&self) -> GatheringState {
        self.session.gathering
    }

    /// The pair that data goes over; after a restart the old one, until there is a new one.
    pub fn selected(&self) -> Option<&SelectedPair> {
        self.selected.as_ref().map(|selected| &selected.pair)
    }

    /// The local candidates, reflexive ones included.
    pub fn local_candidates(&self) -> impl Iterator<Item = &Candidate> {
        self.session.locals.iter().map(|local| &local.candidate)
    }

    /// The remote candidates that are known.
    pub fn remote_candidates(&self) -> impl Iterator<Item = &Candidate> {
        self.session.remotes.iter().map(|remote| &remote.candidate)
    }

    /// Every pair of the check list and its state.
    pub fn pairs(&self) -> impl Iterator<Item = (PairAddresses, PairState)> {
        self.session.checklist.pairs().iter().map(|pair| (self.addresses(pair.base, pair.remote), pair.state))
    }

    /// Takes the peer's credentials, with which checks begin. Other ones than before are the peer's restart: this agent
    /// restarts too, if it has not already (RFC 8445 section 9), so signal its new ones.
    ///
    /// The peer's first session goes with this agent's first, and so on. So when both restart at once, or one does while
    /// the other's signal is on its way, what belongs to a session that is over is left aside, and both end up in the
    /// same one.
    pub fn set_remote_credentials(&mut self, now: Timestamp, credentials: &Credentials) {
        if self.peer_credentials.as_ref().is_some_and(|known| known.ufrag() == credentials.ufrag()) {
            return;
        }
        self.peer_credentials = Some(credentials.clone());
        self.peer_sessions += 1;
        if self.peer_sessions > self.sessions {
            self.restart(now);
        }
        if self.peer_sessions < self.sessions {
            return;
        }
        self.session.peer = Some(Peer::new(credentials, self.credentials()));
        // A lite agent waits for as long as it takes: it has no checks that could fail.
        self.session.pac = (!self.config.lite).then_some(now + PAC);
        self.take_up_early_checks(now);
        self.settle(now);
    }

    /// Begins a new session with new credentials and candidates. The role stays, and data still flows over the selected
    /// pair (RFC 8445 section 9).
    pub fn restart(&mut self, now: Timestamp) {
        let session = Session::new(self.config.max_pairs, &mut self.rng);
        let old = std::mem::replace(&mut self.session, session);
        self.sessions += 1;
        if self.selected.is_some() {
            self.previous = Some(old.secret);
        }
        self.events.push_back(Event::Restarted { ufrag: self.credentials().ufrag().to_owned() });
        self.release_relays(now);
        self.gatherer.forget_questions();
        self.offer_bases(now);
        if old.gathering != GatheringState::New {
            self.gather(now);
        }
        self.settle(now);
    }

    /// Takes a datagram that came to the socket `local` from `remote`.
    pub fn handle_input(&mut self, now: Timestamp, local: Endpoint, remote: Endpoint, payload: &Bytes) {
        let Some(base) = self.base_at(local) else {
            return self.ignore(PairAddresses { base: local, remote }, Ignored::NoSuchBase);
        };
        if !self.gather_input(now, base, remote, payload) {
            self.handle_packet(now, base, remote, payload);
        }
        self.settle(now);
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.gatherer.handle_timeout(now);
        self.handle_check_timeouts(now);
        self.keep(now);
        self.settle(now);
        debug_assert!(self.poll_timeout().is_none_or(|next| next > now), "a timer stands still");
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The event that [`Agent::poll_event`] gives after `place` others, which stays.
    pub fn peek_event(&self, place: usize) -> Option<&Event> {
        self.events.get(place)
    }

    /// When to call [`Agent::handle_timeout`] next.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let session = &self.session;
        let checks = session.checks.iter().map(session::Check::deadline).min();
        let pace = self.has_work().then_some(self.pace);
        let consent = self.selected.as_ref().and_then(|selected| selected.consent.poll_timeout());
        let timers = [checks, pace, consent, session.reconsider, session.pac, session.free];
        timers.into_iter().chain([self.gatherer.poll_timeout()]).flatten().min()
    }

    /// Sends application data over the selected pair.
    ///
    /// # Errors
    ///
    /// Before a pair is selected, and when the peer's consent is lost.
    pub fn send(&mut self, now: Timestamp, payload: Bytes) -> Result<(), SendError> {
        let selected = self.selected.as_mut().ok_or(SendError::NotSelected)?;
        if !selected.consent.is_given() {
            return Err(SendError::NoConsent);
        }
        selected.consent.note_sent(now);
        let (base, remote) = (selected.base, selected.remote());
        self.transmit(now, base, remote, payload);
        Ok(())
    }

    /// A packet that came to a base, through a relay or not.
    fn handle_packet(&mut self, now: Timestamp, base: usize, remote: Endpoint, payload: &Bytes) {
        let pair = PairAddresses { base: self.bases[base].address, remote };
        if !is_stun(payload) {
            let known = self.session.remote_at(remote).is_some()
                || self.selected.as_ref().is_some_and(|selected| selected.remote() == remote);
            if !known {
                return self.ignore(pair, Ignored::UnknownSource);
            }
            return self.events.push_back(Event::Data { pair, payload: payload.clone() });
        }
        let message = Message::parse(payload).ok().filter(|message| {
            message.method() == Method::Binding
                && (!message.has(AttributeType::FINGERPRINT) || message.verify_fingerprint())
        });
        let Some(message) = message else {
            return self.ignore(pair, Ignored::Malformed);
        };
        match message.class() {
            Class::Request => self.handle_request(now, base, remote, &message),
            Class::Success | Class::Error => self.handle_response(now, base, remote, &message),
            // A keepalive (RFC 8445 section 11).
            Class::Indication => {}
        }
    }

    /// Follows up on what has just happened: everything that may be done at `now`.
    fn settle(&mut self, now: Timestamp) {
        self.take_gathered(now);
        self.conclude(now);
        while self.pace <= now && self.start_transaction(now) {
            self.pace = now + self.config.pace();
        }
        self.conclude(now);
        self.take_gathered(now);
    }

    /// Whether a transaction waits for its turn.
    fn has_work(&self) -> bool {
        self.gatherer.has_work() || self.has_check()
    }

    fn start_transaction(&mut self, now: Timestamp) -> bool {
        self.start_gathering(now) || self.start_next_check(now)
    }

    fn base_at(&self, address: Endpoint) -> Option<usize> {
        self.bases.iter().position(|base| base.address == address && base.via == Via::Socket)
    }

    fn addresses(&self, base: usize, remote: usize) -> PairAddresses {
        let remote = self.session.remotes[remote].candidate.address;
        PairAddresses { base: self.bases[base].address, remote }
    }

    fn addresses_of(&self, pair: usize) -> PairAddresses {
        let pair = self.session.checklist.get(pair);
        self.addresses(pair.base, pair.remote)
    }

    /// Sends from a base, through its relay if it has one.
    fn transmit(&mut self, now: Timestamp, base: usize, to: Endpoint, payload: Bytes) {
        let Base { address: from, via, .. } = self.bases[base];
        match via {
            Via::Socket => self.transmits.push_back(Transmit { from, to, payload }),
            Via::Relay(relay) => self.relay_transmit(now, relay, to, &payload),
            Via::Gone => {}
        }
    }

    fn set_state(&mut self, place: usize, to: PairState) {
        let pair = self.session.checklist.get_mut(place);
        let from = std::mem::replace(&mut pair.state, to);
        if from != to {
            let pair = self.addresses_of(place);
            self.events.push_back(Event::PairState { pair, from: Some(from), to });
        }
    }

    fn ignore(&mut self, pair: PairAddresses, why: Ignored) {
        self.events.push_back(Event::Ignored { pair, why });
    }
}
