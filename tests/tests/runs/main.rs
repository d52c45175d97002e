//! Whole runs, from scenario text to outcome: against the oracle, under faults, twice over.

mod axes;
mod conservation;
mod determinism;
mod ends;
mod generate;
mod matrix;
mod nat;
mod oracle;
mod settings;

use natbed_lab::kit::Case;
use natbed_lab::run::{Options, Run};
use natbed_lab::scenario::{Scenario, parse};
use proptest::test_runner::Config;

/// A test that does `cases` cases as a rule; `PROPTEST_CASES` raises or lowers all tests in proportion, from 256.
fn cases(cases: u32) -> Config {
    let config = Config::default();
    Config { cases: (config.cases * cases).div_ceil(256), failure_persistence: None, ..config }
}

fn scenario(case: &Case) -> Scenario {
    parsed(&case.text())
}

fn parsed(text: &str) -> Scenario {
    parse(text.as_bytes()).unwrap_or_else(|problems| panic!("{:?} in\n{text}", problems.diagnostics()))
}

fn run(scenario: &Scenario, log: bool) -> Run {
    natbed_lab::run::run(scenario, &Options { log, ..Options::default() }).unwrap()
}
