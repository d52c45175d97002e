//! Every stack against the classic table: the outcome is that of `native`, but for the differences that
//! `docs/agent-differences.toml` lists, and every one of those is real.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use natbed_lab::matrix::Matrix;
use natbed_lab::run::{Options, run_with};
use natbed_lab::scenario::parse_with;
use toml::{Table, Value};

const CLASSIC: [&str; 4] = ["one-to-one", "address-restricted", "port-restricted", "symmetric"];

/// The pairs of agents that are always compared; those with differences are too.
const PAIRS: [&str; 10] = [
    "native,is",
    "is,native",
    "is,is",
    "rice,rice",
    "native,rice",
    "webrtc,webrtc",
    "native,webrtc",
    "webrtc,native",
    "is,webrtc",
    "webrtc,rice",
];

/// The initiator's NAT, the other's, and the outcome.
type Cell = (String, String, String);

fn table(agents: &str) -> BTreeSet<Cell> {
    let (initiator, other) = agents.split_once(',').expect("two agents");
    let types = CLASSIC.map(str::to_owned);
    let registry = natbed_adapters::registry();
    let matrix = Matrix::run_with(&types, &[], 1, [initiator, other], &registry).unwrap();
    let cells = matrix.cells();
    cells.map(|(a, b, cell)| (a.to_owned(), b.to_owned(), cell.outcome.as_str().to_owned())).collect()
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn listed() -> Vec<Table> {
    let text = std::fs::read_to_string(root().join("docs/agent-differences.toml")).unwrap();
    let document: Table = text.parse().unwrap();
    let Some(Value::Array(list)) = document.get("difference") else { panic!("a list of differences") };
    list.iter().map(|difference| difference.as_table().expect("a table").clone()).collect()
}

fn text<'a>(difference: &'a Table, key: &str) -> &'a str {
    difference.get(key).and_then(Value::as_str).unwrap_or_else(|| panic!("{key} in {difference:?}"))
}

#[test]
fn every_pair_of_agents_has_the_classic_table_but_for_the_listed_differences() {
    let classic = table("native,native");
    let mut expected: BTreeMap<String, BTreeSet<Cell>> =
        PAIRS.iter().map(|agents| ((*agents).to_owned(), BTreeSet::new())).collect();
    for difference in listed() {
        let cell = ["a", "b", "outcome"].map(|key| text(&difference, key).to_owned());
        let [a, b, outcome] = cell;
        let new = expected.entry(text(&difference, "agents").to_owned()).or_default().insert((a, b, outcome));
        assert!(new, "listed twice: {difference:?}");
    }
    assert!(!expected.contains_key("native,native"), "native agents have no differences");
    let mut wrong = Vec::new();
    for (agents, listed) in expected {
        let found: BTreeSet<Cell> = table(&agents).difference(&classic).cloned().collect();
        wrong.extend(found.difference(&listed).map(|cell| format!("{agents}: {cell:?} is not listed")));
        wrong.extend(listed.difference(&found).map(|cell| format!("{agents}: {cell:?} is not so")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_difference_says_why_and_has_a_scenario_that_shows_it() {
    let registry = natbed_adapters::registry();
    for difference in listed() {
        assert!(!text(&difference, "why").is_empty());
        let file = std::fs::read(root().join(text(&difference, "scenario"))).unwrap();
        let scenario = parse_with(&file, &registry).unwrap();
        let agents = scenario.connects[0].agents.join(",");
        let nats = [0, 1].map(|index| scenario.nats[index].type_name.as_str());
        assert_eq!(nats, [text(&difference, "a"), text(&difference, "b")]);
        let run = run_with(&scenario, &Options::default(), &registry).unwrap();
        assert_eq!(run.connections[0].outcome.as_str(), text(&difference, "outcome"), "{agents}");
        let mut native = scenario.clone();
        native.set_agents("native", "native");
        let run = run_with(&native, &Options::default(), &registry).unwrap();
        assert_ne!(run.connections[0].outcome.as_str(), text(&difference, "outcome"), "native,native");
    }
}
