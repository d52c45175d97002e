//! Why a check came out as it did.

use std::fmt;

use super::{Address, NatId, Side};

/// One connectivity check and what became of it in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Who checks.
    pub by: Side,
    /// Its socket or relayed address.
    pub from: Address,
    /// The peer's address that it tries.
    pub to: Address,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The response came back from where the request went, to where it came from.
    Valid,
    /// The request did not arrive.
    RequestLost(Loss),
    /// The request arrived, and the response did not.
    ResponseLost(Loss),
    /// The response came from another address, so that it does not count (RFC 8445 section 7.2.5.2.1).
    AnsweredFrom(Address),
}

/// Why a packet did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Its destination is a private address of another network.
    NoRoute,
    /// A firewall passes no UDP.
    UdpBlocked(NatId),
    /// A filter has not seen its source as a destination.
    Filtered(NatId),
    /// A filter sees a source from inside come in from outside.
    Spoofed(NatId),
    /// A NAT stands for addresses of its own alone, and this one is inside.
    NotForUs(NatId),
    /// A static NAT has no external address for its source, which a NAT inside has let out as it is.
    Unlisted(NatId),
    /// A NAT does not turn packets to its own external address around.
    NoHairpin(NatId),
    /// The relayed address of this side has no permission for its source.
    NoPermission(Side),
}

impl Fate {
    /// Whether two checks came out as they did for the same reason.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self == other || matches!((self, other), (Self::AnsweredFrom(_), Self::AnsweredFrom(_)))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "check of {} from ({}) to ({}): {}", self.by, self.from, self.to, self.fate)
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Valid => f.write_str("answered from where it went"),
            Self::RequestLost(loss) => write!(f, "the request is lost: {loss}"),
            Self::ResponseLost(loss) => write!(f, "the response is lost: {loss}"),
            Self::AnsweredFrom(address) => write!(f, "answered from elsewhere: ({address})"),
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoute => f.write_str("the address is private to another network"),
            Self::UdpBlocked(nat) => write!(f, "{nat} passes no UDP"),
            Self::Filtered(nat) => write!(f, "{nat} filters it"),
            Self::Spoofed(nat) => write!(f, "{nat} takes no packet from outside whose source is inside"),
            Self::NotForUs(nat) => write!(f, "{nat} does not stand for the address"),
            Self::Unlisted(nat) => write!(f, "{nat} has no external address for the source"),
            Self::NoHairpin(nat) => write!(f, "{nat} does not hairpin"),
            Self::NoPermission(side) => write!(f, "the relay has no permission of {side} for its source"),
        }
    }
}
