//! What would have to be otherwise for a connection to be direct: the smallest change, found by trying.
//!
//! A [`Change`] sets one thing of a resolved scenario: an axis of one NAT on the path, a setting of an agent, a link, a
//! server more, the order of start, a fault less. The changed scenario is lowered and run as every scenario is, and
//! nothing is claimed that no run has shown. [`Size`] says which of two changes is smaller; a [`Remedy`] is one change
//! or two that help, with the evidence of its run.
//!
//! What is tried: every single change of the `catalogue`. If none of them makes the connection direct with every seed,
//! pairs of them too, the smallest first and at most [`MOST_PAIRS`]. What helps runs with [`SEEDS`] seeds, so that luck
//! with ports or losses shows.

pub(crate) mod axis;
mod catalogue;
mod change;
mod lines;
mod order;
mod remedy;
mod report;
mod search;
#[cfg(test)]
mod tests;
pub(crate) mod words;

pub use axis::Axis;
pub(crate) use change::preset_name;
pub use change::{Change, LinkSetting, Setting};
pub use order::{Knob, Size};
pub use remedy::{Changed, Remedy};
pub use report::WhatIfReport;

use crate::lower::LowerError;
use crate::peer::Registry;
use crate::run::Outcome;
use crate::scenario::{HostId, Scenario};
use search::Search;

/// Seeds that a change which helps is run with: the scenario's, and those after it.
pub const SEEDS: u64 = 5;

/// Pairs of changes that are tried at most.
pub const MOST_PAIRS: usize = 2_000;

/// Pairs of changes that are kept at most, the smallest; all that help are counted.
pub const PAIRS_KEPT: usize = 10;

/// What would help a connection.
#[derive(Clone, Debug)]
pub struct WhatIf {
    /// The connection's place among the scenario's.
    pub connection: usize,
    /// Its initiator.
    pub from: HostId,
    /// Its other side.
    pub to: HostId,
    /// What comes of it as things are.
    pub outcome: Outcome,
    /// What was tried.
    pub tried: Tried,
    /// Changes that make it direct, or a relay where it failed, best first: see [`Remedy::rank`].
    pub remedies: Vec<Remedy>,
    /// Pairs of changes that help; [`WhatIf::remedies`] has the smallest of them.
    pub pairs_that_help: usize,
    /// Another kind of box in the place of one that lets no UDP through, where nothing else makes it direct.
    pub boxes: Vec<Remedy>,
    /// Why nothing makes it direct; empty if something does, or if nothing is needed.
    pub why_not: Vec<String>,
}

/// How much a search has tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// Single changes.
    pub singles: usize,
    /// Pairs of them.
    pub pairs: usize,
    /// Pairs that were left out, as there were more than [`MOST_PAIRS`].
    pub pairs_left_out: usize,
}

/// As [`what_if_with`], with no agent but `native`.
///
/// # Errors
/// As there.
///
/// # Panics
/// As there.
pub fn what_if(scenario: &Scenario, seed: u64, index: usize) -> Result<WhatIf, LowerError> {
    what_if_with(scenario, seed, index, &Registry::new())
}

/// Searches what would make connection `index` of `scenario`, whose agents are in `registry`, direct, with the random
/// streams of `seed`. Of one that is direct already it only says so.
///
/// # Errors
/// When the scenario's network cannot be built or an agent is missing.
///
/// # Panics
/// When the scenario has no connection `index`.
pub fn what_if_with(
    scenario: &Scenario,
    seed: u64,
    index: usize,
    registry: &Registry,
) -> Result<WhatIf, LowerError> {
    Search::new(scenario, seed, index, registry)?.go()
}
