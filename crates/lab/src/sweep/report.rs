//! What came of a sweep as JSON, `natbed.sweep/1`, and as CSV.

use std::fmt::Write;

use serde::Serialize;

use super::load::PEAK;
use super::part::Kept;
use super::{Cell, Histogram, Load, Part, SweepWhatIf, SweptChanges, wilson};
use crate::run::Outcome;

/// The version of the document.
pub(super) const SCHEMA: &str = "natbed.sweep/1";

/// What `natbed sweep --json` prints.
#[derive(Serialize)]
pub struct SweepReport {
    schema: &'static str,
    population: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    source: String,
    /// The pairs that were run.
    pub pairs: u64,
    /// The seed of the sweep.
    pub seed: u64,
    /// Shares of all pairs.
    pub outcomes: Outcomes,
    /// The pairs of every two groups.
    pub groups: Vec<GroupReport>,
    /// Of all pairs that connected.
    pub setup_seconds: Percentiles,
    /// Datagrams of each pair.
    pub packets: Packets,
    /// What the relays carry.
    pub relay_load: LoadReport,
    /// What changes to the population would do, where that was asked for: see [`SweptChanges::ranked`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what_if: Option<WhatIf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<Kept>,
}

/// What changes to a population would do.
#[derive(Clone, Debug, Serialize)]
pub struct WhatIf {
    /// Changes that were tried.
    pub tried: usize,
    /// Those that move any pair, the best first.
    pub changes: Vec<SweepWhatIf>,
}

/// The outcomes of many pairs.
#[derive(Clone, Debug, Serialize)]
pub struct Outcomes {
    /// Without a relay.
    pub direct: Share,
    /// Through a relay.
    pub relay: Share,
    /// Not at all.
    pub fail: Share,
}

/// How often an outcome occurred.
#[derive(Clone, Debug, Serialize)]
pub struct Share {
    /// In how many pairs.
    pub count: u64,
    /// In which share of the pairs.
    pub share: f64,
    /// The lower end of the share's interval of 95 %.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// How long set-up took; nothing for those that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setup_seconds: Option<Percentiles>,
}

/// The pairs of two groups.
#[derive(Clone, Debug, Serialize)]
pub struct GroupReport {
    /// One group.
    pub a: String,
    /// The other, or the same.
    pub b: String,
    /// How many pairs.
    pub pairs: u64,
    /// The share without a relay; nothing without pairs.
    pub direct: Option<f64>,
    /// The share through a relay.
    pub relay: Option<f64>,
    /// The share that did not connect.
    pub fail: Option<f64>,
    /// Pairs by outcome.
    pub counts: Counts<u64>,
    /// The first pair of each outcome, by its number.
    pub examples: Counts<Option<u64>>,
    /// Of those that connected.
    pub setup_seconds: Percentiles,
    /// Datagrams of each pair.
    pub packets: Packets,
}

/// Something for each outcome.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Counts<T> {
    /// Without a relay.
    pub direct: T,
    /// Through a relay.
    pub relay: T,
    /// Not at all.
    pub fail: T,
}

impl<T> From<[T; 3]> for Counts<T> {
    fn from([direct, relay, fail]: [T; 3]) -> Self {
        Self { direct, relay, fail }
    }
}

/// Percentiles in seconds; nothing where nothing connected.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Percentiles {
    /// The median.
    pub p50: Option<f64>,
    /// The 90th percentile.
    pub p90: Option<f64>,
    /// The 99th percentile.
    pub p99: Option<f64>,
}

/// Datagrams of a pair, up to set-up or failure.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Packets {
    /// Sent by the two agents, on average.
    pub mean: Option<f64>,
    /// The median.
    pub p50: Option<u64>,
    /// The 90th percentile.
    pub p90: Option<u64>,
    /// The 99th percentile.
    pub p99: Option<u64>,
    /// Dropped of those, or of their copies, on average.
    pub dropped_mean: Option<f64>,
}

/// What the relays carry.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LoadReport {
    /// Calls that stand at the same time.
    pub calls: u64,
    /// What each side of a call sends.
    pub bitrate_bits_per_second: u64,
    /// The share of those calls that are relayed.
    pub relayed_share: Option<f64>,
    /// Relayed calls, on average.
    pub mean_calls: f64,
    /// The share of the time that there are no more relayed calls than `peak_calls`.
    pub peak_quantile: f64,
    /// Relayed calls at the peak.
    pub peak_calls: u64,
    /// What relays send, on average.
    pub mean_bits_per_second: u64,
    /// What they send at the peak.
    pub peak_bits_per_second: u64,
    /// What they send in 30 days.
    pub monthly_bytes: u64,
}

impl SweepReport {
    /// The report of all that `part` has.
    pub fn new(part: &Part) -> Self {
        let total = part.tally.total();
        let group = |([a, b], cell): ([usize; 2], &Cell)| {
            GroupReport::new(&part.of.groups[a], &part.of.groups[b], cell)
        };
        Self {
            schema: SCHEMA,
            population: part.of.population.clone(),
            source: part.of.source.clone(),
            pairs: total.pairs(),
            seed: part.of.seed,
            outcomes: Outcomes::new(&total),
            groups: part.tally.cells().map(group).collect(),
            setup_seconds: Percentiles::new(&connected(&total)),
            packets: Packets::new(&total),
            relay_load: LoadReport::new(part, &total),
            what_if: None,
            part: None,
        }
    }

    /// The report of all that `part` has, and of what changes to the population would do.
    pub fn with_what_if(part: &Part, swept: &SweptChanges) -> Self {
        let changes = swept.ranked(&part.of.groups);
        Self { what_if: Some(WhatIf { tried: swept.changes.len(), changes }), ..Self::new(part) }
    }

    /// The report of all that `part` has, with what [`Part::parse`] needs to read it back.
    pub fn part(part: &Part) -> Self {
        Self { part: Some(Kept::new(part)), ..Self::new(part) }
    }

    /// The title of the population.
    pub fn population(&self) -> &str {
        &self.population
    }

    /// Where the figures of the population come from; may be empty.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// One line for all pairs, with `*` for both groups, and one for every two groups. Shares are from 0 to 1, times in
    /// seconds.
    pub fn csv(&self) -> String {
        let mut out = "a,b,pairs,direct,relay,fail,direct_share,relay_share,fail_share,setup_p50,setup_p90,\
                       setup_p99,packets_mean,packets_p50,packets_p90,packets_p99,dropped_mean\n"
            .to_owned();
        let Outcomes { direct, relay, fail } = &self.outcomes;
        let all = GroupReport {
            a: "*".to_owned(),
            b: "*".to_owned(),
            pairs: self.pairs,
            direct: Some(direct.share),
            relay: Some(relay.share),
            fail: Some(fail.share),
            counts: [direct.count, relay.count, fail.count].into(),
            examples: [None; 3].into(),
            setup_seconds: self.setup_seconds,
            packets: self.packets,
        };
        for row in [&all].into_iter().chain(&self.groups) {
            let GroupReport { a, b, pairs, counts, setup_seconds: setup, packets, .. } = row;
            let Counts { direct, relay, fail } = counts;
            let shares = [row.direct, row.relay, row.fail].map(field);
            let setup = [setup.p50, setup.p90, setup.p99].map(field);
            let sent = [packets.p50, packets.p90, packets.p99].map(field);
            let (mean, dropped) = (field(packets.mean), field(packets.dropped_mean));
            let (shares, setup, sent) = (shares.join(","), setup.join(","), sent.join(","));
            let _ = writeln!(
                out,
                "{a},{b},{pairs},{direct},{relay},{fail},{shares},{setup},{mean},{sent},{dropped}"
            );
        }
        out
    }
}

/// What is unknown leaves its field empty.
fn field<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// Set-up times of all pairs that connected.
fn connected(cell: &Cell) -> Histogram {
    let [mut all, relayed] = cell.setup.clone();
    all.merge(&relayed);
    all
}

/// `count` of `total`; nothing of nothing.
fn ratio(count: u64, total: u64) -> Option<f64> {
    (total > 0).then(|| count as f64 / total as f64)
}

impl Outcomes {
    fn new(cell: &Cell) -> Self {
        let share = |outcome: Outcome| {
            let (count, total) = (cell.count(outcome), cell.pairs());
            let interval = wilson(count, total);
            let setup = cell.setup.get(outcome as usize);
            Share {
                count,
                share: ratio(count, total).unwrap_or(0.0),
                low: interval.low,
                high: interval.high,
                setup_seconds: setup.map(Percentiles::new),
            }
        };
        Self { direct: share(Outcome::Direct), relay: share(Outcome::Relay), fail: share(Outcome::Fail) }
    }
}

impl GroupReport {
    fn new(a: &str, b: &str, cell: &Cell) -> Self {
        let share = |outcome: Outcome| ratio(cell.count(outcome), cell.pairs());
        Self {
            a: a.to_owned(),
            b: b.to_owned(),
            pairs: cell.pairs(),
            direct: share(Outcome::Direct),
            relay: share(Outcome::Relay),
            fail: share(Outcome::Fail),
            counts: cell.outcomes.into(),
            examples: cell.examples.into(),
            setup_seconds: Percentiles::new(&connected(cell)),
            packets: Packets::new(cell),
        }
    }
}

impl Percentiles {
    /// Of a histogram of microseconds.
    fn new(setup: &Histogram) -> Self {
        let seconds = |percent| setup.quantile(percent, 100).map(|micros| micros as f64 / 1e6);
        Self { p50: seconds(50), p90: seconds(90), p99: seconds(99) }
    }
}

impl Packets {
    fn new(cell: &Cell) -> Self {
        let quantile = |percent| cell.packets.quantile(percent, 100);
        Self {
            mean: ratio(cell.packets_sent, cell.pairs()),
            p50: quantile(50),
            p90: quantile(90),
            p99: quantile(99),
            dropped_mean: ratio(cell.packets_dropped, cell.pairs()),
        }
    }
}

impl LoadReport {
    fn new(part: &Part, total: &Cell) -> Self {
        let relayed = total.count(Outcome::Relay);
        let connected = total.count(Outcome::Direct) + relayed;
        let load = Load::new(part.traffic, relayed, connected, total.relays);
        Self {
            calls: part.traffic.calls,
            bitrate_bits_per_second: part.traffic.bitrate,
            relayed_share: load.share,
            mean_calls: load.mean_calls,
            peak_quantile: PEAK,
            peak_calls: load.peak_calls,
            mean_bits_per_second: whole(load.mean_bits_per_second),
            peak_bits_per_second: whole(load.peak_bits_per_second),
            monthly_bytes: whole(load.monthly_bytes),
        }
    }
}

/// To the nearest whole number; what does not fit is the largest.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
fn whole(value: f64) -> u64 {
    value.round() as u64
}
