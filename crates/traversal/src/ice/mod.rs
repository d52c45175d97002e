//! ICE (RFC 8445): trickling (RFC 8838), patient (RFC 8863) and keeping consent fresh (RFC 7675).
//!
//! An [`Agent`] has one data stream of one component, over UDP. It is driven as every machine here:
//!
//! 1. tell it of its sockets ([`Agent::add_interfaces`] or [`Agent::add_local`]), then [`Agent::gather`];
//! 2. carry [`Event::LocalCandidate`], [`Event::EndOfCandidates`] and [`Agent::credentials`] to the peer, and the peer's
//!    to [`Agent::add_remote_candidate`], [`Agent::end_of_remote_candidates`] and [`Agent::set_remote_credentials`], in
//!    order; tell whether the peer is lite ([`Agent::set_remote_lite`]) before its credentials;
//! 3. hand it what arrives on its sockets ([`Agent::handle_input`]);
//! 4. send what it wants sent ([`Agent::poll_transmit`]) and heed what it tells ([`Agent::poll_event`]);
//! 5. call [`Agent::handle_timeout`] when [`Agent::poll_timeout`] says so.
//!
//! Where the RFCs leave a choice, or where following them to the letter would keep a pair that works from being found:
//!
//! - when to nominate is told in the module `nomination`: quickly what is direct, patiently what is relayed;
//! - when the peer's first check arrives, pairs whose next retransmission is far off are checked anew, so that an agent
//!   that starts late is met as one that starts at once;
//! - triggered checks go first (RFC 8445 section 6.1.4.2) as long as they leave one in four to pairs never checked; pairs
//!   checked three times in vain come last;
//! - after ten responses from other ports of an address than were asked, further peer-reflexive candidates at it are
//!   answered but not paired, since such a chain has no end;
//! - a nomination that fails before the PAC timer has run out leaves other pairs their chance (RFC 8863 section 4).
//!
//! It does not do several components or streams, TCP candidates, or aggressive nomination.

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
pub(crate) use candidate::{is_ice_char, write_number};
pub use config::{Addresses, Config, Policy, Role, Rto, TurnServer};
pub use credentials::{Credentials, CredentialsError};
pub use event::{
    CheckAnswer, CheckFailure, ConsentLoss, Event, Failure, GatherFailure, GatheringState, Ignored,
    RemoteOutcome, SelectedPair, Side,
};
pub use pair::{PairAddresses, PairState, pair_priority};

#[cfg(test)]
mod tests;
