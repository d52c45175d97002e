//! Who on a network has an address, and which way a prefix lies. A network of a few stations is searched, a larger one
//! hashed, so that a hundred thousand stations cost a look-up no more than two.

use std::net::IpAddr;

use natbed_packet::Prefix;
use rustc_hash::FxHashMap;

use crate::node::{InterfaceId, NetworkId};

/// What a network does with a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hop {
    /// Straight to the station that has the address.
    Station(InterfaceId),
    /// Through the station behind which a prefix lies.
    Via(InterfaceId),
    /// The address is on this subnet, but nobody has it.
    Absent,
    /// Nothing here says where it is: to the router, if there is one.
    Elsewhere,
}

#[derive(Default)]
pub(crate) struct Routes {
    networks: Vec<Table>,
}

/// One network's.
#[derive(Default)]
struct Table {
    stations: Stations,
    /// The network's own prefixes.
    subnets: Vec<Prefix>,
    prefixes: FxHashMap<Prefix, InterfaceId>,
    /// Lengths of the prefixes routed here, longest first.
    lengths: Vec<u8>,
}

impl Routes {
    pub(crate) fn add_network(&mut self, prefixes: &[Prefix]) {
        self.networks.push(Table { subnets: prefixes.to_vec(), ..Table::default() });
    }

    /// Makes `interface` the station at `address`; the one that had it before, if any.
    pub(crate) fn add_station(
        &mut self,
        network: NetworkId,
        address: IpAddr,
        interface: InterfaceId,
    ) -> Option<InterfaceId> {
        self.networks[network.index()].stations.insert(address, interface)
    }

    pub(crate) fn remove_station(&mut self, network: NetworkId, address: IpAddr) {
        self.networks[network.index()].stations.remove(address);
    }

    pub(crate) fn add_prefix(&mut self, network: NetworkId, prefix: Prefix, via: InterfaceId) {
        let Table { prefixes, lengths, .. } = &mut self.networks[network.index()];
        prefixes.insert(prefix, via);
        if let Err(place) = lengths.binary_search_by(|length| prefix.length().cmp(length)) {
            lengths.insert(place, prefix.length());
        }
    }

    pub(crate) fn look_up(&self, network: NetworkId, destination: IpAddr) -> Hop {
        let table = &self.networks[network.index()];
        if let Some(interface) = table.stations.get(destination) {
            return Hop::Station(interface);
        }
        for length in &table.lengths {
            if let Some(interface) = table.prefixes.get(&Prefix::masked(destination, *length)) {
                return Hop::Via(*interface);
            }
        }
        let own = table.subnets.iter().any(|prefix| prefix.contains(destination));
        if own { Hop::Absent } else { Hop::Elsewhere }
    }
}

/// Above this many stations, a hash beats a search.
const FEW: usize = 8;

enum Stations {
    Few(Vec<(u128, InterfaceId)>),
    Many(FxHashMap<u128, InterfaceId>),
}

impl Default for Stations {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Stations {
    fn insert(&mut self, address: IpAddr, interface: InterfaceId) -> Option<InterfaceId> {
        let key = key(address);
        match self {
            Self::Few(all) => {
                if let Some((_, there)) = all.iter_mut().find(|(other, _)| *other == key) {
                    return Some(std::mem::replace(there, interface));
                }
                all.push((key, interface));
                if all.len() > FEW {
                    *self = Self::Many(all.drain(..).collect());
                }
                None
            }
            Self::Many(all) => all.insert(key, interface),
        }
    }

    fn remove(&mut self, address: IpAddr) {
        let key = key(address);
        match self {
            Self::Few(all) => all.retain(|(other, _)| *other != key),
            Self::Many(all) => {
                all.remove(&key);
            }
        }
    }

    fn get(&self, address: IpAddr) -> Option<InterfaceId> {
        let key = key(address);
        match self {
            Self::Few(all) => all.iter().find(|(other, _)| *other == key).map(|(_, interface)| *interface),
            Self::Many(all) => all.get(&key).copied(),
        }
    }
}

/// The address as a number, IPv4 as the IPv4-mapped address that no wire carries (RFC 4291 section 2.5.5.2).
fn key(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}
