//! Answers (RFC 3264 section 6, RFC 8829 section 5.3.1).

use super::attribute::{Attribute, Setup};
use super::codec::{Codec, Format};
use super::description::{Description, Media};
use super::local::{DataChannel, Local, attribute, describe_data, section};

/// An answer, and what became of each section of the offer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<'a> {
    /// The answer itself; what it rejects has port 0.
    pub description: Description<'a>,
    /// Why each section was rejected; `None` where it was accepted.
    pub rejections: Vec<Option<Rejection>>,
}

impl Answer<'_> {
    /// How many sections were rejected.
    pub fn rejected(&self) -> usize {
        self.rejections.iter().flatten().count()
    }
}

/// Why a section is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Rejection {
    /// The offer itself has port 0.
    #[error("the offer rejects it itself")]
    NotOffered,
    /// Its media type or protocol is none that this side does.
    #[error("its media type or protocol is not supported")]
    Unsupported,
    /// No codec is common.
    #[error("there is no common codec")]
    NoCodec,
    /// It has no `ice-ufrag` or no `ice-pwd`.
    #[error("it does not do ICE: `ice-ufrag` or `ice-pwd` is missing")]
    NoIce,
    /// It has no `fingerprint`, or no `setup` that can be answered.
    #[error("it does not do DTLS: `fingerprint` or `setup` is missing")]
    NoDtls,
    /// It wants a second transport for RTCP.
    #[error("`rtcp-mux` is missing")]
    NoMux,
    /// It has no `sctp-port` (RFC 8841 section 5.1: it "MUST be considered invalid"), or port 0.
    #[error("`sctp-port` is missing")]
    NoSctpPort,
    /// It is not in the bundle, and there is one transport only.
    #[error("it is not in the bundle, and there is one transport only")]
    NotBundled,
    /// The section that has its transport is rejected (RFC 8843 section 7.3.3).
    #[error("the section that has its transport is rejected")]
    TransportRejected,
}

impl<'a> Local<'a> {
    /// The answer to `offer`: common codecs in the order of the offer, with its payload types and parameters; media the
    /// other way round; the transport of the tagged section for all in its bundle. ICE options are those of the offer.
    pub fn answer(&self, offer: &Description<'a>) -> Answer<'a> {
        let tagged = offer.transport();
        let bundle = tagged.map(|tagged| offer.bundle_of(tagged)).unwrap_or_default();
        let is_tagged = |media: &Media<'a>| tagged.is_some_and(|tagged| std::ptr::eq(media, tagged));
        let transport =
            tagged.and_then(|tagged| self.judge(tagged).or_else(|| judge_transport(offer, tagged)));
        let judge = |media: &Media<'a>| {
            if media.is_rejected() {
                Some(Rejection::NotOffered)
            } else if is_tagged(media) {
                transport
            } else if media.mid().is_none_or(|mid| !bundle.contains(&mid)) {
                Some(Rejection::NotBundled)
            } else if transport.is_some() {
                Some(Rejection::TransportRejected)
            } else {
                self.judge(media)
            }
        };
        let rejections: Vec<_> = offer.media.iter().map(judge).collect();
        let mut media: Vec<_> = offer
            .media
            .iter()
            .zip(&rejections)
            .map(|(offered, rejection)| match rejection {
                Some(_) => reject(offered),
                None => self.accept(offered),
            })
            .collect();
        let place = offer.media.iter().position(is_tagged).filter(|place| rejections[*place].is_none());
        if let (Some(place), Some(tagged)) = (place, tagged) {
            let setup = offer.setup(tagged).and_then(Setup::answer).unwrap_or(Setup::Active);
            self.transport(&mut media[place], setup);
        }
        let accepted = media.iter().filter(|media| !media.is_rejected());
        let mids = accepted.filter_map(Media::mid).filter(|mid| bundle.contains(mid)).collect();
        let options = tagged.map(|tagged| offer.options(tagged)).unwrap_or_default();
        let options = match (options.trickle, options.ice2) {
            (true, true) => Some("trickle ice2"),
            (true, false) => Some("trickle"),
            (false, true) => Some("ice2"),
            (false, false) => None,
        };
        Answer { description: Description { lines: self.session(mids, options), media }, rejections }
    }

    /// What keeps a section from being accepted, its transport aside.
    fn judge(&self, media: &Media<'a>) -> Option<Rejection> {
        if media.is_data_channel() && media.protocol == "UDP/DTLS/SCTP" {
            let port = media.attributes().find_map(|attribute| match attribute {
                Attribute::SctpPort(port) => Some(*port),
                _ => None,
            });
            return match (self.data, port) {
                (None, _) => Some(Rejection::Unsupported),
                (_, None | Some(0)) => Some(Rejection::NoSctpPort),
                _ => None,
            };
        }
        let kind = self.codecs.iter().any(|codec| codec.media == media.kind);
        if !kind || !PROTOCOLS.contains(&media.protocol) {
            Some(Rejection::Unsupported)
        } else if self.common(media).is_empty() {
            Some(Rejection::NoCodec)
        } else if !media.has(&Attribute::RtcpMux) {
            Some(Rejection::NoMux)
        } else {
            None
        }
    }

    /// The formats of a section that this side can do too; of those that repair another, where that is one of them.
    fn common(&self, media: &Media<'a>) -> Vec<(Format<'a>, &'a Codec<'a>)> {
        let own = self.codecs.iter().filter(|codec| codec.media == media.kind);
        let both =
            |format: Format<'a>| own.clone().find(|codec| format.is(codec)).map(|codec| (format, codec));
        let common: Vec<_> = media.codecs().filter_map(both).collect();
        let primary = |payload: &str| {
            common.iter().any(|(format, _)| format.payload == payload && format.repairs().is_none())
        };
        let useful = |format: &Format<'a>| match format.repairs() {
            Some(repaired) => primary(repaired),
            None => !format.encoding.eq_ignore_ascii_case("rtx"),
        };
        let useful = common.iter().filter(|(format, _)| useful(format)).copied().collect::<Vec<_>>();
        // Retransmission, comfort noise and tones alone are no media.
        let carries = |(format, _): &(Format<'a>, _)| {
            !["rtx", "red", "ulpfec", "flexfec-03", "CN", "telephone-event"]
                .iter()
                .any(|auxiliary| format.encoding.eq_ignore_ascii_case(auxiliary))
        };
        if useful.iter().any(carries) { useful } else { Vec::new() }
    }

    fn accept(&self, offered: &Media<'a>) -> Media<'a> {
        let mid = offered.mid().map(|mid| attribute(Attribute::Mid(mid)));
        if offered.is_data_channel() {
            let mut media = section(offered.kind, offered.protocol, offered.formats.clone());
            media.lines.extend(mid);
            describe_data(&mut media, self.data.unwrap_or(DataChannel::USUAL));
            return media;
        }
        let common = self.common(offered);
        let formats = common.iter().map(|(format, _)| format.payload).collect();
        let mut media = section(offered.kind, offered.protocol, formats);
        media.lines.extend(mid);
        media.lines.push(attribute(Attribute::Direction(offered.direction().answer(self.direction))));
        media.lines.push(attribute(Attribute::RtcpMux));
        if offered.has(&Attribute::RtcpRsize) {
            media.lines.push(attribute(Attribute::RtcpRsize));
        }
        media.lines.extend(offered.attributes().filter_map(|extension| match extension {
            Attribute::ExtMap { uri, .. } if self.extensions.contains(uri) => {
                Some(attribute(extension.clone()))
            }
            _ => None,
        }));
        for (format, codec) in common {
            let Format { payload, encoding, clock, channels, parameters } = format;
            let stereo = (channels == 2).then_some("2");
            media.lines.push(attribute(Attribute::RtpMap { payload, encoding, clock, parameters: stereo }));
            let feedback = offered.feedback(payload).filter(|value| codec.feedback.contains(value));
            media.lines.extend(feedback.map(|value| attribute(Attribute::RtcpFeedback { payload, value })));
            media.lines.extend(
                parameters.map(|parameters| attribute(Attribute::Fmtp { format: payload, parameters })),
            );
        }
        media
    }
}

/// The protocols of RTP sections that are taken (RFC 8829 section 5.1.2).
const PROTOCOLS: [&str; 4] = ["UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVPF", "RTP/SAVP"];

fn judge_transport(offer: &Description<'_>, media: &Media<'_>) -> Option<Rejection> {
    if offer.ufrag(media).is_none() || offer.password(media).is_none() {
        Some(Rejection::NoIce)
    } else if offer.fingerprint(media).is_none() || offer.setup(media).and_then(Setup::answer).is_none() {
        Some(Rejection::NoDtls)
    } else {
        None
    }
}

/// "An offered stream MAY be rejected in the answer", with port 0 (RFC 3264 section 6).
fn reject<'a>(offered: &Media<'a>) -> Media<'a> {
    let mut media = section(offered.kind, offered.protocol, offered.formats.clone());
    media.port = 0;
    media.lines.extend(offered.mid().map(|mid| attribute(Attribute::Mid(mid))));
    if offered.is_data_channel() {
        // "if the answerer does not accept the SCTP association, the answerer MUST also associate a zero SCTP port
        // value" (RFC 8841 section 10.3).
        media.lines.push(attribute(Attribute::SctpPort(0)));
    }
    media
}
