//! One side of a connection: an ICE agent with its sockets, and the signaling path to the other side.

use std::collections::VecDeque;

use natbed_net::{Input, Output};
use natbed_packet::{Datagram, Endpoint, Icmp, Timestamp, Transport};
use natbed_traversal::ice::{Agent, Config, Event, State};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{Signal, Surroundings};

/// An ICE agent on a host. The initiator begins when it is started, the other side when it first hears from it. Where
/// consent is lost, either restarts ICE, and the other follows (RFC 8445 section 9).
pub struct AgentPeer {
    agent: Agent,
    initiator: bool,
    surroundings: Option<Surroundings>,
    begun: bool,
    signals: VecDeque<Signal>,
    events: VecDeque<Event>,
}

impl AgentPeer {
    /// An agent that waits for its surroundings, then for its start.
    pub fn new(config: Config, initiator: bool, rng: Xoshiro256PlusPlus) -> Self {
        Self {
            agent: Agent::new(config, rng),
            initiator,
            surroundings: None,
            begun: false,
            signals: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Tells the agent where it is.
    pub fn place(&mut self, surroundings: Surroundings) {
        self.surroundings = Some(surroundings);
    }

    pub(super) fn handle_input(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Start if self.initiator => self.begin(now),
            Input::Start => {}
            Input::Datagram(datagram) => self.receive(now, &datagram),
            Input::Signal { message, .. } => {
                self.begin(now);
                if let Some(signal) = Signal::decode(&message) {
                    self.hear(now, signal);
                }
            }
            Input::AddressChanged { old, new } => self.move_sockets(now, old, new),
        }
        self.listen(now);
    }

    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        self.agent.handle_timeout(now);
        self.listen(now);
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Output> {
        if let Some(signal) = self.signals.pop_front() {
            let to = self.surroundings.as_ref()?.other;
            return Some(Output::Signal { to, message: signal.encode() });
        }
        let transmit = self.agent.poll_transmit()?;
        Some(Output::Send(Datagram::udp(transmit.from, transmit.to, transmit.payload)))
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.agent.poll_timeout()
    }

    fn begin(&mut self, now: Timestamp) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        self.announce();
        // An interface has no more than one address of a family, so each may stand for an interface.
        let local = self.surroundings.iter().flat_map(|surroundings| &surroundings.local);
        let interfaces: Vec<_> = local.map(|address| vec![*address]).collect();
        self.agent.add_interfaces(now, &interfaces);
        self.agent.gather(now);
    }

    fn receive(&mut self, now: Timestamp, datagram: &Datagram) {
        match &datagram.transport {
            Transport::Udp(udp) => {
                let local = Endpoint::new(datagram.destination, udp.destination_port);
                let remote = Endpoint::new(datagram.source, udp.source_port);
                self.agent.handle_input(now, local, remote, &udp.payload);
            }
            Transport::Icmp(Icmp::Error(error)) => {
                let quoted = (error.quoted.source_endpoint(), error.quoted.destination_endpoint());
                if let (Some(local), Some(remote)) = quoted {
                    self.agent.handle_icmp_error(now, local, remote, error.kind);
                }
            }
            _ => {}
        }
    }

    fn hear(&mut self, now: Timestamp, signal: Signal) {
        match signal {
            Signal::Lite => self.agent.set_remote_lite(true),
            Signal::Credentials(credentials) => self.agent.set_remote_credentials(now, &credentials),
            Signal::Candidate(candidate) => self.agent.add_remote_candidate(now, candidate),
            Signal::EndOfCandidates => self.agent.end_of_remote_candidates(now),
        }
    }

    fn move_sockets(&mut self, now: Timestamp, old: std::net::IpAddr, new: std::net::IpAddr) {
        let Some(surroundings) = &mut self.surroundings else { return };
        for local in surroundings.local.iter_mut().filter(|local| local.ip == old) {
            self.agent.remove_local(now, *local);
            local.ip = new;
            if self.begun {
                self.agent.add_local(now, *local);
            }
        }
        if self.begun {
            self.agent.restart(now);
        }
    }

    fn announce(&mut self) {
        if self.agent.is_lite() {
            self.signals.push_back(Signal::Lite);
        }
        self.signals.push_back(Signal::Credentials(self.agent.credentials().clone()));
    }

    /// Signals the candidates that were found and the credentials of a restart, and restarts where consent is gone.
    fn listen(&mut self, now: Timestamp) {
        while let Some(event) = self.agent.poll_event() {
            match &event {
                Event::LocalCandidate { candidate, .. } => {
                    self.signals.push_back(Signal::Candidate(*candidate));
                }
                Event::EndOfCandidates { .. } => self.signals.push_back(Signal::EndOfCandidates),
                Event::Restarted { .. } => self.announce(),
                _ => {}
            }
            let lost = matches!(event, Event::ConsentLost { .. });
            self.events.push_back(event);
            if lost && self.agent.state() != State::Running {
                self.agent.restart(now);
            }
        }
    }
}
