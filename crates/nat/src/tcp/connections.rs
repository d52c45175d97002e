//! The TCP connections of all mappings.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::{Connection, Origin, Phase, Segment};
use crate::address::{Address, Socket};
use crate::packet::Packet;
use crate::timers::TcpTimers;

/// An internal endpoint and a remote, which have one connection at a time.
type Ends<A> = (Socket<A>, Socket<A>);

/// Connections by their ends. Those whose time is over count for nothing, and go when their mapping's list grows.
#[derive(Clone, Debug)]
pub(crate) struct Connections<A> {
    connections: HashMap<Ends<A>, Connection, FxBuildHasher>,
    /// The connections of each mapping, which end with it.
    of_slot: HashMap<u32, Vec<Ends<A>>, FxBuildHasher>,
}

impl<A> Default for Connections<A> {
    fn default() -> Self {
        Self { connections: HashMap::default(), of_slot: HashMap::default() }
    }
}

impl<A: Address> Connections<A> {
    /// The mapping that a connection's segments pass through.
    pub(crate) fn slot(&self, internal: Socket<A>, remote: Socket<A>, now: u64) -> Option<u32> {
        self.live((internal, remote), now).map(|connection| connection.slot)
    }

    /// Whether `segment` from `remote` belongs to a connection of the mapping. A SYN after the end of one does not:
    /// it asks for another.
    pub(crate) fn admits(&self, slot: u32, ends: Ends<A>, segment: Segment, now: u64) -> bool {
        let connection = self.live(ends, now).filter(|connection| connection.slot == slot);
        connection.is_some_and(|connection| !connection.is_followed_by(segment))
    }

    /// Notes that `segment` passed through the mapping, which was to live until `deadline`, and returns until when it
    /// is to live now: as long as the longest of its connections.
    pub(crate) fn pass(
        &mut self,
        slot: u32,
        ends: Ends<A>,
        (segment, origin): (Segment, Origin),
        (now, deadline): (u64, u64),
        timers: &TcpTimers,
    ) -> u64 {
        let known = self.live(ends, now).copied();
        let before = known.map_or(0, |connection| connection.deadline);
        let after = match known {
            Some(connection) if !connection.is_followed_by(segment) => {
                if connection.slot != slot {
                    return deadline;
                }
                let mut connection = connection;
                connection.pass(segment, origin, now, timers);
                self.connections.insert(ends, connection);
                connection.deadline
            }
            _ if segment.opens() => {
                let connection = Connection::open(slot, segment, origin, now, timers);
                self.open(ends, connection, now);
                connection.deadline
            }
            _ => return deadline,
        };
        match after {
            after if after >= deadline => after,
            _ if before == deadline => self.longest(slot),
            _ => deadline,
        }
    }

    fn open(&mut self, ends: Ends<A>, connection: Connection, now: u64) {
        let old = self.connections.insert(ends, connection);
        if old.is_some_and(|old| old.slot == connection.slot) {
            return;
        }
        if let Some(list) = old.and_then(|old| self.of_slot.get_mut(&old.slot)) {
            list.retain(|known| *known != ends);
        }
        let list = self.of_slot.entry(connection.slot).or_default();
        if list.len() == list.capacity() {
            list.retain(|ends| {
                let over = self.connections.get(ends).is_none_or(|known| known.deadline <= now);
                if over {
                    self.connections.remove(ends);
                }
                !over
            });
        }
        list.push(ends);
    }

    fn longest(&self, slot: u32) -> u64 {
        let all = self.of_slot.get(&slot).into_iter().flatten();
        let deadlines = all.filter_map(|ends| self.connections.get(ends)).map(|known| known.deadline);
        deadlines.max().unwrap_or(0)
    }

    fn live(&self, ends: Ends<A>, now: u64) -> Option<&Connection> {
        self.connections.get(&ends).filter(|connection| now < connection.deadline)
    }

    /// Forgets the connections of a mapping that ends.
    pub(crate) fn forget(&mut self, slot: u32) {
        if self.of_slot.is_empty() {
            return;
        }
        for ends in self.of_slot.remove(&slot).unwrap_or_default() {
            self.connections.remove(&ends);
        }
    }

    /// Follows the mappings to the slots that `slots` gives for each.
    pub(crate) fn follow(&mut self, slots: &[u32]) {
        self.connections
            .values_mut()
            .for_each(|connection| connection.slot = slots[connection.slot as usize]);
        let lists = std::mem::take(&mut self.of_slot);
        self.of_slot = lists.into_iter().map(|(slot, list)| (slots[slot as usize], list)).collect();
    }

    /// Octets on the heap.
    pub(crate) fn allocated(&self) -> usize {
        let lists = self.of_slot.values().map(|list| list.capacity() * size_of::<Ends<A>>());
        size_of::<Self>()
            + self.connections.allocation_size()
            + self.of_slot.allocation_size()
            + lists.sum::<usize>()
    }
}

impl Connection {
    /// Whether `segment` opens another connection between the same ends, as after TIME-WAIT.
    fn is_followed_by(&self, segment: Segment) -> bool {
        self.phase() == Phase::Closing && segment.opens()
    }
}
