//! ICMP types and codes of both versions (RFC 792, RFC 4443), and the numbers of the IP protocols.

use crate::{Family, IcmpErrorKind};

pub(super) const UDP: u8 = 17;
pub(super) const TCP: u8 = 6;
/// IPv6 fragment header (RFC 8200 section 4.5).
pub(super) const FRAGMENT: u8 = 44;

/// IP protocol number of ICMP in `family`.
pub(super) const fn protocol(family: Family) -> u8 {
    match family {
        Family::V4 => 1,
        Family::V6 => 58,
    }
}

/// ICMP type of an echo request or reply.
pub(super) const fn echo_type(family: Family, reply: bool) -> u8 {
    match (family, reply) {
        (Family::V4, false) => 8,
        (Family::V4, true) => 0,
        (Family::V6, false) => 128,
        (Family::V6, true) => 129,
    }
}

/// Whether an ICMP type is an echo, and then whether it is the reply.
pub(super) fn echo_reply(family: Family, icmp_type: u8) -> Option<bool> {
    [false, true].into_iter().find(|&reply| icmp_type == echo_type(family, reply))
}

/// Whether messages of this type are about another datagram: destination unreachable, source quench, redirect, time
/// exceeded and parameter problem (RFC 1122 section 3.2.2); in ICMPv6 those below 128 (RFC 4443 section 2.1).
pub(super) const fn is_error(family: Family, icmp_type: u8) -> bool {
    match family {
        Family::V4 => matches!(icmp_type, 3 | 4 | 5 | 11 | 12),
        Family::V6 => icmp_type < 128,
    }
}

/// Type and code of an error.
pub(super) const fn error_type(family: Family, kind: IcmpErrorKind) -> (u8, u8) {
    use IcmpErrorKind as Kind;
    match (kind, family) {
        (Kind::NetworkUnreachable, Family::V4) => (3, 0),
        (Kind::NetworkUnreachable, Family::V6) => (1, 0),
        (Kind::HostUnreachable, Family::V4) => (3, 1),
        (Kind::HostUnreachable, Family::V6) => (1, 3),
        (Kind::PortUnreachable, Family::V4) => (3, 3),
        (Kind::PortUnreachable, Family::V6) => (1, 4),
        (Kind::TooBig { .. }, Family::V4) => (3, 4),
        (Kind::TooBig { .. }, Family::V6) => (2, 0),
        (Kind::AdministrativelyProhibited, Family::V4) => (3, 13),
        (Kind::AdministrativelyProhibited, Family::V6) => (1, 1),
        (Kind::TimeExceeded, Family::V4) => (11, 0),
        (Kind::TimeExceeded, Family::V6) => (3, 0),
        (Kind::Other { icmp_type, code }, _) => (icmp_type, code),
    }
}

/// The error of a type and code. `word` is the second half of the ICMP header: an MTU in its low 16 bits (RFC 1191),
/// in ICMPv6 in all 32 (RFC 4443 section 3.2), saturating.
pub(super) fn error_kind(family: Family, icmp_type: u8, code: u8, word: u32) -> IcmpErrorKind {
    use IcmpErrorKind as Kind;
    let mtu = match family {
        Family::V4 => word & 0xffff,
        Family::V6 => word,
    };
    let named = [
        Kind::NetworkUnreachable,
        Kind::HostUnreachable,
        Kind::PortUnreachable,
        Kind::TooBig { mtu: u16::try_from(mtu).unwrap_or(u16::MAX) },
        Kind::AdministrativelyProhibited,
        Kind::TimeExceeded,
    ];
    named
        .into_iter()
        .find(|&kind| error_type(family, kind) == (icmp_type, code))
        .unwrap_or(Kind::Other { icmp_type, code })
}
