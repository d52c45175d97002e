//! Nodes, networks and the interfaces between them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use natbed_nat::Nat;
use natbed_nat::prefetch::{prefetch, prefetch_lines};
use natbed_packet::{Endpoint, Family, Timestamp};
use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::link::Link;
use crate::sim::Reassembly;
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

/// All hosts and NATs. A run touches thousands of them in turn, so what it looks at for every datagram lies in as few
/// cache lines as it can, and the rest apart.
#[derive(Default)]
pub(crate) struct Nodes {
    kinds: Vec<Kind>,
    hosts: Vec<Host>,
    middleboxes: Vec<Middlebox>,
    apart: Vec<Apart>,
}

/// What a node is, and its place among those.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Host(u32),
    Nat(u32),
}

/// What of a node no datagram needs.
pub(crate) struct Apart {
    pub(crate) name: String,
    /// Those on a host.
    pub(crate) programs: Vec<ProgramId>,
    /// External addresses of a NAT; none where nothing is translated.
    pub(crate) external: Vec<IpAddr>,
    /// What a host is putting together; absent before the first fragment.
    pub(crate) reassembly: Option<Box<Reassembly>>,
}

impl Nodes {
    pub(crate) fn with_capacity(hosts: usize, nats: usize) -> Self {
        Self {
            kinds: Vec::with_capacity(hosts + nats),
            hosts: Vec::with_capacity(hosts),
            middleboxes: Vec::with_capacity(nats),
            apart: Vec::with_capacity(hosts + nats),
        }
    }

    pub(crate) fn add_host(&mut self, name: String, host: Host) {
        self.kinds.push(Kind::Host(place(&self.hosts)));
        self.hosts.push(host);
        self.apart.push(Apart { name, programs: Vec::new(), external: Vec::new(), reassembly: None });
    }

    pub(crate) fn add_nat(&mut self, name: String, middlebox: Middlebox, external: Vec<IpAddr>) {
        self.kinds.push(Kind::Nat(place(&self.middleboxes)));
        self.middleboxes.push(middlebox);
        self.apart.push(Apart { name, programs: Vec::new(), external, reassembly: None });
    }

    pub(crate) fn len(&self) -> usize {
        self.kinds.len()
    }

    #[inline]
    pub(crate) fn kind(&self, node: NodeId) -> Kind {
        self.kinds[node.index()]
    }

    #[inline]
    pub(crate) fn host(&self, node: NodeId) -> Option<&Host> {
        match self.kind(node) {
            Kind::Host(place) => Some(&self.hosts[place as usize]),
            Kind::Nat(_) => None,
        }
    }

    pub(crate) fn host_mut(&mut self, node: NodeId) -> Option<&mut Host> {
        match self.kind(node) {
            Kind::Host(place) => Some(&mut self.hosts[place as usize]),
            Kind::Nat(_) => None,
        }
    }

    #[inline]
    pub(crate) fn middlebox(&self, node: NodeId) -> Option<&Middlebox> {
        match self.kind(node) {
            Kind::Host(_) => None,
            Kind::Nat(place) => Some(&self.middleboxes[place as usize]),
        }
    }

    #[inline]
    pub(crate) fn middlebox_mut(&mut self, node: NodeId) -> Option<&mut Middlebox> {
        match self.kind(node) {
            Kind::Host(_) => None,
            Kind::Nat(place) => Some(&mut self.middleboxes[place as usize]),
        }
    }

    /// Starts to fetch what the next packet at a node of that kind will meet.
    #[inline]
    pub(crate) fn expect(&self, kind: Kind) {
        match kind {
            Kind::Host(place) => prefetch(&self.hosts, place as usize),
            Kind::Nat(place) => prefetch_lines(&self.middleboxes, place as usize, Middlebox::LINES),
        }
    }

    pub(crate) fn middleboxes_mut(&mut self) -> impl Iterator<Item = &mut Middlebox> {
        self.middleboxes.iter_mut()
    }

    /// The interfaces of a node, the uplink first.
    #[inline]
    pub(crate) fn interfaces(&self, node: NodeId) -> &List<InterfaceId> {
        match self.kind(node) {
            Kind::Host(place) => &self.hosts[place as usize].interfaces,
            Kind::Nat(place) => &self.middleboxes[place as usize].interfaces,
        }
    }

    pub(crate) fn apart(&self, node: NodeId) -> &Apart {
        &self.apart[node.index()]
    }

    pub(crate) fn apart_mut(&mut self, node: NodeId) -> &mut Apart {
        &mut self.apart[node.index()]
    }
}

fn place<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).expect("fewer than 2^32 of a kind fit in memory")
}

/// What a datagram meets at a host: one cache line.
#[repr(align(64))]
pub(crate) struct Host {
    pub(crate) bindings: SmallMap<Endpoint, Binding>,
    pub(crate) interfaces: List<InterfaceId>,
    pub(crate) next_port: u16,
    pub(crate) stopped: bool,
}

const _: () = assert!(size_of::<Host>() == 64);

impl Host {
    /// A host without programs, whose first ephemeral port is drawn at random.
    pub(crate) fn new(interfaces: &[InterfaceId], rng: &mut Xoshiro256PlusPlus) -> Self {
        let next_port = rng.random_range(EPHEMERAL..=u16::MAX);
        let interfaces = List::new(interfaces);
        Self { bindings: SmallMap::default(), interfaces, next_port, stopped: false }
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
#[repr(C, align(64))]
pub(crate) struct Middlebox {
    pub(crate) interfaces: List<InterfaceId>,
    pub(crate) inner: List<NetworkId>,
    pub(crate) v4: Engine,
    /// Apart, as most have none.
    pub(crate) v6: Option<Box<Engine>>,
}

impl Middlebox {
    /// Cache lines that every packet meets.
    const LINES: usize = 4;

    pub(crate) fn engine_mut(&mut self, family: Family) -> Option<&mut Engine> {
        match family {
            Family::V4 => Some(&mut self.v4),
            Family::V6 => self.v6.as_deref_mut(),
        }
    }
}

/// A NAT engine and the earliest of its timers in the queue.
#[repr(C)]
pub(crate) struct Engine {
    pub(crate) wake_at: Timestamp,
    pub(crate) nat: Nat,
}

/// What of a network no datagram needs on its way; the rest is with the routes.
pub(crate) struct Network {
    pub(crate) name: String,
    /// Addresses of the router here, from which it reports errors.
    pub(crate) router: Vec<IpAddr>,
}

/// A node's attachment to a network and the link between: half a cache line.
pub(crate) struct Interface {
    pub(crate) node: NodeId,
    pub(crate) network: NetworkId,
    pub(crate) link: Link,
}

const _: () = assert!(size_of::<Interface>() <= 32);
