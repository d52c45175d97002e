//! Parts of one sweep joined into what one machine would have come to.

use std::ops::Range;

use thiserror::Error;

use super::{Part, Tally};

/// Why parts do not make a whole. Parts are named by their place in what was given.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MergeError {
    /// There is none.
    #[error("there are no parts")]
    Nothing,
    /// One is not of the run that the first is of.
    #[error("part {part} is of another run than the first: its {what} is {found}, not {expected}")]
    Different {
        /// Which one.
        part: usize,
        /// In what they differ.
        what: &'static str,
        /// What it has.
        found: String,
        /// What the first has.
        expected: String,
    },
    /// Two have pairs in common.
    #[error("parts {0} and {1} both have pairs {start} to {last}", start = .2.start, last = .2.end - 1)]
    Overlap(usize, usize, Range<u64>),
    /// Some pairs are in none.
    #[error("pairs {} are in no part", list(.0))]
    Missing(Vec<Range<u64>>),
}

/// Pairs by their first and last numbers.
fn list(ranges: &[Range<u64>]) -> String {
    let ranges: Vec<String> =
        ranges.iter().map(|range| format!("{} to {}", range.start, range.end - 1)).collect();
    ranges.join(", ")
}

/// The whole that `parts` make, in whichever order they are.
///
/// # Errors
/// When they are of different runs, overlap, or leave something out.
pub fn merge(parts: &[Part]) -> Result<Part, MergeError> {
    let first = parts.first().ok_or(MergeError::Nothing)?;
    for (place, part) in parts.iter().enumerate() {
        check_same(first, place, part)?;
    }
    check_whole(parts)?;
    let of = first.of.clone();
    let traffic = first.traffic;
    let pairs = 0..of.total;
    let empty = Tally::new(of.groups.len());
    let tally = parts.iter().fold(empty, |sum, part| sum.merged(&part.tally));
    Ok(Part { of, pairs, traffic, tally })
}

fn check_same(first: &Part, place: usize, part: &Part) -> Result<(), MergeError> {
    let facts = |part: &Part| {
        let of = &part.of;
        [
            ("population", format!("`{}`", of.population)),
            ("population file's fingerprint", of.fingerprint.clone()),
            ("list of groups", of.groups.join(", ")),
            ("source", of.source.clone()),
            ("seed", of.seed.to_string()),
            ("number of pairs", of.total.to_string()),
            ("version of natbed", of.version.clone()),
            ("number of calls", part.traffic.calls.to_string()),
            ("bitrate", format!("{} bit/s", part.traffic.bitrate)),
        ]
    };
    let differs = facts(first).into_iter().zip(facts(part)).find(|(expected, found)| expected != found);
    match differs {
        None => Ok(()),
        Some(((what, expected), (_, found))) => {
            Err(MergeError::Different { part: place, what, found, expected })
        }
    }
}

/// Whether every pair is in exactly one of `parts`.
fn check_whole(parts: &[Part]) -> Result<(), MergeError> {
    let mut in_order: Vec<(usize, &Range<u64>)> =
        parts.iter().map(|part| &part.pairs).enumerate().filter(|(_, pairs)| !pairs.is_empty()).collect();
    in_order.sort_by_key(|(place, pairs)| (pairs.start, pairs.end, *place));
    let mut missing = Vec::new();
    let (mut next, mut last) = (0, 0);
    for (place, pairs) in in_order {
        if pairs.start < next {
            let common = pairs.start..pairs.end.min(next);
            return Err(MergeError::Overlap(last.min(place), last.max(place), common));
        }
        if pairs.start > next {
            missing.push(next..pairs.start);
        }
        (next, last) = (pairs.end, place);
    }
    let total = parts.first().map_or(0, |part| part.of.total);
    if next < total {
        missing.push(next..total);
    }
    if missing.is_empty() { Ok(()) } else { Err(MergeError::Missing(missing)) }
}
