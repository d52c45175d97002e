//! STUN, TURN and ICE as sans-IO state machines: they hold the rules of the RFCs and nothing else, no socket, clock,
//! thread or global randomness. Time is an argument, randomness a generator given at construction, and what is to be
//! sent comes out as values. The same inputs give the same bytes, anywhere.
//!
//! - [`stun`]: the codec, integrity, transactions, a Binding client and a Binding server with behaviour discovery
//!   (RFC 8489, RFC 5780)
//! - [`turn`]: a server, and the client of one allocation (RFC 8656)
//! - [`ice`]: an agent (RFC 8445)
//! - [`sdp`]: offers, answers and trickled candidates as text (RFC 8866, RFC 8839, RFC 8840)
//!
//! Every machine has the same verbs, and is driven like this:
//!
//! 1. Drain `poll_transmit` and send what comes, until it is `None`.
//! 2. Drain `poll_event` and act on what it tells, until it is `None`.
//! 3. Ask `poll_timeout` when it wants to be woken; `None`: not at all.
//! 4. Wait for a datagram until then. If one comes, pass it to `handle_input`; if not, call `handle_timeout`.
//! 5. Go to 1.
//!
//! The TURN server has two kinds of input and does more than send, so that it has `handle_client` and `handle_peer`, and
//! `poll_effect` for all that it does. The Binding server keeps no state: one call makes a response of a request.
//!
//! A client asks for a relayed address and sends through it; a loop stands for the network:
//!
//! ```
//! use bytes::Bytes;
//! use natbed_packet::{Endpoint, Family, Timestamp};
//! use natbed_traversal::stun::Schedule;
//! use natbed_traversal::turn::client::{self, Client};
//! use natbed_traversal::turn::server::{self, Effect, Server};
//! use natbed_traversal::turn::ClientSocket;
//! use rand::SeedableRng;
//! use rand_xoshiro::Xoshiro256PlusPlus;
//!
//! let now = Timestamp::ZERO;
//! let address = Endpoint::v4(198, 51, 100, 3, 3478);
//! let setup = server::Config::new("example.org", address.ip);
//! let mut server = Server::new(setup, Xoshiro256PlusPlus::seed_from_u64(1));
//! server.add_user("student", "secret");
//!
//! let config = client::Config {
//!     server: address,
//!     local: Endpoint::v4(203, 0, 113, 1, 5000),
//!     username: "student".to_owned(),
//!     password: "secret".to_owned(),
//!     family: Family::V4,
//!     schedule: Schedule::default(),
//! };
//! let mut client = Client::new(now, config, Xoshiro256PlusPlus::seed_from_u64(2));
//! let peer = Endpoint::v4(203, 0, 113, 9, 6000);
//! client.send(now, peer, &Bytes::from_static(b"hello"))?;
//!
//! let mut at_peer = None;
//! while let Some(transmit) = client.poll_transmit() {
//!     server.handle_client(now, transmit.to, ClientSocket(transmit.from), &transmit.payload);
//!     while let Some(effect) = server.poll_effect() {
//!         match effect {
//!             Effect::ToClient { from, payload, .. } => {
//!                 client.handle_input(now, from, &payload);
//!             }
//!             Effect::ToPeer { from, to, payload, .. } => at_peer = Some((from.0, to.0, payload)),
//!             Effect::Bind(_) | Effect::Unbind(_) | Effect::Discard { .. } => {}
//!         }
//!     }
//! }
//! let relayed = client.relayed().expect("the allocation stands");
//! assert_eq!(at_peer, Some((relayed, peer, Bytes::from_static(b"hello"))));
//! # Ok::<(), client::SendError>(())
//! ```
//!
//! What it does not do: TCP and TLS to servers or peers (RFC 6062, RFC 6544), DNS, the search for servers, and
//! SASLprep or OpaqueString preparation of passwords, which leaves ASCII alone.

use bytes::Bytes;
use natbed_packet::Endpoint;

pub mod ice;
pub mod sdp;
pub mod stun;
pub mod turn;

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
