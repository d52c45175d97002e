//! What agents tell each other over the signaling path: lines of SDP (RFC 8839 section 5), readable in the event log.

use bytes::Bytes;
use natbed_traversal::ice::{Candidate, Credentials};

const LITE: &str = "a=ice-lite";
const UFRAG: &str = "a=ice-ufrag:";
const PASSWORD: &str = "a=ice-pwd:";
const CANDIDATE: &str = "a=candidate:";
const END: &str = "a=end-of-candidates";

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub enum Signal {
    /// The sender is a lite agent (RFC 8839 section 5.3).
    Lite,
    /// The credentials of a new session; the candidates that follow belong to it.
    Credentials(Credentials),
    /// A candidate, as soon as it was found (RFC 8838 section 9).
    Candidate(Candidate),
    /// There will be no more (RFC 8838 section 13).
    EndOfCandidates,
}

impl Signal {
    /// The message as text.
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Lite => format!("{LITE}\r\n").into(),
            Self::Credentials(credentials) => {
                format!("{UFRAG}{}\r\n{PASSWORD}{}\r\n", credentials.ufrag(), credentials.password()).into()
            }
            Self::Candidate(candidate) => format!("a={candidate}\r\n").into(),
            Self::EndOfCandidates => format!("{END}\r\n").into(),
        }
    }

    /// The message that a text is; `None` if it is none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(bytes).ok()?.lines();
        let first = lines.next()?;
        if first == LITE {
            return Some(Self::Lite);
        }
        if first == END {
            return Some(Self::EndOfCandidates);
        }
        if first.starts_with(CANDIDATE) {
            return first.strip_prefix("a=")?.parse().ok().map(Self::Candidate);
        }
        let (ufrag, password) = (first.strip_prefix(UFRAG)?, lines.next()?.strip_prefix(PASSWORD)?);
        Credentials::new(ufrag, password).ok().map(Self::Credentials)
    }
}
