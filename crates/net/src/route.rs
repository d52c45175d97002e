//! Who on a network has an address, and which way a prefix lies. Where there are several stations, they are hashed, so
//! that a hundred thousand cost a look-up no more than two.

use std::net::IpAddr;

use natbed_packet::Prefix;
use rustc_hash::FxHashMap;

use crate::node::{InterfaceId, NetworkId, NodeId};

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

/// What a datagram meets on one network: a cache line for a network of one station and one prefix.
#[repr(align(64))]
struct Table {
    /// The only station, where there is just one.
    station: Option<(IpAddr, InterfaceId)>,
    /// The network's own prefix, where there is just one.
    subnet: Option<Prefix>,
    gateway: Option<NodeId>,
    /// Whether all of the router's own addresses are on the network's own prefixes.
    router_within: bool,
    /// What a network of several stations or prefixes has, or one with prefixes behind its stations.
    more: Option<Box<More>>,
}

const _: () = assert!(size_of::<Table>() == 64);

#[derive(Default)]
struct More {
    /// All stations, where there are several: those with IPv4 addresses.
    v4: Rows,
    /// Those with IPv6 addresses.
    v6: FxHashMap<u128, InterfaceId>,
    /// The network's own prefixes, where there are several.
    subnets: Vec<Prefix>,
    prefixes: FxHashMap<Prefix, InterfaceId>,
    /// Lengths of the prefixes routed here, longest first.
    lengths: Vec<u8>,
}

impl Routes {
    pub(crate) fn with_capacity(networks: usize) -> Self {
        Self { networks: Vec::with_capacity(networks) }
    }

    pub(crate) fn add_network(&mut self, prefixes: &[Prefix], gateway: Option<NodeId>, router_within: bool) {
        let (subnet, more) = match prefixes {
            [] => (None, None),
            [only] => (Some(*only), None),
            several => (None, Some(Box::new(More { subnets: several.to_vec(), ..More::default() }))),
        };
        self.networks.push(Table { station: None, subnet, gateway, router_within, more });
    }

    /// Makes `interface` the station at `address`; the one that had it before, if any.
    pub(crate) fn add_station(
        &mut self,
        network: NetworkId,
        address: IpAddr,
        interface: InterfaceId,
    ) -> Option<InterfaceId> {
        let table = &mut self.networks[network.index()];
        match table.station.take() {
            Some((only, before)) if only == address => {
                table.station = Some((address, interface));
                Some(before)
            }
            Some((only, before)) => {
                let more = table.more.get_or_insert_default();
                more.add_station(only, before);
                more.add_station(address, interface)
            }
            None if table.has_stations() => {
                table.more.get_or_insert_default().add_station(address, interface)
            }
            None => {
                table.station = Some((address, interface));
                None
            }
        }
    }

    pub(crate) fn remove_station(&mut self, network: NetworkId, address: IpAddr) {
        let Table { station, more, .. } = &mut self.networks[network.index()];
        *station = station.filter(|(only, _)| *only != address);
        match (more, address) {
            (None, _) => None,
            (Some(more), IpAddr::V4(ip)) => more.v4.remove(ip.to_bits()),
            (Some(more), IpAddr::V6(ip)) => more.v6.remove(&ip.to_bits()),
        };
    }

    pub(crate) fn add_prefix(&mut self, network: NetworkId, prefix: Prefix, via: InterfaceId) {
        let More { prefixes, lengths, .. } =
            &mut **self.networks[network.index()].more.get_or_insert_default();
        prefixes.insert(prefix, via);
        if let Err(place) = lengths.binary_search_by(|length| prefix.length().cmp(length)) {
            lengths.insert(place, prefix.length());
        }
    }

    /// The router of `network`.
    #[inline]
    pub(crate) fn gateway(&self, network: NetworkId) -> Option<NodeId> {
        self.networks[network.index()].gateway
    }

    /// Whether all of the router's own addresses are on the network's own prefixes.
    #[inline]
    pub(crate) fn is_router_within(&self, network: NetworkId) -> bool {
        self.networks[network.index()].router_within
    }

    /// The station at `address`.
    #[inline]
    pub(crate) fn station(&self, network: NetworkId, address: IpAddr) -> Option<InterfaceId> {
        self.networks[network.index()].station(address)
    }

    #[inline]
    pub(crate) fn look_up(&self, network: NetworkId, destination: IpAddr) -> Hop {
        let table = &self.networks[network.index()];
        if let Some(interface) = table.station(destination) {
            return Hop::Station(interface);
        }
        let mut own = table.subnet.is_some_and(|prefix| prefix.contains(destination));
        if let Some(more) = &table.more {
            if let Some(interface) = more.via(destination) {
                return Hop::Via(interface);
            }
            own |= more.subnets.iter().any(|prefix| prefix.contains(destination));
        }
        if own { Hop::Absent } else { Hop::Elsewhere }
    }
}

impl Table {
    #[inline]
    fn station(&self, address: IpAddr) -> Option<InterfaceId> {
        match (self.station, &self.more) {
            (Some((only, interface)), _) => (only == address).then_some(interface),
            (None, None) => None,
            (None, Some(more)) => more.station(address),
        }
    }

    fn has_stations(&self) -> bool {
        self.more.as_ref().is_some_and(|more| !(more.v4.is_empty() && more.v6.is_empty()))
    }
}

impl More {
    fn station(&self, address: IpAddr) -> Option<InterfaceId> {
        match address {
            IpAddr::V4(ip) => self.v4.get(ip.to_bits()),
            IpAddr::V6(ip) => self.v6.get(&ip.to_bits()).copied(),
        }
    }

    fn add_station(&mut self, address: IpAddr, interface: InterfaceId) -> Option<InterfaceId> {
        match address {
            IpAddr::V4(ip) => self.v4.insert(ip.to_bits(), interface),
            IpAddr::V6(ip) => self.v6.insert(ip.to_bits(), interface),
        }
    }

    /// The station behind which the longest prefix around `destination` lies.
    fn via(&self, destination: IpAddr) -> Option<InterfaceId> {
        let mut prefixes = self.lengths.iter().map(|length| Prefix::masked(destination, *length));
        prefixes.find_map(|prefix| self.prefixes.get(&prefix)).copied()
    }
}

/// Stations by IPv4 address, sixteen neighbours to a cache line: hosts and NATs have addresses that follow one another,
/// and in a network of a million the hash table of single ones is out of every cache.
#[derive(Default)]
struct Rows {
    /// The row of each block of sixteen addresses that has any.
    places: FxHashMap<u32, u32>,
    rows: Vec<Row>,
    count: usize,
}

#[repr(align(64))]
struct Row([u32; ROW as usize]);

const ROW: u32 = 16;

/// No station.
const NOBODY: u32 = u32::MAX;

impl Rows {
    #[inline]
    fn get(&self, ip: u32) -> Option<InterfaceId> {
        let row = *self.places.get(&(ip / ROW))?;
        station_of(self.rows[row as usize].0[(ip % ROW) as usize])
    }

    fn insert(&mut self, ip: u32, interface: InterfaceId) -> Option<InterfaceId> {
        let row = *self.places.entry(ip / ROW).or_insert_with(|| {
            self.rows.push(Row([NOBODY; ROW as usize]));
            u32::try_from(self.rows.len() - 1).expect("fewer than 2^28 rows make all addresses")
        });
        let place = &mut self.rows[row as usize].0[(ip % ROW) as usize];
        let before = station_of(std::mem::replace(place, interface.0));
        self.count += usize::from(before.is_none());
        before
    }

    fn remove(&mut self, ip: u32) -> Option<InterfaceId> {
        let row = *self.places.get(&(ip / ROW))?;
        let place = &mut self.rows[row as usize].0[(ip % ROW) as usize];
        let before = station_of(std::mem::replace(place, NOBODY));
        self.count -= usize::from(before.is_some());
        before
    }

    fn is_empty(&self) -> bool {
        self.count == 0
    }
}

fn station_of(word: u32) -> Option<InterfaceId> {
    (word != NOBODY).then_some(InterfaceId(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stations on both sides of a row's end, one that moves, and one of the other family.
    #[test]
    fn many_stations_are_told_apart() {
        let network = NetworkId(0);
        let mut routes = Routes::with_capacity(1);
        routes.add_network(&["10.0.0.0/8".parse().unwrap()], None, true);
        let ip = |last: u8| IpAddr::from([10, 0, 0, last]);
        for last in 14..=17 {
            assert_eq!(routes.add_station(network, ip(last), InterfaceId(last.into())), None);
        }
        let other: IpAddr = "2001:db8::1".parse().unwrap();
        assert_eq!(routes.add_station(network, other, InterfaceId(99)), None);
        assert_eq!(routes.look_up(network, other), Hop::Station(InterfaceId(99)));
        for last in 14..=17 {
            assert_eq!(routes.look_up(network, ip(last)), Hop::Station(InterfaceId(last.into())));
        }
        assert_eq!(routes.look_up(network, ip(13)), Hop::Absent);
        assert_eq!(routes.look_up(network, IpAddr::from([11, 0, 0, 15])), Hop::Elsewhere);

        routes.remove_station(network, ip(15));
        assert_eq!(routes.look_up(network, ip(15)), Hop::Absent);
        assert_eq!(routes.add_station(network, ip(16), InterfaceId(15)), Some(InterfaceId(16)));
        assert_eq!(routes.station(network, ip(16)), Some(InterfaceId(15)));
    }

    /// The only station may go, and another come.
    #[test]
    fn an_only_station_moves() {
        let network = NetworkId(0);
        let mut routes = Routes::with_capacity(1);
        routes.add_network(&["10.0.0.0/24".parse().unwrap(), "10.0.1.0/24".parse().unwrap()], None, true);
        let (old, new) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 1, 1]));
        assert_eq!(routes.add_station(network, old, InterfaceId(1)), None);
        assert_eq!(routes.add_station(network, old, InterfaceId(2)), Some(InterfaceId(1)));
        routes.remove_station(network, old);
        assert_eq!(routes.add_station(network, new, InterfaceId(2)), None);
        assert_eq!(routes.look_up(network, old), Hop::Absent);
        assert_eq!(routes.look_up(network, new), Hop::Station(InterfaceId(2)));
    }
}
