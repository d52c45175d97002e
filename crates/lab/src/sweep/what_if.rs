//! Which single change to a population would save most relaying.
//!
//! Every pair runs as things are and, where a change concerns one of its users, with the change, from the same seed: what
//! differs is the change's doing. All that is kept is how many pairs went from which outcome to which, in whole numbers.

mod change;
mod report;

use std::num::NonZeroUsize;

use super::{Sweep, SweepError, Tally, in_any_order};
use crate::run::{Outcome, connections};
use crate::scenario::population::{Population, pair_seed};

pub use change::{PopulationChange, What};
pub use report::{Difference, SweepWhatIf, paired};

/// What every change to a population would do.
#[derive(Clone, Debug)]
pub struct SweptChanges {
    /// What came of the pairs as things are.
    pub tally: Tally,
    /// Every change that was tried, and what it did; in no particular order.
    pub changes: Vec<(PopulationChange, Moves)>,
}

/// How pairs moved from outcome to outcome under a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moves {
    /// Pairs that the change concerns, by their outcome without it, then with it.
    counts: [[u64; 3]; 3],
}

impl Moves {
    /// Pairs that had the outcome `before`, and have `after` with the change.
    pub const fn count(&self, before: Outcome, after: Outcome) -> u64 {
        self.counts[before as usize][after as usize]
    }

    /// Pairs that the change concerns.
    pub fn pairs(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// Pairs that have `outcome` with the change alone, and those that have it without the change alone.
    pub fn gained_and_lost(&self, outcome: Outcome) -> [u64; 2] {
        let all =
            [Outcome::Direct, Outcome::Relay, Outcome::Fail].into_iter().filter(|other| *other != outcome);
        let gained = all.clone().map(|other| self.count(other, outcome)).sum();
        [gained, all.map(|other| self.count(outcome, other)).sum()]
    }

    fn add(&mut self, before: Outcome, after: Outcome) {
        self.counts[before as usize][after as usize] += 1;
    }

    fn merge(&mut self, other: &Self) {
        for (own, more) in self.counts.iter_mut().flatten().zip(other.counts.iter().flatten()) {
            *own += more;
        }
    }
}

/// A change, and the population in which it is made.
struct Changed {
    change: PopulationChange,
    population: Population,
}

/// What is added up over the pairs.
type Sums = (Tally, Vec<Moves>);

impl Sweep<'_> {
    /// As [`Sweep::run`], with every single change that may help tried on the pairs that it concerns.
    ///
    /// # Errors
    /// As there.
    pub fn what_if(
        &self,
        jobs: Option<NonZeroUsize>,
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<SweptChanges, SweepError> {
        let changes = change::all(self.population).into_iter();
        let changed: Vec<Changed> =
            changes.map(|change| Changed { population: change.apply(self.population), change }).collect();
        let new = || (Tally::new(self.population.groups.len()), vec![Moves::default(); changed.len()]);
        let add = |mut sums: Sums, index: u64| {
            self.try_pair(index, &changed, &mut sums)?;
            if go_on() { Ok(sums) } else { Err(SweepError::Stopped) }
        };
        let merge = |(tally, mut moves): Sums, (more, others): Sums| {
            moves.iter_mut().zip(&others).for_each(|(own, other)| own.merge(other));
            (tally.merged(&more), moves)
        };
        let (tally, moves) = in_any_order(self.pairs.clone(), jobs, new, add, merge)?;
        Ok(SweptChanges {
            tally,
            changes: changed.into_iter().map(|changed| changed.change).zip(moves).collect(),
        })
    }

    /// Runs pair `index` as things are, and with each of `changed` that concerns it.
    fn try_pair(&self, index: u64, changed: &[Changed], (tally, moves): &mut Sums) -> Result<(), SweepError> {
        let before = self.run_pair(index, tally)?;
        let seed = pair_seed(self.seed, index);
        let pair = self.population.draw(seed);
        for (Changed { change, population }, moves) in changed.iter().zip(moves) {
            if change.concerns(self.population, pair) {
                let scenario = population.scenario(pair, seed);
                let results = connections(&scenario).map_err(|why| SweepError::Network(index, why))?;
                if let Some(connection) = results.first() {
                    moves.add(before, connection.outcome);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
