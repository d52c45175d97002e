//! Counts of values in buckets that are the same everywhere, so that histograms add up.

use std::collections::BTreeMap;

/// Buckets for each doubling.
const PER_OCTAVE: u64 = 128;

/// How often each value occurred: exact up to 255, above in buckets less than 1/128 of their values wide.
///
/// A value is given back as the middle of its bucket, so it is less than 0.4 % off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    buckets: BTreeMap<u32, u64>,
}

impl Histogram {
    /// Counts `value`.
    pub fn add(&mut self, value: u64) {
        *self.buckets.entry(bucket(value)).or_default() += 1;
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.buckets {
            *self.buckets.entry(*bucket).or_default() += count;
        }
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.buckets.values().sum()
    }

    /// The smallest value that `parts` in `of` values do not exceed (the nearest rank); `None` without values.
    pub fn quantile(&self, parts: u64, of: u64) -> Option<u64> {
        let rank = (u128::from(self.count()) * u128::from(parts)).div_ceil(u128::from(of)).max(1);
        let mut below = 0;
        for (bucket, count) in &self.buckets {
            below += u128::from(*count);
            if below >= rank {
                return Some(middle(*bucket));
            }
        }
        None
    }

    /// Buckets that have counted something, and how much.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (u32, u64)> {
        self.buckets.iter().map(|(bucket, count)| (*bucket, *count))
    }

    /// The histogram with these counts; `None` if a bucket is none, is there twice or is empty, or the counts do not fit.
    pub(super) fn from_buckets(counts: &[(u32, u64)]) -> Option<Self> {
        let mut buckets = BTreeMap::new();
        let mut total = 0u64;
        for (bucket, count) in counts {
            total = total.checked_add(*count)?;
            let fresh = buckets.insert(*bucket, *count).is_none();
            if !fresh || *count == 0 || *bucket > LAST {
                return None;
            }
        }
        Some(Self { buckets })
    }
}

/// The bucket of the largest value there is.
const LAST: u32 = bucket(u64::MAX);

/// Values below two octaves of buckets have one each; above, the leading eight bits of a value decide.
#[expect(clippy::cast_possible_truncation, reason = "at most 128 buckets for each of 58 octaves")]
const fn bucket(value: u64) -> u32 {
    let doublings = 63u32.saturating_sub((value | PER_OCTAVE).leading_zeros()) as u64 - 7;
    (doublings * PER_OCTAVE + (value >> doublings)) as u32
}

/// The value in the middle of a bucket.
fn middle(bucket: u32) -> u64 {
    let bucket = u64::from(bucket);
    let doublings = (bucket / PER_OCTAVE).saturating_sub(1);
    let first = (bucket - doublings * PER_OCTAVE) << doublings;
    first + ((1 << doublings) - 1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_and_their_middles_are_near() {
        let mut values: Vec<u64> = (0..3000).collect();
        values.extend((12..64).flat_map(|bit| [(1u64 << bit) - 1, 1 << bit, (1 << bit) + (1 << (bit - 1))]));
        values.extend([1_020_000, 39_500_000, u64::MAX]);
        values.sort_unstable();
        for pair in values.windows(2) {
            assert!(bucket(pair[1]) >= bucket(pair[0]), "{pair:?}");
        }
        for value in values {
            let found = middle(bucket(value));
            assert_eq!(bucket(found), bucket(value), "{value}");
            assert!(found.abs_diff(value) <= value / 256, "{value} comes back as {found}");
            assert!(value > 255 || found == value, "{value}");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_nearest_rank() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(1, 2), None);
        (1..=100).rev().for_each(|value| histogram.add(value));
        let found = [(0, 100), (1, 100), (50, 100), (505, 1000), (99, 100), (1, 1)];
        let found = found.map(|(parts, of)| histogram.quantile(parts, of));
        assert_eq!(found, [1, 1, 50, 51, 99, 100].map(Some));
    }

    #[test]
    fn two_halves_are_the_whole() {
        let (mut even, mut odd, mut all) = (Histogram::default(), Histogram::default(), Histogram::default());
        for value in (0..100_000).step_by(7) {
            let half = if value % 2 == 0 { &mut even } else { &mut odd };
            half.add(value);
            all.add(value);
        }
        odd.merge(&even);
        assert_eq!(odd, all);
        let counts: Vec<_> = all.buckets().collect();
        assert_eq!(Histogram::from_buckets(&counts), Some(all));
    }

    #[test]
    fn counts_that_cannot_be_are_refused() {
        for counts in [&[(1, 2), (1, 3)][..], &[(5, 0)], &[(LAST + 1, 1)], &[(1, u64::MAX), (2, 1)]] {
            assert_eq!(Histogram::from_buckets(counts), None, "{counts:?}");
        }
    }
}
