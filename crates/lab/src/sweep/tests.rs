use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::diagnose::plain;
use crate::run::Outcome;

fn population(text: &str) -> Population {
    let text = format!("format = 1\n[stun.s]\n[turn.t]\n{text}");
    Population::parse(text.as_bytes())
        .unwrap_or_else(|problems| panic!("{}", problems.render("p.toml", &plain)))
}

/// All kinds of randomness, and all outcomes.
fn mixed() -> Population {
    population(
        r#"
[group.home]
share = 0.6
types = [{ share = 0.8 }, { type = "symmetric", share = 0.2 }]
link = { loss = 0.02, jitter = "5 ms" }
same-network = 0.1
[group.office]
share = 0.2
turn = false
types = ["symmetric", "udp-blocked"]
[group.mobile]
share = 0.2
types = [{ type = "symmetric", behind = "EIM/EIF" }]
"#,
    )
}

fn sweep(population: &Population, seed: u64, pairs: Range<u64>) -> Tally {
    Sweep { population, seed, pairs }.run(NonZeroUsize::new(1), &|| true).expect("a valid network")
}

fn part(population: &Population, shard: Shard, total: u64) -> Part {
    let sweep = Sweep { population, seed: 5, pairs: shard.pairs(total) };
    let tally = sweep.run(None, &|| true).expect("a valid network");
    Part::new(&sweep, total, Traffic::default(), tally)
}

fn shards(population: &Population, of: u64, total: u64) -> Vec<Part> {
    (1..=of).map(|index| part(population, Shard::new(index, of).unwrap(), total)).collect()
}

fn json(report: &SweepReport) -> String {
    serde_json::to_string(report).expect("numbers and words")
}

#[test]
fn threads_change_nothing() {
    let population = mixed();
    let sweep = Sweep { population: &population, seed: 11, pairs: 0..300 };
    let mut one_by_one = Tally::new(3);
    for index in (0..300).rev() {
        sweep.run_pair(index, &mut one_by_one).expect("a valid network");
    }
    let total = one_by_one.total();
    assert!(total.outcomes.iter().all(|count| *count > 10), "{:?}", total.outcomes);
    for jobs in [1, 2, 5] {
        let tally = sweep.run(NonZeroUsize::new(jobs), &|| true).expect("a valid network");
        assert_eq!(tally, one_by_one, "{jobs} threads");
    }
}

#[test]
fn shards_make_the_whole() {
    let population = mixed();
    let [whole] = &shards(&population, 1, 101)[..] else { panic!("one shard") };
    let mut parts = shards(&population, 16, 101);
    parts.reverse();
    let kept: Vec<Part> = parts
        .iter()
        .map(|part| Part::parse(json(&SweepReport::part(part)).as_bytes()).expect("what was written"))
        .collect();
    assert_eq!(kept, parts);
    let merged = merge(&kept).expect("all of them");
    assert_eq!(&merged, whole);
    assert_eq!(json(&SweepReport::new(&merged)), json(&SweepReport::new(whole)));
}

#[test]
fn more_shards_than_pairs_make_the_whole_too() {
    let population = mixed();
    let merged = merge(&shards(&population, 7, 3)).expect("all of them");
    assert_eq!(merged, part(&population, Shard::new(1, 1).unwrap(), 3));
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let population = mixed();
    let parts = shards(&population, 4, 20);
    let with = |change: &dyn Fn(&mut Part)| {
        let mut parts = parts.clone();
        change(&mut parts[2]);
        merge(&parts).map(drop)
    };
    for (what, change) in [
        ("seed", (|part: &mut Part| part.of.seed = 6) as fn(&mut Part)),
        ("number of pairs", |part| part.of.total = 21),
        ("population", |part| part.of.population.push('!')),
        ("population file's fingerprint", |part| part.of.fingerprint.push('0')),
        ("version of natbed", |part| part.of.version.push('9')),
        ("number of calls", |part| part.traffic.calls = 7),
        ("bitrate", |part| part.traffic.bitrate = 7),
    ] {
        let found = with(&change);
        assert!(
            matches!(found, Err(MergeError::Different { part: 2, what: is, .. }) if is == what),
            "{found:?}"
        );
    }
    let twice = [&parts[..], &parts[1..2]].concat();
    assert_eq!(merge(&twice), Err(MergeError::Overlap(1, 4, 5..10)));
    let gaps = vec![parts[2].clone(), parts[1].clone()];
    assert_eq!(merge(&gaps), Err(MergeError::Missing(vec![0..5, 15..20])));
    assert_eq!(merge(&[]), Err(MergeError::Nothing));
}

#[test]
fn files_that_are_no_parts_are_refused() {
    let population = mixed();
    let part = part(&population, Shard::new(1, 2).unwrap(), 60);
    let good = json(&SweepReport::part(&part));
    let parse = |text: &str| Part::parse(text.as_bytes()).map(drop);
    assert_eq!(parse(&json(&SweepReport::new(&part))), Err(PartError::Whole));
    assert!(matches!(parse(""), Err(PartError::Syntax(_))));
    assert!(matches!(parse("{}"), Err(PartError::Syntax(_))));
    assert!(matches!(parse(&good[..good.len() / 2]), Err(PartError::Syntax(_))));
    let other = good.replace("natbed.sweep/1", "natbed.sweep/2");
    assert_eq!(parse(&other), Err(PartError::Schema("natbed.sweep/2".to_owned())));
    for (old, new) in [
        ("\"first\":0", "\"first\":1"),
        ("\"end\":30", "\"end\":10000"),
        ("\"groups\":[\"home\",", "\"groups\":["),
        ("\"packets\":\"", "\"packets\":\"7:1 "),
        ("\"setup_direct\":\"", "\"setup_direct\":\"x"),
        ("\"relays\":", "\"relays\":9"),
    ] {
        let changed = good.replacen(old, new, 1);
        assert_ne!(changed, good, "{old}");
        assert!(matches!(parse(&changed), Err(PartError::Inconsistent(_))), "{new}");
    }
}

#[test]
fn the_interval_covers_the_closed_form() {
    // Endpoint-dependent on both sides is a relay; on one side it is one where the other checks ports.
    for (open, expected) in [("EIM/ADF", 0.3 * 0.3), ("EIM/APDF", 1.0 - 0.7 * 0.7)] {
        let population = population(&format!(
            "[group.all]\ntypes = [{{ type = \"{open}\", share = 0.7 }}, {{ type = \"symmetric\", share = 0.3 }}]\n"
        ));
        let covers = |tally: &Tally| {
            let total = tally.total();
            let interval = wilson(total.count(Outcome::Relay), total.pairs());
            assert_eq!(total.count(Outcome::Fail), 0);
            interval.low <= expected && expected <= interval.high
        };
        let tallies: Vec<Tally> = (0..12).map(|seed| sweep(&population, seed, 0..200)).collect();
        // Each covers it with a probability of 0.95: fewer than nine of twelve do so once in five thousand times.
        assert!(tallies.iter().filter(|tally| covers(tally)).count() >= 9, "{open}");
        let all = tallies.into_iter().reduce(|sum, tally| sum.merged(&tally)).unwrap();
        assert!(covers(&all), "{open}: {:?}", all.total().outcomes);
    }
}

#[test]
fn outcomes_follow_what_users_are_behind() {
    use Outcome::{Direct, Fail, Relay};
    let symmetric = "types = \"symmetric\"";
    for (group, outcome) in [
        ("types = \"one-to-one\"", Direct),
        (symmetric, Relay),
        ("types = \"symmetric\"\nturn = false", Fail),
        ("types = \"udp-blocked\"", Fail),
        ("types = \"symmetric\"\nsame-network = 1.0", Direct),
        ("types = { behind = \"EIM/APDF\" }\nsame-network = 1.0", Relay),
        ("types = { behind = \"hairpins\" }\nsame-network = 1.0", Direct),
        ("types = { type = \"one-to-one\", behind = \"symmetric\" }", Relay),
        ("types = \"one-to-one\"\nlink = { loss = 1.0 }", Fail),
    ] {
        let population = population(&format!(
            "[nat-type.hairpins]\nbase = \"EIM/APDF\"\nhairpinning = \"external-source\"\n[group.all]\n{group}\n"
        ));
        let total = sweep(&population, 1, 0..8).total();
        assert_eq!(total.count(outcome), 8, "{group}: {:?}", total.outcomes);
        assert_eq!(total.examples[outcome as usize], Some(0));
    }
}

#[test]
fn a_pair_shown_runs_to_what_the_sweep_has() {
    let population = mixed();
    let report = SweepReport::new(&part(&population, Shard::new(1, 1).unwrap(), 200));
    let mut checked = 0;
    for group in &report.groups {
        let examples = group.examples;
        for (index, outcome) in [
            (examples.direct, Outcome::Direct),
            (examples.relay, Outcome::Relay),
            (examples.fail, Outcome::Fail),
        ] {
            let Some(index) = index else { continue };
            let seed = pair_seed(5, index);
            let shown = crate::scenario::show(&population.scenario(population.draw(seed), seed));
            let scenario = crate::scenario::parse(shown.as_bytes()).expect("a scenario");
            let run = crate::run::run(&scenario, &crate::run::Options::default()).expect("a valid network");
            assert_eq!(run.connections[0].outcome, outcome, "pair {index}");
            checked += 1;
        }
    }
    assert!(checked >= 8, "{checked}");
}

#[test]
fn the_report_adds_up() {
    let population = mixed();
    let report = SweepReport::new(&part(&population, Shard::new(1, 1).unwrap(), 300));
    let outcomes = [&report.outcomes.direct, &report.outcomes.relay, &report.outcomes.fail];
    assert_eq!(outcomes.map(|share| share.count).iter().sum::<u64>(), 300);
    assert!(outcomes.iter().all(|share| share.low < share.share && share.share < share.high));
    let names: Vec<_> = report.groups.iter().map(|group| (group.a.as_str(), group.b.as_str())).collect();
    assert_eq!(names[..3], [("home", "home"), ("home", "office"), ("home", "mobile")]);
    assert_eq!(names[3..], [("office", "office"), ("office", "mobile"), ("mobile", "mobile")]);
    assert_eq!(report.groups.iter().map(|group| group.pairs).sum::<u64>(), 300);
    let (setup, load) = (report.setup_seconds, report.relay_load);
    assert!(setup.p50 <= setup.p90 && setup.p90 <= setup.p99);
    let relayed = report.outcomes.relay.count as f64;
    assert_eq!(load.relayed_share, Some(relayed / (relayed + report.outcomes.direct.count as f64)));
    assert!(load.peak_calls as f64 > load.mean_calls && load.peak_calls < load.calls);
    let lines = report.csv();
    let columns: Vec<usize> = lines.lines().map(|line| line.split(',').count()).collect();
    assert_eq!(columns, [17; 8]);
}

#[test]
fn it_stops_when_told() {
    let population = mixed();
    let asked = AtomicU64::new(0);
    let stop = || asked.fetch_add(1, Ordering::Relaxed) < 4;
    let sweep = Sweep { population: &population, seed: 1, pairs: 0..MOST_PAIRS };
    assert!(matches!(sweep.run(NonZeroUsize::new(2), &stop), Err(SweepError::Stopped)));
}
