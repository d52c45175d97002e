//! STUN, TURN and ICE as sans-IO state machines.

use bytes::Bytes;
use natbed_packet::Endpoint;

pub mod stun;

/// A UDP datagram that a state machine wants sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// The local endpoint to send it from.
    pub from: Endpoint,
    /// Where to.
    pub to: Endpoint,
    /// The data.
    pub payload: Bytes,
}
