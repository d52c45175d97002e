//! What stands around every stack: sockets, messages, gathering, relays, and the words of the event log.

use std::collections::VecDeque;
use std::net::IpAddr;

use bytes::Bytes;
use natbed_lab::peer::{
    Described, Guest, Message, MessageKind, Negotiation, NegotiationEvent, NegotiationOutput, PeerEvent,
    Setup, Signal, SignalingState, Surroundings,
};
use natbed_net::{Input, Output, Program};
use natbed_packet::{Datagram, Endpoint, Icmp, IcmpError, IcmpErrorKind, Timestamp, Transport};
use natbed_traversal::ice::{
    Candidate, CandidateType, Credentials, Event, GatheringState, PairAddresses, RemoteOutcome, Side,
};
use natbed_traversal::sdp::Description;

use crate::book::{Book, reflexive};
use crate::gather::{Gatherer, Heard, News};
use crate::observe::Observer;
use crate::stack::{Act, Outbox, Packet, Stack};

/// A stack as one side of a connection. The initiator begins when it is started, the other side when it first hears from
/// it.
pub(crate) struct Agent<S> {
    stack: S,
    initiator: bool,
    surroundings: Option<Surroundings>,
    begun: bool,
    /// Makes the offers and answers of a stack that makes none.
    negotiation: Negotiation,
    gatherer: Gatherer,
    observer: Observer,
    book: Book,
    /// The pair in use: base and remote address.
    selected: Option<(Endpoint, Endpoint)>,
    acts: Outbox,
    outputs: VecDeque<Output>,
    events: VecDeque<PeerEvent>,
}

impl<S: Stack> Agent<S> {
    /// `stack`, with what `setup` says for the rest.
    pub(crate) fn new(setup: Setup, stack: S) -> Self {
        Self {
            stack,
            initiator: setup.initiator,
            surroundings: None,
            begun: false,
            negotiation: Negotiation::new(setup.initiator, setup.naming),
            observer: Observer::new(&setup.config),
            gatherer: Gatherer::new(setup.config, setup.rng),
            book: Book::default(),
            selected: None,
            acts: Outbox::default(),
            outputs: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    fn begin(&mut self, now: Timestamp) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let sockets = self.surroundings.iter().flat_map(|surroundings| &surroundings.local);
        let sockets: Vec<Endpoint> = sockets.copied().collect();
        self.stack.begin(now, &sockets, &mut self.acts);
        self.tell(Event::GatheringState(GatheringState::Gathering));
        if S::GATHERS {
            sockets.into_iter().for_each(|socket| self.gatherer.ask_from(now, socket));
        }
    }

    /// Takes a message of the other side's. It begins with the first.
    fn hear(&mut self, now: Timestamp, message: &Bytes) {
        self.begin(now);
        // Its session is to be known before an offer is answered.
        self.settle(now);
        if S::DESCRIBES {
            return self.hear_as_it_is(now, message);
        }
        self.negotiation.handle_message(message);
        self.pass_on();
        if self.negotiation.remote_is_lite() {
            self.stack.face_lite();
        }
        while let Some(signal) = self.negotiation.poll_heard() {
            self.stack.hear(now, signal, &mut self.acts);
        }
        self.settle(now);
        self.negotiation.finish();
        self.pass_on();
    }

    /// A message for a stack that makes descriptions.
    fn hear_as_it_is(&mut self, now: Timestamp, message: &Bytes) {
        let Some(Message { kind, sdp }) = Message::read(message) else { return };
        if let MessageKind::Offer | MessageKind::Answer = kind {
            let state = match kind {
                MessageKind::Offer => SignalingState::HaveRemoteOffer,
                _ => SignalingState::Stable,
            };
            let described = described(kind, sdp, state).map(NegotiationEvent::Remote);
            self.events.extend(described.map(PeerEvent::Negotiation));
            self.stack.describe(now, kind, sdp, &mut self.acts);
        } else if let Some(signal) = Signal::decode(message) {
            self.stack.hear(now, signal, &mut self.acts);
        }
    }

    fn receive(&mut self, now: Timestamp, datagram: Datagram) {
        let udp = match datagram.transport {
            Transport::Udp(udp) => udp,
            Transport::Icmp(Icmp::Error(error)) => return self.heed(&error),
            _ => return,
        };
        let packet = Packet {
            local: Endpoint::new(datagram.destination, udp.destination_port),
            remote: Endpoint::new(datagram.source, udp.source_port),
            payload: udp.payload,
        };
        if let Heard::Packet(packet) = self.gatherer.receive(now, packet) {
            let seen = self.observer.received(now, &packet);
            if let Some(Event::CheckSucceeded { pair, mapped, .. }) = &seen {
                self.learn(*pair, *mapped);
            }
            self.events.extend(seen.map(PeerEvent::Ice));
            self.stack.receive(now, &packet, &mut self.acts);
        }
    }

    /// An ICMP error about a question to a server ends it; one about a check is easily forged, and no stack asks for it.
    fn heed(&mut self, error: &IcmpError) {
        let quoted = (error.quoted.source_endpoint(), error.quoted.destination_endpoint());
        if let (IcmpErrorKind::PortUnreachable, (Some(socket), Some(server))) = (error.kind, quoted) {
            self.gatherer.unreachable(socket, server);
        }
    }

    /// A check shows a local candidate that was not known (RFC 8445 section 7.2.5.3.1).
    fn learn(&mut self, pair: PairAddresses, mapped: Endpoint) {
        let local = self.book.pair(pair.base, pair.remote, Some(mapped)).local;
        if local.kind == CandidateType::PeerReflexive && !self.book.is_known_local(mapped) {
            self.book.add_local(local, pair.base);
            self.tell(Event::PeerReflexive { side: Side::Local, candidate: local, pair });
        }
    }

    fn move_socket(&mut self, now: Timestamp, old: IpAddr, new: IpAddr) {
        let Some(surroundings) = &mut self.surroundings else { return };
        let moved: Vec<Endpoint> = surroundings
            .local
            .iter_mut()
            .filter(|local| local.ip == old)
            .map(|local| std::mem::replace(local, Endpoint::new(new, local.port)))
            .collect();
        for gone in moved.into_iter().filter(|_| self.begun) {
            self.gatherer.forget(gone);
            self.stack.lose_base(now, gone, &mut self.acts);
            if S::GATHERS {
                self.gatherer.ask_from(now, Endpoint::new(new, gone.port));
            }
        }
    }

    /// Does what the stack and the gatherer want done, until neither wants anything.
    fn settle(&mut self, now: Timestamp) {
        loop {
            while let Some(act) = self.acts.0.pop_front() {
                self.perform(now, act);
            }
            self.negotiation.flush();
            self.pass_on();
            while let Some(transmit) = self.gatherer.poll_transmit() {
                let datagram = Datagram::udp(transmit.from, transmit.to, transmit.payload);
                self.outputs.push_back(Output::Send(datagram));
            }
            match self.gatherer.poll_news() {
                Some(News::Found(found)) => self.stack.add_local(now, &found, &mut self.acts),
                Some(News::Event(event)) => self.tell(event),
                Some(News::Done) => {
                    self.tell(Event::GatheringState(GatheringState::Complete));
                    self.stack.end_of_locals(now, &mut self.acts);
                }
                None if self.acts.0.is_empty() => return,
                None => {}
            }
        }
    }

    fn perform(&mut self, now: Timestamp, act: Act) {
        match act {
            Act::Send(packet) => self.send(now, &packet),
            Act::Session { credentials, candidates } => self.begin_session(&credentials, &candidates),
            Act::Description { kind, sdp } => {
                let state = match kind {
                    MessageKind::Offer => SignalingState::HaveLocalOffer,
                    _ => SignalingState::Stable,
                };
                let described = described(kind, &sdp, state).map(NegotiationEvent::Local);
                self.events.extend(described.map(PeerEvent::Negotiation));
                self.signal(Message { kind, sdp: &sdp }.write());
            }
            Act::Local { candidate, base, server } => {
                self.book.add_local(candidate, base);
                self.tell(Event::LocalCandidate { candidate, server });
                match S::DESCRIBES {
                    true => self.signal(Signal::Candidate(candidate).encode()),
                    false => self.negotiation.add_candidate(&candidate),
                }
            }
            Act::EndOfLocals { ufrag } => {
                self.tell(Event::EndOfCandidates { ufrag });
                match S::DESCRIBES {
                    true => self.signal(Signal::EndOfCandidates.encode()),
                    false => self.negotiation.end_of_candidates(),
                }
            }
            Act::Remote(candidate) => {
                let outcome = match self.book.add_remote(candidate) {
                    true => RemoteOutcome::Added,
                    false => RemoteOutcome::Duplicate,
                };
                self.tell(Event::RemoteCandidate { candidate, outcome });
                self.update(candidate.address);
            }
            Act::NewSession => self.book.forget_remotes(),
            Act::Select { base, remote } => self.select(base, remote),
            Act::Lose(why) => {
                if let Some((base, remote)) = self.selected.take() {
                    self.tell(Event::ConsentLost { pair: PairAddresses { base, remote }, why });
                }
            }
            Act::Channel(event) => self.events.push_back(PeerEvent::Channel(event)),
            Act::Tell(event) => self.tell(event),
            Act::Note(note) => self.events.push_back(PeerEvent::Note(note)),
        }
    }

    /// The first session of the other side's answers the first offer; every other is offered, or answers what begins it.
    fn begin_session(&mut self, credentials: &Credentials, candidates: &[Candidate]) {
        if !self.initiator && self.negotiation.remote().is_none() {
            self.negotiation.await_offer(credentials);
        } else {
            self.negotiation.begin(credentials);
        }
        candidates.iter().for_each(|candidate| self.negotiation.add_candidate(candidate));
        if !candidates.is_empty() {
            self.negotiation.end_of_candidates();
        }
        self.pass_on();
    }

    fn pass_on(&mut self) {
        while let Some(output) = self.negotiation.poll_output() {
            match output {
                NegotiationOutput::Message(message) => self.signal(message),
                NegotiationOutput::Event(event) => self.events.push_back(PeerEvent::Negotiation(event)),
            }
        }
    }

    fn signal(&mut self, message: Bytes) {
        let to = self.surroundings.as_ref().map(|surroundings| surroundings.other);
        self.outputs.extend(to.map(|to| Output::Signal { to, message }));
    }

    fn send(&mut self, now: Timestamp, packet: &Packet) {
        let (check, nomination) = self.observer.sent(now, packet);
        self.events.extend([check, nomination].into_iter().flatten().map(PeerEvent::Ice));
        if !self.gatherer.send(now, packet) {
            let datagram = Datagram::udp(packet.local, packet.remote, packet.payload.clone());
            self.outputs.push_back(Output::Send(datagram));
        }
    }

    fn select(&mut self, base: Endpoint, remote: Endpoint) {
        if self.selected.replace((base, remote)) == Some((base, remote)) {
            return;
        }
        if !self.book.is_known_remote(remote) {
            let candidate = reflexive(remote, None);
            let (side, pair) = (Side::Remote, PairAddresses { base, remote });
            self.tell(Event::PeerReflexive { side, candidate, pair });
        }
        let pair = self.book.pair(base, remote, self.observer.mapped(base, remote));
        self.tell(Event::Selected(Box::new(pair)));
    }

    /// The candidate of the pair in use has been signalled after all.
    fn update(&mut self, address: Endpoint) {
        if let Some((base, remote)) = self.selected.filter(|(_, remote)| *remote == address) {
            let pair = self.book.pair(base, remote, self.observer.mapped(base, remote));
            self.tell(Event::SelectedUpdated(Box::new(pair)));
        }
    }

    fn tell(&mut self, event: Event) {
        self.events.push_back(PeerEvent::Ice(event));
    }
}

/// What a description of a stack's says, in short; `None` where it does not do ICE.
fn described(kind: MessageKind, sdp: &str, state: SignalingState) -> Option<Described> {
    let description = Description::parse(sdp).ok()?;
    let section = description.transport()?;
    let credentials = description.credentials(section)?;
    Some(Described { kind, credentials, candidates: section.candidates().count(), state })
}

impl<S: Stack> Program for Agent<S> {
    type Event = PeerEvent;

    fn handle_input(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Start if self.initiator => self.begin(now),
            Input::Start => {}
            Input::Datagram(datagram) => self.receive(now, datagram),
            Input::Signal { message, .. } => self.hear(now, &message),
            Input::AddressChanged { old, new } => self.move_socket(now, old, new),
        }
        self.settle(now);
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        self.gatherer.handle_timeout(now);
        if self.stack.poll_timeout().is_some_and(|due| due <= now) {
            self.stack.handle_timeout(now, &mut self.acts);
        }
        self.settle(now);
    }

    fn poll_transmit(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_event(&mut self) -> Option<PeerEvent> {
        self.events.pop_front()
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.stack.poll_timeout().into_iter().chain(self.gatherer.poll_timeout()).min()
    }
}

impl<S: Stack> Guest for Agent<S> {
    fn place(&mut self, surroundings: Surroundings) {
        self.surroundings = Some(surroundings);
    }
}
