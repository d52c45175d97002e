//! A property that does not hold is a scenario file.

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use natbed_lab::explain::explain;
use natbed_lab::kit::{Counterexample, Links, Networks, Property, Trial, networks};
use natbed_lab::peer::{Guest, PeerEvent, Setup};
use natbed_lab::run::{Options, Outcome, run};
use natbed_lab::scenario::parse;
use natbed_net::{Input, Output, Program};
use natbed_packet::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestCaseResult};

use crate::fixed;

fn never_relayed(trial: &Trial) -> TestCaseResult {
    if trial.outcome() == Outcome::Relay {
        Err(TestCaseError::fail("a relay\nof all things"))
    } else {
        Ok(())
    }
}

fn simple() -> Networks {
    networks().own_nats(1..=1).shared_nats(0..=0)
}

fn broken(folder: &Path) -> Counterexample {
    let property = Property::new("No pair needs a relay!", file!()).config(fixed(1)).folder(folder);
    property.find(&simple(), never_relayed).unwrap().expect("some pair does")
}

#[test]
fn the_file_runs_to_the_same_outcome_and_can_be_explained() {
    let folder = tempfile::tempdir().unwrap();
    let found = broken(folder.path());
    let path = found.file.as_ref().unwrap();
    assert_eq!(path, &folder.path().join("no-pair-needs-a-relay.toml"));
    let text = fs::read_to_string(path).unwrap();
    let heading = "# The smallest case found that breaks the property 'No pair needs a relay!':\n#   a relay\n#   of all";
    assert!(text.starts_with(heading), "{text}");
    let scenario = parse(text.as_bytes()).unwrap();
    assert_eq!(scenario.name, "Breaks: No pair needs a relay!");
    let run = run(&scenario, &Options { log: true, ..Options::default() }).unwrap();
    assert_eq!(run.connections[0].outcome, Outcome::Relay);
    let why = explain(&scenario, &run, None, None).remove(0).why.join("\n");
    assert!(why.contains("gives every destination"), "{why}");
    let message = found.to_string();
    assert!(message.contains(&format!("natbed explain {}", path.display())), "{message}");
    assert!(message.contains(&found.case.text()) && message.contains("of all things"), "{message}");
    assert_eq!(found.log, None, "natbed itself writes one with --trace");
}

#[test]
fn no_file_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let first = broken(folder.path()).file.unwrap();
    let content = fs::read(&first).unwrap();
    assert_eq!(broken(folder.path()).file.unwrap(), first, "the same case again is the same file");
    fs::write(&first, "mine").unwrap();
    let second = broken(folder.path()).file.unwrap();
    assert_eq!(second, folder.path().join("no-pair-needs-a-relay-2.toml"));
    assert_eq!((fs::read(&first).unwrap(), fs::read(second).unwrap()), (b"mine".to_vec(), content));
}

#[test]
fn a_folder_that_cannot_be_written_costs_the_file_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let found = broken(&file.join("folder"));
    assert!(found.file.is_err());
    let message = found.to_string();
    assert!(message.contains("could not be written down") && message.contains("[host.alice]"), "{message}");
}

#[test]
fn proptests_own_regression_file_brings_the_case_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("regressions.txt").display().to_string();
    let persistence = || Some(Box::new(FileFailurePersistence::Direct(path.clone().leak())) as _);
    let find = |config: Config| {
        let config = Config { failure_persistence: persistence(), ..config };
        let property = Property::new("no relay", file!()).config(config).folder(folder.path());
        property.find(&simple(), never_relayed).unwrap().map(|found| found.case)
    };
    let first = find(fixed(7)).expect("it fails");
    assert!(fs::read_to_string(&path).unwrap().contains("[host.alice]"), "the seed stands beside the case");
    assert_eq!(find(Config { cases: 0, ..fixed(8) }), Some(first), "it alone is run");
}

#[test]
fn the_same_seed_finds_the_same_case() {
    let folder = tempfile::tempdir().unwrap();
    let again = tempfile::tempdir().unwrap();
    assert_eq!(broken(folder.path()).case, broken(again.path()).case);
}

#[test]
fn natbeds_own_agent_connects_or_falls_back_within_five_seconds() {
    Property::new("connects, or falls back to the relay, within five seconds", file!())
        .config(Config { failure_persistence: None, ..Config::default() })
        .check(&networks().classic().links(Links::Plain), |trial| {
            trial.connected_within(Duration::from_secs(5))
        });
}

#[test]
#[should_panic(expected = "'connects at once' does not hold: alice to bob: direct after ")]
fn check_fails_the_test() {
    let folder = tempfile::tempdir().unwrap();
    let property = Property::new("connects at once", file!()).config(fixed(1)).folder(folder.path());
    property.check(&simple(), |trial| trial.connected_within(Duration::ZERO));
}

#[test]
fn an_agent_that_is_missing_is_no_failing_case() {
    let property = Property::new("anything", file!()).config(fixed(1)).between("native", "nativ");
    let why = property.find(&simple(), never_relayed).unwrap_err();
    assert!(why.contains("did you mean `native`?"), "{why}");
}

#[test]
fn networks_that_cannot_be_are_no_failing_case() {
    let property = Property::new("anything", file!()).config(fixed(1));
    let (no_types, empty) = (networks().types([]), networks().own_nats(RangeInclusive::new(2, 1)));
    assert!(property.find(&no_types, never_relayed).unwrap_err().contains("no types"));
    assert!(property.find(&empty, never_relayed).unwrap_err().contains("empty range"));
}

#[test]
fn a_rejected_case_is_no_failing_case() {
    let property = Property::new("anything", file!()).config(fixed(1));
    let why = property.find(&simple(), |_| Err(TestCaseError::reject("too hard"))).unwrap_err();
    assert!(why.contains("Too many global rejects"), "{why}");
}

/// Panics when the other side speaks to it.
struct Shy;

impl Program for Shy {
    type Event = PeerEvent;

    fn handle_input(&mut self, _now: Timestamp, input: Input) {
        assert!(!matches!(input, Input::Signal { .. }), "spoken to");
    }

    fn handle_timeout(&mut self, _now: Timestamp) {}

    fn poll_transmit(&mut self) -> Option<Output> {
        None
    }

    fn poll_event(&mut self) -> Option<PeerEvent> {
        None
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }
}

impl Guest for Shy {}

#[test]
fn an_agent_that_panics_fails_with_its_words() {
    let folder = tempfile::tempdir().unwrap();
    let property = Property::new("does not panic", file!()).config(fixed(1)).folder(folder.path());
    let property = property.agent("shy", |_: Setup| Box::new(Shy)).between("native", "shy");
    let found = property.find(&networks(), |_| Ok(())).unwrap().expect("it panics");
    assert_eq!((found.why.as_str(), found.case.nats.len()), ("spoken to", 0));
    let text = fs::read_to_string(found.file.unwrap()).unwrap();
    assert!(text.contains("the agent `native` at the initiator and `shy` at the other end"), "{text}");
    assert_eq!(found.log, None);
}

proptest! {
    #[test]
    fn whoever_connects_has_sent_packets(case in networks().links(Links::Lossy)) {
        let run = run(&case.scenario().unwrap(), &Options::default()).unwrap();
        prop_assert!(run.connections[0].setup.is_none() || run.connections[0].packets_sent > 0);
    }
}
