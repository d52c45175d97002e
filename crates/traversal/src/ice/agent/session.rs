//! What a restart makes anew (RFC 8445 section 9).

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use natbed_packet::{Endpoint, Timestamp};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::ice::candidate::{Candidate, Foundation};
use crate::ice::checklist::CheckList;
use crate::ice::config::Role;
use crate::ice::credentials::Credentials;
use crate::ice::event::GatheringState;
use crate::ice::nomination::Valid;
use crate::stun::client::RetransmitTimer;
use crate::stun::{Key, TransactionId};

use super::State;

/// After so many failures for want of symmetry, no more peer-reflexive candidates at the address are paired.
const HOPELESS: u32 = 10;

/// Credentials with their key.
#[derive(Debug)]
pub(super) struct Secret {
    pub(super) credentials: Credentials,
    pub(super) key: Key,
}

impl Secret {
    pub(super) fn new(credentials: Credentials) -> Self {
        let key = Key::short_term(credentials.password());
        Self { credentials, key }
    }

    pub(super) fn generate(rng: &mut Xoshiro256PlusPlus) -> Self {
        Self::new(Credentials::generate(rng))
    }
}

/// What requests to the peer are made with, and its responses checked with.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) credentials: Credentials,
    /// USERNAME of requests to the peer: "the username fragment provided by the peer with the username fragment of the
    /// ICE agent sending the request, separated by a colon" (RFC 8445 section 7.2.2).
    pub(super) username: Arc<str>,
    pub(super) key: Key,
}

impl Peer {
    pub(super) fn new(credentials: &Credentials, own: &Credentials) -> Self {
        Self {
            credentials: credentials.clone(),
            username: [credentials.ufrag(), ":", own.ufrag()].concat().into(),
            key: Key::short_term(credentials.password()),
        }
    }
}

/// A local candidate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Local {
    pub(super) candidate: Candidate,
    /// Place of its base.
    pub(super) base: usize,
}

/// A remote candidate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remote {
    pub(super) candidate: Candidate,
    /// Whether the peer has told it, and not just used it.
    pub(super) signalled: bool,
}

/// A check whose response may still come.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) id: TransactionId,
    /// Place of its pair in the check list.
    pub(super) pair: usize,
    pub(super) role: Role,
    /// Its PRIORITY.
    pub(super) priority: u32,
    pub(super) use_candidate: bool,
    pub(super) started: Timestamp,
    pub(super) request: bytes::Bytes,
    pub(super) timer: RetransmitTimer,
    /// When it has had the duration of a whole transaction.
    pub(super) expires: Timestamp,
    /// Neither sent again nor missed when no response comes (RFC 8445 section 7.3.1.4).
    pub(super) cancelled: bool,
}

impl Check {
    /// When something is due.
    pub(super) fn deadline(&self) -> Timestamp {
        if self.cancelled { self.expires } else { self.timer.deadline() }
    }
}

/// What there is to remember of a check that came before the peer's credentials.
#[derive(Clone, Debug)]
pub(super) struct EarlyCheck {
    pub(super) base: usize,
    pub(super) source: Endpoint,
    pub(super) priority: u32,
    pub(super) use_candidate: bool,
    pub(super) ufrag: String,
}

/// One ICE session, from its credentials to its selected pair.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) secret: Secret,
    pub(super) peer: Option<Peer>,
    pub(super) state: State,
    pub(super) gathering: GatheringState,
    pub(super) locals: Vec<Local>,
    pub(super) remotes: Vec<Remote>,
    /// Whether the peer has signalled all its candidates.
    pub(super) remotes_complete: bool,
    pub(super) checklist: CheckList,
    pub(super) checks: Vec<Check>,
    pub(super) early: VecDeque<EarlyCheck>,
    /// Whether a check of the peer's has come.
    pub(super) peer_seen: bool,
    /// How many pairs of a base with remote candidates at an address failed for want of symmetry.
    asymmetric: Vec<(usize, IpAddr, u32)>,
    pub(super) valid: Vec<Valid>,
    /// Place of the pair that this agent nominates.
    pub(super) nominating: Option<usize>,
    /// When the patience before a relay ends at the earliest.
    pub(super) relay_wait_over: Option<Timestamp>,
    /// When to think about nominating again.
    pub(super) reconsider: Option<Timestamp>,
    /// When the PAC timer runs out (RFC 8863).
    pub(super) pac: Option<Timestamp>,
    /// When candidates that were not selected are freed (RFC 8445 section 8.3.1).
    pub(super) free: Option<Timestamp>,
    foundations: u32,
}

impl Session {
    pub(super) fn new(limit: usize, rng: &mut Xoshiro256PlusPlus) -> Self {
        Self {
            secret: Secret::generate(rng),
            peer: None,
            state: State::Running,
            gathering: GatheringState::New,
            locals: Vec::new(),
            remotes: Vec::new(),
            remotes_complete: false,
            checklist: CheckList::new(limit),
            checks: Vec::new(),
            early: VecDeque::new(),
            peer_seen: false,
            asymmetric: Vec::new(),
            valid: Vec::new(),
            nominating: None,
            relay_wait_over: None,
            reconsider: None,
            pac: None,
            free: None,
            foundations: 0,
        }
    }

    pub(super) fn note_asymmetry(&mut self, base: usize, ip: IpAddr) {
        match self.asymmetric.iter_mut().find(|known| (known.0, known.1) == (base, ip)) {
            Some((.., count)) => *count += 1,
            None => self.asymmetric.push((base, ip, 1)),
        }
    }

    /// Whether checks that a base gets from ever new ports of an address come to nothing. Where both sides map endpoint-dependently and
    /// filter openly, every check arrives from a port that none was sent to, and its response from yet another: without
    /// end, and never symmetric (RFC 8445 section 7.2.5.2.1).
    pub(super) fn is_hopeless(&self, base: usize, ip: IpAddr) -> bool {
        let known = self.asymmetric.iter().find(|known| (known.0, known.1) == (base, ip));
        known.is_some_and(|&(.., count)| count >= HOPELESS)
    }

    pub(super) fn remote_at(&self, address: Endpoint) -> Option<usize> {
        self.remotes.iter().position(|remote| remote.candidate.address == address)
    }

    /// "The foundation is an arbitrary value, different from the foundations of all other remote candidates" (RFC 8445
    /// section 7.3.1.3).
    pub(super) fn arbitrary_foundation(&mut self) -> Foundation {
        loop {
            self.foundations += 1;
            let foundation = Foundation::tagged("learnt", self.foundations);
            if self.remotes.iter().all(|remote| remote.candidate.foundation != foundation) {
                return foundation;
            }
        }
    }

    /// Ends the check that a pair has under way, if any, but still takes its response.
    pub(super) fn cancel_checks(&mut self, pair: usize) {
        for check in self.checks.iter_mut().filter(|check| check.pair == pair) {
            check.cancelled = true;
        }
    }
}
