//! The property-test kit: what it draws, what failing cases shrink to, and how they are written down.

mod property;
mod puncher;
mod shrinking;
mod strategies;

use natbed_lab::kit::Case;
use natbed_lab::run::{Options, Outcome, run};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

/// The same cases in every run, and nothing persisted.
fn fixed(seed: u64) -> Config {
    Config {
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_iters: 8192,
        ..Config::default()
    }
}

/// What the first of `cases` that `fails` shrinks to.
fn shrunk(seed: u64, cases: impl Strategy<Value = Case>, fails: impl Fn(&Case) -> bool) -> Case {
    let test = |case: Case| if fails(&case) { Err(TestCaseError::fail("it fails")) } else { Ok(()) };
    match TestRunner::new(fixed(seed)).run(&cases, test) {
        Err(TestError::Fail(_, case)) => case,
        other => panic!("no case fails: {other:?}"),
    }
}

/// What comes of the first connection between natbed's own agents.
fn outcome(case: &Case) -> Outcome {
    run(&case.scenario().unwrap(), &Options::default()).unwrap().connections[0].outcome
}
