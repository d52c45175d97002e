//! QUIC between two hosts behind NATs: quinn on natbed's sockets, after a rendezvous and a hole punch.
//!
//! `cargo run -p natbed-tokio --features quinn-ring --example quic`

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use natbed_tokio::quinn::endpoint;
use natbed_tokio::{Harness, UdpSocket};
use quinn::rustls::RootCertStore;
use quinn::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use quinn::{ClientConfig, EndpointConfig, ServerConfig};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const NETWORK: &str = "
format = 1
[nat.a]
type = 'port-restricted'
[nat.b]
type = 'port-restricted'
link = { rate = '20 Mbit/s', loss = 0.02 }
[host.alice]
behind = 'a'
[host.bob]
behind = 'b'
[host.rendezvous]
";

/// Bob's certificate for the name `bob`, which signs itself, and its key: made for this example with openssl.
const CERTIFICATE: &[u8] = include_bytes!("quic/bob.cert.der");
const KEY: &[u8] = include_bytes!("quic/bob.key.der");

/// Asks the rendezvous for the other's address until it answers, and opens the own NAT to it.
async fn meet(socket: &UdpSocket) -> Result<SocketAddr> {
    let mut buf = [0; 100];
    socket.send_to(b"who else?", "rendezvous:9").await?;
    let length = socket.recv(&mut buf).await?;
    let other = std::str::from_utf8(&buf[..length])?.parse()?;
    socket.send_to(b"punch", other).await?;
    Ok(other)
}

async fn rendezvous() -> io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:9").await?;
    let mut buf = [0; 100];
    let (one, two) = (socket.recv_from(&mut buf).await?.1, socket.recv_from(&mut buf).await?.1);
    socket.send_to(two.to_string().as_bytes(), one).await?;
    socket.send_to(one.to_string().as_bytes(), two).await?;
    Ok(())
}

/// Bob accepts one connection, and sends back what each of its streams carries.
async fn bob() -> Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    meet(&socket).await?;
    let key = PrivatePkcs8KeyDer::from(KEY.to_vec());
    let server = ServerConfig::with_single_cert(vec![CertificateDer::from(CERTIFICATE)], key.into())?;
    let endpoint = endpoint(EndpointConfig::default(), Some(server), socket)?;
    let connection = endpoint.accept().await.ok_or("closed")?.await?;
    while let Ok((mut send, mut receive)) = connection.accept_bi().await {
        let data = receive.read_to_end(1 << 20).await?;
        send.write_all(&data).await?;
        send.finish()?;
    }
    Ok(())
}

/// Alice connects, and has a megabyte sent back.
async fn alice() -> Result<String> {
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    let bob = meet(&socket).await?;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(CERTIFICATE))?;
    let mut endpoint = endpoint(EndpointConfig::default(), None, socket)?;
    endpoint.set_default_client_config(ClientConfig::with_root_certificates(Arc::new(roots))?);
    let connection = endpoint.connect(bob, "bob")?.await?;
    let (mut send, mut receive) = connection.open_bi().await?;
    let data = vec![7; 1 << 20];
    send.write_all(&data).await?;
    send.finish()?;
    let back = receive.read_to_end(1 << 20).await?;
    let stats = connection.stats().path;
    connection.close(0u32.into(), b"done");
    endpoint.wait_idle().await;
    let whole = back == data;
    Ok(format!(
        "{whole}: {} octets from {bob}, round trip {:?}, {} packets lost",
        back.len(),
        stats.rtt,
        stats.lost_packets
    ))
}

fn main() -> Result<()> {
    let harness = Harness::parse(NETWORK)?;
    let hosts = ["rendezvous", "bob", "alice"].map(|name| harness.host(name));
    let [server, to, from] = hosts;
    let (server, to, from) = (server?, to?, from?);
    harness.block_on(async {
        server.spawn(rendezvous());
        let bob = to.spawn(bob());
        println!("{}", from.run(alice()).await?);
        bob.await?
    })?;
    println!("after {} of virtual time", harness.network().now());
    Ok(())
}

#[test]
fn quic_gets_through_two_nats() {
    main().unwrap();
}
