//! The mappings of one NAT.
//!
//! One record of 32 octets (IPv4) for each mapping, in one growing slab, which owns them all. A NAT with a handful
//! of mappings has nothing else and scans it; one with more keeps the indexes of [`large`] beside it, and lets the
//! external port choose the record's slot ([`ports`]).

use natbed_packet::Protocol;

use crate::address::{Address, Socket, Tagged};
use crate::behavior::Mapping;
use crate::expiry::NONE;
use crate::filter::RemoteSet;
use crate::outcome::MappingId;
use crate::ports::{Search, next_free_among};
use crate::slots;

mod index;
mod key;
mod large;
mod layout;
mod likely;
mod list;
mod nearby;
mod ports;
mod record;
mod slab;

use large::{Inbound, Large};

pub(crate) use key::{Key, Sign};
pub(crate) use nearby::Nearby;
pub(crate) use record::{Record, Shape, is_laxer};
use slab::Slab;

/// What a host with mappings has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    /// How many mappings, by protocol.
    pub(crate) mappings: [u32; 3],
    /// Its external address's place in the pool.
    pub(crate) pool: u16,
    /// Its port block.
    pub(crate) block: u16,
}

/// At which sizes another way to find entries is better.
#[derive(Debug)]
pub(crate) struct Limits {
    /// Up to this many entries are scanned, without an index.
    pub(crate) scanned: u32,
    /// With more entries, a page of ports has a list of slots.
    pub(crate) few: u16,
    /// With so many entries, a page is better off with a run of slots.
    pub(crate) dense: u16,
    /// How many such pages there must be before the table is laid out anew.
    pub(crate) pages: u32,
    /// So many octets are surely near the processor, which then waits for none of them: half of a usual second cache.
    pub(crate) near: usize,
}

impl Limits {
    pub(crate) const USUAL: Self = Self { scanned: 32, few: 12, dense: 208, pages: 64, near: 512 * 1024 };
}

/// The table. What look-ups read comes first, where no index is beside it.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Table<A: Address> {
    /// A time before which nothing expires.
    next_due: u64,
    large: Option<Box<Large<A>>>,
    key: Key<A>,
    shape: Shape,
    sets: Vec<RemoteSet<A>>,
    slab: Slab<A>,
    live: u32,
    /// How many of the live entries hold a port whose mapping has ended.
    held: u32,
    generation: u32,
    free_sets: Vec<u32>,
    mapping: Mapping,
    #[cfg(test)]
    limits: &'static Limits,
}

impl<A: Address> Table<A> {
    pub(crate) fn new(mapping: Mapping, shape: Shape, seed: u64) -> Self {
        Self {
            slab: Slab::new(),
            live: 0,
            held: 0,
            generation: 0,
            sets: Vec::new(),
            free_sets: Vec::new(),
            next_due: u64::MAX,
            mapping,
            key: Key::new(mapping, seed),
            shape,
            #[cfg(test)]
            limits: &Limits::USUAL,
            large: None,
        }
    }

    /// Grows into a large table at other sizes.
    #[cfg(test)]
    pub(crate) const fn set_limits(&mut self, limits: &'static Limits) {
        self.limits = limits;
    }

    #[cfg(test)]
    const fn limits(&self) -> &'static Limits {
        self.limits
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "tests set limits of their own")]
    const fn limits(&self) -> &'static Limits {
        &Limits::USUAL
    }

    /// Whether [`Table::lay_out`] is worth its time.
    #[inline]
    pub(crate) fn wants_layout(&self) -> bool {
        self.large.as_ref().is_some_and(|large| large.wants_layout)
    }

    pub(crate) const fn shape(&self) -> &Shape {
        &self.shape
    }

    pub(crate) const fn key(&self) -> &Key<A> {
        &self.key
    }

    /// Which remotes share an entry.
    pub(crate) const fn mapping(&self) -> Mapping {
        self.mapping
    }

    /// How many entries count as mappings: all but held ports.
    pub(crate) const fn mappings(&self) -> u32 {
        self.live - self.held
    }

    /// A time before which nothing expires; `u64::MAX` if there is nothing.
    pub(crate) const fn next_due(&self) -> u64 {
        self.next_due
    }

    #[inline]
    pub(crate) fn record(&self, slot: u32) -> &Record<A> {
        &self.slab.records[slot as usize]
    }

    #[inline]
    pub(crate) fn record_mut(&mut self, slot: u32) -> &mut Record<A> {
        &mut self.slab.records[slot as usize]
    }

    pub(crate) fn created(&self, slot: u32) -> u64 {
        self.slab.created[slot as usize]
    }

    #[inline]
    pub(crate) fn id(&self, slot: u32) -> MappingId {
        MappingId { slot, generation: self.record(slot).generation() }
    }

    /// The slot of a live entry.
    pub(crate) fn slot(&self, id: MappingId) -> Option<u32> {
        let is_it = |record: &Record<A>| record.is_live() && record.generation() == id.generation;
        if self.slab.records.get(id.slot as usize).is_some_and(is_it) {
            return Some(id.slot);
        }
        let laid_out = self.large.as_ref().and_then(|large| large.laid_out);
        let is_older =
            laid_out.is_some_and(|then| record::age(then, id.generation) <= record::age(id.generation, then));
        if is_older { self.slots().find(|slot| is_it(self.record(*slot))) } else { None }
    }

    /// The live entries.
    pub(crate) fn slots(&self) -> impl Iterator<Item = u32> {
        self.slab.records.iter().zip(0..).filter(|(record, _)| record.is_live()).map(|(_, slot)| slot)
    }

    /// The mapping through which packets from `internal` to `remote` leave.
    #[inline]
    pub(crate) fn find_outbound(
        &self,
        protocol: Protocol,
        internal: Socket<A>,
        remote: Socket<A>,
    ) -> Option<u32> {
        let (internal, remote) = (Tagged::new(internal, 0), Tagged::new(remote, 0));
        let is_it = |slot| self.is_outbound(slot, protocol, internal, remote);
        match &self.large {
            Some(large) => large.outbound.find(self.key.hash(protocol, internal, remote), is_it),
            None => self.scan(is_it),
        }
    }

    #[inline]
    pub(crate) fn is_outbound(
        &self,
        slot: u32,
        protocol: Protocol,
        internal: A::Tagged,
        remote: A::Tagged,
    ) -> bool {
        let record = self.slab.records.get(slot as usize);
        record.is_some_and(|record| record.leads(&self.key, protocol, internal, remote))
    }

    /// The entry that has external `port` of the `pool`th address; where ports are overloaded, towards `remote`.
    #[inline]
    pub(crate) fn find_inbound(
        &self,
        protocol: Protocol,
        pool: u16,
        port: u16,
        remote: Socket<A>,
    ) -> Option<u32> {
        let overloads = self.shape.overloads;
        match &self.large {
            Some(large) => {
                large.find_inbound(protocol, pool, port, self.key.part(remote), &self.slab.records)
            }
            None => self.scan(|slot| {
                let record = self.record(slot);
                let here =
                    record.is_live_of(protocol) && record.external_port() == port && record.pool == pool;
                here && (!overloads || self.key.part(record.remote()) == self.key.part(remote))
            }),
        }
    }

    /// Whether `slot` holds a mapping.
    #[inline]
    pub(crate) fn is_mapping(&self, slot: u32) -> bool {
        self.slab.records.get(slot as usize).is_some_and(Record::is_mapping)
    }

    /// The oldest mapping on an overloaded port that `is_it`.
    pub(crate) fn find_sharing(
        &self,
        protocol: Protocol,
        pool: u16,
        port: u16,
        is_it: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        let here = |slot| {
            let record = self.record(slot);
            let place = record.external_port() == port && record.pool == pool;
            record.is_mapping_of(protocol) && place && is_it(slot)
        };
        match &self.large {
            Some(large) => {
                let sharing = large.sharing(protocol, pool, port).iter().copied();
                self.oldest(sharing.filter(|slot| here(*slot)))
            }
            None => self.oldest(self.slots().filter(|slot| here(*slot))),
        }
    }

    /// The oldest mapping of an internal endpoint that `is_it`, where the shape is `by_endpoint`.
    pub(crate) fn find_of_endpoint(
        &self,
        protocol: Protocol,
        internal: Socket<A>,
        is_it: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        let its = |slot| {
            let record = self.record(slot);
            record.is_mapping_of(protocol) && record.internal() == internal && is_it(slot)
        };
        match &self.large {
            Some(large) => {
                let all = large.of_endpoint(protocol, internal).iter().copied();
                self.oldest(all.filter(|slot| its(*slot)))
            }
            None => self.oldest(self.slots().filter(|slot| its(*slot))),
        }
    }

    /// The newest mapping of an internal endpoint, where the shape is `by_endpoint`.
    pub(crate) fn newest_of_endpoint(&self, protocol: Protocol, internal: Socket<A>) -> Option<u32> {
        let age = |slot: &u32| (self.created(*slot), self.record(*slot).generation());
        match &self.large {
            Some(large) => large.of_endpoint(protocol, internal).iter().copied().max_by_key(age),
            None => {
                let its = |slot: &u32| {
                    let record = self.record(*slot);
                    record.is_mapping_of(protocol) && record.internal() == internal
                };
                self.slots().filter(its).max_by_key(age)
            }
        }
    }

    fn oldest(&self, slots: impl Iterator<Item = u32>) -> Option<u32> {
        slots.min_by_key(|slot| (self.created(*slot), self.record(*slot).generation()))
    }

    fn scan(&self, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        (0..self.slab.len()).find(|slot| is_it(*slot))
    }

    /// The first free external port towards `remote` on the `pool`th address.
    pub(crate) fn next_free_port(
        &self,
        protocol: Protocol,
        pool: u16,
        remote: Socket<A>,
        search: Search,
    ) -> Option<u16> {
        let part = self.key.part(remote);
        match &self.large {
            Some(large) => large.next_free_port(protocol, pool, part, search),
            None => next_free_among(search, |port| {
                self.slab.records.iter().any(|record| {
                    let here =
                        record.is_live_of(protocol) && record.external_port() == port && record.pool == pool;
                    here && (!self.shape.overloads || self.key.part(record.remote()) == part)
                })
            }),
        }
    }

    /// The first port block that no host has, on the `pool`th address.
    pub(crate) fn next_free_block(&self, pool: u16, search: Search) -> Option<u16> {
        match &self.large {
            Some(large) => large.next_free_block(pool, search),
            None => next_free_among(search, |block| {
                self.slab.records.iter().any(|record| {
                    let here = record.is_mapping() && record.pool == pool;
                    here && self.shape.block_of(record.external_port()) == block
                })
            }),
        }
    }

    /// What a host has, where the shape is `by_host`; `None` if it has no mapping.
    pub(crate) fn host(&self, ip: A) -> Option<Host> {
        if let Some(large) = &self.large {
            return large.host(ip);
        }
        let records =
            self.slab.records.iter().filter(|record| record.is_mapping() && record.internal().ip == ip);
        let block = |port| self.shape.block_of(port);
        records.fold(None, |host: Option<Host>, record| {
            let new = || Host { mappings: [0; 3], pool: record.pool, block: block(record.external_port()) };
            let mut host = host.unwrap_or_else(new);
            host.mappings[record.protocol() as usize] += 1;
            Some(host)
        })
    }

    /// The further remotes of an entry.
    pub(crate) fn remotes(&self, record: &Record<A>) -> Option<&RemoteSet<A>> {
        self.sets.get(record.remotes as usize)
    }

    /// The further remotes of an entry, to be added to.
    pub(crate) fn remotes_mut(&mut self, slot: u32) -> &mut RemoteSet<A> {
        if self.record(slot).remotes == NONE {
            let set = self.free_sets.pop().unwrap_or_else(|| {
                slots::reserve(&mut self.sets, 1);
                self.sets.push(RemoteSet::default());
                u32::try_from(self.sets.len() - 1).unwrap_or(NONE)
            });
            self.record_mut(slot).remotes = set;
        }
        let set = self.record(slot).remotes;
        &mut self.sets[set as usize]
    }

    /// Whether there is room for another entry at all.
    pub(crate) const fn has_room(&self) -> bool {
        self.live < NONE
    }

    /// Adds an entry. Nothing may be due at `now`.
    pub(crate) fn insert(&mut self, now: u64, mut record: Record<A>) -> u32 {
        self.generation = self.generation.wrapping_add(1);
        record.set_generation(self.generation);
        let slot = match &mut self.large {
            Some(large) => large.take_slot(&record, &mut self.slab),
            None => self.slab.take_slot(),
        };
        self.slab.records[slot as usize] = record;
        self.slab.created[slot as usize] = now;
        self.live += 1;
        self.held += u32::from(record.is_held());
        let (look_at, limits) = (look_at(&record, now, &self.shape), self.limits());
        match &mut self.large {
            Some(large) => {
                large.insert(slot, &record, &self.key, &self.shape, &self.slab.records);
                large.wheel.insert(now, look_at, slot, &mut self.slab.chain);
                self.next_due = large.wheel.next_due();
                let gain = large.inbound.iter().map(Inbound::gain).fold(0, u32::saturating_add);
                large.wants_layout = gain > self.live / 2;
            }
            None if self.live > limits.scanned => {
                let inbound = std::array::from_fn(|_| Inbound::new(&self.shape, limits));
                self.index(now, inbound, None);
            }
            None => self.next_due = self.next_due.min(look_at),
        }
        slot
    }

    /// Builds all indexes, but for what `inbound` has already.
    fn index(&mut self, now: u64, inbound: [Inbound<A>; 3], laid_out: Option<u32>) {
        let mut large = Box::new(Large::new(&self.shape, inbound));
        large.laid_out = laid_out;
        large.index_outbound(self.mappings() as usize, NONE, &self.key, &self.slab.records);
        for slot in 0..self.slab.len() {
            let record = self.slab.records[slot as usize];
            if record.is_live() {
                large.note_slot(slot, &record, &self.slab.records);
                large.note(slot, &record, &self.key, &self.shape);
                large.wheel.insert(now, look_at(&record, now, &self.shape), slot, &mut self.slab.chain);
            }
        }
        self.next_due = large.wheel.next_due();
        self.large = Some(large);
    }

    /// Removes an entry that [`Table::pop_due`] gave.
    pub(crate) fn remove(&mut self, slot: u32) {
        let record = *self.record(slot);
        if let Some(set) = self.sets.get_mut(record.remotes as usize) {
            *set = RemoteSet::default();
            self.free_sets.push(record.remotes);
        }
        self.record_mut(slot).set_dead();
        match &mut self.large {
            Some(large) => large.remove(slot, &record, &self.key, &self.shape, &mut self.slab),
            None => self.slab.free_slot(slot),
        }
        self.live -= 1;
        self.held -= u32::from(record.is_held());
    }

    /// An entry whose deadline has come, the earliest first; it must be removed.
    #[inline]
    pub(crate) fn pop_due(&mut self, now: u64) -> Option<u32> {
        if now < self.next_due { None } else { self.look_for_due(now) }
    }

    fn look_for_due(&mut self, now: u64) -> Option<u32> {
        let Some(large) = &mut self.large else {
            let first = self.slots().min_by_key(|slot| (self.record(*slot).deadline, *slot));
            let due = first.filter(|slot| self.record(*slot).deadline <= now);
            if due.is_none() {
                let times = self.slots().map(|slot| look_at(self.record(slot), now, &self.shape));
                self.next_due = times.min().unwrap_or(u64::MAX);
            }
            return due;
        };
        let Slab { records, chain, .. } = &mut self.slab;
        let shape = &self.shape;
        let time_of = |slot: u32| look_at(&records[slot as usize], now, shape);
        while let Some((time, slot)) = large.wheel.pop(now, chain, time_of) {
            if records[slot as usize].deadline <= time {
                return Some(slot);
            }
            large.wheel.insert(now, time_of(slot), slot, chain);
        }
        self.next_due = large.wheel.next_due();
        None
    }

    /// Forgets everything but which ids have been given.
    pub(crate) fn clear(&mut self) {
        let mut empty = Self { key: self.key, ..Self::new(self.mapping, self.shape, 0) };
        empty.generation = self.generation;
        #[cfg(test)]
        empty.set_limits(self.limits);
        *self = empty;
    }

    /// Octets on the heap.
    pub(crate) fn allocated(&self) -> usize {
        let sets = self.sets.capacity() * size_of::<RemoteSet<A>>()
            + self.free_sets.capacity() * size_of::<u32>()
            + self.sets.iter().map(RemoteSet::allocated).sum::<usize>();
        self.slab.allocated() + sets + self.large.as_ref().map_or(0, |large| large.allocated())
    }
}

/// When to look whether a record has expired: no later than any deadline that a refresh from now on may give it.
fn look_at<A: Address>(record: &Record<A>, now: u64, shape: &Shape) -> u64 {
    record.deadline.min(now.saturating_add(shape.reach[record.protocol() as usize]))
}

#[cfg(test)]
mod tests;
