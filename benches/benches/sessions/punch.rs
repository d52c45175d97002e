//! The same small program on natbed's sockets and on `webrtc-util`'s: two of them learn their addresses from the STUN server,
//! tell each other, and send until each has heard the other.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use natbed_lab::scenario::Scenario;
use natbed_tokio::{Harness, Options, UdpSocket, lookup_host};
use tokio::sync::oneshot;
use webrtc_util::conn::Conn;

/// A socket, whoever's.
pub(crate) trait Socket {
    async fn send(&self, data: &[u8], to: SocketAddr) -> io::Result<()>;
    async fn receive(&self, buf: &mut [u8]) -> io::Result<usize>;
}

impl Socket for UdpSocket {
    async fn send(&self, data: &[u8], to: SocketAddr) -> io::Result<()> {
        self.send_to(data, to).await.map(drop)
    }

    async fn receive(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.recv(buf).await
    }
}

impl Socket for Arc<dyn Conn + Send + Sync> {
    async fn send(&self, data: &[u8], to: SocketAddr) -> io::Result<()> {
        self.send_to(data, to).await.map(drop).map_err(io::Error::other)
    }

    async fn receive(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.recv_from(buf).await.map(|(length, _)| length).map_err(io::Error::other)
    }
}

/// Punches `count` holes on the network of `scenario`, built anew for each; how many there were.
pub(crate) fn punches(scenario: &Scenario, count: u64) -> u64 {
    for _ in 0..count {
        let options = Options { log: false, ..Options::default() };
        let harness = Harness::with(scenario, options).expect("a valid network");
        let (x, y) = (harness.host("x0").expect("a host"), harness.host("y0").expect("a host"));
        let session = x.run(async {
            let server = lookup_host("s:3478").await?.next().ok_or(io::ErrorKind::NotFound)?;
            punch(x.bind("0.0.0.0:0")?, y.bind("0.0.0.0:0")?, server).await
        });
        harness.block_on(session).expect("a hole");
    }
    count
}

/// Has `a` and `b` hear each other, with the help of a STUN server.
pub(crate) async fn punch(a: impl Socket, b: impl Socket, server: SocketAddr) -> io::Result<()> {
    let ((tell_b, told_a), (tell_a, told_b)) = (oneshot::channel(), oneshot::channel());
    tokio::try_join!(side(&a, server, tell_b, told_b), side(&b, server, tell_a, told_a)).map(drop)
}

async fn side(
    socket: &impl Socket,
    server: SocketAddr,
    tell: oneshot::Sender<SocketAddr>,
    told: oneshot::Receiver<SocketAddr>,
) -> io::Result<()> {
    let mut buf = [0; 1500];
    // A Binding request without attributes (RFC 8489 section 5).
    let mut request = [0; 20];
    request[1] = 1;
    request[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
    socket.send(&request, server).await?;
    let length = socket.receive(&mut buf).await?;
    let mapped = mapped(&buf[..length]).ok_or(io::ErrorKind::InvalidData)?;
    tell.send(mapped).map_err(|_| io::ErrorKind::BrokenPipe)?;
    let other = told.await.map_err(|_| io::ErrorKind::BrokenPipe)?;
    loop {
        socket.send(b"punch", other).await?;
        if let Ok(heard) = tokio::time::timeout(Duration::from_millis(200), socket.receive(&mut buf)).await {
            heard?;
            return socket.send(b"through", other).await;
        }
    }
}

/// XOR-MAPPED-ADDRESS of a Binding response, IPv4 (RFC 8489 section 14.2).
fn mapped(message: &[u8]) -> Option<SocketAddr> {
    let mut attributes = message.get(20..)?;
    loop {
        let number = |at: usize| Some(u16::from_be_bytes(attributes.get(at..at + 2)?.try_into().ok()?));
        let (kind, length) = (number(0)?, usize::from(number(2)?));
        let value = attributes.get(4..4 + length)?;
        if kind == 0x0020 {
            let port = u16::from_be_bytes(value.get(2..4)?.try_into().ok()?) ^ 0x2112;
            let ip = u32::from_be_bytes(value.get(4..8)?.try_into().ok()?) ^ 0x2112_a442;
            return Some((Ipv4Addr::from_bits(ip), port).into());
        }
        attributes = attributes.get(4 + length.next_multiple_of(4)..)?;
    }
}
