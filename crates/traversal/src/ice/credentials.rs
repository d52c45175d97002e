//! The username fragment and password that a check is authenticated with (RFC 8445 section 5.3).

use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;
use thiserror::Error;

use super::candidate::is_ice_char;

/// One agent's credentials for one ICE session; a restart makes new ones (RFC 8445 section 9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    ufrag: String,
    password: String,
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
    pub fn new(ufrag: impl Into<String>, password: impl Into<String>) -> Result<Self, CredentialsError> {
        let (ufrag, password) = (ufrag.into(), password.into());
        let ice_chars =
            |text: &str, shortest| (shortest..=256).contains(&text.len()) && text.bytes().all(is_ice_char);
        if !ice_chars(&ufrag, 4) {
            return Err(CredentialsError::Ufrag);
        }
        if !ice_chars(&password, 22) {
            return Err(CredentialsError::Password);
        }
        Ok(Self { ufrag, password })
    }

    /// Fresh ones: 48 bits of username fragment and 144 of password, where 24 and 128 are the least
    /// (RFC 8445 section 5.3).
    pub(crate) fn generate(rng: &mut Xoshiro256PlusPlus) -> Self {
        let mut text = |length| (0..length).map(|_| ice_char(rng.random::<u8>())).collect();
        Self { ufrag: text(8), password: text(24) }
    }

    /// The username fragment.
    pub fn ufrag(&self) -> &str {
        &self.ufrag
    }

    /// The password.
    pub fn password(&self) -> &str {
        &self.password
    }
}

/// The ice-char that the low six bits of `byte` stand for.
fn ice_char(byte: u8) -> char {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char::from(ALPHABET[usize::from(byte & 63)])
}
