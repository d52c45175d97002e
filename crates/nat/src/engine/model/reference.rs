//! A NAT as a list of entries.

use std::net::IpAddr;
use std::time::Duration;

use natbed_packet::{Endpoint, IcmpErrorKind, Protocol, Timestamp};

use super::connection::Connection;
use super::fragments::Fragments;
use super::kind::{Kind, Packet};
use super::syns::Syns;
use super::{is_inside, remote};
use crate::behavior::{
    self, Behavior, FilterScope, Filtering, Hairpinning, Mapping, OnFull, Refresh, ReplyMapping, Unsolicited,
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
    /// The port that was chosen last for each protocol.
    pub(super) cursors: [Option<u16>; 3],
    pub(super) fragments: Fragments,
    pub(super) syns: Syns,
}

/// Why a packet is dropped, and the ICMP error that says so to its sender.
pub(super) type Refusal = (DropReason, Option<IcmpErrorKind>);

/// A packet's ends as they are to be, and whether it goes inside.
pub(super) type Passed = Result<(Endpoint, Endpoint, bool), Refusal>;

impl Model {
    pub(super) fn new(behavior: &Behavior, pool: Vec<IpAddr>) -> Self {
        Self {
            behavior: behavior.clone(),
            pool,
            entries: Vec::new(),
            sessions: Vec::new(),
            connections: Vec::new(),
            opened: Vec::new(),
            serial: 0,
            now: 0,
            cursors: [None; 3],
            fragments: Fragments::default(),
            syns: Syns::default(),
        }
    }

    pub(super) fn is_firewall(&self) -> bool {
        self.behavior.kind == behavior::Kind::Firewall
    }

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

    /// A firewall's entries are as fine as its filter.
    pub(super) fn same_key(&self, one: Endpoint, other: Endpoint) -> bool {
        match self.behavior.mapping {
            _ if self.is_firewall() => self.same_filter(one, other),
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
        if self.now < entry.deadline && !self.is_firewall() {
            self.serial += 1;
            self.entries.push(Entry { held: true, serial: self.serial, ..entry });
        }
    }

    pub(super) fn reboot(&mut self) {
        for entry in &mut self.entries {
            entry.deadline = if entry.held { entry.deadline } else { self.now };
        }
        self.advance(self.now);
        (self.cursors, self.syns) = Default::default();
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
                && !self.is_firewall()
                && self.entries.iter().filter(siblings).any(permits))
    }

    /// Whether packets between an entry's mapping and `remote` pass.
    pub(super) fn has_reached(&self, entry: &Entry, remote: Endpoint) -> bool {
        let connected = self.connected(entry.protocol, entry.internal, remote) == Some(entry.serial);
        self.lets_in(entry, remote) || connected
    }

    /// The external endpoints through which `remote` may have reached `internal`.
    pub(super) fn externals_reached(
        &self,
        protocol: Protocol,
        internal: Endpoint,
        remote: Endpoint,
    ) -> Vec<Endpoint> {
        let own = self.place_for(protocol, internal, remote).map(|place| &self.entries[place]);
        if let Some(own) = own.filter(|own| self.has_reached(own, remote)) {
            return vec![own.external];
        }
        let its = self
            .entries
            .iter()
            .filter(|entry| entry.leads() && (entry.protocol, entry.internal) == (protocol, internal));
        its.filter(|entry| self.has_reached(entry, remote)).map(|entry| entry.external).collect()
    }

    pub(super) fn place_for(&self, protocol: Protocol, from: Endpoint, to: Endpoint) -> Option<usize> {
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
        Packet { kind, from, to, .. }: Packet,
        chosen: Option<Endpoint>,
    ) -> Result<usize, Refusal> {
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
            None if !kind.opens() => return Err((DropReason::Stray, None)),
            None => {
                let reply = self.reply_when_full();
                let refuse = |reason| (reason, reply);
                self.check_limits(protocol, from).map_err(refuse)?;
                let external = self.check_choice((protocol, from, to), chosen).map_err(refuse)?;
                self.opened.push((from.ip, self.now));
                self.add(protocol, (from, external, to), false);
                self.entries.len() - 1
            }
        };
        if protocol == Protocol::Tcp {
            self.track(place, to, kind, true);
        }
        if kind.opens() {
            self.syns.forget(kind, to, self.entries[place].external);
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

    pub(super) fn of_host(&self, ip: IpAddr) -> impl Iterator<Item = &Entry> {
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

    fn receive(&mut self, kind: Kind, from: Endpoint, to: Endpoint) -> Result<usize, DropReason> {
        let protocol = kind.protocol();
        let (first, full) = self.timeouts(protocol);
        let by_remote = self.tells_remotes_apart();
        let here = |entry: &Entry| (entry.protocol, entry.external) == (protocol, to);
        let admits = |entry: &Entry| {
            let known = self.connections.iter().find(|c| (c.internal, c.remote) == (entry.internal, from));
            let goes_on = known.is_some_and(|c| c.serial == entry.serial && !(kind.opens() && c.is_over()));
            self.lets_in(entry, from) || (protocol == Protocol::Tcp && goes_on)
        };
        let exact = self
            .entries
            .iter()
            .position(|entry| here(entry) && (!by_remote || self.same_key(entry.first, from)));
        let place = match exact {
            Some(place) if !self.entries[place].leads() => {
                let entry = &self.entries[place];
                if entry.unsolicited && kind.opens() && self.same_key(entry.first, from) {
                    self.entries[place].deadline = self.now + first;
                }
                return Err(DropReason::NoMapping);
            }
            Some(place) if admits(&self.entries[place]) => place,
            None if self.is_firewall() && self.behavior.filtering == Filtering::EndpointIndependent => {
                return Err(DropReason::NoMapping);
            }
            _ if self.is_firewall() => return Err(DropReason::Filtered),
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
        let inbound = self.behavior.reply_mapping == ReplyMapping::InboundSession && !self.is_firewall();
        let same = |known: &(Protocol, Endpoint, Endpoint, usize)| {
            (known.0, known.1, known.2) == (session.0, session.1, session.2)
        };
        if inbound && !self.sessions.iter().any(same) {
            self.sessions.push(session);
        }
        Ok(place)
    }

    /// Whether a packet passes as it is. Fragments show no port.
    pub(super) fn exempts(&self, Packet { from, to, out, whole, .. }: Packet) -> bool {
        let (internal, remote) = if out { (from, to) } else { (to, from) };
        let exempt = self.behavior.exempt.iter().any(|exempt| {
            exempt.prefix.contains(remote.ip) && exempt.port.is_none_or(|port| whole && port == remote.port)
        });
        exempt && is_inside(internal.ip) && !is_inside(remote.ip) && !self.pool.contains(&remote.ip)
    }

    /// `chosen` is the external endpoint that the engine gave.
    pub(super) fn outbound(&mut self, packet: Packet, chosen: Option<Endpoint>) -> Passed {
        let Packet { kind, from, to, .. } = packet;
        let ours = self.pool.contains(&to.ip);
        if ours && self.behavior.hairpinning == Hairpinning::Off {
            return Err((DropReason::HairpinOff, None));
        }
        if ours && kind.protocol() == Protocol::Icmp {
            return Err((DropReason::NoMapping, None));
        }
        let sender = self.send(packet, chosen)?;
        let external = self.entries[sender].external;
        if !ours {
            return Ok((external, to, false));
        }
        let receiver =
            self.receive(kind, external, to).map_err(|reason| self.refuse(packet, external, reason))?;
        let internal = self.behavior.hairpinning == Hairpinning::InternalSource;
        Ok((if internal { from } else { external }, self.entries[receiver].internal, true))
    }

    pub(super) fn inbound(&mut self, packet: Packet) -> Passed {
        let Packet { kind, from, to, .. } = packet;
        if is_inside(from.ip) || self.pool.contains(&from.ip) {
            return Err((DropReason::SpoofedSource, None));
        }
        if !self.is_firewall() && !self.pool.contains(&to.ip) {
            return Err((DropReason::NotForUs, None));
        }
        let place = self.receive(kind, from, to).map_err(|reason| {
            let same = |entry: &Entry| {
                (entry.protocol, entry.external) == (kind.protocol(), to)
                    && (!self.tells_remotes_apart() || self.same_key(entry.first, from))
            };
            let takes = self.behavior.unsolicited == Unsolicited::CreatesState && kind.opens();
            let free = !self.is_firewall() && !self.entries.iter().any(same) && !self.is_full();
            if takes && free {
                self.add(kind.protocol(), (to, to, from), true);
            }
            self.refuse(packet, from, reason)
        })?;
        Ok((from, self.entries[place].internal, true))
    }

    /// Whether the remote says which of several entries at one external endpoint is meant.
    fn tells_remotes_apart(&self) -> bool {
        self.behavior.port_overloading || self.is_firewall()
    }

    /// What a packet is told that nothing lets in, and that `remote` is seen to send. A SYN is told later.
    fn refuse(&mut self, packet: Packet, remote: Endpoint, reason: DropReason) -> Refusal {
        if self.behavior.unsolicited != Unsolicited::Icmp {
            return (reason, None);
        }
        let error = match packet.kind {
            Kind::Udp => Some(IcmpErrorKind::PortUnreachable),
            Kind::Query { reply: false } => Some(IcmpErrorKind::HostUnreachable),
            Kind::Query { reply: true } => None,
            Kind::Segment { .. } => {
                if packet.kind.opens() && packet.whole {
                    self.syns.hold(self.now, remote, packet);
                }
                None
            }
        };
        (reason, error)
    }

    fn reply_when_full(&self) -> Option<IcmpErrorKind> {
        match self.behavior.on_full {
            OnFull::Drop => None,
            OnFull::Icmp => Some(IcmpErrorKind::HostUnreachable),
            OnFull::IcmpProhibited => Some(IcmpErrorKind::AdministrativelyProhibited),
        }
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
                        && shows(view.destination, entry.first)
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
