//! How fast hosts open mappings (RFC 6888 REQ-4c and REQ-5b).

use std::collections::BTreeMap;

/// What one mapping costs.
const MAPPING: u64 = 1_000_000_000;

/// The credit of every host that has opened a mapping lately. It grows by one mapping for each mapping that a second
/// allows, up to as many as a second allows.
#[derive(Clone, Debug)]
pub(crate) struct Rates<A> {
    per_second: u32,
    hosts: BTreeMap<A, Credit>,
    /// How many hosts there may be before those with full credit are forgotten.
    room: usize,
}

#[derive(Clone, Copy, Debug)]
struct Credit {
    /// In billionths of a mapping.
    left: u64,
    at: u64,
}

impl<A: Ord + Copy> Rates<A> {
    pub(crate) const fn new(per_second: u32) -> Self {
        Self { per_second, hosts: BTreeMap::new(), room: 64 }
    }

    /// Whether `host` may open a mapping.
    pub(crate) fn allows(&self, host: A, now: u64) -> bool {
        self.credit(host, now) >= MAPPING
    }

    /// Takes note that `host` has opened one.
    pub(crate) fn spend(&mut self, host: A, now: u64) {
        let left = self.credit(host, now).saturating_sub(MAPPING);
        self.hosts.insert(host, Credit { left, at: now });
        if self.hosts.len() > self.room {
            let (per_second, full) = (self.per_second, self.full());
            self.hosts.retain(|_, credit| credit.grown(per_second, now) < full);
            self.room = 64.max(2 * self.hosts.len());
        }
    }

    fn credit(&self, host: A, now: u64) -> u64 {
        self.hosts
            .get(&host)
            .map_or(self.full(), |credit| credit.grown(self.per_second, now).min(self.full()))
    }

    fn full(&self) -> u64 {
        u64::from(self.per_second) * MAPPING
    }
}

impl Credit {
    fn grown(self, per_second: u32, now: u64) -> u64 {
        self.left.saturating_add(now.saturating_sub(self.at).saturating_mul(per_second.into()))
    }
}
