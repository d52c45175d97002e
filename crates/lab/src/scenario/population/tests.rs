use std::fmt::Write;

use super::*;
use crate::diagnose::plain;
use crate::scenario::{parse, show, templates};

fn population(text: &str) -> Population {
    Population::parse(text.as_bytes())
        .unwrap_or_else(|problems| panic!("{}", problems.render("p.toml", &plain)))
}

/// Every class of NAT, alone and behind another.
const TYPES: &str = r#"
format = 1
[signaling]
delay = "70 ms"
[turn.relay]
user = "student"
password = "secret"
address = "203.0.113.2"
[stun.s]
link = { delay = "5 ms" }
[nat-type.own]
base = "symmetric"
filtering = "address-dependent"
[group.one]
share = 0.5
same-network = 0.5
types = ["own", "static", "firewall", "EIM/EIF", { type = "symmetric", behind = "own" }, { type = "none", behind = "static" },
  { behind = "static" }, { type = "static", behind = "firewall" }, { type = "firewall", behind = "symmetric" }]
[group.two]
share = 0.5
turn = false
link = { delay = "40 ms", loss = 0.01 }
"#;

/// The scenario of a pair as one would write it.
fn written(population: &Population, pair: Pair) -> String {
    let mut text = TYPES.split("[group.one]").next().unwrap().to_owned();
    for (side, user) in pair.users.into_iter().enumerate() {
        let group = &population.groups[user.group];
        let of_type = &group.types[user.of_type];
        let (host, nat, carrier) = [("alice", "a", "carrier-a"), ("bob", "b", "carrier-b")][side];
        let shared = side == 1 && pair.same_network;
        let carrier = if shared { "carrier-a" } else { carrier };
        if let Some(outer) = of_type.behind.as_ref().filter(|_| !shared) {
            let _ = writeln!(text, "[nat.{carrier}]\ntype = \"{}\"", outer.name);
        }
        let own = if shared && of_type.behind.is_none() { "a" } else { nat };
        if own == nat {
            let _ = writeln!(text, "[nat.{nat}]\ntype = \"{}\"", of_type.nat.name);
            if of_type.behind.is_some() {
                let _ = writeln!(text, "behind = \"{carrier}\"");
            }
            if !group.turn {
                text += "link = { delay = \"40 ms\", loss = 0.01 }\n";
            }
        }
        let _ = writeln!(text, "[host.{host}]\nbehind = \"{own}\"");
        if !group.turn {
            text += "ice = { servers = [\"s\"] }\n";
        }
    }
    text + "[[connect]]\nfrom = \"alice\"\nto = \"bob\"\n"
}

/// Every pair that can be drawn.
fn pairs(population: &Population) -> Vec<Pair> {
    let groups = population.groups.iter().enumerate();
    let users: Vec<User> = groups
        .flat_map(|(group, it)| (0..it.types.len()).map(move |of_type| User { group, of_type }))
        .collect();
    let apart =
        users.iter().flat_map(|a| users.iter().map(|b| Pair { users: [*a, *b], same_network: false }));
    let outer = |user: &User| population.groups[user.group].types[user.of_type].behind.as_ref();
    let together = |pair: &Pair| {
        let [a, b] = &pair.users;
        a.group == b.group && outer(a) == outer(b) && (a == b || outer(a).is_some())
    };
    let apart: Vec<Pair> = apart.collect();
    let together: Vec<Pair> = apart.iter().copied().filter(together).collect();
    apart.into_iter().chain(together.into_iter().map(|pair| Pair { same_network: true, ..pair })).collect()
}

#[test]
fn a_pair_is_the_scenario_that_one_would_write() {
    let population = population(TYPES);
    let pairs = pairs(&population);
    assert!(pairs.len() > 110, "{}", pairs.len());
    for pair in pairs {
        let text = written(&population, pair);
        let mut expected = parse(text.as_bytes()).unwrap_or_else(|problems| panic!("{text}\n{problems:?}"));
        let found = population.scenario(pair, 7);
        expected.seed = 7;
        expected.name.clone_from(&found.name);
        assert_eq!(found, expected, "{text}");
        let again = parse(show(&found).as_bytes()).expect("what is shown is a scenario");
        assert_eq!(again.nats.len(), found.nats.len());
    }
}

#[test]
fn users_are_drawn_as_often_as_their_shares_say() {
    let population = population(
        "format = 1\n[group.a]\nshare = 0.75\nsame-network = 0.25\n[group.b]\nshare = 0.25\ntypes = [
          { type = \"symmetric\", share = 0.1 }, { share = 0.0 }, { type = \"none\", share = 0.9 }]\n",
    );
    let count = 40_000;
    let drawn: Vec<Pair> = (0..count).map(|index| population.draw(pair_seed(3, index))).collect();
    let share =
        |is: &dyn Fn(&Pair) -> bool| drawn.iter().filter(|pair| is(pair)).count() as f64 / count as f64;
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 0.01, "{found} for {expected}");
    near(share(&|pair| pair.users[0].group == 0), 0.75);
    near(share(&|pair| pair.users[1].group == 0), 0.75);
    near(share(&|pair| pair.users.map(|user| user.group) == [0, 0]), 0.5625);
    near(share(&|pair| pair.same_network), 0.5625 * 0.25);
    near(share(&|pair| pair.users[1] == User { group: 1, of_type: 0 }), 0.025);
    assert!(drawn.iter().flat_map(|pair| pair.users).all(|user| user != User { group: 1, of_type: 1 }));
    assert!(drawn.iter().all(|pair| !pair.same_network || pair.users[0] == pair.users[1]));
}

#[test]
fn neighbours_share_their_outermost_nat() {
    let population = population(
        "format = 1\n[group.a]\nsame-network = 1.0\ntypes = [{ type = \"none\" }, { behind = \"symmetric\" },
          { type = \"none\", behind = \"symmetric\" }, { behind = \"EIM/EIF\" }]\n",
    );
    let mut seen = std::collections::BTreeSet::new();
    for index in 0..2000 {
        let pair = population.draw(pair_seed(1, index));
        assert!(pair.same_network);
        seen.insert(pair.users.map(|user| user.of_type));
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [[0, 0], [1, 1], [1, 2], [2, 1], [2, 2], [3, 3]]);
}

#[test]
fn a_change_to_one_type_changes_no_pair_of_others() {
    let [before, after] = ["symmetric", "EIM/EIF"].map(|name| {
        population(&format!(
            "format = 1\n[group.a]\ntypes = [{{ type = \"{name}\", share = 0.3 }}, {{ share = 0.7 }}]\n[group.b]\n"
        ))
    });
    for index in 0..500 {
        let seed = pair_seed(9, index);
        assert_eq!(before.draw(seed), after.draw(seed));
    }
}

#[test]
fn seeds_of_pairs_differ_and_fit_a_scenario() {
    let seeds: std::collections::BTreeSet<u64> =
        (0..20).flat_map(|master| (0..500).map(move |index| pair_seed(master, index))).collect();
    assert_eq!(seeds.len(), 10_000);
    assert!(seeds.iter().all(|seed| *seed < 1 << 63));
}

#[test]
fn what_is_left_out_has_the_default_of_a_scenario() {
    let population =
        population("format = 1\n[group.a]\n[group.b]\n[group.c]\ntypes = [\"none\", \"static\"]\n");
    let group = &population.groups[1];
    assert_eq!((group.share, group.turn, group.same_network), (1.0 / 3.0, true, 0.0));
    assert_eq!((group.types[0].nat.name.as_str(), group.types[0].share), ("port-restricted", 1.0));
    assert_eq!(group.link, LinkConfig::default());
    assert_eq!(population.groups[2].types.iter().map(|it| it.share).collect::<Vec<_>>(), [0.5, 0.5]);
}

#[test]
fn the_fingerprint_is_of_the_text_but_for_its_line_ends() {
    let of = |text: &str| population(text).fingerprint;
    let text = "format = 1\n[group.a]\n";
    assert_eq!(of(text), of(&text.replace('\n', "\r\n")));
    assert_ne!(of(text), of("format = 1\n[group.b]\n"));
}

#[test]
fn files_are_told_apart() {
    assert!(is_population(TYPES.as_bytes()));
    for template in templates::TEMPLATES {
        let is_one = template.text.contains("\n[group.");
        assert_eq!(is_population(template.text.as_bytes()), is_one, "{}", template.name);
    }
    for other in ["format = 1\n[host.a]\n[group.a]\n", "[group.a", "", "\u{fffd}"] {
        assert!(!is_population(other.as_bytes()), "{other}");
    }
}
