//! Codecs: what a side can do, what a section offers, and whether they are the same.

use super::attribute::{Attribute, Direction};
use super::description::Media;

/// A codec that a side can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codec<'a> {
    /// The media type that it is for: `audio`, `video`.
    pub media: &'a str,
    /// The payload type in this side's offers; an answer takes the offer's.
    pub payload: &'a str,
    /// The encoding's name.
    pub encoding: &'a str,
    /// The clock rate in hertz.
    pub clock: u32,
    /// The number of channels; 1 where it means nothing.
    pub channels: u8,
    /// What `fmtp` says of it; empty: nothing.
    pub parameters: &'a str,
    /// The RTCP feedback that it is used with.
    pub feedback: &'a [&'a str],
}

/// A format of an RTP section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format<'a> {
    /// The payload type.
    pub payload: &'a str,
    /// The encoding's name.
    pub encoding: &'a str,
    /// The clock rate in hertz.
    pub clock: u32,
    /// The number of channels.
    pub channels: u8,
    /// What `fmtp` says of it.
    pub parameters: Option<&'a str>,
}

/// Payload types with a meaning of their own that WebRTC uses (RFC 3551 section 6).
const STATIC: [(&str, &str, u32); 3] = [("0", "PCMU", 8000), ("8", "PCMA", 8000), ("9", "G722", 8000)];

impl<'a> Media<'a> {
    /// The section's formats that it says something of, in its order.
    pub fn codecs(&self) -> impl Iterator<Item = Format<'a>> {
        self.formats.iter().filter_map(|payload| self.codec(payload))
    }

    fn codec(&self, payload: &'a str) -> Option<Format<'a>> {
        let mapped = self.attributes().find_map(|attribute| match attribute {
            Attribute::RtpMap { payload: of, encoding, clock, parameters } if *of == payload => {
                let channels = parameters.and_then(|channels| channels.parse().ok()).unwrap_or(1);
                Some((*encoding, *clock, channels))
            }
            _ => None,
        });
        let known = || STATIC.iter().find(|known| known.0 == payload).map(|known| (known.1, known.2, 1));
        let (encoding, clock, channels) = mapped.or_else(known)?;
        let parameters = self.attributes().find_map(|attribute| match attribute {
            Attribute::Fmtp { format, parameters } if *format == payload => Some(*parameters),
            _ => None,
        });
        Some(Format { payload, encoding, clock, channels, parameters })
    }

    /// The kinds of RTCP feedback that the section asks for with a format.
    pub fn feedback(&self, payload: &str) -> impl Iterator<Item = &'a str> {
        self.attributes().filter_map(move |attribute| match attribute {
            Attribute::RtcpFeedback { payload: of, value } if *of == payload || *of == "*" => Some(*value),
            _ => None,
        })
    }

    /// Which way media flows, as the section's side sees it.
    pub fn direction(&self) -> Direction {
        let direction = self.attributes().find_map(|attribute| match attribute {
            Attribute::Direction(direction) => Some(*direction),
            _ => None,
        });
        direction.unwrap_or_default()
    }
}

impl Format<'_> {
    /// Whether it only goes with another format, as retransmissions do (RFC 4588 section 8.1).
    pub fn repairs(&self) -> Option<&str> {
        let parameters = self.parameters.filter(|_| self.encoding.eq_ignore_ascii_case("rtx"))?;
        parameter(parameters, "apt")
    }

    /// Whether `codec` is the same: name, clock rate and channels, and what else tells the variants of some codecs apart.
    pub fn is(&self, codec: &Codec<'_>) -> bool {
        let value = |name, default| {
            let pick = |parameters| parameter(parameters, name).unwrap_or(default).to_ascii_lowercase();
            (pick(self.parameters.unwrap_or_default()), pick(codec.parameters))
        };
        let same = |name, default| {
            let (theirs, ours) = value(name, default);
            theirs == ours
        };
        let variant = match codec.encoding.to_ascii_uppercase().as_str() {
            // The profile is what the first two octets say (RFC 6184 section 8.1).
            "H264" => {
                let (theirs, ours) = value("profile-level-id", "42000a");
                same("packetization-mode", "0") && theirs.get(..4) == ours.get(..4)
            }
            "VP9" => same("profile-id", "0"),
            "AV1" => same("profile", "0"),
            _ => true,
        };
        self.encoding.eq_ignore_ascii_case(codec.encoding)
            && (self.clock, self.channels) == (codec.clock, codec.channels)
            && variant
    }
}

/// The value of `name` in the parameters `name=value; name=value`.
fn parameter<'p>(parameters: &'p str, name: &str) -> Option<&'p str> {
    parameters.split(';').find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        key.eq_ignore_ascii_case(name).then_some(value)
    })
}
