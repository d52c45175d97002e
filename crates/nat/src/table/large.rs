//! What a table of many mappings keeps beside its slab, so that nothing is scanned.

use std::hash::Hash;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use rustc_hash::FxBuildHasher;

use super::index::Index;
use super::{Host, Key, Record, Shape};
use crate::address::{Address, Socket};
use crate::expiry::{NONE, Wheel};
use crate::ports::{PortSet, Search};

type Map<K, V> = HashMap<K, V, FxBuildHasher>;

#[derive(Clone, Debug)]
pub(super) struct Large<A> {
    /// Mappings by internal endpoint and what they depend on.
    pub(super) outbound: Index,
    inbound: Inbound<A>,
    pub(super) wheel: Wheel,
    /// The mappings of each internal endpoint, where the shape wants them.
    endpoints: Map<Socket<A>, Vec<u32>>,
    hosts: Map<A, Host>,
    /// The port blocks in use on each external address.
    blocks: Vec<PortSet>,
}

/// Entries by external endpoint, and the ports in use.
#[derive(Clone, Debug)]
enum Inbound<A> {
    /// A port has one entry.
    Exclusive(Vec<Exclusive>),
    /// A port has an entry for each remote.
    Shared(Shared<A>),
}

/// The ports of one external address.
#[derive(Clone, Debug)]
struct Exclusive {
    /// The slots of 256 ports each; allocated when the first of them is used.
    pages: Vec<Option<Box<[u32; PAGE]>>>,
    used: PortSet,
}

const PAGE: usize = 256;

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
        let inbound = if shape.overloads {
            Inbound::Shared(Shared { entries: Map::default(), ports: Map::default(), used: Map::default() })
        } else {
            Inbound::Exclusive(Vec::new())
        };
        Self {
            outbound: Index::with_capacity(capacity * 2),
            inbound,
            wheel: Wheel::new(shape.longest),
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
            self.inbound.insert(slot, record, key.part(record.remote()));
        }
        if record.is_unsolicited() {
            return;
        }
        if self.outbound.is_full() {
            self.grow(slot, key, records);
        }
        self.outbound.insert(key.hash(record.internal(), record.remote()), slot);
        if shape.by_endpoint {
            self.endpoints.entry(record.internal()).or_default().push(slot);
        }
        if shape.by_host {
            self.add_to_host(record, shape);
        }
    }

    pub(super) fn remove(&mut self, slot: u32, record: &Record<A>, key: &Key<A>, shape: &Shape) {
        if shape.translates {
            self.inbound.remove(slot, record, key.part(record.remote()));
        }
        if record.is_unsolicited() {
            return;
        }
        self.outbound.remove(key.hash(record.internal(), record.remote()), slot);
        if shape.by_endpoint {
            take_from_list(&mut self.endpoints, record.internal(), slot);
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
                larger.insert(key.hash(record.internal(), record.remote()), slot);
            }
        }
        self.outbound = larger;
    }

    fn add_to_host(&mut self, record: &Record<A>, shape: &Shape) {
        match self.hosts.entry(record.internal_ip) {
            Entry::Occupied(mut host) => host.get_mut().mappings += 1,
            Entry::Vacant(vacant) => {
                let block = shape.block_of(record.external_port);
                vacant.insert(Host { mappings: 1, pool: record.pool, block });
                if shape.block != 0 {
                    at(&mut self.blocks, record.pool, PortSet::default).insert(block);
                }
            }
        }
    }

    fn take_from_host(&mut self, record: &Record<A>, shape: &Shape) {
        let Entry::Occupied(mut host) = self.hosts.entry(record.internal_ip) else { return };
        host.get_mut().mappings -= 1;
        if host.get().mappings == 0 {
            let host = host.remove();
            if shape.block != 0 {
                at(&mut self.blocks, host.pool, PortSet::default).remove(host.block);
            }
        }
    }

    /// The entry on `port`; `NONE` where there is none or ports are shared.
    #[inline]
    pub(super) fn likely_inbound(&self, pool: u16, port: u16) -> u32 {
        let Inbound::Exclusive(addresses) = &self.inbound else { return NONE };
        let pages = addresses.get(usize::from(pool)).map(|address| &address.pages[usize::from(port) / PAGE]);
        pages.and_then(Option::as_ref).map_or(NONE, |page| page[usize::from(port) % PAGE])
    }

    /// The entry on `port`; where ports are shared, the one for this part of a remote.
    #[inline]
    pub(super) fn find_inbound(&self, pool: u16, port: u16, part: Socket<A>) -> Option<u32> {
        match &self.inbound {
            Inbound::Exclusive(addresses) => {
                let page = addresses.get(usize::from(pool))?.pages.get(usize::from(port) / PAGE)?.as_ref()?;
                Some(page[usize::from(port) % PAGE]).filter(|slot| *slot != NONE)
            }
            Inbound::Shared(shared) => shared.entries.get(&(pool, port, part)).copied(),
        }
    }

    /// The mappings on a shared port, oldest first.
    pub(super) fn sharing(&self, pool: u16, port: u16) -> &[u32] {
        match &self.inbound {
            Inbound::Exclusive(_) => &[],
            Inbound::Shared(shared) => shared.ports.get(&(pool, port)).map_or(&[], Vec::as_slice),
        }
    }

    pub(super) fn of_endpoint(&self, internal: Socket<A>) -> &[u32] {
        self.endpoints.get(&internal).map_or(&[], Vec::as_slice)
    }

    pub(super) fn host(&self, ip: A) -> Option<Host> {
        self.hosts.get(&ip).copied()
    }

    pub(super) fn next_free_port(&self, pool: u16, part: Socket<A>, search: Search) -> Option<u16> {
        let used = match &self.inbound {
            Inbound::Exclusive(addresses) => addresses.get(usize::from(pool)).map(|address| &address.used),
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
            + self.inbound.allocated()
            + self.wheel.allocated()
            + lists_allocated(&self.endpoints)
            + self.hosts.allocation_size()
            + self.blocks.iter().map(|set| size_of::<PortSet>() + set.allocated()).sum::<usize>()
    }
}

impl<A: Address> Inbound<A> {
    fn insert(&mut self, slot: u32, record: &Record<A>, part: Socket<A>) {
        let (pool, port) = (record.pool, record.external_port);
        match self {
            Self::Exclusive(addresses) => {
                let address = at(addresses, pool, Exclusive::new);
                let page =
                    address.pages[usize::from(port) / PAGE].get_or_insert_with(|| Box::new([NONE; PAGE]));
                page[usize::from(port) % PAGE] = slot;
                address.used.insert(port);
            }
            Self::Shared(shared) => {
                shared.entries.insert((pool, port, part), slot);
                shared.used.entry((pool, part)).or_default().insert(port);
                if !record.is_unsolicited() {
                    shared.ports.entry((pool, port)).or_default().push(slot);
                }
            }
        }
    }

    fn remove(&mut self, slot: u32, record: &Record<A>, part: Socket<A>) {
        let (pool, port) = (record.pool, record.external_port);
        match self {
            Self::Exclusive(addresses) => {
                let Some(address) = addresses.get_mut(usize::from(pool)) else { return };
                if let Some(page) = &mut address.pages[usize::from(port) / PAGE] {
                    page[usize::from(port) % PAGE] = NONE;
                }
                address.used.remove(port);
            }
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
            Self::Exclusive(addresses) => addresses.iter().map(Exclusive::allocated).sum(),
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

impl Exclusive {
    fn new() -> Self {
        Self { pages: vec![None; 1 + usize::from(u16::MAX) / PAGE], used: PortSet::default() }
    }

    fn allocated(&self) -> usize {
        let pages = self.pages.iter().flatten().count() * size_of::<[u32; PAGE]>();
        size_of::<Self>() + size_of_val(self.pages.as_slice()) + pages + self.used.allocated()
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
