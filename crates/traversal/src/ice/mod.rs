//! ICE (RFC 8445): trickling (RFC 8838), patient (RFC 8863) and keeping consent fresh (RFC 7675).
//!
//! An [`Agent`] has one data stream of one component, over UDP. It is driven as every machine here:
//!
//! 1. tell it of its sockets ([`Agent::add_local`]), then [`Agent::gather`];
//! 2. carry [`Event::LocalCandidate`], [`Event::EndOfCandidates`] and [`Agent::credentials`] to the peer, and the peer's
//!    to [`Agent::add_remote_candidate`], [`Agent::end_of_remote_candidates`] and [`Agent::set_remote_credentials`], in
//!    order;
//! 3. hand it what arrives on its sockets ([`Agent::handle_input`]);
//! 4. send what it wants sent ([`Agent::poll_transmit`]) and heed what it tells ([`Agent::poll_event`]);
//! 5. call [`Agent::handle_timeout`] when [`Agent::poll_timeout`] says so.
//!
//! It does not do lite agents, several components or streams, TCP candidates or aggressive nomination.

mod agent;
mod candidate;
mod checklist;
mod config;
mod consent;
mod credentials;
mod event;
mod nomination;
mod pair;

pub use agent::{Agent, SendError, State};
pub use candidate::{Candidate, CandidateError, CandidateType, Foundation, priority};
pub use config::{Config, Policy, Role, Rto, TurnServer};
pub use credentials::{Credentials, CredentialsError};
pub use event::{
    CheckAnswer, CheckFailure, ConsentLoss, Event, Failure, GatherFailure, GatheringState, Ignored,
    RemoteOutcome, SelectedPair, Side,
};
pub use pair::{PairAddresses, PairState, pair_priority};

#[cfg(test)]
mod tests;
