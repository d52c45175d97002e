//! What a negotiation wants done and tells.

use bytes::Bytes;
use natbed_traversal::ice::Credentials;
use natbed_traversal::sdp::ParseError;

use super::MessageKind;

/// How far an exchange is (RFC 8829 section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignalingState {
    /// No exchange is under way.
    Stable,
    /// It has offered.
    HaveLocalOffer,
    /// It is to answer.
    HaveRemoteOffer,
}

impl SignalingState {
    /// The state's name in the event log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::HaveLocalOffer => "have-local-offer",
            Self::HaveRemoteOffer => "have-remote-offer",
        }
    }
}

/// What a negotiation wants done, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum NegotiationOutput {
    /// A message to the other side.
    Message(Bytes),
    /// Something to tell.
    Event(NegotiationEvent),
}

/// What happens in a negotiation.
#[derive(Clone, Debug, PartialEq)]
pub enum NegotiationEvent {
    /// It made a description and set it as its local one.
    Local(Described),
    /// It set the other side's as its remote description.
    Remote(Described),
    /// Both have offered at once.
    Collision {
        /// Whether this side drops its own offer; if not, it leaves the other's aside.
        yields: bool,
    },
    /// A message is left aside.
    Ignored {
        /// What it is; `None` where it is nothing known.
        kind: Option<MessageKind>,
        /// Why.
        why: IgnoredMessage,
    },
}

/// What a description says, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Offer or answer.
    pub kind: MessageKind,
    /// The credentials of its session.
    pub credentials: Credentials,
    /// How many candidates it has.
    pub candidates: usize,
    /// The state after it.
    pub state: SignalingState,
}

/// Why a message is left aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IgnoredMessage {
    /// It is no message.
    Unknown,
    /// Its SDP is not well-formed.
    Malformed(ParseError),
    /// It does not do ICE: no credentials (RFC 8839 section 4.2.5).
    NoIce,
    /// An answer to no offer.
    NotAsked,
    /// Candidates of a session that is not the present one (RFC 8840 section 4.4: "MUST discard").
    OtherSession,
}
