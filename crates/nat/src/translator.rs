//! Translating and filtering UDP flows.

use std::collections::VecDeque;
use std::time::Duration;

use natbed_packet::{IcmpErrorKind, Timestamp};
use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::address::{Address, Blocks, Socket};
use crate::behavior::{
    Behavior, FilterScope, Filtering, Kind, Mapping, OnFull, Refresh, ReplyMapping, Unsolicited,
};
use crate::engine::ConfigError;
use crate::outcome::{Drop, DropReason, Forward};
use crate::pool::Pool;
use crate::session::Sessions;
use crate::table::{Record, Shape, Table, is_laxer};
use crate::view::Event;

mod create;

/// A NAT or firewall of one address family.
#[derive(Clone, Debug)]
pub(crate) struct Translator<A> {
    pub(crate) behavior: Behavior,
    pub(crate) pool: Pool<A>,
    pub(crate) table: Table<A>,
    pub(crate) sessions: Sessions<A>,
    inside: Blocks<A>,
    timers: Timers,
    /// The port that was chosen last.
    cursor: Option<u16>,
    /// The place of the external address to give to the next host.
    next_place: u16,
    rng: Xoshiro256PlusPlus,
    /// The latest time that was told.
    latest: u64,
    observed: bool,
    pub(crate) events: VecDeque<Event>,
}

/// Lifetimes in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Timers {
    /// Of a mapping that has let nothing in.
    first: u64,
    /// Of another.
    replied: u64,
    /// Of a permission; `None`: as long as the mapping lives.
    filter: Option<u64>,
}

/// A packet on the sender's side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) slot: u32,
    pub(crate) created: bool,
    pub(crate) opened: bool,
}

/// A packet that passed, with its addresses as they are to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passage<A> {
    pub(crate) source: Socket<A>,
    pub(crate) destination: Socket<A>,
    pub(crate) inside: bool,
    pub(crate) forward: Forward,
}

/// Why nothing let a packet in, and the entry that decided.
pub(crate) type Refusal = (DropReason, Option<u32>);

impl<A: Address> Translator<A> {
    pub(crate) fn new(
        behavior: Behavior,
        pool: Pool<A>,
        inside: Blocks<A>,
        mut rng: Xoshiro256PlusPlus,
    ) -> Self {
        let timers = Timers {
            first: nanos(behavior.first_timeout()),
            replied: nanos(behavior.udp_timeout),
            filter: behavior.filter_timeout.map(nanos),
        };
        let mapping = key_of(&behavior);
        let shape = timers.shape(&behavior, pool.len());
        Self {
            table: Table::new(mapping, shape, rng.random()),
            sessions: Sessions::default(),
            behavior,
            pool,
            inside,
            timers,
            cursor: None,
            next_place: 0,
            rng,
            latest: 0,
            observed: false,
            events: VecDeque::new(),
        }
    }

    /// Sends a packet out, or around and in again.
    #[inline]
    pub(crate) fn outbound(&mut self, from: Socket<A>, to: Socket<A>) -> Result<Passage<A>, Drop> {
        check(from, to)?;
        if let Some(place) = self.pool.place(to.ip) {
            return self.hairpin(from, to, place);
        }
        let sent = self.send(from, to)?;
        let source = self.external(sent.slot);
        Ok(Passage { source, destination: to, inside: false, forward: self.forward(sent) })
    }

    /// Lets a packet in.
    #[inline]
    pub(crate) fn inbound(&mut self, from: Socket<A>, to: Socket<A>) -> Result<Passage<A>, Drop> {
        check(from, to)?;
        if self.is_spoofed(from.ip) {
            return Err(DropReason::SpoofedSource.into());
        }
        let slot = self.receive_or_refuse(from, to)?;
        let forward = Forward { mapping: Some(self.table.id(slot)), ..Forward::default() };
        let destination = self.table.record(slot).internal();
        Ok(Passage { source: from, destination, inside: true, forward })
    }

    /// Whether a packet from outside must not have this source.
    #[inline]
    pub(crate) fn is_spoofed(&self, ip: A) -> bool {
        self.inside.contains(ip) || self.pool.place(ip).is_some()
    }

    fn receive_or_refuse(&mut self, from: Socket<A>, to: Socket<A>) -> Result<u32, Drop> {
        if self.is_firewall() {
            return self.receive_untranslated(from, to).map_err(|refusal| self.refuse(refusal));
        }
        let place = self.pool.place(to.ip).ok_or(DropReason::NotForUs)?;
        self.receive(from, place, to.port).map_err(|refusal| {
            let refusal = self.unsolicited(refusal, from, to, place);
            self.refuse(refusal)
        })
    }

    /// Finds or creates the mapping from `from` to `to`, and notes that it was sent through.
    pub(crate) fn send(&mut self, from: Socket<A>, to: Socket<A>) -> Result<Sent, Drop> {
        if let Some(slot) = self.route(from, to) {
            return Ok(self.send_through(slot, to));
        }
        self.check_inside(from.ip)?;
        let slot = self.create(from, to).map_err(|reason| self.refuse_mapping(reason))?;
        let opened = self.behavior.filtering != Filtering::EndpointIndependent;
        Ok(Sent { slot, created: true, opened })
    }

    pub(crate) fn check_inside(&self, ip: A) -> Result<(), DropReason> {
        let inside = self.inside.is_empty() || self.inside.contains(ip);
        if !inside || ip.is_martian() || self.pool.place(ip).is_some() {
            return Err(DropReason::SourceNotInside);
        }
        Ok(())
    }

    /// The mapping that packets from `from` to `to` leave through.
    #[inline]
    pub(crate) fn route(&self, from: Socket<A>, to: Socket<A>) -> Option<u32> {
        self.sessions.get(from, to).or_else(|| self.table.find_outbound(from, to))
    }

    #[inline]
    pub(crate) fn send_through(&mut self, slot: u32, to: Socket<A>) -> Sent {
        if self.behavior.refresh != Refresh::Inbound {
            self.refresh(slot);
        }
        Sent { slot, created: false, opened: self.permit(slot, to) }
    }

    #[inline]
    fn refresh(&mut self, slot: u32) {
        let record = self.table.record_mut(slot);
        let lifetime = if record.has_replied() { self.timers.replied } else { self.timers.first };
        let deadline = self.latest.saturating_add(lifetime);
        if record.deadline != deadline {
            record.deadline = deadline;
        }
    }

    /// Permits `remote` to send to the mapping; returns whether it could not before.
    #[inline]
    fn permit(&mut self, slot: u32, remote: Socket<A>) -> bool {
        let Some(part) = filter_part(self.behavior.filtering, remote) else { return false };
        let record = self.table.record(slot);
        if self.timers.filter.is_none() && filter_part(self.behavior.filtering, record.remote()) == Some(part)
        {
            return false;
        }
        let (now, expires) =
            (self.latest, self.timers.filter.map(|filter| self.latest.saturating_add(filter)));
        self.table.remotes_mut(slot).permit(part, now, expires)
    }

    /// Whether `remote` may send to the mapping.
    #[inline]
    pub(crate) fn permits(&self, slot: u32, remote: Socket<A>) -> bool {
        let Some(part) = filter_part(self.behavior.filtering, remote) else { return true };
        let record = self.table.record(slot);
        let first = filter_part(self.behavior.filtering, record.remote());
        (self.timers.filter.is_none() && first == Some(part))
            || self.table.remotes(record).is_some_and(|set| set.permits(part, self.latest))
    }

    /// Whether the mapping's filter, in the scope that it has, lets `remote` in.
    #[inline]
    pub(crate) fn lets_in(&self, slot: u32, remote: Socket<A>) -> bool {
        self.permits(slot, remote)
            || (self.behavior.filter_scope == FilterScope::Endpoint
                && self.table.shape().by_endpoint
                && self
                    .table
                    .find_of_endpoint(self.table.record(slot).internal(), |other| self.permits(other, remote))
                    .is_some())
    }

    /// Lets a packet from `from` in through external `port` of the address at `place`, if something permits it.
    #[inline]
    pub(crate) fn receive(&mut self, from: Socket<A>, place: u16, port: u16) -> Result<u32, Refusal> {
        let found = self.table.find_inbound(place, port, from);
        match found {
            Some(slot) if self.table.record(slot).is_unsolicited() => {
                self.renew_unsolicited(slot, from);
                Err((DropReason::NoMapping, Some(slot)))
            }
            Some(slot) if self.lets_in(slot, from) => {
                self.accept(slot, from);
                Ok(slot)
            }
            _ if self.table.shape().overloads => self.receive_shared(from, place, port),
            Some(slot) => Err((DropReason::Filtered, Some(slot))),
            None => Err((DropReason::NoMapping, None)),
        }
    }

    /// The same where the port has no entry for `from`, but perhaps others whose filters let it in.
    fn receive_shared(&mut self, from: Socket<A>, place: u16, port: u16) -> Result<u32, Refusal> {
        let mixes = self.behavior.filter_scope == FilterScope::Endpoint
            || is_laxer(self.behavior.filtering, self.behavior.mapping);
        if mixes && let Some(slot) = self.table.find_sharing(place, port, |slot| self.lets_in(slot, from)) {
            self.accept(slot, from);
            return Ok(slot);
        }
        match self.table.find_sharing(place, port, |_| true) {
            Some(slot) => Err((DropReason::Filtered, Some(slot))),
            None => Err((DropReason::NoMapping, None)),
        }
    }

    fn receive_untranslated(&mut self, from: Socket<A>, to: Socket<A>) -> Result<u32, Refusal> {
        match self.table.find_outbound(to, from) {
            Some(slot) if self.permits(slot, from) => {
                self.accept(slot, from);
                Ok(slot)
            }
            Some(slot) => Err((DropReason::Filtered, Some(slot))),
            None if self.behavior.filtering == Filtering::EndpointIndependent => {
                Err((DropReason::NoMapping, None))
            }
            None => Err((DropReason::Filtered, None)),
        }
    }

    #[inline]
    pub(crate) fn accept(&mut self, slot: u32, from: Socket<A>) {
        let (now, timers) = (self.latest, self.timers);
        let record = self.table.record_mut(slot);
        if !record.has_replied() {
            record.set_replied();
            let sent = record.deadline.saturating_sub(timers.first);
            record.deadline = record.deadline.max(sent.saturating_add(timers.replied));
        }
        if self.behavior.refresh != Refresh::Outbound {
            let deadline = now.saturating_add(timers.replied);
            if record.deadline != deadline {
                record.deadline = deadline;
            }
        }
        if self.behavior.reply_mapping == ReplyMapping::InboundSession && !self.is_firewall() {
            let internal = self.table.record(slot).internal();
            self.sessions.note(slot, internal, from);
        }
    }

    fn renew_unsolicited(&mut self, slot: u32, from: Socket<A>) {
        let known = self.table.record(slot).remote();
        if self.table.key().part(known) == self.table.key().part(from) {
            self.refresh(slot);
        }
    }

    /// What `unsolicited` says of a packet that nothing let in.
    fn unsolicited(&mut self, refusal: Refusal, from: Socket<A>, to: Socket<A>, place: u16) -> Refusal {
        let takes_state = self.behavior.unsolicited == Unsolicited::CreatesState
            && self.table.find_inbound(place, to.port, from).is_none()
            && !self.is_full();
        if !takes_state {
            return refusal;
        }
        let mut record = Record::new(to, from, place, to.port).unsolicited();
        record.deadline = self.latest.saturating_add(self.timers.first);
        let slot = self.table.insert(self.latest, record);
        (refusal.0, refusal.1.or(Some(slot)))
    }

    /// The drop for a packet that nothing let in.
    pub(crate) fn refuse(&self, (reason, slot): Refusal) -> Drop {
        let reply =
            (self.behavior.unsolicited == Unsolicited::Icmp).then_some(IcmpErrorKind::PortUnreachable);
        Drop { reason, mapping: slot.map(|slot| self.table.id(slot)), reply, sent: None }
    }

    /// The drop for a packet that could not have a mapping, with the error that RFC 6888 REQ-11 asks for.
    fn refuse_mapping(&self, reason: DropReason) -> Drop {
        let reply = (self.behavior.on_full == OnFull::Icmp).then_some(IcmpErrorKind::HostUnreachable);
        Drop { reply, ..reason.into() }
    }

    pub(crate) fn is_firewall(&self) -> bool {
        self.behavior.kind == Kind::Firewall
    }

    pub(crate) fn forward(&self, sent: Sent) -> Forward {
        let Sent { slot, created, opened } = sent;
        Forward { mapping: Some(self.table.id(slot)), created, opened, hairpin: None }
    }

    /// The external endpoint of an entry.
    #[inline]
    pub(crate) fn external(&self, slot: u32) -> Socket<A> {
        let record = self.table.record(slot);
        let ip = if self.is_firewall() { None } else { self.pool.get(record.pool) };
        Socket::new(ip.unwrap_or(record.internal_ip), record.external_port)
    }

    /// Moves on to `now` and ends what expires by then.
    #[inline]
    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.latest = self.latest.max(now.as_nanos());
        while let Some(slot) = self.table.pop_due(self.latest) {
            self.end(slot, Event::Expired);
        }
    }

    fn end(&mut self, slot: u32, event: impl Fn(crate::view::MappingView) -> Event) {
        if self.observed {
            let view = self.view(slot, self.latest);
            self.events.push_back(event(view));
        }
        self.sessions.forget(slot);
        self.table.remove(slot);
    }

    pub(crate) fn observe(&mut self, on: bool) {
        self.observed = on;
    }

    pub(crate) fn handle_timeout(&mut self, now: Timestamp) {
        self.advance(now);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        let due = self.table.next_due();
        (self.observed && due != u64::MAX).then(|| Timestamp::from_nanos(due))
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(crate) fn reboot(&mut self, now: Timestamp) {
        self.advance(now);
        if self.observed {
            let at = Timestamp::from_nanos(self.latest);
            let views = self.snapshot(at).into_iter().map(|view| Event::Forgotten(view, at));
            self.events.extend(views);
        }
        self.table.clear();
        self.sessions = Sessions::default();
        (self.cursor, self.next_place) = (None, 0);
    }

    /// Puts another pool of external addresses in place.
    pub(crate) fn set_pool(&mut self, now: Timestamp, pool: Pool<A>) -> Result<(), ConfigError> {
        if self.is_firewall() {
            return Err(ConfigError::ExternalUnused);
        }
        self.advance(now);
        let old = std::mem::replace(&mut self.pool, pool);
        let at = Timestamp::from_nanos(self.latest);
        let gone = self.table.repool(|place| old.get(place).and_then(|ip| self.pool.place(ip)));
        for slot in gone {
            let ip = old.get(self.table.record(slot).pool).unwrap_or_default();
            self.end(slot, |mut view| {
                view.external.ip = ip.to_ip();
                Event::Forgotten(view, at)
            });
        }
        let shape = self.timers.shape(&self.behavior, self.pool.len());
        self.table.reindex(self.latest, shape);
        Ok(())
    }

    pub(crate) fn latest(&self) -> u64 {
        self.latest
    }

    pub(crate) const fn filter_lifetime(&self) -> Option<u64> {
        self.timers.filter
    }

    pub(crate) fn allocated(&self) -> usize {
        self.table.allocated() + self.pool.allocated() + self.sessions.allocated()
    }
}

impl Timers {
    fn shape(self, behavior: &Behavior, addresses: u16) -> Shape {
        let (longest, shortest) = (self.first.max(self.replied), self.first.min(self.replied));
        let shortest = if self.first > self.replied { shortest } else { longest };
        Shape::new(behavior, usize::from(addresses), longest, shortest)
    }
}

/// Which remotes share an entry. A firewall's entries are as fine as its filter.
const fn key_of(behavior: &Behavior) -> Mapping {
    match (behavior.kind, behavior.filtering) {
        (Kind::Firewall, Filtering::EndpointIndependent) => Mapping::EndpointIndependent,
        (Kind::Firewall, Filtering::AddressDependent) => Mapping::AddressDependent,
        (Kind::Firewall, Filtering::AddressAndPortDependent) => Mapping::AddressAndPortDependent,
        _ => behavior.mapping,
    }
}

/// What of `remote` a filter looks at; `None`: nothing.
#[inline]
pub(crate) fn filter_part<A: Address>(filtering: Filtering, remote: Socket<A>) -> Option<Socket<A>> {
    match filtering {
        Filtering::EndpointIndependent => None,
        Filtering::AddressDependent => Some(Socket::new(remote.ip, 0)),
        Filtering::AddressAndPortDependent => Some(remote),
    }
}

#[inline]
pub(crate) fn check<A: Address>(from: Socket<A>, to: Socket<A>) -> Result<(), DropReason> {
    if from.port == 0 || to.port == 0 {
        return Err(DropReason::ZeroPort);
    }
    if from.ip.is_martian() || to.ip.is_martian() {
        return Err(DropReason::Martian);
    }
    Ok(())
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
