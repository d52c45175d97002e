//! What a table of many mappings keeps beside its slab, so that nothing is scanned.

use std::hash::Hash;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use natbed_packet::Protocol;
use rustc_hash::FxBuildHasher;

use super::index::Index;
use super::ports::Ports;
use super::slab::Slab;
use super::{Host, Key, Limits, Record, Shape};
use crate::address::{Address, Socket};
use crate::expiry::{NONE, Wheel};
use crate::ports::{PortSet, Search};

type Map<K, V> = HashMap<K, V, FxBuildHasher>;

#[derive(Clone, Debug)]
pub(super) struct Large<A: Address> {
    /// Mappings by internal endpoint and what they depend on.
    pub(super) outbound: Index,
    /// By protocol.
    pub(super) inbound: [Inbound<A>; 3],
    pub(super) wheel: Wheel,
    /// The mappings of each internal endpoint, where the shape wants them.
    endpoints: Map<(Protocol, Socket<A>), Vec<u32>>,
    hosts: Map<A, Host>,
    /// The port blocks in use on each external address.
    blocks: Vec<PortSet>,
    /// Whether giving out the slots anew is worth it.
    pub(super) wants_layout: bool,
    /// The newest generation when they were given out anew, if they were.
    pub(super) laid_out: Option<u32>,
}

/// Entries by external endpoint, and the ports in use.
#[derive(Clone, Debug)]
pub(super) enum Inbound<A> {
    /// Entries have no external endpoint of their own.
    None,
    /// A port has one entry, and gives it its slot.
    Exclusive(Box<Ports>),
    /// A port has an entry for each remote.
    Shared(Box<Shared<A>>),
}

#[derive(Clone, Debug)]
pub(super) struct Shared<A> {
    /// The entry of each port (of a place in the pool) and remote.
    entries: Map<(u16, u16, Socket<A>), u32>,
    /// The mappings on each port, oldest first.
    ports: Map<(u16, u16), Vec<u32>>,
    /// The ports in use towards each remote.
    used: Map<(u16, Socket<A>), PortSet>,
}

impl<A: Address> Large<A> {
    /// With the ports that are known already, if any are, and nothing else.
    pub(super) fn new(shape: &Shape, inbound: [Inbound<A>; 3]) -> Self {
        Self {
            outbound: Index::with_capacity(0, 0),
            inbound,
            wheel: Wheel::new(shape.horizon()),
            endpoints: Map::default(),
            hosts: Map::default(),
            blocks: Vec::new(),
            wants_layout: false,
            laid_out: None,
        }
    }

    /// A slot for a new entry.
    pub(super) fn take_slot(&mut self, record: &Record<A>, slab: &mut Slab<A>) -> u32 {
        self.inbound[record.protocol() as usize].take_slot(record, slab)
    }

    /// Takes note of the slot of an entry that was here before this.
    pub(super) fn note_slot(&mut self, slot: u32, record: &Record<A>, records: &[Record<A>]) {
        if let Inbound::Exclusive(ports) = &mut self.inbound[record.protocol() as usize] {
            ports.note(slot, record, records);
        }
    }

    /// Puts in an entry that has its slot.
    pub(super) fn insert(
        &mut self,
        slot: u32,
        record: &Record<A>,
        key: &Key<A>,
        shape: &Shape,
        records: &[Record<A>],
    ) {
        self.note(slot, record, key, shape);
        if record.is_mapping() {
            if self.outbound.is_full(slot) {
                self.index_outbound(self.outbound.len(), slot, key, records);
            }
            self.outbound.insert(record.hash(key), slot);
        }
    }

    /// The same without the outbound index.
    pub(super) fn note(&mut self, slot: u32, record: &Record<A>, key: &Key<A>, shape: &Shape) {
        if let Inbound::Shared(shared) = &mut self.inbound[record.protocol() as usize] {
            shared.insert(slot, record, key.part(record.remote()));
        }
        if !record.is_mapping() {
            return;
        }
        if shape.by_endpoint {
            self.endpoints.entry((record.protocol(), record.internal())).or_default().push(slot);
        }
        if shape.by_host {
            self.add_to_host(record, shape);
        }
    }

    /// Builds the outbound index anew, with room for a quarter more than `count`, of all mappings but `newest`.
    pub(super) fn index_outbound(&mut self, count: usize, newest: u32, key: &Key<A>, records: &[Record<A>]) {
        let is_old = |(record, slot): &(&Record<A>, u32)| record.is_mapping() && *slot != newest;
        let old = records.iter().zip(0..).filter(is_old);
        self.outbound = Index::with_capacity(count + count / 4, records.len());
        self.outbound.extend(old.map(|(record, slot)| (record.hash(key), slot)));
    }

    /// Takes out an entry and gives back its slot.
    pub(super) fn remove(
        &mut self,
        slot: u32,
        record: &Record<A>,
        key: &Key<A>,
        shape: &Shape,
        slab: &mut Slab<A>,
    ) {
        match &mut self.inbound[record.protocol() as usize] {
            Inbound::Exclusive(ports) => ports.free(record.pool, record.external_port(), slot, slab),
            Inbound::Shared(shared) => {
                shared.remove(slot, record, key.part(record.remote()));
                slab.free_slot(slot);
            }
            Inbound::None => slab.free_slot(slot),
        }
        if !record.is_mapping() {
            return;
        }
        self.outbound.remove(record.hash(key), slot);
        if shape.by_endpoint {
            take_from_list(&mut self.endpoints, (record.protocol(), record.internal()), slot);
        }
        if shape.by_host {
            self.take_from_host(record, shape);
        }
    }

    fn add_to_host(&mut self, record: &Record<A>, shape: &Shape) {
        let host = self.hosts.entry(record.internal().ip).or_insert_with(|| {
            let block = shape.block_of(record.external_port());
            if shape.block != 0 {
                at(&mut self.blocks, record.pool, PortSet::default).insert(block);
            }
            Host { mappings: [0; 3], pool: record.pool, block }
        });
        host.mappings[record.protocol() as usize] += 1;
    }

    fn take_from_host(&mut self, record: &Record<A>, shape: &Shape) {
        let Entry::Occupied(mut host) = self.hosts.entry(record.internal().ip) else { return };
        host.get_mut().mappings[record.protocol() as usize] -= 1;
        if host.get().mappings == [0; 3] {
            let host = host.remove();
            if shape.block != 0 {
                at(&mut self.blocks, host.pool, PortSet::default).remove(host.block);
            }
        }
    }

    /// The ports of a protocol, where none is shared.
    #[inline]
    pub(super) const fn ports(&self, protocol: Protocol) -> Option<&Ports> {
        match &self.inbound[protocol as usize] {
            Inbound::Exclusive(ports) => Some(ports),
            Inbound::None | Inbound::Shared(_) => None,
        }
    }

    /// The entry on `port`; where ports are shared, the one for this part of a remote.
    #[inline]
    pub(super) fn find_inbound(
        &self,
        protocol: Protocol,
        pool: u16,
        port: u16,
        part: Socket<A>,
        records: &[Record<A>],
    ) -> Option<u32> {
        match &self.inbound[protocol as usize] {
            Inbound::None => None,
            Inbound::Exclusive(ports) => Some(ports.slot(pool, port, records)).filter(|slot| *slot != NONE),
            Inbound::Shared(shared) => shared.entries.get(&(pool, port, part)).copied(),
        }
    }

    /// The mappings on a shared port, oldest first.
    pub(super) fn sharing(&self, protocol: Protocol, pool: u16, port: u16) -> &[u32] {
        match &self.inbound[protocol as usize] {
            Inbound::None | Inbound::Exclusive(_) => &[],
            Inbound::Shared(shared) => shared.ports.get(&(pool, port)).map_or(&[], Vec::as_slice),
        }
    }

    pub(super) fn of_endpoint(&self, protocol: Protocol, internal: Socket<A>) -> &[u32] {
        self.endpoints.get(&(protocol, internal)).map_or(&[], Vec::as_slice)
    }

    pub(super) fn host(&self, ip: A) -> Option<Host> {
        self.hosts.get(&ip).copied()
    }

    pub(super) fn next_free_port(
        &self,
        protocol: Protocol,
        pool: u16,
        part: Socket<A>,
        search: Search,
    ) -> Option<u16> {
        let none = PortSet::default();
        match &self.inbound[protocol as usize] {
            Inbound::None => none.next_free(search),
            Inbound::Exclusive(ports) => ports.next_free(pool, search),
            Inbound::Shared(shared) => shared.used.get(&(pool, part)).unwrap_or(&none).next_free(search),
        }
    }

    pub(super) fn next_free_block(&self, pool: u16, search: Search) -> Option<u16> {
        self.blocks.get(usize::from(pool)).unwrap_or(&PortSet::default()).next_free(search)
    }

    /// Octets on the heap, this struct's own among them.
    pub(super) fn allocated(&self) -> usize {
        size_of::<Self>()
            + self.outbound.allocated()
            + self.inbound.iter().map(Inbound::allocated).sum::<usize>()
            + self.wheel.allocated()
            + lists_allocated(&self.endpoints)
            + self.hosts.allocation_size()
            + self.blocks.iter().map(|set| size_of::<PortSet>() + set.allocated()).sum::<usize>()
    }
}

impl<A: Address> Inbound<A> {
    /// No entries.
    pub(super) fn new(shape: &Shape, limits: &'static Limits) -> Self {
        if !shape.translates {
            return Self::None;
        }
        if shape.overloads {
            Self::Shared(Box::default())
        } else {
            Self::Exclusive(Box::new(Ports::new(limits)))
        }
    }

    pub(super) fn take_slot(&mut self, record: &Record<A>, slab: &mut Slab<A>) -> u32 {
        match self {
            Self::Exclusive(ports) => ports.take(record.pool, record.external_port(), slab),
            Self::None | Self::Shared(_) => slab.take_slot(),
        }
    }

    /// What is worth keeping of it where `place` says at which place in a new pool each external address is.
    pub(super) fn repooled(
        self,
        shape: &Shape,
        limits: &'static Limits,
        place: impl Fn(u16) -> Option<u16>,
    ) -> Self {
        match self {
            Self::Exclusive(ports) => Self::Exclusive(Box::new(ports.repooled(place))),
            Self::None | Self::Shared(_) => Self::new(shape, limits),
        }
    }

    /// [`Ports::gain`].
    pub(super) fn gain(&self) -> u32 {
        if let Self::Exclusive(ports) = self { ports.gain() } else { 0 }
    }

    /// Ports without entries, for a new slab in which every dense page has a run.
    pub(super) fn laid_out(&self, shape: &Shape, limits: &'static Limits, slab: &mut Slab<A>) -> Self {
        match self {
            Self::Exclusive(ports) => Self::Exclusive(Box::new(ports.laid_out(slab))),
            Self::None | Self::Shared(_) => Self::new(shape, limits),
        }
    }

    fn allocated(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Exclusive(ports) => size_of::<Ports>() + ports.allocated(),
            Self::Shared(shared) => size_of::<Shared<A>>() + shared.allocated(),
        }
    }
}

impl<A> Default for Shared<A> {
    fn default() -> Self {
        Self { entries: Map::default(), ports: Map::default(), used: Map::default() }
    }
}

impl<A: Address> Shared<A> {
    fn insert(&mut self, slot: u32, record: &Record<A>, part: Socket<A>) {
        let (pool, port) = (record.pool, record.external_port());
        self.entries.insert((pool, port, part), slot);
        self.used.entry((pool, part)).or_default().insert(port);
        if record.is_mapping() {
            self.ports.entry((pool, port)).or_default().push(slot);
        }
    }

    fn remove(&mut self, slot: u32, record: &Record<A>, part: Socket<A>) {
        let (pool, port) = (record.pool, record.external_port());
        self.entries.remove(&(pool, port, part));
        take_from_list(&mut self.ports, (pool, port), slot);
        if let Entry::Occupied(mut used) = self.used.entry((pool, part)) {
            used.get_mut().remove(port);
            if used.get().is_empty() {
                used.remove();
            }
        }
    }

    fn allocated(&self) -> usize {
        let used = self.used.values().map(PortSet::allocated).sum::<usize>();
        self.entries.allocation_size() + lists_allocated(&self.ports) + self.used.allocation_size() + used
    }
}

/// The item of the `pool`th external address.
fn at<T>(list: &mut Vec<T>, pool: u16, new: impl FnMut() -> T) -> &mut T {
    let place = usize::from(pool);
    if list.len() <= place {
        list.resize_with(place + 1, new);
    }
    &mut list[place]
}

fn take_from_list<K: Eq + Hash>(lists: &mut Map<K, Vec<u32>>, key: K, slot: u32) {
    if let Entry::Occupied(mut list) = lists.entry(key) {
        list.get_mut().retain(|known| *known != slot);
        if list.get().is_empty() {
            list.remove();
        }
    }
}

fn lists_allocated<K: Eq + Hash>(lists: &Map<K, Vec<u32>>) -> usize {
    lists.allocation_size() + lists.values().map(|list| list.capacity() * size_of::<u32>()).sum::<usize>()
}
