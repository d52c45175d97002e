//! TURN (RFC 8656) over UDP: the server and the client of one allocation.

use natbed_packet::{Endpoint, Family};

mod allocation;
pub mod channel;
pub mod client;
mod permission;
mod ports;
pub mod server;
mod small_map;

pub use channel::ChannelData;
pub use client::Client;
pub use server::Server;

/// "the client's server-reflexive transport address" (RFC 8656 section 6): where a client's datagrams come from, as the
/// server sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientSocket(pub Endpoint);

/// "A transport address on the TURN server that is used for relaying packets between the client and a peer" (RFC 8656
/// section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelayedAddress(pub Endpoint);

/// "A host with which the TURN client wishes to communicate" (RFC 8656 section 2): its address as the server sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerSocket(pub Endpoint);

/// What an allocation is known by (RFC 8656 section 2); the transport protocol is UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FiveTuple {
    /// Where the server received the client's request.
    pub server: Endpoint,
    /// Where it came from.
    pub client: ClientSocket,
}

/// The protocol number of UDP in REQUESTED-TRANSPORT (RFC 8656 section 18.8).
const UDP: u8 = 17;
/// What a Send or Data indication may wrap: the 65 535 octets of a message but for the longest XOR-PEER-ADDRESS, and the header
/// and padding of DATA.
const MAX_DATA: usize = 65_535 - 24 - 4 - 3;
/// What both sides say they are (RFC 8656 section 5).
const SOFTWARE: &str = "natbed";

/// The place of `family` where something is kept for each.
const fn index(family: Family) -> usize {
    match family {
        Family::V4 => 0,
        Family::V6 => 1,
    }
}
