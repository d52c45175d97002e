//! Parts of a sweep for several machines.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use thiserror::Error;

/// One of several equal parts of a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u64,
    of: u64,
}

/// Why a text names no shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ShardSyntax {
    /// It is not two whole numbers with a slash between them.
    #[error("write it as I/N, such as 3/16")]
    Syntax,
    /// There is no such shard.
    #[error("shards of {0} are 1/{0} to {0}/{0}")]
    Range(u64),
    /// No shards at all.
    #[error("a sweep has at least one shard")]
    None,
}

impl Shard {
    /// Shard `index` of `of`, counted from 1.
    ///
    /// # Errors
    /// When there is no such shard.
    pub const fn new(index: u64, of: u64) -> Result<Self, ShardSyntax> {
        match (index, of) {
            (_, 0) => Err(ShardSyntax::None),
            (index, of) if index == 0 || index > of => Err(ShardSyntax::Range(of)),
            _ => Ok(Self { index, of }),
        }
    }

    /// Which of `pairs` pairs are in this shard: no two shards have one in common, and all together have them all.
    pub fn pairs(self, pairs: u64) -> Range<u64> {
        let end = |index: u64| {
            let end = u128::from(pairs) * u128::from(index) / u128::from(self.of);
            u64::try_from(end).unwrap_or(pairs)
        };
        end(self.index - 1)..end(self.index)
    }
}

impl FromStr for Shard {
    type Err = ShardSyntax;

    fn from_str(text: &str) -> Result<Self, ShardSyntax> {
        let numbers = text.split_once('/').and_then(|(index, of)| {
            let number = |text: &str| text.trim().parse().ok();
            Some((number(index)?, number(of)?))
        });
        let (index, of) = numbers.ok_or(ShardSyntax::Syntax)?;
        Self::new(index, of)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_have_every_pair_once() {
        for (pairs, of) in [(1_000_000, 16), (10, 3), (3, 10), (1, 1), (u64::MAX, 7)] {
            let mut next = 0;
            for index in 1..=of {
                let range = Shard::new(index, of).unwrap().pairs(pairs);
                assert_eq!(range.start, next);
                next = range.end;
            }
            assert_eq!(next, pairs);
        }
    }

    #[test]
    fn shards_that_are_none_are_refused() {
        assert_eq!("3/16".parse::<Shard>().map(|shard| shard.to_string()), Ok("3/16".to_owned()));
        for (text, error) in [
            ("0/16", ShardSyntax::Range(16)),
            ("17/16", ShardSyntax::Range(16)),
            ("1/0", ShardSyntax::None),
            ("-1/2", ShardSyntax::Syntax),
            ("3", ShardSyntax::Syntax),
            ("a/b", ShardSyntax::Syntax),
            ("1/2/3", ShardSyntax::Syntax),
        ] {
            assert_eq!(text.parse::<Shard>(), Err(error), "{text}");
        }
    }
}
