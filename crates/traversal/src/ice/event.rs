//! What an agent tells.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use natbed_packet::{Endpoint, Timestamp};

use crate::stun::TransactionId;

use super::candidate::Candidate;
use super::config::Role;
use super::pair::{PairAddresses, PairState};

/// Everything that happens in an agent, in order. [`Event::LocalCandidate`], [`Event::EndOfCandidates`] and
/// [`Event::Restarted`] are to be signalled to the peer; the rest is for the application, or for a log that explains the outcome.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Gathering began or ended.
    GatheringState(GatheringState),
    /// A local candidate was found: signal it (RFC 8838 section 9).
    LocalCandidate {
        /// The candidate.
        candidate: Candidate,
        /// The STUN or TURN server that it came from.
        server: Option<Endpoint>,
    },
    /// A server gave no candidate for a base.
    GatherFailed {
        /// The host candidate it was asked from.
        base: Endpoint,
        /// The server.
        server: Endpoint,
        /// Why.
        why: GatherFailure,
    },
    /// A TURN server has another one asked instead (RFC 8489 section 10).
    Redirected {
        /// The host candidate it was asked from.
        base: Endpoint,
        /// The server that was configured.
        from: Endpoint,
        /// The other server.
        to: Endpoint,
    },
    /// All local candidates of the session have been told: signal it (RFC 8838 section 13).
    EndOfCandidates {
        /// The local username fragment, which names the session.
        ufrag: String,
    },
    /// The peer signalled a candidate.
    RemoteCandidate {
        /// The candidate.
        candidate: Candidate,
        /// What became of it.
        outcome: RemoteOutcome,
    },
    /// A candidate was learnt from a check.
    PeerReflexive {
        /// Whose.
        side: Side,
        /// The candidate.
        candidate: Candidate,
        /// The pair whose check showed it.
        pair: PairAddresses,
    },
    /// A pair was formed (`from` is `None`) or changed its state.
    PairState {
        /// The pair.
        pair: PairAddresses,
        /// The old state.
        from: Option<PairState>,
        /// The new state.
        to: PairState,
    },
    /// A pair was not formed, or was given up for a better one, as there may be no more (RFC 8445 section 6.1.2.5).
    PairDiscarded {
        /// The pair.
        pair: PairAddresses,
    },
    /// A Binding request was sent on a pair.
    CheckSent {
        /// The pair.
        pair: PairAddresses,
        /// The transaction.
        transaction: TransactionId,
        /// 0 for the first request, then counting.
        retransmission: u32,
        /// Whether it nominates.
        use_candidate: bool,
    },
    /// A Binding request came with the right credential, and was answered.
    CheckReceived {
        /// Where it arrived, and where from.
        pair: PairAddresses,
        /// The transaction.
        transaction: TransactionId,
        /// Whether it nominates.
        use_candidate: bool,
        /// The answer.
        answer: CheckAnswer,
    },
    /// A check succeeded.
    CheckSucceeded {
        /// The pair.
        pair: PairAddresses,
        /// The transaction.
        transaction: TransactionId,
        /// This agent's address as the peer saw it.
        mapped: Endpoint,
        /// From the first request to the response.
        rtt: Duration,
    },
    /// A check failed.
    CheckFailed {
        /// The pair.
        pair: PairAddresses,
        /// The transaction.
        transaction: TransactionId,
        /// Why.
        why: CheckFailure,
    },
    /// A TURN server let a peer's address in (RFC 8656 section 9), or refused to.
    Permission {
        /// The relayed candidate.
        relayed: Endpoint,
        /// The peer.
        peer: IpAddr,
        /// Whether it is installed.
        granted: bool,
    },
    /// The role changed after a conflict (RFC 8445 sections 7.2.5.1 and 7.3.1.1), or because the peer is lite (section
    /// 6.1.1).
    RoleSwitched {
        /// The new role.
        role: Role,
    },
    /// A relayed pair is valid; from now on a controlling agent waits for one without relay.
    RelayWait {
        /// The relayed pair.
        pair: PairAddresses,
        /// When it gives up waiting at the earliest.
        until: Timestamp,
    },
    /// The controlling agent picked a pair, or the controlled one was told it.
    Nominated {
        /// The pair that generated the check.
        pair: PairAddresses,
    },
    /// A pair was selected: data may flow.
    Selected(Box<SelectedPair>),
    /// The peer signalled what it had only shown before, so the selected pair's remote candidate or its relayedness is
    /// known better.
    SelectedUpdated(Box<SelectedPair>),
    /// A Binding request asked for consent, or a keepalive indication was sent (`transaction` is `None`).
    Kept {
        /// The selected pair.
        pair: PairAddresses,
        /// The consent check.
        transaction: Option<TransactionId>,
    },
    /// Consent was given again (RFC 7675).
    ConsentRenewed {
        /// The selected pair.
        pair: PairAddresses,
    },
    /// Consent to send is gone (RFC 7675 section 5.1). A restart may win it back, unless one is under way already: then
    /// [`Agent::state`](super::Agent::state) is [`State::Running`](super::State::Running).
    ConsentLost {
        /// The selected pair.
        pair: PairAddresses,
        /// Why.
        why: ConsentLoss,
    },
    /// A candidate that was not selected is no longer served (RFC 8445 section 8.3.1).
    Freed {
        /// The base.
        base: Endpoint,
    },
    /// A TURN allocation ended before its time.
    RelayLost {
        /// The relayed candidate.
        relayed: Endpoint,
    },
    /// A new session began with the old role (RFC 8445 section 9): signal its [`credentials`](super::Agent::credentials),
    /// each time.
    Restarted {
        /// The new local username fragment.
        ufrag: String,
    },
    /// No pair can be selected any more.
    Failed {
        /// Why.
        why: Failure,
    },
    /// Application data arrived.
    Data {
        /// Where it arrived, and where from.
        pair: PairAddresses,
        /// The data.
        payload: Bytes,
    },
    /// A datagram was not for this agent to use; it changed nothing.
    Ignored {
        /// Where it arrived, and where from.
        pair: PairAddresses,
        /// Why.
        why: Ignored,
    },
}

/// How far gathering is (RFC 8445 section 5.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GatheringState {
    /// Not begun.
    New,
    /// Servers are being asked.
    Gathering,
    /// Every server has answered or failed.
    Complete,
}

/// Why a server gave no candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GatherFailure {
    /// It did not answer.
    Timeout,
    /// It answered with an error of this code.
    Rejected(u16),
    /// A hard ICMP error came instead of an answer (RFC 8489 section 6.2.1).
    Unreachable,
    /// Its answers were not made with the credential.
    Unauthentic,
    /// Its answer made no sense.
    Malformed,
}

/// What became of a signalled candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RemoteOutcome {
    /// It is new.
    Added,
    /// It was known as peer-reflexive, and takes the signalled type and priority.
    Named,
    /// It was known already.
    Duplicate,
    /// Its component is not 1, its address is none that could be sent to, or it belongs to a session that a restart has
    /// ended here.
    Unusable,
    /// There are too many.
    Discarded,
}

/// Whose candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// This agent's.
    Local,
    /// The peer's.
    Remote,
}

/// How a check was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckAnswer {
    /// With success.
    Success,
    /// With success, and the rest waits for the peer's credentials (RFC 8445 section 7.3).
    Early,
    /// With this error code.
    Error(u16),
}

/// Why a check failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckFailure {
    /// No response came (RFC 8445 section 7.2.5.2.3).
    Timeout,
    /// The response came from another address, or to another, than the request went (RFC 8445 section 7.2.5.2.1).
    NonSymmetric {
        /// Where it arrived, and where from.
        response: PairAddresses,
    },
    /// Both agents have the same role; the check is repeated (RFC 8445 section 7.2.5.1).
    RoleConflict,
    /// The peer answered with an error of this code (RFC 8445 section 7.2.5.2.4).
    Rejected(u16),
    /// A hard ICMP error came (RFC 8445 section 7.2.5.2.2).
    Unreachable,
    /// The success response has no XOR-MAPPED-ADDRESS, or an attribute that must be understood and is not.
    Malformed,
}

/// Why consent is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConsentLoss {
    /// No check was answered for 30 s (RFC 7675 section 5.1).
    Expired,
    /// The peer answered 403 (RFC 7675 section 5.2).
    Revoked,
    /// The host address or relay that the pair starts from is gone.
    BaseLost,
}

/// Why no pair can be selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// No pair became valid before the PAC timer ran out (RFC 8863 section 4).
    NoValidPair,
    /// There was no pair at all.
    NoPairs,
    /// The check that nominates failed (RFC 8445 section 7.2.5.3.4).
    NominationFailed,
}

/// Why a datagram was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ignored {
    /// It arrived on no base of this agent, or on one that has been freed.
    NoSuchBase,
    /// It is not data, and no well-formed STUN message.
    Malformed,
    /// Its credential is not this session's.
    Unauthenticated,
    /// It answers nothing that was asked.
    UnknownTransaction,
    /// Data from an address that is no remote candidate.
    UnknownSource,
}

/// The pair that data goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SelectedPair {
    /// The local candidate of the valid pair: the one with the mapped address.
    pub local: Candidate,
    /// The remote candidate as signalled, or as learnt if it has not been.
    pub remote: Candidate,
    /// The base that is sent from.
    pub base: Endpoint,
    /// Whether either transport address belongs to a TURN allocation, as far as this agent knows.
    pub relayed: bool,
}
