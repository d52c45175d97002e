//! Every scenario that comes with the project is a lesson that holds: it says what it shows, and it shows it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use natbed_lab::run::{Options, Run, run};
use natbed_lab::scenario::{Action, Scenario, parse};

/// The scenarios with their file names, in order.
fn scenarios() -> Vec<(String, Scenario)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ext| ext == "toml")).collect();
    files.sort();
    files.iter().map(PathBuf::as_path).map(read).collect()
}

fn read(file: &Path) -> (String, Scenario) {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let scenario = parse(&std::fs::read(file).unwrap()).unwrap_or_else(|problems| {
        panic!("{name} is no scenario: {:?}", problems.diagnostics());
    });
    (name, scenario)
}

fn run_with(scenario: &Scenario, seed: Option<u64>) -> Run {
    run(scenario, &Options { seed, ..Options::default() }).unwrap()
}

/// What came out, in a line for each connection and datagram.
fn results(run: &Run) -> String {
    let connections = run.connections.iter().map(|connection| format!("{connection:?}\n"));
    connections.chain(run.sends.iter().map(|send| format!("{send:?}\n"))).collect()
}

fn is_lossy(scenario: &Scenario) -> bool {
    let links = scenario.nats.iter().map(|nat| &nat.link);
    let links = links.chain(scenario.hosts.iter().map(|host| &host.link));
    let links = links.chain(scenario.servers.iter().map(|server| &server.link));
    let later = scenario.events.iter().filter_map(|event| match &event.action {
        Action::SetLink { link, .. } => Some(link),
        _ => None,
    });
    links.chain(later).any(|link| link.loss > 0.0 && link.loss < 1.0)
}

#[test]
fn there_are_enough_lessons() {
    assert!(scenarios().len() >= 18, "{} scenarios", scenarios().len());
}

#[test]
fn every_scenario_says_what_it_shows() {
    let mut seen = BTreeMap::new();
    for (file, scenario) in scenarios() {
        assert!(!scenario.name.trim().is_empty(), "{file} has no name");
        assert!(!scenario.about.trim().is_empty(), "{file} has no about");
        if let Some(other) = seen.insert(scenario.name, file.clone()) {
            panic!("{file} and {other} have one name");
        }
    }
}

#[test]
fn every_scenario_expects_something() {
    for (file, scenario) in scenarios() {
        let connects = scenario.connects.iter().any(|connect| connect.expect.is_some());
        let sends = scenario.sends.iter().any(|send| send.expect.is_some());
        assert!(connects || sends, "{file} expects nothing");
    }
}

#[test]
fn every_scenario_meets_its_expectations() {
    for (file, scenario) in scenarios() {
        let run = run_with(&scenario, None);
        assert!(run.met(), "{file}:\n{}", results(&run));
    }
}

#[test]
fn without_loss_no_seed_changes_what_a_scenario_shows() {
    for (file, scenario) in scenarios().into_iter().filter(|(_, scenario)| !is_lossy(scenario)) {
        for seed in 1..=20 {
            let run = run_with(&scenario, Some(seed));
            assert!(run.met(), "{file} with seed {seed}:\n{}", results(&run));
        }
    }
}
