//! Explanations say what the event log says, and name what decided.

use std::collections::BTreeSet;

use natbed_lab::explain::{Explanation, explain};
use natbed_lab::matrix::pair_scenario;
use natbed_lab::run::{Options, Outcome, Run, run};
use natbed_lab::scenario::{Scenario, parse};
use natbed_nat::presets;

fn explained(text: &str) -> (Scenario, Run, Vec<Explanation>) {
    let scenario = parse(text.as_bytes()).unwrap_or_else(|problems| panic!("{problems:?}"));
    let run = run(&scenario, &Options { log: true, ..Options::default() }).unwrap();
    let explanations = explain(&scenario, &run, None, None);
    (scenario, run, explanations)
}

fn pair(a: &str, b: &str) -> (Run, Explanation) {
    let (_, run, mut explanations) = explained(&pair_scenario(a, b, &[], 1));
    (run, explanations.remove(0))
}

fn evidence(explanation: &Explanation) -> Vec<&str> {
    let steps = explanation.chapters.iter().flat_map(|chapter| &chapter.steps);
    steps.flat_map(|step| step.evidence.iter().map(String::as_str)).collect()
}

#[test]
fn symmetric_against_port_restricted_names_the_port_the_filter_and_the_entry() {
    let (run, explanation) = pair("symmetric", "port-restricted");
    assert_eq!(run.connections[0].outcome, Outcome::Relay);
    let [port, made_for, relay] = explanation.why.as_slice() else { panic!("{:?}", explanation.why) };
    assert!(port.starts_with("b (port-restricted) lets in 203.0.113.1:"), "{port}");
    assert!(port.ends_with("as a (symmetric) gives every destination a port of its own."), "{port}");
    assert!(made_for.contains("for stun1 198.51.100.1:3478 alone"), "{made_for}");
    assert!(relay.contains("TURN"), "{relay}");
    let evidence = evidence(&explanation);
    let has = |words: &[&str]| evidence.iter().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(has(&["a (symmetric) makes the source", "(new entry 192.168.1.", "for 198.51.100.1:3478)"]));
    assert!(has(&[
        "dropped at b (port-restricted) [filtered]",
        "for any destination lets in",
        "not 203.0.113.1:"
    ]));
    assert!(has(&["turn1 relays what it carries"]));
}

#[test]
fn every_packet_that_is_named_is_in_the_event_log() {
    for a in presets::GRID {
        for b in ["EIM/APDF", "APDM/EIF", "firewall"] {
            let (run, explanation) = pair(a, b);
            let mut bytes = Vec::new();
            natbed_lab::log::write_jsonl(&run, &mut bytes).unwrap();
            let ids = String::from_utf8(bytes).unwrap().lines().map(packet_id).collect::<BTreeSet<_>>();
            let named = evidence(&explanation);
            let named = named.iter().filter_map(|line| line.strip_prefix("packet #"));
            for line in named {
                let id: u64 = line.split(':').next().unwrap().parse().unwrap();
                assert!(ids.contains(&Some(id)), "{a} {b}: {line}");
            }
            assert!(!explanation.why.is_empty() && !explanation.setting.is_empty(), "{a} {b}");
        }
    }
}

fn packet_id(line: &str) -> Option<u64> {
    let value: serde_json::Value = serde_json::from_str(line).unwrap();
    value["packet"]["id"].as_u64()
}

#[test]
fn an_answer_that_comes_back_another_way_is_the_reason() {
    let (run, explanation) = pair("APDM/EIF", "APDM/EIF");
    assert_eq!(run.connections[0].outcome, Outcome::Relay);
    assert!(explanation.why[0].contains("RFC 8445 section 7.2.5.2.1"), "{:?}", explanation.why);
    let steps: usize = explanation.chapters.iter().map(|chapter| chapter.steps.len()).sum();
    assert!(steps < 40, "ports beyond counting are told together: {steps} steps");
}

#[test]
fn a_direct_connection_says_whom_the_filter_lets_in() {
    let (_, explanation) = pair("port-restricted", "port-restricted");
    assert!(explanation.why.iter().any(|why| why.contains("lets in 203.0.113.1:")), "{:?}", explanation.why);
    assert!(explanation.why.iter().any(|why| why.contains("lets in 203.0.113.2:")), "{:?}", explanation.why);
}

#[test]
fn a_plain_datagram_is_followed_through_the_table() {
    let (_, run, explanations) = explained(
        r#"
format = 1
[nat.home]
[host.alice]
behind = "home"
address = "192.168.1.10"
[host.carol]
behind = "home"
address = "192.168.1.11"
[host.web]
address = "4.4.4.4"
[[send]]
from = "alice"
from-port = 8992
to = "4.4.4.4:80"
[[send]]
from = "alice"
from-port = 8992
to = "carol"
to-port = 7
at = "1 s"
[[send]]
from = "web"
from-port = 80
to = "home"
to-port = 8992
at = "2 s"
[[send]]
from = "web"
from-port = 81
to = "home"
to-port = 8992
at = "3 s"
"#,
    );
    assert_eq!(explanations.len(), 4);
    let first = evidence(&explanations[0]).join("\n");
    assert!(first.contains("new entry 192.168.1.10:8992 = 203.0.113.1:8992"), "{first}");
    assert!(explanations[1].chapters[0].steps[0].text.contains("on its own subnet: straight to carol"));
    assert!(explanations[2].title.ends_with("delivered"), "{}", explanations[2].title);
    assert!(explanations[3].title.ends_with("dropped [filtered]"), "{}", explanations[3].title);
    assert_eq!(run.sends[0].source_seen.unwrap().to_string(), "203.0.113.1:8992");
    assert_eq!(run.sends[1].source_seen.unwrap().to_string(), "192.168.1.10:8992");
}
