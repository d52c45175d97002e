//! The TURN client: one allocation, over UDP, with long-term credentials (RFC 8656).

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use natbed_packet::{Endpoint, Family, Timestamp};
use rand_xoshiro::Xoshiro256PlusPlus;
use thiserror::Error;

use crate::Transmit;
use crate::stun::client::RtoCache;
use crate::stun::{
    AttributeType, Class, Key, Message, Method, PasswordAlgorithm, Schedule, Transactions, is_channel_data,
};

mod data;
mod request;

use data::{Channel, Permission};
use request::{Purpose, Request};

/// Whom to ask for an allocation, and as whom.
#[derive(Clone, Debug)]
pub struct Config {
    /// The server.
    pub server: Endpoint,
    /// The client's own socket, which all is sent from.
    pub local: Endpoint,
    /// The username, prepared by OpaqueString (RFC 8265), which leaves ASCII as it is.
    pub username: String,
    /// The password, prepared likewise.
    pub password: String,
    /// The family of the relayed address, which is that of all peers.
    pub family: Family,
    /// When requests are sent again.
    pub schedule: Schedule,
}

/// The client of one allocation. It asks for it when made, and keeps it, its permissions and its channels until
/// [`close`](Self::close).
#[derive(Clone, Debug)]
pub struct Client {
    config: Config,
    rng: Xoshiro256PlusPlus,
    credentials: Option<Credentials>,
    state: State,
    transactions: Transactions<Request>,
    rtos: RtoCache,
    /// The servers that sent the client on to another, and when.
    asked: Vec<(Endpoint, Timestamp)>,
    permissions: BTreeMap<IpAddr, Permission>,
    channels: BTreeMap<Endpoint, Channel>,
    /// Which peer a channel is bound to, or being bound to.
    numbers: BTreeMap<u16, Endpoint>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
    buffer: Vec<u8>,
}

/// What a client has to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The allocation stands.
    Allocated {
        /// The relayed address: what peers are to send to.
        relayed: Endpoint,
        /// The client's address as the server sees it: server-reflexive.
        mapped: Endpoint,
        /// Until the allocation would expire; it is refreshed before.
        lifetime: Duration,
    },
    /// The server has another one asked instead (RFC 8489 section 10).
    Redirected {
        /// The other server.
        server: Endpoint,
    },
    /// There is no allocation, or no longer.
    Failed(Failure),
    /// The allocation has been given up as [`Client::close`] asked.
    Closed,
    /// Peers at this address can send and be sent to.
    PermissionInstalled(IpAddr),
    /// Peers at this address cannot; what was queued for them is lost.
    PermissionFailed {
        /// The peers' address.
        peer: IpAddr,
        /// Why.
        failure: Failure,
    },
    /// Data to and from this peer goes as ChannelData.
    ChannelBound {
        /// The peer.
        peer: Endpoint,
        /// The channel.
        number: u16,
    },
    /// Data to this peer goes in Send indications, as without a channel.
    ChannelFailed {
        /// The peer.
        peer: Endpoint,
        /// Why.
        failure: Failure,
    },
    /// A peer has sent this to the relayed address.
    Received {
        /// The peer.
        peer: Endpoint,
        /// The data.
        payload: Bytes,
    },
    /// What was sent to a peer met an ICMP error (RFC 8656 section 11.6).
    PeerError {
        /// The peer.
        peer: Endpoint,
        /// ICMP or ICMPv6 type, as goes with the peer's family.
        icmp_type: u8,
        /// The code.
        code: u16,
        /// Next-hop MTU where the error tells it, else 0.
        data: u32,
    },
}

/// Why a transaction with the server has failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// No response came.
    #[error("the server does not respond")]
    Timeout,
    /// A hard ICMP error came (RFC 8489 section 6.2.1).
    #[error("the server cannot be reached")]
    Unreachable,
    /// Responses came, but none made with the client's key (RFC 8489 section 9.2.5).
    #[error("the server's responses are not authentic")]
    IntegrityViolated,
    /// The server rejected the request.
    #[error("the server responds {code} ({reason})")]
    Rejected {
        /// The error code.
        code: u16,
        /// The reason phrase.
        reason: String,
        /// The server to try instead, where the code is 300 (RFC 8489 section 10): one that the client has been at already,
        /// or of another family.
        alternate: Option<Endpoint>,
    },
    /// The response lacks what it must have, or has what is not understood.
    #[error("the server's response is of no use")]
    Unusable,
}

/// Why a client does not take data for a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// The allocation has failed or been closed.
    #[error("there is no allocation")]
    NoAllocation,
    /// The peer's address is not of the relayed address's family.
    #[error("the peer is not of the family of the relayed address")]
    Family,
    /// The server has refused a permission for the peer.
    #[error("the server does not permit the peer")]
    Refused,
    /// The data exceeds what a message can carry.
    #[error("longer than a message can carry")]
    TooLong,
    /// Too much waits for the allocation or the permission already.
    #[error("too much is queued for this peer")]
    QueueFull,
    /// All 4096 channels are bound.
    #[error("there are no more channels")]
    NoChannel,
}

#[derive(Clone, Debug)]
struct Credentials {
    realm: String,
    nonce: String,
    key: Key,
    /// The server's PASSWORD-ALGORITHMS, to be sent back, and which one is chosen.
    algorithms: Option<(Vec<u8>, PasswordAlgorithm)>,
    /// Whether the server wants USERHASH.
    anonymous: bool,
}

/// How far the allocation is.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Asked for; to be deleted at once if `closing`.
    Allocating { closing: bool },
    /// It stands; `refresh` is due then, or under way.
    Active { relayed: Endpoint, mapped: Endpoint, refresh: Option<Timestamp> },
    /// The deletion is under way.
    Closing,
    /// It is no more.
    Over,
}

impl Client {
    /// Begins to ask for an allocation.
    pub fn new(now: Timestamp, config: Config, rng: Xoshiro256PlusPlus) -> Self {
        let mut client = Self {
            config,
            rng,
            credentials: None,
            state: State::Allocating { closing: false },
            transactions: Transactions::default(),
            rtos: RtoCache::default(),
            asked: Vec::new(),
            permissions: BTreeMap::new(),
            channels: BTreeMap::new(),
            numbers: BTreeMap::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            buffer: Vec::new(),
        };
        client.request(now, Purpose::Allocate);
        client
    }

    /// The server, which may be another than was configured once it has been redirected.
    pub const fn server(&self) -> Endpoint {
        self.config.server
    }

    /// The client's own socket.
    pub const fn local(&self) -> Endpoint {
        self.config.local
    }

    /// The relayed address, while the allocation stands.
    pub const fn relayed(&self) -> Option<Endpoint> {
        match self.state {
            State::Active { relayed, .. } => Some(relayed),
            _ => None,
        }
    }

    /// The client's address as the server sees it, while the allocation stands.
    pub const fn mapped(&self) -> Option<Endpoint> {
        match self.state {
            State::Active { mapped, .. } => Some(mapped),
            _ => None,
        }
    }

    /// Takes a datagram that came from `from`; `false` if it is nothing that this client's server would send it.
    pub fn handle_input(&mut self, now: Timestamp, from: Endpoint, bytes: &Bytes) -> bool {
        if from != self.config.server {
            return false;
        }
        if is_channel_data(bytes) {
            return self.channel_data(bytes);
        }
        let Ok(message) = Message::parse(bytes) else { return false };
        if message.has(AttributeType::FINGERPRINT) && !message.verify_fingerprint() {
            return false;
        }
        match (message.class(), message.method()) {
            (Class::Indication, Method::Data) => self.data_indication(&message, bytes),
            (Class::Success | Class::Error, _) => self.response(now, from, &message),
            _ => false,
        }
    }

    /// Retransmits, gives up and refreshes what is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.transactions.handle_timeout(now);
        while let Some(request) = self.transactions.poll_expired() {
            let failure = if request.discarded { Failure::IntegrityViolated } else { Failure::Timeout };
            self.rtos.note(now, self.config.server.ip, None);
            self.fail(request.purpose, failure);
        }
        if let State::Active { refresh, .. } = &mut self.state {
            if refresh.is_some_and(|due| due <= now) {
                *refresh = None;
                self.request(now, Purpose::Refresh);
            }
            self.refresh_peers(now);
        }
    }

    /// Takes a hard ICMP error about something sent to the server: what is under way has failed.
    pub fn handle_unreachable(&mut self) {
        for request in self.transactions.give_up() {
            self.fail(request.purpose, Failure::Unreachable);
        }
    }

    /// Gives the allocation up: a Refresh with lifetime 0 (RFC 8656 section 8). [`Event::Closed`] follows.
    pub fn close(&mut self, now: Timestamp) {
        match &mut self.state {
            State::Allocating { closing } => *closing = true,
            State::Active { .. } => {
                self.let_go();
                self.state = State::Closing;
                self.request(now, Purpose::Delete);
            }
            State::Closing | State::Over => {}
        }
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transactions.poll_transmit().or_else(|| self.transmits.pop_front())
    }

    /// The next thing to tell.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` when the allocation is no more.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let refresh = match self.state {
            State::Active { refresh, .. } => refresh,
            _ => None,
        };
        let permissions = self.permissions.values().filter_map(Permission::refresh);
        let channels = self.channels.values().filter_map(Channel::refresh);
        self.transactions.poll_timeout().into_iter().chain(refresh).chain(permissions).chain(channels).min()
    }

    /// Ends all that depends on the allocation.
    fn let_go(&mut self) {
        self.transactions.retain(|_| false);
        self.permissions.clear();
        self.channels.clear();
        self.numbers.clear();
    }
}

#[cfg(test)]
mod tests;
