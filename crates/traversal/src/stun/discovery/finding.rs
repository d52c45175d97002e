//! What there is to find.

use std::time::Duration;

use natbed_packet::Endpoint;

#[cfg(doc)]
use super::{Config, Discovery, Procedure};
#[cfg(doc)]
use crate::stun::Schedule;

/// What a [`Discovery`] has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// By [`Procedure::Rfc5780`].
    Behavior(Behavior),
    /// By [`Procedure::Rfc3489`]; `None` where the server has no alternate address to test with.
    Verdict(Option<Verdict>),
}

/// What RFC 5780 finds; `None` stands for what it could not find. Where no response came at all, UDP is blocked (section
/// 3.1) and every field is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behavior {
    /// The source that the server saw; the socket's own endpoint where nothing translates.
    pub mapped: Option<Endpoint>,
    /// Mapping; endpoint-independent where nothing translates (section 4.3). Unknown if the server has one address.
    pub mapping: Option<Mapping>,
    /// Filtering. Unknown if the server has one address.
    pub filtering: Option<Filtering>,
    /// Whether a datagram to one of the NAT's external endpoints came back in. Unknown where nothing translates.
    pub hairpinning: Option<bool>,
    /// How long the server could reach a silent socket. Unknown if the server knows no RESPONSE-PORT, or responds to
    /// another address than that of the socket, as where a NAT has several.
    pub lifetime: Option<Lifetime>,
}

/// Which requests from one socket came from one external endpoint (RFC 4787 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// All of them.
    EndpointIndependent,
    /// Those to one address.
    AddressDependent,
    /// Those to one address and port.
    AddressAndPortDependent,
}

/// Which responses were let in (RFC 4787 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filtering {
    /// All of them.
    EndpointIndependent,
    /// Those from the address that the request went to.
    AddressDependent,
    /// Those from the address and port that the request went to.
    AddressAndPortDependent,
}

/// How long a binding lasts without traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// So long, to the nearest second: it survived half a second less and not half a second more. Right while a round
    /// trip takes under half a second and [`Schedule::rto`] is longer than that.
    Expires(Duration),
    /// It outlasts [`Config::lifetime_limit`].
    Outlasts(Duration),
}

/// The verdicts of RFC 3489 section 10.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No NAT, and anyone may send in.
    Open,
    /// A NAT, and anyone may send in. Said of every NAT with endpoint-independent filtering, whatever its mapping: the
    /// flow chart looks at the mapping only after the filter has dropped a response.
    FullCone,
    /// One mapping for all, and addresses that were sent to may send in.
    RestrictedCone,
    /// One mapping for all, and addresses and ports that were sent to may send in.
    PortRestrictedCone,
    /// A mapping for each destination, and a filter. Said of address-dependent mapping too.
    Symmetric,
    /// No NAT, but a filter.
    SymmetricUdpFirewall,
    /// No response came.
    UdpBlocked,
}

impl Mapping {
    /// RFC 4787's term, in lower case with hyphens.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EndpointIndependent => "endpoint-independent",
            Self::AddressDependent => "address-dependent",
            Self::AddressAndPortDependent => "address-and-port-dependent",
        }
    }
}

impl Filtering {
    /// RFC 4787's term, in lower case with hyphens.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EndpointIndependent => "endpoint-independent",
            Self::AddressDependent => "address-dependent",
            Self::AddressAndPortDependent => "address-and-port-dependent",
        }
    }
}

impl Verdict {
    /// RFC 3489's term, in lower case with hyphens.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::FullCone => "full-cone",
            Self::RestrictedCone => "restricted-cone",
            Self::PortRestrictedCone => "port-restricted-cone",
            Self::Symmetric => "symmetric",
            Self::SymmetricUdpFirewall => "symmetric-udp-firewall",
            Self::UdpBlocked => "udp-blocked",
        }
    }
}
