//! What a table of many mappings keeps beside its slab, so that nothing is scanned.

use std::hash::Hash;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use natbed_packet::Protocol;
use rustc_hash::FxBuildHasher;

use super::index::Index;
use super::{Host, Key, Record, Shape, push};
use crate::address::{Address, Socket};
use crate::expiry::{NONE, Wheel};
use crate::ports::{PortSet, Search};
use crate::prefetch::prefetch;

type Map<K, V> = HashMap<K, V, FxBuildHasher>;

#[derive(Clone, Debug)]
pub(super) struct Large<A> {
    /// Mappings by internal endpoint and what they depend on.
    pub(super) outbound: Index,
    /// By protocol.
    inbound: [Inbound<A>; 3],
    pub(super) wheel: Wheel,
    /// The mappings of each internal endpoint, where the shape wants them.
    endpoints: Map<(Protocol, Socket<A>), Vec<u32>>,
    hosts: Map<A, Host>,
    /// The port blocks in use on each external address.
    blocks: Vec<PortSet>,
}

/// Entries by external endpoint, and the ports in use.
#[derive(Clone, Debug)]
enum Inbound<A> {
    /// A port has one entry.
    Exclusive(Ports),
    /// A port has an entry for each remote.
    Shared(Shared<A>),
}

/// The ports of all external addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ports {
    /// Where in `pages`, laid out flat, 256 ports of an address are. The first page is that of all which have no entry.
    directory: Vec<u32>,
    /// The slot of each port.
    pages: Vec<[u32; PAGE]>,
    /// The ports in use on each address.
    used: Vec<PortSet>,
}

const PAGE: usize = 256;

/// Pages of an address.
const PAGES: usize = 65536 / PAGE;

#[derive(Clone, Debug)]
struct Shared<A> {
    /// The entry of each port (of a place in the pool) and remote.
    entries: Map<(u16, u16, Socket<A>), u32>,
    /// The mappings on each port, oldest first.
    ports: Map<(u16, u16), Vec<u32>>,
    /// The ports in use towards each remote.
    used: Map<(u16, Socket<A>), PortSet>,
}

impl<A: Address> Large<A> {
    pub(super) fn new(capacity: usize, shape: &Shape) -> Self {
        Self {
            outbound: Index::with_capacity(capacity * 2),
            inbound: std::array::from_fn(|_| Inbound::new(shape)),
            wheel: Wheel::new(shape.horizon()),
            endpoints: Map::default(),
            hosts: Map::default(),
            blocks: Vec::new(),
        }
    }

    pub(super) fn insert(
        &mut self,
        slot: u32,
        record: &Record<A>,
        key: &Key<A>,
        shape: &Shape,
        records: &[Record<A>],
    ) {
        if shape.translates {
            self.inbound[record.protocol() as usize].insert(slot, record, key.part(record.remote()));
        }
        if !record.is_mapping() {
            return;
        }
        if self.outbound.is_full() {
            self.grow(slot, key, records);
        }
        self.outbound.insert(hash(key, record), slot);
        if shape.by_endpoint {
            self.endpoints.entry((record.protocol(), record.internal())).or_default().push(slot);
        }
        if shape.by_host {
            self.add_to_host(record, shape);
        }
    }

    pub(super) fn remove(&mut self, slot: u32, record: &Record<A>, key: &Key<A>, shape: &Shape) {
        if shape.translates {
            self.inbound[record.protocol() as usize].remove(slot, record, key.part(record.remote()));
        }
        if !record.is_mapping() {
            return;
        }
        self.outbound.remove(hash(key, record), slot);
        if shape.by_endpoint {
            take_from_list(&mut self.endpoints, (record.protocol(), record.internal()), slot);
        }
        if shape.by_host {
            self.take_from_host(record, shape);
        }
    }

    /// Builds the index anew, half as large again, before `newest` goes in.
    fn grow(&mut self, newest: u32, key: &Key<A>, records: &[Record<A>]) {
        let mut larger = Index::with_capacity(self.outbound.len() + self.outbound.len() / 2);
        for (record, slot) in records.iter().zip(0..).filter(|(record, _)| record.is_mapping()) {
            if slot != newest {
                larger.insert(hash(key, record), slot);
            }
        }
        self.outbound = larger;
    }

    fn add_to_host(&mut self, record: &Record<A>, shape: &Shape) {
        let host = self.hosts.entry(record.internal_ip).or_insert_with(|| {
            let block = shape.block_of(record.external_port);
            if shape.block != 0 {
                at(&mut self.blocks, record.pool, PortSet::default).insert(block);
            }
            Host { mappings: [0; 3], pool: record.pool, block }
        });
        host.mappings[record.protocol() as usize] += 1;
    }

    fn take_from_host(&mut self, record: &Record<A>, shape: &Shape) {
        let Entry::Occupied(mut host) = self.hosts.entry(record.internal_ip) else { return };
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
            Inbound::Shared(_) => None,
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
    ) -> Option<u32> {
        match &self.inbound[protocol as usize] {
            Inbound::Exclusive(ports) => {
                Some(ports.slot(ports.place(pool, port))).filter(|slot| *slot != NONE)
            }
            Inbound::Shared(shared) => shared.entries.get(&(pool, port, part)).copied(),
        }
    }

    /// The mappings on a shared port, oldest first.
    pub(super) fn sharing(&self, protocol: Protocol, pool: u16, port: u16) -> &[u32] {
        match &self.inbound[protocol as usize] {
            Inbound::Exclusive(_) => &[],
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
        let used = match &self.inbound[protocol as usize] {
            Inbound::Exclusive(ports) => ports.used.get(usize::from(pool)),
            Inbound::Shared(shared) => shared.used.get(&(pool, part)),
        };
        used.unwrap_or(&PortSet::Few(Vec::new())).next_free(search)
    }

    pub(super) fn next_free_block(&self, pool: u16, search: Search) -> Option<u16> {
        self.blocks.get(usize::from(pool)).unwrap_or(&PortSet::Few(Vec::new())).next_free(search)
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
    fn new(shape: &Shape) -> Self {
        if shape.overloads {
            Self::Shared(Shared { entries: Map::default(), ports: Map::default(), used: Map::default() })
        } else {
            Self::Exclusive(Ports::default())
        }
    }

    fn insert(&mut self, slot: u32, record: &Record<A>, part: Socket<A>) {
        let (pool, port) = (record.pool, record.external_port);
        match self {
            Self::Exclusive(ports) => ports.insert(pool, port, slot),
            Self::Shared(shared) => {
                shared.entries.insert((pool, port, part), slot);
                shared.used.entry((pool, part)).or_default().insert(port);
                if record.is_mapping() {
                    shared.ports.entry((pool, port)).or_default().push(slot);
                }
            }
        }
    }

    fn remove(&mut self, slot: u32, record: &Record<A>, part: Socket<A>) {
        let (pool, port) = (record.pool, record.external_port);
        match self {
            Self::Exclusive(ports) => ports.remove(pool, port),
            Self::Shared(shared) => {
                shared.entries.remove(&(pool, port, part));
                take_from_list(&mut shared.ports, (pool, port), slot);
                if let Entry::Occupied(mut used) = shared.used.entry((pool, part)) {
                    used.get_mut().remove(port);
                    if used.get().is_empty() {
                        used.remove();
                    }
                }
            }
        }
    }
}

impl<A: Address> Inbound<A> {
    fn allocated(&self) -> usize {
        match self {
            Self::Exclusive(ports) => ports.allocated(),
            Self::Shared(shared) => {
                let used = shared.used.values().map(PortSet::allocated).sum::<usize>();
                shared.entries.allocation_size()
                    + lists_allocated(&shared.ports)
                    + shared.used.allocation_size()
                    + used
            }
        }
    }
}

impl Ports {
    /// Where the slot of `port` is among those of all pages.
    #[inline]
    fn place(&self, pool: u16, port: u16) -> usize {
        let page = self.directory.get(directory_place(pool, port)).copied().unwrap_or(0);
        page as usize + usize::from(port) % PAGE
    }

    /// Where [`Ports::likely`] is to read the slot of `port`, which it fetches.
    #[inline]
    pub(crate) fn aim(&self, pool: u16, port: u16) -> u64 {
        let place = self.place(pool, port);
        prefetch(self.pages.as_flattened(), place);
        place as u64
    }

    /// The slot of the port that was aimed at; `NONE` where there is none.
    #[inline]
    pub(super) fn likely(&self, aim: u64) -> u32 {
        usize::try_from(aim).map_or(NONE, |place| self.slot(place))
    }

    #[inline]
    fn slot(&self, place: usize) -> u32 {
        self.pages.as_flattened().get(place).copied().unwrap_or(NONE)
    }

    fn insert(&mut self, pool: u16, port: u16, slot: u32) {
        at(&mut self.used, pool, PortSet::default).insert(port);
        self.directory.resize(self.directory.len().max(self.used.len() * PAGES), 0);
        let page = &mut self.directory[directory_place(pool, port)];
        if *page == 0 {
            if self.pages.is_empty() {
                self.pages.push([NONE; PAGE]);
            }
            *page = u32::try_from(self.pages.as_flattened().len()).unwrap_or(0);
            push(&mut self.pages, [NONE; PAGE]);
        }
        let place = *page as usize + usize::from(port) % PAGE;
        self.pages.as_flattened_mut()[place] = slot;
    }

    fn remove(&mut self, pool: u16, port: u16) {
        let place = self.place(pool, port);
        if let Some(slot) = self.pages.as_flattened_mut().get_mut(place) {
            *slot = NONE;
        }
        if let Some(used) = self.used.get_mut(usize::from(pool)) {
            used.remove(port);
        }
    }

    fn allocated(&self) -> usize {
        self.directory.capacity() * size_of::<u32>()
            + self.pages.capacity() * size_of::<[u32; PAGE]>()
            + self.used.iter().map(|set| size_of::<PortSet>() + set.allocated()).sum::<usize>()
    }
}

fn hash<A: Address>(key: &Key<A>, record: &Record<A>) -> u64 {
    key.hash(record.protocol(), record.internal(), record.remote())
}

#[inline]
fn directory_place(pool: u16, port: u16) -> usize {
    usize::from(pool) * PAGES + usize::from(port) / PAGE
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
