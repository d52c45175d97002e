//! Transport addresses as symbols, and where they live.

use std::fmt;
use std::sync::Arc;

use natbed_nat::behavior::{Behavior, Kind};

use super::{Pair, Side};

/// The port that servers listen on.
const SERVER_PORT: u16 = 3478;

/// A transport address, named by how it comes about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// A host's only socket.
    Host(Side),
    /// The relayed address that a TURN server allocates to a host.
    Relayed(Side),
    /// The STUN server.
    Stun,
    /// The TURN server's own address.
    Turn,
    /// An external endpoint of a NAT.
    External(Arc<External>),
}

/// An external endpoint: one mapping, or the mappings that share its port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct External {
    /// The NAT.
    pub nat: NatId,
    /// The endpoint inside.
    pub internal: Address,
    /// The destinations it is for.
    pub toward: Toward,
}

/// The destinations that share a mapping (RFC 4787 section 4.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Toward {
    /// All.
    Anyone,
    /// Those at one address.
    Ip(Ip),
    /// One.
    Exactly(Address),
}

/// An IP address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ip {
    /// A host's.
    Host(Side),
    /// The STUN server's.
    Stun,
    /// The TURN server's, which relayed addresses have too.
    Turn,
    /// A NAT's external one. A static NAT has one for each host inside; with two hosts, of which neither sends to
    /// itself, nobody meets both.
    Nat(NatId),
}

/// A NAT of a [`Pair`]; the number counts from the outermost of its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NatId {
    /// One of [`Pair::shared`].
    Shared(usize),
    /// One of a side's own.
    Of(Side, usize),
}

/// A network: the inside of a NAT, or the internet.
pub(super) type Realm = Option<NatId>;

/// Where a packet goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hop {
    /// Its destination is on this network.
    Here,
    /// Through a firewall on this network, or a NAT that does not translate for all, inward.
    In(NatId),
    /// Through this network's NAT, outward.
    Out(NatId),
    /// Nobody has the address.
    Nowhere,
}

impl Address {
    pub(super) fn ip(&self) -> Ip {
        match self {
            Self::Host(side) => Ip::Host(*side),
            Self::Stun => Ip::Stun,
            Self::Turn | Self::Relayed(_) => Ip::Turn,
            Self::External(external) => Ip::Nat(external.nat),
        }
    }

    /// How many mappings, each made for the next, an address stands for.
    pub(super) fn depth(&self) -> usize {
        let Self::External(external) = self else { return 0 };
        let toward = if let Toward::Exactly(remote) = &external.toward { 1 + remote.depth() } else { 0 };
        toward.max(external.internal.depth())
    }
}

impl Pair {
    pub(super) fn site(&self, side: Side) -> &super::Site {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }

    pub(super) fn behavior(&self, nat: NatId) -> &Behavior {
        match nat {
            NatId::Shared(index) => &self.shared[index],
            NatId::Of(side, index) => &self.site(side).nats[index],
        }
    }

    /// The network outside a NAT.
    pub(super) fn outside(&self, nat: NatId) -> Realm {
        match nat {
            NatId::Shared(index) => index.checked_sub(1).map(NatId::Shared),
            NatId::Of(side, index) => {
                index.checked_sub(1).map_or_else(|| self.common(), |outer| Some(NatId::Of(side, outer)))
            }
        }
    }

    /// The innermost network that both sides are in.
    fn common(&self) -> Realm {
        self.shared.len().checked_sub(1).map(NatId::Shared)
    }

    /// The network that an address lives on.
    pub(super) fn home(&self, address: &Address) -> Realm {
        match address {
            Address::Host(side) => {
                let own = self.site(*side).nats.len().checked_sub(1);
                own.map_or_else(|| self.common(), |index| Some(NatId::Of(*side, index)))
            }
            Address::Relayed(_) | Address::Stun | Address::Turn => None,
            Address::External(external) => self.outside(external.nat),
        }
    }

    /// Whether an address lives behind a NAT, however deep.
    pub(super) fn is_inside(&self, nat: NatId, address: &Address) -> bool {
        let mut below = self.home(address);
        while let Some(at) = below {
            if at == nat {
                return true;
            }
            below = self.outside(at);
        }
        false
    }

    /// Whether `address` is one of the external endpoints of a NAT.
    pub(super) fn is_external_of(nat: NatId, address: &Address) -> bool {
        matches!(address, Address::External(external) if external.nat == nat)
    }

    /// Whether a NAT translates nothing between `internal` and `remote` (RFC 6888 REQ-6).
    pub(super) fn exempts(&self, nat: NatId, internal: &Address, remote: &Address) -> bool {
        let known = self.addresses.get(&remote.ip()).filter(|_| self.translates(nat));
        let port = matches!(remote, Address::Stun | Address::Turn).then_some(SERVER_PORT);
        let exempt = known.is_some_and(|ip| {
            let mut all = self.behavior(nat).exempt.iter();
            all.any(|exempt| exempt.prefix.contains(*ip) && (exempt.port.is_none() || exempt.port == port))
        });
        let outside = !Self::is_external_of(nat, remote) && !self.is_inside(nat, remote);
        exempt && outside && !self.is_unlisted(nat, internal)
    }

    /// Whether a static NAT has no address for `internal`, which a NAT inside of it has not translated.
    pub(super) fn is_unlisted(&self, nat: NatId, internal: &Address) -> bool {
        let mut below = self.home(internal).filter(|_| self.behavior(nat).kind == Kind::Static);
        while let Some(at) = below.filter(|at| *at != nat) {
            if self.translates(at) {
                return true;
            }
            below = self.outside(at);
        }
        false
    }

    /// Whether a NAT has addresses of its own for what is inside.
    pub(super) fn translates(&self, nat: NatId) -> bool {
        matches!(self.behavior(nat).kind, Kind::Nat | Kind::Static)
    }

    /// Where a packet on network `realm` goes on its way to `to`. The addresses behind a NAT that translates for all are
    /// private: nobody outside has a route to them.
    pub(super) fn hop(&self, realm: Realm, to: &Address) -> Hop {
        let home = self.home(to);
        if home == realm {
            return Hop::Here;
        }
        let mut below = home;
        while let Some(nat) = below {
            if self.outside(nat) == realm {
                let private = self.translates(nat) && self.behavior(nat).exempt.is_empty();
                return if private { Hop::Nowhere } else { Hop::In(nat) };
            }
            below = self.outside(nat);
        }
        realm.map_or(Hop::Nowhere, Hop::Out)
    }
}

impl fmt::Display for NatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (owner, index) = match self {
            Self::Shared(index) => ("the shared".to_owned(), index),
            Self::Of(side, index) => (format!("{side}'s"), index),
        };
        if *index == 0 { write!(f, "{owner} NAT") } else { write!(f, "{owner} NAT {}", index + 1) }
    }
}

impl fmt::Display for Ip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(side) => write!(f, "{side}'s address"),
            Self::Stun => f.write_str("the STUN server"),
            Self::Turn => f.write_str("the TURN server"),
            Self::Nat(nat) => write!(f, "{nat}"),
        }
    }
}

impl fmt::Display for Address {
    /// `a`, or `a, mapped by a's NAT toward (the STUN server)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(side) => write!(f, "{side}"),
            Self::Relayed(side) => write!(f, "{side}'s relayed address"),
            Self::Stun => f.write_str("the STUN server"),
            Self::Turn => f.write_str("the TURN server"),
            Self::External(external) => {
                write!(f, "{}, mapped by {}", external.internal, external.nat)?;
                match &external.toward {
                    Toward::Anyone => Ok(()),
                    Toward::Ip(ip) => write!(f, " toward ({ip})"),
                    Toward::Exactly(remote) => write!(f, " toward ({remote})"),
                }
            }
        }
    }
}
