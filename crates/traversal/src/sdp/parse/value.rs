//! What stands after the `=` of each line.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::super::attribute::{Attribute, Direction, Setup};
use super::super::description::{Connection, Line, Media, Origin};
use super::super::error::{Parsed, Wrong};
use super::words::{Words, is_token, number};
use crate::ice::{Candidate, CandidateError, is_ice_char};

pub(super) fn origin(value: &str) -> Parsed<'_, Origin<'_>> {
    let mut words = Words::of(value);
    let username = words.next("a user name, or `-`")?;
    let session = number(words.next("the session's number")?, u64::MAX, "a number below 2^64")?;
    let version = number(words.next("the version's number")?, u64::MAX, "a number below 2^64")?;
    Ok(Origin { username, session, version, address: connection(words.rest())? })
}

pub(super) fn connection(value: &str) -> Parsed<'_, Connection<'_>> {
    let mut words = Words::of(value);
    let network = words.word(is_token, "a network type such as `IN`")?;
    let family = words.word(is_token, "an address type, `IP4` or `IP6`")?;
    let address = words.next("an address")?;
    words.end()?;
    // Time to live and count follow a multicast address.
    let end = address.bytes().position(|byte| byte == b'/').unwrap_or(address.len());
    let ip = &address[..end];
    let has_colon = || ip.bytes().any(|byte| byte == b':');
    let right = match family {
        "IP4" if ip.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => {
            ip.parse::<Ipv4Addr>().is_ok()
        }
        "IP4" => !has_colon(),
        "IP6" if has_colon() => ip.parse::<Ipv6Addr>().is_ok(),
        _ => true,
    };
    if right {
        Ok(Connection { network, family, address })
    } else {
        Err(Wrong::new(address, "an address of the type before it"))
    }
}

pub(super) fn timing(value: &str) -> Parsed<'_, Line<'_>> {
    let mut words = Words::of(value);
    let start = number(words.next("the time of the start, or 0")?, u64::MAX, "a number below 2^64")?;
    let stop = number(words.next("the time of the end, or 0")?, u64::MAX, "a number below 2^64")?;
    words.end()?;
    Ok(Line::Timing { start, stop })
}

pub(super) fn media(value: &str) -> Parsed<'_, Media<'_>> {
    const PORT: &str = "a port from 0 to 65535";
    let mut words = Words::of(value);
    let kind = words.word(is_token, "a media type such as `audio` or `application`")?;
    let port = words.next(PORT)?;
    let slash = port.bytes().position(|byte| byte == b'/');
    let (port, ports) = match slash.map(|at| (&port[..at], &port[at + 1..])) {
        Some((port, ports)) => (
            port,
            Some(number(ports, 65535, "a number of ports").and_then(|count: u16| match count {
                0 => Err(Wrong::new(ports, "a number of ports")),
                count => Ok(count),
            })?),
        ),
        None => (port, None),
    };
    let port = number(port, 65535, PORT)?;
    let is_protocol = |word: &str| word.split('/').all(is_token);
    let protocol = words.word(is_protocol, "a protocol such as `UDP/TLS/RTP/SAVPF`")?;
    let mut formats = Vec::new();
    while formats.is_empty() || !words.is_empty() {
        formats.push(words.word(is_token, "a format such as a payload type")?);
    }
    Ok(Media { kind, port, ports, protocol, formats, lines: Vec::with_capacity(8) })
}

/// An attribute, of a section or of the session.
pub(super) fn attribute(line: &str, in_section: bool) -> Parsed<'_, Attribute<'_>> {
    let (name, value) = match line.bytes().position(|byte| byte == b':') {
        Some(end) => (&line[..end], Some(&line[end + 1..])),
        None => (line, None),
    };
    if !is_token(name) {
        return Err(Wrong::new(name, "an attribute's name"));
    }
    let known = known(name);
    let Some(value) = value else {
        let end = &line[line.len()..];
        return match flag(known) {
            Some(flag) => Ok(flag),
            None if VALUED.contains(&known) => Err(Wrong::new(end, "`:` and a value")),
            None => Ok(Attribute::Other { name, value: None }),
        };
    };
    if value.is_empty() {
        return Err(Wrong::new(value, "a value after the `:`"));
    }
    let place = |right: bool, expected| if right { Ok(()) } else { Err(Wrong::new(name, expected)) };
    Ok(match known {
        "candidate" => {
            place(in_section, "a media section (`m=`) before a candidate")?;
            candidate(value)?
        }
        "remote-candidates" => {
            place(in_section, "a media section (`m=`) before remote candidates")?;
            remote_candidates(value)?
        }
        "ice-ufrag" => {
            Attribute::IceUfrag(ice_chars(value, 4, "4 to 256 of the characters A-Z a-z 0-9 + /")?)
        }
        "ice-pwd" => Attribute::IcePwd(ice_chars(value, 22, "22 to 256 of the characters A-Z a-z 0-9 + /")?),
        "ice-options" => Attribute::IceOptions(list(value, |word| !word.is_empty(), "an option")?),
        "ice-pacing" => Attribute::IcePacing(number(value, u64::from(u32::MAX), "a number of milliseconds")?),
        "mid" => Attribute::Mid(token(value, "an identification tag")?),
        "group" => {
            let mut words = Words::of(value);
            let semantics = words.word(is_token, "a kind of group such as `BUNDLE`")?;
            let mut mids = Vec::new();
            while !words.is_empty() {
                mids.push(words.word(is_token, "an identification tag")?);
            }
            Attribute::Group { semantics, mids }
        }
        "msid" => {
            let mut words = Words::of(value);
            let stream = words.next("the name of a media stream")?;
            let track = if words.is_empty() { None } else { Some(words.next("the name of a track")?) };
            words.end()?;
            Attribute::Msid { stream, track }
        }
        "fingerprint" => fingerprint(value)?,
        "setup" => {
            let expected = "`actpass`, `active`, `passive` or `holdconn`";
            Attribute::Setup(Setup::from_word(value).ok_or(Wrong::new(value, expected))?)
        }
        "rtpmap" => rtpmap(value)?,
        "fmtp" => {
            let mut words = Words::of(value);
            let format = words.word(is_token, "a format")?;
            match words.rest() {
                "" => return Err(Wrong::new(words.rest(), "the format's parameters")),
                parameters => Attribute::Fmtp { format, parameters },
            }
        }
        "rtcp-fb" => {
            let mut words = Words::of(value);
            let payload = words.word(|word| word == "*" || is_payload(word), "a payload type, or `*`")?;
            match words.rest() {
                "" => return Err(Wrong::new(words.rest(), "a kind of feedback")),
                value => Attribute::RtcpFeedback { payload, value },
            }
        }
        "extmap" => {
            let mut words = Words::of(value);
            let is_id = |word: &str| word.starts_with(|first: char| first.is_ascii_digit());
            let id = words.word(is_id, "the number of an extension")?;
            let uri = words.next("the URI of an extension")?;
            let parameters = Some(words.rest()).filter(|rest| !rest.is_empty());
            Attribute::ExtMap { id, uri, parameters }
        }
        "sctp-port" => Attribute::SctpPort(no_leading_zero(value, 65535, "a port from 0 to 65535")?),
        "max-message-size" => {
            Attribute::MaxMessageSize(no_leading_zero(value, u64::MAX, "a number of octets")?)
        }
        _ => Attribute::Other { name, value: Some(value) },
    })
}

/// The attributes that have a meaning here and need a value.
const VALUED: [&str; 17] = [
    "candidate",
    "remote-candidates",
    "ice-ufrag",
    "ice-pwd",
    "ice-options",
    "ice-pacing",
    "mid",
    "group",
    "msid",
    "fingerprint",
    "setup",
    "rtpmap",
    "fmtp",
    "rtcp-fb",
    "extmap",
    "sctp-port",
    "max-message-size",
];

/// The name as it is written here: "a receiver MUST treat them as case insensitive" (RFC 8840 section 9.2).
fn known(name: &str) -> &str {
    if !name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return name;
    }
    let flags = ["ice-lite", "ice-mismatch", "end-of-candidates"];
    let mut all = VALUED.into_iter().chain(flags);
    all.find(|known| known.eq_ignore_ascii_case(name)).unwrap_or(name)
}

fn flag(name: &str) -> Option<Attribute<'static>> {
    Some(match name {
        "ice-lite" => Attribute::IceLite,
        "ice-mismatch" => Attribute::IceMismatch,
        "end-of-candidates" => Attribute::EndOfCandidates,
        "bundle-only" => Attribute::BundleOnly,
        "rtcp-mux" => Attribute::RtcpMux,
        "rtcp-mux-only" => Attribute::RtcpMuxOnly,
        "rtcp-rsize" => Attribute::RtcpRsize,
        _ => Attribute::Direction(Direction::from_word(name)?),
    })
}

fn candidate(value: &str) -> Parsed<'_, Attribute<'_>> {
    match Candidate::read(value) {
        Ok((candidate, extensions)) => Ok(Attribute::Candidate { candidate, extensions }),
        // "An agent processing remote candidates MUST ignore "candidate" lines that include candidates with FQDNs or IP
        // address versions that are not supported or recognized" (RFC 8839 section 5.1).
        Err((why @ (CandidateError::Transport | CandidateError::Address | CandidateError::Type), _)) => {
            Ok(Attribute::ForeignCandidate { value, why })
        }
        Err((why, at)) => Err(Wrong::new(
            at,
            match why {
                CandidateError::Foundation => "a foundation: 1 to 32 of the characters A-Z a-z 0-9 + /",
                CandidateError::Component => "a component from 1 to 256",
                CandidateError::Priority => "a priority from 1 to 2147483647",
                CandidateError::Port => "a port from 0 to 65535",
                _ => "foundation, component, transport, priority, address, port, `typ` and a type",
            },
        )),
    }
}

fn remote_candidates(value: &str) -> Parsed<'_, Attribute<'_>> {
    let mut words = Words::of(value);
    while !words.is_empty() {
        let component = "a component from 1 to 256";
        let first = words.next(component)?;
        if number::<u16>(first, 256, component)? == 0 {
            return Err(Wrong::new(first, component));
        }
        words.next("an address")?;
        number::<u16>(words.next("a port")?, 65535, "a port from 0 to 65535")?;
    }
    Ok(Attribute::RemoteCandidates(value))
}

fn fingerprint(value: &str) -> Parsed<'_, Attribute<'_>> {
    let mut words = Words::of(value);
    let hash = words.word(is_token, "a hash function such as `sha-256`")?;
    let is_octet = |octet: &[u8]| match octet {
        [high, low] | [high, low, b':'] => high.is_ascii_hexdigit() && low.is_ascii_hexdigit(),
        _ => false,
    };
    let is_octets = |word: &str| word.len() % 3 == 2 && word.as_bytes().chunks(3).all(is_octet);
    let value = words.word(is_octets, "octets as two hexadecimal digits each, with `:` between them")?;
    words.end()?;
    Ok(Attribute::Fingerprint { hash, value })
}

fn rtpmap(value: &str) -> Parsed<'_, Attribute<'_>> {
    let mut words = Words::of(value);
    let payload = words.word(is_payload, "a payload type from 0 to 127")?;
    let format = words.next("an encoding and its clock rate, as in `opus/48000`")?;
    words.end()?;
    let mut parts = format.splitn(3, '/');
    let encoding =
        parts.next().filter(|name| is_token(name)).ok_or(Wrong::new(format, "an encoding's name"))?;
    let clock = parts.next().ok_or(Wrong::new(&format[format.len()..], "`/` and a clock rate"))?;
    let clock = number(clock, u64::from(u32::MAX), "a clock rate in hertz")?;
    Ok(Attribute::RtpMap {
        payload,
        encoding,
        clock,
        parameters: parts.next().filter(|rest| !rest.is_empty()),
    })
}

fn is_payload(word: &str) -> bool {
    number::<u8>(word, 127, "").is_ok()
}

fn ice_chars<'a>(value: &'a str, least: usize, expected: &'static str) -> Parsed<'a, &'a str> {
    let right = (least..=256).contains(&value.len()) && value.bytes().all(is_ice_char);
    if right { Ok(value) } else { Err(Wrong::new(value, expected)) }
}

fn token<'a>(value: &'a str, expected: &'static str) -> Parsed<'a, &'a str> {
    if is_token(value) { Ok(value) } else { Err(Wrong::new(value, expected)) }
}

/// The value, a list of words of this kind.
fn list<'a>(value: &'a str, valid: impl Fn(&str) -> bool, expected: &'static str) -> Parsed<'a, &'a str> {
    let mut words = Words::of(value);
    while !words.is_empty() {
        words.word(&valid, expected)?;
    }
    Ok(value)
}

/// "Leading zeroes MUST NOT be used" (RFC 8841 sections 5.2 and 6.2).
fn no_leading_zero<'a, T: TryFrom<u64>>(value: &'a str, most: u64, expected: &'static str) -> Parsed<'a, T> {
    if value.len() > 1 && value.starts_with('0') {
        return Err(Wrong::new(value, "a number without leading zeroes"));
    }
    number(value, most, expected)
}
