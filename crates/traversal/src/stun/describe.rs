//! What a datagram is, for logs, and which protocol it belongs to (RFC 7983).

use super::message::{Class, Message, Method};

/// Whether `bytes` may be STUN: the first octet is 0 to 3 (RFC 7983 section 7) and the magic cookie is in its place.
pub fn is_stun(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|&first| first < 4)
        && bytes.get(4..8) == Some(&super::MAGIC_COOKIE.to_be_bytes())
}

/// Whether `bytes` may be TURN ChannelData: the first octet is 64 to 79 (RFC 7983 section 7, RFC 8656 section 12).
pub fn is_channel_data(bytes: &[u8]) -> bool {
    bytes.len() >= 4 && (64..80).contains(&bytes[0])
}

/// What `bytes` carry, in a few words for people: `stun binding request`, `turn allocate success response`,
/// `turn channel data 0x4001`; `None` if it is neither STUN nor TURN.
pub fn describe(bytes: &[u8]) -> Option<String> {
    if is_channel_data(bytes) {
        return Some(format!("turn channel data 0x{:02x}{:02x}", bytes[0], bytes[1]));
    }
    let message = Message::parse(bytes).ok()?;
    let protocol = if message.method() == Method::Binding { "stun" } else { "turn" };
    let mut text = format!("{protocol} {} {}", message.method(), message.class());
    if let Some(error) = message.error_code() {
        text += &format!(" {}", error.code);
    }
    Some(text)
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Request => "request",
            Self::Indication => "indication",
            Self::Success => "success response",
            Self::Error => "error response",
        })
    }
}
