use proptest::prelude::*;
use rand::SeedableRng;

use super::*;
use crate::stun::{Attribute, Builder, Key, TransactionId};
use crate::turn::ChannelData;

mod authentication;
mod lifecycle;
mod relaying;

const LOCAL: Endpoint = Endpoint::v4(198, 51, 100, 3, 3478);
const CLIENT: ClientSocket = ClientSocket(Endpoint::v4(203, 0, 113, 1, 40_000));
const OTHER_CLIENT: ClientSocket = ClientSocket(Endpoint::v4(203, 0, 113, 1, 40_001));
const PEER: Endpoint = Endpoint::v4(203, 0, 113, 9, 5000);
const UDP: Attribute<'static> = Attribute::RequestedTransport(17);

/// A server, its clock, and clients that know the password.
struct Bench {
    server: Server,
    now: Timestamp,
    requests: u32,
    username: &'static str,
}

/// An owned response.
struct Response(Bytes);

impl Response {
    fn message(&self) -> Message<'_> {
        Message::parse(&self.0).unwrap()
    }

    /// The error code; `None` for success.
    fn code(&self) -> Option<u16> {
        self.message().error_code().map(|error| error.code)
    }
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(configure: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new("example.org", IpAddr::from([198, 51, 100, 3]));
        configure(&mut config);
        let mut server = Server::new(config, Xoshiro256PlusPlus::seed_from_u64(3));
        server.add_user("student", "secret");
        server.add_user("teacher", "secret");
        Self { server, now: Timestamp::ZERO, requests: 0, username: "student" }
    }

    fn dual() -> Self {
        Self::with(|config| config.relay_v6 = Some("2001:db8::3".parse().unwrap()))
    }

    fn key(&self) -> Key {
        Key::long_term(self.username, "example.org", "secret")
    }

    /// A request with credentials and a fresh nonce.
    fn signed(&mut self, client: ClientSocket, method: Method, attributes: &[Attribute<'_>]) -> Bytes {
        self.requests += 1;
        let nonce = self.server.nonce(self.now, FiveTuple { server: LOCAL, client });
        let mut id = [0; 12];
        id[..4].copy_from_slice(&self.requests.to_be_bytes());
        let mut buffer = Vec::new();
        let mut request = Builder::new(&mut buffer, Class::Request, method, TransactionId(id));
        for &attribute in attributes {
            request.attribute(attribute);
        }
        request
            .attribute(Attribute::Username(self.username))
            .attribute(Attribute::Realm("example.org"))
            .attribute(Attribute::Nonce(&nonce))
            .integrity(&self.key());
        buffer.into()
    }

    fn exchange(&mut self, client: ClientSocket, bytes: &Bytes) -> Vec<Effect> {
        self.server.handle_client(self.now, LOCAL, client, bytes);
        self.effects()
    }

    fn effects(&mut self) -> Vec<Effect> {
        std::iter::from_fn(|| self.server.poll_effect()).collect()
    }

    fn respond(&mut self, client: ClientSocket, bytes: &Bytes) -> Response {
        let response = self.exchange(client, bytes).into_iter().find_map(|effect| match effect {
            Effect::ToClient { from: LOCAL, to, payload } if to == client => Some(Response(payload)),
            _ => None,
        });
        response.expect("a request is answered on its 5-tuple")
    }

    fn request(&mut self, client: ClientSocket, method: Method, attributes: &[Attribute<'_>]) -> Response {
        let bytes = self.signed(client, method, attributes);
        self.respond(client, &bytes)
    }

    fn allocate(&mut self, client: ClientSocket) -> RelayedAddress {
        let response = self.request(client, Method::Allocate, &[UDP]);
        RelayedAddress(response.message().xor_relayed_address().unwrap())
    }

    fn permit(&mut self, client: ClientSocket, peer: Endpoint) -> Response {
        self.request(client, Method::CreatePermission, &[Attribute::XorPeerAddress(peer)])
    }

    fn bind(&mut self, client: ClientSocket, number: u16, peer: Endpoint) -> Response {
        let attributes = [Attribute::ChannelNumber(number), Attribute::XorPeerAddress(peer)];
        self.request(client, Method::ChannelBind, &attributes)
    }

    fn peer_sends(&mut self, relayed: RelayedAddress, peer: Endpoint, payload: &[u8]) -> Vec<Effect> {
        self.server.handle_peer(self.now, relayed, PeerSocket(peer), payload);
        self.effects()
    }

    fn sleep(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }
}

fn indication(attributes: &[Attribute<'_>]) -> Bytes {
    let mut buffer = Vec::new();
    let mut builder = Builder::new(&mut buffer, Class::Indication, Method::Send, TransactionId([1; 12]));
    for &attribute in attributes {
        builder.attribute(attribute);
    }
    buffer.into()
}

fn send(peer: Endpoint, data: &[u8]) -> Bytes {
    indication(&[Attribute::XorPeerAddress(peer), Attribute::Data(data)])
}

fn channel_data(number: u16, data: &[u8]) -> Bytes {
    let mut buffer = Vec::new();
    ChannelData { number, data }.write(&mut buffer);
    buffer.into()
}

fn discard(from: Endpoint, to: Endpoint, reason: DiscardReason) -> Vec<Effect> {
    vec![Effect::Discard { from, to, reason }]
}

fn to_peer(from: RelayedAddress, to: Endpoint, payload: &'static [u8]) -> Vec<Effect> {
    let payload = Bytes::from_static(payload);
    vec![Effect::ToPeer { from, to: PeerSocket(to), payload, dont_fragment: false }]
}

#[test]
fn plain_binding_requests_are_answered() {
    let mut bench = Bench::new();
    let mut bytes = Vec::new();
    Builder::new(&mut bytes, Class::Request, Method::Binding, TransactionId([1; 12]));
    let response = bench.respond(CLIENT, &bytes.into());
    assert_eq!(response.message().xor_mapped_address(), Some(CLIENT.0));
}

#[test]
fn binding_indications_are_taken_in_silence() {
    let mut bytes = Vec::new();
    Builder::new(&mut bytes, Class::Indication, Method::Binding, TransactionId([1; 12]));
    assert_eq!(Bench::new().exchange(CLIENT, &bytes.into()), []);
}

#[test]
fn rfc8656_2_the_server_endpoint_is_part_of_the_5_tuple() {
    let mut bench = Bench::new();
    bench.allocate(CLIENT);
    bench.permit(CLIENT, PEER);
    let other = Endpoint::new(LOCAL.ip, 3479);
    bench.server.handle_client(bench.now, other, CLIENT, &send(PEER, b"x"));
    assert_eq!(bench.effects(), discard(CLIENT.0, other, DiscardReason::NoAllocation));
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let run = || {
        let mut bench = Bench::new();
        let relayed = bench.allocate(CLIENT);
        bench.permit(CLIENT, PEER);
        bench.peer_sends(relayed, PEER, b"data")
    };
    assert_eq!(run(), run());
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..60),
        flips in proptest::collection::vec((0usize..8, any::<prop::sample::Index>(), 0u8..8), 1..20),
    ) {
        let mut bench = Bench::dual();
        bench.allocate(CLIENT);
        bench.exchange(CLIENT, &bytes.into());
        for (kind, at, bit) in flips {
            let good = match kind {
                0 => bench.signed(OTHER_CLIENT, Method::Allocate, &[UDP, Attribute::EvenPort { reserve: true }]),
                1 => bench.signed(CLIENT, Method::Refresh, &[Attribute::Lifetime(700)]),
                2 => bench.signed(CLIENT, Method::CreatePermission, &[Attribute::XorPeerAddress(PEER)]),
                3 => bench.signed(CLIENT, Method::ChannelBind, &[Attribute::ChannelNumber(0x4000), Attribute::XorPeerAddress(PEER)]),
                4 => send(PEER, b"data"),
                5 => channel_data(0x4000, b"data"),
                6 => bench.signed(CLIENT, Method::Refresh, &[Attribute::Lifetime(0)]),
                _ => bench.signed(CLIENT, Method::Allocate, &[UDP, Attribute::AdditionalAddressFamily(Family::V6)]),
            };
            bench.exchange(CLIENT, &good);
            let mut bad = good.to_vec();
            let index = at.index(bad.len());
            bad[index] ^= 1 << bit;
            bench.exchange(CLIENT, &bad.into());
            bench.sleep(100);
        }
        while let Some(next) = bench.server.poll_timeout() {
            bench.server.handle_timeout(next);
            prop_assert!(bench.server.poll_timeout().is_none_or(|later| later > next));
        }
        prop_assert_eq!(bench.server.allocation_count(), 0);
    }

    #[test]
    fn authenticated_nonsense_never_panics(
        attributes in proptest::collection::vec((0u16..0x30, proptest::collection::vec(any::<u8>(), 0..24)), 0..6),
        method in 0usize..4,
    ) {
        let mut bench = Bench::dual();
        bench.allocate(CLIENT);
        let method = [Method::Allocate, Method::Refresh, Method::CreatePermission, Method::ChannelBind][method];
        let attributes: Vec<_> = attributes
            .iter()
            .filter(|(kind, _)| ![6, 8, 0x14, 0x15, 0x1C].contains(kind))
            .map(|(kind, value)| Attribute::Other(AttributeType(*kind), value))
            .collect();
        for client in [CLIENT, OTHER_CLIENT] {
            let code = bench.request(client, method, &attributes).code();
            prop_assert_ne!(code, Some(401));
        }
    }
}
