//! Programs on a virtual network in virtual time.

mod faults;
mod hosts;
mod look;
mod pace;

use std::io;
use std::time::Duration;

use natbed_tokio::{Harness, Host, UdpSocket};

/// Two hosts behind port-restricted NATs, and servers on the internet.
const HOMES: &str = r#"
format = 1
[stun.stun1]
[nat.a]
[nat.b]
[host.alice]
behind = "a"
[host.bob]
behind = "b"
[host.web]
address = "203.0.113.80"
"#;

fn harness(text: &str) -> Harness {
    Harness::parse(text).unwrap_or_else(|why| panic!("{why}"))
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Answers every datagram with the address that it came from.
async fn mirror(socket: UdpSocket) -> io::Result<()> {
    let mut buf = [0; 2048];
    loop {
        let (_, from) = socket.recv_from(&mut buf).await?;
        socket.send_to(from.to_string().as_bytes(), from).await?;
    }
}

/// A mirror on `web` at port 7.
fn start_mirror(harness: &Harness) -> Host {
    let web = harness.host("web").unwrap();
    let host = web.clone();
    harness.block_on(async move { drop(host.spawn(mirror(host.bind("0.0.0.0:7").unwrap()))) });
    web
}

async fn received(socket: &UdpSocket) -> io::Result<String> {
    let mut buf = [0; 2048];
    let length = socket.recv(&mut buf).await?;
    Ok(String::from_utf8_lossy(&buf[..length]).into_owned())
}
