//! Who on a network has an address, and which way a prefix lies. Stations are hashed, so that a hundred thousand cost a
//! look-up no more than two.

use std::net::IpAddr;

use natbed_packet::Prefix;
use rustc_hash::FxHashMap;

use crate::node::{InterfaceId, NetworkId};
use crate::small::{List, SmallMap};

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
struct Table {
    stations: SmallMap<IpAddr, InterfaceId>,
    /// The network's own prefixes.
    subnets: List<Prefix>,
    prefixes: FxHashMap<Prefix, InterfaceId>,
    /// Lengths of the prefixes routed here, longest first.
    lengths: Vec<u8>,
}

impl Routes {
    pub(crate) fn add_network(&mut self, prefixes: &[Prefix]) {
        self.networks.push(Table {
            stations: SmallMap::default(),
            subnets: List::new(prefixes),
            prefixes: FxHashMap::default(),
            lengths: Vec::new(),
        });
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
        self.networks[network.index()].stations.remove(&address);
    }

    pub(crate) fn add_prefix(&mut self, network: NetworkId, prefix: Prefix, via: InterfaceId) {
        let Table { prefixes, lengths, .. } = &mut self.networks[network.index()];
        prefixes.insert(prefix, via);
        if let Err(place) = lengths.binary_search_by(|length| prefix.length().cmp(length)) {
            lengths.insert(place, prefix.length());
        }
    }

    /// The station at `address`.
    pub(crate) fn station(&self, network: NetworkId, address: IpAddr) -> Option<InterfaceId> {
        self.networks[network.index()].stations.get(&address)
    }

    pub(crate) fn look_up(&self, network: NetworkId, destination: IpAddr) -> Hop {
        let table = &self.networks[network.index()];
        if let Some(interface) = table.stations.get(&destination) {
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
