//! Messages over the signaling path: a line that says what follows, then SDP, readable in the event log.

use std::fmt;

use bytes::Bytes;
use natbed_traversal::ice::{Candidate, Credentials};
use natbed_traversal::sdp::Description;

/// What an agent learns of the other side from its messages.
#[derive(Clone, Debug, PartialEq)]
pub enum Signal {
    /// The credentials of a new session; the candidates that follow belong to it.
    Credentials(Credentials),
    /// A candidate, as soon as it was found (RFC 8838 section 9).
    Candidate(Candidate),
    /// There will be no more (RFC 8838 section 13).
    EndOfCandidates,
}

impl Signal {
    /// A message with this alone, for agents that make no descriptions: a [`Negotiation`](super::Negotiation) takes
    /// credentials for an answer where it has offered, else for an offer, and candidates for those of the session.
    pub fn encode(&self) -> Bytes {
        let (kind, lines) = match self {
            Self::Credentials(credentials) => {
                let (ufrag, password) = (credentials.ufrag(), credentials.password());
                (MessageKind::Credentials, format!("a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n"))
            }
            Self::Candidate(candidate) => (MessageKind::Candidates, format!("{SECTION}a={candidate}\r\n")),
            Self::EndOfCandidates => (MessageKind::Candidates, format!("{SECTION}a=end-of-candidates\r\n")),
        };
        Message { kind, sdp: &lines }.write()
    }

    /// What a message tells to an agent that makes no descriptions: an offer or answer, the credentials in it. `None` if
    /// it is no message.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let Message { kind, sdp } = Message::read(bytes)?;
        match kind {
            MessageKind::Offer | MessageKind::Answer => {
                let description = Description::parse(sdp).ok()?;
                description.credentials(description.transport()?).map(Self::Credentials)
            }
            MessageKind::Credentials => {
                Description::parse_fragment(sdp).ok()?.session_credentials().map(Self::Credentials)
            }
            MessageKind::Candidates => {
                let fragment = Description::parse_fragment(sdp).ok()?;
                let section = fragment.media.first()?;
                let ends = fragment.ends_candidates(section).then_some(Self::EndOfCandidates);
                section.candidates().next().copied().map(Self::Candidate).or(ends)
            }
        }
    }
}

/// The pseudo section that candidates stand in (RFC 8840 section 4.4).
const SECTION: &str = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n";

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// An offer (RFC 3264).
    Offer,
    /// An answer.
    Answer,
    /// Credentials alone, of an agent that makes no descriptions.
    Credentials,
    /// Candidates that were found later, as `application/trickle-ice-sdpfrag` (RFC 8840).
    Candidates,
}

impl MessageKind {
    /// The word in the message's first line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Answer => "answer",
            Self::Credentials => "credentials",
            Self::Candidates => "candidates",
        }
    }
}

impl fmt::Display for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A message in parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// What it is.
    pub kind: MessageKind,
    /// Its SDP.
    pub sdp: &'a str,
}

impl<'a> Message<'a> {
    /// The message that a text is; `None` if it is none.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let text = str::from_utf8(bytes).ok()?;
        let (heading, sdp) = text.split_at(bytes.iter().position(|byte| *byte == b'\n')? + 1);
        let heading = heading.strip_suffix('\n').unwrap_or(heading);
        let heading = heading.strip_suffix('\r').unwrap_or(heading);
        let kinds =
            [MessageKind::Offer, MessageKind::Answer, MessageKind::Credentials, MessageKind::Candidates];
        let kind = kinds.into_iter().find(|kind| kind.as_str() == heading)?;
        Some(Self { kind, sdp })
    }

    /// The message as text.
    pub fn write(&self) -> Bytes {
        [self.kind.as_str(), "\r\n", self.sdp].concat().into()
    }
}
