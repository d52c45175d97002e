//! A UDP hole punch: two programs behind NATs learn each other's address at a rendezvous, and get through.
//!
//! Both are ordinary tokio code but for their socket's type. `cargo test` runs this too.

use std::error::Error;
use std::io;
use std::time::Duration;

use natbed_tokio::{Harness, UdpSocket};

const NETWORK: &str = "
format = 1
[nat.a]
type = 'port-restricted'
[nat.b]
type = 'address-restricted'
[host.alice]
behind = 'a'
[host.bob]
behind = 'b'
[host.rendezvous]
";

async fn peer(name: &str) -> io::Result<String> {
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    let mut buf = [0; 1500];
    socket.send_to(b"who else?", "rendezvous:9").await?;
    let length = socket.recv(&mut buf).await?;
    let other = String::from_utf8_lossy(&buf[..length]).into_owned();
    loop {
        socket.send_to(name.as_bytes(), &other).await?;
        if let Ok(heard) = tokio::time::timeout(Duration::from_millis(200), socket.recv(&mut buf)).await {
            let who = String::from_utf8_lossy(&buf[..heard?]).into_owned();
            socket.send_to(name.as_bytes(), &other).await?;
            return Ok(format!("{name} hears {who} at {other}"));
        }
    }
}

async fn rendezvous() -> io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:9").await?;
    let mut buf = [0; 1500];
    let (one, two) = (socket.recv_from(&mut buf).await?.1, socket.recv_from(&mut buf).await?.1);
    socket.send_to(two.to_string().as_bytes(), one).await?;
    socket.send_to(one.to_string().as_bytes(), two).await?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let harness = Harness::parse(NETWORK)?;
    let (alice, bob) = (harness.host("alice")?, harness.host("bob")?);
    let server = harness.host("rendezvous")?;
    harness.block_on(async {
        server.spawn(rendezvous());
        let (alice, bob) = tokio::join!(alice.run(peer("alice")), bob.run(peer("bob")));
        println!("{}\n{}", alice?, bob?);
        println!("after {}", harness.network().now());
        Ok(())
    })
}

#[test]
fn the_hole_is_punched() {
    main().unwrap();
}
