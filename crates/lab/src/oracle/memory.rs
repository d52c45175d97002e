//! What the NATs of a pair remember, and what they do with a packet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use natbed_nat::behavior::{
    Behavior, FilterScope, Filtering, Hairpinning, Kind, Mapping, PortAssignment, ReplyMapping, Unsolicited,
};

use super::address::{Hop, Realm};
use super::{Address, External, Loss, NatId, Pair, Toward};

/// Everything that the NATs remember; nothing is ever forgotten.
pub(super) struct Memory<'p> {
    pair: &'p Pair,
    /// Remotes that a mapping, or an internal endpoint, has sent to.
    sent: BTreeMap<(NatId, Address), BTreeSet<Address>>,
    /// The external endpoint that first accepted a packet from a remote: (NAT, internal endpoint, remote).
    sessions: BTreeMap<(NatId, Address, Address), Address>,
    /// External endpoints that an unsolicited packet took, and toward whom.
    taken: BTreeSet<(Address, Toward)>,
}

/// A packet that has left its sender's side.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    pub(super) source: Address,
    target: Address,
    realm: Realm,
}

impl<'p> Memory<'p> {
    pub(super) fn new(pair: &'p Pair) -> Self {
        Self { pair, sent: BTreeMap::new(), sessions: BTreeMap::new(), taken: BTreeSet::new() }
    }

    /// How much there is to remember: it grows, or nothing changed.
    pub(super) fn size(&self) -> usize {
        self.sent.values().map(|remotes| 1 + remotes.len()).sum::<usize>()
            + self.sessions.len()
            + self.taken.len()
    }

    /// Sends a packet and takes it outward as far as it has to go.
    pub(super) fn depart(&mut self, from: &Address, to: &Address) -> Result<Flight, Loss> {
        let mut flight = Flight { source: from.clone(), target: to.clone(), realm: self.pair.home(from) };
        loop {
            match self.pair.hop(flight.realm, &flight.target) {
                Hop::Out(nat) if Pair::is_external_of(nat, to) => flight = self.hairpin(nat, &flight)?,
                Hop::Out(nat) => {
                    flight.source = self.outbound(nat, &flight.source, to)?;
                    flight.realm = self.pair.outside(nat);
                }
                Hop::Here | Hop::In(_) => return Ok(flight),
                Hop::Nowhere => return Err(Loss::NoRoute),
            }
        }
    }

    /// Takes a packet inward to the socket or relayed address that it reaches.
    pub(super) fn arrive(&mut self, mut flight: Flight) -> Result<Address, Loss> {
        loop {
            match self.pair.hop(flight.realm, &flight.target) {
                Hop::In(nat) => {
                    flight.target = self.inbound(nat, &flight.target, &flight.source)?;
                    flight.realm = Some(nat);
                }
                Hop::Here => {
                    let Address::External(external) = &flight.target else { return Ok(flight.target) };
                    let nat = external.nat;
                    flight.target = self.inbound(nat, &flight.target, &flight.source)?;
                    flight.realm = Some(nat);
                }
                Hop::Out(_) | Hop::Nowhere => return Err(Loss::NoRoute),
            }
        }
    }

    /// A packet from inside to one of the NAT's own external endpoints (RFC 4787 section 6). The filter sees the
    /// sender's external endpoint; the axis says which source the receiver sees.
    fn hairpin(&mut self, nat: NatId, flight: &Flight) -> Result<Flight, Loss> {
        let external = self.outbound(nat, &flight.source, &flight.target)?;
        let source = match self.pair.behavior(nat).hairpinning {
            Hairpinning::Off => return Err(Loss::NoHairpin(nat)),
            Hairpinning::ExternalSource => external.clone(),
            Hairpinning::InternalSource => flight.source.clone(),
        };
        let target = self.admit(nat, &flight.target, &external)?;
        Ok(Flight { source, target, realm: Some(nat) })
    }

    /// The source of a packet after it has gone out through `nat`.
    fn outbound(&mut self, nat: NatId, source: &Address, to: &Address) -> Result<Address, Loss> {
        if self.pair.exempts(nat, source, to) {
            return Ok(source.clone());
        }
        let behavior = self.pair.behavior(nat);
        let external = match behavior.kind {
            Kind::UdpBlocked | Kind::TcpOnly => return Err(Loss::UdpBlocked(nat)),
            Kind::None => return Ok(source.clone()),
            Kind::Firewall => source.clone(),
            Kind::Static if self.pair.is_unlisted(nat, source) => return Err(Loss::Unlisted(nat)),
            Kind::Static => external(nat, source, Toward::Anyone),
            Kind::Nat => self.mapping(nat, source, to),
        };
        self.sent.entry(filter_key(behavior, nat, source, &external)).or_default().insert(to.clone());
        Ok(external)
    }

    /// The external endpoint that a packet to `to` leaves from.
    fn mapping(&self, nat: NatId, source: &Address, to: &Address) -> Address {
        if let Some(session) = self.sessions.get(&(nat, source.clone(), to.clone())) {
            return session.clone();
        }
        let behavior = self.pair.behavior(nat);
        let destination = toward(behavior, to);
        if shares_a_port(behavior) {
            let shared = (external(nat, source, Toward::Anyone), destination.clone());
            if !self.taken.contains(&shared) {
                return shared.0;
            }
        }
        external(nat, source, destination)
    }

    /// The internal endpoint that a packet from outside reaches.
    fn inbound(&mut self, nat: NatId, target: &Address, remote: &Address) -> Result<Address, Loss> {
        if self.is_spoofed(nat, remote) {
            return Err(Loss::Spoofed(nat));
        }
        if self.pair.translates(nat) && self.pair.is_inside(nat, target) {
            let exempt = self.pair.exempts(nat, target, remote);
            return if exempt { Ok(target.clone()) } else { Err(Loss::NotForUs(nat)) };
        }
        let admitted = self.admit(nat, target, remote);
        let behavior = self.pair.behavior(nat);
        if admitted.is_err() && behavior.unsolicited == Unsolicited::CreatesState && shares_a_port(behavior) {
            self.take(nat, target, remote);
        }
        admitted
    }

    /// Whether a packet from outside claims to come from inside (RFC 2827), as one does that an outer NAT has turned
    /// around with its internal source. A plain router does not look.
    fn is_spoofed(&self, nat: NatId, remote: &Address) -> bool {
        self.pair.behavior(nat).kind != Kind::None
            && (Pair::is_external_of(nat, remote) || self.pair.is_inside(nat, remote))
    }

    /// The internal endpoint that a packet from `remote` to `target` reaches.
    fn admit(&mut self, nat: NatId, target: &Address, remote: &Address) -> Result<Address, Loss> {
        let behavior = self.pair.behavior(nat);
        let internal = internal(nat, target);
        let accepted = match behavior.kind {
            Kind::UdpBlocked | Kind::TcpOnly => return Err(Loss::UdpBlocked(nat)),
            Kind::None | Kind::Static => true,
            Kind::Firewall | Kind::Nat => self.accepts(nat, target, remote),
        };
        if !accepted {
            return Err(Loss::Filtered(nat));
        }
        if behavior.kind == Kind::Nat && behavior.reply_mapping == ReplyMapping::InboundSession {
            let session = (nat, internal.clone(), remote.clone());
            self.sessions.entry(session).or_insert_with(|| target.clone());
        }
        Ok(internal)
    }

    /// An unsolicited packet takes the place of the mapping toward its source, unless there is one.
    fn take(&mut self, nat: NatId, target: &Address, remote: &Address) {
        let behavior = self.pair.behavior(nat);
        let place = toward(behavior, remote);
        let sent = self.sent.get(&filter_key(behavior, nat, &internal(nat, target), target));
        if !sent.is_some_and(|sent| sent.iter().any(|to| toward(behavior, to) == place)) {
            self.taken.insert((target.clone(), place));
        }
    }

    /// The filter (RFC 4787 section 5).
    fn accepts(&self, nat: NatId, target: &Address, remote: &Address) -> bool {
        let behavior = self.pair.behavior(nat);
        if self.taken.contains(&(target.clone(), toward(behavior, remote))) {
            return false;
        }
        let key = filter_key(behavior, nat, &internal(nat, target), target);
        let Some(sent) = self.sent.get(&key) else { return false };
        match behavior.filtering {
            Filtering::EndpointIndependent => true,
            Filtering::AddressDependent => sent.iter().any(|to| to.ip() == remote.ip()),
            Filtering::AddressAndPortDependent => sent.contains(remote),
        }
    }
}

fn external(nat: NatId, internal: &Address, toward: Toward) -> Address {
    Address::External(Arc::new(External { nat, internal: internal.clone(), toward }))
}

/// The destinations that share a mapping with `to` (RFC 4787 section 4.1).
fn toward(behavior: &Behavior, to: &Address) -> Toward {
    match behavior.mapping {
        Mapping::EndpointIndependent => Toward::Anyone,
        Mapping::AddressDependent => Toward::Ip(to.ip()),
        Mapping::AddressAndPortDependent => Toward::Exactly(to.clone()),
    }
}

/// What is behind an external endpoint of `nat`. A firewall passes addresses as they are, a NAT's behind it too.
fn internal(nat: NatId, target: &Address) -> Address {
    match target {
        Address::External(external) if external.nat == nat => external.internal.clone(),
        address => address.clone(),
    }
}

/// Whether the mappings of an internal endpoint toward different remotes all keep its own port, so that remotes see
/// one external endpoint. It lets in what any of the mappings lets in.
fn shares_a_port(behavior: &Behavior) -> bool {
    behavior.kind == Kind::Nat && behavior.port_overloading && behavior.ports == PortAssignment::Preserve
}

/// What the filter's memory is kept for.
fn filter_key(behavior: &Behavior, nat: NatId, internal: &Address, external: &Address) -> (NatId, Address) {
    match behavior.filter_scope {
        FilterScope::Mapping => (nat, external.clone()),
        FilterScope::Endpoint => (nat, internal.clone()),
    }
}
