//! Candidates: what they are, their priority and foundation, and the text that carries them to the peer.

use std::fmt::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use natbed_packet::{Endpoint, Family};
use thiserror::Error;

/// How a candidate was found (RFC 8445 section 4). The order is that of the type preferences, best last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CandidateType {
    /// An address on a TURN server, `relay`.
    Relayed,
    /// The mapped address that a STUN or TURN server saw, `srflx`.
    ServerReflexive,
    /// An address learnt from a connectivity check, `prflx`.
    PeerReflexive,
    /// An address of the host itself, `host`.
    Host,
}

impl CandidateType {
    /// The recommended type preference (RFC 8445 section 5.1.2.2).
    pub const fn preference(self) -> u8 {
        match self {
            Self::Host => 126,
            Self::PeerReflexive => 110,
            Self::ServerReflexive => 100,
            Self::Relayed => 0,
        }
    }

    /// The `candidate-types` token (RFC 8839 section 5.1).
    pub const fn token(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relayed => "relay",
        }
    }

    fn from_token(token: &str) -> Option<Self> {
        [Self::Host, Self::ServerReflexive, Self::PeerReflexive, Self::Relayed]
            .into_iter()
            .find(|kind| kind.token() == token)
    }
}

impl fmt::Display for CandidateType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.token())
    }
}

/// The priority of a candidate of component 1 (RFC 8445 section 5.1.2.1).
pub const fn priority(kind: CandidateType, local_preference: u16) -> u32 {
    ((kind.preference() as u32) << 24) | ((local_preference as u32) << 8) | (256 - COMPONENT as u32)
}

/// The one component there is.
pub(crate) const COMPONENT: u16 = 1;

/// Two candidates with the same foundation are likely to fare alike (RFC 8445 section 5.1.1.3): 1 to 32 ice-chars
/// (RFC 8839 section 5.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Foundation {
    length: u8,
    chars: [u8; Self::MAX],
}

impl Foundation {
    const MAX: usize = 32;

    /// The foundation that reads `number`.
    pub fn number(number: u32) -> Self {
        Self::tagged("", number)
    }

    /// The foundation that reads `tag` (at most 8 ice-chars), then `number`.
    pub(crate) fn tagged(tag: &str, number: u32) -> Self {
        let mut chars = [0; Self::MAX];
        let mut length = 0;
        for byte in tag.bytes().take(8).chain(Decimal::of(number)) {
            chars[usize::from(length)] = byte;
            length += 1;
        }
        Self { length, chars }
    }

    /// The foundation as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.chars[..usize::from(self.length)]).unwrap_or_default()
    }
}

/// The decimal digits of a number, first to last.
struct Decimal {
    rest: u32,
    unit: u32,
}

impl Decimal {
    fn of(number: u32) -> Self {
        let mut unit = 1;
        while number / unit >= 10 {
            unit *= 10;
        }
        Self { rest: number, unit }
    }
}

impl Iterator for Decimal {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let digit = self.rest.checked_div(self.unit)?;
        self.rest %= self.unit;
        self.unit /= 10;
        u8::try_from(digit).ok().map(|digit| b'0' + digit)
    }
}

impl FromStr for Foundation {
    type Err = CandidateError;

    fn from_str(text: &str) -> Result<Self, CandidateError> {
        let valid = (1..=Self::MAX).contains(&text.len()) && text.bytes().all(is_ice_char);
        let length = u8::try_from(text.len()).ok().filter(|_| valid).ok_or(CandidateError::Foundation)?;
        let mut chars = [0; Self::MAX];
        chars[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self { length, chars })
    }
}

impl fmt::Display for Foundation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Foundation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Whether `byte` is an ice-char (RFC 8839 section 5.1).
pub(crate) const fn is_ice_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/'
}

/// A UDP candidate as it is signalled. `Display` and `FromStr` are the value of the SDP attribute
/// `candidate` with its name: `candidate:1 1 udp 2130706431 192.168.1.10 5000 typ host` (RFC 8839 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// The foundation.
    pub foundation: Foundation,
    /// The component, 1 to 256; an [`Agent`](super::Agent) has component 1 only.
    pub component: u16,
    /// The priority, 1 to 2^31 - 1.
    pub priority: u32,
    /// The transport address.
    pub address: Endpoint,
    /// How it was found.
    pub kind: CandidateType,
    /// The base of a reflexive candidate, the mapped address of a relayed one; of no use to checks.
    pub related: Option<Endpoint>,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

impl Candidate {
    /// Appends the text to `out`, without the detour of formatting: an agent writes many.
    ///
    /// # Errors
    ///
    /// Those of `out`; a `String` has none.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        let Self { foundation, component, priority, address, kind, related } = self;
        out.write_str("candidate:")?;
        out.write_str(foundation.as_str())?;
        out.write_char(' ')?;
        write_number(out, u64::from(*component))?;
        out.write_str(" udp ")?;
        write_number(out, u64::from(*priority))?;
        write_address(out, " ", " ", *address)?;
        out.write_str(" typ ")?;
        out.write_str(kind.token())?;
        // "<rel-addr> and <rel-port> MUST be present for server-reflexive, peer-reflexive, and relayed candidates"
        // (RFC 8839 section 5.1), 0.0.0.0 or :: and port 9 where they are not told.
        let hidden = match address.family() {
            Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        match related {
            Some(related) => write_address(out, " raddr ", " rport ", *related),
            None if *kind == CandidateType::Host => Ok(()),
            None => write_address(out, " raddr ", " rport ", Endpoint::new(hidden, 9)),
        }
    }
}

fn write_address(out: &mut impl Write, before_ip: &str, before_port: &str, address: Endpoint) -> fmt::Result {
    out.write_str(before_ip)?;
    match address.ip {
        IpAddr::V4(ip) => {
            let [first, rest @ ..] = ip.octets();
            write_number(out, u64::from(first))?;
            for octet in rest {
                out.write_char('.')?;
                write_number(out, u64::from(octet))?;
            }
        }
        IpAddr::V6(ip) => write!(out, "{ip}")?,
    }
    out.write_str(before_port)?;
    write_number(out, u64::from(address.port))
}

/// Appends the decimal digits of `value`.
pub(crate) fn write_number(out: &mut impl Write, mut value: u64) -> fmt::Result {
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] += u8::try_from(value % 10).unwrap_or_default();
        value /= 10;
        if value == 0 {
            return out.write_str(std::str::from_utf8(&digits[first..]).unwrap_or_default());
        }
    }
}

/// Why a text is not a candidate that this agent could use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CandidateError {
    /// A field that the grammar requires is missing.
    #[error("a field is missing")]
    Missing,
    /// The foundation is not 1 to 32 ice-chars.
    #[error("the foundation is not 1 to 32 of the characters A-Z a-z 0-9 + /")]
    Foundation,
    /// The component is not 1 to 256.
    #[error("the component is not a number from 1 to 256")]
    Component,
    /// The transport is not UDP.
    #[error("the transport is not udp")]
    Transport,
    /// The priority is not 1 to 2^31 - 1.
    #[error("the priority is not a number from 1 to 2147483647")]
    Priority,
    /// The address is not an IP address; names are ignored too (RFC 8839 section 5.1).
    #[error("the address is not an IP address")]
    Address,
    /// The port is not a number below 65536.
    #[error("the port is not a number from 0 to 65535")]
    Port,
    /// The type is none of host, srflx, prflx, relay.
    #[error("the type is none of host, srflx, prflx, relay")]
    Type,
}

impl FromStr for Candidate {
    type Err = CandidateError;

    /// Takes the value with or without `candidate:` and `a=` before it. Unknown extensions are ignored.
    fn from_str(text: &str) -> Result<Self, CandidateError> {
        let text = text.strip_prefix("a=").unwrap_or(text);
        let text = text.strip_prefix("candidate:").unwrap_or(text);
        Self::read(text).map(|(candidate, _)| candidate).map_err(|(error, _)| error)
    }
}

impl Candidate {
    /// The candidate whose value `text` is, and the extensions that follow it, or what is wrong and the word that is.
    pub(crate) fn read(text: &str) -> Result<(Self, &str), (CandidateError, &str)> {
        let mut words = Words(text);
        let mut next = || words.next().ok_or((CandidateError::Missing, &text[text.len()..]));
        let word = next()?;
        let foundation = word.parse().map_err(|error| (error, word))?;
        let word = next()?;
        let component = number(word, 1, 256).ok_or((CandidateError::Component, word))?;
        let word = next()?;
        if !word.eq_ignore_ascii_case("udp") {
            return Err((CandidateError::Transport, word));
        }
        let word = next()?;
        let priority = number(word, 1, 0x7fff_ffff).ok_or((CandidateError::Priority, word))?;
        let word = next()?;
        let ip = word.parse().map_err(|_| (CandidateError::Address, word))?;
        let word = next()?;
        let port = number(word, 0, 65535).ok_or((CandidateError::Port, word))?;
        let word = next()?;
        if word != "typ" {
            return Err((CandidateError::Missing, word));
        }
        let word = next()?;
        let kind = CandidateType::from_token(word).ok_or((CandidateError::Type, word))?;
        let (mut raddr, mut rport) = (None, None);
        loop {
            let extensions = words;
            match (words.next(), words.next()) {
                (Some("raddr"), Some(word)) if raddr.is_none() => {
                    raddr = Some(word.parse().map_err(|_| (CandidateError::Address, word))?);
                }
                (Some("rport"), Some(word)) if rport.is_none() => {
                    rport = Some(number(word, 0, 65535).ok_or((CandidateError::Port, word))?);
                }
                _ => {
                    let related = raddr.zip(rport).map(|(ip, port)| Endpoint::new(ip, port));
                    let address = Endpoint::new(ip, port);
                    let candidate = Self { foundation, component, priority, address, kind, related };
                    return Ok((candidate, extensions.0.trim_ascii()));
                }
            }
        }
    }
}

/// The words of a text, and what is left of it.
#[derive(Clone, Copy)]
struct Words<'a>(&'a str);

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0.trim_ascii_start();
        let end = text.bytes().position(|byte| byte.is_ascii_whitespace()).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        self.0 = rest;
        Some(word).filter(|word| !word.is_empty())
    }
}

/// Decimal digits, at most ten, as a number from `low` to `high`.
fn number<T: TryFrom<u64>>(text: &str, low: u64, high: u64) -> Option<T> {
    let digits = (1..=10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let value = text.parse().ok().filter(|value| digits && (low..=high).contains(value))?;
    T::try_from(value).ok()
}

#[cfg(test)]
mod tests;
