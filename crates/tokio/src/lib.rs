//! tokio's `UdpSocket` on a virtual network of NATs, in virtual time, inside `cargo test`.
//!
//! A [`Harness`] is a network, from a scenario file or built by hand, and a tokio runtime that share one clock. Code that
//! runs on a [`Host`] of it binds a [`UdpSocket`] there, and is otherwise the code that runs on a machine:
//!
//! ```
//! use natbed_tokio::{Harness, UdpSocket};
//!
//! async fn who_am_i() -> std::io::Result<String> {
//!     let socket = UdpSocket::bind("0.0.0.0:0").await?;
//!     socket.connect("mirror:7").await?;
//!     socket.send(b"who am I?").await?;
//!     let mut buf = [0; 64];
//!     let length = socket.recv(&mut buf).await?;
//!     Ok(String::from_utf8_lossy(&buf[..length]).into_owned())
//! }
//!
//! let harness = Harness::parse("format = 1\n[nat.a]\n[host.alice]\nbehind = 'a'\n[host.mirror]\n")?;
//! let (alice, mirror) = (harness.host("alice")?, harness.host("mirror")?);
//! let seen = harness.block_on(async {
//!     mirror.spawn(async {
//!         let socket = UdpSocket::bind("0.0.0.0:7").await?;
//!         let (_, from) = socket.recv_from(&mut [0; 64]).await?;
//!         socket.send_to(from.to_string().as_bytes(), from).await
//!     });
//!     alice.run(who_am_i()).await
//! })?;
//! assert!(seen.starts_with("203.0.113.1:"), "the NAT's address: {seen}");
//! assert_eq!(harness.network().now().as_nanos(), 60_000_000);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Which host a task is on
//!
//! [`Host::run`] makes a future run on a host, and [`Host::spawn`] and [`spawn`] make a task of it; [`UdpSocket::bind`] and
//! [`lookup_host`] then mean that host and its network. A task of `tokio::spawn` starts nowhere: give it its sockets, or use
//! [`spawn`]. [`Host::bind`] needs no such context.
//!
//! # Features
//!
//! `quinn`: QUIC endpoints on these sockets, `quinn::endpoint`. The example `quic` shows them, with the feature `quinn-ring`.
//!
//! # What is virtual
//!
//! UDP sockets, names and time. Time passes only while all tasks wait. `std` and other runtimes, threads, files and random
//! numbers are those of the machine: a program that depends on them is not the same each time.

mod errno;
pub mod harness;
pub mod host;
mod kernel;
mod names;
mod network;
#[cfg(feature = "quinn")]
pub mod quinn;
mod socket;
pub mod udp;

pub use harness::{Harness, HarnessError, Options, Stuck};
pub use host::{Host, spawn};
pub use names::{ToSocketAddrs, lookup_host};
pub use network::{Dropped, Network, UnknownName};
pub use udp::UdpSocket;
