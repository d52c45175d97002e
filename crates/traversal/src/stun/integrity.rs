//! MESSAGE-INTEGRITY and FINGERPRINT (RFC 8489 sections 9, 14.5 and 14.7).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;
use thiserror::Error;

use super::HEADER_LEN;
use super::attribute::AttributeType;
use super::message::Message;

/// Octets that a FINGERPRINT attribute adds to a message.
const FINGERPRINT_LEN: usize = 8;
/// What the CRC is XORed with, "to ensure that the FINGERPRINT test will not report a false positive" (RFC 8489
/// section 14.7).
const FINGERPRINT_XOR: u32 = 0x5354_554E;

/// A credential made ready to sign and verify: the HMAC state that the key leads to, computed once. The kind of key decides
/// between MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256.
#[derive(Clone)]
pub struct Key(Keyed);

#[derive(Clone)]
enum Keyed {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
}

/// How a long-term key is made of a password (RFC 8489 section 18.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PasswordAlgorithm {
    /// MD5, number 1.
    Md5,
    /// SHA-256, number 2.
    Sha256,
}

impl PasswordAlgorithm {
    /// The number in PASSWORD-ALGORITHM and PASSWORD-ALGORITHMS.
    pub const fn number(self) -> u16 {
        match self {
            Self::Md5 => 1,
            Self::Sha256 => 2,
        }
    }

    /// The algorithm with this number.
    pub const fn from_number(number: u16) -> Option<Self> {
        match number {
            1 => Some(Self::Md5),
            2 => Some(Self::Sha256),
            _ => None,
        }
    }
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
    /// The key of a short-term credential, for MESSAGE-INTEGRITY (RFC 8489 section 9.1.1). `password` is taken as already
    /// prepared by OpaqueString (RFC 8265), which leaves ASCII as it is.
    pub fn short_term(password: &str) -> Self {
        Self::sha1(password.as_bytes())
    }

    /// The key of a long-term credential, `MD5(username ":" realm ":" password)`, for MESSAGE-INTEGRITY (RFC 8489 section
    /// 9.2.2). `password` is taken as already prepared by OpaqueString (RFC 8265), which leaves ASCII as it is.
    pub fn long_term(username: &str, realm: &str, password: &str) -> Self {
        Self::sha1(&long_term_hash::<Md5>(username, realm, password))
    }

    /// The key of a long-term credential for MESSAGE-INTEGRITY-SHA256 (RFC 8489 sections 9.2.2 and 18.5.1).
    pub fn long_term_sha256(
        algorithm: PasswordAlgorithm,
        username: &str,
        realm: &str,
        password: &str,
    ) -> Self {
        let hmac = match algorithm {
            PasswordAlgorithm::Md5 => hmac(&long_term_hash::<Md5>(username, realm, password)),
            PasswordAlgorithm::Sha256 => hmac(&long_term_hash::<Sha256>(username, realm, password)),
        };
        Self(Keyed::Sha256(hmac))
    }

    fn sha1(key: &[u8]) -> Self {
        let mut hashed = [0; 20];
        let key = if key.len() > BLOCK {
            hashed.copy_from_slice(&Sha1::digest(key));
            &hashed
        } else {
            key
        };
        Self(Keyed::Sha1(hmac(key)))
    }

    /// Puts the HMAC of `message` into `mac`, with the header's length field as if its attribute were the last; returns the
    /// attribute's type and length.
    pub(super) fn sign(&self, message: &[u8], mac: &mut [u8; 32]) -> (AttributeType, usize) {
        match &self.0 {
            Keyed::Sha1(hmac) => {
                mac[..20].copy_from_slice(&feed(hmac, message, 20).finalize().into_bytes());
                (AttributeType::MESSAGE_INTEGRITY, 20)
            }
            Keyed::Sha256(hmac) => {
                mac.copy_from_slice(&feed(hmac, message, 32).finalize().into_bytes());
                (AttributeType::MESSAGE_INTEGRITY_SHA256, 32)
            }
        }
    }
}

/// A secret that makes what its holder alone recognises.
#[derive(Clone)]
pub(crate) struct Secret(Hmac<Sha1>);

impl Secret {
    pub(crate) fn new(secret: &[u8; 20]) -> Self {
        Self(hmac(secret))
    }

    /// The HMAC of `parts`, one after the other.
    pub(crate) fn tag(&self, parts: &[&[u8]]) -> [u8; 20] {
        let mut hmac = self.0.clone();
        parts.iter().for_each(|part| hmac.update(part));
        hmac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What stands for a username in USERHASH: `SHA-256(username ":" realm)` (RFC 8489 section 14.4).
pub fn userhash(username: &str, realm: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [username, ":", realm] {
        hash.update(part);
    }
    hash.finalize().into()
}

fn long_term_hash<D: Digest>(username: &str, realm: &str, password: &str) -> hmac::digest::Output<D> {
    let mut hash = D::new();
    for part in [username, ":", realm, ":", password] {
        hash.update(part);
    }
    hash.finalize()
}

/// Octets of a block of SHA-1 and SHA-256.
const BLOCK: usize = 64;

/// The HMAC state of a key no longer than a block, which HMAC pads with zeros (RFC 2104).
fn hmac<M: KeyInit>(key: &[u8]) -> M {
    let mut block = hmac::digest::Key::<M>::default();
    block[..key.len()].copy_from_slice(key);
    M::new(&block)
}

/// The HMAC of `message` with the header's length field counting an integrity attribute of `length` octets behind it.
fn feed<M: Mac + Clone>(hmac: &M, message: &[u8], length: usize) -> M {
    let mut hmac = hmac.clone();
    let (header, attributes) = message.split_at(HEADER_LEN);
    hmac.update(&header_with_length(header, attributes.len() + 4 + length));
    hmac.update(attributes);
    hmac
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Message<'_> {
    /// Whether MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256 is there, right or wrong.
    pub const fn has_integrity(&self) -> bool {
        self.integrity.is_some() || self.integrity_sha256.is_some()
    }

    /// Checks MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256, as goes with the key (RFC 8489 sections 14.5 and 14.6), in a
    /// time that does not depend on how much of it is right.
    ///
    /// # Errors
    ///
    /// When there is none, or it was not made of this message with `key`.
    pub fn verify_integrity(&self, key: &Key) -> Result<(), IntegrityError> {
        let at = match &key.0 {
            Keyed::Sha1(_) => self.integrity,
            Keyed::Sha256(_) => self.integrity_sha256,
        };
        let (covered, attribute) = self.as_bytes().split_at(usize::from(at.ok_or(IntegrityError::Missing)?));
        let length = usize::from(u16::from_be_bytes([attribute[2], attribute[3]]));
        let mac = &attribute[4..4 + length];
        let verified = match &key.0 {
            Keyed::Sha1(hmac) => feed(hmac, covered, length).verify_slice(mac).is_ok(),
            Keyed::Sha256(hmac) => {
                let valid = (16..=32).contains(&length) && length.is_multiple_of(4);
                valid && feed(hmac, covered, length).verify_truncated_left(mac).is_ok()
            }
        };
        if verified { Ok(()) } else { Err(IntegrityError::Mismatch) }
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
    crc.update(&header_with_length(header, attributes.len() + FINGERPRINT_LEN));
    crc.update(attributes);
    crc.finalize() ^ FINGERPRINT_XOR
}

/// The header with `length` in its length field.
fn header_with_length(header: &[u8], length: usize) -> [u8; HEADER_LEN] {
    let mut copy = [0; HEADER_LEN];
    copy.copy_from_slice(header);
    // What was parsed or is written counts 65 535 octets at most; a longer one is cut short and matches nothing.
    copy[2..4].copy_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    copy
}

#[cfg(test)]
mod tests;
