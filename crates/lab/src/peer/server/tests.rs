use std::time::Duration;

use bytes::Bytes;
use natbed_net::stream::stream;
use natbed_packet::Family;
use natbed_traversal::stun::{Attribute, Builder, Class, Method, Schedule, TransactionId};
use natbed_traversal::turn::client;

use super::*;
use crate::scenario::parse;

const CLIENT: Endpoint = Endpoint::v4(203, 0, 113, 1, 5000);
const PEER: Endpoint = Endpoint::v4(203, 0, 113, 2, 6000);

/// A server, and a client with an allocation and a permission for [`PEER`].
fn allocated() -> (TurnPeer, client::Client, Endpoint) {
    let scenario = parse(b"format = 1\n[turn.t]\n").unwrap();
    let credentials = Credentials { user: "u".into(), password: "p".into() };
    let spec = &scenario.servers[0];
    let mut server = TurnPeer::new(spec, &credentials, None, None, stream(1, "t", "server"));
    let config = client::Config {
        server: Endpoint::new(spec.addresses[0], spec.ports[0]),
        local: CLIENT,
        username: credentials.user,
        password: credentials.password,
        family: Family::V4,
        schedule: Schedule::default(),
    };
    let mut client = client::Client::new(Timestamp::ZERO, config, stream(1, "c", "client"));
    client.permit(Timestamp::ZERO, PEER.ip).unwrap();
    loop {
        while let Some(transmit) = client.poll_transmit() {
            let datagram = Datagram::udp(transmit.from, transmit.to, transmit.payload);
            server.handle_input(Timestamp::ZERO, Input::Datagram(datagram));
        }
        let mut idle = true;
        while let Some(output) = server.poll_transmit() {
            if let Output::Send(Datagram { transport: Transport::Udp(udp), .. }) = output {
                client.handle_input(Timestamp::ZERO, client.server(), &udp.payload);
                idle = false;
            }
        }
        if idle {
            let relayed = client.relayed().unwrap();
            return (server, client, relayed);
        }
    }
}

fn relayed_by(server: &mut TurnPeer, datagram: Datagram) -> Datagram {
    server.handle_input(Timestamp::ZERO + Duration::from_secs(1), Input::Datagram(datagram));
    match server.poll_transmit() {
        Some(Output::Relay(datagram)) => datagram,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rfc8656_14_dscp_and_ecn_are_carried_on_and_the_hop_limit_is_the_servers() {
    let (mut server, mut client, relayed) = allocated();
    client.send(Timestamp::ZERO, PEER, &Bytes::from_static(b"out")).unwrap();
    let out = client.poll_transmit().unwrap();
    let out = Datagram::udp(out.from, out.to, out.payload);
    let back = Datagram::udp(PEER, relayed, Bytes::from_static(b"back"));
    for traffic_class in [0, 0b1011_1000, 0b0000_0011] {
        for datagram in [&out, &back] {
            let datagram = Datagram { traffic_class, hop_limit: 3, ..datagram.clone() };
            let relayed = relayed_by(&mut server, datagram);
            assert_eq!((relayed.traffic_class, relayed.hop_limit), (traffic_class, 64));
        }
    }
}

#[test]
fn rfc8656_14_the_df_bit_is_copied_and_dont_fragment_sets_it() {
    let (mut server, client, relayed) = allocated();
    let send = |dont_fragment: bool| {
        let mut buffer = Vec::new();
        let mut indication =
            Builder::new(&mut buffer, Class::Indication, Method::Send, TransactionId([7; 12]));
        indication.attribute(Attribute::XorPeerAddress(PEER));
        if dont_fragment {
            indication.attribute(Attribute::DontFragment);
        }
        indication.attribute(Attribute::Data(b"out"));
        Datagram::udp(CLIENT, client.server(), buffer.into())
    };
    for (asked, came, expected) in
        [(false, false, false), (false, true, true), (true, false, true), (true, true, true)]
    {
        let relayed = relayed_by(&mut server, Datagram { dont_fragment: came, ..send(asked) });
        assert_eq!(relayed.dont_fragment, expected, "{asked} {came}");
    }
    for came in [false, true] {
        let back = Datagram::udp(PEER, relayed, Bytes::from_static(b"back"));
        let relayed = relayed_by(&mut server, Datagram { dont_fragment: came, ..back });
        assert_eq!(relayed.dont_fragment, came);
    }
}
