//! The descriptions that one side makes: its offers and trickled candidates (RFC 8829 section 5.2, RFC 8840).

use super::attribute::{Attribute, Direction, Setup};
use super::codec::Codec;
use super::description::{Connection, Description, Line, Media, Origin};
use crate::ice::{Candidate, Credentials};

/// What one side says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Local<'a> {
    /// The number of the session, random and below 2^63 - 1 (RFC 8829 section 5.2.1).
    pub session: u64,
    /// The version of the description, one more each time.
    pub version: u64,
    /// The ICE credentials.
    pub credentials: &'a Credentials,
    /// Whether it is a lite agent (RFC 8839 section 5.3).
    pub lite: bool,
    /// The pace of checks in milliseconds; `None` leaves the line out, which means 50.
    pub pacing: Option<u32>,
    /// Hash function and value of the certificate, with a space between them.
    pub fingerprint: &'a str,
    /// The candidates that are known.
    pub candidates: &'a [Candidate],
    /// Whether no more will come.
    pub complete: bool,
    /// Data channels, where they are wanted.
    pub data: Option<DataChannel>,
    /// The codecs that it can do, best first; a media type without any is neither offered nor accepted.
    pub codecs: &'a [Codec<'a>],
    /// The RTP header extensions that it can do, by URI.
    pub extensions: &'a [&'a str],
    /// Which way it wants media to flow.
    pub direction: Direction,
}

/// The association that data channels go over (RFC 8841).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataChannel {
    /// The SCTP port.
    pub port: u16,
    /// The largest message that it takes, in octets; 0: any.
    pub max_message_size: u64,
}

impl DataChannel {
    /// The port and size that browsers use.
    pub const USUAL: Self = Self { port: 5000, max_message_size: 262_144 };
}

/// The tags of offered sections, short so that they fit into a header extension (RFC 8829 section 5.2.1).
const MIDS: [&str; 8] = ["0", "1", "2", "3", "4", "5", "6", "7"];

/// The `<media>`, `<proto>` and `<fmt>` of data channels (RFC 8841 section 4.4.2).
const DATA: (&str, &str, &str) = ("application", "UDP/DTLS/SCTP", "webrtc-datachannel");

impl<'a> Local<'a> {
    /// A side that wants data channels alone, in its first description, without candidates yet.
    pub const fn data_channel(session: u64, credentials: &'a Credentials, fingerprint: &'a str) -> Self {
        Self {
            session,
            version: 1,
            credentials,
            lite: false,
            pacing: None,
            fingerprint,
            candidates: &[],
            complete: false,
            data: Some(DataChannel::USUAL),
            codecs: &[],
            extensions: &[],
            direction: Direction::SendRecv,
        }
    }

    /// An offer (RFC 8829 section 5.2.1): a section for each media type that there are codecs for, then one for data. All
    /// are in one bundle, and the first has its transport. At most eight.
    pub fn offer(&self) -> Description<'a> {
        let mut kinds: Vec<&'a str> = Vec::new();
        for codec in self.codecs {
            if !kinds.contains(&codec.media) {
                kinds.push(codec.media);
            }
        }
        let sections = kinds.into_iter().map(Some).chain(self.data.map(|_| None));
        let media: Vec<_> = sections
            .zip(MIDS)
            .map(|(kind, mid)| {
                let mut media = match kind {
                    Some(kind) => self.offer_media(kind),
                    None => section(DATA.0, DATA.1, vec![DATA.2]),
                };
                media.lines.push(attribute(Attribute::Mid(mid)));
                if mid == MIDS[0] {
                    self.transport(&mut media, Setup::ActPass);
                }
                match (kind, self.data) {
                    (Some(kind), _) => self.describe_codecs(&mut media, kind),
                    (None, Some(data)) => describe_data(&mut media, data),
                    (None, None) => {}
                }
                media
            })
            .collect();
        let mids = media.iter().filter_map(Media::mid).collect();
        Description { lines: self.session(mids, Some("trickle ice2")), media }
    }

    /// Candidates that were found after the offer or answer, and whether they are the last, as the body of a message of
    /// type `application/trickle-ice-sdpfrag` (RFC 8840 section 9). `mid` is the section that has the transport.
    ///
    /// It has these candidates alone. What RFC 8840 section 4.4 asks for INFO requests, to repeat all of the session, is
    /// against loss and reordering, and signaling here knows neither.
    pub fn fragment(&self, mid: &'a str, candidates: &[Candidate], complete: bool) -> Description<'a> {
        let mut media = match self.data {
            Some(_) if self.codecs.is_empty() => section(DATA.0, DATA.1, vec![DATA.2]),
            // "The media field is set to 'audio'", "the proto value is set to 'RTP/AVP'", "the fmt field [...] is set to
            // '0'" (RFC 8840 section 4.4).
            _ => section("audio", "RTP/AVP", vec!["0"]),
        };
        media.lines.clear();
        media.lines.push(attribute(Attribute::IceUfrag(self.credentials.ufrag())));
        media.lines.push(attribute(Attribute::IcePwd(self.credentials.password())));
        media.lines.push(attribute(Attribute::Mid(mid)));
        push_candidates(&mut media, candidates, complete);
        Description { lines: Vec::new(), media: vec![media] }
    }

    /// The lines of the session; `mids` are in the bundle.
    pub(super) fn session(&self, mids: Vec<&'a str>, options: Option<&'a str>) -> Vec<Line<'a>> {
        let origin =
            Origin { username: "-", session: self.session, version: self.version, address: Connection::NONE };
        let mut lines = Vec::with_capacity(8);
        lines.extend([
            Line::Version,
            Line::Origin(origin),
            Line::Name("-"),
            Line::Timing { start: 0, stop: 0 },
        ]);
        if !mids.is_empty() {
            lines.push(attribute(Attribute::Group { semantics: "BUNDLE", mids }));
        }
        if let Some(options) = options {
            lines.push(attribute(Attribute::IceOptions(options)));
        }
        if self.lite {
            lines.push(attribute(Attribute::IceLite));
        }
        if let Some(pacing) = self.pacing {
            lines.push(attribute(Attribute::IcePacing(pacing)));
        }
        lines
    }

    /// The lines that a bundle has once (RFC 8829 section 5.2.1, those of category IDENTICAL or TRANSPORT).
    pub(super) fn transport(&self, media: &mut Media<'a>, setup: Setup) {
        let (hash, value) = self.fingerprint.split_once(' ').unwrap_or((self.fingerprint, ""));
        media.lines.extend([
            attribute(Attribute::IceUfrag(self.credentials.ufrag())),
            attribute(Attribute::IcePwd(self.credentials.password())),
            attribute(Attribute::Fingerprint { hash, value }),
            attribute(Attribute::Setup(setup)),
        ]);
        push_candidates(media, self.candidates, self.complete);
    }

    fn offer_media(&self, kind: &'a str) -> Media<'a> {
        let codecs = self.codecs.iter().filter(|codec| codec.media == kind);
        section(kind, "UDP/TLS/RTP/SAVPF", codecs.map(|codec| codec.payload).collect())
    }

    fn describe_codecs(&self, media: &mut Media<'a>, kind: &'a str) {
        let lines = &mut media.lines;
        lines.push(attribute(Attribute::Direction(self.direction)));
        lines.extend([Attribute::RtcpMux, Attribute::RtcpRsize].map(attribute));
        for (uri, id) in self.extensions.iter().zip(&MIDS[1..]) {
            lines.push(attribute(Attribute::ExtMap { id, uri, parameters: None }));
        }
        for codec in self.codecs.iter().filter(|codec| codec.media == kind) {
            let &Codec { payload, encoding, clock, channels, parameters, feedback, .. } = codec;
            let stereo = (channels == 2).then_some("2");
            lines.push(attribute(Attribute::RtpMap { payload, encoding, clock, parameters: stereo }));
            lines.extend(feedback.iter().map(|value| attribute(Attribute::RtcpFeedback { payload, value })));
            if !parameters.is_empty() {
                lines.push(attribute(Attribute::Fmtp { format: payload, parameters }));
            }
        }
    }
}

/// A section with the default destination for want of candidates (RFC 8840 section 4.1.1).
pub(super) fn section<'a>(kind: &'a str, protocol: &'a str, formats: Vec<&'a str>) -> Media<'a> {
    let mut lines = Vec::with_capacity(9);
    lines.push(Line::Connection(Connection::NONE));
    Media { kind, port: 9, ports: None, protocol, formats, lines }
}

pub(super) fn describe_data(media: &mut Media<'_>, data: DataChannel) {
    media.lines.push(attribute(Attribute::SctpPort(data.port)));
    media.lines.push(attribute(Attribute::MaxMessageSize(data.max_message_size)));
}

pub(super) const fn attribute(attribute: Attribute<'_>) -> Line<'_> {
    Line::Attribute(attribute)
}

fn push_candidates(media: &mut Media<'_>, candidates: &[Candidate], complete: bool) {
    let candidates =
        candidates.iter().map(|candidate| Attribute::Candidate { candidate: *candidate, extensions: "" });
    media.lines.extend(candidates.map(attribute));
    if complete {
        media.lines.push(attribute(Attribute::EndOfCandidates));
    }
}
