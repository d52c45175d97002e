use super::*;
use crate::diagnose::plain;

fn population(groups: &str) -> Population {
    let text = format!("format = 1\n[stun.s]\n[turn.t]\n{groups}");
    Population::parse(text.as_bytes())
        .unwrap_or_else(|problems| panic!("{}", problems.render("p.toml", &plain)))
}

/// Carriers, neighbours, a group without TURN, a box that blocks UDP, and losses.
const MIXED: &str = r#"
[group.home]
share = 0.5
types = [{ share = 0.7 }, { type = "symmetric", share = 0.3 }]
link = { loss = 0.01, jitter = "5 ms" }
[group.office]
share = 0.2
turn = false
types = ["symmetric", "udp-blocked"]
[group.mobile]
share = 0.3
same-network = 0.9
types = [{ behind = "EIM/APDF", share = 0.6 }, { type = "EIM/APDF", behind = "symmetric", share = 0.4 }]
"#;

fn swept(population: &Population, jobs: usize, pairs: u64) -> SweptChanges {
    let sweep = Sweep { population, seed: 3, pairs: 0..pairs };
    sweep.what_if(NonZeroUsize::new(jobs), &|| true).expect("a valid network")
}

fn names(population: &Population) -> Vec<String> {
    population.groups.iter().map(|group| group.name.clone()).collect()
}

fn total(population: &Population, pairs: u64) -> [u64; 3] {
    let sweep = Sweep { population, seed: 3, pairs: 0..pairs };
    sweep.run(NonZeroUsize::new(1), &|| true).expect("a valid network").total().outcomes
}

#[test]
fn every_change_does_what_a_sweep_of_the_changed_population_shows() {
    let population = population(MIXED);
    let found = swept(&population, 2, 60);
    let before = found.tally.total().outcomes;
    assert_eq!(before, total(&population, 60));
    assert!(found.changes.len() > 30, "{}", found.changes.len());
    for (change, moves) in &found.changes {
        let after = total(&change.apply(&population), 60);
        for outcome in [Outcome::Direct, Outcome::Relay, Outcome::Fail] {
            let [gained, lost] = moves.gained_and_lost(outcome);
            let place = outcome as usize;
            assert_eq!(before[place] + gained - lost, after[place], "{}: {outcome}", change.text);
        }
    }
}

#[test]
fn threads_change_nothing() {
    let population = population(MIXED);
    let one = swept(&population, 1, 60);
    let three = swept(&population, 3, 60);
    assert_eq!(one.tally, three.tally);
    assert_eq!(one.changes, three.changes);
}

#[test]
fn the_mapping_of_the_symmetric_ones_saves_all_relaying_that_the_closed_form_has() {
    let population = population(
        "[group.all]\ntypes = [{ type = \"EIM/APDF\", share = 0.7 }, { type = \"symmetric\", share = 0.3 }]\n",
    );
    let found = swept(&population, 2, 400);
    let ranked = found.ranked(&names(&population));
    let best = &ranked[0];
    assert_eq!(best.text, "symmetric of all uses one port for all destinations");
    assert_eq!((best.key.as_str(), best.is.as_str()), ("mapping", "endpoint-independent"));
    assert!(best.lines.contains("# types: type = \"EIM/APDF\" for \"symmetric\""), "{}", best.lines);
    assert_eq!(best.relay.lost, found.tally.total().count(Outcome::Relay), "nothing is left to relay");
    // Endpoint-dependent on either side is a relay, as the other side checks ports.
    let expected = 1.0 - 0.7 * 0.7;
    assert!(best.direct.low <= expected && expected <= best.direct.high, "{:?}", best.direct);
    assert!(best.direct.is_certain() && best.ties_with_best);
    // Filtering of the others helps them against the symmetric ones, who still need relays among themselves.
    let filtering = ranked.iter().find(|change| change.text.starts_with("EIM/APDF of all lets in any port"));
    let different = |index: &u64| {
        let [a, b] = population.draw(pair_seed(3, *index)).users;
        a != b
    };
    let filtering = filtering.unwrap().direct;
    assert_eq!((filtering.gained, filtering.lost), ((0..400).filter(different).count() as u64, 0));
    let share = (0..100_000).filter(different).count() as f64 / 100_000.0;
    assert!((share - 0.42).abs() < 0.005, "{share}");

    // The file with those lines has the same pairs, and comes to what was claimed.
    let followed = self::population(
        "[group.all]\ntypes = [{ type = \"EIM/APDF\", share = 0.7 }, { type = \"EIM/APDF\", share = 0.3 }]\n",
    );
    assert_eq!(total(&followed, 400)[0], found.tally.total().outcomes[0] + best.direct.gained);
}

#[test]
fn hairpinning_turn_and_other_boxes_are_tried_where_they_matter() {
    let best = |groups: &str| {
        let population = population(groups);
        let ranked = swept(&population, 2, 12).ranked(&names(&population));
        ranked.into_iter().next().map(|best| (best.text, best.key, best.is, best.direct.change))
    };
    let (text, key, is, change) =
        best("[group.mobile]\nsame-network = 1.0\ntypes = { behind = \"EIM/APDF\" }\n").unwrap();
    assert!(text.starts_with("EIM/APDF in front of mobile turns packets"), "{text}");
    assert_eq!((key.as_str(), is.as_str(), change), ("hairpinning", "external-source", 1.0));
    let (text, key, ..) = best("[group.all]\ntypes = \"udp-blocked\"\n").unwrap();
    assert_eq!(
        (text.as_str(), key.as_str()),
        ("udp-blocked of all lets UDP out, and its answers in", "type")
    );
    assert_eq!(best("[group.all]\ntypes = \"one-to-one\"\n"), None, "nothing is left to save");

    let population = population("[group.all]\nturn = false\ntypes = \"symmetric\"\n");
    let ranked = swept(&population, 2, 12).ranked(&names(&population));
    let turn = ranked.iter().find(|change| change.key == "turn").unwrap();
    assert_eq!((turn.relay.gained, turn.fail.lost, turn.direct.change), (12, 12, 0.0));
    assert_eq!(turn.lines, "[group.all]\nturn = true\n");
}

#[test]
fn a_type_of_several_groups_is_changed_in_each_and_in_all() {
    let population = population("[group.a]\ntypes = \"symmetric\"\n[group.b]\ntypes = \"symmetric\"\n");
    let ranked = swept(&population, 2, 24).ranked(&names(&population));
    assert_eq!(ranked[0].groups, ["a", "b"]);
    assert_eq!(ranked[0].text, "symmetric of a and b uses one port for all destinations");
    assert_eq!(ranked[0].pairs, 24);
    let alone = ranked.iter().find(|change| change.groups == ["a"] && change.key == "mapping");
    assert!(alone.is_none_or(|alone| alone.pairs < 24 && alone.direct.change < ranked[0].direct.change));
}

#[test]
fn few_pairs_leave_doubt_and_many_do_not() {
    let none = paired(0, 0, 100);
    assert!(none.change == 0.0 && none.low < 0.0 && none.high > 0.0 && !none.is_certain());
    assert!(!paired(2, 1, 100).is_certain());
    assert!(paired(30, 2, 100).is_certain());
    let (few, many) = (paired(10, 0, 100), paired(1_000, 0, 10_000));
    assert!(few.change == many.change && many.high - many.low < (few.high - few.low) / 5.0);
    let (up, down) = (paired(7, 3, 50), paired(3, 7, 50));
    assert!((up.low + down.high).abs() < 1e-12 && (up.high + down.low).abs() < 1e-12);
    assert_eq!((paired(0, 0, 0).low, paired(0, 0, 0).high), (-1.0, 1.0));
}
