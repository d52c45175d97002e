//! The username fragment and password that a check is authenticated with (RFC 8445 section 5.3).

use std::sync::Arc;

use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;
use thiserror::Error;

use super::candidate::is_ice_char;

/// One agent's credentials for one ICE session; a restart makes new ones (RFC 8445 section 9). A clone shares the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The username fragment, and behind it the password.
    text: Arc<str>,
    /// Octets of the username fragment.
    ufrag: usize,
}

/// Why a pair of texts is not a pair of ICE credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CredentialsError {
    /// The username fragment is not 4 to 256 ice-chars.
    #[error("the username fragment is not 4 to 256 of the characters A-Z a-z 0-9 + /")]
    Ufrag,
    /// The password is not 22 to 256 ice-chars.
    #[error("the password is not 22 to 256 of the characters A-Z a-z 0-9 + /")]
    Password,
}

impl Credentials {
    /// Credentials received from a peer (RFC 8839 section 5.4 for their length and characters).
    pub fn new(ufrag: &str, password: &str) -> Result<Self, CredentialsError> {
        let ice_chars =
            |text: &str, shortest| (shortest..=256).contains(&text.len()) && text.bytes().all(is_ice_char);
        if !ice_chars(ufrag, 4) {
            return Err(CredentialsError::Ufrag);
        }
        if !ice_chars(password, 22) {
            return Err(CredentialsError::Password);
        }
        Ok(Self { text: [ufrag, password].concat().into(), ufrag: ufrag.len() })
    }

    /// Fresh ones: 48 bits of username fragment and 144 of password, where 24 and 128 are the least
    /// (RFC 8445 section 5.3).
    pub(crate) fn generate(rng: &mut Xoshiro256PlusPlus) -> Self {
        let text: [u8; 8 + 24] = std::array::from_fn(|_| ice_char(rng.random()));
        Self { text: str::from_utf8(&text).unwrap_or_default().into(), ufrag: 8 }
    }

    /// The username fragment.
    pub fn ufrag(&self) -> &str {
        &self.text[..self.ufrag]
    }

    /// The password.
    pub fn password(&self) -> &str {
        &self.text[self.ufrag..]
    }
}

/// The ice-char that the low six bits of `byte` stand for.
const fn ice_char(byte: u8) -> u8 {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    ALPHABET[(byte & 63) as usize]
}
