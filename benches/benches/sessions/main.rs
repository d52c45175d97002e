//! Whole ICE sessions: from nothing to a selected pair on both sides.
//!
//! Work: two agents, each behind a NAT of its own, with a server on the internet. One unit is one session whole: the network is
//! built, both agents gather, signal, check and nominate, the pair is selected, and all is torn down again; reading the
//! scenario file is not in it.
//!
//! - port-restricted pair: one STUN server, both gather host and server-reflexive candidates;
//! - symmetric pair over TURN: both have the STUN server, the initiator a TURN server too, as in `webrtc-ice`'s own test.
//!
//! The peer is `webrtc-ice` with `webrtc-util`'s vnet on a single-threaded runtime with its clock paused: its best case.
//! `a hole punched` is one async program, a Binding transaction and a hole punch on each side, on `natbed-tokio`'s sockets and on the
//! vnet's. `sessions at once` puts many port-restricted pairs, which begin 100 us apart, into one network with one STUN server; a
//! unit is one of them. `a pair of a sweep` draws users behind port-restricted NATs from a population with a STUN server, and runs
//! and counts a pair of them: what `natbed sweep` does for each, on one thread. The population of a quarter on mobile networks has
//! relays and jitter too, and no peer. `matrix` is the matrix of the classic types, scenario files read included; a unit is the whole.

mod punch;
mod webrtc;

use std::fmt::Write;

use natbed_benches::Bench;
use natbed_lab::matrix::Matrix;
use natbed_lab::peer::Registry;
use natbed_lab::run::{Options, Outcome, run, run_with};
use natbed_lab::scenario::population::Population;
use natbed_lab::scenario::{Scenario, parse, parse_with};
use natbed_lab::sweep::{Sweep, Tally};
use natbed_nat::presets;

fn main() {
    let mut bench = Bench::new();
    let (plain, logged) = (Options::default(), Options { log: true, ..Options::default() });
    for (work, scenario, outcome, kind) in [
        (
            "a session, port-restricted pair",
            direct as fn(u32) -> Scenario,
            Outcome::Direct,
            webrtc::Kind::PortRestricted,
        ),
        ("a session, symmetric pair over TURN", relayed, Outcome::Relay, webrtc::Kind::Symmetric),
    ] {
        bench.measure(work, "natbed", || scenario(1), |it, count| repeat(it, &plain, outcome, count));
        bench.measure(
            work,
            "natbed, log kept",
            || scenario(1),
            |it, count| repeat(it, &logged, outcome, count),
        );
        bench.measure(work, "webrtc-ice", || (), |(), count| webrtc::sessions(kind, count));
    }
    let work = "a session on natbed's network, by its agents";
    for agent in ["native", "is", "rice"] {
        bench.measure(work, agent, || agents(agent), |it, count| sessions_of(it, &plain, count));
    }
    let work = "a hole punched over a STUN server";
    bench.measure(work, "natbed-tokio", || direct(1), |it, count| punch::punches(it, count));
    bench.measure(work, "webrtc-util vnet", || (), |(), count| webrtc::punches(count));
    for size in [1, 100, 10_000] {
        let subject = format!("{size} at once");
        let each = u64::from(size);
        bench.measure(
            "a session among others in one network",
            &subject,
            || direct(size),
            |it, count| repeat(it, &plain, Outcome::Direct, count.div_ceil(each)) * each,
        );
    }
    let sweep = "a pair of a sweep, port-restricted";
    let all = "format = 1\n[stun.s]\n[group.all]\n";
    bench.measure(sweep, "natbed", || population(all), |it, count| sweep_pairs(it, count));
    bench.measure(
        sweep,
        "webrtc-ice",
        || (),
        |(), count| webrtc::sessions(webrtc::Kind::PortRestricted, count),
    );
    let mobile = include_str!("../../../scenarios/populations/mobile-quarter.toml");
    bench.measure(
        "a pair of a sweep, a quarter mobile",
        "natbed",
        || population(mobile),
        |it, count| sweep_pairs(it, count),
    );
    let types = presets::CLASSIC.map(String::from);
    bench.measure(
        "the matrix of the classic types",
        "natbed",
        || (),
        |(), count| {
            for _ in 0..count {
                Matrix::run(&types, &[], 1).expect("a valid matrix");
            }
            count
        },
    );
    bench.finish();
}

/// Runs `scenario` `count` times; how often that was.
fn repeat(scenario: &Scenario, options: &Options, expected: Outcome, count: u64) -> u64 {
    for _ in 0..count {
        let run = run(scenario, options).expect("a valid network");
        assert!(run.connections.iter().all(|connection| connection.outcome == expected));
    }
    count
}

/// Runs `count` pairs of `population`; how many that was.
fn sweep_pairs(population: &Population, count: u64) -> u64 {
    let sweep = Sweep { population, seed: 1, pairs: 0..count };
    let mut tally = Tally::new(population.groups.len());
    for index in sweep.pairs.clone() {
        sweep.run_pair(index, &mut tally).expect("a valid network");
    }
    assert_eq!(tally.total().count(Outcome::Fail), 0);
    count
}

fn population(text: &str) -> Population {
    Population::parse(text.as_bytes()).expect("a valid population")
}

/// One pair behind port-restricted NATs, with a STUN server, and the agents that it has.
fn agents(agent: &str) -> (Scenario, Registry) {
    let registry = natbed_adapters::registry();
    let hosts = |host: &str| {
        format!(
            "[nat.{host}]\ntype = \"port-restricted\"\n[host.{host}1]\nbehind = \"{host}\"\nagent = \"{agent}\"\n"
        )
    };
    let text = format!(
        "format = 1\n[stun.s]\n{}{}[[connect]]\nfrom = \"a1\"\nto = \"b1\"\n",
        hosts("a"),
        hosts("b")
    );
    let scenario = parse_with(text.as_bytes(), &registry).expect("a valid scenario");
    (scenario, registry)
}

fn sessions_of((scenario, registry): &mut (Scenario, Registry), options: &Options, count: u64) -> u64 {
    for _ in 0..count {
        let run = run_with(scenario, options, registry).expect("a valid network");
        assert_eq!(run.connections[0].outcome, Outcome::Direct);
    }
    count
}

/// That many pairs behind port-restricted NATs, with a STUN server.
fn direct(pairs: u32) -> Scenario {
    let mut text = String::from("format = 1\nname = \"direct\"\n[stun.s]\n");
    for index in 0..pairs {
        text += &pair(index, "port-restricted");
        let _ = writeln!(
            text,
            "[[connect]]\nfrom = \"x{index}\"\nto = \"y{index}\"\nstart = \"{} us\"",
            index * 100
        );
    }
    scenario(&text)
}

/// That many pairs behind symmetric NATs; the initiators have a TURN server.
fn relayed(pairs: u32) -> Scenario {
    let mut text = String::from("format = 1\nname = \"relayed\"\n[stun.s]\n[turn.t]\n");
    for index in 0..pairs {
        text += &pair(index, "symmetric");
        text += "ice = { servers = [\"s\"] }\n";
        let _ = writeln!(
            text,
            "[[connect]]\nfrom = \"x{index}\"\nto = \"y{index}\"\nstart = \"{} us\"",
            index * 100
        );
    }
    scenario(&text)
}

/// Two hosts behind NATs of that type, the second host's table last.
fn pair(index: u32, kind: &str) -> String {
    let mut text = String::new();
    for (nat, host) in [("a", "x"), ("b", "y")] {
        let _ = writeln!(text, "[nat.{nat}{index}]\ntype = \"{kind}\"");
        let _ = writeln!(text, "[host.{host}{index}]\nbehind = \"{nat}{index}\"");
    }
    text
}

fn scenario(text: &str) -> Scenario {
    parse(text.as_bytes()).expect("a valid scenario")
}
