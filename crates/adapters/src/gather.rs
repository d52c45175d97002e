//! Gathering for stacks that leave it to the application (RFC 8445 section 5.1.1): this project's STUN and TURN clients,
//! and the way of data through the allocations.

use std::collections::VecDeque;

use natbed_packet::{Endpoint, Timestamp};
use natbed_traversal::Transmit;
use natbed_traversal::ice::{Addresses, CandidateType, Config, Event, GatherFailure, Policy, Rto};
use natbed_traversal::stun::{BindingClient, BindingEvent, BindingFailure, Schedule};
use natbed_traversal::turn::Client;
use natbed_traversal::turn::client::{self, Failure};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::stack::{Found, Packet};

/// Asks the servers of a configuration from every socket, one question each Ta (RFC 8445 section 14.2).
#[derive(Debug)]
pub(crate) struct Gatherer {
    config: Config,
    rng: Xoshiro256PlusPlus,
    questions: VecDeque<Question>,
    next: Timestamp,
    bindings: Vec<(Endpoint, Endpoint, BindingClient)>,
    relays: Vec<Relay>,
    reflexive: Vec<(Endpoint, Endpoint)>,
    news: VecDeque<News>,
    gathering: bool,
}

#[derive(Clone, Copy, Debug)]
struct Question {
    socket: Endpoint,
    server: Endpoint,
    /// The TURN server's place in the configuration.
    turn: Option<usize>,
}

#[derive(Debug)]
struct Relay {
    client: Client,
    allocating: bool,
}

/// What gathering brings.
#[derive(Debug)]
pub(crate) enum News {
    /// A candidate.
    Found(Found),
    /// Something to tell.
    Event(Event),
    /// Every server has answered or failed.
    Done,
}

/// What became of a datagram.
#[derive(Debug)]
pub(crate) enum Heard {
    /// It was for a client, and is dealt with.
    Nothing,
    /// It is for the stack.
    Packet(Packet),
}

impl Gatherer {
    pub(crate) fn new(config: Config, rng: Xoshiro256PlusPlus) -> Self {
        Self {
            config,
            rng,
            questions: VecDeque::new(),
            next: Timestamp::ZERO,
            bindings: Vec::new(),
            relays: Vec::new(),
            reflexive: Vec::new(),
            news: VecDeque::new(),
            gathering: false,
        }
    }

    /// Gathers on `socket`: it is a host candidate itself, and every server of its family is asked from it.
    pub(crate) fn ask_from(&mut self, now: Timestamp, socket: Endpoint) {
        let relays_only = self.relays_only();
        if self.config.addresses != Addresses::DefaultRoute && !relays_only {
            let found = Found { kind: CandidateType::Host, address: socket, socket, server: None };
            self.news.push_back(News::Found(found));
        }
        let stun = self.config.stun_servers.iter().filter(|_| !relays_only);
        let stun = stun.map(|server| Question { socket, server: *server, turn: None });
        let turn = self.config.turn_servers.iter().enumerate();
        let turn = turn.map(|(place, turn)| Question { socket, server: turn.address, turn: Some(place) });
        let same_family = |question: &Question| question.server.family() == socket.family();
        self.questions.extend(stun.chain(turn).filter(same_family));
        self.next = self.next.max(now);
        self.gathering = true;
    }

    /// Drops what `socket` was asked for.
    pub(crate) fn forget(&mut self, socket: Endpoint) {
        self.questions.retain(|question| question.socket != socket);
        self.bindings.retain(|(from, ..)| *from != socket);
        self.relays.retain(|relay| relay.client.local() != socket);
        self.reflexive.retain(|(from, _)| *from != socket);
    }

    /// Takes a datagram that came to a socket.
    pub(crate) fn receive(&mut self, now: Timestamp, packet: Packet) -> Heard {
        let Packet { local, remote, payload } = &packet;
        let Self { bindings, rng, .. } = self;
        let mut asked = bindings.iter_mut().filter(|(from, ..)| from == local);
        if asked.any(|(.., client)| client.handle_input(now, *remote, payload, rng)) {
            return Heard::Nothing;
        }
        for relay in self.relays.iter_mut().filter(|relay| relay.client.local() == *local) {
            if relay.client.handle_input(now, *remote, payload) {
                return self.hear_relays().map_or(Heard::Nothing, Heard::Packet);
            }
        }
        Heard::Packet(packet)
    }

    /// What a socket sent to a server has met a hard ICMP error (RFC 8489 section 6.2.1).
    pub(crate) fn unreachable(&mut self, socket: Endpoint, server: Endpoint) {
        for (from, to, client) in &mut self.bindings {
            if (*from, *to) == (socket, server) {
                client.handle_unreachable();
            }
        }
        for Relay { client, .. } in &mut self.relays {
            if (client.local(), client.server()) == (socket, server) {
                client.handle_unreachable();
            }
        }
    }

    /// Sends through the relay whose relayed address a packet is from; `false` if there is none. What a relay cannot
    /// take is lost, as on a network.
    pub(crate) fn send(&mut self, now: Timestamp, packet: &Packet) -> bool {
        let Some(relay) = self.relays.iter_mut().find(|relay| relay.client.relayed() == Some(packet.local))
        else {
            return false;
        };
        let _ = relay.client.send(now, packet.remote, &packet.payload);
        true
    }

    pub(crate) fn handle_timeout(&mut self, now: Timestamp) {
        for (.., client) in &mut self.bindings {
            client.handle_timeout(now);
        }
        for relay in &mut self.relays {
            relay.client.handle_timeout(now);
        }
        if self.next <= now
            && let Some(question) = self.questions.pop_front()
        {
            self.ask(now, question);
            self.next = now + self.config.ta;
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        let bindings = self.bindings.iter().filter_map(|(.., client)| client.poll_timeout());
        let relays = self.relays.iter().filter_map(|relay| relay.client.poll_timeout());
        let question = self.questions.front().map(|_| self.next);
        bindings.chain(relays).chain(question).min()
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        let bindings = self.bindings.iter_mut().find_map(|(.., client)| client.poll_transmit());
        bindings.or_else(|| self.relays.iter_mut().find_map(|relay| relay.client.poll_transmit()))
    }

    pub(crate) fn poll_news(&mut self) -> Option<News> {
        self.hear_bindings();
        self.hear_relays();
        let done = self.questions.is_empty()
            && self.bindings.is_empty()
            && self.relays.iter().all(|relay| !relay.allocating);
        if self.gathering && done && self.news.is_empty() {
            self.gathering = false;
            return Some(News::Done);
        }
        self.news.pop_front()
    }

    fn ask(&mut self, now: Timestamp, Question { socket, server, turn }: Question) {
        let rto = match self.config.rto {
            Rto::Fixed(rto) => rto,
            Rto::Rfc8445 => Rto::MIN,
        };
        let schedule = Schedule { rto: rto.max(Rto::MIN), ..Schedule::default() };
        let Some(turn) = turn.map(|place| &self.config.turn_servers[place]) else {
            let client = BindingClient::new(now, socket, server, schedule, &mut self.rng);
            return self.bindings.push((socket, server, client));
        };
        let config = client::Config {
            server,
            local: socket,
            username: turn.username.clone(),
            password: turn.password.clone(),
            family: socket.family(),
            schedule,
        };
        let rng = Xoshiro256PlusPlus::seed_from_u64(self.rng.random());
        self.relays.push(Relay { client: Client::new(now, config, rng), allocating: true });
    }

    fn hear_bindings(&mut self) {
        let mut place = 0;
        while let Some((socket, server, client)) = self.bindings.get_mut(place) {
            let (socket, server) = (*socket, *server);
            match client.poll_event() {
                None => {
                    place += 1;
                    continue;
                }
                Some(BindingEvent::Mapped(mapped)) => self.found_reflexive(socket, mapped, server),
                Some(BindingEvent::Failed(failure)) => {
                    let why = match failure {
                        BindingFailure::Timeout => GatherFailure::Timeout,
                        BindingFailure::Rejected { code, .. } => GatherFailure::Rejected(code),
                        BindingFailure::Unreachable => GatherFailure::Unreachable,
                        BindingFailure::Unusable => GatherFailure::Malformed,
                    };
                    self.failed(socket, server, why);
                }
            }
            self.bindings.remove(place);
        }
    }

    /// Takes what the relays tell; the datagram that one has received, if there is one.
    fn hear_relays(&mut self) -> Option<Packet> {
        let mut received = None;
        for place in 0..self.relays.len() {
            while let Some(event) = self.relays[place].client.poll_event() {
                let client = &self.relays[place].client;
                let (socket, server, own) = (client.local(), client.server(), client.relayed());
                match event {
                    client::Event::Allocated { relayed, mapped, .. } => {
                        self.relays[place].allocating = false;
                        if !self.relays_only() {
                            self.found_reflexive(socket, mapped, server);
                        }
                        let kind = CandidateType::Relayed;
                        let found = Found { kind, address: relayed, socket, server: Some(server) };
                        self.news.push_back(News::Found(found));
                    }
                    client::Event::Failed(failure) => {
                        let was_allocating = std::mem::take(&mut self.relays[place].allocating);
                        if was_allocating {
                            self.failed(socket, server, gather_failure(&failure));
                        }
                    }
                    client::Event::PermissionInstalled(peer) => self.permission(own, peer, true),
                    client::Event::PermissionFailed { peer, .. } => self.permission(own, peer, false),
                    client::Event::Received { peer, payload } => {
                        received = own.map(|local| Packet { local, remote: peer, payload });
                    }
                    _ => {}
                }
            }
        }
        received
    }

    /// Whether no address of the host may be told (RFC 8828 section 5.2).
    fn relays_only(&self) -> bool {
        self.config.policy == Policy::Relay || self.config.addresses == Addresses::Proxy
    }

    fn permission(&mut self, relayed: Option<Endpoint>, peer: std::net::IpAddr, granted: bool) {
        let event = relayed.map(|relayed| Event::Permission { relayed, peer, granted });
        self.news.extend(event.map(News::Event));
    }

    fn found_reflexive(&mut self, socket: Endpoint, address: Endpoint, server: Endpoint) {
        let known = self.reflexive.contains(&(socket, address));
        if known || socket == address {
            return;
        }
        self.reflexive.push((socket, address));
        let kind = CandidateType::ServerReflexive;
        self.news.push_back(News::Found(Found { kind, address, socket, server: Some(server) }));
    }

    fn failed(&mut self, base: Endpoint, server: Endpoint, why: GatherFailure) {
        self.news.push_back(News::Event(Event::GatherFailed { base, server, why }));
    }
}

const fn gather_failure(failure: &Failure) -> GatherFailure {
    match failure {
        Failure::Timeout => GatherFailure::Timeout,
        Failure::IntegrityViolated => GatherFailure::Unauthentic,
        Failure::Rejected { code, .. } => GatherFailure::Rejected(*code),
        Failure::Unreachable => GatherFailure::Unreachable,
        Failure::Unusable => GatherFailure::Malformed,
    }
}
