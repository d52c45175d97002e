//! What-if names the smallest change that helps, and what it names does help.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use natbed_lab::matrix::pair_scenario;
use natbed_lab::oracle::{Pair, Site, predict};
use natbed_lab::peer::Registry;
use natbed_lab::run::{Options, Outcome, run};
use natbed_lab::scenario::{NatId, Scenario, parse, show};
use natbed_lab::what_if::{Axis, Knob, Remedy, SEEDS, Setting, WhatIf, what_if};
use natbed_nat::Behavior;
use natbed_nat::behavior::{FilterScope, Filtering, Hairpinning, Mapping, ReplyMapping};
use natbed_nat::presets;

fn scenarios() -> Vec<(String, Scenario)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    files.sort();
    let read = |path: &PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, parse(&fs::read(path).unwrap()).unwrap())
    };
    files.iter().map(read).collect()
}

fn pair(a: &str, b: &str) -> WhatIf {
    let scenario = parse(pair_scenario(a, b, &[], 1).as_bytes()).unwrap();
    what_if(&scenario, 1, 0).unwrap()
}

/// `b.filtering = address-dependent`, and so on.
fn words(remedy: &Remedy) -> String {
    let word = |change: &natbed_lab::what_if::Changed| {
        let node = change.node.as_ref().map_or_else(String::new, |node| format!("{node}."));
        format!("{node}{} = {}", change.key, change.is)
    };
    remedy.changed.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// A line for each remedy: what comes out, and what is changed.
fn table(found: &WhatIf) -> String {
    let mut out = String::new();
    for remedy in &found.remedies {
        let _ = writeln!(out, "  {} {}/{SEEDS}: {}", remedy.outcome, remedy.seeds, words(remedy));
    }
    for remedy in &found.boxes {
        let _ = writeln!(out, "  nothing, but {} with {}", remedy.outcome, words(remedy));
    }
    out
}

const EVERYTHING_THAT_HELPS: &str = "\
carrier-fail: alice to bob: fail
  direct 5/5: carrier.hairpinning = external-source
  relay 5/5: turn = turn-whatif
carrier-relay: alice to bob: relay
  direct 5/5: carrier.hairpinning = external-source
default-route: alice to tablet: relay
  direct 5/5: alice.ice.addresses = all
  direct 5/5: tablet.ice.addresses = all
  direct 5/5: a.hairpinning = external-source
  direct 5/5: a.hairpinning = internal-source
double-nat: alice to bob: relay
  direct 5/5: b.filtering = address-dependent
  direct 5/5: b.filtering = endpoint-independent
  direct 5/5: landlord.mapping = endpoint-independent
firewall-vs-symmetric: alice to bob: relay
  direct 5/5: fw.filtering = address-dependent
  direct 5/5: fw.filtering = endpoint-independent
  direct 5/5: b.mapping = endpoint-independent
lenient-symmetric: alice to bob: relay
  direct 5/5: b.filtering = address-dependent
  direct 5/5: b.filtering = endpoint-independent
  direct 5/5: strict.mapping = endpoint-independent
lite: carol to dave: fail
  direct 5/5: dave.ice.lite = false, d.filtering = address-dependent
  direct 5/5: dave.ice.lite = false, d.filtering = endpoint-independent
  direct 5/5: dave.ice.lite = false, a.mapping = endpoint-independent
  relay 5/5: dave.ice.lite = false, turn = turn-whatif
no-turn: alice to bob: fail
  direct 5/5: b.filtering = address-dependent
  direct 5/5: b.filtering = endpoint-independent
  direct 5/5: a.mapping = endpoint-independent
  relay 5/5: turn = turn-whatif
open-filter-relay: alice to bob: relay
  direct 5/5: a.mapping = address-dependent
  direct 5/5: b.mapping = address-dependent
  direct 5/5: a.reply-mapping = inbound-session
  direct 5/5: b.reply-mapping = inbound-session
  direct 5/5: a.mapping = endpoint-independent
  direct 5/5: b.mapping = endpoint-independent
port-restricted-vs-symmetric: alice to bob: relay
  direct 5/5: a.filtering = address-dependent
  direct 5/5: a.filtering = endpoint-independent
  direct 5/5: b.mapping = endpoint-independent
relay-only: alice to bob: relay
  direct 5/5: alice.ice.policy = all
server-stopped: carol to dave: fail
  direct 5/5: start = 0 s
  direct 5/5: turn = turn-whatif
  direct 5/5: event = none
symmetric-vs-symmetric: alice to bob: relay
  direct 5/5: a.filtering = address-dependent, a.mapping = endpoint-independent
  direct 5/5: b.filtering = address-dependent, b.mapping = endpoint-independent
  direct 5/5: a.filtering = endpoint-independent, a.reply-mapping = inbound-session
  direct 5/5: b.filtering = endpoint-independent, b.reply-mapping = inbound-session
  direct 5/5: a.filtering = endpoint-independent, a.mapping = endpoint-independent
  direct 5/5: b.filtering = endpoint-independent, b.mapping = endpoint-independent
  direct 5/5: a.mapping = endpoint-independent, b.mapping = endpoint-independent
turn-redirects: alice to bob: relay
  direct 5/5: b.filtering = address-dependent
  direct 5/5: b.filtering = endpoint-independent
  direct 5/5: a.mapping = endpoint-independent
turn-stops: alice to bob: relay
  direct 5/5: a.filtering = address-dependent, a.mapping = endpoint-independent
  direct 5/5: b.filtering = address-dependent, b.mapping = endpoint-independent
  direct 5/5: a.filtering = endpoint-independent, a.reply-mapping = inbound-session
  direct 5/5: b.filtering = endpoint-independent, b.reply-mapping = inbound-session
  direct 5/5: a.filtering = endpoint-independent, a.mapping = endpoint-independent
  direct 5/5: b.filtering = endpoint-independent, b.mapping = endpoint-independent
  direct 5/5: a.mapping = endpoint-independent, b.mapping = endpoint-independent
udp-blocked: alice to bob: fail
  nothing, but direct with fw.type = firewall
";

#[test]
fn every_scenario_that_is_not_direct_has_its_remedies_and_each_can_be_run() {
    let mut out = String::new();
    for (name, scenario) in scenarios() {
        for index in 0..scenario.connects.len() {
            let found = what_if(&scenario, scenario.seed, index).unwrap();
            if found.outcome == Outcome::Direct {
                assert_eq!(found.tried.singles, 0, "{name}: nothing is needed");
                continue;
            }
            let (from, to) = (&scenario[found.from].name, &scenario[found.to].name);
            let _ = writeln!(out, "{name}: {from} to {to}: {}", found.outcome);
            out += &table(&found);
            for remedy in found.remedies.iter().chain(&found.boxes) {
                is_proven(&name, &scenario, index, remedy);
            }
        }
    }
    assert_eq!(out, EVERYTHING_THAT_HELPS);
}

/// The file that the remedy makes runs to what it claims, and shows the check that gets through.
fn is_proven(name: &str, scenario: &Scenario, index: usize, remedy: &Remedy) {
    let context = format!("{name}: {}", words(remedy));
    let proof = remedy.proof(scenario, index, scenario.seed, &Registry::new()).unwrap();
    let read = parse(show(&proof).as_bytes()).unwrap_or_else(|problems| panic!("{context}: {problems:?}"));
    let run = run(&read, &Options::default()).unwrap();
    assert!(run.met(), "{context}");
    let result = &run.connections[index];
    assert_eq!((result.outcome, result.setup), (remedy.outcome, remedy.setup), "{context}");
    let relayed = result.pair.as_ref().is_some_and(|pair| pair.relayed);
    assert!(remedy.outcome == Outcome::Relay || !relayed, "{context}");
    assert!(remedy.admission.evidence.len() > 1, "{context}: {:?}", remedy.admission);
    assert!(!remedy.lines.is_empty(), "{context}");
}

#[test]
fn symmetric_against_port_restricted_names_the_filter_of_one_side_or_the_mapping_of_the_other() {
    let found = pair("symmetric", "port-restricted");
    let all: Vec<String> = found.remedies.iter().map(words).collect();
    assert_eq!(
        all,
        [
            "b.filtering = address-dependent",
            "b.filtering = endpoint-independent",
            "a.mapping = endpoint-independent"
        ]
    );
    let best = &found.remedies[0];
    assert_eq!(best.lines, "[nat.b]\ntype = \"address-restricted\"\n");
    let [why] = best.admission.why.as_slice() else { panic!("{:?}", best.admission) };
    assert_eq!(
        why,
        "alice's check gets in: b (address-restricted) lets in any port of 203.0.113.1, where it has been sent to."
    );
    let entry = best.admission.evidence.iter().find(|line| line.contains("lets it in")).unwrap();
    assert!(entry.contains("(entry 192.168.2.2:"), "{entry}");
    assert!(entry.contains("for any destination), as it has been sent to 203.0.113.1,"), "{entry}");
    assert_eq!(found.remedies[2].lines, "[nat.a]\ntype = \"EIM/APDF\"\n");
    let shown = &found.remedies[2].admission.evidence;
    assert!(shown.iter().any(|line| line.starts_with("a (EIM/APDF) makes the source")), "{shown:?}");
}

#[test]
fn a_carrier_without_hairpin_is_told_to_turn_packets_around() {
    let (_, scenario) = scenarios().into_iter().find(|(name, _)| name == "carrier-relay").unwrap();
    let found = what_if(&scenario, scenario.seed, 0).unwrap();
    assert_eq!(words(&found.remedies[0]), "carrier.hairpinning = external-source");
    assert_eq!(
        found.remedies[0].lines,
        "[nat-type.carrier-whatif]\nbase = \"cgn\"\nhairpinning = \"external-source\"\n\n[nat.carrier]\ntype = \
         \"carrier-whatif\"\n"
    );
    assert!(found.remedies[0].admission.why[0].contains("turns packets for its own outside around"));

    let [carrier, home] = ["carrier", "home1"].map(|name| {
        scenario.nats.iter().find(|nat| nat.name == name).map(|nat| nat.behavior.clone()).unwrap()
    });
    let with = |hairpinning| Pair {
        shared: vec![Behavior { hairpinning, ..carrier.clone() }],
        a: Site::behind([home.clone()]),
        b: Site::behind([home.clone()]),
        ..Pair::default()
    };
    assert_eq!(predict(&with(Hairpinning::Off)).outcome, Outcome::Relay);
    assert_eq!(predict(&with(Hairpinning::ExternalSource)).outcome, Outcome::Direct);
    // With the private source, the far home's router takes the check for one of a strange socket.
    assert_eq!(predict(&with(Hairpinning::InternalSource)).outcome, Outcome::Relay);
}

/// The less strict values of the axes that the oracle models.
fn modelled(behavior: &Behavior) -> Vec<Axis> {
    let filterings = Filtering::ALL.iter().filter(|value| **value < behavior.filtering);
    let mappings = Mapping::ALL.iter().filter(|value| **value < behavior.mapping);
    let mut axes: Vec<Axis> = filterings.map(|value| Axis::Filtering(*value)).collect();
    axes.extend(mappings.map(|value| Axis::Mapping(*value)));
    axes.push(Axis::FilterScope(FilterScope::Endpoint));
    axes.push(Axis::ReplyMapping(ReplyMapping::InboundSession));
    axes
}

#[test]
fn on_the_grid_exactly_those_single_changes_help_that_the_oracle_says_help() {
    let behavior = |code: &str| presets::lookup(code).map(|preset| preset.behavior).unwrap();
    let mut helpful = 0;
    for (at, a) in presets::GRID.iter().enumerate() {
        for b in &presets::GRID[at..] {
            let found = pair(a, b);
            let modelled_knobs = [Knob::Filtering, Knob::Mapping, Knob::FilterScope, Knob::ReplyMapping];
            let claimed: Vec<(NatId, Axis)> = found
                .remedies
                .iter()
                .filter(|remedy| remedy.outcome == Outcome::Direct && remedy.changes.len() == 1)
                .filter_map(|remedy| match remedy.changes[0].setting {
                    Setting::Nat(nat, axis) if modelled_knobs.contains(&axis.knob()) => Some((nat, axis)),
                    _ => None,
                })
                .collect();
            let sides = [behavior(a), behavior(b)];
            let predicted = |sides: &[Behavior; 2]| {
                let [a, b] = sides.clone().map(|behavior| Site::behind([behavior]));
                predict(&Pair { a, b, ..Pair::default() }).outcome
            };
            assert_eq!(found.outcome, predicted(&sides), "{a} {b}");
            for side in (0..2).filter(|_| found.outcome != Outcome::Direct) {
                for axis in modelled(&sides[side]) {
                    let mut changed = sides.clone();
                    axis.set(&mut changed[side]);
                    let helps = predicted(&changed) == Outcome::Direct;
                    assert_eq!(claimed.contains(&(NatId::at(side), axis)), helps, "{a} {b}: {side} {axis:?}");
                    helpful += usize::from(helps);
                }
            }
        }
    }
    assert!(helpful > 20, "{helpful}");
}

#[test]
fn who_starts_and_how_long_signaling_takes_decide_a_race_for_a_port() {
    // A kernel that remembers bob's early check gives alice's flow another port than the one that she has told.
    let found = pair("port-restricted", "linux-masquerade");
    assert_eq!(found.outcome, Outcome::Relay);
    let all: Vec<String> = found.remedies.iter().map(words).collect();
    for change in ["from = bob", "signaling.delay = 1 ms", "bob.link.delay = 110 ms", "b.unsolicited = drop"]
    {
        assert!(all.iter().any(|known| known == change), "{change}: {all:?}");
    }
    assert_eq!(
        found.remedies[0].lines,
        "[[connect]] # \"alice\" to \"bob\"\nfrom = \"bob\"\nto = \"alice\"\n"
    );
}

#[test]
fn a_port_policy_helps_where_ports_are_shared() {
    let found = pair("port-restricted", "freebsd-pf");
    let ports = found.remedies.iter().find(|remedy| words(remedy) == "b.ports = preserve").unwrap();
    assert_eq!((ports.outcome, ports.seeds), (Outcome::Direct, SEEDS));
    assert!(ports.lines.contains("base = \"freebsd-pf\"\nports = \"preserve\""), "{}", ports.lines);
}

#[test]
fn luck_with_ports_is_told_and_ranks_last() {
    let found = pair("symmetric", "gcp-cloud-nat");
    let lucky = found.remedies.iter().position(|remedy| remedy.seeds < SEEDS).unwrap();
    assert!(lucky > 0 && found.remedies[lucky..].iter().all(|remedy| remedy.seeds < SEEDS));
    assert_eq!(found.remedies[0].seeds, SEEDS);
}

#[test]
fn patience_lifetimes_and_losses_are_searched_too() {
    let text = |nat: &str, ice: &str, rest: &str| {
        format!(
            "format = 1\n[stun.s]\n[turn.t]\n[nat-type.x]\n{nat}\n[nat.a]\ntype = 'x'\n[nat.b]\n[host.alice]\n\
             behind = 'a'\nice = {{ {ice} }}\n[host.bob]\nbehind = 'b'\n{rest}\n[[connect]]\nfrom = 'alice'\nto = 'bob'\n\
             start = '1 s'\n"
        )
    };
    let best = |text: &str| {
        let scenario = parse(text.as_bytes()).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"));
        let found = what_if(&scenario, 1, 0).unwrap();
        assert_ne!(found.outcome, Outcome::Direct, "{text}");
        found.remedies.iter().map(words).collect::<Vec<_>>()
    };
    let eve = "[host.eve]\nbehind = 'a'\n[[send]]\nfrom = 'eve'\nto = 's'";
    let quota = best(&text("base = 'EIM/APDF'\nmax-mappings = 1\nmax-mappings-per-host = 1", "", eve));
    assert!(quota.contains(&"a.max-mappings = 65536".to_owned()), "{quota:?}");
    for ports in ["port-range = '5000-5000'", "port-range = '5000-5003'\nport-block = 4"] {
        let ports = best(&text(&format!("base = 'EIM/APDF'\n{ports}"), "", eve));
        assert!(ports.contains(&"a.port-range = 1024-65535".to_owned()), "{ports:?}");
    }
    let parity = best(&text(
        "base = 'EIM/APDF'\nport-range = '5000-5001'\nport-parity = true",
        "",
        &eve.replace("to = 's'", "from-port = 50316\nto = 's'"),
    ));
    assert!(parity.contains(&"a.port-parity = false".to_owned()), "{parity:?}");
    let short = best(&text("udp-timeout = '1 s'", "", "[signaling]\ndelay = '3 s'"));
    assert!(short.contains(&"a.udp-timeout = 2 min".to_owned()), "{short:?}");
    let servers = best(&text("base = 'EIM/APDF'", "servers = []", ""));
    assert_eq!(servers[0], "alice.ice.servers = s, t", "{servers:?}");
}

#[test]
fn a_change_tells_what_it_does_to_other_connections() {
    let text = "format = 1\n[stun.s]\n[turn.t]\n[nat.a]\ntype = 'symmetric'\n[nat.b]\n[host.alice]\nbehind = 'a'\n\
                [host.carol]\nbehind = 'a'\n[host.bob]\nbehind = 'b'\n[[connect]]\nfrom = 'alice'\nto = 'bob'\n\
                [[connect]]\nfrom = 'carol'\nto = 'bob'\n";
    let scenario = parse(text.as_bytes()).unwrap();
    let found = what_if(&scenario, 1, 0).unwrap();
    assert_eq!(words(&found.remedies[0]), "b.filtering = address-dependent");
    assert_eq!(found.remedies[0].others, [(1, Outcome::Relay, Outcome::Direct)]);
}

#[test]
fn the_same_search_finds_the_same() {
    let search = || format!("{:?}", pair("symmetric", "symmetric"));
    assert_eq!(search(), search());
}
