//! The checked view of a message's bytes.

use std::fmt;

use rand::Rng;
use thiserror::Error;

use super::attribute::{Attribute, AttributeType};
use super::{HEADER_LEN, MAGIC_COOKIE};

/// A STUN message in somebody else's buffer (RFC 8489 section 5).
///
/// Once parsed, header and attribute bounds are right and nothing read from it panics, whatever the bytes. Attributes
/// behind MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 and FINGERPRINT that these do not cover are not seen
/// (RFC 8489 sections 14.5 to 14.7), and of an attribute that occurs twice only the first is looked up (section 14).
#[derive(Clone, Copy)]
pub struct Message<'a> {
    bytes: &'a [u8],
    /// Where MESSAGE-INTEGRITY starts, unless something stands before it that it should have come before.
    pub(super) integrity: Option<u16>,
    /// Likewise MESSAGE-INTEGRITY-SHA256.
    pub(super) integrity_sha256: Option<u16>,
    /// Where the first FINGERPRINT starts.
    pub(super) fingerprint: Option<u16>,
}

/// Why bytes are not a STUN message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ParseError {
    /// Fewer octets than a header has.
    #[error("shorter than the 20 octets of a header")]
    TooShort,
    /// One of the first two bits is set.
    #[error("the first two bits are not zero")]
    NotStun,
    /// The magic cookie is missing.
    #[error("no magic cookie")]
    Cookie,
    /// The length field is no multiple of 4, or is not what follows the header.
    #[error("the length field does not fit the message")]
    Length,
    /// An attribute reaches beyond the end of the message.
    #[error("an attribute reaches beyond the end")]
    Attribute,
}

impl<'a> Message<'a> {
    /// Checks header and attribute bounds of `bytes`, which must hold one message and nothing else.
    ///
    /// # Errors
    ///
    /// A [`ParseError`] says which check failed; such bytes are to be discarded silently (RFC 8489 section 6.3).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let Some((header, attributes)) = bytes.split_first_chunk::<HEADER_LEN>() else {
            return Err(ParseError::TooShort);
        };
        if header[0] & 0xC0 != 0 {
            return Err(ParseError::NotStun);
        }
        if header[4..8] != MAGIC_COOKIE.to_be_bytes() {
            return Err(ParseError::Cookie);
        }
        let length = u16::from_be_bytes([header[2], header[3]]);
        if !length.is_multiple_of(4) || usize::from(length) != attributes.len() {
            return Err(ParseError::Length);
        }
        let mut message = Self { bytes, integrity: None, integrity_sha256: None, fingerprint: None };
        message.check_attributes()?;
        Ok(message)
    }

    /// Walks all attributes, and notes where those are that end what others cover.
    fn check_attributes(&mut self) -> Result<(), ParseError> {
        let mut at = HEADER_LEN;
        while at < self.bytes.len() {
            let Some((kind, value)) = raw_attribute(self.bytes, at) else {
                return Err(ParseError::Attribute);
            };
            // A message is 65 555 octets at most, and the last attribute of its 65 535 starts within 16 bits.
            let place = u16::try_from(at).map_err(|_| ParseError::Attribute)?;
            let open = self.fingerprint.is_none() && self.integrity_sha256.is_none();
            match kind {
                AttributeType::MESSAGE_INTEGRITY if open && self.integrity.is_none() => {
                    self.integrity = Some(place);
                }
                AttributeType::MESSAGE_INTEGRITY_SHA256 if open => self.integrity_sha256 = Some(place),
                AttributeType::FINGERPRINT if self.fingerprint.is_none() => self.fingerprint = Some(place),
                _ => {}
            }
            at += 4 + padded(value.len());
        }
        Ok(())
    }

    /// The whole message.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Request, indication, success or error response.
    pub fn class(&self) -> Class {
        Class::of(self.message_type())
    }

    /// The method.
    pub fn method(&self) -> Method {
        Method::of(self.message_type())
    }

    /// The transaction ID.
    pub fn transaction_id(&self) -> TransactionId {
        let mut id = [0; 12];
        id.copy_from_slice(&self.bytes[8..HEADER_LEN]);
        TransactionId(id)
    }

    /// Type and value of every attribute that counts, in order.
    pub fn raw_attributes(&self) -> RawAttributes<'a> {
        RawAttributes { bytes: self.bytes, at: HEADER_LEN, seen: Seen::Plain }
    }

    /// Every attribute that counts and is well formed, in order.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        let id = self.transaction_id();
        self.raw_attributes().filter_map(move |(kind, value)| Attribute::decode(kind, value, id))
    }

    /// The value of the first attribute of type `kind`.
    pub fn raw(&self, kind: AttributeType) -> Option<&'a [u8]> {
        self.raw_attributes().find(|&(k, _)| k == kind).map(|(_, value)| value)
    }

    /// Whether there is an attribute of type `kind`, well formed or not.
    pub fn has(&self, kind: AttributeType) -> bool {
        self.raw(kind).is_some()
    }

    /// The first attribute of type `kind`; `None` also if its value is malformed.
    pub fn attribute(&self, kind: AttributeType) -> Option<Attribute<'a>> {
        Attribute::decode(kind, self.raw(kind)?, self.transaction_id())
    }

    /// The comprehension-required attribute types that this crate does not know, each once (RFC 8489 section 6.3).
    pub fn unknown_required(&self) -> Vec<AttributeType> {
        let mut unknown = Vec::new();
        for (kind, _) in self.raw_attributes() {
            if kind.is_comprehension_required() && !kind.is_known() && !unknown.contains(&kind) {
                unknown.push(kind);
            }
        }
        unknown
    }

    fn message_type(&self) -> u16 {
        u16::from_be_bytes([self.bytes[0], self.bytes[1]])
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} {:?} ", self.method(), self.class(), self.transaction_id())?;
        f.debug_list().entries(self.attributes()).finish()
    }
}

/// Iterator over the attributes of a [`Message`] that count.
#[derive(Clone, Debug)]
pub struct RawAttributes<'a> {
    bytes: &'a [u8],
    at: usize,
    seen: Seen,
}

/// What has gone by that closes the message to most attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    Plain,
    Integrity,
    IntegritySha256,
    Fingerprint,
}

impl<'a> Iterator for RawAttributes<'a> {
    type Item = (AttributeType, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (kind, value) = raw_attribute(self.bytes, self.at)?;
            self.at += 4 + padded(value.len());
            let rank = match kind {
                AttributeType::MESSAGE_INTEGRITY => Seen::Integrity,
                AttributeType::MESSAGE_INTEGRITY_SHA256 => Seen::IntegritySha256,
                AttributeType::FINGERPRINT => Seen::Fingerprint,
                _ => Seen::Plain,
            };
            if self.seen == Seen::Plain || rank > self.seen {
                self.seen = rank;
                return Some((kind, value));
            }
        }
    }
}

/// The attribute that starts at `at`; `None` at the end, and where the length points beyond it.
#[inline]
fn raw_attribute(bytes: &[u8], at: usize) -> Option<(AttributeType, &[u8])> {
    let (header, rest) = bytes.get(at..)?.split_first_chunk::<4>()?;
    let kind = AttributeType(u16::from_be_bytes([header[0], header[1]]));
    let value = rest.get(..usize::from(u16::from_be_bytes([header[2], header[3]])))?;
    Some((kind, value))
}

/// Attribute values are padded to a multiple of 4 octets (RFC 8489 section 14).
pub(super) const fn padded(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// The class of a message (RFC 8489 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Wants a response.
    Request,
    /// Wants none.
    Indication,
    /// The request was carried out.
    Success,
    /// The request failed.
    Error,
}

impl Class {
    /// The class bits C1 and C0 of a message type.
    const fn of(message_type: u16) -> Self {
        match message_type & 0x0110 {
            0x0000 => Self::Request,
            0x0010 => Self::Indication,
            0x0100 => Self::Success,
            _ => Self::Error,
        }
    }

    pub(super) const fn bits(self) -> u16 {
        match self {
            Self::Request => 0x0000,
            Self::Indication => 0x0010,
            Self::Success => 0x0100,
            Self::Error => 0x0110,
        }
    }
}

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Binding (RFC 8489).
    Binding,
    /// Allocate (RFC 8656).
    Allocate,
    /// Refresh (RFC 8656).
    Refresh,
    /// Send (RFC 8656).
    Send,
    /// Data (RFC 8656).
    Data,
    /// CreatePermission (RFC 8656).
    CreatePermission,
    /// ChannelBind (RFC 8656).
    ChannelBind,
    /// Any other method, by its 12-bit number.
    Other(u16),
}

impl Method {
    /// The method bits of a message type, which the class bits stand between.
    const fn of(message_type: u16) -> Self {
        let number = (message_type & 0x000F) | (message_type & 0x00E0) >> 1 | (message_type & 0x3E00) >> 2;
        match number {
            0x001 => Self::Binding,
            0x003 => Self::Allocate,
            0x004 => Self::Refresh,
            0x006 => Self::Send,
            0x007 => Self::Data,
            0x008 => Self::CreatePermission,
            0x009 => Self::ChannelBind,
            other => Self::Other(other),
        }
    }

    pub(super) const fn bits(self) -> u16 {
        let number = match self {
            Self::Binding => 0x001,
            Self::Allocate => 0x003,
            Self::Refresh => 0x004,
            Self::Send => 0x006,
            Self::Data => 0x007,
            Self::CreatePermission => 0x008,
            Self::ChannelBind => 0x009,
            Self::Other(number) => number,
        };
        (number & 0x000F) | (number & 0x0070) << 1 | (number & 0x0F80) << 2
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Binding => f.write_str("binding"),
            Self::Allocate => f.write_str("allocate"),
            Self::Refresh => f.write_str("refresh"),
            Self::Send => f.write_str("send"),
            Self::Data => f.write_str("data"),
            Self::CreatePermission => f.write_str("create permission"),
            Self::ChannelBind => f.write_str("channel bind"),
            Self::Other(number) => write!(f, "method 0x{number:03x}"),
        }
    }
}

/// The 96 random bits that name a transaction (RFC 8489 section 5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(pub [u8; 12]);

impl TransactionId {
    /// Draws one.
    pub fn random(rng: &mut impl Rng) -> Self {
        let mut id = [0; 12];
        rng.fill_bytes(&mut id);
        Self(id)
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests;
