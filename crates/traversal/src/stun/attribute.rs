//! What attributes mean.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use natbed_packet::{Endpoint, Family};

use super::MAGIC_COOKIE;
pub use super::kind::AttributeType;
use super::message::TransactionId;

/// An attribute with its meaning. MESSAGE-INTEGRITY and FINGERPRINT are written by
/// [`Builder::integrity`](super::Builder::integrity) and [`Builder::fingerprint`](super::Builder::fingerprint).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute<'a> {
    /// The client's address as the server saw it, for RFC 3489 clients.
    MappedAddress(Endpoint),
    /// Which of address and port the response should come from instead.
    ChangeRequest {
        /// From the other address.
        ip: bool,
        /// From the other port.
        port: bool,
    },
    /// Whose credential MESSAGE-INTEGRITY is made with; to be under 509 octets.
    Username(&'a str),
    /// HMAC-SHA1 of the message.
    MessageIntegrity(&'a [u8; 20]),
    /// HMAC-SHA256 of the message; may be truncated to 16 octets.
    MessageIntegritySha256(&'a [u8]),
    /// Why a request failed.
    ErrorCode(ErrorCode<'a>),
    /// The types that were not understood, big-endian, two octets each.
    UnknownAttributes(&'a [u8]),
    /// A channel.
    ChannelNumber(u16),
    /// Seconds until an allocation expires.
    Lifetime(u32),
    /// The peer that data is for or from.
    XorPeerAddress(Endpoint),
    /// Application data.
    Data(&'a [u8]),
    /// Where a username is valid; under 128 characters.
    Realm(&'a str),
    /// What a server wants back; under 128 characters.
    Nonce(&'a str),
    /// The address that a TURN server has allocated.
    XorRelayedAddress(Endpoint),
    /// The family that a relayed address is wanted of.
    RequestedAddressFamily(Family),
    /// An even relayed port is wanted.
    EvenPort {
        /// And the next higher port is to be reserved.
        reserve: bool,
    },
    /// The transport to the peer by IP protocol number; 17 is UDP.
    RequestedTransport(u8),
    /// DF is to be set on what is relayed.
    DontFragment,
    /// The password algorithm that a client picked, by number (1 MD5, 2 SHA-256).
    PasswordAlgorithm(u16),
    /// SHA-256 of username and realm.
    Userhash(&'a [u8; 32]),
    /// The client's address as the server saw it.
    XorMappedAddress(Endpoint),
    /// Claims a reserved port.
    ReservationToken([u8; 8]),
    /// Priority of a peer-reflexive candidate that the check may reveal.
    Priority(u32),
    /// The pair is nominated.
    UseCandidate,
    /// So many octets of nothing, to make fragments.
    Padding(&'a [u8]),
    /// The port that the response is to be sent to.
    ResponsePort(u16),
    /// A second relayed address is wanted, of this family.
    AdditionalAddressFamily(Family),
    /// Why there is no relayed address of the family.
    AddressErrorCode(Family, ErrorCode<'a>),
    /// The password algorithms of a server, as on the wire.
    PasswordAlgorithms(&'a [u8]),
    /// The name to expect in the alternate server's certificate.
    AlternateDomain(&'a str),
    /// The ICMP error that a relayed datagram met.
    Icmp {
        /// ICMP or ICMPv6 type, 0 to 127.
        icmp_type: u8,
        /// Code, 0 to 511.
        code: u16,
        /// Next-hop MTU where the error tells it, else 0.
        data: u32,
    },
    /// Name of the sender's software; under 128 characters.
    Software(&'a str),
    /// The server to try instead.
    AlternateServer(Endpoint),
    /// CRC-32 of the message.
    Fingerprint(u32),
    /// The sender is controlled; its tie-breaker.
    IceControlled(u64),
    /// The sender is controlling; its tie-breaker.
    IceControlling(u64),
    /// The address that the response was sent from.
    ResponseOrigin(Endpoint),
    /// The address that CHANGE-REQUEST for both address and port leads to.
    OtherAddress(Endpoint),
    /// Any other attribute.
    Other(AttributeType, &'a [u8]),
}

/// An error code and its reason phrase (RFC 8489 section 14.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode<'a> {
    /// 300 to 699.
    pub code: u16,
    /// For people; under 128 characters.
    pub reason: &'a str,
}

/// "fewer than 128 characters (which can be as long as 509 bytes when encoding them or 763 bytes when decoding them)" (RFC
/// 8489 section 14.8); usernames are to be parsed up to the same length (section 14.3).
const MAX_TEXT: usize = 763;

impl<'a> Attribute<'a> {
    /// The type.
    pub const fn kind(&self) -> AttributeType {
        match self {
            Self::MappedAddress(_) => AttributeType::MAPPED_ADDRESS,
            Self::ChangeRequest { .. } => AttributeType::CHANGE_REQUEST,
            Self::Username(_) => AttributeType::USERNAME,
            Self::MessageIntegrity(_) => AttributeType::MESSAGE_INTEGRITY,
            Self::MessageIntegritySha256(_) => AttributeType::MESSAGE_INTEGRITY_SHA256,
            Self::ErrorCode(_) => AttributeType::ERROR_CODE,
            Self::UnknownAttributes(_) => AttributeType::UNKNOWN_ATTRIBUTES,
            Self::ChannelNumber(_) => AttributeType::CHANNEL_NUMBER,
            Self::Lifetime(_) => AttributeType::LIFETIME,
            Self::XorPeerAddress(_) => AttributeType::XOR_PEER_ADDRESS,
            Self::Data(_) => AttributeType::DATA,
            Self::Realm(_) => AttributeType::REALM,
            Self::Nonce(_) => AttributeType::NONCE,
            Self::XorRelayedAddress(_) => AttributeType::XOR_RELAYED_ADDRESS,
            Self::RequestedAddressFamily(_) => AttributeType::REQUESTED_ADDRESS_FAMILY,
            Self::EvenPort { .. } => AttributeType::EVEN_PORT,
            Self::RequestedTransport(_) => AttributeType::REQUESTED_TRANSPORT,
            Self::DontFragment => AttributeType::DONT_FRAGMENT,
            Self::PasswordAlgorithm(_) => AttributeType::PASSWORD_ALGORITHM,
            Self::Userhash(_) => AttributeType::USERHASH,
            Self::XorMappedAddress(_) => AttributeType::XOR_MAPPED_ADDRESS,
            Self::ReservationToken(_) => AttributeType::RESERVATION_TOKEN,
            Self::Priority(_) => AttributeType::PRIORITY,
            Self::UseCandidate => AttributeType::USE_CANDIDATE,
            Self::Padding(_) => AttributeType::PADDING,
            Self::ResponsePort(_) => AttributeType::RESPONSE_PORT,
            Self::AdditionalAddressFamily(_) => AttributeType::ADDITIONAL_ADDRESS_FAMILY,
            Self::AddressErrorCode(..) => AttributeType::ADDRESS_ERROR_CODE,
            Self::PasswordAlgorithms(_) => AttributeType::PASSWORD_ALGORITHMS,
            Self::AlternateDomain(_) => AttributeType::ALTERNATE_DOMAIN,
            Self::Icmp { .. } => AttributeType::ICMP,
            Self::Software(_) => AttributeType::SOFTWARE,
            Self::AlternateServer(_) => AttributeType::ALTERNATE_SERVER,
            Self::Fingerprint(_) => AttributeType::FINGERPRINT,
            Self::IceControlled(_) => AttributeType::ICE_CONTROLLED,
            Self::IceControlling(_) => AttributeType::ICE_CONTROLLING,
            Self::ResponseOrigin(_) => AttributeType::RESPONSE_ORIGIN,
            Self::OtherAddress(_) => AttributeType::OTHER_ADDRESS,
            Self::Other(kind, _) => *kind,
        }
    }

    /// Reads the value of an attribute of a message; `None` if it is malformed.
    pub(crate) fn decode(kind: AttributeType, value: &'a [u8], id: TransactionId) -> Option<Self> {
        Some(match kind {
            AttributeType::MAPPED_ADDRESS => Self::MappedAddress(decode_address(value)?),
            AttributeType::CHANGE_REQUEST => {
                let flags = u32::from_be_bytes(value.try_into().ok()?);
                Self::ChangeRequest { ip: flags & CHANGE_IP != 0, port: flags & CHANGE_PORT != 0 }
            }
            AttributeType::USERNAME => Self::Username(text(value)?),
            AttributeType::MESSAGE_INTEGRITY => Self::MessageIntegrity(value.try_into().ok()?),
            AttributeType::MESSAGE_INTEGRITY_SHA256 => {
                let valid = (16..=32).contains(&value.len()) && value.len().is_multiple_of(4);
                Self::MessageIntegritySha256(valid.then_some(value)?)
            }
            AttributeType::ERROR_CODE => Self::ErrorCode(decode_error(value)?.1),
            AttributeType::UNKNOWN_ATTRIBUTES => Self::UnknownAttributes(value),
            AttributeType::CHANNEL_NUMBER => Self::ChannelNumber(leading_u16(value)?),
            AttributeType::LIFETIME => Self::Lifetime(u32::from_be_bytes(value.try_into().ok()?)),
            AttributeType::XOR_PEER_ADDRESS => Self::XorPeerAddress(decode_xor(value, id)?),
            AttributeType::DATA => Self::Data(value),
            AttributeType::REALM => Self::Realm(text(value)?),
            AttributeType::NONCE => Self::Nonce(text(value)?),
            AttributeType::XOR_RELAYED_ADDRESS => Self::XorRelayedAddress(decode_xor(value, id)?),
            AttributeType::REQUESTED_ADDRESS_FAMILY => Self::RequestedAddressFamily(decode_family(value)?),
            AttributeType::EVEN_PORT => Self::EvenPort { reserve: value.first()? & 0x80 != 0 },
            AttributeType::REQUESTED_TRANSPORT => {
                Self::RequestedTransport(*value.first_chunk::<4>()?.first()?)
            }
            AttributeType::DONT_FRAGMENT => Self::DontFragment,
            AttributeType::PASSWORD_ALGORITHM => Self::PasswordAlgorithm(leading_u16(value)?),
            AttributeType::USERHASH => Self::Userhash(value.try_into().ok()?),
            AttributeType::XOR_MAPPED_ADDRESS => Self::XorMappedAddress(decode_xor(value, id)?),
            AttributeType::RESERVATION_TOKEN => Self::ReservationToken(value.try_into().ok()?),
            AttributeType::PRIORITY => Self::Priority(u32::from_be_bytes(value.try_into().ok()?)),
            AttributeType::USE_CANDIDATE => Self::UseCandidate,
            AttributeType::PADDING => Self::Padding(value),
            AttributeType::RESPONSE_PORT => Self::ResponsePort(leading_u16(value)?),
            AttributeType::ADDITIONAL_ADDRESS_FAMILY => Self::AdditionalAddressFamily(decode_family(value)?),
            AttributeType::ADDRESS_ERROR_CODE => {
                let (family, error) = decode_error(value)?;
                Self::AddressErrorCode(family?, error)
            }
            AttributeType::PASSWORD_ALGORITHMS => Self::PasswordAlgorithms(value),
            AttributeType::ALTERNATE_DOMAIN => Self::AlternateDomain(text(value)?),
            AttributeType::ICMP => {
                let value: [u8; 8] = value.try_into().ok()?;
                let what = u16::from_be_bytes([value[2], value[3]]);
                let data = u32::from_be_bytes([value[4], value[5], value[6], value[7]]);
                Self::Icmp { icmp_type: value[2] >> 1, code: what & 0x01FF, data }
            }
            AttributeType::SOFTWARE => Self::Software(text(value)?),
            AttributeType::ALTERNATE_SERVER => Self::AlternateServer(decode_address(value)?),
            AttributeType::FINGERPRINT => Self::Fingerprint(u32::from_be_bytes(value.try_into().ok()?)),
            AttributeType::ICE_CONTROLLED => Self::IceControlled(u64::from_be_bytes(value.try_into().ok()?)),
            AttributeType::ICE_CONTROLLING => {
                Self::IceControlling(u64::from_be_bytes(value.try_into().ok()?))
            }
            AttributeType::RESPONSE_ORIGIN => Self::ResponseOrigin(decode_address(value)?),
            AttributeType::OTHER_ADDRESS => Self::OtherAddress(decode_address(value)?),
            other => Self::Other(other, value),
        })
    }

    /// Appends the value to `out`, without padding.
    pub(super) fn encode(&self, id: TransactionId, out: &mut Vec<u8>) {
        match *self {
            Self::MappedAddress(address)
            | Self::AlternateServer(address)
            | Self::ResponseOrigin(address)
            | Self::OtherAddress(address) => encode_address(address, out),
            Self::XorPeerAddress(address)
            | Self::XorRelayedAddress(address)
            | Self::XorMappedAddress(address) => encode_address(xor(address, id), out),
            Self::ChangeRequest { ip, port } => {
                let flags = if ip { CHANGE_IP } else { 0 } | if port { CHANGE_PORT } else { 0 };
                out.extend_from_slice(&flags.to_be_bytes());
            }
            Self::Username(text)
            | Self::Realm(text)
            | Self::Nonce(text)
            | Self::AlternateDomain(text)
            | Self::Software(text) => out.extend_from_slice(text.as_bytes()),
            Self::MessageIntegrity(mac) => out.extend_from_slice(mac),
            Self::ErrorCode(error) => encode_error(0, error, out),
            Self::AddressErrorCode(family, error) => encode_error(family_number(family), error, out),
            Self::MessageIntegritySha256(value)
            | Self::UnknownAttributes(value)
            | Self::Data(value)
            | Self::Padding(value)
            | Self::PasswordAlgorithms(value)
            | Self::Other(_, value) => out.extend_from_slice(value),
            Self::ChannelNumber(number) | Self::ResponsePort(number) | Self::PasswordAlgorithm(number) => {
                out.extend_from_slice(&number.to_be_bytes());
                out.extend_from_slice(&[0; 2]);
            }
            Self::Lifetime(number) | Self::Priority(number) | Self::Fingerprint(number) => {
                out.extend_from_slice(&number.to_be_bytes());
            }
            Self::RequestedAddressFamily(family) | Self::AdditionalAddressFamily(family) => {
                out.extend_from_slice(&[family_number(family), 0, 0, 0]);
            }
            Self::EvenPort { reserve } => out.push(if reserve { 0x80 } else { 0 }),
            Self::RequestedTransport(protocol) => out.extend_from_slice(&[protocol, 0, 0, 0]),
            Self::DontFragment | Self::UseCandidate => {}
            Self::Userhash(hash) => out.extend_from_slice(hash),
            Self::ReservationToken(token) => out.extend_from_slice(&token),
            Self::Icmp { icmp_type, code, data } => {
                let what = u16::from(icmp_type & 0x7F) << 9 | (code & 0x01FF);
                out.extend_from_slice(&[0; 2]);
                out.extend_from_slice(&what.to_be_bytes());
                out.extend_from_slice(&data.to_be_bytes());
            }
            Self::IceControlled(tie_breaker) | Self::IceControlling(tie_breaker) => {
                out.extend_from_slice(&tie_breaker.to_be_bytes());
            }
        }
    }
}

/// The 'change IP' and 'change port' flags (RFC 5780 section 7.2).
const CHANGE_IP: u32 = 0x4;
const CHANGE_PORT: u32 = 0x2;

fn text(value: &[u8]) -> Option<&str> {
    if value.len() > MAX_TEXT { None } else { std::str::from_utf8(value).ok() }
}

fn leading_u16(value: &[u8]) -> Option<u16> {
    value.first_chunk().map(|&bytes| u16::from_be_bytes(bytes))
}

const fn family_number(family: Family) -> u8 {
    match family {
        Family::V4 => 1,
        Family::V6 => 2,
    }
}

fn decode_family(value: &[u8]) -> Option<Family> {
    match value.first()? {
        1 => Some(Family::V4),
        2 => Some(Family::V6),
        _ => None,
    }
}

fn decode_address(value: &[u8]) -> Option<Endpoint> {
    let (&[_, family, port_high, port_low], ip) = value.split_first_chunk::<4>()?;
    let ip = match decode_family(&[family])? {
        Family::V4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(ip).ok()?)),
        Family::V6 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(ip).ok()?)),
    };
    Some(Endpoint::new(ip, u16::from_be_bytes([port_high, port_low])))
}

fn encode_address(address: Endpoint, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0, family_number(address.family())]);
    out.extend_from_slice(&address.port.to_be_bytes());
    match address.ip {
        IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
    }
}

fn decode_xor(value: &[u8], id: TransactionId) -> Option<Endpoint> {
    decode_address(value).map(|address| xor(address, id))
}

/// XORs an address with the magic cookie, and an IPv6 address with the transaction ID too; its own inverse (RFC 8489
/// section 14.2).
fn xor(address: Endpoint, id: TransactionId) -> Endpoint {
    let mut pad = [0; 16];
    pad[..4].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
    pad[4..].copy_from_slice(&id.0);
    let ip = match address.ip {
        IpAddr::V4(ip) => IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() ^ MAGIC_COOKIE)),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() ^ u128::from_be_bytes(pad))),
    };
    Endpoint::new(ip, address.port ^ u16::from_be_bytes([pad[0], pad[1]]))
}

/// The code with its reason, and the family that ADDRESS-ERROR-CODE has in the first octet.
fn decode_error(value: &[u8]) -> Option<(Option<Family>, ErrorCode<'_>)> {
    let (&[family, _, class, number], reason) = value.split_first_chunk::<4>()?;
    let class = class & 0x07;
    if !(3..=6).contains(&class) || number > 99 {
        return None;
    }
    let code = u16::from(class) * 100 + u16::from(number);
    Some((decode_family(&[family]), ErrorCode { code, reason: text(reason)? }))
}

fn encode_error(family: u8, error: ErrorCode<'_>, out: &mut Vec<u8>) {
    let [_, class] = (error.code / 100).to_be_bytes();
    let [_, number] = (error.code % 100).to_be_bytes();
    out.extend_from_slice(&[family, 0, class & 0x07, number]);
    out.extend_from_slice(error.reason.as_bytes());
}
