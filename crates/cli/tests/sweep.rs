//! `natbed sweep` and `natbed merge`: what they print, write and refuse, and how they end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

const POPULATION: &str = r#"
format = 1
name = "a quarter on mobile networks"
source = "made up"
[stun.stun1]
[turn.turn1]
[group.home]
share = 0.75
types = [{ type = "port-restricted", share = 0.9 }, { type = "symmetric", share = 0.1 }]
[group.mobile]
share = 0.25
types = [{ type = "EIM/APDF", share = 0.6 }, { type = "symmetric", behind = "EIM/EIF", share = 0.4 }]
link = { delay = "40 ms", jitter = "10 ms" }
"#;

/// A folder with a population file in it.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempdir().unwrap());
        fs::write(desk.path("p.toml"), POPULATION).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_natbed"));
        command.args(args.split_whitespace()).current_dir(self.0.path()).env("COLUMNS", "80");
        command
    }

    fn natbed(&self, args: &str) -> Output {
        self.command(args).output().unwrap()
    }

    /// What a command prints that succeeds.
    fn ok(&self, args: &str) -> String {
        let output = self.natbed(args);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()), "{args}");
        text(&output.stdout)
    }

    /// What a command says that ends with `code`.
    fn refused(&self, args: &str, code: i32) -> String {
        let output = self.natbed(args);
        assert_eq!(output.status.code(), Some(code), "{args}: {}", text(&output.stderr));
        text(&output.stderr)
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_document_is_that_of_its_schema() {
    let desk = Desk::new();
    let report: Value = serde_json::from_str(&desk.ok("sweep p.toml --pairs 200 --seed 9 --json")).unwrap();
    assert_eq!((&report["schema"], &report["pairs"]), (&"natbed.sweep/1".into(), &200.into()));
    assert_eq!((&report["seed"], &report["population"]), (&9.into(), &"a quarter on mobile networks".into()));
    assert_eq!(keys(&report["outcomes"]), ["direct", "relay", "fail"]);
    for outcome in ["direct", "relay", "fail"] {
        let share = &report["outcomes"][outcome];
        assert!(keys(share).starts_with(&["count", "share", "low", "high"]));
        assert!(share["count"].is_u64() && share["share"].is_f64() && share["high"].is_f64());
    }
    let groups = report["groups"].as_array().unwrap();
    let name = |group: &Value, key: &str| group[key].as_str().unwrap().to_owned();
    let names: Vec<String> = groups.iter().map(|group| name(group, "a") + "-" + &name(group, "b")).collect();
    assert_eq!(names, ["home-home", "home-mobile", "mobile-mobile"]);
    assert!(
        groups.iter().all(|group| keys(group).starts_with(&["a", "b", "pairs", "direct", "relay", "fail"]))
    );
    assert_eq!(keys(&report["setup_seconds"]), ["p50", "p90", "p99"]);
    assert_eq!(report["relay_load"]["calls"], 1000);
}

#[test]
fn neither_threads_nor_shards_change_a_byte() {
    let desk = Desk::new();
    let flags = "--pairs 333 --seed 4 --calls 70 --bitrate 2Mbit/s";
    let whole = desk.ok(&format!("sweep p.toml {flags} --json --jobs 1"));
    assert_eq!(desk.ok(&format!("sweep p.toml {flags} --json --jobs 2")), whole);
    let mut parts = String::new();
    for index in 1..=16 {
        let part = format!("part-{index}.json");
        assert_eq!(desk.ok(&format!("sweep p.toml {flags} --shard {index}/16 --out {part}")), "");
        parts = format!("{part} {parts}");
    }
    assert_eq!(desk.ok(&format!("merge {parts} --json")), whole);
    for format in ["table", "csv"] {
        let table = desk.ok(&format!("sweep p.toml {flags} --format {format}"));
        assert_eq!(desk.ok(&format!("merge {parts} --format {format}")), table);
    }
    let other = desk.ok("sweep p.toml --pairs 333 --seed 4 --json");
    assert_eq!(desk.ok(&format!("merge {parts} --calls 1000 --bitrate 1Mbit/s --json")), other);
    desk.ok(&format!("merge {parts} --out merged.json"));
    assert_eq!(fs::read_to_string(desk.path("merged.json")).unwrap(), whole);
}

#[test]
fn the_ending_of_a_file_says_its_format() {
    let desk = Desk::new();
    for (name, start) in [("a.json", "{"), ("a.csv", "a,b,pairs,"), ("a.txt", "a quarter on mobile")] {
        desk.ok(&format!("sweep p.toml --pairs 40 --out {name}"));
        assert!(fs::read_to_string(desk.path(name)).unwrap().starts_with(start), "{name}");
    }
    assert_eq!(desk.files(), ["a.csv", "a.json", "a.txt", "p.toml"]);
}

#[test]
fn a_file_that_is_there_is_kept_unless_one_says_otherwise() {
    let desk = Desk::new();
    fs::write(desk.path("out.json"), "precious").unwrap();
    let said = desk.refused("sweep p.toml --pairs 40 --out out.json", 3);
    assert!(said.contains("out.json: it is there already") && said.contains("--force"), "{said}");
    assert_eq!(fs::read_to_string(desk.path("out.json")).unwrap(), "precious");
    desk.ok("sweep p.toml --pairs 40 --out out.json --force");
    let first = fs::read_to_string(desk.path("out.json")).unwrap();
    desk.ok("sweep p.toml --pairs 40 --shard 1/1 --out part.json");
    desk.refused("merge part.json --out out.json", 3);
    desk.refused("merge part.json --out .", 3);
    desk.refused("sweep p.toml --pairs 40 --out missing/out.json", 3);
    assert_eq!(fs::read_to_string(desk.path("out.json")).unwrap(), first);
    assert_eq!(desk.files(), ["out.json", "p.toml", "part.json"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_loses_nothing() {
    let desk = Desk::new();
    let whole = desk.ok("sweep p.toml --pairs 40 --json");
    desk.ok("sweep p.toml --pairs 40 --shard 1/1 --out part.json");
    for args in ["sweep p.toml --pairs 40 --json --out /dev/full", "merge part.json --json --out /dev/full"] {
        let output = desk.natbed(args);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(3), whole.clone()), "{args}");
        assert!(text(&output.stderr).contains("no space left"));
    }
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    assert_eq!(desk.command("sweep p.toml --pairs 40").stdout(full).output().unwrap().status.code(), Some(3));
}

#[test]
fn bad_usage_is_refused() {
    let desk = Desk::new();
    for (args, words) in [
        ("--shard 0/4", "1/4 to 4/4"),
        ("--shard 5/4", "1/4 to 4/4"),
        ("--shard 1/0", "at least one shard"),
        ("--shard half", "I/N"),
        ("--shard 1/2 --format csv", "natbed merge"),
        ("--pairs 0", "1..="),
        ("--pairs -5", "unexpected argument"),
        ("--jobs 0", "1..=1024"),
        ("--calls 0", "1..="),
        ("--bitrate 0kbit/s", "sends something"),
        ("--bitrate fast", "number"),
        ("--force", "--out"),
        ("--show 10000", "counted from 0 to 9999"),
        ("--seed 9223372036854775808", "9223372036854775808"),
    ] {
        let said = desk.refused(&format!("sweep p.toml {args}"), 2);
        assert!(said.contains(words), "{args}: {said}");
    }
    desk.refused("sweep", 2);
    desk.refused("sweep missing.toml", 3);
    desk.refused("sweep .", 3);
    desk.refused("merge", 2);
}

#[test]
fn bad_populations_are_refused_before_anything_is_written() {
    let desk = Desk::new();
    for (old, new, code) in [
        ("share = 0.75", "share = 0.8", "shares-do-not-sum"),
        ("share = 0.6", "share = 0.5", "shares-do-not-sum"),
        ("[group.home]", "[groups.home]", "unknown-key"),
        ("\"symmetric\", behind", "\"symetric\", behind", "unknown-nat-type"),
        ("format = 1", "format = 1\n[host.h]", "unknown-key"),
    ] {
        fs::write(desk.path("bad.toml"), POPULATION.replacen(old, new, 1)).unwrap();
        let said = desk.refused("sweep bad.toml --out out.json", 2);
        assert!(said.contains(&format!("error[{code}]")) && said.contains("bad.toml:"), "{said}");
    }
    let said = desk.refused("run p.toml", 2);
    assert!(said.contains("`natbed sweep` runs"), "{said}");
    assert_eq!(desk.files(), ["bad.toml", "p.toml"]);
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let desk = Desk::new();
    fs::write(desk.path("q.toml"), POPULATION.replace("made up", "guessed")).unwrap();
    for (name, args) in [
        ("1.json", "p.toml --shard 1/3"),
        ("2.json", "p.toml --shard 2/3"),
        ("3.json", "p.toml --shard 3/3"),
        ("seed.json", "p.toml --shard 2/3 --seed 2"),
        ("other.json", "q.toml --shard 2/3"),
        ("half.json", "p.toml --shard 1/2"),
        ("calls.json", "p.toml --shard 2/3 --calls 5"),
        ("whole.json", "p.toml"),
    ] {
        desk.ok(&format!("sweep --pairs 30 {args} --out {name}"));
    }
    fs::write(desk.path("torn.json"), &fs::read(desk.path("2.json")).unwrap()[..200]).unwrap();
    let whole = desk.ok("merge 3.json 1.json 2.json --json");
    assert_eq!(whole, fs::read_to_string(desk.path("whole.json")).unwrap());
    for (parts, code, words) in [
        ("1.json seed.json 3.json", 2, "seed.json is of another run than 1.json: its seed is 2, not 1"),
        ("1.json other.json 3.json", 2, "fingerprint"),
        ("1.json calls.json 3.json", 2, "number of calls is 5, not 1000"),
        ("1.json 3.json", 2, "pairs 10 to 19 are in no part"),
        ("1.json 2.json 2.json 3.json", 2, "2.json and 2.json both have pairs 10 to 19"),
        ("1.json half.json 2.json 3.json", 2, "1.json and half.json both have pairs 0 to 9"),
        ("1.json whole.json", 2, "whole.json: it is the report of a whole sweep"),
        ("1.json torn.json 3.json", 2, "torn.json: it is not a part of a sweep"),
        ("1.json p.toml", 2, "p.toml: it is not a part"),
        ("1.json torn.json missing.json", 3, "cannot read missing.json"),
    ] {
        let said = desk.refused(&format!("merge {parts} --out merged.json"), code);
        assert!(said.contains(words), "{parts}: {said}");
    }
    assert!(!desk.path("merged.json").exists());
}

#[test]
fn a_pair_can_be_run_by_itself() {
    let desk = Desk::new();
    let report: Value = serde_json::from_str(&desk.ok("sweep p.toml --pairs 200 --json")).unwrap();
    for outcome in ["direct", "relay"] {
        let index = &report["groups"][1]["examples"][outcome];
        fs::write(desk.path("pair.toml"), desk.ok(&format!("sweep p.toml --show {index}"))).unwrap();
        let run: Value = serde_json::from_str(&desk.ok("run pair.toml --json")).unwrap();
        assert_eq!(&run["scenarios"][0]["connections"][0]["outcome"], outcome);
    }
}

#[test]
fn populations_are_checked_and_described() {
    let desk = Desk::new();
    assert_eq!(desk.ok("check p.toml"), "✓ valid p.toml\n");
    let schema: Value = serde_json::from_str(&desk.ok("schema population")).unwrap();
    assert!(schema["properties"]["group"]["additionalProperties"]["properties"]["same-network"].is_object());
    let populations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/populations");
    for entry in fs::read_dir(populations).unwrap() {
        let path = entry.unwrap().path();
        desk.ok(&format!("check {}", path.display()));
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("\nsource"), "{} names no source", path.display());
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_and_leaves_nothing_behind() {
    let desk = Desk::new();
    let mut command = desk.command("sweep p.toml --pairs 1000000000000 --out out.json");
    let child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    // Ctrl-C is caught from before the draft of the result is there.
    while desk.files().len() == 1 {
        std::thread::yield_now();
    }
    let kill = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let said = text(&output.stderr);
    assert!(said.contains("interrupted: ") && said.contains("--shard 1/16"), "{said}");
    assert_eq!(desk.files(), ["p.toml"]);
}

#[test]
fn what_if_ranks_changes_and_threads_change_no_byte() {
    let desk = Desk::new();
    let one = desk.ok("sweep p.toml --pairs 60 --what-if --json --jobs 1");
    assert_eq!(one, desk.ok("sweep p.toml --pairs 60 --what-if --json --jobs 3"));
    let report: Value = serde_json::from_str(&one).unwrap();
    let changes = report["what_if"]["changes"].as_array().unwrap();
    let best = &changes[0];
    assert_eq!(
        keys(best),
        [
            "text",
            "groups",
            "key",
            "was",
            "is",
            "steps",
            "lines",
            "pairs",
            "direct",
            "relay",
            "fail",
            "ties_with_best"
        ]
    );
    assert!(best["direct"]["change"].as_f64().unwrap() > 0.0 && best["ties_with_best"] == true, "{best}");
    let net = |change: &Value| {
        change["direct"]["gained"].as_i64().unwrap() - change["direct"]["lost"].as_i64().unwrap()
    };
    assert!(changes.windows(2).all(|two| net(&two[0]) >= net(&two[1])));
    let mut plain: Value = serde_json::from_str(&desk.ok("sweep p.toml --pairs 60 --json")).unwrap();
    plain["what_if"] = report["what_if"].clone();
    assert_eq!(plain, report, "all else is as without it");

    let table = desk.ok("sweep p.toml --pairs 60 --what-if");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert!(table.contains("What would save most relaying"), "{table}");
    for args in ["--format csv", "--shard 1/2", "--show 1"] {
        desk.refused(&format!("sweep p.toml --pairs 60 --what-if {args}"), 2);
    }
}
