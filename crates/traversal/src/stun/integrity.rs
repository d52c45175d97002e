//! MESSAGE-INTEGRITY and FINGERPRINT (RFC 8489 sections 9, 14.5 and 14.7).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;
use thiserror::Error;

use super::HEADER_LEN;
use super::message::Message;

/// Octets of a MESSAGE-INTEGRITY attribute, header included.
pub(super) const INTEGRITY_LEN: u16 = 24;
/// Octets of a FINGERPRINT attribute, header included.
pub(super) const FINGERPRINT_LEN: u16 = 8;
/// What the CRC is XORed with, "to ensure that the FINGERPRINT test will not report a false positive" (RFC 8489
/// section 14.7).
const FINGERPRINT_XOR: u32 = 0x5354_554E;

/// A credential made ready to sign and verify: the HMAC-SHA1 state that the key leads to, computed once.
#[derive(Clone)]
pub struct Key {
    hmac: Hmac<Sha1>,
}

/// Why a message is not what someone with the key sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum IntegrityError {
    /// There is no MESSAGE-INTEGRITY.
    #[error("no MESSAGE-INTEGRITY")]
    Missing,
    /// It was made with another key, or of another message.
    #[error("MESSAGE-INTEGRITY does not match")]
    Mismatch,
}

impl Key {
    /// The key of a short-term credential (RFC 8489 section 9.1.1). `password` is taken as already prepared by
    /// OpaqueString (RFC 8265), which leaves ASCII as it is.
    pub fn short_term(password: &str) -> Self {
        Self::from_bytes(password.as_bytes())
    }

    /// The key of a long-term credential, `MD5(username ":" realm ":" password)` (RFC 8489 section 9.2.2). `password`
    /// is taken as already prepared by OpaqueString (RFC 8265), which leaves ASCII as it is.
    pub fn long_term(username: &str, realm: &str, password: &str) -> Self {
        Self::from_bytes(&long_term_hash(username, realm, password))
    }

    /// The key made of these octets.
    pub(crate) fn from_bytes(key: &[u8]) -> Self {
        let mut block = [0; 64];
        match block.get_mut(..key.len()) {
            Some(start) => start.copy_from_slice(key),
            None => block[..20].copy_from_slice(&Sha1::digest(key)),
        }
        Self { hmac: Hmac::new(&block.into()) }
    }

    /// The HMAC of `bytes`, a message's start up to a MESSAGE-INTEGRITY attribute at its end, with the header's
    /// length field as if that attribute were the last.
    fn mac(&self, bytes: &[u8]) -> Hmac<Sha1> {
        let mut hmac = self.hmac.clone();
        let (header, attributes) = bytes.split_at(HEADER_LEN);
        hmac.update(&header_with_length(header, attributes.len(), INTEGRITY_LEN));
        hmac.update(attributes);
        hmac
    }

    /// The HMAC of `parts`, one after the other: for what its maker alone is to recognise.
    pub(crate) fn tag(&self, parts: &[&[u8]]) -> [u8; 20] {
        let mut hmac = self.hmac.clone();
        parts.iter().for_each(|part| hmac.update(part));
        hmac.finalize().into_bytes().into()
    }

    pub(super) fn sign(&self, bytes: &[u8]) -> [u8; 20] {
        self.mac(bytes).finalize().into_bytes().into()
    }
}

fn long_term_hash(username: &str, realm: &str, password: &str) -> [u8; 16] {
    let mut md5 = Md5::new();
    for part in [username, ":", realm, ":", password] {
        md5.update(part);
    }
    md5.finalize().into()
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Message<'_> {
    /// Whether MESSAGE-INTEGRITY is there, right or wrong.
    pub const fn has_integrity(&self) -> bool {
        self.integrity.is_some()
    }

    /// Checks MESSAGE-INTEGRITY (RFC 8489 section 14.5), in a time that does not depend on how much of it is right.
    ///
    /// # Errors
    ///
    /// When there is none, or it was not made of this message with `key`.
    pub fn verify_integrity(&self, key: &Key) -> Result<(), IntegrityError> {
        let at = usize::from(self.integrity.ok_or(IntegrityError::Missing)?);
        let (covered, attribute) = self.as_bytes().split_at(at);
        let length = usize::from(u16::from_be_bytes([attribute[2], attribute[3]]));
        key.mac(covered).verify_slice(&attribute[4..4 + length]).map_err(|_| IntegrityError::Mismatch)
    }

    /// Whether FINGERPRINT is there, is the last attribute and matches (RFC 8489 section 14.7).
    pub fn verify_fingerprint(&self) -> bool {
        let Some(at) = self.fingerprint else { return false };
        let (covered, attribute) = self.as_bytes().split_at(usize::from(at));
        attribute[2..] == {
            let crc = fingerprint(covered).to_be_bytes();
            [0, 4, crc[0], crc[1], crc[2], crc[3]]
        }
    }
}

/// The FINGERPRINT of a message that starts with `bytes` and ends with the attribute.
pub(super) fn fingerprint(bytes: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    let (header, attributes) = bytes.split_at(HEADER_LEN);
    crc.update(&header_with_length(header, attributes.len(), FINGERPRINT_LEN));
    crc.update(attributes);
    crc.finalize() ^ FINGERPRINT_XOR
}

/// The header with its length field counting `attributes` octets and the `last` ones of an attribute to follow.
fn header_with_length(header: &[u8], attributes: usize, last: u16) -> [u8; HEADER_LEN] {
    let mut copy = [0; HEADER_LEN];
    copy.copy_from_slice(header);
    // Messages are at most 65 535 octets behind the header, and the attribute is part of what was counted there.
    let length = u16::try_from(attributes).unwrap_or(u16::MAX).saturating_add(last);
    copy[2..4].copy_from_slice(&length.to_be_bytes());
    copy
}

#[cfg(test)]
mod tests;
