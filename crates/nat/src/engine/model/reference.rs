//! A NAT as a list of entries.

use std::net::IpAddr;
use std::time::Duration;

use natbed_packet::{Endpoint, Protocol, Timestamp};

use super::connection::Connection;
use super::kind::Kind;
use super::{RANGE, remote};
use crate::behavior::{
    Behavior, FilterScope, Filtering, Hairpinning, Mapping, Pooling, PortAssignment, Refresh, ReplyMapping,
    Unsolicited,
};
use crate::{DropReason, Nat, Remote};

/// An entry of the reference.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) protocol: Protocol,
    pub(super) internal: Endpoint,
    pub(super) external: Endpoint,
    pub(super) first: Endpoint,
    pub(super) deadline: u64,
    pub(super) replied: bool,
    pub(super) unsolicited: bool,
    /// Whether it keeps the port of a mapping that has ended.
    pub(super) held: bool,
    /// Each remote that was sent to, and when its permission ends by itself.
    pub(super) sent_to: Vec<(Endpoint, u64)>,
    pub(super) serial: usize,
}

impl Entry {
    /// Whether it leads to an internal endpoint.
    pub(super) const fn leads(&self) -> bool {
        !self.unsolicited && !self.held
    }
}

pub(super) struct Model {
    pub(super) behavior: Behavior,
    pub(super) pool: Vec<IpAddr>,
    pub(super) entries: Vec<Entry>,
    pub(super) sessions: Vec<(Protocol, Endpoint, Endpoint, usize)>,
    pub(super) connections: Vec<Connection>,
    /// When each host opened its mappings, all of them.
    pub(super) opened: Vec<(IpAddr, u64)>,
    pub(super) serial: usize,
    pub(super) now: u64,
}

pub(super) type Passed = Result<(Endpoint, Endpoint, bool), DropReason>;

impl Model {
    pub(super) fn nanos(duration: Duration) -> u64 {
        u64::try_from(duration.as_nanos()).expect("short")
    }

    /// How long an entry lives before and after it has let something in.
    fn timeouts(&self, protocol: Protocol) -> (u64, u64) {
        let behavior = &self.behavior;
        let (first, full) = match protocol {
            Protocol::Udp => (behavior.udp_timeout_new.unwrap_or(behavior.udp_timeout), behavior.udp_timeout),
            Protocol::Tcp => (behavior.tcp_transitory, behavior.tcp_established),
            Protocol::Icmp => (behavior.icmp_timeout, behavior.icmp_timeout),
        };
        (Self::nanos(first), Self::nanos(full))
    }

    fn same_key(&self, one: Endpoint, other: Endpoint) -> bool {
        match self.behavior.mapping {
            Mapping::EndpointIndependent => true,
            Mapping::AddressDependent => one.ip == other.ip,
            Mapping::AddressAndPortDependent => one == other,
        }
    }

    fn same_filter(&self, one: Endpoint, other: Endpoint) -> bool {
        match self.behavior.filtering {
            Filtering::EndpointIndependent => true,
            Filtering::AddressDependent => one.ip == other.ip,
            Filtering::AddressAndPortDependent => one == other,
        }
    }

    pub(super) fn advance(&mut self, now: u64) {
        self.now = now;
        let (alive, ended) = self.entries.drain(..).partition(|entry| now < entry.deadline);
        self.entries = alive;
        ended.into_iter().filter(Entry::leads).for_each(|entry| self.hold(entry));
        let entries = &self.entries;
        let lives = |serial: usize| entries.iter().any(|entry| entry.serial == serial);
        self.sessions.retain(|(_, _, _, serial)| lives(*serial));
        self.connections.retain(|connection| now < connection.deadline && lives(connection.serial));
    }

    /// Keeps the port of a mapping taken after its deadline.
    fn hold(&mut self, mut entry: Entry) {
        entry.deadline += Self::nanos(self.behavior.port_hold);
        if self.now < entry.deadline {
            self.serial += 1;
            self.entries.push(Entry { held: true, serial: self.serial, ..entry });
        }
    }

    pub(super) fn reboot(&mut self) {
        for entry in &mut self.entries {
            entry.deadline = if entry.held { entry.deadline } else { self.now };
        }
        self.advance(self.now);
    }

    pub(super) fn lets_in(&self, entry: &Entry, from: Endpoint) -> bool {
        let permits = |entry: &Entry| {
            self.behavior.filtering == Filtering::EndpointIndependent
                || entry.sent_to.iter().any(|(to, ends)| self.same_filter(*to, from) && self.now < *ends)
        };
        let siblings = |other: &&Entry| {
            other.leads() && (other.protocol, other.internal) == (entry.protocol, entry.internal)
        };
        permits(entry)
            || (self.behavior.filter_scope == FilterScope::Endpoint
                && self.entries.iter().filter(siblings).any(permits))
    }

    fn place_for(&self, protocol: Protocol, from: Endpoint, to: Endpoint) -> Option<usize> {
        let session = self.sessions.iter().find(|known| (known.0, known.1, known.2) == (protocol, from, to));
        let known = session.map(|session| session.3).or_else(|| self.connected(protocol, from, to));
        if let Some(serial) = known {
            return self.entries.iter().position(|entry| entry.serial == serial);
        }
        self.entries.iter().position(|entry| {
            let its = entry.leads() && (entry.protocol, entry.internal) == (protocol, from);
            its && self.same_key(entry.first, to)
        })
    }

    /// `chosen` is the external endpoint that the engine gave.
    fn send(
        &mut self,
        kind: Kind,
        from: Endpoint,
        to: Endpoint,
        chosen: Option<Endpoint>,
    ) -> Result<usize, DropReason> {
        let protocol = kind.protocol();
        let ends = self.behavior.filter_timeout.map_or(u64::MAX, |timeout| self.now + Self::nanos(timeout));
        let (first, full) = self.timeouts(protocol);
        let place = match self.place_for(protocol, from, to) {
            Some(place) => {
                let entry = &mut self.entries[place];
                if self.behavior.refresh != Refresh::Inbound && protocol != Protocol::Tcp {
                    entry.deadline = self.now + if entry.replied { full } else { first };
                }
                place
            }
            None if !kind.opens() => return Err(DropReason::Stray),
            None => {
                self.check_limits(protocol, from)?;
                let external = self.check_choice(protocol, from, to, chosen)?;
                self.opened.push((from.ip, self.now));
                self.add(protocol, (from, external, to), false);
                self.entries.len() - 1
            }
        };
        if protocol == Protocol::Tcp {
            self.track(place, to, kind, true);
        }
        if kind.opens() {
            let sent_to = &mut self.entries[place].sent_to;
            sent_to.retain(|(known, _)| *known != to);
            sent_to.push((to, ends));
        }
        Ok(place)
    }

    fn add(
        &mut self,
        protocol: Protocol,
        (internal, external, first): (Endpoint, Endpoint, Endpoint),
        unsolicited: bool,
    ) {
        self.serial += 1;
        self.entries.push(Entry {
            protocol,
            held: false,
            internal,
            external,
            first,
            deadline: self.now + self.timeouts(protocol).0,
            replied: false,
            unsolicited,
            sent_to: Vec::new(),
            serial: self.serial,
        });
    }

    fn is_full(&self) -> bool {
        self.behavior
            .max_mappings
            .is_some_and(|max| self.entries.iter().filter(|entry| !entry.held).count() >= max as usize)
    }

    fn of_host(&self, ip: IpAddr) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.leads() && entry.internal.ip == ip)
    }

    fn check_limits(&self, protocol: Protocol, from: Endpoint) -> Result<(), DropReason> {
        if self.is_full() {
            return Err(DropReason::TableFull);
        }
        match self.behavior.max_mappings_per_host {
            Some(max)
                if self.of_host(from.ip).filter(|entry| entry.protocol == protocol).count()
                    >= max as usize =>
            {
                Err(DropReason::Quota)
            }
            _ if self.is_too_fast(from.ip) => Err(DropReason::Rate),
            _ => Ok(()),
        }
    }

    /// Whether the host's bucket of tokens is empty, by emptying and filling it since the beginning.
    fn is_too_fast(&self, host: IpAddr) -> bool {
        let Some(rate) = self.behavior.mapping_rate_per_host.map(u128::from) else { return false };
        let second = 1_000_000_000;
        let (mut tokens, mut last) = (rate * second, 0);
        let times = self.opened.iter().filter(|(other, _)| *other == host).map(|(_, at)| *at);
        for (at, cost) in times.map(|at| (at, second)).chain([(self.now, 0)]) {
            tokens = (tokens + u128::from(at - last) * rate).min(rate * second) - cost;
            last = at;
        }
        tokens < second
    }

    fn block_of(&self, port: u16) -> Option<u16> {
        self.behavior.port_block.map(|size| (port - RANGE.first) / size)
    }

    /// Whether a mapping from `from` to `to` may have `external`.
    fn may_have(&self, protocol: Protocol, from: Endpoint, to: Endpoint, external: Endpoint) -> bool {
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
        let whole_block = self.behavior.port_block.is_none_or(|size| block < Some(16 / size));
        !taken && parity && half && address && own_block && !others_block && whole_block
    }

    fn check_choice(
        &self,
        protocol: Protocol,
        from: Endpoint,
        to: Endpoint,
        chosen: Option<Endpoint>,
    ) -> Result<Endpoint, DropReason> {
        let all =
            self.pool.iter().flat_map(|ip| (RANGE.first..=RANGE.last).map(|port| Endpoint::new(*ip, port)));
        if !all.into_iter().any(|external| self.may_have(protocol, from, to, external)) {
            return Err(DropReason::PortsExhausted);
        }
        let chosen = chosen.expect("the engine has a port, as there is one");
        assert!(self.may_have(protocol, from, to, chosen), "{chosen} for {from} to {to}");
        let own = Endpoint::new(chosen.ip, from.port);
        let keeps = self.behavior.ports == PortAssignment::Preserve;
        let its = self
            .entries
            .iter()
            .filter(|entry| entry.leads() && (entry.protocol, entry.internal) == (protocol, from));
        let newest = its.max_by_key(|entry| entry.serial).map(|entry| entry.external);
        let shared = newest.filter(|newest| {
            let here = self.behavior.port_overloading && newest.ip == chosen.ip;
            here && self.may_have(protocol, from, to, *newest)
        });
        if let Some(shared) = shared.filter(|_| keeps) {
            assert_eq!(chosen, shared, "a port is shared where it is free");
            return Ok(chosen);
        }
        let preserves = keeps && self.behavior.port_block.is_none();
        if preserves && RANGE.contains(from.port) && self.may_have(protocol, from, to, own) {
            assert_eq!(chosen, own, "a free port is preserved");
        }
        Ok(chosen)
    }

    fn receive(&mut self, kind: Kind, from: Endpoint, to: Endpoint) -> Result<usize, DropReason> {
        let protocol = kind.protocol();
        let (first, full) = self.timeouts(protocol);
        let overloads = self.behavior.port_overloading;
        let here = |entry: &Entry| (entry.protocol, entry.external) == (protocol, to);
        let admits = |entry: &Entry| {
            let known = self.connections.iter().find(|c| (c.internal, c.remote) == (entry.internal, from));
            let goes_on = known.is_some_and(|c| c.serial == entry.serial && !(kind.opens() && c.is_over()));
            self.lets_in(entry, from) || (protocol == Protocol::Tcp && goes_on)
        };
        let exact = self
            .entries
            .iter()
            .position(|entry| here(entry) && (!overloads || self.same_key(entry.first, from)));
        let place = match exact {
            Some(place) if !self.entries[place].leads() => {
                let entry = &self.entries[place];
                if entry.unsolicited && kind.opens() && self.same_key(entry.first, from) {
                    self.entries[place].deadline = self.now + first;
                }
                return Err(DropReason::NoMapping);
            }
            Some(place) if admits(&self.entries[place]) => place,
            _ => {
                let mapping = |entry: &Entry| here(entry) && entry.leads();
                let other = self.entries.iter().position(|entry| mapping(entry) && admits(entry));
                let any = self.entries.iter().any(mapping);
                other.ok_or(if any { DropReason::Filtered } else { DropReason::NoMapping })?
            }
        };
        if protocol == Protocol::Tcp {
            self.entries[place].replied = true;
            self.track(place, from, kind, false);
            return Ok(place);
        }
        let entry = &mut self.entries[place];
        if !entry.replied {
            entry.replied = true;
            entry.deadline = entry.deadline.max(entry.deadline - first + full);
        }
        if self.behavior.refresh != Refresh::Outbound {
            entry.deadline = self.now + full;
        }
        let session = (protocol, entry.internal, from, entry.serial);
        let inbound = self.behavior.reply_mapping == ReplyMapping::InboundSession;
        let same = |known: &(Protocol, Endpoint, Endpoint, usize)| {
            (known.0, known.1, known.2) == (session.0, session.1, session.2)
        };
        if inbound && !self.sessions.iter().any(same) {
            self.sessions.push(session);
        }
        Ok(place)
    }

    pub(super) fn outbound(
        &mut self,
        kind: Kind,
        from: Endpoint,
        to: Endpoint,
        chosen: Option<Endpoint>,
    ) -> Passed {
        let ours = self.pool.contains(&to.ip);
        if ours && self.behavior.hairpinning == Hairpinning::Off {
            return Err(DropReason::HairpinOff);
        }
        if ours && kind.protocol() == Protocol::Icmp {
            return Err(DropReason::NoMapping);
        }
        let sender = self.send(kind, from, to, chosen)?;
        let external = self.entries[sender].external;
        if !ours {
            return Ok((external, to, false));
        }
        let receiver = self.receive(kind, external, to)?;
        let internal = self.behavior.hairpinning == Hairpinning::InternalSource;
        Ok((if internal { from } else { external }, self.entries[receiver].internal, true))
    }

    pub(super) fn inbound(&mut self, kind: Kind, from: Endpoint, to: Endpoint) -> Passed {
        if !self.pool.contains(&to.ip) {
            return Err(DropReason::NotForUs);
        }
        let place = self.receive(kind, from, to).inspect_err(|_| {
            let same = |entry: &Entry| {
                (entry.protocol, entry.external) == (kind.protocol(), to)
                    && (!self.behavior.port_overloading || self.same_key(entry.first, from))
            };
            let takes = self.behavior.unsolicited == Unsolicited::CreatesState && kind.opens();
            if takes && !self.entries.iter().any(same) && !self.is_full() {
                self.add(kind.protocol(), (to, to, from), true);
            }
        })?;
        Ok((from, self.entries[place].internal, true))
    }

    /// What a snapshot must show: endpoints, expiry, flags, and for each candidate remote whether it may send in.
    pub(super) fn check_snapshot(&self, nat: &Nat) {
        let views = nat.snapshot(Timestamp::from_nanos(self.now));
        let mut shown: Vec<_> = views
            .iter()
            .map(|view| {
                let expires = view.expires.as_nanos();
                (view.protocol, view.internal, view.external, expires, view.replied, view.unsolicited)
            })
            .collect();
        let mut expected: Vec<_> = self
            .entries
            .iter()
            .filter(|entry| !entry.held)
            .map(|entry| {
                let (internal, external) = (entry.internal, entry.external);
                (entry.protocol, internal, external, entry.deadline, entry.replied, entry.unsolicited)
            })
            .collect();
        shown.sort_unstable();
        expected.sort_unstable();
        assert_eq!(shown, expected);
        for view in views.iter().filter(|view| !view.unsolicited) {
            let entry = self
                .entries
                .iter()
                .find(|entry| {
                    entry.leads()
                        && (entry.protocol, entry.internal, entry.external)
                            == (view.protocol, view.internal, view.external)
                        && (!self.behavior.port_overloading || shows(view.destination, entry.first))
                })
                .expect("the same entries");
            for from in (1..4).flat_map(|host| (0..3).map(move |port| remote((host, port)))) {
                let from = Kind::of(view.protocol).remote(from);
                let shown = view.permitted.iter().any(|permitted| shows(permitted.remote, from));
                assert_eq!(shown, self.lets_in(entry, from), "{from} in {view:?}");
            }
        }
    }
}

fn shows(shown: Remote, endpoint: Endpoint) -> bool {
    match shown {
        Remote::Any => true,
        Remote::Address(ip) => ip == endpoint.ip,
        Remote::Endpoint(shown) => shown == endpoint,
    }
}
