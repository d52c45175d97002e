//! The byte form of datagrams: what would stand on a cable, as a capture file or a TUN device wants it.
//!
//! [`encode`] writes IPv4 (RFC 791) and IPv6 (RFC 8200) with UDP, TCP, ICMP and ICMPv6 inside, all checksums and
//! lengths correct; [`decode`] checks them and reads the bytes back. No bytes make [`decode`] panic.
//!
//! ```
//! use natbed_packet::{Datagram, Endpoint, wire};
//!
//! let alice = Endpoint::v4(192, 168, 1, 10, 5000);
//! let stun = Endpoint::v4(198, 51, 100, 1, 3478);
//! let datagram = Datagram::udp(alice, stun, "hello".into());
//! let bytes = wire::encode(&datagram)?;
//! assert_eq!(bytes.len(), datagram.wire_len());
//! assert_eq!(wire::decode(&bytes)?, datagram);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What does not survive
//!
//! `decode(encode(d)) == d` for every datagram that [`encode`] accepts, but for these fields, which bytes cannot hold:
//!
//! - IPv6 has an identification only in fragments and never lets routers fragment: it comes back as 0 in a whole
//!   datagram, with `dont_fragment` set;
//! - an [`IcmpErrorKind::Other`](crate::IcmpErrorKind::Other) that spells a kind with a name of its own comes back
//!   under that name;
//! - a quoted IPv6 header has no identification, and lengths outside 40 to 65535 octets come back as the nearest.
//!
//! The other way round, [`decode`] leaves out what a [`Datagram`] has no room for: IP options and extension headers,
//! the flow label, TCP options and the urgent pointer, the upper half of an IPv6 fragment's identification, octets of
//! a quoted datagram after the first eight of its transport, and octets after the end that the IP header gives.

mod checksum;
mod decode;
mod encode;
mod icmp;
#[cfg(test)]
mod tests;

use std::fmt;

use thiserror::Error;

use crate::Datagram;

/// The bytes of `datagram`. Their number is [`Datagram::wire_len`].
pub fn encode(datagram: &Datagram) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    encode_into(datagram, &mut out)?;
    Ok(out)
}

/// Appends the bytes of `datagram` to `out`; appends nothing on an error.
pub fn encode_into(datagram: &Datagram, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    encode::datagram(datagram, out)
}

/// The datagram at the start of `bytes`, which begin with an IP header. Lengths and checksums must be right; a UDP
/// checksum of 0 over IPv4 means that there is none (RFC 768).
pub fn decode(bytes: &[u8]) -> Result<Datagram, DecodeError> {
    decode::datagram(bytes)
}

/// What `octets` carry, of IP protocol number `protocol` and between the addresses of `header`.
pub(crate) fn decode_transport(
    header: &Datagram,
    protocol: u8,
    octets: &[u8],
) -> Result<crate::Transport, DecodeError> {
    decode::transport_of(header, protocol, octets)
}

/// Why a [`Datagram`] has no byte form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// Source and destination, or a quoted address, are of different families.
    #[error("IPv4 and IPv6 addresses in one datagram")]
    MixedFamilies,
    /// The length field of the IP header cannot hold this many octets.
    #[error("{0} octets do not fit into one IP datagram")]
    TooLong(usize),
    /// The fragment offset needs more than 13 bits.
    #[error("fragment offset {0} does not fit into 13 bits")]
    FragmentOffset(u16),
    /// The header says fragment and the transport says whole datagram, or the reverse.
    #[error("the fragment fields contradict the transport")]
    FragmentFields,
    /// [`IcmpErrorKind::Other`](crate::IcmpErrorKind::Other) holds a type that is not an error's.
    #[error("ICMP type {0} is not an error")]
    NotAnIcmpError(u8),
}

/// Why bytes are not a [`Datagram`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The bytes end too early.
    #[error("the bytes end inside the {0}")]
    Truncated(Part),
    /// A length field is impossible or contradicts another.
    #[error("impossible length in the {0}")]
    Length(Part),
    /// A checksum is wrong, or absent where it is required.
    #[error("wrong checksum in the {0}")]
    Checksum(Part),
    /// The first four bits are neither 4 nor 6.
    #[error("IP version {0}")]
    Version(u8),
    /// An IP protocol or IPv6 extension header that a [`Datagram`] cannot carry.
    #[error("IP protocol {0} is not one of UDP, TCP and ICMP")]
    Protocol(u8),
    /// An ICMP message that is neither an echo nor an error.
    #[error("ICMP type {0} is neither an echo nor an error")]
    IcmpType(u8),
}

/// The part of a datagram that a [`DecodeError`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The IP header with its options or extension headers.
    Ip,
    /// The UDP datagram.
    Udp,
    /// The TCP segment.
    Tcp,
    /// The ICMP or ICMPv6 message.
    Icmp,
    /// The datagram quoted in an ICMP error.
    Quoted,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ip => "IP header",
            Self::Udp => "UDP datagram",
            Self::Tcp => "TCP segment",
            Self::Icmp => "ICMP message",
            Self::Quoted => "quoted datagram",
        })
    }
}
