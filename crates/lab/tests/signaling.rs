//! Offers, answers and candidates in the event log: in the order of the steps of a WebRTC connection.

use natbed_lab::log::line;
use natbed_lab::run::{Options, Outcome, Run, run};
use natbed_lab::scenario::{HoldState, parse};
use serde_json::Value;

const PAIR: &str =
    "format = 1\n[stun.s]\n[nat.a]\n[nat.b]\n[host.alice]\nbehind = 'a'\n[host.bob]\nbehind = 'b'\n";
const CONNECT: &str = "[[connect]]\nfrom = 'alice'\nto = 'bob'\nexpect = 'direct'\n";

fn log(text: &str) -> (Run, Vec<Value>) {
    let scenario = parse(text.as_bytes()).unwrap_or_else(|problems| panic!("{problems:?}"));
    let run = run(&scenario, &Options { log: true, ..Options::default() }).unwrap();
    let lines = (0..).zip(run.log()).map(|(seq, record)| line(&run, seq, record)).collect();
    (run, lines)
}

/// `25 ms signaling signal-passed offer` for the lines with one of these events.
fn told(lines: &[Value], events: &[&str]) -> Vec<String> {
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let wanted = lines.iter().filter(|line| events.contains(&line["event"].as_str().unwrap()));
    let words = wanted.map(|line| {
        let what = [text(line, "carries"), text(line, "type")].concat();
        let ms = line["time_ns"].as_u64().unwrap() / 1_000_000;
        format!("{ms} ms {} {} {what}", text(line, "node"), text(line, "event")).trim_end().to_owned()
    });
    words.collect()
}

#[test]
fn the_log_has_the_steps_of_a_webrtc_connection_in_their_order() {
    let (run, lines) = log(&format!("{PAIR}{CONNECT}"));
    assert_eq!(run.connections[0].outcome, Outcome::Direct);
    let exchange = [
        "local-description",
        "signaled",
        "signal-passed",
        "signal-received",
        "remote-description",
        "candidate",
    ];
    let told = told(&lines, &exchange);
    let host = |name: &str| {
        let found = lines.iter().find(|line| line["event"] == "candidate" && line["node"] == name);
        found.unwrap()["candidate"]["address"].as_str().unwrap().to_owned()
    };
    let (alice, bob) = (host("alice"), host("bob"));
    let expected = [
        "0 ms alice local-description offer".to_owned(),
        "0 ms alice signaled offer".to_owned(),
        "0 ms alice candidate".to_owned(),
        format!("0 ms alice signaled candidates host {alice}"),
        "25 ms signaling signal-passed offer".to_owned(),
        format!("25 ms signaling signal-passed candidates host {alice}"),
        "50 ms bob signal-received offer".to_owned(),
        "50 ms bob remote-description offer".to_owned(),
        "50 ms bob local-description answer".to_owned(),
        "50 ms bob signaled answer".to_owned(),
        "50 ms bob candidate".to_owned(),
        format!("50 ms bob signaled candidates host {bob}"),
        format!("50 ms bob signal-received candidates host {alice}"),
    ];
    assert_eq!(told[..expected.len()], expected);
    assert!(told.contains(&"100 ms alice remote-description answer".to_owned()), "{told:?}");
    let first = |event: &str| lines.iter().position(|line| line["event"] == event).unwrap();
    let order =
        ["local-description", "candidate", "remote-description", "check", "check-succeeded", "nominated"];
    assert!(order.windows(2).all(|pair| first(pair[0]) < first(pair[1])), "{order:?}");
    let offer = &lines[first("signaled")];
    let text = offer["message"].as_str().unwrap();
    assert!(text.starts_with("offer\r\nv=0\r\n") && text.contains("a=ice-options:trickle ice2"), "{text}");
}

#[test]
fn a_node_called_signaling_keeps_its_name() {
    let text =
        format!("{PAIR}{CONNECT}").replace("alice", "signaling").replace("[nat.a]", "[nat.signaling-2]");
    let (_, lines) = log(&text.replace("behind = 'a'", "behind = 'signaling-2'"));
    let passed = lines.iter().find(|line| line["event"] == "signal-passed").unwrap();
    assert_eq!(passed["node"], "signaling-3");
}

#[test]
fn both_sides_may_restart_at_once() {
    let events = "[[event]]\nat = '10 s'\ndo = { change-address = { node = 'alice', address = '192.168.1.77' } }\n\
        [[event]]\nat = '10.02 s'\ndo = { change-address = { node = 'bob', address = '192.168.2.77' } }\n";
    let (run, lines) = log(&format!("{PAIR}{CONNECT}hold = '60 s'\nafter = 'restarted'\n{events}"));
    assert_eq!(run.connections[0].after, Some(HoldState::Restarted));
    let collisions = told(&lines, &["offer-collision"]);
    assert_eq!(collisions, ["10050 ms bob offer-collision", "10070 ms alice offer-collision"]);
    let descriptions = told(&lines, &["local-description"]);
    assert_eq!(
        descriptions[2..],
        [
            "10000 ms alice local-description offer",
            "10020 ms bob local-description offer",
            "10050 ms bob local-description answer",
        ]
    );
}
