//! What changes to a population would do, ranked, as the `what_if` of `natbed.sweep/1`.

use serde::Serialize;

use super::{Moves, PopulationChange, SweptChanges};
use crate::run::Outcome;
use crate::what_if::Knob;

/// A change, and what it would do to the shares of the outcomes.
#[derive(Clone, Debug, Serialize)]
pub struct SweepWhatIf {
    /// What it means, in a sentence.
    pub text: String,
    /// The groups that it is made in.
    pub groups: Vec<String>,
    /// The key of the file.
    pub key: String,
    /// The value that it had.
    pub was: String,
    /// The value that it has.
    pub is: String,
    /// How far the value is from the one that it replaces.
    pub steps: u8,
    /// The lines of the file that say so.
    pub lines: String,
    /// Pairs that it concerns.
    pub pairs: u64,
    /// The change of the share that connects directly.
    pub direct: Difference,
    /// The change of the share that is relayed.
    pub relay: Difference,
    /// The change of the share that fails.
    pub fail: Difference,
    /// Whether the intervals of the best change's direct share and of this one's overlap: which of the two is better is
    /// not certain.
    pub ties_with_best: bool,
    #[serde(skip)]
    knob: Knob,
}

/// How a share changes; between -1 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Pairs that have the outcome with the change alone.
    pub gained: u64,
    /// Pairs that have it without the change alone.
    pub lost: u64,
    /// The change of the share.
    pub change: f64,
    /// The lower end of its interval of 95 %.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The 97.5th percentile of the normal distribution: two sides of 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// How a share changes when of `total` pairs `gained` have the outcome afterwards alone and `lost` before alone, with the
/// adjusted interval for paired proportions of Bonett and Price (Statistics in Medicine 31, 2012): one pair more is
/// counted as gained and one as lost, so that a change that no pair shows is not taken for none at all.
pub fn paired(gained: u64, lost: u64, total: u64) -> Difference {
    if total == 0 {
        return Difference { gained, lost, change: 0.0, low: -1.0, high: 1.0 };
    }
    let size = total as f64 + 2.0;
    let (up, down) = ((gained as f64 + 1.0) / size, (lost as f64 + 1.0) / size);
    let middle = up - down;
    let half = Z * ((up + down - middle * middle) / size).sqrt();
    Difference {
        gained,
        lost,
        change: (gained as f64 - lost as f64) / total as f64,
        low: (middle - half).max(-1.0),
        high: (middle + half).min(1.0),
    }
}

impl Difference {
    /// Whether the share changes for certain, as far as an interval of 95 % says.
    pub fn is_certain(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

impl SweptChanges {
    /// The changes that move any pair, those first that make most pairs direct; of two that do the same the one first
    /// that saves more failures, then the smaller one. `groups` are the names of the population's.
    pub fn ranked(&self, groups: &[String]) -> Vec<SweepWhatIf> {
        let total = self.tally.total().pairs();
        let mut all: Vec<SweepWhatIf> =
            self.changes.iter().map(|(change, moves)| report(change, moves, groups, total)).collect();
        all.retain(|change| {
            [change.direct, change.relay, change.fail].iter().any(|all| all.gained + all.lost > 0)
        });
        let net = |all: &Difference| i128::from(all.lost) - i128::from(all.gained);
        all.sort_by(|a, b| {
            let key = |change: &SweepWhatIf| {
                (net(&change.direct), -net(&change.fail), change.groups.len(), change.steps, change.knob)
            };
            key(a).cmp(&key(b)).then_with(|| a.text.cmp(&b.text))
        });
        let best = all.first().map(|best| best.direct);
        for change in &mut all {
            change.ties_with_best = best.is_some_and(|best| change.direct.high >= best.low);
        }
        all
    }
}

fn report(change: &PopulationChange, moves: &Moves, groups: &[String], total: u64) -> SweepWhatIf {
    let difference = |outcome| {
        let [gained, lost] = moves.gained_and_lost(outcome);
        paired(gained, lost, total)
    };
    SweepWhatIf {
        text: change.text.clone(),
        groups: change.groups.iter().map(|group| groups[*group].clone()).collect(),
        key: change.key.clone(),
        was: change.was.clone(),
        is: change.is.clone(),
        steps: change.steps,
        lines: change.lines.clone(),
        pairs: moves.pairs(),
        direct: difference(Outcome::Direct),
        relay: difference(Outcome::Relay),
        fail: difference(Outcome::Fail),
        ties_with_best: false,
        knob: change.knob(),
    }
}
