//! Agents of other people's: a small one, and what a run makes of it.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use natbed_lab::diagnose::plain;
use natbed_lab::log::line;
use natbed_lab::lower::LowerError;
use natbed_lab::peer::{Guest, Note, PeerEvent, Registry, Setup, Surroundings};
use natbed_lab::run::{Options, Outcome, Run, run, run_with};
use natbed_lab::scenario::{Scenario, parse_with, show};
use natbed_net::{Input, Output, Program};
use natbed_packet::{Datagram, Endpoint, Timestamp};
use natbed_traversal::ice::{Event, Failure, Role};

/// Tells the other side its address, sends it a datagram, and has a pair when one comes; then says that it has others at
/// the given times.
struct Knocker {
    host: String,
    initiator: bool,
    surroundings: Option<Surroundings>,
    changes: VecDeque<Timestamp>,
    outputs: VecDeque<Output>,
    events: VecDeque<PeerEvent>,
}

impl Knocker {
    fn new(setup: &Setup, changes: &[u64]) -> Self {
        Self {
            host: setup.host.clone(),
            initiator: setup.config.role == Role::Controlling,
            surroundings: None,
            changes: changes.iter().map(|at| Timestamp::ZERO + Duration::from_millis(*at)).collect(),
            outputs: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    fn tell_address(&mut self) {
        let Some(Surroundings { local, other }) = &self.surroundings else { return };
        let message = Bytes::from(local[0].to_string());
        self.outputs.push_back(Output::Signal { to: *other, message });
    }

    fn select(&mut self, remote: Endpoint) {
        let Some(Surroundings { local, .. }) = &self.surroundings else { return };
        self.events.push_back(PeerEvent::connected(local[0], remote));
    }
}

impl Program for Knocker {
    type Event = PeerEvent;

    fn handle_input(&mut self, _now: Timestamp, input: Input) {
        match input {
            Input::Start if self.initiator => {
                let note = Note { topic: "greeting", text: format!("I run on {}", self.host) };
                self.events.push_back(PeerEvent::Note(note));
                self.tell_address();
            }
            Input::Signal { message, .. } => {
                let to = std::str::from_utf8(&message).unwrap().parse().unwrap();
                let from = self.surroundings.as_ref().unwrap().local[0];
                self.outputs.push_back(Output::Send(Datagram::udp(from, to, "knock".into())));
                if !self.initiator {
                    self.tell_address();
                }
            }
            Input::Datagram(datagram) => self.select(datagram.source_endpoint().unwrap()),
            Input::Start | Input::AddressChanged { .. } => {}
        }
    }

    fn handle_timeout(&mut self, _now: Timestamp) {
        if let Some(at) = self.changes.pop_front() {
            let port = 1 + u16::try_from(at.as_nanos() / 1_000_000).unwrap();
            self.select(Endpoint::v4(203, 0, 113, 77, port));
        }
    }

    fn poll_transmit(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_event(&mut self) -> Option<PeerEvent> {
        self.events.pop_front()
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.changes.front().copied()
    }
}

impl Guest for Knocker {
    fn place(&mut self, surroundings: Surroundings) {
        self.surroundings = Some(surroundings);
    }
}

/// Never finds anything, and says so.
struct Pessimist(Option<PeerEvent>);

impl Program for Pessimist {
    type Event = PeerEvent;

    fn handle_input(&mut self, _now: Timestamp, input: Input) {
        if input == Input::Start {
            self.0 = Some(PeerEvent::Ice(Event::Failed { why: Failure::NoPairs }));
        }
    }

    fn handle_timeout(&mut self, _now: Timestamp) {}

    fn poll_transmit(&mut self) -> Option<Output> {
        None
    }

    fn poll_event(&mut self) -> Option<PeerEvent> {
        self.0.take()
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }
}

impl Guest for Pessimist {}

fn registry(changes: &'static [u64]) -> Registry {
    let mut registry = Registry::new();
    registry.add("knocker", move |setup| Box::new(Knocker::new(&setup, changes)));
    registry.add("pessimist", |_| Box::new(Pessimist(None)));
    registry
}

const PUBLIC: &str = "format = 1
[host.alice]
agent = 'knocker'
[host.bob]
agent = 'knocker'
[[connect]]
from = 'alice'
to = 'bob'
expect = 'direct'
";

fn scenario(text: &str) -> Scenario {
    parse_with(text.as_bytes(), &registry(&[])).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn run_of(scenario: &Scenario, changes: &'static [u64]) -> Run {
    run_with(scenario, &Options { log: true, ..Options::default() }, &registry(changes)).unwrap()
}

#[test]
fn a_guest_connects_and_its_own_words_are_in_the_log() {
    let run = run_of(&scenario(PUBLIC), &[]);
    assert!(run.met());
    assert_eq!(run.connections[0].setup, Some(Duration::from_millis(70)), "a message, then a datagram");
    let lines: Vec<String> = run
        .log()
        .iter()
        .enumerate()
        .map(|(seq, record)| line(&run, seq as u64, record).to_string())
        .collect();
    let own = lines.iter().filter(|line| line.contains(r#""event":"agent""#));
    assert_eq!(own.filter(|line| line.contains(r#""text":"I run on alice""#)).count(), 1, "{lines:#?}");
    let (alice, _) = run.lowered.agents[0];
    assert!(run.lowered.simulator.program(alice).guest::<Knocker>().is_some_and(|knocker| knocker.initiator));
}

#[test]
fn a_pair_counts_once_it_has_stood_for_five_seconds() {
    let port = |changes| run_of(&scenario(PUBLIC), changes).connections[0].pair.unwrap().remote.address.port;
    assert_eq!(port(&[3_000, 6_000]), 6_001, "each change begins the five seconds again");
    assert_eq!(port(&[3_000, 8_000]), 3_001, "after five seconds the pair counts");
    let run = run_of(&scenario(PUBLIC), &[3_000]);
    assert_eq!(run.connections[0].setup, Some(Duration::from_millis(70)), "the first pair is the set-up");
    assert!(run.lowered.simulator.now() >= Timestamp::from_secs(8));
}

#[test]
fn a_guest_that_gives_up_fails_at_once() {
    let text = PUBLIC.replacen("knocker", "pessimist", 1).replace("'direct'", "'fail'");
    let run = run_of(&scenario(&text), &[]);
    assert!(run.met());
    assert!(run.lowered.simulator.now() < Timestamp::from_secs(1));
}

#[test]
fn agents_can_be_put_at_both_ends_of_every_connection() {
    let mut scenario = scenario(PUBLIC);
    scenario.set_agents("native", "native");
    assert_eq!(run(&scenario, &Options::default()).unwrap().connections[0].outcome, Outcome::Direct);
    scenario.set_agents("pessimist", "native");
    assert_eq!(run_of(&scenario, &[]).connections[0].outcome, Outcome::Fail);
}

#[test]
fn what_is_shown_names_the_agents() {
    let shown = show(&scenario(PUBLIC));
    assert_eq!(scenario(&shown), scenario(PUBLIC));
}

#[test]
fn an_agent_that_is_missing_is_an_error() {
    let Err(LowerError::Agent(unknown)) = run(&scenario(PUBLIC), &Options::default()) else {
        panic!("there is no knocker")
    };
    assert_eq!(unknown.name, "knocker");
    let problems =
        parse_with(PUBLIC.replacen("knocker", "nocker", 1).as_bytes(), &registry(&[])).unwrap_err();
    let report = problems.render("x.toml", &plain);
    assert!(report.contains("did you mean `knocker`?"), "{report}");
    let problems = parse_with(PUBLIC.replacen("knocker", "pion", 1).as_bytes(), &registry(&[])).unwrap_err();
    let report = problems.render("x.toml", &plain);
    assert!(
        report.contains("there are `native`, `knocker` and `pessimist`; with the feature `adapters`"),
        "{report}"
    );
}

#[test]
fn agents_that_talk_with_their_own_kind_alone_meet_nobody_else() {
    let mut registry = Registry::new();
    registry.add("knocker", |setup| Box::new(Knocker::new(&setup, &[])));
    registry.keep_apart("knocker");
    let text = |agents: [&str; 2]| {
        let [a, b] = agents;
        format!(
            "format = 1\n[host.a]\nagent = '{a}'\n[host.b]\nagent = '{b}'\n[[connect]]\nfrom = 'a'\nto = 'b'\n"
        )
    };
    assert!(parse_with(text(["knocker", "knocker"]).as_bytes(), &registry).is_ok());
    let problems = parse_with(text(["knocker", "native"]).as_bytes(), &registry).unwrap_err();
    let report = problems.render("x.toml", &plain);
    assert!(
        report.contains("error[strange-agents]: the agents `knocker` and `native` cannot talk"),
        "{report}"
    );
    assert!(report.contains("--> x.toml:8:6"), "{report}");
}
