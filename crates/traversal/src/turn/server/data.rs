//! Permissions, channels, and the data that goes through them (RFC 8656 sections 9 to 12).

use std::collections::BTreeSet;
use std::net::IpAddr;

use bytes::Bytes;
use natbed_packet::{Family, IcmpErrorKind, Timestamp};

use super::{AllocationId, DiscardReason, Effect, Rejection, Server, Success, Timer};
use crate::stun::{Attribute, AttributeType, Builder, Class, Message, Method, TransactionId};
use crate::turn::channel::{CHANNEL_LIFETIME, CHANNEL_NUMBERS, ChannelData};
use crate::turn::permission::PERMISSION_LIFETIME;
use crate::turn::{FiveTuple, MAX_DATA, PeerSocket, RelayedAddress};

impl Server {
    /// Carries out a CreatePermission request (RFC 8656 section 10.2).
    pub(super) fn create_permission(
        &mut self,
        now: Timestamp,
        id: AllocationId,
        request: &Message<'_>,
    ) -> Result<Success, Rejection> {
        let peers = peer_addresses(request).ok_or(Rejection::BAD_REQUEST)?;
        for &peer in &peers {
            self.check_peer(id, peer)?;
        }
        let permissions = &self.allocation(id).permissions;
        let more = peers.iter().filter(|&&peer| !permissions.contains(peer)).count();
        if !permissions.has_room(more) {
            return Err(Rejection::INSUFFICIENT_CAPACITY);
        }
        for peer in peers {
            self.install_permission(now, id, peer);
        }
        Ok(Success::Done)
    }

    /// Carries out a ChannelBind request (RFC 8656 section 12.2).
    pub(super) fn channel_bind(
        &mut self,
        now: Timestamp,
        id: AllocationId,
        request: &Message<'_>,
    ) -> Result<Success, Rejection> {
        let (Some(number), Some(peer)) = (request.channel_number(), request.xor_peer_address()) else {
            return Err(Rejection::BAD_REQUEST);
        };
        let allocation = self.allocation(id);
        let socket = PeerSocket(peer);
        if !CHANNEL_NUMBERS.contains(&number) || !allocation.channels.permits(number, socket) {
            return Err(Rejection::BAD_REQUEST);
        }
        self.check_peer(id, peer.ip)?;
        let permissions = &self.allocation(id).permissions;
        if !permissions.contains(peer.ip) && !permissions.has_room(1) {
            return Err(Rejection::INSUFFICIENT_CAPACITY);
        }
        let expires = now + CHANNEL_LIFETIME;
        let before = self.allocation_mut(id).channels.bind(number, socket, expires);
        self.set_timer(Timer::Channel(id, number), before, expires);
        self.install_permission(now, id, peer.ip);
        Ok(Success::Done)
    }

    /// Relays a Send indication (RFC 8656 section 11.2).
    pub(super) fn send_indication(
        &mut self,
        tuple: FiveTuple,
        message: &Message<'_>,
        bytes: &Bytes,
    ) -> Result<(), DiscardReason> {
        let &id = self.by_tuple.get(&tuple).ok_or(DiscardReason::NoAllocation)?;
        let (Some(peer), Some(data)) = (message.xor_peer_address(), message.data()) else {
            return Err(DiscardReason::Malformed);
        };
        if !message.unknown_required().is_empty() {
            return Err(DiscardReason::Unexpected);
        }
        let dont_fragment = message.has(AttributeType::DONT_FRAGMENT);
        self.relay_to_peer(id, PeerSocket(peer), bytes.slice_ref(data), dont_fragment)
    }

    /// Relays ChannelData, which refreshes neither channel nor permission (RFC 8656 section 12.6).
    pub(super) fn channel_data_from_client(
        &mut self,
        tuple: FiveTuple,
        bytes: &Bytes,
    ) -> Result<(), DiscardReason> {
        let message = ChannelData::parse(bytes).ok_or(DiscardReason::Malformed)?;
        let &id = self.by_tuple.get(&tuple).ok_or(DiscardReason::NoAllocation)?;
        let peer = self.allocation(id).channels.peer(message.number).ok_or(DiscardReason::NoChannel)?;
        self.relay_to_peer(id, peer, bytes.slice_ref(message.data), false)
    }

    /// Relays what a peer sent: as ChannelData if a channel is bound to it, else in a Data indication (RFC 8656 section
    /// 11.3).
    pub(super) fn data_from_peer(
        &mut self,
        relayed: RelayedAddress,
        peer: PeerSocket,
        data: &[u8],
    ) -> Result<(), DiscardReason> {
        let id = self.permitted(relayed, peer)?;
        let Some(number) = self.allocation(id).channels.number(peer) else {
            if data.len() > MAX_DATA {
                return Err(DiscardReason::TooLong);
            }
            self.data_indication(id, peer, Attribute::Data(data));
            return Ok(());
        };
        let mut buffer = std::mem::take(&mut self.buffer);
        let fits = ChannelData { number, data }.write(&mut buffer);
        let sent = fits.then(|| self.send_to_client(id, &buffer)).ok_or(DiscardReason::TooLong);
        self.buffer = buffer;
        sent
    }

    /// Passes an ICMP error on in a Data indication, even where a channel is bound (RFC 8656 sections 11.5 and 12.5).
    pub(super) fn error_from_peer(
        &mut self,
        relayed: RelayedAddress,
        peer: PeerSocket,
        error: IcmpErrorKind,
    ) -> Result<(), DiscardReason> {
        let (icmp_type, code, data) = icmp(peer.0.family(), error);
        let relayed_types: &[u8] = match peer.0.family() {
            Family::V4 => &[3, 11],
            Family::V6 => &[1, 2, 3],
        };
        if !relayed_types.contains(&icmp_type) {
            return Err(DiscardReason::Unexpected);
        }
        let id = self.permitted(relayed, peer)?;
        self.data_indication(id, peer, Attribute::Icmp { icmp_type, code: code.into(), data });
        Ok(())
    }

    /// Whether an allocation may have anything to do with `peer`.
    fn check_peer(&self, id: AllocationId, peer: IpAddr) -> Result<(), Rejection> {
        if self.allocation(id).relay(Family::of(peer)).is_none() {
            return Err(Rejection::PEER_FAMILY_MISMATCH);
        }
        if self.config.denied_peers.iter().any(|denied| denied.contains(peer)) {
            return Err(Rejection::FORBIDDEN);
        }
        Ok(())
    }

    fn install_permission(&mut self, now: Timestamp, id: AllocationId, peer: IpAddr) {
        let expires = now + PERMISSION_LIFETIME;
        let before = self.allocation_mut(id).permissions.install(peer, expires);
        self.set_timer(Timer::Permission(id, peer), before, expires);
    }

    fn relay_to_peer(
        &mut self,
        id: AllocationId,
        peer: PeerSocket,
        payload: Bytes,
        dont_fragment: bool,
    ) -> Result<(), DiscardReason> {
        let allocation = self.allocation(id);
        let relay = allocation.relay(peer.0.family()).ok_or(DiscardReason::NoPermission)?;
        if !allocation.permissions.contains(peer.0.ip) {
            return Err(DiscardReason::NoPermission);
        }
        self.effects.push_back(Effect::ToPeer { from: relay.address, to: peer, payload, dont_fragment });
        Ok(())
    }

    /// The allocation that `relayed` belongs to, if it has a permission for `peer`.
    fn permitted(&self, relayed: RelayedAddress, peer: PeerSocket) -> Result<AllocationId, DiscardReason> {
        let &id = self.by_relayed.get(&relayed).ok_or(DiscardReason::NoAllocation)?;
        let permitted = self.allocation(id).permissions.contains(peer.0.ip);
        permitted.then_some(id).ok_or(DiscardReason::NoPermission)
    }

    fn data_indication(&mut self, id: AllocationId, peer: PeerSocket, content: Attribute<'_>) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let transaction_id = TransactionId::random(&mut self.rng);
        Builder::new(&mut buffer, Class::Indication, Method::Data, transaction_id)
            .attribute(Attribute::XorPeerAddress(peer.0))
            .attribute(content);
        self.send_to_client(id, &buffer);
        self.buffer = buffer;
    }

    fn send_to_client(&mut self, id: AllocationId, message: &[u8]) {
        let tuple = self.allocation(id).tuple;
        let payload = Bytes::copy_from_slice(message);
        self.effects.push_back(Effect::ToClient { from: tuple.server, to: tuple.client, payload });
    }
}

/// The addresses in every XOR-PEER-ADDRESS, ports left out; `None` if there is none or one is malformed.
fn peer_addresses(request: &Message<'_>) -> Option<BTreeSet<IpAddr>> {
    let id = request.transaction_id();
    let mut peers = BTreeSet::new();
    for (kind, value) in request.raw_attributes() {
        if kind == AttributeType::XOR_PEER_ADDRESS {
            let Some(Attribute::XorPeerAddress(peer)) = Attribute::decode(kind, value, id) else {
                return None;
            };
            peers.insert(peer.ip);
        }
    }
    (!peers.is_empty()).then_some(peers)
}

/// Type, code and next-hop MTU of an error in the version of ICMP that goes with `family`.
fn icmp(family: Family, error: IcmpErrorKind) -> (u8, u8, u32) {
    let v4 = family == Family::V4;
    match error {
        IcmpErrorKind::NetworkUnreachable => (if v4 { 3 } else { 1 }, 0, 0),
        IcmpErrorKind::HostUnreachable => {
            if v4 {
                (3, 1, 0)
            } else {
                (1, 3, 0)
            }
        }
        IcmpErrorKind::PortUnreachable => {
            if v4 {
                (3, 3, 0)
            } else {
                (1, 4, 0)
            }
        }
        IcmpErrorKind::TooBig { mtu } => {
            if v4 {
                (3, 4, mtu.into())
            } else {
                (2, 0, mtu.into())
            }
        }
        IcmpErrorKind::AdministrativelyProhibited => {
            if v4 {
                (3, 13, 0)
            } else {
                (1, 1, 0)
            }
        }
        IcmpErrorKind::TimeExceeded => (if v4 { 11 } else { 3 }, 0, 0),
        IcmpErrorKind::Other { icmp_type, code } => (icmp_type, code, 0),
    }
}
