//! Writing messages.

use super::attribute::{Attribute, AttributeType};
use super::integrity::{Key, fingerprint};
use super::message::{Class, Method, TransactionId, padded};
use super::{HEADER_LEN, MAGIC_COOKIE};

/// Octets that hold most messages.
const USUAL: usize = 128;

/// Writes one message into a buffer that may be used again for the next. The buffer holds a whole, valid message after
/// every call.
///
/// ```
/// use natbed_traversal::stun::{Attribute, Builder, Class, Key, Message, Method, TransactionId};
///
/// let key = Key::short_term("VOkJxbRl1RmTxUk/WvJxBt");
/// let mut buffer = Vec::new();
/// Builder::new(&mut buffer, Class::Request, Method::Binding, TransactionId([7; 12]))
///     .attribute(Attribute::Username("evtj:h6vY"))
///     .attribute(Attribute::Priority(0x6e00_01ff))
///     .integrity(&key)
///     .fingerprint();
///
/// let message = Message::parse(&buffer)?;
/// assert_eq!(message.username(), Some("evtj:h6vY"));
/// assert!(message.verify_integrity(&key).is_ok() && message.verify_fingerprint());
/// # Ok::<(), natbed_traversal::stun::ParseError>(())
/// ```
#[derive(Debug)]
pub struct Builder<'b> {
    buffer: &'b mut Vec<u8>,
    transaction_id: TransactionId,
}

impl<'b> Builder<'b> {
    /// Clears `buffer` and writes the header.
    pub fn new(buffer: &'b mut Vec<u8>, class: Class, method: Method, transaction_id: TransactionId) -> Self {
        buffer.clear();
        buffer.reserve(USUAL);
        buffer.extend_from_slice(&(class.bits() | method.bits()).to_be_bytes());
        buffer.extend_from_slice(&[0; 2]);
        buffer.extend_from_slice(&MAGIC_COOKIE.to_be_bytes());
        buffer.extend_from_slice(&transaction_id.0);
        Self { buffer, transaction_id }
    }

    /// Appends an attribute, padded with zeros. One that would take the message beyond the 65 535 octets that its
    /// length field can count is left out: check the length of what you wrap.
    pub fn attribute(&mut self, attribute: Attribute<'_>) -> &mut Self {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&attribute.kind().0.to_be_bytes());
        self.buffer.extend_from_slice(&[0; 2]);
        attribute.encode(self.transaction_id, self.buffer);
        let value = self.buffer.len() - start - 4;
        let end = start + 4 + padded(value);
        match (u16::try_from(value), u16::try_from(end - HEADER_LEN)) {
            (Ok(value), Ok(length)) => {
                self.buffer[start + 2..start + 4].copy_from_slice(&value.to_be_bytes());
                self.buffer.resize(end, 0);
                self.buffer[2..4].copy_from_slice(&length.to_be_bytes());
            }
            _ => self.buffer.truncate(start),
        }
        self
    }

    /// Goes on with the message in `buffer`.
    pub(crate) fn resume(buffer: &'b mut Vec<u8>) -> Self {
        let mut id = [0; 12];
        id.copy_from_slice(&buffer[8..HEADER_LEN]);
        Self { buffer, transaction_id: TransactionId(id) }
    }

    /// Appends UNKNOWN-ATTRIBUTES (RFC 8489 section 14.13).
    pub fn unknown_attributes(&mut self, kinds: &[AttributeType]) -> &mut Self {
        let listed: Vec<u8> = kinds.iter().flat_map(|kind| kind.0.to_be_bytes()).collect();
        self.attribute(Attribute::UnknownAttributes(&listed))
    }

    /// Appends MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256, as goes with the key, over what has been written so far
    /// (RFC 8489 sections 14.5 and 14.6).
    pub fn integrity(&mut self, key: &Key) -> &mut Self {
        let mut mac = [0; 32];
        let (kind, length) = key.sign(self.buffer, &mut mac);
        self.attribute(Attribute::Other(kind, &mac[..length]))
    }

    /// Appends FINGERPRINT, which must come last (RFC 8489 section 14.7).
    pub fn fingerprint(&mut self) -> &mut Self {
        let crc = fingerprint(self.buffer);
        self.attribute(Attribute::Fingerprint(crc))
    }
}
