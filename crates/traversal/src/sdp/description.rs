//! A description: its lines in order, and its media sections.

use super::attribute::Attribute;

/// A session description (RFC 8866 section 5), or a fragment of one (RFC 8840 section 9).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Description<'a> {
    /// The lines before the first media section, in order.
    pub lines: Vec<Line<'a>>,
    /// The media sections, in order.
    pub media: Vec<Media<'a>>,
}

/// A media section: its `m=` line, and the lines that follow it.
#[derive(Clone, Debug, PartialEq)]
pub struct Media<'a> {
    /// The type: `audio`, `video` or `application`.
    pub kind: &'a str,
    /// The port of the default destination; 0 for a section that is rejected or only in a bundle.
    pub port: u16,
    /// How many ports there are, where it is told.
    pub ports: Option<u16>,
    /// The protocol: `UDP/TLS/RTP/SAVPF`, `UDP/DTLS/SCTP`.
    pub protocol: &'a str,
    /// The formats: payload types of RTP, or `webrtc-datachannel`.
    pub formats: Vec<&'a str>,
    /// The lines of the section, in order.
    pub lines: Vec<Line<'a>>,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub enum Line<'a> {
    /// `v=0`
    Version,
    /// `o=`
    Origin(Origin<'a>),
    /// `s=`: of no meaning in WebRTC.
    Name(&'a str),
    /// `c=`
    Connection(Connection<'a>),
    /// `t=`: when the session begins and ends; 0 and 0 in WebRTC.
    Timing {
        /// The beginning, in seconds since 1900.
        start: u64,
        /// The end.
        stop: u64,
    },
    /// `a=`
    Attribute(Attribute<'a>),
    /// Any other line that RFC 8866 knows (`i u e p b r z k`), kept as it is.
    Other(char, &'a str),
}

/// Who made a description (RFC 8866 section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The user; `-` in WebRTC.
    pub username: &'a str,
    /// The session, the same in all its descriptions.
    pub session: u64,
    /// The version of the description.
    pub version: u64,
    /// The address that the session was made at; one without meaning in WebRTC.
    pub address: Connection<'a>,
}

/// The default destination of media (RFC 8866 section 5.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection<'a> {
    /// `IN`.
    pub network: &'a str,
    /// `IP4` or `IP6`.
    pub family: &'a str,
    /// The address, or a name.
    pub address: &'a str,
}

impl Connection<'_> {
    /// The default where no candidate is known yet (RFC 8840 section 4.1.1).
    pub const NONE: Connection<'static> = Connection { network: "IN", family: "IP4", address: "0.0.0.0" };
}

impl<'a> Description<'a> {
    /// Who made it.
    pub fn origin(&self) -> Option<&Origin<'a>> {
        self.lines.iter().find_map(|line| match line {
            Line::Origin(origin) => Some(origin),
            _ => None,
        })
    }

    /// The attributes of the session.
    pub fn attributes(&self) -> impl Iterator<Item = &Attribute<'a>> {
        attributes(&self.lines)
    }

    /// The media section with this identification tag (RFC 5888 section 4).
    pub fn section(&self, mid: &str) -> Option<&Media<'a>> {
        self.media.iter().find(|media| media.mid() == Some(mid))
    }

    /// The section whose transport all in the bundle use: the bundle's first (RFC 8843 section 7.1), or without a bundle
    /// the first that is not rejected.
    pub fn transport(&self) -> Option<&Media<'a>> {
        let tag = self.attributes().find_map(|attribute| match attribute {
            Attribute::Group { semantics: "BUNDLE", mids } => mids.first(),
            _ => None,
        });
        let tagged = tag.and_then(|mid| self.section(mid));
        tagged.or_else(|| self.media.iter().find(|media| !media.is_rejected()))
    }

    /// The tags of the sections that share the transport of `media` (RFC 8843); none where it is not in a bundle.
    pub fn bundle_of(&self, media: &Media<'a>) -> &[&'a str] {
        let mid = media.mid();
        let group = self.attributes().find_map(|attribute| match attribute {
            Attribute::Group { semantics: "BUNDLE", mids } => {
                mids.iter().any(|other| Some(*other) == mid).then_some(mids.as_slice())
            }
            _ => None,
        });
        group.unwrap_or_default()
    }
}

impl<'a> Media<'a> {
    /// The attributes of the section.
    pub fn attributes(&self) -> impl Iterator<Item = &Attribute<'a>> {
        attributes(&self.lines)
    }

    /// Whether the section has a flag such as [`Attribute::RtcpMux`], or any other attribute that is just this.
    pub fn has(&self, flag: &Attribute<'_>) -> bool {
        self.attributes().any(|attribute| attribute == flag)
    }

    /// The identification tag (RFC 5888 section 4).
    pub fn mid(&self) -> Option<&'a str> {
        self.attributes().find_map(|attribute| match attribute {
            Attribute::Mid(mid) => Some(*mid),
            _ => None,
        })
    }

    /// The default destination of the section's own.
    pub fn connection(&self) -> Option<&Connection<'a>> {
        connection(&self.lines)
    }

    /// Whether it is turned down: port 0 (RFC 3264 section 6), and not just because it is in a bundle alone.
    pub fn is_rejected(&self) -> bool {
        self.port == 0 && !self.has(&Attribute::BundleOnly)
    }

    /// Whether it is for WebRTC data channels (RFC 8841 section 4.4.2).
    pub fn is_data_channel(&self) -> bool {
        self.kind == "application"
            && matches!(self.protocol, "UDP/DTLS/SCTP" | "TCP/DTLS/SCTP")
            && self.formats == ["webrtc-datachannel"]
    }
}

pub(super) fn attributes<'s, 'a>(lines: &'s [Line<'a>]) -> impl Iterator<Item = &'s Attribute<'a>> {
    lines.iter().filter_map(|line| match line {
        Line::Attribute(attribute) => Some(attribute),
        _ => None,
    })
}

pub(super) fn connection<'s, 'a>(lines: &'s [Line<'a>]) -> Option<&'s Connection<'a>> {
    lines.iter().find_map(|line| match line {
        Line::Connection(connection) => Some(connection),
        _ => None,
    })
}
