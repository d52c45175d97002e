//! Property tests over all NATs (feature `proptest`).
//!
//! A property is a sentence about every network: 'whatever the NATs, the two connect or fall back to the relay within
//! five seconds'. [`networks`] draws networks; what fails shrinks to the smallest that still does, with the simplest
//! NATs, and is written down as a scenario file that `natbed run` and `natbed explain` take.

mod behaviors;
mod case;
mod file;
mod links;
mod networks;
mod property;
mod simplify;
mod smaller;
mod write;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Reason, TestRunner};

pub use behaviors::{behaviors, shared_behaviors};
pub use case::{Case, Connect, Fault, FaultKind, Host, Middlebox, Server};
pub use links::Links;
pub use networks::{MOST_HOSTS, Networks, networks};
pub use property::{Counterexample, Property, Trial};
pub use simplify::{Simplest, Simplify, Steps};

/// A value of `strategy`.
fn draw<S: Strategy>(strategy: &S, runner: &mut TestRunner) -> Result<S::Value, Reason> {
    Ok(strategy.new_tree(runner)?.current())
}
