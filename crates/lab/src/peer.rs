//! What runs on hosts and servers: the glue between the state machines of `natbed-traversal` and the network.

mod agent;
mod channel;
mod negotiation;
mod registry;
mod sender;
mod server;
mod signal;

use std::any::Any;

use natbed_net::{DropReason, Input, Output};
use natbed_packet::{Datagram, Endpoint, Timestamp};
use natbed_traversal::ice;

pub use crate::classify::DiscoveryPeer;
pub use agent::AgentPeer;
pub use channel::ChannelEvent;
pub use negotiation::{
    Described, IgnoredMessage, Negotiation, NegotiationEvent, NegotiationOutput, SignalingState,
};
pub use registry::{Guest, NATIVE, Registry, Setup, Surroundings, UnknownAgent};
pub use sender::{Sender, send_payload};
pub use server::{Discard, StunPeer, TurnPeer};
pub use signal::{Message, MessageKind, Signal};

/// A program on a host or server.
pub enum Peer {
    /// One side of a connection.
    Agent(Box<AgentPeer>),
    /// A STUN server.
    Stun(StunPeer),
    /// A TURN server.
    Turn(Box<TurnPeer>),
    /// Sends plain datagrams, and takes them.
    Sender(Sender),
    /// Asks what NAT it is behind.
    Discovery(Box<DiscoveryPeer>),
    /// A program of somebody else's.
    Other(Box<dyn Guest>),
}

/// What a program tells the event log.
#[derive(Clone, Debug, PartialEq)]
pub enum PeerEvent {
    /// An ICE agent.
    Ice(ice::Event),
    /// The exchange of offers and answers.
    Negotiation(NegotiationEvent),
    /// A TURN server did not relay a datagram.
    Discard(Discard),
    /// An agent, of its data channel.
    Channel(ChannelEvent),
    /// An agent, in words of its own.
    Note(Note),
}

impl PeerEvent {
    /// An agent that knows no candidates is connected from `local`, one of its sockets, to `remote`.
    pub fn connected(local: Endpoint, remote: Endpoint) -> Self {
        let kind = ice::CandidateType::Host;
        let candidate = |address| ice::Candidate {
            foundation: ice::Foundation::number(1),
            component: 1,
            priority: ice::priority(kind, u16::MAX),
            address,
            kind,
            related: None,
        };
        let (local, remote) = (candidate(local), candidate(remote));
        let pair = ice::SelectedPair { local, remote, base: local.address, relayed: false };
        Self::Ice(ice::Event::Selected(Box::new(pair)))
    }
}

/// What an agent says of itself in words of its own: they are shown as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What it speaks of, in kebab case, such as `ice-state`.
    pub topic: &'static str,
    /// What it says.
    pub text: String,
}

impl Peer {
    /// Tells one side of a connection where it is; nothing to other programs.
    pub(crate) fn place(&mut self, surroundings: Surroundings) {
        match self {
            Self::Agent(agent) => agent.place(surroundings),
            Self::Other(guest) => guest.place(surroundings),
            _ => {}
        }
    }

    /// The program of somebody else's, if this is one of type `T`.
    pub fn guest<T: Guest>(&self) -> Option<&T> {
        match self {
            Self::Other(guest) => (&**guest as &dyn Any).downcast_ref(),
            _ => None,
        }
    }

    /// The program of somebody else's, if this is one of type `T`.
    pub fn guest_mut<T: Guest>(&mut self) -> Option<&mut T> {
        match self {
            Self::Other(guest) => (&mut **guest as &mut dyn Any).downcast_mut(),
            _ => None,
        }
    }

    /// The discovery client, if this is one.
    pub const fn discovery(&self) -> Option<&DiscoveryPeer> {
        match self {
            Self::Discovery(peer) => Some(peer),
            _ => None,
        }
    }

    /// The sender of plain datagrams, if this is one.
    pub fn sender_mut(&mut self) -> Option<&mut Sender> {
        match self {
            Self::Sender(sender) => Some(sender),
            _ => None,
        }
    }
}

impl natbed_net::Program for Peer {
    type Event = PeerEvent;

    fn handle_input(&mut self, now: Timestamp, input: Input) {
        match self {
            Self::Agent(peer) => peer.handle_input(now, input),
            Self::Stun(peer) => peer.handle_input(input),
            Self::Turn(peer) => peer.handle_input(now, input),
            Self::Sender(peer) => peer.handle_input(now, &input),
            Self::Discovery(peer) => peer.handle_input(now, &input),
            Self::Other(guest) => guest.handle_input(now, input),
        }
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        match self {
            Self::Agent(peer) => peer.handle_timeout(now),
            Self::Stun(_) => {}
            Self::Turn(peer) => peer.handle_timeout(now),
            Self::Sender(peer) => peer.handle_timeout(now),
            Self::Discovery(peer) => peer.handle_timeout(now),
            Self::Other(guest) => guest.handle_timeout(now),
        }
    }

    fn poll_transmit(&mut self) -> Option<Output> {
        match self {
            Self::Agent(peer) => peer.poll_transmit(),
            Self::Stun(peer) => peer.poll_transmit(),
            Self::Turn(peer) => peer.poll_transmit(),
            Self::Sender(peer) => peer.poll_transmit(),
            Self::Discovery(peer) => peer.poll_transmit(),
            Self::Other(guest) => guest.poll_transmit(),
        }
    }

    fn poll_event(&mut self) -> Option<PeerEvent> {
        match self {
            Self::Agent(peer) => peer.poll_event(),
            Self::Turn(peer) => peer.poll_event().map(PeerEvent::Discard),
            Self::Stun(_) | Self::Sender(_) | Self::Discovery(_) => None,
            Self::Other(guest) => guest.poll_event(),
        }
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        match self {
            Self::Agent(peer) => peer.poll_timeout(),
            Self::Stun(_) => None,
            Self::Turn(peer) => peer.poll_timeout(),
            Self::Sender(peer) => peer.poll_timeout(),
            Self::Discovery(peer) => peer.poll_timeout(),
            Self::Other(guest) => guest.poll_timeout(),
        }
    }

    fn refusal(&self, datagram: &Datagram) -> Option<DropReason> {
        match self {
            Self::Other(guest) => guest.refusal(datagram),
            _ => None,
        }
    }
}
