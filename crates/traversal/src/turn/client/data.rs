//! Permissions, channels, and the data that goes through them, client side (RFC 8656 sections 9 to 12).

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use natbed_packet::{Endpoint, Timestamp};

use super::{Client, Event, Failure, Purpose, SendError, State};
use crate::Transmit;
use crate::stun::{Attribute, AttributeType, Builder, Class, Message, Method, TransactionId};
use crate::turn::MAX_DATA;
use crate::turn::channel::{CHANNEL_LIFETIME, CHANNEL_NUMBERS, ChannelData};

/// Permissions last 5 minutes (RFC 8656 section 9); a refresh may take 39.5 s.
const PERMISSION_REFRESH: Duration = Duration::from_secs(240);
/// Channels last 10 minutes, of which the last is left for a refresh that may take 39.5 s.
const CHANNEL_REFRESH: Duration = CHANNEL_LIFETIME.saturating_sub(Duration::from_secs(60));
/// Datagrams that wait for a permission; what comes after them is refused.
const MAX_QUEUED: usize = 64;

/// What the client knows of the permission for an address.
#[derive(Clone, Debug, Default)]
pub(super) struct Permission {
    standing: Standing,
    queue: Vec<(Endpoint, Bytes)>,
}

/// What the client knows of the channel for a peer. Its number stays the peer's, so that no number is bound to another
/// peer, nor a peer to another number, which would have to wait for 5 minutes (RFC 8656 section 12).
#[derive(Clone, Debug)]
pub(super) struct Channel {
    pub(super) number: u16,
    standing: Standing,
}

/// How far a permission or channel is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standing {
    /// To be asked for once there is an allocation.
    #[default]
    Wanted,
    /// Asked for.
    Asked,
    /// It stands; a refresh is due then, or under way.
    Stands { refresh: Option<Timestamp> },
    /// The server does not want it.
    Refused,
}

impl Standing {
    const fn stands(self) -> bool {
        matches!(self, Self::Stands { .. })
    }

    const fn refresh(self) -> Option<Timestamp> {
        match self {
            Self::Stands { refresh } => refresh,
            _ => None,
        }
    }

    /// Whether a refresh is due, which is then taken to be under way.
    fn take_due(&mut self, now: Timestamp) -> bool {
        let due = self.refresh().is_some_and(|refresh| refresh <= now);
        if due {
            *self = Self::Stands { refresh: None };
        }
        due
    }
}

impl Permission {
    pub(super) fn refresh(&self) -> Option<Timestamp> {
        self.standing.refresh()
    }
}

impl Channel {
    pub(super) fn refresh(&self) -> Option<Timestamp> {
        self.standing.refresh()
    }
}

impl Client {
    /// Sends `payload` to `peer` from the relayed address: as ChannelData if a channel is bound, else in a Send
    /// indication. Waits for the allocation and for a permission, which it asks for, where there is none yet.
    ///
    /// # Errors
    ///
    /// A [`SendError`] says why the payload is not taken.
    pub fn send(&mut self, now: Timestamp, peer: Endpoint, payload: &Bytes) -> Result<(), SendError> {
        if payload.len() > MAX_DATA {
            return Err(SendError::TooLong);
        }
        self.permit(now, peer.ip)?;
        if let Some(number) = self.bound_channel(peer) {
            self.send_channel_data(number, payload);
            return Ok(());
        }
        let permission = self.permissions.entry(peer.ip).or_default();
        if permission.standing.stands() {
            self.send_indication(peer, payload);
        } else if permission.queue.len() < MAX_QUEUED {
            permission.queue.push((peer, payload.clone()));
        } else {
            return Err(SendError::QueueFull);
        }
        Ok(())
    }

    /// Sees to it that peers at the address `peer` can send to the relayed address (RFC 8656 section 10).
    ///
    /// # Errors
    ///
    /// A [`SendError`] says why that cannot be.
    pub fn permit(&mut self, now: Timestamp, peer: IpAddr) -> Result<(), SendError> {
        let active = self.check_peer(peer)?;
        let permission = self.permissions.entry(peer).or_default();
        match permission.standing {
            Standing::Refused => Err(SendError::Refused),
            Standing::Wanted if active => {
                permission.standing = Standing::Asked;
                self.request(now, Purpose::Permission(peer));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Binds a channel to `peer` (RFC 8656 section 12), which saves 32 octets or more with every datagram.
    ///
    /// # Errors
    ///
    /// A [`SendError`] says why that cannot be.
    pub fn bind_channel(&mut self, now: Timestamp, peer: Endpoint) -> Result<(), SendError> {
        self.permit(now, peer.ip)?;
        let active = self.check_peer(peer.ip)?;
        if !self.channels.contains_key(&peer) {
            let last = self.numbers.last_key_value().map(|(&number, _)| number);
            let number = last.map_or(*CHANNEL_NUMBERS.start(), |last| last + 1);
            if !CHANNEL_NUMBERS.contains(&number) {
                return Err(SendError::NoChannel);
            }
            self.channels.insert(peer, Channel { number, standing: Standing::Wanted });
            self.numbers.insert(number, peer);
        }
        match self.channels.get_mut(&peer) {
            Some(channel) if channel.standing == Standing::Refused => Err(SendError::Refused),
            Some(channel) if active && channel.standing == Standing::Wanted => {
                channel.standing = Standing::Asked;
                self.request(now, Purpose::Channel(peer));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The channel that is bound to `peer`.
    pub fn bound_channel(&self, peer: Endpoint) -> Option<u16> {
        self.channels.get(&peer).filter(|channel| channel.standing.stands()).map(|channel| channel.number)
    }

    /// Whether there is an allocation yet, if there is hope for one that reaches `peer`.
    fn check_peer(&self, peer: IpAddr) -> Result<bool, SendError> {
        let active = match self.state {
            State::Allocating { closing: false } => false,
            State::Active { .. } => true,
            _ => return Err(SendError::NoAllocation),
        };
        let family = natbed_packet::Family::of(peer);
        if family == self.config.family { Ok(active) } else { Err(SendError::Family) }
    }

    /// Asks for what was wanted before there was an allocation.
    pub(super) fn ask_for_peers(&mut self, now: Timestamp) {
        for peer in self.permissions.keys().copied().collect::<Vec<_>>() {
            self.permissions.entry(peer).or_default().standing = Standing::Asked;
            self.request(now, Purpose::Permission(peer));
        }
        for peer in self.channels.keys().copied().collect::<Vec<_>>() {
            if let Some(channel) = self.channels.get_mut(&peer) {
                channel.standing = Standing::Asked;
            }
            self.request(now, Purpose::Channel(peer));
        }
    }

    /// Refreshes the permissions and channels that are due.
    pub(super) fn refresh_peers(&mut self, now: Timestamp) {
        let permissions = self.permissions.iter_mut().filter_map(|(&peer, permission)| {
            permission.standing.take_due(now).then_some(Purpose::Permission(peer))
        });
        let channels = self
            .channels
            .iter_mut()
            .filter_map(|(&peer, channel)| channel.standing.take_due(now).then_some(Purpose::Channel(peer)));
        for purpose in permissions.chain(channels).collect::<Vec<_>>() {
            self.request(now, purpose);
        }
    }

    pub(super) fn permission_installed(&mut self, now: Timestamp, peer: IpAddr) {
        let Some(permission) = self.permissions.get_mut(&peer) else { return };
        let first = !permission.standing.stands();
        permission.standing = Standing::Stands { refresh: Some(now + PERMISSION_REFRESH) };
        for (peer, payload) in std::mem::take(&mut permission.queue) {
            self.send_indication(peer, &payload);
        }
        if first {
            self.events.push_back(Event::PermissionInstalled(peer));
        }
    }

    /// Forgets a permission that got no answer, so that it can be asked for again, and remembers one that was refused.
    pub(super) fn permission_failed(&mut self, peer: IpAddr, failure: Failure) {
        if matches!(failure, Failure::Rejected { .. }) {
            self.permissions.insert(peer, Permission { standing: Standing::Refused, queue: Vec::new() });
        } else {
            self.permissions.remove(&peer);
        }
        self.events.push_back(Event::PermissionFailed { peer, failure });
    }

    pub(super) fn channel_bound(&mut self, now: Timestamp, peer: Endpoint) {
        let Some(channel) = self.channels.get_mut(&peer) else { return };
        let first = !channel.standing.stands();
        channel.standing = Standing::Stands { refresh: Some(now + CHANNEL_REFRESH) };
        if first {
            self.events.push_back(Event::ChannelBound { peer, number: channel.number });
        }
    }

    pub(super) fn channel_failed(&mut self, peer: Endpoint, failure: Failure) {
        if let Some(channel) = self.channels.get_mut(&peer) {
            let refused = matches!(failure, Failure::Rejected { .. });
            channel.standing = if refused { Standing::Refused } else { Standing::Wanted };
        }
        self.events.push_back(Event::ChannelFailed { peer, failure });
    }

    /// Takes ChannelData, also before the channel is known to be bound: "the client SHOULD be prepared to receive
    /// ChannelData messages on the channel from the server as soon as it has sent the ChannelBind request" (RFC 8656
    /// section 12).
    pub(super) fn channel_data(&mut self, bytes: &Bytes) -> bool {
        let Some(message) = ChannelData::parse(bytes) else { return false };
        let Some(&peer) = self.numbers.get(&message.number) else { return false };
        self.received(peer, bytes.slice_ref(message.data))
    }

    /// Takes a Data indication (RFC 8656 sections 11.4 and 11.6).
    pub(super) fn data_indication(&mut self, message: &Message<'_>, bytes: &Bytes) -> bool {
        let Some(peer) = message.xor_peer_address() else { return false };
        if !message.unknown_required().is_empty() {
            return false;
        }
        if let Some(data) = message.data() {
            return self.received(peer, bytes.slice_ref(data));
        }
        match message.attribute(AttributeType::ICMP) {
            Some(Attribute::Icmp { icmp_type, code, data }) if self.expects(peer.ip) => {
                self.events.push_back(Event::PeerError { peer, icmp_type, code, data });
                true
            }
            _ => false,
        }
    }

    /// Hands on data from an address that the client has asked a permission for, and no other: "The client SHOULD also
    /// check that the XOR-PEER-ADDRESS attribute value contains an IP address with which the client believes there is an
    /// active permission" (RFC 8656 section 11.4).
    fn received(&mut self, peer: Endpoint, payload: Bytes) -> bool {
        let expected = self.expects(peer.ip);
        if expected {
            self.events.push_back(Event::Received { peer, payload });
        }
        expected
    }

    /// Whether there may be a permission for `peer` at the server.
    fn expects(&self, peer: IpAddr) -> bool {
        let permission = self.permissions.get(&peer);
        permission.is_some_and(|permission| {
            matches!(permission.standing, Standing::Asked | Standing::Stands { .. })
        })
    }

    fn send_channel_data(&mut self, number: u16, data: &[u8]) {
        let mut buffer = std::mem::take(&mut self.buffer);
        if (ChannelData { number, data }).write(&mut buffer) {
            self.transmits.push_back(Transmit::new(self.config.local, self.config.server, &buffer));
        }
        self.buffer = buffer;
    }

    fn send_indication(&mut self, peer: Endpoint, data: &[u8]) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let id = TransactionId::random(&mut self.rng);
        Builder::new(&mut buffer, Class::Indication, Method::Send, id)
            .attribute(Attribute::XorPeerAddress(peer))
            .attribute(Attribute::Data(data));
        self.transmits.push_back(Transmit::new(self.config.local, self.config.server, &buffer));
        self.buffer = buffer;
    }
}
