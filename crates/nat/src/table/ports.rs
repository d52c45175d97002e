//! The external ports of a NAT where each port has one entry, and the slots of their records.
//!
//! Ports go by pages of 256. How a page finds the slot of a port depends on how many of them have an entry:
//!
//! - a few: by a hash index that all such pages share, since a list would weigh more than the records;
//! - more: by a list of slots, one for each port;
//! - nearly all: by arithmetic, once the table has been laid out so that the page's records stand in a run, in the
//!   order of their ports. Then a search costs one line of memory, the record.

use super::index::Index;
use super::list::Lists;
use super::nearby::{Nearby, Page};
use super::slab::{RUN, Slab};
use super::{Limits, Record};
use crate::address::Address;
use crate::expiry::NONE;
use crate::ports::{PortSet, Search};

/// The bits that tell the ports of a page apart.
const LOW: u16 = 0xff;

/// Pages of an address.
const PAGES: usize = 256;

#[derive(Clone, Debug)]
pub(crate) struct Ports {
    /// The pages of each address.
    directory: Vec<Page>,
    /// How many ports of each page have an entry.
    counts: Vec<u16>,
    /// The slots of pages with a list.
    lists: Lists,
    /// The slots of pages with a few entries.
    few: Index,
    /// The ports in use on each address.
    used: Vec<PortSet>,
    /// How many pages are full enough for a run, and have none.
    ready: u32,
    limits: &'static Limits,
}

impl Ports {
    pub(super) fn new(limits: &'static Limits) -> Self {
        Self {
            directory: Vec::new(),
            counts: Vec::new(),
            lists: Lists::new(),
            few: Index::with_capacity(0, 0),
            used: Vec::new(),
            ready: 0,
            limits,
        }
    }

    /// The slot of `port`'s entry, or `NONE`.
    #[inline]
    pub(crate) fn slot<A: Address>(&self, pool: u16, port: u16, records: &[Record<A>]) -> u32 {
        let page = self.directory.get(place(pool, port)).copied().unwrap_or(Page::FEW);
        match page.in_run(port) {
            Some(slot) => match records.get(slot as usize) {
                Some(record) if record.is_live() => slot,
                _ => NONE,
            },
            None if page == Page::FEW => self.indexed(pool, port, records),
            None => self.lists.slot(page.0, port),
        }
    }

    /// What finds ports of the first `addresses` of the pool.
    pub(crate) fn nearby(&self, addresses: u16) -> Nearby<'_> {
        let pages = self.directory.len().min(usize::from(addresses) * PAGES);
        Nearby { pages: &self.directory[..pages], lists: self.lists.all(), has_others: self.few.len() > 0 }
    }

    /// Octets that are read to find slots.
    pub(crate) const fn octets(&self) -> usize {
        self.lists.allocated() + self.few.allocated()
    }

    /// Whether the page of `port` has neither a list nor a run.
    #[cfg(test)]
    pub(super) fn has_few(&self, pool: u16, port: u16) -> bool {
        self.directory[place(pool, port)] == Page::FEW
    }

    /// Fetches what a search for `port` reads first.
    #[inline]
    pub(crate) fn prefetch(&self, pool: u16, port: u16) {
        match self.directory.get(place(pool, port)) {
            Some(&Page::FEW) => self.few.prefetch(hash(pool, port)),
            Some(page) if page.in_run(port).is_none() => self.lists.prefetch(page.0, port),
            _ => {}
        }
    }

    #[inline(never)]
    fn indexed<A: Address>(&self, pool: u16, port: u16, records: &[Record<A>]) -> u32 {
        let is_it = |slot: u32| {
            let record: Option<&Record<A>> = records.get(slot as usize);
            record.is_some_and(|record| {
                record.external_port() == port && record.pool == pool && record.is_live()
            })
        };
        self.few.find(hash(pool, port), is_it).unwrap_or(NONE)
    }

    /// Gives a new entry on `port` a slot.
    pub(super) fn take<A: Address>(&mut self, pool: u16, port: u16, slab: &mut Slab<A>) -> u32 {
        self.count(pool, port);
        let place = place(pool, port);
        if let Some(slot) = self.directory[place].in_run(port) {
            return slot;
        }
        if self.counts[place] == self.limits.dense {
            self.ready += 1;
        }
        if self.directory[place] == Page::FEW && self.counts[place] > self.limits.few {
            self.list(pool, port, &slab.records);
        }
        let slot = slab.take_slot();
        self.put(pool, port, slot, &slab.records);
        slot
    }

    /// Takes note of an entry on `port` that has a slot already.
    pub(super) fn note<A: Address>(&mut self, slot: u32, record: &Record<A>, records: &[Record<A>]) {
        let (pool, port) = (record.pool, record.external_port());
        self.reach(pool);
        if !self.used[usize::from(pool)].contains(port) {
            self.count(pool, port);
        }
        if self.slot(pool, port, records) == NONE {
            self.put(pool, port, slot, records);
        }
    }

    /// Gives back the slot of `port`'s entry.
    pub(super) fn free<A: Address>(&mut self, pool: u16, port: u16, slot: u32, slab: &mut Slab<A>) {
        self.used[usize::from(pool)].remove(port);
        let place = place(pool, port);
        let page = self.directory[place];
        self.counts[place] -= 1;
        let is_empty = self.counts[place] == 0;
        if page.in_run(port).is_some() {
            if is_empty {
                slab.free_run(page.0 & !Page::RUN);
                self.directory[place] = Page::FEW;
            }
            return;
        }
        if self.counts[place] + 1 == self.limits.dense {
            self.ready -= 1;
        }
        slab.free_slot(slot);
        if page == Page::FEW {
            self.few.remove(hash(pool, port), slot);
            return;
        }
        self.lists.set(page.0, port, NONE);
        if is_empty {
            self.lists.free(page.0);
            self.directory[place] = Page::FEW;
        }
    }

    fn count(&mut self, pool: u16, port: u16) {
        self.reach(pool);
        self.used[usize::from(pool)].insert(port);
        self.counts[place(pool, port)] += 1;
    }

    fn put<A: Address>(&mut self, pool: u16, port: u16, slot: u32, records: &[Record<A>]) {
        let page = self.directory[place(pool, port)];
        if page != Page::FEW {
            return self.lists.set(page.0, port, slot);
        }
        if self.few.is_full(slot) {
            self.resize_index(records);
        }
        self.few.insert(hash(pool, port), slot);
    }

    /// Gives the page of `port` a list.
    fn list<A: Address>(&mut self, pool: u16, port: u16, records: &[Record<A>]) {
        let list = self.lists.take();
        for port in port & !LOW..=port | LOW {
            if self.used[usize::from(pool)].contains(port) {
                let slot = self.indexed(pool, port, records);
                if slot != NONE {
                    self.few.remove(hash(pool, port), slot);
                    self.lists.set(list, port, slot);
                }
            }
        }
        self.directory[place(pool, port)] = Page(list);
        if self.few.is_roomy() {
            self.resize_index(records);
        }
    }

    fn resize_index<A: Address>(&mut self, records: &[Record<A>]) {
        self.few = self.few.resized(records.len(), |slot| {
            let record = &records[slot as usize];
            hash(record.pool, record.external_port())
        });
    }

    /// Makes room for the `pool`th address.
    fn reach(&mut self, pool: u16) {
        if self.used.len() <= usize::from(pool) {
            let addresses = usize::from(pool) + 1;
            self.used.resize_with(addresses, PortSet::default);
            self.directory.resize(addresses * PAGES, Page::FEW);
            self.counts.resize(addresses * PAGES, 0);
        }
    }

    /// The first free port of the `pool`th address.
    pub(super) fn next_free(&self, pool: u16, search: Search) -> Option<u16> {
        self.used.get(usize::from(pool)).unwrap_or(&PortSet::default()).next_free(search)
    }

    /// How many entries, at least, would be found by arithmetic if the table were laid out anew, and are not now;
    /// 0 if that is not worth the trouble.
    pub(super) fn gain(&self) -> u32 {
        if self.ready < self.limits.pages { 0 } else { self.ready.saturating_mul(self.limits.dense.into()) }
    }

    /// Ports without entries, for a new slab in which every dense page has a run.
    ///
    /// A page that has a run keeps it until it is half as full, and the others are taken a little early: where ports are
    /// random, all pages become dense at about the same time, and should not be laid out at two times.
    pub(super) fn laid_out<A: Address>(&self, slab: &mut Slab<A>) -> Self {
        let Limits { dense, .. } = *self.limits;
        let mut ports = Self::new(self.limits);
        if let Some(last) = self.used.len().checked_sub(1) {
            ports.reach(u16::try_from(last).unwrap_or(u16::MAX));
        }
        for ((new, old), count) in ports.directory.iter_mut().zip(&self.directory).zip(&self.counts) {
            let enough = if old.0 & Page::RUN == 0 { dense - dense / 8 } else { dense / 2 };
            if *count >= enough && slab.len() < Page::RUN - RUN {
                *new = Page(Page::RUN | slab.take_run());
            }
        }
        if ports.directory.iter().any(|page| page.0 & Page::RUN != 0) {
            ports.lists.begin();
        }
        ports
    }

    /// The ports of addresses that `place` puts elsewhere in the pool. Those that go have no entry. All entries must be
    /// noted again.
    pub(super) fn repooled(self, place: impl Fn(u16) -> Option<u16>) -> Self {
        let mut moved = Self { lists: self.lists, ready: self.ready, ..Self::new(self.limits) };
        let rows = self.directory.chunks_exact(PAGES).zip(self.counts.chunks_exact(PAGES)).zip(self.used);
        for (old, ((pages, counts), used)) in (0..).zip(rows) {
            if let Some(new) = place(old) {
                moved.reach(new);
                let row = usize::from(new) * PAGES..(usize::from(new) + 1) * PAGES;
                moved.directory[row.clone()].copy_from_slice(pages);
                moved.counts[row].copy_from_slice(counts);
                moved.used[usize::from(new)] = used;
            }
        }
        moved
    }

    /// Octets on the heap.
    pub(super) fn allocated(&self) -> usize {
        self.directory.capacity() * size_of::<Page>()
            + self.counts.capacity() * size_of::<u16>()
            + self.lists.allocated()
            + self.few.allocated()
            + self.used.iter().map(|set| size_of::<PortSet>() + set.allocated()).sum::<usize>()
    }
}

/// The page of `port` in the directory.
#[inline]
fn place(pool: u16, port: u16) -> usize {
    usize::from(pool) * PAGES + usize::from(port >> 8)
}

/// The hash of a port in the index: the low bits tell all ports of an address apart.
#[inline]
fn hash(pool: u16, port: u16) -> u64 {
    (u64::from(pool) << 16 | u64::from(port)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
