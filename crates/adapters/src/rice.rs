//! `rice`: the crate rice-proto, which gathers by its own STUN and TURN clients.

use std::net::SocketAddr;
use std::time::Duration;

use natbed_lab::peer::{Guest, Setup, Signal};
use natbed_packet::{Endpoint, Timestamp};
use natbed_traversal::ice::{self, Addresses, Event, Failure, Policy, Role};
use rand::RngExt;
use rice_proto::AddressFamily;
use rice_proto::agent::{Agent, AgentGatheredCandidate, AgentPoll, AgentSocket};
use rice_proto::candidate::{Candidate, CandidateType, TransportType};
use rice_proto::component::ComponentConnectionState;
use rice_proto::stream::Credentials;
use rice_proto::turn::{TurnConfig, TurnCredentials};
use stun_proto::Instant;
use stun_proto::agent::{StunError, Transmit};

use crate::guest;
use crate::stack::{Act, Found, Outbox, Packet, Stack};

/// Makes an agent.
pub(crate) fn agent(mut setup: Setup) -> Box<dyn Guest> {
    let mut text = |length| -> String { (0..length).map(|_| ice_char(setup.rng.random())).collect() };
    let credentials = (text(8), text(24));
    let config = &setup.config;
    let mut agent = Agent::builder()
        .trickle_ice(true)
        .controlling(config.role == Role::Controlling)
        .timing_advance(config.ta)
        .build();
    let stream = agent.add_stream();
    let component = agent.mut_stream(stream).and_then(|mut stream| stream.add_component().ok());
    let stack = Rice {
        agent,
        stream,
        component: component.unwrap_or_default(),
        credentials,
        stun: config.stun_servers.clone(),
        turn: config.turn_servers.clone(),
        relays_only: config.policy == Policy::Relay || config.addresses == Addresses::Proxy,
        lite: config.lite,
        due: None,
        up: false,
    };
    Box::new(guest::Agent::new(setup, stack))
}

/// An agent with one stream of one component.
struct Rice {
    agent: Agent,
    stream: usize,
    component: usize,
    /// Username fragment and password.
    credentials: (String, String),
    stun: Vec<Endpoint>,
    turn: Vec<ice::TurnServer>,
    /// Whether nothing but relayed candidates may be told.
    relays_only: bool,
    lite: bool,
    due: Option<Timestamp>,
    up: bool,
}

impl Rice {
    fn gather(&mut self, sockets: &[Endpoint]) {
        let udp = |endpoint: &Endpoint| (TransportType::Udp, SocketAddr::from(*endpoint));
        let configs: Vec<TurnConfig> = self.turn.iter().map(turn_config).collect();
        let turn: Vec<(SocketAddr, &TurnConfig)> = sockets
            .iter()
            .flat_map(|socket| configs.iter().map(|config| ((*socket).into(), config)))
            .collect();
        let sockets: Vec<_> = sockets.iter().map(udp).collect();
        let stun: Vec<_> = self.stun.iter().map(udp).collect();
        let Some(mut stream) = self.agent.mut_stream(self.stream) else { return };
        if let Some(mut component) = stream.mut_component(self.component) {
            // It fails only if it has begun before.
            let _ = component.gather_candidates(&sockets, &stun, &turn);
        }
    }

    /// Takes all that the agent wants done.
    fn drain(&mut self, now: Timestamp, out: &mut Outbox) {
        const TICK: Duration = Duration::from_millis(1);
        let time = instant(now);
        loop {
            let due = loop {
                match self.agent.poll(time) {
                    AgentPoll::WaitUntil(due) => break Some(due),
                    AgentPoll::Closed => break None,
                    poll => self.take(time, poll, out),
                }
            };
            let mut quiet = true;
            while let Some(sent) = self.agent.poll_transmit(time) {
                let Transmit { from, to, data, .. } = sent.transmit;
                let packet = Packet { local: from.into(), remote: to.into(), payload: data.into() };
                out.push(Act::Send(packet));
                quiet = false;
            }
            if quiet {
                self.due = due.map(|due| timestamp(due).max(now + TICK));
                return;
            }
        }
    }

    fn take(&mut self, now: Instant, poll: AgentPoll, out: &mut Outbox) {
        match poll {
            AgentPoll::GatheredCandidate(AgentGatheredCandidate { gathered, .. }) => {
                let candidate = gathered.candidate.clone();
                let wanted = !self.relays_only || candidate.candidate_type == CandidateType::Relayed;
                let mut stream = self.agent.mut_stream(self.stream).filter(|_| wanted);
                let added =
                    stream.as_mut().is_some_and(|stream| stream.add_local_gathered_candidate(gathered));
                if let Some(own) = convert(&candidate).filter(|_| added) {
                    let server = self.server_of(&candidate);
                    out.push(Act::Local { candidate: own, base: candidate.base_address.into(), server });
                }
            }
            AgentPoll::GatheringComplete(_) => {
                if let Some(mut stream) = self.agent.mut_stream(self.stream) {
                    stream.end_of_local_candidates();
                }
                out.push(Act::Tell(Event::GatheringState(ice::GatheringState::Complete)));
                out.push(Act::EndOfLocals { ufrag: self.credentials.0.clone() });
            }
            AgentPoll::SelectedPair(selected) => {
                let pair = selected.selected.candidate_pair();
                self.up = true;
                out.push(Act::Select {
                    base: pair.local.base_address.into(),
                    remote: pair.remote.address.into(),
                });
            }
            AgentPoll::ComponentStateChange(change) => {
                out.note("component-state", format!("{:?}", change.state).to_lowercase());
                if change.state == ComponentConnectionState::Failed && !self.up {
                    out.push(Act::Tell(Event::Failed { why: Failure::NoValidPair }));
                }
            }
            AgentPoll::AllocateSocket(AgentSocket { component_id, transport, from, to, .. }) => {
                // TCP alone asks for sockets, and there is none.
                if let Some(mut stream) = self.agent.mut_stream(self.stream) {
                    let none = Err(StunError::ResourceNotFound);
                    stream.allocated_socket(component_id, transport, from, to, none, now);
                }
            }
            AgentPoll::RemoveSocket(_) | AgentPoll::WaitUntil(_) | AgentPoll::Closed => {}
        }
    }

    /// The server that a candidate came from, as far as its type and family tell.
    fn server_of(&self, candidate: &Candidate) -> Option<Endpoint> {
        let address = Endpoint::from(candidate.address);
        let same_family = |server: &&Endpoint| server.family() == address.family();
        match candidate.candidate_type {
            CandidateType::Host | CandidateType::PeerReflexive => None,
            CandidateType::ServerReflexive => self.stun.iter().find(same_family).copied(),
            CandidateType::Relayed => {
                let mut turn = self.turn.iter().map(|turn| &turn.address);
                turn.find(|server| server.ip == address.ip).copied()
            }
        }
    }
}

impl Stack for Rice {
    const GATHERS: bool = false;
    const DESCRIBES: bool = false;

    fn begin(&mut self, now: Timestamp, sockets: &[Endpoint], out: &mut Outbox) {
        if self.lite {
            out.note("lite", "rice-proto is a full agent always");
        }
        let (ufrag, password) = self.credentials.clone();
        if let Ok(credentials) = ice::Credentials::new(&ufrag, &password) {
            out.push(Act::Session { credentials, candidates: Vec::new() });
        }
        if let Some(mut stream) = self.agent.mut_stream(self.stream) {
            stream.set_local_credentials(Credentials::new(ufrag, password));
        }
        self.gather(sockets);
        self.drain(now, out);
    }

    fn add_local(&mut self, _now: Timestamp, _found: &Found, _out: &mut Outbox) {}

    fn end_of_locals(&mut self, _now: Timestamp, _out: &mut Outbox) {}

    fn lose_base(&mut self, _now: Timestamp, base: Endpoint, out: &mut Outbox) {
        out.note("socket", format!("{base} is gone, and rice-proto cannot be told"));
    }

    fn hear(&mut self, now: Timestamp, signal: Signal, out: &mut Outbox) {
        let Some(mut stream) = self.agent.mut_stream(self.stream) else { return };
        match signal {
            Signal::Credentials(heard) => {
                let (ufrag, password) = (heard.ufrag().to_owned(), heard.password().to_owned());
                stream.set_remote_credentials(Credentials::new(ufrag, password));
            }
            Signal::Candidate(candidate) => {
                if let Ok(remote) = format!("a={candidate}").parse::<Candidate>() {
                    stream.add_remote_candidate(remote);
                    out.push(Act::Remote(candidate));
                }
            }
            Signal::EndOfCandidates => stream.end_of_remote_candidates(),
        }
        self.drain(now, out);
    }

    fn receive(&mut self, now: Timestamp, packet: &Packet, out: &mut Outbox) {
        let (from, to) = (SocketAddr::from(packet.remote), SocketAddr::from(packet.local));
        let arrived = Transmit::new(packet.payload.clone(), TransportType::Udp, from, to);
        if let Some(mut stream) = self.agent.mut_stream(self.stream) {
            stream.handle_incoming_data(self.component, arrived, instant(now));
            while stream.poll_recv().is_some() {}
        }
        self.drain(now, out);
    }

    fn handle_timeout(&mut self, now: Timestamp, out: &mut Outbox) {
        self.drain(now, out);
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.due
    }
}

fn turn_config(server: &ice::TurnServer) -> TurnConfig {
    let credentials = TurnCredentials::new(&server.username, &server.password);
    let mut config = TurnConfig::new(TransportType::Udp, server.address.into(), credentials);
    let is_v4 = server.address.ip.is_ipv4();
    config.set_address_family(if is_v4 { AddressFamily::IPV4 } else { AddressFamily::IPV6 });
    config
}

fn instant(now: Timestamp) -> Instant {
    Instant::from_nanos(i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))
}

fn timestamp(instant: Instant) -> Timestamp {
    Timestamp::ZERO + Duration::from_nanos(u64::try_from(instant.as_nanos()).unwrap_or_default())
}

/// A candidate of the crate's as this project has it.
fn convert(candidate: &Candidate) -> Option<ice::Candidate> {
    candidate.to_sdp_string().parse().ok()
}

/// The ice-char (RFC 8839 section 5.1) that the low six bits of `byte` stand for.
fn ice_char(byte: u8) -> char {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char::from(ALPHABET[usize::from(byte & 63)])
}
