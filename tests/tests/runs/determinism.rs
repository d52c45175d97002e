//! The same scenario and seed give the same bytes; what is added changes nothing of what was there.

use std::process::Command;

use natbed_lab::kit::Links;
use natbed_lab::log::write_jsonl;
use natbed_lab::run::Run;
use natbed_lab::scenario::show;
use proptest::prelude::*;
use serde_json::Value;

use crate::generate::with_faults;
use crate::{cases, parsed, run, scenario};

/// Jitter, loss, duplication, reordering, queues and faults.
const NOISY: &str = r#"
format = 1
seed = 7

[stun.stun1]
[turn.turn1]
link = { delay = "15 ms", jitter = "5 ms", loss = 0.02 }

[nat.a]
type = "symmetric"
link = { delay = "20 ms", jitter = "8 ms", loss = 0.05, duplicate = 0.05, reorder = 0.05 }

[nat.b]
type = "port-restricted"
link = { delay = "30 ms", jitter = "10 ms", loss = 0.05, rate = "300 kbit/s", queue = "4 KiB" }

[host.alice]
behind = "a"

[host.bob]
behind = "b"

[[connect]]
from = "alice"
to   = "bob"
hold = "20 s"

[[event]]
at = "8 s"
do = { reboot-nat = "a" }
"#;

/// Two more hosts, one of which sends to the other.
const STRANGERS: &str = r#"
[host.yan]
[host.zed]
link = { jitter = "5 ms", loss = 0.3, duplicate = 0.3 }

[[send]]
from = "zed"
to = "yan"
to-port = 5000
at = "2 s"
"#;

const LATE_FAULT: &str = "\n[[event]]\nat = \"12 s\"\ndo = { reboot-nat = \"b\" }\n";

fn log_of(run: &Run) -> String {
    let mut log = Vec::new();
    write_jsonl(run, &mut log).unwrap();
    String::from_utf8(log).unwrap()
}

fn log(text: &str) -> String {
    log_of(&run(&parsed(text), true))
}

/// The log without the numbers that count over all nodes.
fn events(log: &str) -> Vec<Value> {
    log.lines().map(|line| unnumbered(serde_json::from_str(line).unwrap())).collect()
}

fn unnumbered(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let own = object
                .into_iter()
                .filter(|(key, _)| !matches!(key.as_str(), "seq" | "id" | "packet_id" | "copy" | "relays"));
            Value::Object(own.map(|(key, value)| (key, unnumbered(value))).collect())
        }
        other => other,
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_every_thread() {
    let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(|| log(NOISY))).collect();
    let expected = log(NOISY);
    for thread in threads {
        assert!(thread.join().unwrap() == expected);
    }
}

#[test]
fn another_seed_gives_other_bytes() {
    assert_ne!(log(NOISY), log(&NOISY.replace("seed = 7", "seed = 8")));
}

/// Run by the next test in a process of its own.
#[test]
fn print_the_log() {
    println!("\n{}", log(NOISY));
}

#[test]
fn the_same_seed_gives_the_same_bytes_in_two_processes() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "determinism::print_the_log", "--nocapture", "--test-threads=1"])
        .output()
        .unwrap();
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).unwrap();
    let lines = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.starts_with('{')).map(ToOwned::to_owned).collect()
    };
    assert_eq!(lines(&printed), lines(&log(NOISY)));
}

#[test]
fn strangers_change_no_draw_of_anyone_else() {
    let alone = events(&log(NOISY));
    let mut together = events(&log(&format!("{NOISY}{STRANGERS}")));
    let is_strangers = |event: &Value| {
        let about = |key: &str| event["packet"][key].as_str().is_some_and(|at| at.ends_with(":5000"));
        event["node"] == "yan" || event["node"] == "zed" || about("destination") || about("source")
    };
    assert!(together.iter().any(is_strangers), "they are there");
    together.retain(|event| !is_strangers(event));
    assert_eq!(alone, together);
}

#[test]
fn a_silent_host_changes_no_byte() {
    assert_eq!(log(NOISY), log(&format!("{NOISY}\n[host.zed]\nlink = {{ loss = 0.5 }}\n")));
}

#[test]
fn a_fault_changes_nothing_before_it_strikes() {
    let before = |log: &str| -> Vec<Value> {
        let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.take_while(|line| line["time_ns"].as_u64().unwrap() < 12_000_000_000).collect()
    };
    let (without, with) = (log(NOISY), log(&format!("{NOISY}{LATE_FAULT}")));
    assert_ne!(without, with);
    assert_eq!(before(&without), before(&with));
}

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn any_run_repeats_itself(case in with_faults(Links::Bad, 2, 2)) {
        let scenario = scenario(&case);
        let (first, second) = (run(&scenario, true), run(&scenario, true));
        prop_assert_eq!(log_of(&first), log_of(&second));
    }

    #[test]
    fn a_resolved_scenario_runs_to_the_same_bytes(case in with_faults(Links::Bad, 1, 2)) {
        let resolved = show(&scenario(&case));
        prop_assert!(log(&case.text()) == log(&resolved), "{}", resolved);
    }
}
