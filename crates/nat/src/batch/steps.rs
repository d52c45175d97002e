//! Flows in steps, each through stages.

use super::{Flow, Verdict};
use crate::expiry::NONE;
use crate::outcome::DropReason;

/// Flows of one step. Those of two steps have their loads under way while a third is decided.
const STEP: usize = 32;

/// What is done with a step of flows, one after the other.
pub(super) enum Stage {
    /// Fetches what `Find` reads; outbound, says where that is.
    Aim,
    /// Finds the record, and fetches it.
    Find,
    /// Gives a verdict.
    Decide,
}

/// Where to look for the mapping of each flow of a step, then the slot that most likely holds it.
#[derive(Clone, Copy)]
pub(super) struct Lookups {
    aims: [u64; STEP],
    slots: [u32; STEP],
}

impl Lookups {
    const NONE: Self = Self { aims: [u64::MAX; STEP], slots: [NONE; STEP] };

    #[inline]
    pub(super) fn of(&mut self, flows: &[Flow]) -> (&mut [u64], &mut [u32]) {
        (&mut self.aims[..flows.len()], &mut self.slots[..flows.len()])
    }
}

/// Takes flows through the stages a step at a time: one is decided while what the next two need is on its way.
#[inline]
pub(super) fn in_steps(
    flows: &[Flow],
    verdicts: &mut [Verdict],
    mut run: impl FnMut(Stage, &mut Lookups, &[Flow], &mut [Verdict]),
) {
    let mut lookups = [Lookups::NONE; 3];
    let [mut found, mut aimed, mut next] = lookups.each_mut();
    let (mut to_decide, mut to_find): (&[Flow], &[Flow]) = (&[], &[]);
    let mut steps = flows.chunks(STEP);
    let mut undecided = verdicts;
    loop {
        let to_aim = steps.next().unwrap_or_default();
        run(Stage::Aim, next, to_aim, &mut []);
        run(Stage::Find, aimed, to_find, &mut []);
        let (verdicts, rest) = undecided.split_at_mut(to_decide.len());
        run(Stage::Decide, found, to_decide, verdicts);
        if rest.is_empty() {
            return;
        }
        undecided = rest;
        (to_decide, to_find) = (to_find, to_aim);
        (found, aimed, next) = (aimed, next, found);
    }
}

/// A verdict until there is another.
const UNDECIDED: Verdict = Verdict::Drop(DropReason::NoMapping);

/// Room for `count` more verdicts.
pub(super) fn room(verdicts: &mut Vec<Verdict>, count: usize) -> &mut [Verdict] {
    let decided = verdicts.len();
    verdicts.resize(decided + count, UNDECIDED);
    &mut verdicts[decided..]
}
