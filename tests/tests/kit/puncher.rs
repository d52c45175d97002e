//! The agent of docs/how-to/properties.md: it punches a hole, and in one version it answers in the wrong place.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use natbed_lab::kit::{Property, Trial, networks};
use natbed_lab::peer::{Guest, PeerEvent, Setup, Surroundings};
use natbed_net::{Input, Output, Program, ProgramId};
use natbed_packet::{Datagram, Endpoint, Timestamp, Transport};
use natbed_traversal::ice::Role;
use natbed_traversal::stun::{Attribute, AttributeType, Builder, Class, Message, Method, TransactionId};

use crate::fixed;

/// Where an agent sends the answer to a probe.
#[derive(Clone, Copy, PartialEq)]
enum Answers {
    /// To the address that the other side said it has.
    WhereTold,
    /// To the address that the probe came from.
    WhereSeen,
}

/// Tells the other side its own address and the one that a STUN server sees, and probes the other side's addresses until
/// one of the probes is answered.
struct Puncher {
    answers: Answers,
    setup: Setup,
    local: Endpoint,
    other: Option<ProgramId>,
    /// The other side's addresses.
    targets: BTreeSet<Endpoint>,
    begun: bool,
    rounds: u32,
    wake: Option<Timestamp>,
    outputs: VecDeque<Output>,
    events: VecDeque<PeerEvent>,
}

impl Puncher {
    fn boxed(answers: Answers, setup: Setup) -> Box<dyn Guest> {
        Box::new(Self {
            answers,
            setup,
            local: Endpoint::v4(0, 0, 0, 0, 0),
            other: None,
            targets: BTreeSet::new(),
            begun: false,
            rounds: 0,
            wake: None,
            outputs: VecDeque::new(),
            events: VecDeque::new(),
        })
    }

    fn begin(&mut self, now: Timestamp) {
        if !std::mem::replace(&mut self.begun, true) {
            self.tell(self.local);
            self.rounds = 50;
            self.wake = Some(now);
        }
    }

    fn tell(&mut self, address: Endpoint) {
        let message = address.to_string().into();
        self.outputs.extend(self.other.map(|to| Output::Signal { to, message }));
    }

    fn send(&mut self, to: Endpoint, payload: impl Into<Bytes>) {
        self.outputs.push_back(Output::Send(Datagram::udp(self.local, to, payload.into())));
    }

    fn receive(&mut self, from: Endpoint, payload: &[u8]) {
        match payload {
            b"probe" if self.answers == Answers::WhereSeen => {
                self.send(from, "answer");
                self.targets.insert(from);
            }
            b"probe" => self.targets.clone().into_iter().for_each(|to| self.send(to, "answer")),
            b"answer" => {
                self.rounds = 0;
                self.events.push_back(PeerEvent::connected(self.local, from));
            }
            _ => {
                let message = Message::parse(payload).ok();
                let mapped = message.and_then(|it| it.attribute(AttributeType::XOR_MAPPED_ADDRESS));
                if let Some(Attribute::XorMappedAddress(mapped)) = mapped {
                    self.tell(mapped);
                }
            }
        }
    }
}

impl Guest for Puncher {
    fn place(&mut self, surroundings: Surroundings) {
        self.local = surroundings.local[0];
        self.other = Some(surroundings.other);
    }
}

impl Program for Puncher {
    type Event = PeerEvent;

    fn handle_input(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Start if self.setup.config.role == Role::Controlling => self.begin(now),
            Input::Signal { message, .. } => {
                let address =
                    std::str::from_utf8(&message).ok().and_then(|text| text.parse::<Endpoint>().ok());
                self.targets.extend(address);
                self.begin(now);
            }
            Input::Datagram(datagram) => {
                if let (Some(from), Transport::Udp(udp)) = (datagram.source_endpoint(), &datagram.transport) {
                    self.receive(from, &udp.payload);
                }
            }
            Input::Start | Input::AddressChanged { .. } => {}
        }
    }

    /// Ten times a second, for five seconds at most.
    fn handle_timeout(&mut self, now: Timestamp) {
        self.rounds = self.rounds.saturating_sub(1);
        self.wake = (self.rounds > 0).then_some(now + Duration::from_millis(100));
        for server in self.setup.config.stun_servers.clone() {
            let mut request = Vec::new();
            let id = TransactionId::random(&mut self.setup.rng);
            Builder::new(&mut request, Class::Request, Method::Binding, id);
            self.send(server, request);
        }
        self.targets.clone().into_iter().for_each(|to| self.send(to, "probe"));
    }

    fn poll_transmit(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_event(&mut self) -> Option<PeerEvent> {
        self.events.pop_front()
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.wake
    }
}

/// Two punchers, which are to do as well as two ICE agents would.
fn punchers(answers: Answers) -> Property {
    Property::new("a puncher connects wherever natbed's own agent does", file!())
        .agent("puncher", move |setup| Puncher::boxed(answers, setup))
}

#[test]
fn a_puncher_that_answers_where_it_sees_is_as_good_as_ice() {
    punchers(Answers::WhereSeen).check(&networks().grid().without_turn(), Trial::as_good_as_native);
}

#[test]
fn a_puncher_that_answers_where_it_was_told_fails_against_one_symmetric_nat() {
    let folder = tempfile::tempdir().unwrap();
    let property = punchers(Answers::WhereTold).config(fixed(2)).folder(folder.path());
    let found = property.find(&networks().grid().without_turn(), Trial::as_good_as_native).unwrap().unwrap();
    let file = fs::read_to_string(found.file.as_ref().unwrap()).unwrap();
    assert!(page().contains(&format!("```toml counterexample.toml\n{file}```\n")), "the page lacks\n{file}");
    let message = found.to_string();
    assert!(page().contains(message.lines().next().unwrap()), "the page lacks\n{message}");

    let log = fs::read_to_string(found.log.unwrap()).unwrap();
    assert!(log.lines().any(|line| line.contains(r#""event":"dropped","node":"b""#)), "{log}");
    let again = property.replay(&file, Trial::as_good_as_native).unwrap_err().to_string();
    assert!(again.contains(&found.why), "{again}");
    punchers(Answers::WhereSeen).replay(&file, Trial::as_good_as_native).unwrap();
}

fn page() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/how-to/properties.md");
    fs::read_to_string(page).unwrap()
}

#[test]
fn the_page_quotes_these_tests() {
    let (page, source) = (page(), [include_str!("puncher.rs"), include_str!("property.rs")].concat());
    let blocks: Vec<&str> =
        page.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let quoted = blocks.iter().filter(|block| source.contains(*block)).count();
    assert!(quoted >= 4, "{quoted} of {} blocks are in the tests", blocks.len());
    for block in blocks {
        assert!(source.contains(block), "the tests lack\n{block}");
    }
}
