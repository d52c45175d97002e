//! The populations that come with the project: each has its sources, and comes out as its closed form says.

use std::path::PathBuf;

use natbed_lab::run::Outcome;
use natbed_lab::scenario::population::Population;
use natbed_lab::sweep::{Cell, Sweep, Tally, wilson};

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/populations"))
}

fn population(name: &str) -> Population {
    let bytes = std::fs::read(folder().join(name).with_extension("toml")).unwrap();
    Population::parse(&bytes).unwrap_or_else(|problems| panic!("{name}: {:?}", problems.diagnostics()))
}

/// A population, and what is expected of the pairs of two groups.
type Study<T> = (&'static str, &'static [([usize; 2], T)]);

/// What came of random pairs.
fn sweep(name: &str, pairs: u64) -> Tally {
    let population = population(name);
    Sweep { population: &population, seed: 1, pairs: 0..pairs }.run(None, &|| true).unwrap()
}

/// What came of the pairs of two groups, which are named by their places.
fn cell(tally: &Tally, groups: [usize; 2]) -> &Cell {
    tally.cells().find(|(places, _)| *places == groups).unwrap().1
}

#[test]
fn every_population_says_where_its_figures_come_from() {
    let mut count = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let population = population(path.file_stem().unwrap().to_str().unwrap());
        assert!(population.source.len() > 40 && !population.about.is_empty(), "{}", path.display());
        count += 1;
    }
    assert!(count >= 7, "{count} populations");
}

#[test]
fn studies_come_out_as_their_closed_forms() {
    const GUHA: f64 = 0.701 * 0.701 + 2.0 * 0.701 * 0.299 * 0.181;
    const FORD: f64 = 310.0 / 380.0;
    const HALKES: f64 = 64.0 / 75.0;
    let studies: [Study<f64>; 4] = [
        ("ford-2005", &[([0, 1], FORD), ([0, 0], FORD * FORD)]),
        ("guha-2005", &[([0, 0], GUHA)]),
        ("trautwein-2025", &[([0, 0], HALKES * HALKES)]),
        (
            "richter-2016",
            &[([0, 0], 0.98 * 0.98), ([1, 1], 0.89 * 0.89), ([0, 2], 0.98 * 0.6), ([2, 2], 0.6 * 0.6)],
        ),
    ];
    for (name, cells) in studies {
        let tally = sweep(name, 2500);
        for (groups, expected) in cells {
            let cell = cell(&tally, *groups);
            let interval = wilson(cell.count(Outcome::Direct), cell.pairs());
            let covered = interval.low <= *expected && *expected <= interval.high;
            assert!(covered, "{name} {groups:?}: {:?} is {interval:?}, not {expected}", cell.outcomes);
        }
    }
}

#[test]
fn what_has_no_choice_comes_out_the_same_every_time() {
    let studies: [Study<Outcome>; 2] = [
        ("hatonen-2010", &[([0, 0], Outcome::Direct)]),
        ("halkes-2011", &[([0, 0], Outcome::Direct), ([0, 1], Outcome::Relay), ([1, 2], Outcome::Direct)]),
    ];
    for (name, cells) in studies {
        let tally = sweep(name, 300);
        for (groups, outcome) in cells {
            let cell = cell(&tally, *groups);
            assert!(cell.pairs() > 10 && cell.count(*outcome) == cell.pairs(), "{name} {groups:?}: {cell:?}");
        }
    }
}
