//! New mappings: whether there may be one, and which external endpoint it gets.

use natbed_packet::Protocol;
use rand::RngExt;

use super::{Translator, is_elsewhere};
use crate::address::{Address, Socket};
use crate::behavior::{Pooling, PortAssignment, PortRange};
use crate::outcome::DropReason;
use crate::ports::{self, Search};
use crate::table::{Host, Record};

impl<A: Address> Translator<A> {
    pub(super) fn is_full(&self) -> bool {
        !self.table.has_room() || self.behavior.max_mappings.is_some_and(|max| self.table.mappings() >= max)
    }

    pub(super) fn create(
        &mut self,
        protocol: Protocol,
        from: Socket<A>,
        to: Socket<A>,
    ) -> Result<u32, DropReason> {
        if self.is_full() {
            return Err(DropReason::TableFull);
        }
        let host = if self.table.shape().by_host { self.table.host(from.ip) } else { None };
        let mappings = host.map_or(0, |host| host.mappings[protocol as usize]);
        if self.behavior.max_mappings_per_host.is_some_and(|max| mappings >= max) {
            return Err(DropReason::Quota);
        }
        if self.rates.as_ref().is_some_and(|rates| !rates.allows(from.ip, self.latest)) {
            return Err(DropReason::Rate);
        }
        let (place, port) = if self.is_firewall() {
            (0, from.port)
        } else {
            self.allocate(host, protocol, from, to).ok_or(DropReason::PortsExhausted)?
        };
        if let Some(rates) = &mut self.rates {
            rates.spend(from.ip, self.latest);
        }
        let mut record = Record::new(protocol, from, to, place, port);
        record.set_elsewhere(is_elsewhere(&self.inside, &self.pool, to.ip));
        record.deadline = self.latest.saturating_add(self.timers.of(protocol).first);
        let slot = self.table.insert(self.latest, record);
        self.permit(slot, to);
        Ok(slot)
    }

    /// An external address's place and a port for a new mapping.
    fn allocate(
        &mut self,
        host: Option<Host>,
        protocol: Protocol,
        from: Socket<A>,
        to: Socket<A>,
    ) -> Option<(u16, u16)> {
        let flow = (protocol, from, to);
        let paired = self.behavior.pooling == Pooling::Paired;
        if let Some(host) = host.filter(|_| paired || self.behavior.port_block.is_some()) {
            let range = self.behavior.port_block.map_or(self.behavior.port_range, |_| self.block(host.block));
            return self.choose_port(host.pool, range, flow).map(|port| (host.pool, port));
        }
        let places = self.pool.len();
        let start = match paired {
            false if places > 1 => self.rng.random_range(0..places),
            _ => self.next_place % places.max(1),
        };
        for place in (start..places).chain(0..start) {
            let port = match self.behavior.port_block {
                None => self.choose_port(place, self.behavior.port_range, flow),
                Some(size) => self.choose_in_new_block(place, size, flow),
            };
            if let Some(port) = port {
                self.next_place = place.wrapping_add(1);
                return Some((place, port));
            }
        }
        None
    }

    fn choose_port(
        &mut self,
        place: u16,
        range: PortRange,
        (protocol, from, to): (Protocol, Socket<A>, Socket<A>),
    ) -> Option<u16> {
        let flow = (protocol, from, to);
        let apart = self.behavior.port_range_preservation && protocol != Protocol::Icmp;
        let range = if apart { range.half_of(from.port) } else { range };
        if let Some(port) = self.shared_port(place, range, flow) {
            return Some(port);
        }
        let next_free = |search| self.table.next_free_port(protocol, place, to, search);
        let cursor = &mut self.cursors[protocol as usize];
        let port = ports::choose(&self.behavior, range, from.port, *cursor, &mut self.rng, next_free)?;
        *cursor = Some(port);
        Some(port)
    }

    /// The port of the endpoint's newest mapping, if ports are kept and shared, and it is free towards `to` too.
    fn shared_port(
        &self,
        place: u16,
        range: PortRange,
        (protocol, from, to): (Protocol, Socket<A>, Socket<A>),
    ) -> Option<u16> {
        if !self.table.shape().keeps_shared {
            return None;
        }
        let newest = self.table.record(self.table.newest_of_endpoint(protocol, from)?);
        let (port, search) =
            (newest.external_port(), Search { range, parity: None, start: newest.external_port() });
        let free =
            newest.pool == place && self.table.next_free_port(protocol, place, to, search) == Some(port);
        free.then_some(port)
    }

    /// A port in a block of `size` ports that no host has, of the address at `place`. Ports of a block that a host
    /// had may still be held, hence the first block is not always the one.
    fn choose_in_new_block(
        &mut self,
        place: u16,
        size: u16,
        flow: (Protocol, Socket<A>, Socket<A>),
    ) -> Option<u16> {
        let blocks = u16::try_from(self.behavior.port_range.size() / u32::from(size)).ok()?;
        let range = PortRange::new(0, blocks - 1);
        let mut start = match self.behavior.ports {
            PortAssignment::Random => self.rng.random_range(0..blocks),
            PortAssignment::Preserve | PortAssignment::Sequential => 0,
        };
        for _ in 0..blocks {
            let block = self.table.next_free_block(place, Search { range, parity: None, start })?;
            let port = self.choose_port(place, self.block(block), flow);
            if port.is_some() {
                return port;
            }
            start = (block + 1) % blocks;
        }
        None
    }

    fn block(&self, block: u16) -> PortRange {
        let size = self.behavior.port_block.unwrap_or(0);
        let first = self.behavior.port_range.first + block * size;
        PortRange::new(first, first + (size - 1))
    }
}
