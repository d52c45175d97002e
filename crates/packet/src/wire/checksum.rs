//! The Internet checksum (RFC 1071) and the pseudo-headers it covers.

use std::net::IpAddr;

use etherparse::checksum::Sum16BitWords;

/// The checksum of `bytes`; 0 when they contain a correct one.
pub(super) fn plain(bytes: &[u8]) -> u16 {
    Sum16BitWords::new().add_slice(bytes).ones_complement().to_be()
}

/// The checksum of the pseudo-header (RFC 768, RFC 9293 section 3.1, RFC 8200 section 8.1) and `bytes`; 0 when they
/// contain a correct one. The IPv4 and the IPv6 pseudo-header have the same fields in other places, which sum alike.
pub(super) fn with_pseudo_header(source: IpAddr, destination: IpAddr, protocol: u8, bytes: &[u8]) -> u16 {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let sum = add_address(add_address(Sum16BitWords::new(), source), destination);
    sum.add_2bytes([0, protocol]).add_4bytes(length.to_be_bytes()).add_slice(bytes).ones_complement().to_be()
}

fn add_address(mut sum: Sum16BitWords, ip: IpAddr) -> Sum16BitWords {
    match ip {
        IpAddr::V4(ip) => sum.add_4bytes(ip.octets()),
        IpAddr::V6(ip) => sum.add_16bytes(ip.octets()),
    }
}
