//! What came of a sweep or a part of it, and how a part is kept in a file until it is merged.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::report::SCHEMA;
use super::{Cell, Histogram, Sweep, Tally, Traffic};

/// What came of the pairs of a sweep, of all or of some.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Which sweep.
    pub of: Identity,
    /// The numbers of the pairs that have been run.
    pub pairs: Range<u64>,
    /// The calls that the load of the relays is computed for.
    pub traffic: Traffic,
    /// What came of them.
    pub tally: Tally,
}

/// What two parts have to have in common to belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The version of natbed that ran it: another may come to other results.
    pub version: String,
    /// The title of the population.
    pub population: String,
    /// Where its figures come from; may be empty.
    pub source: String,
    /// Stands for the population file.
    pub fingerprint: String,
    /// The names of its groups.
    pub groups: Vec<String>,
    /// The seed of the whole sweep.
    pub seed: u64,
    /// The number of its pairs.
    pub total: u64,
}

/// Why a file is no part of a sweep.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PartError {
    /// It is not a JSON document of the right form.
    #[error("it is not a part of a sweep: {0}")]
    Syntax(String),
    /// It is of another schema.
    #[error("its schema is `{0}`, not `{SCHEMA}`")]
    Schema(String),
    /// It has no tallies.
    #[error("it is the report of a whole sweep, which cannot be merged")]
    Whole,
    /// Its numbers contradict each other.
    #[error("its numbers contradict each other: {0}")]
    Inconsistent(&'static str),
}

impl Part {
    /// The result `tally` of `sweep`, which is all or a part of the first `total` pairs.
    pub fn new(sweep: &Sweep<'_>, total: u64, traffic: Traffic, tally: Tally) -> Self {
        let population = sweep.population;
        let of = Identity {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            population: population.name.clone(),
            source: population.source.clone(),
            fingerprint: format!("{:032x}", population.fingerprint),
            groups: population.groups.iter().map(|group| group.name.clone()).collect(),
            seed: sweep.seed,
            total,
        };
        Self { of, pairs: sweep.pairs.clone(), traffic, tally }
    }

    /// Reads a part as [`SweepReport::part`](super::SweepReport::part) has it.
    ///
    /// # Errors
    /// When the document is none, or contradicts itself.
    pub fn parse(bytes: &[u8]) -> Result<Self, PartError> {
        let document: Document =
            serde_json::from_slice(bytes).map_err(|why| PartError::Syntax(why.to_string()))?;
        if document.schema != SCHEMA {
            return Err(PartError::Schema(document.schema));
        }
        let kept = document.part.ok_or(PartError::Whole)?;
        let cells: Option<Vec<Cell>> = kept.cells.iter().map(KeptCell::cell).collect();
        let cells = cells.ok_or(PartError::Inconsistent("counts of a cell do not add up"))?;
        let pairs = cells.iter().try_fold(0u64, |sum, cell| sum.checked_add(cell.pairs()));
        let tally = Tally::from_cells(kept.groups.len(), cells)
            .ok_or(PartError::Inconsistent("there is not a cell for every two groups"))?;
        if kept.first > kept.end || kept.end > kept.total || pairs != Some(kept.end - kept.first) {
            return Err(PartError::Inconsistent("it has not as many results as pairs"));
        }
        let of = Identity {
            version: kept.version,
            population: document.population,
            source: document.source.unwrap_or_default(),
            fingerprint: kept.fingerprint,
            groups: kept.groups,
            seed: document.seed,
            total: kept.total,
        };
        let traffic =
            Traffic { calls: kept.calls.min(Traffic::MOST_CALLS), bitrate: kept.bitrate_bits_per_second };
        Ok(Self { of, pairs: kept.first..kept.end, traffic, tally })
    }
}

/// What is read of a report.
#[derive(Deserialize)]
struct Document {
    schema: String,
    population: String,
    source: Option<String>,
    seed: u64,
    part: Option<Kept>,
}

/// What a part has beyond its report.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    version: String,
    fingerprint: String,
    /// The first pair that was run.
    first: u64,
    /// The first one after it that was not.
    end: u64,
    total: u64,
    calls: u64,
    bitrate_bits_per_second: u64,
    groups: Vec<String>,
    cells: Vec<KeptCell>,
}

#[derive(Serialize, Deserialize)]
struct KeptCell {
    direct: u64,
    relay: u64,
    fail: u64,
    examples: [Option<u64>; 3],
    relays: u64,
    packets_sent: u64,
    packets_dropped: u64,
    /// Histograms as `bucket:count`, a blank between two.
    packets: String,
    setup_direct: String,
    setup_relay: String,
}

impl Kept {
    pub(super) fn new(part: &Part) -> Self {
        Self {
            version: part.of.version.clone(),
            fingerprint: part.of.fingerprint.clone(),
            first: part.pairs.start,
            end: part.pairs.end,
            total: part.of.total,
            calls: part.traffic.calls,
            bitrate_bits_per_second: part.traffic.bitrate,
            groups: part.of.groups.clone(),
            cells: part.tally.cells().map(|(_, cell)| KeptCell::new(cell)).collect(),
        }
    }
}

impl KeptCell {
    fn new(cell: &Cell) -> Self {
        let [direct, relay, fail] = cell.outcomes;
        let [setup_direct, setup_relay] = cell.setup.each_ref().map(written);
        Self {
            direct,
            relay,
            fail,
            examples: cell.examples,
            relays: cell.relays,
            packets_sent: cell.packets_sent,
            packets_dropped: cell.packets_dropped,
            packets: written(&cell.packets),
            setup_direct,
            setup_relay,
        }
    }

    /// `None` if its counts do not add up.
    fn cell(&self) -> Option<Cell> {
        let cell = Cell {
            outcomes: [self.direct, self.relay, self.fail],
            examples: self.examples,
            relays: self.relays,
            packets_sent: self.packets_sent,
            packets_dropped: self.packets_dropped,
            packets: read(&self.packets)?,
            setup: [read(&self.setup_direct)?, read(&self.setup_relay)?],
        };
        let sum = cell.outcomes.iter().try_fold(0u64, |sum, count| sum.checked_add(*count))?;
        let counted = [cell.packets.count(), cell.setup[0].count(), cell.setup[1].count()];
        let relays = self.relay..=self.relay.checked_mul(2)?;
        (counted == [sum, self.direct, self.relay] && relays.contains(&self.relays)).then_some(cell)
    }
}

fn written(histogram: &Histogram) -> String {
    let words: Vec<String> = histogram.buckets().map(|(bucket, count)| format!("{bucket}:{count}")).collect();
    words.join(" ")
}

fn read(text: &str) -> Option<Histogram> {
    let word = |word: &str| {
        let (bucket, count) = word.split_once(':')?;
        Some((bucket.parse().ok()?, count.parse().ok()?))
    };
    let counts: Option<Vec<(u32, u64)>> = text.split_whitespace().map(word).collect();
    Histogram::from_buckets(&counts?)
}
