//! Translating and filtering flows.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;

use natbed_packet::Protocol;
use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::address::{Address, Blocks, Socket};
use crate::behavior::{Behavior, Filtering, Kind, Mapping};
use crate::fragments::Known;
use crate::nat_type::NatType;
use crate::outcome::{Drop, DropReason, Forward};
use crate::packet::Packet;
use crate::pool::Pool;
use crate::rate::Rates;
use crate::session::Sessions;
use crate::table::{Shape, Table};
use crate::tcp::{Connections, HeldSyns};
use crate::timers::Timers;
use crate::view::Event;

mod create;
mod lifecycle;
mod receive;
mod send;

/// A NAT or firewall of one address family. What every packet reads comes first and lies together, as a network has
/// thousands of NATs that take turns; what only new mappings need comes last.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Translator<A: Address> {
    /// The latest time that was told.
    latest: u64,
    pub(crate) behavior: Arc<Behavior>,
    timers: Arc<Timers>,
    pub(crate) sessions: Sessions<A>,
    /// Absent before the first TCP segment.
    pub(crate) connections: Option<Box<Connections<A>>>,
    pub(crate) held_syns: HeldSyns<A>,
    inside: Blocks<A>,
    pub(crate) pool: Pool<A>,
    observed: bool,
    pub(crate) table: Table<A>,
    /// Present where opening mappings is limited.
    rates: Option<Box<Rates<A>>>,
    /// The port that was chosen last for each protocol.
    cursors: [Option<u16>; 3],
    /// The place of the external address to give to the next host.
    next_place: u16,
    rng: Xoshiro256PlusPlus,
    /// Absent before the first.
    pub(crate) fragments: Option<Box<Known>>,
    pub(crate) events: VecDeque<Event>,
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
        NatType { behavior, timers }: NatType,
        pool: Pool<A>,
        inside: Blocks<A>,
        mut rng: Xoshiro256PlusPlus,
    ) -> Self {
        let shape = Shape::new(&behavior, usize::from(pool.len()), &timers);
        Self {
            table: Table::new(key_of(&behavior), shape, rng.random()),
            sessions: Sessions::default(),
            connections: None,
            held_syns: HeldSyns::default(),
            rates: behavior.mapping_rate_per_host.map(|rate| Box::new(Rates::new(rate))),
            behavior,
            pool,
            inside,
            timers,
            cursors: [None; 3],
            next_place: 0,
            rng,
            latest: 0,
            observed: false,
            fragments: None,
            events: VecDeque::new(),
        }
    }

    /// Sends a packet out, or around and in again.
    #[inline]
    pub(crate) fn outbound<P: Packet>(
        &mut self,
        packet: P,
        from: Socket<A>,
        to: Socket<A>,
    ) -> Result<Passage<A>, Drop> {
        check::<P, A>(from, to)?;
        if let Some(place) = self.pool.place(to.ip) {
            return self.hairpin(packet, from, to, place);
        }
        let sent = self.send(packet, from, to)?;
        let source = self.external(sent.slot);
        Ok(Passage { source, destination: to, inside: false, forward: self.forward(sent) })
    }

    /// Lets a packet in.
    #[inline]
    pub(crate) fn inbound<P: Packet>(
        &mut self,
        packet: P,
        from: Socket<A>,
        to: Socket<A>,
    ) -> Result<Passage<A>, Drop> {
        check::<P, A>(from, to)?;
        if self.is_spoofed(from.ip) {
            return Err(DropReason::SpoofedSource.into());
        }
        let slot = self.receive_or_refuse(packet, from, to)?;
        let forward = Forward { mapping: Some(self.table.id(slot)), ..Forward::default() };
        let destination = self.table.record(slot).internal();
        Ok(Passage { source: from, destination, inside: true, forward })
    }

    /// Whether a packet from outside must not have this source.
    #[inline]
    pub(crate) fn is_spoofed(&self, ip: A) -> bool {
        is_at_home(&self.inside, &self.pool, ip)
    }

    /// The prefixes inside, from the first address to the last.
    pub(crate) fn inside(&self) -> impl Iterator<Item = RangeInclusive<A>> {
        self.inside.ranges()
    }

    pub(crate) fn check_inside(&self, ip: A) -> Result<(), DropReason> {
        let inside = self.inside.is_empty() || self.inside.contains(ip);
        if !inside || ip.is_martian() || self.pool.place(ip).is_some() {
            return Err(DropReason::SourceNotInside);
        }
        Ok(())
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
        Socket::new(ip.unwrap_or(record.internal().ip), record.external_port())
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

/// Whether an address is inside or the NAT's own.
#[inline]
fn is_at_home<A: Address>(inside: &Blocks<A>, pool: &Pool<A>, ip: A) -> bool {
    inside.contains(ip) || pool.place(ip).is_some()
}

/// Whether an address is neither martian nor inside nor the NAT's own.
fn is_elsewhere<A: Address>(inside: &Blocks<A>, pool: &Pool<A>, ip: A) -> bool {
    !ip.is_martian() && !is_at_home(inside, pool, ip)
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
pub(crate) fn check<P: Packet, A: Address>(from: Socket<A>, to: Socket<A>) -> Result<(), DropReason> {
    if P::PROTOCOL != Protocol::Icmp && (from.port == 0 || to.port == 0) {
        return Err(DropReason::ZeroPort);
    }
    if from.ip.is_martian() || to.ip.is_martian() {
        return Err(DropReason::Martian);
    }
    Ok(())
}
