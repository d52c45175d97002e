//! A small network in virtual time: two agents, each perhaps behind a NAT, a STUN server and a TURN server.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bytes::Bytes;
use natbed_packet::{Endpoint, IcmpErrorKind, Timestamp};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::ice::{
    Agent, Candidate, Config, Credentials, Event, GatheringState, Role, SelectedPair, TurnServer,
};
use crate::stun::{BindingServer, is_stun};
use crate::turn::server::{Config as TurnConfig, Effect};
use crate::turn::{ClientSocket, PeerSocket, RelayedAddress, Server};

pub(super) const STUN: Endpoint = Endpoint::v4(198, 51, 100, 1, 3478);
pub(super) const TURN: Endpoint = Endpoint::v4(198, 51, 100, 2, 3478);
const RELAY: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 3));

/// How a side is attached to the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attachment {
    /// Whether addresses are translated.
    pub(super) translates: bool,
    pub(super) mapping: Scope,
    pub(super) filtering: Scope,
    /// Whether both sides are behind the first side's NAT.
    pub(super) shared: bool,
}

/// What a mapping or filter depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Nothing,
    Address,
    AddressAndPort,
}

impl Attachment {
    pub(super) const PUBLIC: Self = Self::new(false, Scope::Nothing, Scope::Nothing);
    pub(super) const FIREWALL: Self = Self::new(false, Scope::Nothing, Scope::AddressAndPort);
    pub(super) const FULL_CONE: Self = Self::new(true, Scope::Nothing, Scope::Nothing);
    pub(super) const ADDRESS_RESTRICTED: Self = Self::new(true, Scope::Nothing, Scope::Address);
    pub(super) const PORT_RESTRICTED: Self = Self::new(true, Scope::Nothing, Scope::AddressAndPort);
    pub(super) const SYMMETRIC: Self = Self::new(true, Scope::AddressAndPort, Scope::AddressAndPort);
    pub(super) const SYMMETRIC_OPEN: Self = Self::new(true, Scope::AddressAndPort, Scope::Nothing);
    pub(super) const CLASSIC: [Self; 4] =
        [Self::FULL_CONE, Self::ADDRESS_RESTRICTED, Self::PORT_RESTRICTED, Self::SYMMETRIC];

    const fn new(translates: bool, mapping: Scope, filtering: Scope) -> Self {
        Self { translates, mapping, filtering, shared: false }
    }
}

struct Nat {
    attachment: Attachment,
    external: IpAddr,
    next_port: u16,
    mappings: Vec<Mapping>,
}

struct Mapping {
    internal: Endpoint,
    /// The destination that an endpoint-dependent mapping is for.
    key: Option<Endpoint>,
    external: Endpoint,
    permitted: Vec<Endpoint>,
}

impl Nat {
    fn outbound(&mut self, from: Endpoint, to: Endpoint) -> Endpoint {
        let key = match self.attachment.mapping {
            Scope::Nothing => None,
            Scope::Address => Some(Endpoint::new(to.ip, 0)),
            Scope::AddressAndPort => Some(to),
        };
        let known = self.mappings.iter().position(|m| m.internal == from && m.key == key);
        let place = known.unwrap_or_else(|| {
            let external = if self.attachment.translates {
                self.next_port += 1;
                Endpoint::new(self.external, self.next_port)
            } else {
                from
            };
            self.mappings.push(Mapping { internal: from, key, external, permitted: Vec::new() });
            self.mappings.len() - 1
        });
        let mapping = &mut self.mappings[place];
        if !mapping.permitted.contains(&to) {
            mapping.permitted.push(to);
        }
        mapping.external
    }

    fn inbound(&self, from: Endpoint, to: Endpoint) -> Option<Endpoint> {
        if !self.attachment.translates && self.attachment.filtering == Scope::Nothing {
            return Some(to);
        }
        let mapping = self.mappings.iter().find(|mapping| mapping.external == to)?;
        let admitted = match self.attachment.filtering {
            Scope::Nothing => true,
            Scope::Address => mapping.permitted.iter().any(|permitted| permitted.ip == from.ip),
            Scope::AddressAndPort => mapping.permitted.contains(&from),
        };
        admitted.then_some(mapping.internal)
    }
}

pub(super) struct Side {
    pub(super) agent: Agent,
    nat: usize,
    pub(super) bases: Vec<Endpoint>,
    pub(super) log: Vec<(Timestamp, Event)>,
    /// One-way delay to the core of the internet.
    pub(super) delay: Duration,
    /// Whether it keeps its candidates to itself.
    mute: bool,
}

enum Action {
    /// A datagram leaves a side.
    Leave {
        side: usize,
        from: Endpoint,
        to: Endpoint,
        payload: Bytes,
    },
    /// A datagram arrives on the internet side of its destination.
    Arrive {
        from: Endpoint,
        to: Endpoint,
        payload: Bytes,
    },
    /// A datagram arrives at a side's socket.
    Deliver {
        side: usize,
        from: Endpoint,
        to: Endpoint,
        payload: Bytes,
    },
    Signal {
        side: usize,
        signal: Signal,
    },
    Start {
        side: usize,
    },
}

#[derive(Clone)]
enum Signal {
    Lite,
    Credentials(Credentials),
    Candidate(Candidate),
    End,
}

/// Which datagrams get lost, by the time they are sent and the addresses they go between.
type Loss = Box<dyn FnMut(Timestamp, Endpoint, Endpoint) -> bool>;

pub(super) struct World {
    pub(super) now: Timestamp,
    sequence: u64,
    queue: BTreeMap<(Timestamp, u64), Action>,
    pub(super) sides: Vec<Side>,
    nats: Vec<Nat>,
    stun: BindingServer,
    turn: Server,
    pub(super) signaling: Duration,
    /// Whether candidates that are signalled arrive at all.
    pub(super) trickles: bool,
    pub(super) loss: Loss,
    pub(super) packets: usize,
    /// Up to so much is added to every delay, so that datagrams overtake each other.
    pub(super) jitter: Duration,
    rng: Xoshiro256PlusPlus,
}

/// A configuration with both servers.
pub(super) fn config(role: Role) -> Config {
    Config {
        stun_servers: vec![STUN],
        turn_servers: vec![TurnServer {
            address: TURN,
            username: "student".to_owned(),
            password: "secret".to_owned(),
        }],
        ..Config::new(role)
    }
}

impl World {
    /// Agents with both servers behind `a` and `b`, the first controlling.
    pub(super) fn new(a: Attachment, b: Attachment) -> Self {
        Self::with(a, b, config(Role::Controlling), config(Role::Controlled), 1)
    }

    pub(super) fn with(a: Attachment, b: Attachment, first: Config, second: Config, seed: u64) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut turn = Server::new(TurnConfig::new("natbed", RELAY), Xoshiro256PlusPlus::from_rng(&mut rng));
        turn.add_user("student", "secret");
        let shared = b.shared;
        let nats = [(a, 1), (b, 2)].map(|(attachment, octet)| Nat {
            attachment,
            external: Ipv4Addr::new(203, 0, 113, octet).into(),
            next_port: 40_000,
            mappings: Vec::new(),
        });
        let mut side = |config, nat: usize, host: Endpoint| Side {
            agent: Agent::new(config, Xoshiro256PlusPlus::from_rng(&mut rng)),
            nat,
            bases: vec![host],
            log: Vec::new(),
            delay: Duration::from_millis(10),
            mute: false,
        };
        let host = |attachment: Attachment, octet| match attachment.translates {
            true => Endpoint::v4(192, 168, octet, 10, 5000),
            false => Endpoint::v4(203, 0, 113, octet, 5000),
        };
        let second_host = if shared { Endpoint::v4(192, 168, 1, 11, 5000) } else { host(b, 2) };
        let sides = vec![side(first, 0, host(a, 1)), side(second, usize::from(!shared), second_host)];
        Self {
            now: Timestamp::ZERO,
            sequence: 0,
            queue: BTreeMap::new(),
            sides,
            nats: nats.into(),
            stun: BindingServer::new(STUN),
            turn,
            signaling: Duration::from_millis(50),
            trickles: true,
            loss: Box::new(|_, _, _| false),
            packets: 0,
            jitter: Duration::ZERO,
            rng,
        }
    }

    /// Starts both sides at once.
    pub(super) fn start(&mut self) {
        self.start_at(0, Duration::ZERO);
        self.start_at(1, Duration::ZERO);
    }

    pub(super) fn start_at(&mut self, side: usize, after: Duration) {
        self.schedule(after, Action::Start { side });
    }

    /// Runs until `seconds` have passed.
    pub(super) fn run(&mut self, seconds: f64) {
        let end = Timestamp::ZERO + Duration::from_secs_f64(seconds);
        while let Some(next) = self.next().filter(|&next| next <= end) {
            self.step(next);
        }
        self.now = end;
    }

    /// Runs until both sides have selected a pair, or so many seconds have passed.
    pub(super) fn connect(&mut self, seconds: f64) {
        let end = Timestamp::ZERO + Duration::from_secs_f64(seconds);
        while self.sides.iter().any(|side| side.agent.selected().is_none()) {
            let Some(next) = self.next().filter(|&next| next <= end) else { return };
            self.step(next);
        }
    }

    pub(super) fn selected(&self, side: usize) -> SelectedPair {
        *self.sides[side].agent.selected().expect("a pair is selected")
    }

    /// Events of a side that are such.
    pub(super) fn count(&self, side: usize, such: impl Fn(&Event) -> bool) -> usize {
        self.sides[side].log.iter().filter(|(_, event)| such(event)).count()
    }

    /// When a side first told such an event.
    pub(super) fn when(&self, side: usize, such: impl Fn(&Event) -> bool) -> Option<Timestamp> {
        self.sides[side].log.iter().find(|(_, event)| such(event)).map(|&(at, _)| at)
    }

    /// Does something to an agent, and takes what comes of it.
    pub(super) fn tell(&mut self, side: usize, what: impl FnOnce(Timestamp, &mut Agent)) {
        what(self.now, &mut self.sides[side].agent);
        self.drain(side);
    }

    /// How many allocations the TURN server has.
    pub(super) fn allocations(&self) -> usize {
        self.turn.allocation_count()
    }

    /// Drops the signals that are on their way, and all that a side gives from now on.
    pub(super) fn hold_signals(&mut self) {
        self.queue.retain(|_, action| !matches!(action, Action::Signal { .. }));
        self.trickles = false;
    }

    /// Has the TURN server meet an ICMP error about what it relayed.
    pub(super) fn relay_error(&mut self, relayed: Endpoint, peer: Endpoint, error: IcmpErrorKind) {
        self.turn.handle_peer_error(self.now, RelayedAddress(relayed), PeerSocket(peer), error);
        self.drain_turn();
    }

    /// Drops the signals to a side that are on their way.
    pub(super) fn hold_signals_to(&mut self, held: usize) {
        self.queue.retain(|_, action| !matches!(action, Action::Signal { side, .. } if *side == held));
    }

    /// Has a side signal no candidate.
    pub(super) fn mute(&mut self, side: usize) {
        self.sides[side].mute = true;
    }

    /// Forgets all mappings of a NAT, and gives out other ports from now on.
    pub(super) fn reboot_nat(&mut self, side: usize) {
        let nat = self.sides[side].nat;
        self.nats[nat].mappings.clear();
        self.nats[nat].next_port += 1000;
    }

    fn next(&self) -> Option<Timestamp> {
        let queued = self.queue.first_key_value().map(|(&(at, _), _)| at);
        let agents = self.sides.iter().filter_map(|side| side.agent.poll_timeout());
        agents.chain(queued).chain(self.turn.poll_timeout()).min()
    }

    fn step(&mut self, next: Timestamp) {
        assert!(next >= self.now, "time runs backwards");
        self.now = next;
        if self.turn.poll_timeout().is_some_and(|at| at <= next) {
            self.turn.handle_timeout(next);
            self.drain_turn();
        }
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= next) {
            let action = entry.remove();
            self.act(action);
        }
        for side in 0..self.sides.len() {
            let agent = &mut self.sides[side].agent;
            if agent.poll_timeout().is_some_and(|at| at <= next) {
                agent.handle_timeout(next);
                assert!(agent.poll_timeout().is_none_or(|at| at > next), "timers advance strictly");
                self.drain(side);
            }
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Start { side } => self.begin(side),
            Action::Signal { side, signal } => self.tell(side, |now, agent| match signal {
                Signal::Lite => agent.set_remote_lite(true),
                Signal::Credentials(credentials) => agent.set_remote_credentials(now, &credentials),
                Signal::Candidate(candidate) => agent.add_remote_candidate(now, candidate),
                Signal::End => agent.end_of_remote_candidates(now),
            }),
            Action::Deliver { side, from, to, payload } => {
                self.tell(side, |now, agent| agent.handle_input(now, to, from, &payload));
            }
            Action::Leave { side, from, to, payload } => self.leave(side, from, to, payload),
            Action::Arrive { from, to, payload } => self.arrive(from, to, payload),
        }
    }

    fn begin(&mut self, side: usize) {
        let credentials = self.sides[side].agent.credentials().clone();
        if self.sides[side].agent.is_lite() {
            self.signal(side, Signal::Lite);
        }
        self.signal(side, Signal::Credentials(credentials));
        let interfaces: Vec<_> = self.sides[side].bases.iter().map(|base| vec![*base]).collect();
        self.tell(side, |now, agent| agent.add_interfaces(now, &interfaces));
        self.tell(side, |now, agent| agent.gather(now));
    }

    fn signal(&mut self, from: usize, signal: Signal) {
        let side = 1 - from;
        self.schedule(self.signaling, Action::Signal { side, signal });
    }

    fn schedule(&mut self, after: Duration, action: Action) {
        self.sequence += 1;
        self.queue.insert((self.now + after, self.sequence), action);
    }

    fn drain(&mut self, side: usize) {
        while let Some(transmit) = self.sides[side].agent.poll_transmit() {
            let (from, to, payload) = (transmit.from, transmit.to, transmit.payload);
            self.packets += 1;
            // RFC 8489 section 6.1, for IPv4 where the path MTU is unknown.
            assert!(!is_stun(&payload) || payload.len() < 548, "{} octets", payload.len());
            self.schedule(Duration::from_micros(100), Action::Leave { side, from, to, payload });
        }
        let trickles = self.trickles && !self.sides[side].mute;
        while let Some(event) = self.sides[side].agent.poll_event() {
            match &event {
                Event::LocalCandidate { candidate, .. } if trickles => {
                    self.signal(side, Signal::Candidate(*candidate));
                }
                Event::EndOfCandidates { .. } if trickles => self.signal(side, Signal::End),
                Event::Restarted { .. } => {
                    let credentials = self.sides[side].agent.credentials().clone();
                    self.signal(side, Signal::Credentials(credentials));
                }
                _ => {}
            }
            self.sides[side].log.push((self.now, event));
        }
    }

    fn leave(&mut self, side: usize, from: Endpoint, to: Endpoint, payload: Bytes) {
        let nat = self.sides[side].nat;
        let neighbour = self.sides.iter().position(|other| other.nat == nat && other.bases.contains(&to));
        if let Some(side) = neighbour {
            return self.schedule(Duration::from_micros(100), Action::Deliver { side, from, to, payload });
        }
        if is_private(to) {
            return;
        }
        let delay = self.sides[side].delay + self.rng.random_range(Duration::ZERO..=self.jitter);
        let from = self.nats[nat].outbound(from, to);
        if !(self.loss)(self.now, from, to) {
            self.schedule(delay, Action::Arrive { from, to, payload });
        }
    }

    fn arrive(&mut self, from: Endpoint, to: Endpoint, payload: Bytes) {
        if to == STUN {
            if let Some(response) = self.stun.handle(to, from, &payload) {
                self.schedule(
                    Duration::ZERO,
                    Action::Arrive { from: STUN, to: response.to, payload: response.payload },
                );
            }
            return;
        }
        if to == TURN {
            self.turn.handle_client(self.now, to, ClientSocket(from), &payload);
            return self.drain_turn();
        }
        if to.ip == RELAY {
            self.turn.handle_peer(self.now, RelayedAddress(to), PeerSocket(from), &payload);
            return self.drain_turn();
        }
        for side in 0..self.sides.len() {
            let nat = &self.nats[self.sides[side].nat];
            let here =
                nat.external == to.ip || (!nat.attachment.translates && self.sides[side].bases.contains(&to));
            let inner = nat.inbound(from, to).filter(|inner| here && self.sides[side].bases.contains(inner));
            if let Some(to) = inner {
                let delay = self.sides[side].delay;
                return self.schedule(delay, Action::Deliver { side, from, to, payload });
            }
        }
    }

    fn drain_turn(&mut self) {
        while let Some(effect) = self.turn.poll_effect() {
            let (from, to, payload) = match effect {
                Effect::ToClient { from, to, payload } => (from, to.0, payload),
                Effect::ToPeer { from, to, payload, .. } => (from.0, to.0, payload),
                Effect::Bind(_) | Effect::Unbind(_) | Effect::Discard { .. } => continue,
            };
            if !is_private(to) && !(self.loss)(self.now, from, to) {
                self.schedule(Duration::ZERO, Action::Arrive { from, to, payload });
            }
        }
    }
}

fn is_private(endpoint: Endpoint) -> bool {
    matches!(endpoint.ip, IpAddr::V4(ip) if ip.is_private())
}

/// Whether gathering is over.
pub(super) fn gathered(event: &Event) -> bool {
    *event == Event::GatheringState(GatheringState::Complete)
}
