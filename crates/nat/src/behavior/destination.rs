//! Destinations that are not translated.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use natbed_packet::{Prefix, PrefixError};
use thiserror::Error;

/// Addresses, all their ports or one (RFC 6888 REQ-6: 'specific destination addresses and/or ports'). In scenario
/// spelling `198.51.100.0/24`, `198.51.100.1`, `198.51.100.1:80` or, for a port of every address, `0.0.0.0/0:53`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Destination {
    /// The addresses.
    pub prefix: Prefix,
    /// The port; `None` for all, and for what has no ports.
    pub port: Option<u16>,
}

impl Destination {
    /// Whether a packet to `ip` is for it, with the port that it has.
    pub fn contains(&self, ip: IpAddr, port: Option<u16>) -> bool {
        (self.port.is_none() || self.port == port) && self.prefix.contains(ip)
    }
}

/// A text is not a [`Destination`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DestinationSyntax {
    /// It has another form.
    #[error("expected an address or a subnet, with or without a port")]
    Form,
    /// The subnet is none.
    #[error(transparent)]
    Subnet(#[from] PrefixError),
    /// The port is 0, or more than 65535.
    #[error("a port is a number from 1 to 65535")]
    Port,
}

impl FromStr for Destination {
    type Err = DestinationSyntax;

    fn from_str(text: &str) -> Result<Self, DestinationSyntax> {
        if let Ok(ip) = text.parse() {
            return Ok(Self { prefix: Prefix::host(ip), port: None });
        }
        if let Some((ip, length)) = text.split_once('/') {
            let (length, port) = match length.split_once(':') {
                Some((length, port)) => (length, Some(port_of(port)?)),
                None => (length, None),
            };
            return Ok(Self { prefix: format!("{ip}/{length}").parse()?, port });
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            let port = Some(address.port()).filter(|port| *port != 0).ok_or(DestinationSyntax::Port)?;
            return Ok(Self { prefix: Prefix::host(address.ip()), port: Some(port) });
        }
        match text.rsplit_once(':') {
            Some((ip, port)) if ip.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv4()) => {
                Err(port_of(port).err().unwrap_or(DestinationSyntax::Form))
            }
            _ => Err(DestinationSyntax::Form),
        }
    }
}

fn port_of(text: &str) -> Result<u16, DestinationSyntax> {
    text.parse().ok().filter(|port| *port != 0).ok_or(DestinationSyntax::Port)
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.prefix)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}
