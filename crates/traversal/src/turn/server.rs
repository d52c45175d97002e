//! The TURN server: UDP to clients, UDP to peers, long-term credentials (RFC 8656).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use bytes::Bytes;
use natbed_packet::{Endpoint, Family, IcmpErrorKind, Prefix, Timestamp};
use rand::Rng;
use rand_xoshiro::Xoshiro256PlusPlus;
use rustc_hash::FxHashMap;

use super::allocation::{Allocation, UserId};
use super::ports::Ports;
use super::{ClientSocket, FiveTuple, PeerSocket, RelayedAddress, index};
use crate::stun::integrity::Secret;
use crate::stun::{AttributeType, BindingServer, Class, Message, Method, is_channel_data};

mod allocate;
mod auth;
mod data;
mod respond;

use auth::Keys;
use respond::{Rejection, Success};

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where usernames are valid (RFC 8489 section 9.2).
    pub realm: String,
    /// The IPv4 address that relayed addresses are on; without it the family is refused with 440.
    pub relay_v4: Option<Ipv4Addr>,
    /// The IPv6 address that relayed addresses are on; without it the family is refused with 440.
    pub relay_v6: Option<Ipv6Addr>,
    /// How many allocations a username may have at a time; more are refused with 486.
    pub quota: u32,
    /// The longest lifetime that is granted. "It is RECOMMENDED that the server use a maximum allowed lifetime value of
    /// no more than 3600 seconds" (RFC 8656 section 7.2).
    pub max_lifetime: Duration,
    /// How long a nonce is good. The server "SHOULD expire the nonce at least once every hour" (RFC 8656 section 5).
    pub nonce_lifetime: Duration,
    /// Whether clients may choose SHA-256 for keys and integrity, and hash their usernames (RFC 8489 section 9.2); those
    /// who do not choose are served with MD5 and SHA-1 as before.
    pub sha256: bool,
    /// Servers that clients are sent on to with 300 instead of being served, one for each family at most (RFC 8656 section
    /// 7.2, RFC 8489 section 10).
    pub alternates: Vec<Endpoint>,
    /// Peers that nothing is relayed to or from; asking for them gives 403 (RFC 8656 sections 10.2 and 12.2).
    pub denied_peers: Vec<Prefix>,
}

impl Config {
    /// A server for `realm` that relays on `relay` and serves clients itself: 100 allocations a username, an hour at most
    /// for lifetimes and nonces, no SHA-256, all peers.
    pub fn new(realm: impl Into<String>, relay: IpAddr) -> Self {
        let hour = Duration::from_secs(3600);
        let (relay_v4, relay_v6) = match relay {
            IpAddr::V4(ip) => (Some(ip), None),
            IpAddr::V6(ip) => (None, Some(ip)),
        };
        Self {
            realm: realm.into(),
            relay_v4,
            relay_v6,
            quota: 100,
            max_lifetime: hour,
            nonce_lifetime: hour,
            sha256: false,
            alternates: Vec::new(),
            denied_peers: Vec::new(),
        }
    }

    fn relay_address(&self, family: Family) -> Option<IpAddr> {
        match family {
            Family::V4 => self.relay_v4.map(IpAddr::V4),
            Family::V6 => self.relay_v6.map(IpAddr::V6),
        }
    }
}

/// A TURN server, which answers plain Binding requests too.
///
/// Feed it with [`handle_client`](Self::handle_client), [`handle_peer`](Self::handle_peer) and
/// [`handle_peer_error`](Self::handle_peer_error), wake it at [`poll_timeout`](Self::poll_timeout), and drain
/// [`poll_effect`](Self::poll_effect) after each of these.
#[derive(Clone, Debug)]
pub struct Server {
    config: Config,
    rng: Xoshiro256PlusPlus,
    /// Makes nonces recognisable, so that none needs to be kept.
    secret: Secret,
    names: BTreeMap<String, UserId>,
    /// Users by USERHASH.
    hashes: BTreeMap<[u8; 32], UserId>,
    users: Vec<User>,
    allocations: Vec<Option<Allocation>>,
    vacant: Vec<AllocationId>,
    by_tuple: FxHashMap<FiveTuple, AllocationId>,
    by_relayed: FxHashMap<RelayedAddress, AllocationId>,
    ports: [Ports; 2],
    reservations: BTreeMap<[u8; 8], Reservation>,
    timers: BTreeSet<(Timestamp, Timer)>,
    effects: VecDeque<Effect>,
    buffer: Vec<u8>,
}

/// What a server does. The order counts: a relayed address is bound before anything is sent from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send to a client.
    ToClient {
        /// The server's endpoint.
        from: Endpoint,
        /// The client.
        to: ClientSocket,
        /// The data.
        payload: Bytes,
    },
    /// Send to a peer.
    ToPeer {
        /// The client's relayed address.
        from: RelayedAddress,
        /// The peer.
        to: PeerSocket,
        /// The data.
        payload: Bytes,
        /// Whether the client asked for DF to be set (RFC 8656 section 14).
        dont_fragment: bool,
    },
    /// From now on, what arrives at this address is the server's.
    Bind(RelayedAddress),
    /// No longer.
    Unbind(RelayedAddress),
    /// A datagram has been discarded.
    Discard {
        /// Where it came from.
        from: Endpoint,
        /// Where it arrived.
        to: Endpoint,
        /// Why.
        reason: DiscardReason,
    },
}

/// Why a server discards a datagram instead of relaying or answering it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiscardReason {
    /// It is neither STUN nor ChannelData, or not whole.
    Malformed,
    /// It is STUN, but nothing that a server has an answer to.
    Unexpected,
    /// There is no allocation for the 5-tuple, or none at the relayed address (RFC 8656 section 5).
    NoAllocation,
    /// The allocation has no permission for the peer's address (RFC 8656 section 9).
    NoPermission,
    /// The channel is not bound (RFC 8656 section 12.6).
    NoChannel,
    /// It would be too long for a message once wrapped.
    TooLong,
}

type AllocationId = u32;

#[derive(Clone, Debug)]
struct User {
    keys: Keys,
    allocations: u32,
}

/// A port held for whoever has the token (RFC 8656 section 7.2).
#[derive(Clone, Copy, Debug)]
struct Reservation {
    address: RelayedAddress,
    expires: Timestamp,
}

/// What runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A relayed address of an allocation: the time-to-expiry of RFC 8656 section 6.
    Relay(AllocationId, Family),
    /// A permission, 300 s after it was last installed.
    Permission(AllocationId, IpAddr),
    /// A channel binding, 600 s after it was last bound.
    Channel(AllocationId, u16),
    /// A reserved port that nobody has claimed.
    Reservation([u8; 8]),
}

impl Server {
    /// A server without users.
    pub fn new(config: Config, mut rng: Xoshiro256PlusPlus) -> Self {
        let mut secret = [0; 20];
        rng.fill_bytes(&mut secret);
        Self {
            config,
            rng,
            secret: Secret::new(&secret),
            names: BTreeMap::new(),
            hashes: BTreeMap::new(),
            users: Vec::new(),
            allocations: Vec::new(),
            vacant: Vec::new(),
            by_tuple: FxHashMap::default(),
            by_relayed: FxHashMap::default(),
            ports: [Ports::new(), Ports::new()],
            reservations: BTreeMap::new(),
            timers: BTreeSet::new(),
            effects: VecDeque::new(),
            buffer: Vec::new(),
        }
    }

    /// How many allocations there are.
    pub fn allocation_count(&self) -> usize {
        self.by_tuple.len()
    }

    /// Takes a datagram that a client sent to the server's endpoint `local`.
    pub fn handle_client(&mut self, now: Timestamp, local: Endpoint, client: ClientSocket, bytes: &Bytes) {
        self.handle_timeout(now);
        let tuple = FiveTuple { server: local, client };
        let outcome = if is_channel_data(bytes) {
            self.channel_data_from_client(tuple, bytes)
        } else {
            self.message_from_client(now, tuple, bytes)
        };
        if let Err(reason) = outcome {
            self.effects.push_back(Effect::Discard { from: client.0, to: local, reason });
        }
    }

    /// Takes a datagram that `peer` sent to a relayed address.
    pub fn handle_peer(&mut self, now: Timestamp, relayed: RelayedAddress, peer: PeerSocket, payload: &[u8]) {
        self.handle_timeout(now);
        if let Err(reason) = self.data_from_peer(relayed, peer, payload) {
            self.effects.push_back(Effect::Discard { from: peer.0, to: relayed.0, reason });
        }
    }

    /// Takes an ICMP error about a datagram that went from a relayed address to `peer` (RFC 8656 section 11.5).
    pub fn handle_peer_error(
        &mut self,
        now: Timestamp,
        relayed: RelayedAddress,
        peer: PeerSocket,
        error: IcmpErrorKind,
    ) {
        self.handle_timeout(now);
        if let Err(reason) = self.error_from_peer(relayed, peer, error) {
            self.effects.push_back(Effect::Discard { from: peer.0, to: relayed.0, reason });
        }
    }

    /// Lets go of what has expired.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        while let Some((deadline, timer)) = self.timers.first().copied() {
            if deadline > now {
                return;
            }
            self.timers.pop_first();
            match timer {
                Timer::Relay(id, family) => self.remove_relay(id, family),
                Timer::Permission(id, peer) => self.allocation_mut(id).permissions.remove(peer),
                Timer::Channel(id, number) => self.allocation_mut(id).channels.unbind(number),
                Timer::Reservation(token) => {
                    if let Some(reservation) = self.reservations.remove(&token) {
                        self.give_back(reservation.address);
                    }
                }
            }
        }
    }

    /// The next thing to do.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` when nothing can expire.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.timers.first().map(|&(deadline, _)| deadline)
    }

    fn message_from_client(
        &mut self,
        now: Timestamp,
        tuple: FiveTuple,
        bytes: &Bytes,
    ) -> Result<(), DiscardReason> {
        let message = Message::parse(bytes).map_err(|_| DiscardReason::Malformed)?;
        if message.has(AttributeType::FINGERPRINT) && !message.verify_fingerprint() {
            return Err(DiscardReason::Malformed);
        }
        match (message.class(), message.method()) {
            (Class::Request, Method::Binding) => {
                let response = BindingServer::new(tuple.server).handle(tuple.server, tuple.client.0, bytes);
                let response = response.ok_or(DiscardReason::Unexpected)?;
                let to = ClientSocket(response.to);
                self.effects.push_back(Effect::ToClient {
                    from: response.from,
                    to,
                    payload: response.payload,
                });
                Ok(())
            }
            (
                Class::Request,
                Method::Allocate | Method::Refresh | Method::CreatePermission | Method::ChannelBind,
            ) => {
                self.request(now, tuple, &message);
                Ok(())
            }
            // A keepalive: "No response is generated for an indication" (RFC 8489 section 6.3.2).
            (Class::Indication, Method::Binding) => Ok(()),
            (Class::Indication, Method::Send) => self.send_indication(tuple, &message, bytes),
            _ => Err(DiscardReason::Unexpected),
        }
    }

    /// Carries out a request and answers it.
    fn request(&mut self, now: Timestamp, tuple: FiveTuple, request: &Message<'_>) {
        let requester = match self.authenticate(now, tuple, request) {
            Ok(requester) => requester,
            Err(rejection) => return self.reject(now, tuple, request, None, &rejection),
        };
        match self.execute(now, tuple, requester.user, request) {
            Ok(success) => self.succeed(now, tuple, request, requester, &success),
            Err(rejection) => self.reject(now, tuple, request, Some(requester), &rejection),
        }
    }

    fn execute(
        &mut self,
        now: Timestamp,
        tuple: FiveTuple,
        user: UserId,
        request: &Message<'_>,
    ) -> Result<Success, Rejection> {
        let unknown = request.unknown_required();
        if !unknown.is_empty() {
            return Err(Rejection::UnknownAttributes(unknown));
        }
        if request.method() == Method::Allocate {
            return self.allocate(now, tuple, user, request);
        }
        let &id = self.by_tuple.get(&tuple).ok_or(Rejection::ALLOCATION_MISMATCH)?;
        if self.allocation(id).user != user {
            return Err(Rejection::WRONG_CREDENTIALS);
        }
        match request.method() {
            Method::Refresh => self.refresh(now, id, request),
            Method::CreatePermission => self.create_permission(now, id, request),
            _ => self.channel_bind(now, id, request),
        }
    }

    fn user(&self, UserId(id): UserId) -> &User {
        &self.users[id as usize]
    }

    fn user_mut(&mut self, UserId(id): UserId) -> &mut User {
        &mut self.users[id as usize]
    }

    /// The allocation `id`, which is there as long as an index or a timer names it.
    fn allocation(&self, id: AllocationId) -> &Allocation {
        self.allocations[id as usize].as_ref().expect("indexes and timers go with their allocation")
    }

    fn allocation_mut(&mut self, id: AllocationId) -> &mut Allocation {
        self.allocations[id as usize].as_mut().expect("indexes and timers go with their allocation")
    }

    /// Sets the clock of `timer` to `expires` instead of `before`.
    fn set_timer(&mut self, timer: Timer, before: Option<Timestamp>, expires: Timestamp) {
        if let Some(before) = before {
            self.timers.remove(&(before, timer));
        }
        self.timers.insert((expires, timer));
    }

    fn give_back(&mut self, address: RelayedAddress) {
        self.ports[index(address.0.family())].give_back(address.0.port);
    }
}

#[cfg(test)]
mod tests;
