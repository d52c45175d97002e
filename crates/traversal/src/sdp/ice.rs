//! What a description says about ICE (RFC 8839).

use std::net::IpAddr;

use super::attribute::{Attribute, Setup};
use super::description::{Connection, Description, Media, attributes, connection};
use crate::ice::{Candidate, Credentials};

/// Extensions of ICE that a peer supports (RFC 8839 section 5.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `ice2`: it follows RFC 8445, and not RFC 5245.
    pub ice2: bool,
    /// `trickle`: candidates may come later (RFC 8838).
    pub trickle: bool,
}

impl<'a> Description<'a> {
    /// What `pick` finds in a section or else in the session: "the value in the media-level takes precedence" (RFC 8839
    /// section 5.4).
    fn find<T>(&self, media: &Media<'a>, pick: impl Fn(&Attribute<'a>) -> Option<T>) -> Option<T> {
        media.attributes().find_map(&pick).or_else(|| self.attributes().find_map(&pick))
    }

    /// The username fragment that holds for a section.
    pub fn ufrag(&self, media: &Media<'a>) -> Option<&'a str> {
        self.find(media, |attribute| match attribute {
            Attribute::IceUfrag(ufrag) => Some(*ufrag),
            _ => None,
        })
    }

    /// The password that holds for a section.
    pub fn password(&self, media: &Media<'a>) -> Option<&'a str> {
        self.find(media, |attribute| match attribute {
            Attribute::IcePwd(password) => Some(*password),
            _ => None,
        })
    }

    /// The credentials that hold for a section; without them the peer does not do ICE (RFC 8839 section 4.2.5).
    pub fn credentials(&self, media: &Media<'a>) -> Option<Credentials> {
        Credentials::new(self.ufrag(media)?, self.password(media)?).ok()
    }

    /// The credentials of the session, which hold for all sections without their own.
    pub fn session_credentials(&self) -> Option<Credentials> {
        let (mut ufrag, mut password) = (None, None);
        for attribute in self.attributes() {
            match attribute {
                Attribute::IceUfrag(value) => ufrag = Some(*value),
                Attribute::IcePwd(value) => password = Some(*value),
                _ => {}
            }
        }
        Credentials::new(ufrag?, password?).ok()
    }

    /// The extensions that the peer supports in a section.
    pub fn options(&self, media: &Media<'a>) -> Options {
        let mut options = Options::default();
        for attribute in attributes(&self.lines).chain(media.attributes()) {
            let Attribute::IceOptions(tags) = attribute else { continue };
            for tag in tags.split(' ') {
                options.ice2 |= tag == "ice2";
                options.trickle |= tag == "trickle";
            }
        }
        options
    }

    /// Whether the peer is a lite agent (RFC 8839 section 5.3).
    pub fn is_lite(&self) -> bool {
        self.attributes().any(|attribute| *attribute == Attribute::IceLite)
    }

    /// The pace that the peer wishes for its checks, in milliseconds; "if absent in an offer or answer, the default value
    /// of the attribute is 50 ms" (RFC 8839 section 5.5).
    pub fn pacing(&self) -> u32 {
        let pacing = self.attributes().find_map(|attribute| match attribute {
            Attribute::IcePacing(pacing) => Some(*pacing),
            _ => None,
        });
        pacing.unwrap_or(50)
    }

    /// Whether no more candidates come for a section (RFC 8840 section 8.1).
    pub fn ends_candidates(&self, media: &Media<'a>) -> bool {
        self.find(media, |attribute| (*attribute == Attribute::EndOfCandidates).then_some(())).is_some()
    }

    /// Hash function and value of the certificate that holds for a section.
    pub fn fingerprint(&self, media: &Media<'a>) -> Option<(&'a str, &'a str)> {
        self.find(media, |attribute| match attribute {
            Attribute::Fingerprint { hash, value } => Some((*hash, *value)),
            _ => None,
        })
    }

    /// The DTLS role that holds for a section.
    pub fn setup(&self, media: &Media<'a>) -> Option<Setup> {
        self.find(media, |attribute| match attribute {
            Attribute::Setup(setup) => Some(*setup),
            _ => None,
        })
    }

    /// Whether a section restarts ICE in comparison with section `was` of the description `before`: "an agent MUST change
    /// both the "ice-pwd" and the "ice-ufrag"", at whatever level they stand (RFC 8839 section 4.4.1.1.1).
    pub fn restarts<'b>(&self, media: &Media<'a>, before: &Description<'b>, was: &Media<'b>) -> bool {
        let differ = |new: Option<&str>, old: Option<&str>| new.zip(old).is_some_and(|(new, old)| new != old);
        differ(self.ufrag(media), before.ufrag(was)) && differ(self.password(media), before.password(was))
    }

    /// Whether something on the way has changed the default destination of a section that does ICE: it is no candidate
    /// (RFC 8839 section 4.2.5). 0.0.0.0 or :: with port 9, and names, are no mismatch.
    pub fn mismatches(&self, media: &Media<'a>) -> bool {
        let destination = media.connection().or_else(|| connection(&self.lines));
        let Some(Connection { address, .. }) = destination else { return false };
        let Ok(ip) = address.parse::<IpAddr>() else { return false };
        let is_none = ip.is_unspecified() && media.port == 9;
        let does_ice = self.ufrag(media).is_some() && self.password(media).is_some();
        does_ice
            && media.port != 0
            && !is_none
            && !media.candidates().any(|candidate| {
                candidate.component == 1 && (candidate.address.ip, candidate.address.port) == (ip, media.port)
            })
    }
}

impl Media<'_> {
    /// The candidates that an agent can use, in order.
    pub fn candidates(&self) -> impl Iterator<Item = &Candidate> {
        self.attributes().filter_map(|attribute| match attribute {
            Attribute::Candidate { candidate, .. } => Some(candidate),
            _ => None,
        })
    }
}
