//! What a user would write instead of natbed's table.

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use natbed_nat::Flow;
use rustc_hash::FxBuildHasher;

use crate::work::Kind;

/// A table that a user might write.
pub(crate) trait Peer: Clone + Default {
    const NAME: &'static str;

    fn insert(&mut self, kind: Kind, flow: &Flow, external: SocketAddrV4);
    /// Ends a mapping.
    fn remove(&mut self, kind: Kind, flow: &Flow, external: SocketAddrV4);
    /// The external endpoint of a flow from inside.
    fn outbound(&mut self, kind: Kind, flow: &Flow) -> Option<SocketAddrV4>;
    /// The internal endpoint of a flow from outside, if its source may send there.
    fn inbound(&mut self, flow: &Flow) -> Option<SocketAddrV4>;
}

/// Keyed by formatted strings, with a set of formatted strings for a filter.
#[derive(Clone, Default)]
pub(crate) struct Strings {
    outbound: HashMap<String, usize>,
    inbound: HashMap<String, usize>,
    mappings: Vec<StringMapping>,
    free: Vec<usize>,
}

#[derive(Clone)]
struct StringMapping {
    local: SocketAddrV4,
    mapped: SocketAddrV4,
    filters: HashSet<String>,
}

impl Strings {
    fn outbound_key(kind: Kind, flow: &Flow) -> String {
        let bound = if kind == Kind::Symmetric { flow.destination().to_string() } else { String::new() };
        format!("udp:{}:{bound}", flow.source())
    }
}

impl Peer for Strings {
    const NAME: &str = "strings";

    fn insert(&mut self, kind: Kind, flow: &Flow, external: SocketAddrV4) {
        let filters = HashSet::from([flow.destination().to_string()]);
        let mapping = StringMapping { local: flow.source(), mapped: external, filters };
        let place = self.free.pop().unwrap_or(self.mappings.len());
        match self.mappings.get_mut(place) {
            Some(free) => *free = mapping,
            None => self.mappings.push(mapping),
        }
        self.outbound.insert(Self::outbound_key(kind, flow), place);
        self.inbound.insert(format!("udp:{external}"), place);
    }

    fn remove(&mut self, kind: Kind, flow: &Flow, external: SocketAddrV4) {
        self.inbound.remove(&format!("udp:{external}"));
        if let Some(place) = self.outbound.remove(&Self::outbound_key(kind, flow)) {
            self.mappings[place].filters = HashSet::new();
            self.free.push(place);
        }
    }

    fn outbound(&mut self, kind: Kind, flow: &Flow) -> Option<SocketAddrV4> {
        let place = self.outbound.get(&Self::outbound_key(kind, flow))?;
        let mapping = &mut self.mappings[*place];
        mapping.filters.insert(flow.destination().to_string());
        Some(mapping.mapped)
    }

    fn inbound(&mut self, flow: &Flow) -> Option<SocketAddrV4> {
        let place = self.inbound.get(&format!("udp:{}", flow.destination()))?;
        let mapping = &self.mappings[*place];
        mapping.filters.contains(&flow.source().to_string()).then_some(mapping.local)
    }
}

/// `std`'s map of socket addresses; for a symmetric NAT, of pairs of them.
#[derive(Clone, Default)]
pub(crate) struct Std {
    independent: HashMap<SocketAddr, SocketAddr>,
    dependent: HashMap<(SocketAddr, SocketAddr), SocketAddr>,
    inbound: HashMap<SocketAddr, (SocketAddr, SocketAddr)>,
}

impl Peer for Std {
    const NAME: &str = "std";

    fn insert(&mut self, kind: Kind, flow: &Flow, external: SocketAddrV4) {
        let (source, destination) = (flow.source().into(), flow.destination().into());
        if kind == Kind::Symmetric {
            self.dependent.insert((source, destination), external.into());
        } else {
            self.independent.insert(source, external.into());
        }
        self.inbound.insert(external.into(), (source, destination));
    }

    fn remove(&mut self, kind: Kind, flow: &Flow, external: SocketAddrV4) {
        let source = SocketAddr::from(flow.source());
        if kind == Kind::Symmetric {
            self.dependent.remove(&(source, flow.destination().into()));
        } else {
            self.independent.remove(&source);
        }
        self.inbound.remove(&SocketAddr::from(external));
    }

    fn outbound(&mut self, kind: Kind, flow: &Flow) -> Option<SocketAddrV4> {
        let (source, destination) = (flow.source().into(), flow.destination().into());
        let external = if kind == Kind::Symmetric {
            self.dependent.get(&(source, destination))
        } else {
            self.independent.get(&source)
        };
        as_v4(*external?)
    }

    fn inbound(&mut self, flow: &Flow) -> Option<SocketAddrV4> {
        let (source, remote) = self.inbound.get(&SocketAddr::from(flow.destination()))?;
        if *remote == SocketAddr::from(flow.source()) { as_v4(*source) } else { None }
    }
}

fn as_v4(address: SocketAddr) -> Option<SocketAddrV4> {
    match address {
        SocketAddr::V4(address) => Some(address),
        SocketAddr::V6(_) => None,
    }
}

/// hashbrown with addresses and ports packed into integers.
#[derive(Clone, Default)]
pub(crate) struct Packed {
    independent: hashbrown::HashMap<u64, u64, FxBuildHasher>,
    dependent: hashbrown::HashMap<u128, u64, FxBuildHasher>,
    inbound: hashbrown::HashMap<u64, (u64, u64), FxBuildHasher>,
}

fn pack(address: SocketAddrV4) -> u64 {
    u64::from(address.ip().to_bits()) << 16 | u64::from(address.port())
}

#[expect(clippy::cast_possible_truncation, reason = "they were packed so")]
fn unpack(packed: u64) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from_bits((packed >> 16) as u32), packed as u16)
}

impl Peer for Packed {
    const NAME: &str = "hashbrown";

    fn insert(&mut self, kind: Kind, flow: &Flow, external: SocketAddrV4) {
        let (source, destination, external) = (pack(flow.source()), pack(flow.destination()), pack(external));
        if kind == Kind::Symmetric {
            self.dependent.insert(u128::from(source) << 64 | u128::from(destination), external);
        } else {
            self.independent.insert(source, external);
        }
        self.inbound.insert(external, (source, destination));
    }

    fn remove(&mut self, kind: Kind, flow: &Flow, external: SocketAddrV4) {
        let source = pack(flow.source());
        if kind == Kind::Symmetric {
            self.dependent.remove(&(u128::from(source) << 64 | u128::from(pack(flow.destination()))));
        } else {
            self.independent.remove(&source);
        }
        self.inbound.remove(&pack(external));
    }

    fn outbound(&mut self, kind: Kind, flow: &Flow) -> Option<SocketAddrV4> {
        let source = pack(flow.source());
        let external = if kind == Kind::Symmetric {
            self.dependent.get(&(u128::from(source) << 64 | u128::from(pack(flow.destination()))))
        } else {
            self.independent.get(&source)
        };
        external.copied().map(unpack)
    }

    fn inbound(&mut self, flow: &Flow) -> Option<SocketAddrV4> {
        let (source, remote) = self.inbound.get(&pack(flow.destination()))?;
        (*remote == pack(flow.source())).then(|| unpack(*source))
    }
}
