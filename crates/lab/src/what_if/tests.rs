use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use natbed_nat::behavior::{Behavior, Filtering, Kind, Mapping, OnFull, Pooling, PortRange, Unsolicited};
use natbed_nat::presets;

use super::axis::{TRIALS, alternatives};
use super::catalogue::singles;
use super::change::apply;
use super::lines::lines;
use super::*;
use crate::matrix::pair_scenario;
use crate::scenario::{NatId, parse};

fn nat(nat: u32, axis: Axis, steps: u8) -> Change {
    Change { setting: Setting::Nat(NatId(nat), axis), steps }
}

#[test]
fn fewer_then_nearer_then_easier_changes_are_smaller() {
    let text = pair_scenario("symmetric", "symmetric", &[], 1);
    let scenario = parse(text.as_bytes()).unwrap();
    let size = |changes: &[Change]| Size::of(changes, &scenario, 0);
    let filter = |side| nat(side, Axis::Filtering(Filtering::AddressDependent), 1);
    let open = |side| nat(side, Axis::Filtering(Filtering::EndpointIndependent), 2);
    let mapping = |side| nat(side, Axis::Mapping(Mapping::EndpointIndependent), 2);
    let starts = Change { setting: Setting::OtherSideStarts, steps: 1 };
    let in_order = [
        vec![starts],
        vec![filter(0)],
        vec![filter(1)],
        vec![open(0)],
        vec![mapping(0)],
        vec![filter(0), filter(1)],
        vec![filter(0), mapping(0)],
        vec![filter(1), mapping(1)],
        vec![mapping(0), mapping(1)],
    ];
    for pair in in_order.windows(2) {
        assert!(size(&pair[0]) < size(&pair[1]), "{pair:?}");
    }
    assert_eq!(size(&[filter(0), mapping(1)]), size(&[mapping(1), filter(0)]));
}

/// NATs that are as strict as can be: of one kind each, as blocks go with no halves.
fn strict() -> [Behavior; 3] {
    let second = Some(Duration::from_secs(1));
    let blocks = Behavior {
        mapping: Mapping::AddressAndPortDependent,
        port_range: PortRange::new(2_000, 9_999),
        port_block: Some(100),
        port_parity: true,
        port_hold: Duration::from_secs(1),
        pooling: Pooling::Arbitrary,
        exempt: vec!["198.51.100.0/24".parse().unwrap()],
        unsolicited: Unsolicited::CreatesState,
        udp_timeout: Duration::from_secs(1),
        udp_timeout_new: second,
        filter_timeout: second,
        max_mappings: Some(10),
        max_mappings_per_host: Some(5),
        mapping_rate_per_host: Some(1),
        on_full: OnFull::Icmp,
        ..Behavior::default()
    };
    let halves = Behavior {
        port_range: PortRange::new(1000, 2000),
        port_range_preservation: true,
        port_block: None,
        ..blocks.clone()
    };
    let firewall = Behavior { kind: Kind::Firewall, exempt: Vec::new(), ..halves.clone() };
    [blocks, halves, firewall]
}

/// The axes that are never tried, and why.
const NEVER: [(&[&str], &str); 4] = [
    (&["on-conflict"], "which other port a mapping gets, nobody knows before"),
    (&["step"], "how far apart ports are, nobody heeds"),
    (&["fragments"], "agents send nothing that has to be cut into fragments"),
    (&["tcp-established", "tcp-transitory", "tcp-closing", "icmp-timeout"], "agents speak UDP alone"),
];

#[test]
fn every_axis_is_tried_where_it_is_strict_or_has_a_reason() {
    for axis in Behavior::AXES {
        let never = NEVER.iter().any(|(names, _)| names.contains(&axis.name));
        let trials = TRIALS.iter().filter(|(name, _)| *name == axis.name).count();
        assert_eq!(trials, usize::from(!never), "{} is tried, or has a reason", axis.name);
    }
    assert_eq!(
        TRIALS.len() + NEVER.iter().map(|(names, _)| names.len()).sum::<usize>(),
        Behavior::AXES.len()
    );
    let mut tried = BTreeSet::new();
    for behavior in strict() {
        for (axis, _) in alternatives(&behavior, true) {
            let mut changed = behavior.clone();
            axis.set(&mut changed);
            let differs = |axis: &&natbed_nat::behavior::Axis| axis.get(&behavior) != axis.get(&changed);
            let differing: Vec<&str> = Behavior::AXES.iter().filter(differs).map(|axis| axis.name).collect();
            assert_eq!(differing.len(), 1, "{axis:?}");
            tried.extend(differing);
        }
    }
    assert!(TRIALS.iter().all(|(name, _)| tried.contains(name)), "{tried:?}");
}

#[test]
fn what_is_open_already_is_not_tried() {
    let open = presets::lookup("one-to-one").unwrap().behavior;
    let knobs: Vec<Knob> = alternatives(&open, false).iter().map(|(axis, _)| axis.knob()).collect();
    for knob in [Knob::Filtering, Knob::Mapping, Knob::Hairpinning, Knob::UdpTimeout, Knob::MaxMappings] {
        assert!(!knobs.contains(&knob), "{knobs:?}");
    }
}

#[test]
fn boxes_that_are_no_nat_are_tried_with_what_they_heed() {
    let knobs = |kind| -> Vec<Knob> {
        let behavior = Behavior { kind, ..strict()[2].clone() };
        alternatives(&behavior, true).iter().map(|(axis, _)| axis.knob()).collect()
    };
    assert!(knobs(Kind::Firewall).contains(&Knob::Filtering));
    assert!(!knobs(Kind::Firewall).contains(&Knob::PortRange));
    assert_eq!(knobs(Kind::Static), [Knob::Hairpinning; 2]);
    assert_eq!(knobs(Kind::UdpBlocked), []);
}

/// `text` as a user who follows `lines` would leave it.
fn followed(text: &str, lines: &str, index: usize, fault: Option<usize>) -> String {
    let mut file: Vec<String> = text.lines().map(str::to_owned).collect();
    if let Some(fault) = fault {
        let start = section(&file, "[[event]]", fault).unwrap();
        file.drain(start..end(&file, start));
    }
    for table in lines.split("\n\n").filter(|table| !table.starts_with('#')) {
        let (header, keys) = table.split_once('\n').unwrap_or((table, ""));
        let header = header.split(" #").next().unwrap();
        let place = if header == "[[connect]]" { index } else { 0 };
        let start = section(&file, header, place).unwrap_or_else(|| {
            file.push(header.to_owned());
            file.len() - 1
        });
        for line in keys.lines() {
            let key = |line: &str| line.split('=').next().unwrap().trim().to_owned();
            let known = (start..end(&file, start)).find(|at| key(&file[*at]) == key(line));
            match known {
                Some(at) => line.clone_into(&mut file[at]),
                None => file.insert(start + 1, line.to_owned()),
            }
        }
    }
    file.join("\n")
}

/// The line of the table at `place` among those with this header.
fn section(file: &[String], header: &str, place: usize) -> Option<usize> {
    let lines = file.iter().enumerate().filter(|(_, line)| line.trim() == header);
    lines.map(|(at, _)| at).nth(place)
}

/// The line behind the table that begins at `start`.
fn end(file: &[String], start: usize) -> usize {
    let next = file[start + 1..].iter().position(|line| line.starts_with('['));
    next.map_or(file.len(), |next| start + 1 + next)
}

#[test]
fn the_lines_of_every_change_say_what_is_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let mut tried = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "toml") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let scenario = parse(text.as_bytes()).unwrap();
        for index in 0..scenario.connects.len() {
            let singles = singles(&scenario, index);
            let pairs = singles.windows(2).filter(|pair| !pair[0].excludes(&pair[1], &scenario, index));
            for changes in singles.iter().map(std::slice::from_ref).chain(pairs) {
                let mut changed = apply(&scenario, index, changes);
                if changed.nats.iter().any(|nat| nat.behavior.validate().is_err()) {
                    continue;
                }
                let fault = changes.iter().find_map(|change| match change.setting {
                    Setting::WithoutFault(fault) => Some(fault),
                    _ => None,
                });
                let lines = lines(&scenario, index, changes);
                let followed = followed(&text, &lines, index, fault);
                let context = format!("{}: {changes:?}\n{lines}\n{followed}", path.display());
                let mut read = parse(followed.as_bytes()).unwrap_or_else(|why| panic!("{context}\n{why:?}"));
                // What is expected of a path is as its initiator sees it.
                for connect in changed.connects.iter_mut().chain(&mut read.connects) {
                    connect.path = None;
                }
                assert_eq!(read, changed, "{context}");
                tried += 1;
            }
        }
    }
    assert!(tried > 500, "{tried}");
}
