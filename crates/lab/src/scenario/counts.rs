//! How many IPv4 addresses there will be, before any is dealt.

use std::collections::BTreeMap;

use super::resolved::{Attachment, NetworkId};
use super::wiring::Wiring;

/// How many IPv4 addresses NATs need.
pub(super) struct Counts {
    /// External addresses of each NAT.
    pub(super) external: Vec<u64>,
    /// Internal addresses that each NAT sees.
    internal: Vec<u64>,
}

impl Counts {
    pub(super) fn of(wiring: &Wiring<'_>) -> Self {
        let nats = wiring.nats.len();
        let mut counts = Self { external: vec![1; nats], internal: vec![0; nats] };
        let legs = wiring.hosts.iter().flatten();
        for router in legs.filter_map(|leg| wiring.router(*leg)) {
            counts.internal[router.index()] += 1;
        }
        for nat in wiring.top_down.iter().rev() {
            let wired = &wiring.nats[nat.index()];
            let internal = counts.internal[nat.index()];
            let given = wiring.spec.nat[nat.index()].1.get_ref().address.as_ref();
            counts.external[nat.index()] = match given {
                Some(list) => list.get_ref().0.len() as u64,
                None if wired.is_static() => internal.max(1),
                None => 1,
            };
            if let Some(Attachment::Nat(outer)) = wired.outside {
                let seen = if wired.is_transparent() { internal } else { counts.external[nat.index()] };
                counts.internal[outer.index()] += seen;
            }
        }
        counts
    }
}

/// How many IPv4 addresses each LAN and network needs, the router's included.
pub(super) fn members(wiring: &Wiring<'_>) -> BTreeMap<Attachment, u64> {
    let counts = Counts::of(wiring);
    let mut members = BTreeMap::new();
    for leg in wiring.hosts.iter().flatten() {
        *members.entry(*leg).or_insert(1) += 1;
    }
    for (at, nat) in wiring.nats.iter().enumerate() {
        if let Some(outside) = nat.outside {
            *members.entry(outside).or_insert(1) += counts.external[at];
        }
    }
    for at in 0..wiring.networks.len() {
        members.entry(Attachment::Network(NetworkId::at(at))).or_insert(1);
    }
    members
}
