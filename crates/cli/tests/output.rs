//! Streams, files and documents: what the command leaves behind, byte for byte.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

/// Every kind of randomness: jitter, loss, second copies, random ports.
const RANDOM: &str = r#"
format = 1
[stun.stun1]
[turn.turn1]
[nat.a]
type = "symmetric"
link = { jitter = "5 ms", loss = 0.05, duplicate = 0.05 }
[nat.b]
type = "port-restricted"
link = { jitter = "5 ms", loss = 0.05 }
[host.alice]
behind = "a"
[host.bob]
behind = "b"
[[connect]]
from = "alice"
to = "bob"
"#;

fn natbed(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_natbed")).args(args).env_remove("COLUMNS").output().unwrap()
}

fn scenario(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios").join(name);
    path.with_extension("toml").to_str().unwrap().to_owned()
}

/// A folder with `text` as a scenario in it, and that file's name.
fn written(text: &str) -> (TempDir, String) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("scenario.toml");
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

fn document(args: &[&str]) -> Value {
    let output = natbed(args);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn run_prints_the_document_of_its_schema() {
    let (file, sends) = (scenario("port-restricted-vs-symmetric"), scenario("first-packet"));
    let report = document(&["run", "--json", &file, &sends, "--seed", "42"]);
    assert_eq!(report["schema"], "natbed.run/1");
    let [connected, sent] = &report["scenarios"].as_array().unwrap()[..] else { panic!("two scenarios") };
    assert_eq!(keys(connected), ["file", "name", "seed", "connections"]);
    assert_eq!((&connected["file"], &connected["seed"]), (&Value::from(file), &Value::from(42)));
    let connection = &connected["connections"][0];
    let expected = ["from", "to", "outcome", "expected", "met", "local", "remote", "setup_seconds"];
    assert!(keys(connection).starts_with(&expected));
    assert_eq!((&connection["outcome"], &connection["met"]), (&Value::from("relay"), &Value::from(true)));
    for end in ["local", "remote"] {
        assert_eq!(keys(&connection[end]), ["type", "address"]);
        assert!(connection[end].as_object().unwrap().values().all(Value::is_string));
    }
    assert!(connection["setup_seconds"].is_f64());
    assert!(connection["packets_sent"].is_u64() && connection["packets_dropped"].is_u64());
    let datagram = &sent["sends"][0];
    let expected = ["from", "to", "outcome", "expected", "met", "source_seen", "reason"];
    assert_eq!(keys(datagram), expected);
    assert_eq!((&datagram["outcome"], &datagram["reason"]), (&Value::from("delivered"), &Value::Null));
}

#[test]
fn what_did_not_connect_is_null() {
    let report = document(&["run", "--json", &scenario("udp-blocked")]);
    let connection = &report["scenarios"][0]["connections"][0];
    assert_eq!(connection["outcome"], "fail");
    assert!(["local", "remote", "setup_seconds"].iter().all(|key| connection[*key].is_null()));
}

#[test]
fn matrix_prints_the_document_of_its_schema() {
    let report = document(&["matrix", "--json", "--types", "symmetric,full-cone"]);
    assert_eq!(keys(&report), ["schema", "seed", "types", "cells"]);
    assert_eq!((&report["schema"], &report["seed"]), (&Value::from("natbed.matrix/1"), &Value::from(1)));
    assert_eq!(report["types"], serde_json::json!(["symmetric", "full-cone"]));
    let cells = report["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 4);
    for cell in cells {
        assert_eq!(keys(cell), ["a", "b", "outcome", "local", "remote", "setup_seconds", "packets"]);
        assert!(cell["setup_seconds"].is_f64() && cell["packets"].is_u64());
    }
}

#[test]
fn what_if_is_a_field_of_the_explanation_and_its_scenario_runs_to_the_claim() {
    let file = scenario("no-turn");
    assert!(document(&["explain", "--json", &file]).get("what_if").is_none(), "only where asked for");
    let report = document(&["explain", "--json", "--what-if", &file]);
    let [found] = report["what_if"].as_array().unwrap().as_slice() else { panic!("{report}") };
    assert_eq!((&found["from"], &found["outcome"]), (&Value::from("alice"), &Value::from("fail")));
    let remedies = found["remedies"].as_array().unwrap();
    let outcomes: Vec<_> = remedies.iter().map(|remedy| remedy["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["direct", "direct", "direct", "relay"]);
    let change = &remedies[0]["changes"][0];
    assert_eq!((&change["node"], &change["key"]), (&Value::from("b"), &Value::from("filtering")));
    assert_eq!((&change["is"], &change["steps"]), (&Value::from("address-dependent"), &Value::from(1)));
    for remedy in remedies {
        let number = remedy["number"].to_string();
        let shown = natbed(&["explain", "--apply", &number, &file]).stdout;
        let (_folder, changed) = written(std::str::from_utf8(&shown).unwrap());
        let run = document(&["run", "--json", &changed]);
        let connection = &run["scenarios"][0]["connections"][0];
        assert_eq!(connection["met"], true, "{number}");
        for field in ["outcome", "local", "remote", "setup_seconds"] {
            assert_eq!(connection[field], remedy[field], "{number} {field}");
        }
    }
}

#[test]
fn explain_and_check_print_documents() {
    let report = document(&["explain", "--json", "--pair", "symmetric,symmetric", "--tables"]);
    assert_eq!(report["schema"], "natbed.explain/1");
    assert_eq!(keys(&report["explanations"][0]), ["title", "setting", "chapters", "why"]);
    assert!(report["tables"]["nats"][0]["entries"][0]["internal"].is_string());
    let (_folder, broken) = written("format = 2\n");
    let output = natbed(&["check", "--json", &broken]);
    assert_eq!(output.status.code(), Some(2));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["schema"], &report["files"][0]["valid"]), (&"natbed.check/1".into(), &false.into()));
    assert_eq!(report["files"][0]["problems"][0]["line"], 1);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_natbed"))
        .args(["explain", "--pair", "symmetric,symmetric"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_failure() {
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_natbed"));
    assert_eq!(command.arg("schema").stdout(full()).output().unwrap().status.code(), Some(3));
    let output = natbed(&["run", &scenario("same-lan"), "--trace", "/dev/full"]);
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn nothing_runs_and_nothing_is_written_when_a_file_is_wrong() {
    let (folder, good) = written(RANDOM);
    let trace = folder.path().join("trace.jsonl");
    let (_other, broken) = written("format = 1\nnonsense = 1\n");
    for (wrong, code) in [(broken.as_str(), 2), ("missing.toml", 3)] {
        let output = natbed(&["run", &good, wrong]);
        assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(code), true));
        let output = natbed(&["run", wrong, "--trace", trace.to_str().unwrap()]);
        assert_eq!((output.status.code(), trace.exists()), (Some(code), false));
    }
    let output = natbed(&["run", &good, &good, "--trace", trace.to_str().unwrap()]);
    assert_eq!((output.status.code(), trace.exists()), (Some(2), false));
}

#[test]
fn written_files_are_whole_and_alone() {
    let (folder, file) = written(RANDOM);
    let [trace, pcap] = ["trace.jsonl", "packets.pcapng"].map(|name| folder.path().join(name));
    fs::write(&trace, "old").unwrap();
    let output =
        natbed(&["run", &file, "--trace", trace.to_str().unwrap(), "--pcap", pcap.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files, [pcap.clone(), folder.path().join("scenario.toml"), trace.clone()]);
    assert!(fs::read(pcap).unwrap().starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]));
    for (seq, line) in BufReader::new(fs::File::open(trace).unwrap()).lines().enumerate() {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        assert_eq!(line["seq"], seq);
        assert!(line["time_ns"].is_u64() && line["event"].is_string() && line["node"].is_string());
    }
}

#[test]
fn two_processes_write_the_same_bytes() {
    let (_folder, file) = written(RANDOM);
    for target in ["--trace", "--pcap"] {
        let [first, second] = [(), ()].map(|()| natbed(&["run", &file, target, "-"]));
        assert_eq!(first.status.code(), Some(0));
        assert!(first.stdout.len() > 1000 && first.stdout == second.stdout);
        assert!(String::from_utf8(first.stderr).unwrap().contains("alice → bob"));
    }
}

#[test]
fn what_show_prints_runs_to_the_same_result() {
    for name in ["symmetric-vs-symmetric", "carrier-hairpin", "first-packet", "lossy-link"] {
        let shown = natbed(&["show", &scenario(name)]).stdout;
        let mut child = Command::new(env!("CARGO_BIN_EXE_natbed"))
            .args(["run", "--json", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&shown).unwrap();
        let mut again: Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
        let mut first = document(&["run", "--json", &scenario(name)]);
        for report in [&mut first, &mut again] {
            report["scenarios"][0].as_object_mut().unwrap().remove("file");
        }
        assert_eq!(first, again, "{name}");
    }
}

#[test]
fn templates_are_valid_and_completions_complete() {
    let template = natbed(&["new", "basic"]).stdout;
    let (_folder, file) = written(&String::from_utf8(template).unwrap());
    assert_eq!(natbed(&["check", &file]).status.code(), Some(0));
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = String::from_utf8(natbed(&["completions", shell]).stdout).unwrap();
        assert!(script.contains("explain"), "{shell}");
    }
    assert!(document(&["schema"])["properties"]["format"].is_object());
}

#[test]
fn colour_is_on_top_and_only_where_it_is_wanted() {
    let plain = String::from_utf8(natbed(&["matrix"]).stdout).unwrap();
    let always = String::from_utf8(natbed(&["matrix", "--color", "always"]).stdout).unwrap();
    assert!(!plain.contains('\u{1b}') && always.contains('\u{1b}'));
    assert_eq!(plain.as_bytes(), natbed(&["matrix", "--color", "never"]).stdout);
}

#[test]
fn tables_fit_eighty_columns() {
    for name in ["port-restricted-vs-symmetric", "ipv6", "double-nat"] {
        let output = natbed(&["run", &scenario(name), "--tables"]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("Table of "), "{name}");
        assert!(text.lines().skip(1).all(|line| line.chars().count() <= 80), "{text}");
    }
}
