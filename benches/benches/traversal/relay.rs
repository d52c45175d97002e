//! A TURN server that relays.

use std::net::SocketAddr;

use bytes::Bytes;
use natbed_benches::Bench;
use natbed_packet::{Endpoint, Timestamp};
use natbed_traversal::stun::{
    Attribute, Builder, Class, Key, Message, Method, PasswordAlgorithm, TransactionId, userhash,
};
use natbed_traversal::turn::server::{Config, Effect, Server};
use natbed_traversal::turn::{ChannelData, ClientSocket, PeerSocket, RelayedAddress};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use stun_proto::Instant;
use stun_proto::agent::Transmit;
use turn_server_proto::api::{TurnServerApi, TurnServerPollRet};
use turn_server_proto::server::TurnServer;
use turn_types::TransportType;

const SERVER: Endpoint = Endpoint::v4(198, 51, 100, 3, 3478);
const PEER: Endpoint = Endpoint::v4(203, 0, 113, 9, 6000);
const NOW: Timestamp = Timestamp::from_secs(1);
const USER: &str = "student";
const PASSWORD: &str = "secret";
const REALM: &str = "example.org";
const CHANNEL: u16 = 0x4000;
const PAYLOAD: [u8; 64] = [0x55; 64];

pub(crate) fn measure(bench: &mut Bench) {
    for clients in [1, 10_000] {
        let work = format!("relay a datagram, {clients} allocations");
        bench.measure(&work, "natbed", || Load::new(Ours::new(), clients), Load::relay);
        bench.measure(&work, "turn-server-proto", || Load::new(Theirs::new(), clients), Load::relay);
    }
}

/// A TURN server of either side, without a network around it.
trait Relay {
    /// Takes a request; the response.
    fn request(&mut self, client: Endpoint, request: &Bytes) -> Vec<u8>;
    /// Takes ChannelData of a client; how long the datagram to the peer is.
    fn client_sends(&mut self, client: Endpoint, data: &Bytes) -> usize;
    /// Takes a datagram of the peer; how long the ChannelData to the client is.
    fn peer_sends(&mut self, relayed: Endpoint, data: &Bytes) -> usize;
}

/// A server with clients that each have an allocation and a channel to the peer.
struct Load<R> {
    relay: R,
    /// Clients and their relayed addresses.
    clients: Vec<(Endpoint, Endpoint)>,
    next: usize,
    from_client: Bytes,
    from_peer: Bytes,
}

impl<R: Relay> Load<R> {
    fn new(mut relay: R, clients: u16) -> Self {
        let clients = (0..clients)
            .map(|index| {
                let [high, low] = index.to_be_bytes();
                let client = Endpoint::v4(203, 0, high, low, 5000);
                (client, allocate(&mut relay, client))
            })
            .collect();
        let mut data = Vec::new();
        assert!(ChannelData { number: CHANNEL, data: &PAYLOAD }.write(&mut data));
        Self { relay, clients, next: 0, from_client: data.into(), from_peer: Bytes::from_static(&PAYLOAD) }
    }

    /// Relays `count` datagrams, every other one from the peer. The clients take turns in an order that no cache
    /// foresees.
    fn relay(&mut self, count: u64) -> u64 {
        for index in 0..count {
            let (client, relayed) = self.clients[self.next];
            let length = if index % 2 == 0 {
                self.relay.client_sends(client, &self.from_client)
            } else {
                self.relay.peer_sends(relayed, &self.from_peer)
            };
            assert!(length >= PAYLOAD.len());
            self.next = (self.next + 7919) % self.clients.len();
        }
        count
    }
}

/// Makes an allocation with a channel to the peer; the relayed address.
fn allocate(relay: &mut impl Relay, client: Endpoint) -> Endpoint {
    let mut serial = u64::from(client.port) << 32;
    let mut build = |method, attributes: &[Attribute<'_>], nonce: Option<&(String, Vec<u8>)>| {
        serial += 1;
        let mut id = [0; 12];
        id[4..].copy_from_slice(&serial.to_be_bytes());
        let mut buffer = Vec::new();
        let mut builder = Builder::new(&mut buffer, Class::Request, method, TransactionId(id));
        for attribute in attributes {
            builder.attribute(*attribute);
        }
        if let Some((nonce, algorithms)) = nonce {
            let key = if algorithms.is_empty() {
                Key::long_term(USER, REALM, PASSWORD)
            } else {
                Key::long_term_sha256(PasswordAlgorithm::Sha256, USER, REALM, PASSWORD)
            };
            if algorithms.is_empty() {
                builder.attribute(Attribute::Username(USER));
            } else {
                builder
                    .attribute(Attribute::Userhash(&userhash(USER, REALM)))
                    .attribute(Attribute::PasswordAlgorithms(algorithms))
                    .attribute(Attribute::PasswordAlgorithm(PasswordAlgorithm::Sha256.number()));
            }
            builder.attribute(Attribute::Realm(REALM)).attribute(Attribute::Nonce(nonce)).integrity(&key);
        }
        Bytes::from(buffer)
    };
    let wish = [Attribute::RequestedTransport(17)];
    let refused = relay.request(client, &build(Method::Allocate, &wish, None));
    let refused = Message::parse(&refused).expect("a response");
    let algorithms = refused.raw(natbed_traversal::stun::AttributeType::PASSWORD_ALGORITHMS);
    let challenge = (refused.nonce().expect("a nonce").to_owned(), algorithms.unwrap_or_default().to_vec());
    let granted = relay.request(client, &build(Method::Allocate, &wish, Some(&challenge)));
    let granted = Message::parse(&granted).expect("a response");
    let relayed = granted.xor_relayed_address().expect("an allocation");
    let wish = [Attribute::ChannelNumber(CHANNEL), Attribute::XorPeerAddress(PEER)];
    let bound = relay.request(client, &build(Method::ChannelBind, &wish, Some(&challenge)));
    assert_eq!(Message::parse(&bound).map(|bound| bound.class()), Ok(Class::Success));
    relayed
}

struct Ours(Server);

impl Ours {
    fn new() -> Self {
        let config = Config { quota: u32::MAX, ..Config::new(REALM, SERVER.ip) };
        let mut server = Server::new(config, Xoshiro256PlusPlus::seed_from_u64(1));
        server.add_user(USER, PASSWORD);
        Self(server)
    }

    /// The one message that the server sends now.
    fn sent(&mut self) -> Bytes {
        let mut sent = None;
        while let Some(effect) = self.0.poll_effect() {
            if let Effect::ToClient { payload, .. } | Effect::ToPeer { payload, .. } = effect {
                sent = Some(payload);
            }
        }
        sent.expect("an answer")
    }
}

impl Relay for Ours {
    fn request(&mut self, client: Endpoint, request: &Bytes) -> Vec<u8> {
        self.0.handle_client(NOW, SERVER, ClientSocket(client), request);
        self.sent().to_vec()
    }

    fn client_sends(&mut self, client: Endpoint, data: &Bytes) -> usize {
        self.0.handle_client(NOW, SERVER, ClientSocket(client), data);
        self.sent().len()
    }

    fn peer_sends(&mut self, relayed: Endpoint, data: &Bytes) -> usize {
        self.0.handle_peer(NOW, RelayedAddress(relayed), PeerSocket(PEER), data);
        self.sent().len()
    }
}

struct Theirs {
    server: TurnServer,
    next_port: u16,
}

impl Theirs {
    fn new() -> Self {
        let mut server = TurnServer::new(TransportType::Udp, SERVER.into(), REALM.to_owned());
        server.add_user(USER.to_owned(), PASSWORD.to_owned());
        Self { server, next_port: 50_000 }
    }

    fn relay(&mut self, from: Endpoint, to: Endpoint, data: &Bytes) -> usize {
        let transmit = Transmit::new(data.clone(), TransportType::Udp, from.into(), to.into());
        let sent = self.server.recv(transmit, now()).expect("an answer");
        sent.build().data.len()
    }
}

fn now() -> Instant {
    Instant::from_nanos(1_000_000_000)
}

impl Relay for Theirs {
    fn request(&mut self, client: Endpoint, request: &Bytes) -> Vec<u8> {
        let transmit = Transmit::new(request.clone(), TransportType::Udp, client.into(), SERVER.into());
        if let Some(sent) = self.server.recv(transmit, now()) {
            return sent.build().data;
        }
        while let TurnServerPollRet::AllocateSocket {
            transport,
            listen_addr,
            client_addr,
            allocation_transport,
            family,
        } = self.server.poll(now())
        {
            let relayed = Ok(SocketAddr::from(Endpoint::new(SERVER.ip, self.next_port)));
            self.next_port += 1;
            self.server.allocated_socket(
                transport,
                listen_addr,
                client_addr,
                allocation_transport,
                family,
                relayed,
                now(),
            );
        }
        self.server.poll_transmit(now()).expect("a response").data
    }

    fn client_sends(&mut self, client: Endpoint, data: &Bytes) -> usize {
        self.relay(client, SERVER, data)
    }

    fn peer_sends(&mut self, relayed: Endpoint, data: &Bytes) -> usize {
        self.relay(PEER, relayed, data)
    }
}
