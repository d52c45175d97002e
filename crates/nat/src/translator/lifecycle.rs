//! Time, and what ends mappings: expiry, reboots and lost addresses.

use natbed_packet::{IcmpErrorKind, Timestamp};

use super::{Translator, is_elsewhere};
use crate::address::Address;
use crate::engine::ConfigError;
use crate::outcome::LateReply;
use crate::pool::Pool;
use crate::session::Sessions;
use crate::table::{Record, Shape};
use crate::tcp::HeldSyns;
use crate::view::{Event, MappingView};

impl<A: Address> Translator<A> {
    /// Moves on to `now` and ends what expires by then.
    #[inline]
    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.settle();
        self.latest = self.latest.max(now.as_nanos());
        while let Some(slot) = self.table.pop_due(self.latest) {
            self.expire(slot);
        }
        if let Some(fragments) = &mut self.fragments {
            fragments.expire(self.latest);
        }
    }

    /// Lays the table out anew if the last packet made that worth it: before anything else happens, so that it does not
    /// matter how often the NAT is woken. No slot from before may be used afterwards.
    #[inline]
    pub(crate) fn settle(&mut self) {
        if self.table.wants_layout() {
            self.lay_out();
        }
    }

    #[cold]
    fn lay_out(&mut self) {
        let slots = self.table.lay_out(self.latest);
        self.sessions.follow(&slots);
        if let Some(connections) = &mut self.connections {
            connections.follow(&slots);
        }
    }

    fn expire(&mut self, slot: u32) {
        let record = *self.table.record(slot);
        self.end(slot, Event::Expired);
        if record.is_mapping() {
            self.hold(record, record.deadline);
        }
    }

    /// Keeps a port taken whose mapping ended at `ended` (RFC 6888 REQ-8). Where that time is over already, it is
    /// entered all the same, so that ids are the same however often the NAT is woken.
    fn hold(&mut self, record: Record<A>, ended: u64) {
        if self.timers.hold != 0 && !self.is_firewall() {
            let mut held = record.held();
            held.deadline = ended.saturating_add(self.timers.hold);
            self.table.insert(self.latest, held);
        }
    }

    fn end(&mut self, slot: u32, event: impl Fn(MappingView) -> Event) {
        if self.observed && !self.table.record(slot).is_held() {
            let view = self.view(slot, self.latest);
            self.events.push_back(event(view));
        }
        self.sessions.forget(slot);
        if let Some(connections) = &mut self.connections {
            connections.forget(slot);
        }
        self.table.remove(slot);
    }

    pub(crate) fn observe(&mut self, on: bool) {
        self.observed = on;
    }

    pub(crate) fn handle_timeout(&mut self, now: Timestamp) {
        self.advance(now);
    }

    #[inline]
    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        if !self.observed && self.held_syns.is_empty() && self.fragments.is_none() {
            return None;
        }
        let due = Some(self.table.next_due()).filter(|due| self.observed && *due != u64::MAX);
        let answer = self.held_syns.next_due(self.latest);
        let fragment = self.fragments.as_ref().and_then(|fragments| fragments.next_due());
        due.into_iter().chain(answer).chain(fragment).min().map(Timestamp::from_nanos)
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(crate) fn poll_reply(&mut self) -> Option<LateReply> {
        let about = self.held_syns.pop(self.latest)?;
        Some(LateReply { about, kind: IcmpErrorKind::PortUnreachable })
    }

    /// Forgets every mapping. Ports that had one are held even so (RFC 6888 REQ-8).
    pub(crate) fn reboot(&mut self, now: Timestamp) {
        self.advance(now);
        if self.observed {
            let at = Timestamp::from_nanos(self.latest);
            let views = self.snapshot(at).into_iter().map(|view| Event::Forgotten(view, at));
            self.events.extend(views);
        }
        let ended: Vec<_> = self.table.slots().map(|slot| *self.table.record(slot)).collect();
        self.table.clear();
        self.sessions = Sessions::default();
        self.connections = None;
        self.held_syns = HeldSyns::default();
        self.forget_fragments();
        (self.cursors, self.next_place) = ([None; 3], 0);
        for record in ended.into_iter().filter(|record| !record.is_unsolicited()) {
            let since = if record.is_held() { record.deadline - self.timers.hold } else { self.latest };
            self.hold(record, since);
        }
    }

    /// Puts another pool of external addresses in place.
    pub(crate) fn set_pool(&mut self, now: Timestamp, pool: Pool<A>) -> Result<(), ConfigError> {
        if self.is_firewall() {
            return Err(ConfigError::ExternalUnused);
        }
        self.advance(now);
        self.forget_fragments();
        let old = std::mem::replace(&mut self.pool, pool);
        let at = Timestamp::from_nanos(self.latest);
        let places: Vec<Option<u16>> = old.iter().map(|ip| self.pool.place(ip)).collect();
        let place = |old: u16| places.get(usize::from(old)).copied().flatten();
        for slot in self.table.without_place(place) {
            let ip = old.get(self.table.record(slot).pool).unwrap_or_default();
            self.end(slot, |mut view| {
                view.external.ip = ip.to_ip();
                Event::Forgotten(view, at)
            });
        }
        let shape = Shape::new(&self.behavior, usize::from(self.pool.len()), &self.timers);
        self.table.repool(self.latest, shape, place, |ip| is_elsewhere(&self.inside, &self.pool, ip));
        Ok(())
    }

    pub(crate) fn latest(&self) -> u64 {
        self.latest
    }

    pub(crate) fn filter_lifetime(&self) -> Option<u64> {
        self.timers.filter
    }

    pub(crate) fn allocated(&self) -> usize {
        self.table.allocated()
            + self.pool.allocated()
            + self.sessions.allocated()
            + self.connections.as_ref().map_or(0, |connections| connections.allocated())
            + self.held_syns.allocated()
            + self.fragments.as_ref().map_or(0, |fragments| fragments.allocated())
    }
}
