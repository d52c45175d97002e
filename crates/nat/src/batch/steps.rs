//! Flows in steps, each through stages.

use super::{Flow, Verdict};
use crate::outcome::DropReason;

/// Flows of one step. Where the table is far, those of two steps have their loads under way while a third is decided.
pub(super) const STEP: usize = 64;

/// What is done with a step of flows, one after the other.
pub(super) enum Stage {
    /// Says where `Find` is to look, or fetches what it reads.
    Aim,
    /// Finds the record, and fetches it if it is far.
    Find,
    /// Gives a verdict.
    Decide,
}

/// Takes flows through the stages a step at a time. If what they need is far, one step is decided while that of the next
/// two is on its way. `run` gets what the stage before found out about the same flows; the first stage, anything.
#[inline]
pub(super) fn in_steps<T: Copy>(
    is_far: bool,
    flows: &[Flow],
    verdicts: &mut [Verdict],
    nothing: T,
    mut run: impl FnMut(Stage, &mut T, &[Flow], &mut [Verdict]),
) {
    if !is_far {
        let mut known = nothing;
        for (flows, verdicts) in flows.chunks(STEP).zip(verdicts.chunks_mut(STEP)) {
            for stage in [Stage::Aim, Stage::Find, Stage::Decide] {
                run(stage, &mut known, flows, verdicts);
            }
        }
        return;
    }
    let [mut found, mut aimed, mut next] = [nothing; 3];
    let [mut found, mut aimed, mut next] = [&mut found, &mut aimed, &mut next];
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

/// The verdicts of a step until there are others.
const UNDECIDED: [Verdict; STEP] = [Verdict::Drop(DropReason::NoMapping); STEP];

/// Room for `count` more verdicts.
pub(super) fn room(verdicts: &mut Vec<Verdict>, count: usize) -> &mut [Verdict] {
    let decided = verdicts.len();
    verdicts.reserve(count);
    for place in (0..count).step_by(STEP) {
        verdicts.extend_from_slice(&UNDECIDED[..STEP.min(count - place)]);
    }
    &mut verdicts[decided..]
}
