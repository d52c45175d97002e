//! A description as text.

use std::fmt::{self, Write};

use super::attribute::Attribute;
use super::description::{Connection, Description, Line, Media, Origin};
use crate::ice::write_number;

impl fmt::Display for Description<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

impl Description<'_> {
    /// Appends the text to `out`, each line with its CRLF.
    ///
    /// # Errors
    ///
    /// Those of `out`; a `String` has none.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        write_lines(&self.lines, out)?;
        self.media.iter().try_for_each(|media| media.write(out))
    }
}

impl Media<'_> {
    fn write(&self, out: &mut impl Write) -> fmt::Result {
        let Self { kind, port, ports, protocol, formats, lines } = self;
        join(out, &["m=", kind, " "])?;
        write_number(out, u64::from(*port))?;
        if let Some(ports) = ports {
            out.write_char('/')?;
            write_number(out, u64::from(*ports))?;
        }
        join(out, &[" ", protocol])?;
        formats.iter().try_for_each(|format| join(out, &[" ", format]))?;
        out.write_str("\r\n")?;
        write_lines(lines, out)
    }
}

fn write_lines(lines: &[Line<'_>], out: &mut impl Write) -> fmt::Result {
    for line in lines {
        match line {
            Line::Version => out.write_str("v=0")?,
            Line::Origin(Origin { username, session, version, address }) => {
                join(out, &["o=", username, " "])?;
                write_number(out, *session)?;
                out.write_char(' ')?;
                write_number(out, *version)?;
                out.write_char(' ')?;
                write_connection(out, address)?;
            }
            Line::Name(name) => join(out, &["s=", name])?,
            Line::Connection(connection) => {
                out.write_str("c=")?;
                write_connection(out, connection)?;
            }
            Line::Timing { start, stop } => {
                out.write_str("t=")?;
                write_number(out, *start)?;
                out.write_char(' ')?;
                write_number(out, *stop)?;
            }
            Line::Attribute(attribute) => {
                out.write_str("a=")?;
                write_attribute(out, attribute)?;
            }
            Line::Other(letter, value) => {
                out.write_char(*letter)?;
                join(out, &["=", value])?;
            }
        }
        out.write_str("\r\n")?;
    }
    Ok(())
}

fn write_connection(out: &mut impl Write, connection: &Connection<'_>) -> fmt::Result {
    let Connection { network, family, address } = connection;
    join(out, &[network, " ", family, " ", address])
}

fn write_attribute(out: &mut impl Write, attribute: &Attribute<'_>) -> fmt::Result {
    match attribute {
        Attribute::Candidate { candidate, extensions: "" } => candidate.write(out),
        Attribute::Candidate { candidate, extensions } => {
            candidate.write(out)?;
            join(out, &[" ", extensions])
        }
        Attribute::ForeignCandidate { value, .. } => join(out, &["candidate:", value]),
        Attribute::RemoteCandidates(value) => join(out, &["remote-candidates:", value]),
        Attribute::IceUfrag(value) => join(out, &["ice-ufrag:", value]),
        Attribute::IcePwd(value) => join(out, &["ice-pwd:", value]),
        Attribute::IceLite => out.write_str("ice-lite"),
        Attribute::IceMismatch => out.write_str("ice-mismatch"),
        Attribute::IceOptions(value) => join(out, &["ice-options:", value]),
        Attribute::IcePacing(value) => {
            out.write_str("ice-pacing:")?;
            write_number(out, u64::from(*value))
        }
        Attribute::EndOfCandidates => out.write_str("end-of-candidates"),
        Attribute::Mid(value) => join(out, &["mid:", value]),
        Attribute::Group { semantics, mids } => {
            join(out, &["group:", semantics])?;
            mids.iter().try_for_each(|mid| join(out, &[" ", mid]))
        }
        Attribute::BundleOnly => out.write_str("bundle-only"),
        Attribute::Msid { stream, track: None } => join(out, &["msid:", stream]),
        Attribute::Msid { stream, track: Some(track) } => join(out, &["msid:", stream, " ", track]),
        Attribute::Fingerprint { hash, value } => join(out, &["fingerprint:", hash, " ", value]),
        Attribute::Setup(setup) => join(out, &["setup:", setup.as_str()]),
        Attribute::Direction(direction) => out.write_str(direction.as_str()),
        Attribute::RtcpMux => out.write_str("rtcp-mux"),
        Attribute::RtcpMuxOnly => out.write_str("rtcp-mux-only"),
        Attribute::RtcpRsize => out.write_str("rtcp-rsize"),
        Attribute::RtpMap { payload, encoding, clock, parameters } => {
            join(out, &["rtpmap:", payload, " ", encoding, "/"])?;
            write_number(out, u64::from(*clock))?;
            parameters.map_or(Ok(()), |parameters| join(out, &["/", parameters]))
        }
        Attribute::Fmtp { format, parameters } => join(out, &["fmtp:", format, " ", parameters]),
        Attribute::RtcpFeedback { payload, value } => join(out, &["rtcp-fb:", payload, " ", value]),
        Attribute::ExtMap { id, uri, parameters: None } => join(out, &["extmap:", id, " ", uri]),
        Attribute::ExtMap { id, uri, parameters: Some(parameters) } => {
            join(out, &["extmap:", id, " ", uri, " ", parameters])
        }
        Attribute::SctpPort(port) => {
            out.write_str("sctp-port:")?;
            write_number(out, u64::from(*port))
        }
        Attribute::MaxMessageSize(size) => {
            out.write_str("max-message-size:")?;
            write_number(out, *size)
        }
        Attribute::Other { name, value: None } => out.write_str(name),
        Attribute::Other { name, value: Some(value) } => join(out, &[name, ":", value]),
    }
}

fn join(out: &mut impl Write, parts: &[&str]) -> fmt::Result {
    parts.iter().try_for_each(|part| out.write_str(part))
}
