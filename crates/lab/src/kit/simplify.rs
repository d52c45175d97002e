//! How a failing value becomes a small one.

use std::fmt;
use std::rc::Rc;

use proptest::strategy::{NewTree, Strategy, ValueTree};
use proptest::test_runner::TestRunner;

/// A value that knows simpler ones.
pub trait Simplify: Clone + fmt::Debug {
    /// The values that are one step simpler, the boldest step first. Each is strictly simpler by some measure that
    /// cannot fall for ever, so that simplifying ends.
    fn simpler(&self) -> Vec<Self>;
}

/// A strategy that draws as another one does and shrinks by [`Simplify`] instead.
///
/// Nothing is drawn anew while it shrinks, and what remains can't be made simpler by any one step.
#[derive(Clone, Debug)]
pub struct Simplest<S>(pub S);

impl<S: Strategy<Value: Simplify>> Strategy for Simplest<S> {
    type Tree = Steps<S::Value>;
    type Value = S::Value;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        Ok(Steps::new(self.0.new_tree(runner)?.current()))
    }
}

/// A value on its way to a simpler one.
pub struct Steps<T> {
    /// Whether the strategy could have drawn a value.
    allowed: Rc<dyn Fn(&T) -> bool>,
    /// The simplest that has failed so far.
    failed: T,
    /// The one to try, if it's another.
    trial: Option<T>,
    /// The steps from `failed`, once they are needed.
    steps: Option<Vec<T>>,
    /// The next step to try.
    at: usize,
    /// How many in a row have not failed.
    passed: usize,
}

impl<T: Simplify> Steps<T> {
    /// Starts from `value`.
    pub fn new(value: T) -> Self {
        Self::within(value, |_| true)
    }

    /// Starts from `value` and tries only what is `allowed`.
    pub fn within(value: T, allowed: impl Fn(&T) -> bool + 'static) -> Self {
        Self { allowed: Rc::new(allowed), failed: value, trial: None, steps: None, at: 0, passed: 0 }
    }

    /// Tries the next step. After one that failed it goes on where it was, as what came before is rarely of new use,
    /// and comes round to it at last.
    fn step(&mut self) -> bool {
        let allowed = |step: &T| (self.allowed)(step);
        let steps =
            self.steps.get_or_insert_with(|| self.failed.simpler().into_iter().filter(allowed).collect());
        if self.passed >= steps.len() {
            return false;
        }
        self.at %= steps.len();
        self.trial = Some(steps[self.at].clone());
        true
    }
}

impl<T: Simplify> ValueTree for Steps<T> {
    type Value = T;

    fn current(&self) -> T {
        self.trial.as_ref().unwrap_or(&self.failed).clone()
    }

    fn simplify(&mut self) -> bool {
        if let Some(trial) = self.trial.take() {
            self.failed = trial;
            self.steps = None;
            self.passed = 0;
        }
        self.step()
    }

    fn complicate(&mut self) -> bool {
        if self.trial.take().is_none() {
            return false;
        }
        self.at += 1;
        self.passed += 1;
        self.step()
    }
}
