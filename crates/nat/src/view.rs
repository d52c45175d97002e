//! The table as people look at it.

use std::net::IpAddr;

use natbed_packet::{Endpoint, Protocol, Timestamp};

use crate::address::{Address, Socket};
use crate::behavior::{FilterScope, Filtering, Mapping};
use crate::outcome::MappingId;
use crate::table::Record;
use crate::translator::{Translator, filter_part};

/// One mapping at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingView {
    /// Its identity.
    pub id: MappingId,
    /// The protocol. ICMP queries have their identifier where others have a port (RFC 5508 section 3.1).
    pub protocol: Protocol,
    /// The endpoint inside. The external endpoint itself where an unsolicited packet took the entry.
    pub internal: Endpoint,
    /// The endpoint that the outside sees. A firewall's is the internal one.
    pub external: Endpoint,
    /// The destinations whose packets leave through this mapping.
    pub destination: Remote,
    /// When it was created.
    pub created: Timestamp,
    /// When it expires unless something refreshes it.
    pub expires: Timestamp,
    /// Whether a packet from outside has been let in through it.
    pub replied: bool,
    /// Whether an unsolicited packet created it (`unsolicited = "creates-state"`): it leads nowhere.
    pub unsolicited: bool,
    /// Who may send to it, in order of address and port.
    pub permitted: Vec<Permitted>,
}

/// A remote that may send to a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permitted {
    /// The remote.
    pub remote: Remote,
    /// When the permission ends unless something renews it.
    pub expires: Timestamp,
}

/// Remotes, as closely as an axis tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Remote {
    /// Any address and port.
    Any,
    /// Any port of an address.
    Address(IpAddr),
    /// An address and port.
    Endpoint(Endpoint),
}

/// What a NAT tells of its own accord, once observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A mapping reached the end of its time, which is its `expires`.
    Expired(MappingView),
    /// A mapping was forgotten at this time: the NAT was rebooted or lost the external address.
    Forgotten(MappingView, Timestamp),
}

impl<A: Address> Translator<A> {
    pub(crate) fn mapping(&self, id: MappingId, now: Timestamp) -> Option<MappingView> {
        let now = now.as_nanos().max(self.latest());
        let slot = self.table.slot(id).filter(|slot| now < self.table.record(*slot).deadline)?;
        Some(self.view(slot, now))
    }

    pub(crate) fn snapshot(&self, now: Timestamp) -> Vec<MappingView> {
        let now = now.as_nanos().max(self.latest());
        let shown = |slot: &u32| {
            let record = self.table.record(*slot);
            now < record.deadline && !record.is_held()
        };
        let live = self.table.slots().filter(shown);
        let mut views: Vec<_> = live.map(|slot| self.view(slot, now)).collect();
        views.sort_by_key(|view| (view.internal, view.protocol, view.external, view.destination, view.id));
        views
    }

    pub(crate) fn view(&self, slot: u32, now: u64) -> MappingView {
        let record = self.table.record(slot);
        MappingView {
            id: self.table.id(slot),
            protocol: record.protocol(),
            internal: record.internal().endpoint(),
            external: self.external(slot).endpoint(),
            destination: self.destination(record),
            created: Timestamp::from_nanos(self.table.created(slot)),
            expires: Timestamp::from_nanos(record.deadline),
            replied: record.has_replied(),
            unsolicited: record.is_unsolicited(),
            permitted: self.permitted(slot, now),
        }
    }

    fn destination(&self, record: &Record<A>) -> Remote {
        match self.table.mapping() {
            Mapping::EndpointIndependent => Remote::Any,
            _ if record.protocol() == Protocol::Icmp => Remote::Address(record.remote().ip.to_ip()),
            Mapping::AddressDependent => Remote::Address(record.remote().ip.to_ip()),
            Mapping::AddressAndPortDependent => Remote::Endpoint(record.remote().endpoint()),
        }
    }

    fn permitted(&self, slot: u32, now: u64) -> Vec<Permitted> {
        let record = self.table.record(slot);
        if record.is_unsolicited() {
            return Vec::new();
        }
        if self.behavior.filter_scope == FilterScope::Mapping || !self.table.shape().by_endpoint {
            return self.permitted_by(slot, now);
        }
        let internal = record.internal();
        let its = |slot: &u32| {
            let other = self.table.record(*slot);
            let is_its = other.is_mapping_of(record.protocol()) && other.internal() == internal;
            is_its && now < other.deadline
        };
        let mut permitted: Vec<_> =
            self.table.slots().filter(its).flat_map(|slot| self.permitted_by(slot, now)).collect();
        permitted.sort_unstable();
        permitted.reverse();
        permitted.dedup_by_key(|permitted| permitted.remote);
        permitted.reverse();
        permitted
    }

    /// The remotes that the mapping itself has sent to, in order.
    fn permitted_by(&self, slot: u32, now: u64) -> Vec<Permitted> {
        let record = self.table.record(slot);
        let deadline = record.deadline;
        let permitted = |remote: Remote, expires: Option<u64>| Permitted {
            remote,
            expires: Timestamp::from_nanos(expires.map_or(deadline, |expires| expires.min(deadline))),
        };
        let Some(first) = filter_part(self.behavior.filtering, record.remote()) else {
            return vec![permitted(Remote::Any, None)];
        };
        let first = self.filter_lifetime().is_none().then_some((first, None));
        let others = self.table.remotes(record).into_iter().flat_map(|set| set.live(now));
        let mut list: Vec<_> = first
            .into_iter()
            .chain(others)
            .map(|(remote, expires)| permitted(self.remote(record, remote), expires))
            .collect();
        list.sort_unstable();
        list
    }

    fn remote(&self, record: &Record<A>, socket: Socket<A>) -> Remote {
        match self.behavior.filtering {
            _ if record.protocol() == Protocol::Icmp => Remote::Address(socket.ip.to_ip()),
            Filtering::AddressDependent => Remote::Address(socket.ip.to_ip()),
            _ => Remote::Endpoint(socket.endpoint()),
        }
    }
}
