//! Who on a network has an address, and which way a prefix lies: hashed by network, so that a network of a hundred
//! thousand stations costs a look-up no more than one of two.

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
    stations: FxHashMap<(NetworkId, IpAddr), InterfaceId>,
    prefixes: FxHashMap<(NetworkId, Prefix), InterfaceId>,
    /// Own prefixes of each network.
    subnets: Vec<Vec<Prefix>>,
    /// Lengths of the prefixes routed on each network, longest first.
    lengths: Vec<Vec<u8>>,
}

impl Routes {
    pub(crate) fn add_network(&mut self, prefixes: &[Prefix]) {
        self.subnets.push(prefixes.to_vec());
        self.lengths.push(Vec::new());
    }

    /// Makes `interface` the station at `address`; the one that had it before, if any.
    pub(crate) fn add_station(
        &mut self,
        network: NetworkId,
        address: IpAddr,
        interface: InterfaceId,
    ) -> Option<InterfaceId> {
        self.stations.insert((network, address), interface)
    }

    pub(crate) fn remove_station(&mut self, network: NetworkId, address: IpAddr) {
        self.stations.remove(&(network, address));
    }

    pub(crate) fn add_prefix(&mut self, network: NetworkId, prefix: Prefix, via: InterfaceId) {
        self.prefixes.insert((network, prefix), via);
        let lengths = &mut self.lengths[network.index()];
        if let Err(place) = lengths.binary_search_by(|length| prefix.length().cmp(length)) {
            lengths.insert(place, prefix.length());
        }
    }

    pub(crate) fn subnets(&self, network: NetworkId) -> &[Prefix] {
        &self.subnets[network.index()]
    }

    pub(crate) fn is_on(&self, network: NetworkId, address: IpAddr) -> bool {
        self.subnets(network).iter().any(|prefix| prefix.contains(address))
    }

    pub(crate) fn look_up(&self, network: NetworkId, destination: IpAddr) -> Hop {
        if let Some(interface) = self.stations.get(&(network, destination)) {
            return Hop::Station(*interface);
        }
        for length in &self.lengths[network.index()] {
            if let Some(interface) = self.prefixes.get(&(network, Prefix::masked(destination, *length))) {
                return Hop::Via(*interface);
            }
        }
        if self.is_on(network, destination) { Hop::Absent } else { Hop::Elsewhere }
    }
}
