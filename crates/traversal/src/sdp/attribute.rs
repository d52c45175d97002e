//! Attributes: those that mean something here, and the others as they are.

use crate::ice::{Candidate, CandidateError};

/// One `a=` line.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute<'a> {
    /// `candidate` (RFC 8839 section 5.1).
    Candidate {
        /// The candidate.
        candidate: Candidate,
        /// The extensions that follow it, as they are; of no meaning here.
        extensions: &'a str,
    },
    /// `candidate` that is well-formed as far as it goes, and of no use to an agent here: over TCP, with a name (mDNS)
    /// for an address, of an unknown type. "MUST ignore" (RFC 8839 section 5.1).
    ForeignCandidate {
        /// The value.
        value: &'a str,
        /// What keeps it from being of use.
        why: CandidateError,
    },
    /// `remote-candidates`, component, address and port of each (RFC 8839 section 5.2).
    RemoteCandidates(&'a str),
    /// `ice-ufrag` (RFC 8839 section 5.4).
    IceUfrag(&'a str),
    /// `ice-pwd` (RFC 8839 section 5.4).
    IcePwd(&'a str),
    /// `ice-lite` (RFC 8839 section 5.3).
    IceLite,
    /// `ice-mismatch` (RFC 8839 section 5.3).
    IceMismatch,
    /// `ice-options`: tags with a space between them (RFC 8839 section 5.6).
    IceOptions(&'a str),
    /// `ice-pacing`, in milliseconds (RFC 8839 section 5.5).
    IcePacing(u32),
    /// `end-of-candidates` (RFC 8840 section 8).
    EndOfCandidates,
    /// `mid` (RFC 5888 section 4).
    Mid(&'a str),
    /// `group` (RFC 5888 section 5).
    Group {
        /// `BUNDLE` (RFC 8843) or another.
        semantics: &'a str,
        /// The tags of its sections; may be none.
        mids: Vec<&'a str>,
    },
    /// `bundle-only` (RFC 8843 section 6).
    BundleOnly,
    /// `msid` (RFC 8830).
    Msid {
        /// The media stream.
        stream: &'a str,
        /// The track in it.
        track: Option<&'a str>,
    },
    /// `fingerprint` of a DTLS certificate (RFC 8122 section 5).
    Fingerprint {
        /// The hash function.
        hash: &'a str,
        /// Octets in upper-case hexadecimal digits with a colon between them.
        value: &'a str,
    },
    /// `setup` (RFC 4145 section 4).
    Setup(Setup),
    /// `sendrecv`, `sendonly`, `recvonly`, `inactive` (RFC 8866 section 6.7).
    Direction(Direction),
    /// `rtcp-mux` (RFC 5761 section 5.1.1).
    RtcpMux,
    /// `rtcp-mux-only` (RFC 8858).
    RtcpMuxOnly,
    /// `rtcp-rsize` (RFC 5506 section 5).
    RtcpRsize,
    /// `rtpmap` (RFC 8866 section 6.6).
    RtpMap {
        /// The payload type, 0 to 127.
        payload: &'a str,
        /// The encoding's name, whose case does not matter.
        encoding: &'a str,
        /// The clock rate in hertz.
        clock: u32,
        /// The number of channels, or other parameters.
        parameters: Option<&'a str>,
    },
    /// `fmtp` (RFC 8866 section 6.15).
    Fmtp {
        /// The format.
        format: &'a str,
        /// What it says of it.
        parameters: &'a str,
    },
    /// `rtcp-fb` (RFC 4585 section 4.2).
    RtcpFeedback {
        /// The payload type, or `*` for all.
        payload: &'a str,
        /// The kind of feedback.
        value: &'a str,
    },
    /// `extmap` (RFC 8285 section 5).
    ExtMap {
        /// The identifier, with the direction after it where there is one.
        id: &'a str,
        /// The extension's URI.
        uri: &'a str,
        /// What follows it.
        parameters: Option<&'a str>,
    },
    /// `sctp-port` (RFC 8841 section 5).
    SctpPort(u16),
    /// `max-message-size` in octets; 0: any (RFC 8841 section 6).
    MaxMessageSize(u64),
    /// Any other, kept as it is.
    Other {
        /// The name.
        name: &'a str,
        /// The value, where it has one.
        value: Option<&'a str>,
    },
}

/// Which side of a DTLS association a peer takes (RFC 5763 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setup {
    /// Either: the answerer picks.
    ActPass,
    /// The client.
    Active,
    /// The server.
    Passive,
    /// None for now.
    HoldConn,
}

impl Setup {
    const ALL: [Self; 4] = [Self::ActPass, Self::Active, Self::Passive, Self::HoldConn];

    /// The value as text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ActPass => "actpass",
            Self::Active => "active",
            Self::Passive => "passive",
            Self::HoldConn => "holdconn",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|setup| setup.as_str() == word)
    }

    /// What to answer; `None` where nothing is consistent with it (RFC 8829 section 5.3.1: "the answerer SHOULD use the
    /// "active" role").
    pub const fn answer(self) -> Option<Self> {
        match self {
            Self::ActPass | Self::Passive => Some(Self::Active),
            Self::Active => Some(Self::Passive),
            Self::HoldConn => None,
        }
    }
}

/// Which way media flows, as the one who says so sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both ways; the default.
    #[default]
    SendRecv,
    /// It only sends.
    SendOnly,
    /// It only receives.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    const ALL: [Self; 4] = [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive];

    /// The attribute's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|direction| direction.as_str() == word)
    }

    const fn of(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// What a side that wants `own` answers to this (RFC 3264 section 6.1): it sends where the offerer receives.
    pub const fn answer(self, own: Self) -> Self {
        Self::of(own.sends() && self.receives(), own.receives() && self.sends())
    }
}
