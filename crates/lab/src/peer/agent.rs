//! One side of a connection: an ICE agent with its sockets, and the exchange of offers, answers and candidates with the
//! other side.

use std::collections::VecDeque;

use natbed_net::{Input, Output};
use natbed_packet::{Datagram, Endpoint, Icmp, Timestamp, Transport};
use natbed_traversal::ice::{Agent, Config, Event, State};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::negotiation::{Negotiation, NegotiationOutput, SignalingState};
use super::{PeerEvent, Signal, Surroundings};

/// An ICE agent on a host. The initiator begins when it is started, the other side when it first hears from it. Where
/// consent is lost, either restarts ICE, and the other follows (RFC 8445 section 9).
pub struct AgentPeer {
    agent: Agent,
    negotiation: Negotiation,
    initiator: bool,
    surroundings: Option<Surroundings>,
    begun: bool,
    /// Whether it restarts when the exchange that is under way has ended.
    restarts: bool,
    /// How many of the agent's events have been heeded and not told yet.
    heeded: usize,
    outputs: VecDeque<AgentOutput>,
}

/// What the log and the other side are told, in order.
enum AgentOutput {
    /// So many events of the agent's.
    Ice(usize),
    Negotiation(NegotiationOutput),
}

impl AgentPeer {
    /// An agent that waits for its surroundings, then for its start. `naming` makes up what its descriptions are called.
    pub fn new(config: Config, initiator: bool, rng: Xoshiro256PlusPlus, naming: Xoshiro256PlusPlus) -> Self {
        let agent = Agent::new(config, rng);
        let mut negotiation = Negotiation::new(initiator, naming);
        negotiation.set_lite(agent.is_lite());
        Self {
            agent,
            negotiation,
            initiator,
            surroundings: None,
            begun: false,
            restarts: false,
            heeded: 0,
            outputs: VecDeque::new(),
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
            Input::Signal { message, .. } => self.hear(now, &message),
            Input::AddressChanged { old, new } => self.move_sockets(now, old, new),
        }
        self.listen(now);
    }

    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        self.agent.handle_timeout(now);
        self.listen(now);
    }

    /// Events and messages alternate as they happened; datagrams come when all of them are out.
    pub(super) fn poll_transmit(&mut self) -> Option<Output> {
        let to = self.surroundings.as_ref()?.other;
        match self.outputs.pop_front() {
            None => {
                let transmit = self.agent.poll_transmit()?;
                Some(Output::Send(Datagram::udp(transmit.from, transmit.to, transmit.payload)))
            }
            Some(AgentOutput::Negotiation(NegotiationOutput::Message(message))) => {
                Some(Output::Signal { to, message })
            }
            Some(event) => {
                self.outputs.push_front(event);
                None
            }
        }
    }

    pub(super) fn poll_event(&mut self) -> Option<PeerEvent> {
        match self.outputs.pop_front()? {
            AgentOutput::Ice(count) => {
                if count > 1 {
                    self.outputs.push_front(AgentOutput::Ice(count - 1));
                }
                self.heeded -= 1;
                self.agent.poll_event().map(PeerEvent::Ice)
            }
            AgentOutput::Negotiation(NegotiationOutput::Event(event)) => Some(PeerEvent::Negotiation(event)),
            message @ AgentOutput::Negotiation(NegotiationOutput::Message(_)) => {
                self.outputs.push_front(message);
                None
            }
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.agent.poll_timeout()
    }

    fn begin(&mut self, now: Timestamp) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        if self.initiator {
            self.negotiation.begin(self.agent.credentials());
            self.pass_on();
        }
        // An interface has no more than one address of a family, so each may stand for an interface.
        let local = self.surroundings.as_ref().map_or(&[][..], |surroundings| &surroundings.local);
        self.agent.add_interfaces(now, &local.chunks(1).collect::<Vec<_>>());
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

    fn hear(&mut self, now: Timestamp, message: &bytes::Bytes) {
        if !self.begun {
            self.negotiation.await_offer(self.agent.credentials());
        }
        self.negotiation.handle_message(message);
        self.pass_on();
        if self.negotiation.remote().is_some() {
            self.begin(now);
        }
        if self.negotiation.remote_is_lite() {
            self.agent.set_remote_lite(true);
        }
        while let Some(signal) = self.negotiation.poll_heard() {
            match signal {
                Signal::Credentials(credentials) => self.agent.set_remote_credentials(now, &credentials),
                Signal::Candidate(candidate) => self.agent.add_remote_candidate(now, candidate),
                Signal::EndOfCandidates => self.agent.end_of_remote_candidates(now),
            }
        }
        self.listen(now);
        self.negotiation.finish();
        self.pass_on();
        if self.negotiation.state() == SignalingState::Stable && std::mem::take(&mut self.restarts) {
            self.agent.restart(now);
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
            self.restart(now);
        }
    }

    /// Restarts ICE; while an offer is out, as soon as it is answered, so that each exchange has a session of its own.
    fn restart(&mut self, now: Timestamp) {
        match self.negotiation.state() {
            SignalingState::Stable => self.agent.restart(now),
            SignalingState::HaveLocalOffer | SignalingState::HaveRemoteOffer => self.restarts = true,
        }
    }

    /// Signals the candidates that were found and the credentials of a restart, and restarts where consent is gone.
    fn listen(&mut self, now: Timestamp) {
        while let Some(event) = self.agent.peek_event(self.heeded) {
            self.heeded += 1;
            match self.outputs.back_mut() {
                Some(AgentOutput::Ice(count)) => *count += 1,
                _ => self.outputs.push_back(AgentOutput::Ice(1)),
            }
            match event {
                Event::LocalCandidate { candidate, .. } => self.negotiation.add_candidate(candidate),
                Event::EndOfCandidates { .. } => self.negotiation.end_of_candidates(),
                Event::Restarted { .. } => {
                    self.negotiation.begin(self.agent.credentials());
                    self.pass_on();
                }
                Event::ConsentLost { .. } if self.agent.state() != State::Running => self.restart(now),
                _ => {}
            }
        }
        self.negotiation.flush();
        self.pass_on();
    }

    fn pass_on(&mut self) {
        while let Some(output) = self.negotiation.poll_output() {
            self.outputs.push_back(AgentOutput::Negotiation(output));
        }
    }
}

#[cfg(test)]
mod tests;
