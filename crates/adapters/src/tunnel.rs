//! What goes through a stack's own TURN client (RFC 8656): the datagrams inside, as if they came from the relayed address.

use std::collections::BTreeMap;

use bytes::Bytes;
use natbed_packet::Endpoint;
use natbed_traversal::stun::{Class, Message, Method, is_channel_data, is_stun};
use natbed_traversal::turn::ChannelData;

use crate::stack::Packet;

/// The allocations and channels that were seen to be made, by socket and server.
#[derive(Debug, Default)]
pub(crate) struct Tunnels {
    relayed: BTreeMap<(Endpoint, Endpoint), Endpoint>,
    channels: BTreeMap<(Endpoint, Endpoint, u16), Endpoint>,
}

impl Tunnels {
    /// The datagram inside `packet`, or `packet` itself.
    pub(crate) fn look_inside(&mut self, packet: &Packet) -> Packet {
        self.inside(packet).unwrap_or_else(|| packet.clone())
    }

    fn inside(&mut self, packet: &Packet) -> Option<Packet> {
        let ends = (packet.local, packet.remote);
        if is_channel_data(&packet.payload) {
            let ChannelData { number, data } = ChannelData::parse(&packet.payload)?;
            let remote = *self.channels.get(&(ends.0, ends.1, number))?;
            return self.wrapped(ends, remote, packet.payload.slice_ref(data));
        }
        let message = is_stun(&packet.payload).then(|| Message::parse(&packet.payload).ok())??;
        match (message.class(), message.method()) {
            (Class::Success, Method::Allocate) => {
                self.relayed.insert(ends, message.xor_relayed_address()?);
                None
            }
            (Class::Request, Method::ChannelBind) => {
                let number = message.channel_number()?;
                self.channels.insert((ends.0, ends.1, number), message.xor_peer_address()?);
                None
            }
            (Class::Indication, Method::Send | Method::Data) => {
                let remote = message.xor_peer_address()?;
                self.wrapped(ends, remote, packet.payload.slice_ref(message.data()?))
            }
            _ => None,
        }
    }

    fn wrapped(&self, ends: (Endpoint, Endpoint), remote: Endpoint, payload: Bytes) -> Option<Packet> {
        Some(Packet { local: *self.relayed.get(&ends)?, remote, payload })
    }
}

#[cfg(test)]
mod tests {
    use natbed_traversal::stun::{Attribute, Builder, TransactionId};

    use super::*;

    const SOCKET: Endpoint = Endpoint::v4(192, 168, 1, 2, 5000);
    const SERVER: Endpoint = Endpoint::v4(198, 51, 100, 3, 3478);
    const RELAYED: Endpoint = Endpoint::v4(198, 51, 100, 3, 50_000);
    const PEER: Endpoint = Endpoint::v4(203, 0, 113, 9, 6000);

    fn packet(class: Class, method: Method, attributes: &[Attribute<'_>]) -> Packet {
        let mut bytes = Vec::new();
        let mut builder = Builder::new(&mut bytes, class, method, TransactionId([1; 12]));
        for attribute in attributes {
            builder.attribute(*attribute);
        }
        Packet { local: SOCKET, remote: SERVER, payload: bytes.into() }
    }

    #[test]
    fn indications_and_channel_data_are_seen_to_come_from_the_relayed_address() {
        let mut tunnels = Tunnels::default();
        let mut ends = |packet: &Packet| {
            let inside = tunnels.look_inside(packet);
            (inside.local, inside.remote, inside.payload)
        };
        let send = packet(
            Class::Indication,
            Method::Send,
            &[Attribute::XorPeerAddress(PEER), Attribute::Data(b"hello")],
        );
        assert_eq!(ends(&send).0, SOCKET, "there is no allocation yet");
        ends(&packet(Class::Success, Method::Allocate, &[Attribute::XorRelayedAddress(RELAYED)]));
        assert_eq!(ends(&send), (RELAYED, PEER, Bytes::from_static(b"hello")));

        let mut payload = Vec::new();
        ChannelData { number: 0x4001, data: b"again" }.write(&mut payload);
        let data = Packet { payload: payload.into(), ..send };
        assert_eq!(ends(&data).1, SERVER, "the channel is not bound");
        let bind = [Attribute::ChannelNumber(0x4001), Attribute::XorPeerAddress(PEER)];
        ends(&packet(Class::Request, Method::ChannelBind, &bind));
        assert_eq!(ends(&data), (RELAYED, PEER, Bytes::from_static(b"again")));
    }
}
