//! Nodes, networks and the interfaces between them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use natbed_nat::Nat;
use natbed_packet::{Endpoint, Family, Timestamp};
use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::link::Direction;
use crate::small::{List, SmallMap};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) u32);

        impl $name {
            pub(crate) fn from_len(len: usize) -> Self {
                Self(u32::try_from(len).expect("fewer than 2^32 of a kind fit in memory"))
            }

            /// Its place in the order of creation, from 0.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

id!(
    /// A host or NAT.
    NodeId
);
id!(
    /// A network: the internet or a subnet.
    NetworkId
);
id!(
    /// A node's attachment to a network.
    InterfaceId
);
id!(
    /// A program on a host.
    ProgramId
);

/// The state of a host or NAT.
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Interfaces, the uplink first.
    pub(crate) interfaces: List<InterfaceId>,
}

pub(crate) enum Kind {
    Host(Host),
    Nat(Box<Middlebox>),
}

pub(crate) struct Host {
    pub(crate) bindings: SmallMap<Endpoint, Binding>,
    pub(crate) programs: Vec<ProgramId>,
    pub(crate) next_port: u16,
    pub(crate) stopped: bool,
}

impl Host {
    /// A host without programs, whose first ephemeral port is drawn at random.
    pub(crate) fn new(rng: &mut Xoshiro256PlusPlus) -> Self {
        let next_port = rng.random_range(EPHEMERAL..=u16::MAX);
        Self { bindings: SmallMap::default(), programs: Vec::new(), next_port, stopped: false }
    }

    /// The next free port for those who ask for none.
    pub(crate) fn free_port(&mut self, ip: IpAddr) -> Option<u16> {
        for _ in EPHEMERAL..=u16::MAX {
            let port = self.next_port;
            self.next_port = port.checked_add(1).unwrap_or(EPHEMERAL);
            if !self.is_taken(Endpoint::new(ip, port)) {
                return Some(port);
            }
        }
        None
    }

    /// Whether a socket at `endpoint` would share it with another one.
    pub(crate) fn is_taken(&self, endpoint: Endpoint) -> bool {
        let shares = |other: &Endpoint| other.port == endpoint.port && other.family() == endpoint.family();
        self.binding(endpoint).is_some() || (endpoint.ip.is_unspecified() && self.bindings.any_key(shares))
    }

    /// What is bound to `endpoint`, or to its port on every address.
    pub(crate) fn binding(&self, endpoint: Endpoint) -> Option<Binding> {
        let everywhere = || self.bindings.get(&Endpoint::new(unspecified(endpoint.family()), endpoint.port));
        self.bindings.get(&endpoint).or_else(everywhere)
    }
}

/// The address that stands for every address of a family.
fn unspecified(family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// First of the ports that systems give to those who ask for none (RFC 6335 section 6).
const EPHEMERAL: u16 = 49152;

#[derive(Clone, Copy)]
pub(crate) struct Binding {
    pub(crate) program: ProgramId,
    /// Made by the program while it ran; gone when the host stops.
    pub(crate) dynamic: bool,
}

/// What stands between inner networks and an outer one: an engine for each address family.
pub(crate) struct Middlebox {
    pub(crate) inner: List<NetworkId>,
    /// External addresses; none where nothing is translated.
    pub(crate) external: Vec<IpAddr>,
    pub(crate) v4: Engine,
    /// Apart, as most have none.
    pub(crate) v6: Option<Box<Engine>>,
}

impl Middlebox {
    pub(crate) fn engine_mut(&mut self, family: Family) -> Option<&mut Engine> {
        match family {
            Family::V4 => Some(&mut self.v4),
            Family::V6 => self.v6.as_deref_mut(),
        }
    }
}

/// A NAT engine and the earliest of its timers in the queue.
pub(crate) struct Engine {
    pub(crate) nat: Nat,
    pub(crate) wake_at: Timestamp,
}

pub(crate) struct Network {
    pub(crate) name: String,
    pub(crate) gateway: Option<NodeId>,
    /// Addresses of the router here, from which it reports errors.
    pub(crate) router: Vec<IpAddr>,
    /// Whether all of those are on the network's own subnets.
    pub(crate) router_within: bool,
}

/// A node's attachment to a network and the two directions of the link between.
pub(crate) struct Interface {
    pub(crate) node: NodeId,
    pub(crate) network: NetworkId,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) up: Direction,
    pub(crate) down: Direction,
}
