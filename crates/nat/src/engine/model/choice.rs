//! Which external endpoint a new mapping may have, and which it must have.

use natbed_packet::{Endpoint, Protocol};

use super::reference::Model;
use crate::DropReason;
use crate::behavior::{OnConflict, Pooling, PortAssignment, PortRange};

/// A protocol, an internal endpoint and the remote that it first sends to.
type Flow = (Protocol, Endpoint, Endpoint);

impl Model {
    fn block_of(&self, port: u16) -> Option<u16> {
        self.behavior.port_block.map(|size| (port - self.behavior.port_range.first) / size)
    }

    /// Whether a mapping may have `external`.
    fn may_have(&self, (protocol, from, to): Flow, external: Endpoint) -> bool {
        let taken = self.entries.iter().any(|entry| {
            let here = (entry.protocol, entry.external) == (protocol, external);
            here && (!self.behavior.port_overloading || self.same_key(entry.first, to))
        });
        let parity = !self.behavior.port_parity || external.port % 2 == from.port % 2;
        let half = !self.behavior.port_range_preservation
            || protocol == Protocol::Icmp
            || (external.port < 1024) == (from.port < 1024);
        let pinned = self.behavior.pooling == Pooling::Paired || self.behavior.port_block.is_some();
        let address = !pinned || self.of_host(from.ip).all(|entry| entry.external.ip == external.ip);
        let block = self.block_of(external.port);
        let own_block = self.of_host(from.ip).all(|entry| self.block_of(entry.external.port) == block);
        let others_block =
            block.is_some()
                && self.entries.iter().filter(|entry| entry.leads() && entry.internal.ip != from.ip).any(
                    |entry| entry.external.ip == external.ip && self.block_of(entry.external.port) == block,
                );
        let blocks = self.behavior.port_block.map(|size| self.behavior.port_range.size() / u32::from(size));
        let whole_block = block.map(u32::from) < blocks || blocks.is_none();
        !taken && parity && half && address && own_block && !others_block && whole_block
    }

    /// `chosen` is the external endpoint that the engine gave.
    pub(super) fn check_choice(
        &mut self,
        flow: Flow,
        chosen: Option<Endpoint>,
    ) -> Result<Endpoint, DropReason> {
        let (protocol, from, _) = flow;
        if self.is_firewall() {
            return Ok(from);
        }
        let PortRange { first, last } = self.behavior.port_range;
        let mut all = self.pool.iter().flat_map(|ip| (first..=last).map(|port| Endpoint::new(*ip, port)));
        if !all.any(|external| self.may_have(flow, external)) {
            return Err(DropReason::PortsExhausted);
        }
        let chosen = chosen.expect("the engine has a port, as there is one");
        assert!(self.may_have(flow, chosen), "{chosen} for {flow:?}");
        if let Some(shared) = self.shared(flow, chosen) {
            assert_eq!(chosen, shared, "a port is shared where it is free");
            return Ok(chosen);
        }
        let range = self.range_of(flow, chosen);
        let due = match self.behavior.ports {
            PortAssignment::Preserve => self
                .first_free(flow, chosen, range, from.port)
                .filter(|next| *next == from.port || self.behavior.on_conflict == OnConflict::Next),
            PortAssignment::Sequential => {
                let cursor = self.cursors[protocol as usize].filter(|cursor| range.contains(*cursor));
                let after = cursor.map_or(0, |cursor| cursor - range.first + self.behavior.step);
                let start = range.first + after % u16::try_from(range.size()).expect("a small range");
                self.first_free(flow, chosen, range, start)
            }
            PortAssignment::Random => None,
        };
        assert_eq!(due.unwrap_or(chosen.port), chosen.port, "for {flow:?}");
        self.cursors[protocol as usize] = Some(chosen.port);
        Ok(chosen)
    }

    /// The endpoint of the newest mapping of the same socket, where it can be shared.
    fn shared(&self, flow: Flow, chosen: Endpoint) -> Option<Endpoint> {
        let (protocol, from, _) = flow;
        let shares = self.behavior.port_overloading && self.behavior.ports == PortAssignment::Preserve;
        let its = self
            .entries
            .iter()
            .filter(|entry| entry.leads() && (entry.protocol, entry.internal) == (protocol, from));
        let newest = its.max_by_key(|entry| entry.serial).map(|entry| entry.external)?;
        (shares && newest.ip == chosen.ip && self.may_have(flow, newest)).then_some(newest)
    }

    /// The ports among which `chosen` is one: the host's block, or those on the same side of 1024.
    fn range_of(&self, (protocol, from, _): Flow, chosen: Endpoint) -> PortRange {
        let PortRange { first, last } = self.behavior.port_range;
        if let Some((block, size)) = self.block_of(chosen.port).zip(self.behavior.port_block) {
            return PortRange::new(first + block * size, first + block * size + (size - 1));
        }
        match self.behavior.port_range_preservation && protocol != Protocol::Icmp {
            true if from.port < 1024 => PortRange::new(first, 1023),
            true => PortRange::new(1024, last),
            false => PortRange::new(first, last),
        }
    }

    /// The first free port from `start` on, around the end of the range.
    fn first_free(&self, flow: Flow, chosen: Endpoint, range: PortRange, start: u16) -> Option<u16> {
        let start = if range.contains(start) { start } else { range.first };
        let mut ports = (start..=range.last).chain(range.first..start);
        ports.find(|port| self.may_have(flow, Endpoint::new(chosen.ip, *port)))
    }
}
