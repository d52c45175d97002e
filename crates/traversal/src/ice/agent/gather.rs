//! Gathering: asking servers for reflexive and relayed candidates (RFC 8445 section 5.1.1).

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use natbed_packet::{Endpoint, Timestamp};

use crate::ice::candidate::{CandidateType, Foundation};
use crate::ice::event::{Event, GatherFailure, GatheringState};
use crate::stun::client::RtoCache;
use crate::stun::{BindingClient, BindingEvent, BindingFailure, Schedule};

use super::relay::Relay;
use super::{Agent, Base, State, Via};

/// How often a mapping that a STUN server showed is refreshed while ICE runs (RFC 8445 section 5.1.1.4): Tr of section 11.
const REFRESH: Duration = Duration::from_secs(15);

/// A server to be asked from a base.
#[derive(Clone, Copy, Debug)]
struct Question {
    base: usize,
    server: Server,
}

/// A server by its place in the configuration.
#[derive(Clone, Copy, Debug)]
enum Server {
    Stun(usize),
    Turn(usize),
}

/// A Binding transaction with a STUN server.
#[derive(Debug)]
struct Binding {
    base: usize,
    nth: usize,
    server: Endpoint,
    client: BindingClient,
    /// Whether it only keeps a mapping alive.
    refresh: bool,
}

/// Everything that is under way with servers.
#[derive(Debug, Default)]
pub(super) struct Gatherer {
    questions: VecDeque<Question>,
    bindings: Vec<Binding>,
    pub(super) relays: Vec<Relay>,
    /// Mappings to be kept alive: base, server and its place in the configuration.
    mappings: Vec<(usize, Endpoint, usize)>,
    refresh: Option<Timestamp>,
    /// What is known of the round trips to STUN servers.
    rtos: RtoCache,
    /// What foundations stand for, by their number less one.
    foundations: Vec<(CandidateType, IpAddr, Option<IpAddr>)>,
}

impl Gatherer {
    /// The foundation of a local candidate: the same for the same type, base address, server address and protocol
    /// (RFC 8445 section 5.1.1.3).
    pub(super) fn foundation(
        &mut self,
        kind: CandidateType,
        base: Endpoint,
        server: Option<Endpoint>,
    ) -> Foundation {
        let key = (kind, base.ip, server.map(|server| server.ip));
        let known = self.foundations.iter().position(|&known| known == key);
        let place = known.unwrap_or_else(|| {
            self.foundations.push(key);
            self.foundations.len() - 1
        });
        Foundation::number(u32::try_from(place + 1).unwrap_or(u32::MAX))
    }

    pub(super) fn has_work(&self) -> bool {
        !self.questions.is_empty()
    }

    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        let bindings = self.bindings.iter().filter_map(|binding| binding.client.poll_timeout());
        let relays = self.relays.iter().filter_map(Relay::poll_timeout);
        bindings.chain(relays).chain(self.refresh).min()
    }

    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        for binding in &mut self.bindings {
            binding.client.handle_timeout(now);
        }
        for relay in &mut self.relays {
            relay.handle_timeout(now);
        }
    }

    /// Drops what is still under way with STUN servers, and the mappings that were kept.
    pub(super) fn forget_questions(&mut self) {
        self.questions.clear();
        self.bindings.clear();
        self.forget_mappings();
    }

    fn forget_mappings(&mut self) {
        self.mappings.clear();
        self.refresh = None;
    }

    fn is_done(&self) -> bool {
        self.questions.is_empty()
            && self.bindings.iter().all(|binding| binding.refresh)
            && self.relays.iter().all(|relay| !relay.is_allocating())
    }
}

impl Agent {
    /// Asks the servers from every base for reflexive and relayed candidates. Each is told by an
    /// [`Event::LocalCandidate`], and [`Event::EndOfCandidates`] tells that there are no more.
    pub fn gather(&mut self, now: Timestamp) {
        if self.session.gathering != GatheringState::New {
            return;
        }
        self.set_gathering(GatheringState::Gathering);
        for place in 0..self.bases.len() {
            self.ask_servers(place);
        }
        self.settle(now);
    }

    fn set_gathering(&mut self, state: GatheringState) {
        self.session.gathering = state;
        self.events.push_back(Event::GatheringState(state));
    }

    /// Queues the servers of a socket's family, STUN before TURN.
    pub(super) fn ask_servers(&mut self, base: usize) {
        let Base { address, via, .. } = self.bases[base];
        // "Lite implementations only utilize host candidates" (RFC 8445 section 5.2).
        if via != Via::Socket || self.config.lite {
            return;
        }
        let stun = self.config.stun_servers.iter().enumerate();
        let stun = stun.map(|(place, server)| (*server, Server::Stun(place)));
        let turn = self.config.turn_servers.iter().enumerate();
        let turn = turn.filter(|&(place, _)| !self.has_relay(base, place));
        let turn = turn.map(|(place, server)| (server.address, Server::Turn(place)));
        let family = address.family();
        let questions = stun.chain(turn).filter(|(server, _)| server.family() == family);
        let questions: Vec<_> = questions.map(|(_, server)| Question { base, server }).collect();
        self.gatherer.questions.extend(questions);
    }

    /// Begins the transaction with the next server in turn; `false` if there is none.
    pub(super) fn start_gathering(&mut self, now: Timestamp) -> bool {
        let Some(Question { base, server }) = self.gatherer.questions.pop_front() else { return false };
        match server {
            Server::Stun(nth) => {
                let server = self.config.stun_servers[nth];
                self.ask_stun(now, base, nth, server, false);
            }
            Server::Turn(nth) => self.ask_turn(now, base, nth, 0),
        }
        true
    }

    fn ask_stun(&mut self, now: Timestamp, base: usize, nth: usize, server: Endpoint, refresh: bool) {
        let mut schedule = self.gather_schedule();
        schedule.rto = self.gatherer.rtos.rto(now, server.ip, schedule.rto);
        let local = self.bases[base].address;
        let client = BindingClient::new(now, local, server, schedule, &mut self.rng);
        self.gatherer.bindings.push(Binding { base, nth, server, client, refresh });
    }

    /// The schedule of requests to servers (RFC 8445 section 14.3).
    pub(super) fn gather_schedule(&self) -> Schedule {
        let servers = self.config.stun_servers.len() + 2 * self.config.turn_servers.len();
        let sockets = self.bases.iter().filter(|base| base.via == Via::Socket).count();
        let rto = self.config.rto.value(self.config.pace(), servers * sockets);
        Schedule { rto, ..Schedule::default() }
    }

    /// Hands a datagram to the client that waits for it; `false` if none does.
    pub(super) fn gather_input(
        &mut self,
        now: Timestamp,
        base: usize,
        from: Endpoint,
        payload: &Bytes,
    ) -> bool {
        let (mut bindings, rng) = (self.gatherer.bindings.iter_mut(), &mut self.rng);
        bindings.any(|binding| {
            binding.base == base
                && binding.server == from
                && binding.client.handle_input(now, from, payload, rng)
        }) || self.relay_input(now, base, from, payload)
    }

    /// Ends what is under way with a server that a hard ICMP error says cannot be reached.
    pub(super) fn gather_unreachable(&mut self, base: usize, server: Endpoint) {
        let bindings = self.gatherer.bindings.iter_mut();
        for binding in bindings.filter(|binding| binding.base == base && binding.server == server) {
            binding.client.handle_unreachable();
        }
        self.relay_unreachable(base, server);
    }

    /// Takes what the clients have to send and to tell.
    pub(super) fn take_gathered(&mut self, now: Timestamp) {
        self.refresh_mappings(now);
        let mut place = 0;
        while let Some(binding) = self.gatherer.bindings.get_mut(place) {
            while let Some(transmit) = binding.client.poll_transmit() {
                self.transmits.push_back(transmit);
            }
            match binding.client.poll_event() {
                None => place += 1,
                Some(event) => {
                    let binding = self.gatherer.bindings.remove(place);
                    self.take_binding(now, &binding, event);
                }
            }
        }
        self.take_relayed(now);
        if self.session.gathering == GatheringState::Gathering && self.gatherer.is_done() {
            self.set_gathering(GatheringState::Complete);
            let ufrag = self.credentials().ufrag().to_owned();
            self.events.push_back(Event::EndOfCandidates { ufrag });
        }
    }

    fn take_binding(&mut self, now: Timestamp, binding: &Binding, event: BindingEvent) {
        let &Binding { base, nth, server, refresh, .. } = binding;
        self.gatherer.rtos.note(now, server.ip, binding.client.round_trip());
        if refresh {
            return;
        }
        match event {
            BindingEvent::Mapped(mapped) => {
                self.gatherer.mappings.push((base, server, nth));
                self.gatherer.refresh.get_or_insert(now + REFRESH);
                self.offer_reflexive(now, base, mapped, server, nth);
            }
            BindingEvent::Failed(failure) => {
                let why = match failure {
                    BindingFailure::Timeout => GatherFailure::Timeout,
                    BindingFailure::Unreachable => GatherFailure::Unreachable,
                    BindingFailure::Rejected { code, .. } => GatherFailure::Rejected(code),
                    BindingFailure::Unusable => GatherFailure::Malformed,
                };
                let base = self.bases[base].address;
                self.events.push_back(Event::GatherFailed { base, server, why });
            }
        }
    }

    /// "the bindings MUST be kept alive by additional Binding requests to the server" until ICE has completed (RFC 8445
    /// section 5.1.1.4).
    fn refresh_mappings(&mut self, now: Timestamp) {
        if self.session.state != State::Running {
            return self.gatherer.forget_mappings();
        }
        if self.gatherer.refresh.is_some_and(|refresh| refresh <= now) {
            self.gatherer.refresh = Some(now + REFRESH);
            for (base, server, nth) in self.gatherer.mappings.clone() {
                self.ask_stun(now, base, nth, server, true);
            }
        }
    }

    /// Drops what is under way from a socket.
    pub(super) fn forget_socket(&mut self, base: usize) {
        self.gatherer.questions.retain(|question| question.base != base);
        self.gatherer.bindings.retain(|binding| binding.base != base);
        self.gatherer.mappings.retain(|&(mapped, ..)| mapped != base);
    }
}
