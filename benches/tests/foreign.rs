//! Other people's code on natbed's sockets: the TURN client of webrtc-rs takes any socket that is a `Conn`.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use natbed_tokio::{Harness, UdpSocket, lookup_host};
use turn::client::{Client, ClientConfig};
use webrtc_util::Error;
use webrtc_util::conn::Conn;

struct Foreign(UdpSocket);

#[async_trait]
impl Conn for Foreign {
    async fn connect(&self, addr: SocketAddr) -> Result<(), Error> {
        Ok(self.0.connect(addr).await?)
    }

    async fn recv(&self, buf: &mut [u8]) -> Result<usize, Error> {
        Ok(self.0.recv(buf).await?)
    }

    async fn recv_from(&self, buf: &mut [u8]) -> Result<(usize, SocketAddr), Error> {
        Ok(self.0.recv_from(buf).await?)
    }

    async fn send(&self, buf: &[u8]) -> Result<usize, Error> {
        Ok(self.0.send(buf).await?)
    }

    async fn send_to(&self, buf: &[u8], target: SocketAddr) -> Result<usize, Error> {
        Ok(self.0.send_to(buf, target).await?)
    }

    fn local_addr(&self) -> Result<SocketAddr, Error> {
        Ok(self.0.local_addr()?)
    }

    fn remote_addr(&self) -> Option<SocketAddr> {
        self.0.peer_addr().ok()
    }

    async fn close(&self) -> Result<(), Error> {
        Ok(())
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

const NETWORK: &str = "
format = 1
[turn.turn1]
user = 'student'
password = 'secret'
[nat.a]
type = 'symmetric'
[host.alice]
behind = 'a'
[host.bob]
address = '203.0.113.77'
";

#[test]
fn the_turn_client_of_webrtc_rs_relays_through_a_symmetric_nat() {
    let harness = Harness::parse(NETWORK).unwrap();
    let (alice, bob) = (harness.host("alice").unwrap(), harness.host("bob").unwrap());
    harness.block_on(alice.run(async {
        let server = lookup_host("turn1:3478").await.unwrap().next().unwrap();
        let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        let config = ClientConfig {
            stun_serv_addr: server.to_string(),
            turn_serv_addr: server.to_string(),
            username: "student".into(),
            password: "secret".into(),
            realm: String::new(),
            software: String::new(),
            rto_in_ms: 0,
            conn: Arc::new(Foreign(socket)),
            vnet: None,
        };
        let client = Client::new(config).await.unwrap();
        client.listen().await.unwrap();
        let mapped = client.send_binding_request().await.unwrap();
        assert_eq!(mapped.ip().to_string(), "203.0.113.1", "the NAT's address");

        let relay = client.allocate().await.unwrap();
        let relayed = relay.local_addr().unwrap();
        assert_eq!(relayed.ip(), server.ip());

        let peer = bob.bind("0.0.0.0:5000").unwrap();
        let mut buf = [0; 100];
        relay.send_to(b"hello bob", "203.0.113.77:5000".parse().unwrap()).await.unwrap();
        assert_eq!(peer.recv_from(&mut buf).await.unwrap(), (9, relayed));
        peer.send_to(b"hello alice", relayed).await.unwrap();
        let (length, from) = relay.recv_from(&mut buf).await.unwrap();
        assert_eq!((&buf[..length], from.port()), (&b"hello alice"[..], 5000));
        client.close().await.unwrap();
    }));
    let drops = harness.network().drops();
    assert!(drops.is_empty(), "{drops:?}");
}
