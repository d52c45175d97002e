//! The nonce cookie: what a server says it can do, where nobody on the way can take it back (RFC 8489 section 9.2).

/// What a cookie starts with.
const PREFIX: &str = "obMatJos2";
/// Digits of base64 in order (RFC 4648 section 4).
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The STUN security features, of 24 bits that are written in base64 (RFC 8489 section 18.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SecurityFeatures {
    /// Bit 0, the leftmost: PASSWORD-ALGORITHMS is there.
    pub password_algorithms: bool,
    /// Bit 1: USERHASH is to be used in place of USERNAME.
    pub username_anonymity: bool,
}

impl SecurityFeatures {
    /// The features in the cookie that `nonce` starts with; `None` without a cookie.
    pub fn of(nonce: &str) -> Option<Self> {
        let first = *nonce.strip_prefix(PREFIX)?.as_bytes().first_chunk::<4>()?.first()?;
        let bits = BASE64.iter().position(|&digit| digit == first)?;
        Some(Self { password_algorithms: bits & 0b10_0000 != 0, username_anonymity: bits & 0b01_0000 != 0 })
    }

    /// The cookie that a nonce is to start with.
    pub fn cookie(self) -> String {
        let bits = usize::from(self.password_algorithms) << 5 | usize::from(self.username_anonymity) << 4;
        format!("{PREFIX}{}AAA", char::from(BASE64[bits]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8489_9_2_nonce_cookie_carries_24_feature_bits_in_base64() {
        for (password_algorithms, username_anonymity, cookie) in [
            (false, false, "obMatJos2AAAA"),
            (true, false, "obMatJos2gAAA"),
            (false, true, "obMatJos2QAAA"),
            (true, true, "obMatJos2wAAA"),
        ] {
            let features = SecurityFeatures { password_algorithms, username_anonymity };
            assert_eq!(features.cookie(), cookie);
            assert_eq!(SecurityFeatures::of(&format!("{cookie}xyz")), Some(features));
        }
        assert_eq!(SecurityFeatures::of("f//499k954d6OL34oL9FSTvy64sA"), None);
        assert_eq!(SecurityFeatures::of("obMatJos2AA"), None);
    }
}
