//! What is drawn is a scenario, and so is every step towards a simpler one.

use natbed_lab::kit::{
    Case, Connect, FaultKind, Links, Middlebox, Networks, Simplify, Steps, behaviors, networks,
};
use natbed_lab::scenario::{Action, Attachment, parse, show};
use natbed_nat::behavior::Kind;
use natbed_nat::{Behavior, presets};
use natbed_net::LinkConfig;
use natbed_packet::Timestamp;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::fixed;

fn large() -> Networks {
    networks().hosts(2..=4).own_nats(0..=2).shared_nats(0..=2).links(Links::Bad).missing_servers().faults(6)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_file_says_all_that_the_case_is(case in large()) {
        let scenario = case.scenario().unwrap();
        prop_assert_eq!((scenario.seed, scenario.signaling_delay), (case.seed, case.signaling));
        let behind = |attachment| match attachment {
            Attachment::Nat(nat) => Some(&scenario[nat].name),
            _ => None,
        };
        prop_assert_eq!(scenario.nats.len(), case.nats.len());
        for (nat, drawn) in scenario.nats.iter().zip(&case.nats) {
            prop_assert_eq!((&nat.name, &nat.behavior, nat.link), (&drawn.name, &drawn.behavior, drawn.link));
            prop_assert_eq!(behind(nat.outside), drawn.behind.as_ref());
        }
        prop_assert_eq!(scenario.hosts.len(), case.hosts.len());
        for (host, drawn) in scenario.hosts.iter().zip(&case.hosts) {
            let asks: Vec<_> = host.ice.servers.iter().map(|server| scenario[*server].name.clone()).collect();
            prop_assert_eq!((&host.name, host.link, &asks), (&drawn.name, drawn.link, &drawn.servers));
            prop_assert_eq!(behind(host.interfaces[0].attachment), drawn.behind.as_ref());
        }
        prop_assert_eq!(scenario.connects.len(), case.connects.len());
        for (connect, drawn) in scenario.connects.iter().zip(&case.connects) {
            let [from, to] = [connect.from, connect.to].map(|host| scenario[host].name.clone());
            let start = connect.start.since(Timestamp::ZERO);
            let said = Connect { from, to, start, within: connect.within, hold: connect.hold };
            prop_assert_eq!(&said, drawn);
        }
        let said = scenario.events.iter().filter(|event| matches!(event.action, Action::RebootNat(_))).count();
        let drawn = case.faults.iter().filter(|fault| fault.kind == FaultKind::RebootNat).count();
        prop_assert_eq!((scenario.events.len(), said), (case.faults.len(), drawn));
        prop_assert_eq!(parse(show(&scenario).as_bytes()).unwrap().events, scenario.events);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_step_could_have_been_drawn_and_steps_end(seed in any::<u64>(), fails in any::<u64>()) {
        let networks = networks().hosts(2..=3).own_nats(1..=2).links(Links::Bad).faults(4);
        let mut tree = networks.new_tree(&mut TestRunner::new(fixed(seed))).unwrap();
        let mut steps = 0_u32;
        let mut more = tree.simplify();
        while more {
            let case = tree.current();
            prop_assert!(case.scenario().is_ok(), "{case:?}");
            prop_assert!(case.hosts.iter().all(|host| (1..=3).contains(&case.chain(&host.name).len())), "{case:?}");
            prop_assert_eq!(case.servers.len(), 2);
            let failed = fails >> (steps % 64) & 1 == 1;
            more = if failed { tree.simplify() } else { tree.complicate() };
            steps += 1;
            prop_assert!(steps < 5000, "this does not end: {case:?}");
        }
    }
}

#[test]
fn links_and_behaviours_by_themselves_end_too() {
    let mut runner = TestRunner::new(fixed(1));
    for _ in 0..200 {
        assert_eq!(last(Links::Bad.new_tree(&mut runner).unwrap()), LinkConfig::default());
        assert_eq!(last(behaviors().new_tree(&mut runner).unwrap()).kind, Kind::None);
    }
}

/// What a value becomes where every step fails.
fn last<T: Simplify>(mut tree: Steps<T>) -> T {
    let steps = std::iter::from_fn(|| tree.simplify().then_some(())).count();
    assert!(steps < 100, "this does not end: {:?}", tree.current());
    tree.current()
}

#[test]
fn every_preset_goes_by_its_name() {
    let names = presets::all().map(|preset| preset.name).chain(presets::GRID);
    for name in names {
        let behavior = presets::lookup(name).unwrap().behavior;
        let case = Case { nats: vec![nat(behavior.clone())], ..empty() };
        let kinds = case.text();
        let kind = kinds.lines().find_map(|line| line.strip_prefix("type = ")).unwrap().trim_matches('"');
        assert_eq!(presets::lookup(kind).unwrap().behavior, behavior, "{name}");
        assert!(!case.text().contains("nat-type"), "{name}");
    }
}

#[test]
fn a_key_that_no_preset_has_is_written_down_and_no_other() {
    let behavior = Behavior { max_mappings: Some(7), ..presets::lookup("symmetric").unwrap().behavior };
    let case = Case { nats: vec![nat(behavior.clone())], ..empty() };
    assert!(
        case.text().contains("[nat-type.n-type]\nbase = \"symmetric\"\nmax-mappings = 7\n\n"),
        "{case:?}"
    );
    assert_eq!(case.scenario().unwrap().nats[0].behavior, behavior);
}

#[test]
fn names_that_do_not_fit_together_are_reported() {
    let mut case = Case { nats: vec![nat(Behavior::default())], ..empty() };
    case.nats[0].behind = Some("nowhere".to_owned());
    let problems = case.scenario().unwrap_err();
    assert_eq!(problems.diagnostics().len(), 1);
}

fn nat(behavior: Behavior) -> Middlebox {
    Middlebox { name: "n".to_owned(), behind: None, behavior, link: Default::default() }
}

fn empty() -> Case {
    let mut case = networks().new_tree(&mut TestRunner::new(fixed(1))).unwrap().current();
    (case.nats, case.hosts, case.connects) = Default::default();
    case
}
