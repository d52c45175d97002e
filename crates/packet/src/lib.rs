//! The vocabulary that natbed's crates share: virtual time, transport addresses, prefixes and IP datagrams.
//!
//! Nothing here reads a clock or a socket. With the feature `wire`, [`wire`] turns a [`Datagram`] into the bytes
//! that would stand on a cable, and back, and [`fragment`] cuts it into
//! pieces.

pub mod addr;
pub mod datagram;
pub mod fragment;
pub mod time;
#[cfg(feature = "wire")]
pub mod wire;

pub use addr::{Endpoint, Family, Prefix, PrefixError};
pub use datagram::{
    Datagram, Icmp, IcmpError, IcmpErrorKind, IcmpQuery, Protocol, Quoted, QuotedTransport, TcpFlags,
    TcpSegment, Transport, Udp,
};
pub use time::Timestamp;
