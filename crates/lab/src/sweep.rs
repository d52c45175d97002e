//! Many random pairs of a population: which share connects directly, which needs a relay, and what the relays carry.
//!
//! Pair `i` is drawn from the seed that [`pair_seed`] makes of the sweep's seed and `i`, and runs as a scenario of its own, like any
//! other. What comes of it goes into a [`Tally`] of whole numbers; tallies add up in any order to the same, so that threads and
//! [shards](Shard) change no byte of the [report](SweepReport).

mod histogram;
mod interval;
mod load;
mod merge;
mod part;
mod report;
mod shard;
mod tally;
mod what_if;

use std::num::NonZeroUsize;
use std::ops::Range;

use thiserror::Error;

use crate::lower::LowerError;
use crate::run::{Outcome, connections};
use crate::scenario::population::{Population, pair_seed};

pub use histogram::Histogram;
pub use interval::{Interval, wilson};
pub use load::{Load, Traffic};
pub use merge::{MergeError, merge};
pub use part::{Identity, Part, PartError};
pub use report::{
    Counts, GroupReport, LoadReport, Outcomes, Packets, Percentiles, Share, SweepReport, WhatIf,
};
pub use shard::{Shard, ShardSyntax};
pub use tally::{Cell, Tally};
pub use what_if::{Difference, Moves, PopulationChange, SweepWhatIf, SweptChanges, What, paired};

/// The most pairs of a sweep: their numbers stay exact in JSON.
pub const MOST_PAIRS: u64 = 1_000_000_000_000;

/// Which pairs of which population.
#[derive(Clone, Debug)]
pub struct Sweep<'p> {
    /// Where the pairs are drawn from.
    pub population: &'p Population,
    /// The seed that the seeds of all pairs come from.
    pub seed: u64,
    /// The numbers of the pairs to run.
    pub pairs: Range<u64>,
}

/// Why there is no result.
#[derive(Debug, Error)]
pub enum SweepError {
    /// [`Sweep::run`] was told to stop.
    #[error("stopped")]
    Stopped,
    /// A network cannot be built.
    #[error("pair {0}: {1}")]
    Network(u64, LowerError),
    /// The system gives no threads.
    #[error("no threads to run on: {0}")]
    Threads(String),
}

impl Sweep<'_> {
    /// Runs all pairs on `jobs` threads, by default one for each processor; without the feature `parallel` on the one
    /// that calls.
    ///
    /// `go_on` is asked after each pair, by every thread; when it says no, nothing more is run. It sees how far the work is, and
    /// cannot change what comes of it.
    ///
    /// # Errors
    /// [`SweepError::Stopped`] when it was stopped.
    pub fn run(
        &self,
        jobs: Option<NonZeroUsize>,
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<Tally, SweepError> {
        let add = |mut tally: Tally, index: u64| {
            self.run_pair(index, &mut tally)?;
            if go_on() { Ok(tally) } else { Err(SweepError::Stopped) }
        };
        let new = || Tally::new(self.population.groups.len());
        in_any_order(self.pairs.clone(), jobs, new, add, |a, b| a.merged(&b))
    }

    /// Runs pair `index` and adds what came of it to `tally`; its outcome.
    ///
    /// # Errors
    /// When its network cannot be built.
    pub fn run_pair(&self, index: u64, tally: &mut Tally) -> Result<Outcome, SweepError> {
        let seed = pair_seed(self.seed, index);
        let pair = self.population.draw(seed);
        let scenario = self.population.scenario(pair, seed);
        let results = connections(&scenario).map_err(|why| SweepError::Network(index, why))?;
        for connection in &results {
            tally.add(index, pair.users.map(|user| user.group), connection, connection.relays(&scenario));
        }
        Ok(results.first().map_or(Outcome::Fail, |connection| connection.outcome))
    }
}

/// Adds every one of `indices` to a sum; the order does not matter.
#[cfg(feature = "parallel")]
fn in_any_order<T: Send>(
    indices: Range<u64>,
    jobs: Option<NonZeroUsize>,
    new: impl Fn() -> T + Sync + Send,
    add: impl Fn(T, u64) -> Result<T, SweepError> + Sync + Send,
    merge: impl Fn(T, T) -> T + Sync + Send,
) -> Result<T, SweepError> {
    use rayon::prelude::*;

    let threads = rayon::ThreadPoolBuilder::new().num_threads(jobs.map_or(0, NonZeroUsize::get));
    let pool = threads.build().map_err(|why| SweepError::Threads(why.to_string()))?;
    pool.install(|| {
        let sums = indices.into_par_iter().try_fold(&new, add);
        sums.try_reduce(&new, |a, b| Ok(merge(a, b)))
    })
}

/// Adds every one of `indices` to a sum.
#[cfg(not(feature = "parallel"))]
fn in_any_order<T>(
    mut indices: Range<u64>,
    _jobs: Option<NonZeroUsize>,
    new: impl Fn() -> T,
    add: impl Fn(T, u64) -> Result<T, SweepError>,
    _merge: impl Fn(T, T) -> T,
) -> Result<T, SweepError> {
    indices.try_fold(new(), add)
}

#[cfg(test)]
mod tests;
