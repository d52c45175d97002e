//! What the event log tells of other people's stacks, and that it tells the same twice.

use natbed_lab::explain::explain;
use natbed_lab::log::line;
use natbed_lab::matrix::pair_scenario;
use natbed_lab::run::{Options, Outcome, Run, run_with};
use natbed_lab::scenario::{HoldState, parse, parse_with};
use natbed_net::trace::Event;

fn run(agents: [&str; 2]) -> (natbed_lab::scenario::Scenario, Run) {
    let mut scenario = parse(pair_scenario("symmetric", "address-restricted", &[], 1).as_bytes()).unwrap();
    scenario.set_agents(agents[0], agents[1]);
    let options = Options { log: true, ..Options::default() };
    let run = run_with(&scenario, &options, &natbed_adapters::registry()).unwrap();
    (scenario, run)
}

fn lines(run: &Run) -> Vec<String> {
    run.log().iter().enumerate().map(|(seq, record)| line(run, seq as u64, record).to_string()).collect()
}

/// What the agents tell until the initiator has its pair, without what is random, in an order that no random number decides.
fn masked(run: &Run) -> Vec<(u64, String, String, String)> {
    let until = run.connections[0].selected_at.expect("a pair");
    let agents = run.log().iter().filter(|record| matches!(record.event, Event::Program { .. }));
    let name = |record| {
        let line = line(run, 0, record);
        let text = |key: &str| line[key].to_string();
        (record.time.as_nanos(), text("event"), text("node"), text("pair"))
    };
    let mut told: Vec<_> = agents.take_while(|record| record.time <= until).map(name).collect();
    told.sort();
    told
}

#[test]
fn is_has_the_same_log_twice_to_the_byte() {
    let [one, other] = [0, 1].map(|_| lines(&run(["is", "is"]).1));
    assert_eq!(one, other);
}

#[test]
fn rice_and_webrtc_tell_the_same_twice() {
    for agents in [["rice", "rice"], ["native", "rice"], ["webrtc", "webrtc"]] {
        let [one, other] = [0, 1].map(|_| masked(&run(agents).1));
        let first = one.iter().zip(&other).find(|(one, other)| one != other);
        assert!(one == other, "{agents:?}: {first:?}");
    }
}

#[test]
fn the_log_tells_of_candidates_checks_nomination_and_selection() {
    for agents in
        [["is", "is"], ["rice", "rice"], ["webrtc", "webrtc"], ["is", "native"], ["webrtc", "native"]]
    {
        let lines = lines(&run(agents).1);
        let told = |event: &str, node: &str| {
            let (event, node) = (format!("\"event\":\"{event}\""), format!("\"node\":\"{node}\""));
            lines.iter().any(|line| line.contains(&event) && line.contains(&node))
        };
        for event in [
            "local-description",
            "remote-description",
            "candidate",
            "remote-candidate",
            "check",
            "check-received",
            "check-succeeded",
            "nominated",
            "selected",
        ] {
            assert!(told(event, "alice"), "{agents:?}: {event}");
        }
        for kind in ["host", "srflx", "relay"] {
            let candidate =
                format!("\"event\":\"candidate\",\"node\":\"alice\",\"candidate\":{{\"type\":\"{kind}\"");
            assert!(lines.iter().any(|line| line.contains(&candidate)), "{agents:?}: {kind}");
        }
    }
}

#[test]
fn agents_of_different_make_restart_together_after_an_outage() {
    let registry = natbed_adapters::registry();
    let file = include_str!("../../../scenarios/adapters/is-restarts.toml");
    let outage = file
        .replace(
            "do = { reboot-nat = \"a\" }",
            "do = { link-down = \"a\" }\n[[event]]\nat = \"65 s\"\ndo = { link-up = \"a\" }",
        )
        .replace("90 s", "200 s");
    let mut scenario = parse_with(outage.as_bytes(), &registry).unwrap();
    for agents in [["native", "is"], ["is", "native"], ["native", "webrtc"], ["webrtc", "native"]] {
        scenario.set_agents(agents[0], agents[1]);
        let run = run_with(&scenario, &Options::default(), &registry).unwrap();
        assert_eq!(run.connections[0].after, Some(HoldState::Restarted), "{agents:?}");
    }
}

#[test]
fn the_initiator_begins_whatever_its_role() {
    let registry = natbed_adapters::registry();
    for agent in ["is", "rice"] {
        let role = |role| format!("agent = \"{agent}\"\nice = {{ role = \"{role}\" }}\n");
        let text = format!(
            "format = 1\nname = \"roles\"\n[stun.s]\n[nat.a]\ntype = \"port-restricted\"\n\
             [host.alice]\nbehind = \"a\"\n{}[host.bob]\n{}[[connect]]\nfrom = \"alice\"\nto = \"bob\"\n",
            role("controlled"),
            role("controlling")
        );
        let scenario = parse_with(text.as_bytes(), &registry).unwrap();
        let run = run_with(&scenario, &Options::default(), &registry).unwrap();
        assert_eq!(run.connections[0].outcome, Outcome::Direct, "{agent}");
    }
}

#[test]
fn the_explanation_tells_of_them_too() {
    for agent in ["is", "rice", "webrtc"] {
        let (scenario, run) = run([agent, agent]);
        let explanations = explain(&scenario, &run, None, None);
        let steps: Vec<&str> = explanations
            .iter()
            .flat_map(|explanation| &explanation.chapters)
            .flat_map(|chapter| &chapter.steps)
            .map(|step| step.text.as_str())
            .collect();
        let told = |words: &str| steps.iter().any(|step| step.contains(words));
        for words in [
            "its host candidate",
            "server-reflexive",
            "relayed candidate",
            "tells bob its candidates",
            "alice tries",
            "alice selects",
        ] {
            assert!(told(words), "{agent}: {words} in {steps:#?}");
        }
    }
}
