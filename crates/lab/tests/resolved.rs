//! Whatever the scenario reader accepts, the network can be built from.

use natbed_lab::lower::lower;
use natbed_lab::run::{Options, run};
use natbed_lab::scenario::population::is_population;
use natbed_lab::scenario::templates::{TEMPLATES, Template};
use natbed_lab::scenario::{parse, show};
use proptest::prelude::*;

const EVERYTHING: &str = include_str!("../src/scenario/tests/everything.toml");

fn builds(text: &str) {
    if let Ok(scenario) = parse(text.as_bytes())
        && let Err(error) = lower(&scenario, scenario.seed)
    {
        panic!("{error}\n{}", show(&scenario));
    }
}

/// The templates that are scenarios, not populations.
fn templates() -> impl Iterator<Item = &'static Template> {
    TEMPLATES.iter().filter(|template| !is_population(template.text.as_bytes()))
}

#[test]
fn templates_and_the_longest_example_build() {
    templates().for_each(|template| builds(template.text));
    builds(EVERYTHING);
}

#[test]
fn templates_meet_their_expectations() {
    for template in templates() {
        let scenario = parse(template.text.as_bytes()).expect("valid");
        let result = run(&scenario, &Options::default()).expect("buildable");
        assert!(result.met(), "{}: {:?} {:?}", template.name, result.connections, result.sends);
    }
}

#[test]
fn what_is_shown_runs_to_the_same_result() {
    for text in templates().map(|template| template.text).chain([EVERYTHING]) {
        let scenario = parse(text.as_bytes()).expect("valid");
        let shown = parse(show(&scenario).as_bytes()).expect("valid");
        let [given, shown] = [scenario, shown].map(|scenario| {
            let result = run(&scenario, &Options { log: true, ..Options::default() }).expect("buildable");
            format!("{:?}\n{:?}\n{:#?}", result.connections, result.sends, result.log())
        });
        assert!(given == shown, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_is_left_after_exchanging_and_dropping_words_builds(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..4),
    ) {
        let mut words: Vec<&str> = EVERYTHING.split_inclusive([' ', '\n', '"', '.']).collect();
        for (a, b) in changes {
            let (a, b) = (a.index(words.len()), b.index(words.len()));
            words[a] = if a % 3 == 0 { "" } else { words[b] };
        }
        builds(&words.concat());
    }

    #[test]
    fn random_trees_of_nodes_build(
        nats in proptest::collection::vec((0..6usize, any::<prop::sample::Index>(), 0..3usize), 0..8),
        hosts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let types = ["symmetric", "static", "firewall", "none", "EIM/EIF", "tcp-only"];
        let mut text = "format = 1\n[stun.s]\n[turn.t]\n".to_owned();
        for (at, (kind, behind, mode)) in nats.iter().enumerate() {
            text += &format!("[host.own{at}]\nbehind = \"n{at}\"\n[nat.n{at}]\ntype = \"{}\"\n", types[*kind]);
            text += &format!("ipv6 = \"{}\"\n", ["off", "routed", "firewalled"][*mode]);
            let behind = behind.index(at + 1);
            if behind < at {
                text += &format!("behind = \"n{behind}\"\n");
            }
        }
        for (at, behind) in hosts.iter().enumerate() {
            text += &format!("[host.h{at}]\n");
            let behind = behind.index(nats.len() + 1);
            if behind < nats.len() {
                text += &format!("behind = \"n{behind}\"\n");
            }
        }
        builds(&text);
    }
}
