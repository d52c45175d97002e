//! The engine: packets in, packets out, and a table between.

use std::net::IpAddr;
use std::sync::Arc;

use natbed_packet::{Datagram, Family, Prefix, Timestamp, Transport};
use rand_xoshiro::Xoshiro256PlusPlus;
use thiserror::Error;

use crate::address::Blocks;
use crate::basic::Basic;
use crate::batch::{self, Flow, Verdict};
use crate::behavior::{Behavior, BehaviorError, Kind};
use crate::nat_type::NatType;
use crate::outcome::{DropReason, Forward, LateReply, MappingId, Outcome, ReleasedFragment};
use crate::pool::Pool;
use crate::translator::Translator;
use crate::view::{Event, MappingView};

/// What a [`Nat`] is made from.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// What it does.
    pub behavior: Behavior,
    /// Its external addresses. A firewall or a router has none.
    pub external: Vec<IpAddr>,
    /// The prefixes inside; none: any source is taken for inside. For [`Kind::Static`] the internal hosts, one
    /// address each, in the order of their external addresses.
    pub internal: Vec<Prefix>,
}

/// Why there is no [`Nat`] of this [`Config`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// The behaviour contradicts itself.
    #[error(transparent)]
    Behavior(#[from] BehaviorError),
    /// A NAT needs an external address.
    #[error("a NAT needs an external address")]
    NoExternal,
    /// A firewall or router has no external addresses.
    #[error("a box that translates nothing has no external address")]
    ExternalUnused,
    /// An external address stands there twice.
    #[error("the external address {0} is there twice")]
    DuplicateExternal(IpAddr),
    /// More external addresses than a NAT may have, 65535.
    #[error("there are more than 65535 external addresses")]
    TooManyExternal,
    /// IPv4 and IPv6 together: a NAT handles one of them.
    #[error("a NAT handles IPv4 or IPv6, and the addresses are of both")]
    MixedFamilies,
    /// A static NAT's internal prefix is not a single host.
    #[error("{0} is not a single host, as a static NAT needs")]
    NotAHost(Prefix),
    /// A static NAT has fewer external addresses than internal hosts.
    #[error("{hosts} hosts have {external} external addresses; a static NAT needs one for each")]
    TooFewExternal {
        /// Internal hosts.
        hosts: usize,
        /// External addresses.
        external: usize,
    },
}

/// A NAT, firewall or router between an inside and an outside interface, for one address family.
///
/// It never acts of its own accord: mappings expire exactly on time because every call is told the time, which must
/// not run backwards (if it does, it is taken to stand still).
#[derive(Clone, Debug)]
pub struct Nat {
    machine: Machine,
}

#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are of the large one, and save a pointer to follow"
)]
enum Machine {
    Router(Arc<Behavior>),
    Static(Basic),
    V4(Translator<u32>),
    /// Apart, as it is larger.
    V6(Box<Translator<u128>>),
}

impl Nat {
    /// A NAT with an empty table, drawing ports from `rng`. Where there are many of one behaviour, [`NatType::nat`] has
    /// them share it.
    pub fn new(config: Config, rng: Xoshiro256PlusPlus) -> Result<Self, ConfigError> {
        let Config { behavior, external, internal } = config;
        NatType::new(behavior)?.nat(&external, &internal, rng)
    }

    pub(crate) fn of_type(
        nat_type: &NatType,
        external: &[IpAddr],
        internal: &[Prefix],
        rng: Xoshiro256PlusPlus,
    ) -> Result<Self, ConfigError> {
        let family = family_of(external, internal)?;
        let nat_type = nat_type.clone();
        let kind = nat_type.behavior.kind;
        let translates = matches!(kind, Kind::Nat | Kind::Static);
        if translates && external.is_empty() {
            return Err(ConfigError::NoExternal);
        }
        if !translates && !external.is_empty() {
            return Err(ConfigError::ExternalUnused);
        }
        let machine = match (kind, family) {
            (Kind::None | Kind::UdpBlocked | Kind::TcpOnly, _) => Machine::Router(nat_type.behavior),
            (Kind::Static, _) => Machine::Static(Basic::new(nat_type.behavior, external, internal)?),
            (Kind::Nat | Kind::Firewall, Family::V4) => {
                Machine::V4(Translator::new(nat_type, Pool::new(external)?, blocks(internal)?, rng))
            }
            (Kind::Nat | Kind::Firewall, Family::V6) => {
                let translator = Translator::new(nat_type, Pool::new(external)?, blocks(internal)?, rng);
                Machine::V6(Box::new(translator))
            }
        };
        Ok(Self { machine })
    }

    /// A packet that came in through the inside interface. Unless dropped, it is rewritten in place.
    pub fn outbound(&mut self, now: Timestamp, datagram: &mut Datagram) -> Outcome {
        match &mut self.machine {
            Machine::Router(behavior) => route(behavior.kind, datagram, Outcome::Outside),
            Machine::Static(basic) => basic.outbound(datagram),
            Machine::V4(translator) => translator.outbound_datagram(now, datagram),
            Machine::V6(translator) => translator.outbound_datagram(now, datagram),
        }
    }

    /// A packet that came in through the outside interface. Unless dropped, it is rewritten in place.
    pub fn inbound(&mut self, now: Timestamp, datagram: &mut Datagram) -> Outcome {
        match &mut self.machine {
            Machine::Router(behavior) => route(behavior.kind, datagram, Outcome::Inside),
            Machine::Static(basic) => basic.inbound(datagram),
            Machine::V4(translator) => translator.inbound_datagram(now, datagram),
            Machine::V6(translator) => translator.inbound_datagram(now, datagram),
        }
    }

    /// What the NAT does.
    pub fn behavior(&self) -> &Behavior {
        match &self.machine {
            Machine::Router(behavior) => behavior,
            Machine::Static(basic) => &basic.behavior,
            Machine::V4(translator) => &translator.behavior,
            Machine::V6(translator) => &translator.behavior,
        }
    }

    /// A live mapping.
    pub fn mapping(&self, id: MappingId, now: Timestamp) -> Option<MappingView> {
        match &self.machine {
            Machine::Router(_) | Machine::Static(_) => None,
            Machine::V4(translator) => translator.mapping(id, now),
            Machine::V6(translator) => translator.mapping(id, now),
        }
    }

    /// The mappings that are alive at `now`, ordered by internal endpoint, external endpoint and destination.
    pub fn snapshot(&self, now: Timestamp) -> Vec<MappingView> {
        match &self.machine {
            Machine::Router(_) | Machine::Static(_) => Vec::new(),
            Machine::V4(translator) => translator.snapshot(now),
            Machine::V6(translator) => translator.snapshot(now),
        }
    }

    /// Whether to queue an [`Event`] for each mapping that ends. At first it does not.
    pub fn observe(&mut self, on: bool) {
        match &mut self.machine {
            Machine::Router(_) | Machine::Static(_) => {}
            Machine::V4(translator) => translator.observe(on),
            Machine::V6(translator) => translator.observe(on),
        }
    }

    /// Ends the mappings whose time has come, makes due replies ready, and releases the fragments that have waited for
    /// too long. Every other call does so too, hence this matters only to one who wants them, or the memory, at once.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        match &mut self.machine {
            Machine::Router(_) | Machine::Static(_) => {}
            Machine::V4(translator) => translator.handle_timeout(now),
            Machine::V6(translator) => translator.handle_timeout(now),
        }
    }

    /// When to call [`Nat::handle_timeout`]: no later than the next reply is due, a fragment has waited for too
    /// long or, if somebody observes, the next mapping expires. `None` if there is neither.
    #[inline]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        match &self.machine {
            Machine::Router(_) | Machine::Static(_) => None,
            Machine::V4(translator) => translator.poll_timeout(),
            Machine::V6(translator) => translator.poll_timeout(),
        }
    }

    /// The next event that was queued.
    pub fn poll_event(&mut self) -> Option<Event> {
        match &mut self.machine {
            Machine::Router(_) | Machine::Static(_) => None,
            Machine::V4(translator) => translator.poll_event(),
            Machine::V6(translator) => translator.poll_event(),
        }
    }

    /// The next ICMP error that is due for a packet that was dropped some time ago.
    pub fn poll_reply(&mut self) -> Option<LateReply> {
        match &mut self.machine {
            Machine::Router(_) | Machine::Static(_) => None,
            Machine::V4(translator) => translator.poll_reply(),
            Machine::V6(translator) => translator.poll_reply(),
        }
    }

    /// The next fragment that waited and does so no longer: those of its datagram that it waited for have come, or have
    /// not in time; its datagram is discarded, as fragments of it contradict each other; or the NAT was rebooted or got
    /// other external addresses. To be asked for after every call.
    ///
    /// Of a datagram's fragments the first alone creates a mapping or permits a remote, and it is released before those
    /// that follow it. Hence, where a call was about another one, those that it releases go before that, else after it.
    pub fn poll_fragment(&mut self) -> Option<ReleasedFragment> {
        match &mut self.machine {
            Machine::Router(_) | Machine::Static(_) => None,
            Machine::V4(translator) => translator.fragments.as_mut()?.poll(),
            Machine::V6(translator) => translator.fragments.as_mut()?.poll(),
        }
    }

    /// Forgets every mapping, as a NAT does that loses power.
    pub fn reboot(&mut self, now: Timestamp) {
        match &mut self.machine {
            Machine::Router(_) | Machine::Static(_) => {}
            Machine::V4(translator) => translator.reboot(now),
            Machine::V6(translator) => translator.reboot(now),
        }
    }

    /// Gives the NAT other external addresses, of the same family. The mappings of those that are gone end; the
    /// others stay.
    pub fn set_external(&mut self, now: Timestamp, external: &[IpAddr]) -> Result<(), ConfigError> {
        if external.is_empty() {
            return Err(ConfigError::NoExternal);
        }
        match &mut self.machine {
            Machine::Router(_) => return Err(ConfigError::ExternalUnused),
            Machine::Static(basic) => basic.set_external(external)?,
            Machine::V4(translator) => translator.set_pool(now, Pool::new(external)?)?,
            Machine::V6(translator) => translator.set_pool(now, Pool::new(external)?)?,
        }
        Ok(())
    }

    /// Octets that the table takes on the heap.
    pub fn allocated_bytes(&self) -> usize {
        match &self.machine {
            Machine::Router(_) | Machine::Static(_) => 0,
            Machine::V4(translator) => translator.allocated(),
            Machine::V6(translator) => size_of::<Translator<u128>>() + translator.allocated(),
        }
    }
}

impl Nat {
    /// Translates many IPv4 UDP flows from inside, each as [`Nat::outbound`] would, and pushes a verdict for each.
    /// Their table look-ups overlap, which makes large tables several times faster.
    ///
    /// ```
    /// use natbed_nat::{Behavior, Config, Flow, Nat, Verdict};
    /// use natbed_packet::Timestamp;
    /// use rand::SeedableRng;
    /// use rand_xoshiro::Xoshiro256PlusPlus;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let config = Config { behavior: Behavior::default(), external: vec!["203.0.113.1".parse()?], internal: vec![] };
    /// let mut nat = Nat::new(config, Xoshiro256PlusPlus::seed_from_u64(1))?;
    /// let (alice, server) = ("192.168.1.10:5000".parse()?, "198.51.100.1:3478".parse()?);
    /// let mut verdicts = Vec::new();
    /// nat.outbound_batch(Timestamp::ZERO, &[Flow::new(alice, server)], &mut verdicts);
    /// let [Verdict::Outside(seen)] = verdicts[..] else { panic!("{verdicts:?}") };
    /// verdicts.clear();
    /// nat.inbound_batch(Timestamp::ZERO, &[Flow::new(server, seen.source())], &mut verdicts);
    /// assert_eq!(verdicts, [Verdict::Inside(Flow::new(server, alice))]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn outbound_batch(&mut self, now: Timestamp, flows: &[Flow], verdicts: &mut Vec<Verdict>) {
        match &mut self.machine {
            Machine::V4(translator) if translator.behavior.exempt.is_empty() => {
                translator.outbound_batch(now, flows, verdicts);
            }
            _ => verdicts
                .extend(flows.iter().map(|flow| batch::single(*flow, |packet| self.outbound(now, packet)))),
        }
    }

    /// Translates many IPv4 UDP flows from outside, each as [`Nat::inbound`] would, and pushes a verdict for each.
    pub fn inbound_batch(&mut self, now: Timestamp, flows: &[Flow], verdicts: &mut Vec<Verdict>) {
        match &mut self.machine {
            Machine::V4(translator) if translator.behavior.exempt.is_empty() => {
                translator.inbound_batch(now, flows, verdicts);
            }
            _ => verdicts
                .extend(flows.iter().map(|flow| batch::single(*flow, |packet| self.inbound(now, packet)))),
        }
    }
}

#[cfg(test)]
impl Nat {
    /// Lets its table grow large at other sizes.
    pub(crate) const fn set_limits(&mut self, limits: &'static crate::table::Limits) {
        match &mut self.machine {
            Machine::Router(_) | Machine::Static(_) => {}
            Machine::V4(translator) => translator.table.set_limits(limits),
            Machine::V6(translator) => translator.table.set_limits(limits),
        }
    }
}

/// A box that keeps no table: passes what its kind allows.
fn route(kind: Kind, datagram: &Datagram, pass: fn(Forward) -> Outcome) -> Outcome {
    let protocol = match &datagram.transport {
        Transport::Udp(_) => UDP,
        Transport::Tcp(_) => TCP,
        Transport::Fragment { protocol, .. } => *protocol,
        Transport::Icmp(_) => ICMP,
    };
    match kind {
        Kind::UdpBlocked if protocol == UDP => Outcome::Drop(DropReason::UdpBlocked.into()),
        Kind::TcpOnly if protocol != TCP => Outcome::Drop(DropReason::TcpOnly.into()),
        _ => pass(Forward::default()),
    }
}

/// IP protocol numbers.
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;

fn family_of(external: &[IpAddr], internal: &[Prefix]) -> Result<Family, ConfigError> {
    let external = external.iter().map(|ip| Family::of(*ip));
    let mut families = external.chain(internal.iter().map(|prefix| prefix.family()));
    let family = families.next().unwrap_or(Family::V4);
    if families.all(|other| other == family) { Ok(family) } else { Err(ConfigError::MixedFamilies) }
}

fn blocks<A: crate::address::Address>(internal: &[Prefix]) -> Result<Blocks<A>, ConfigError> {
    Blocks::new(internal).ok_or(ConfigError::MixedFamilies)
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
