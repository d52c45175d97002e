//! `is`: the ICE crate of str0m.

use std::net::SocketAddr;
use std::time::Duration;

use is::stun::{StunMessage, StunPacket};
use is::{Candidate, IceAgent, IceAgentEvent, IceConnectionState, IceCreds, Protocol};
use natbed_lab::peer::{Guest, Setup, Signal};
use natbed_packet::{Endpoint, Timestamp};
use natbed_traversal::ice::{self, CandidateType, ConsentLoss, Event, Role};
use rand::RngExt;

use crate::clock::{Dice, instant, timestamp};
use crate::guest::Agent;
use crate::stack::{Act, Found, Outbox, Packet, Stack};

/// Makes an agent.
pub(crate) fn agent(mut setup: Setup) -> Box<dyn Guest> {
    let mut dice = Dice::new(setup.rng.random());
    let mut ice = dice.around(|| IceAgent::new(IceCreds::new()));
    ice.set_controlling(setup.config.role == Role::Controlling);
    ice.set_timing_advance(setup.config.ta);
    ice.set_max_candidate_pairs(setup.config.max_pairs);
    let lite = setup.config.lite;
    let stack = Is { ice, dice, lite, due: None, peer: None, answering: false, up: false };
    Box::new(Agent::new(setup, stack))
}

/// The agent of the crate. It begins anew when it loses its pair, and when the other side does.
struct Is {
    ice: IceAgent,
    dice: Dice,
    /// Whether it was to be lite, which it cannot be.
    lite: bool,
    due: Option<Timestamp>,
    /// The other side's credentials.
    peer: Option<IceCreds>,
    /// Whether it has begun anew, and not yet heard the other side's new credentials.
    answering: bool,
    /// Whether it has a pair.
    up: bool,
}

impl Is {
    /// Tells its credentials, and the candidates that it has already.
    fn announce(&self, out: &mut Outbox) {
        let IceCreds { ufrag, pass } = self.ice.local_credentials();
        if let Ok(credentials) = ice::Credentials::new(ufrag, pass) {
            let candidates = self.ice.local_candidates().filter_map(|own| convert(&own)).collect();
            out.push(Act::Session { credentials, candidates });
        }
    }

    /// Begins anew with new credentials, and tells the candidates again.
    fn restart(&mut self, out: &mut Outbox) {
        let Self { ice, dice, .. } = self;
        dice.around(|| ice.ice_restart(IceCreds::new(), true));
        self.up = false;
        out.push(Act::Tell(Event::Restarted { ufrag: self.ice.local_credentials().ufrag.clone() }));
        self.announce(out);
    }

    fn take_credentials(&mut self, credentials: &ice::Credentials, out: &mut Outbox) {
        let credentials =
            IceCreds { ufrag: credentials.ufrag().to_owned(), pass: credentials.password().to_owned() };
        if self.peer.as_ref() == Some(&credentials) {
            return;
        }
        if self.peer.is_some() {
            out.push(Act::NewSession);
            if !std::mem::take(&mut self.answering) {
                self.restart(out);
            }
        }
        self.ice.set_remote_credentials(credentials.clone());
        self.peer = Some(credentials);
    }

    /// Takes all that the agent wants done.
    fn drain(&mut self, now: Timestamp, out: &mut Outbox) {
        let Self { ice, dice, .. } = self;
        while let Some(transmit) = dice.around(|| ice.poll_transmit()) {
            out.push(Act::Send(Packet {
                local: transmit.source.into(),
                remote: transmit.destination.into(),
                payload: Vec::from(transmit.contents).into(),
            }));
        }
        let mut lost = false;
        while let Some(event) = self.ice.poll_event() {
            match event {
                IceAgentEvent::NominatedSend { source, destination, .. } => {
                    self.up = true;
                    out.push(Act::Select { base: source.into(), remote: destination.into() });
                }
                IceAgentEvent::IceConnectionStateChange(state) => {
                    out.note("ice-state", format!("{state:?}").to_lowercase());
                    lost |= state == IceConnectionState::Disconnected;
                }
                IceAgentEvent::IceRestart(_) | IceAgentEvent::DiscoveredRecv { .. } => {}
            }
        }
        if lost && std::mem::take(&mut self.up) {
            out.push(Act::Lose(ConsentLoss::Expired));
            self.answering = true;
            self.restart(out);
        }
        self.wait(now);
    }

    /// Notes when to wake it. What is due at once waits for the shortest time that the agent counts in.
    fn wait(&mut self, now: Timestamp) {
        const TICK: Duration = Duration::from_millis(1);
        let due = self.ice.poll_timeout().and_then(timestamp);
        self.due = due.map(|due| due.max(now + TICK));
    }
}

impl Stack for Is {
    const GATHERS: bool = true;
    const DESCRIBES: bool = false;

    fn begin(&mut self, now: Timestamp, _sockets: &[Endpoint], out: &mut Outbox) {
        if self.lite {
            out.note("lite", "as `is` it is a full agent always");
        }
        self.announce(out);
        self.handle_timeout(now, out);
    }

    fn add_local(&mut self, now: Timestamp, found: &Found, out: &mut Outbox) {
        let (address, socket) = (SocketAddr::from(found.address), SocketAddr::from(found.socket));
        let candidate = match found.kind {
            CandidateType::Host | CandidateType::PeerReflexive => Candidate::host(address, Protocol::Udp),
            CandidateType::ServerReflexive => Candidate::server_reflexive(address, socket, Protocol::Udp),
            CandidateType::Relayed => Candidate::relayed(address, socket, Protocol::Udp),
        };
        let Self { ice, dice, .. } = self;
        let added = candidate
            .ok()
            .and_then(|candidate| dice.around(|| ice.add_local_candidate(candidate).and_then(convert)));
        if let Some(candidate) = added {
            let base = if found.kind == CandidateType::Relayed { found.address } else { found.socket };
            out.push(Act::Local { candidate, base, server: found.server });
        }
        self.drain(now, out);
    }

    fn end_of_locals(&mut self, _now: Timestamp, out: &mut Outbox) {
        out.push(Act::EndOfLocals { ufrag: self.ice.local_credentials().ufrag.clone() });
    }

    fn lose_base(&mut self, now: Timestamp, base: Endpoint, out: &mut Outbox) {
        let base = SocketAddr::from(base);
        let gone: Vec<Candidate> = self.ice.local_candidates().filter(|own| own.local() == base).collect();
        for candidate in gone {
            self.ice.invalidate_candidate(&candidate);
        }
        self.drain(now, out);
    }

    /// A full agent controls where the other is lite (RFC 8445 section 6.1.1).
    fn face_lite(&mut self) {
        self.ice.set_controlling(true);
    }

    fn hear(&mut self, now: Timestamp, signal: Signal, out: &mut Outbox) {
        match signal {
            Signal::Credentials(credentials) => self.take_credentials(&credentials, out),
            Signal::Candidate(candidate) => {
                if let Ok(remote) = Candidate::from_sdp_string(&candidate.to_string()) {
                    let Self { ice, dice, .. } = self;
                    dice.around(|| ice.add_remote_candidate(remote));
                    out.push(Act::Remote(candidate));
                }
            }
            Signal::EndOfCandidates => {}
        }
        self.drain(now, out);
    }

    fn receive(&mut self, now: Timestamp, packet: &Packet, out: &mut Outbox) {
        let Ok(message) = StunMessage::parse(&packet.payload) else { return };
        let packet = StunPacket {
            proto: Protocol::Udp,
            source: packet.remote.into(),
            destination: packet.local.into(),
            message,
        };
        let Self { ice, dice, .. } = self;
        dice.around(|| ice.handle_packet(instant(now), packet));
        self.drain(now, out);
    }

    fn handle_timeout(&mut self, now: Timestamp, out: &mut Outbox) {
        let Self { ice, dice, .. } = self;
        dice.around(|| ice.handle_timeout(instant(now)));
        self.drain(now, out);
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.due
    }
}

/// A candidate of the crate's as this project has it.
fn convert(candidate: &Candidate) -> Option<ice::Candidate> {
    candidate.to_sdp_string().parse().ok()
}
