//! The search: singles, then pairs, each run.

use natbed_net::trace::Direction;

use super::catalogue::{blocks_udp, boxes, nats, singles};
use super::change::{Change, Setting, apply};
use super::order::{Knob, Size};
use super::remedy::Remedy;
use super::{MOST_PAIRS, PAIRS_KEPT, SEEDS, Tried, WhatIf, lines, words};
use crate::explain::{self, Focus};
use crate::lower::LowerError;
use crate::peer::Registry;
use crate::run::{Options, Outcome, Run, run_with};
use crate::scenario::Scenario;

/// A search for one connection.
pub(super) struct Search<'a> {
    scenario: &'a Scenario,
    seed: u64,
    index: usize,
    registry: &'a Registry,
    /// What came of every connection as things are.
    base: Vec<Outcome>,
}

/// Changes that help with the scenario's seed.
struct Hit {
    changes: Vec<Change>,
    size: Size,
    outcome: Outcome,
    seeds: u64,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        scenario: &'a Scenario,
        seed: u64,
        index: usize,
        registry: &'a Registry,
    ) -> Result<Self, LowerError> {
        let base = run_with(scenario, &options(seed), registry)?;
        let base = base.connections.iter().map(|connection| connection.outcome).collect();
        Ok(Self { scenario, seed, index, registry, base })
    }

    pub(super) fn go(&self) -> Result<WhatIf, LowerError> {
        let connect = &self.scenario.connects[self.index];
        let mut found = WhatIf {
            connection: self.index,
            from: connect.from,
            to: connect.to,
            outcome: self.base[self.index],
            tried: Tried::default(),
            remedies: Vec::new(),
            pairs_that_help: 0,
            boxes: Vec::new(),
            why_not: Vec::new(),
        };
        if found.outcome == Outcome::Direct {
            return Ok(found);
        }
        let singles = singles(self.scenario, self.index);
        found.tried.singles = singles.len();
        let mut hits = self.hits(singles.iter().map(|change| vec![change.clone()]).collect());
        let sure = |hits: &[Hit]| hits.iter().any(|hit| hit.outcome == Outcome::Direct && hit.seeds == SEEDS);
        if !sure(&hits) {
            let mut pairs = self.pairs(&singles);
            found.tried.pairs_left_out = pairs.len().saturating_sub(MOST_PAIRS);
            pairs.truncate(MOST_PAIRS);
            found.tried.pairs = pairs.len();
            let mut pairs = self.hits(pairs);
            pairs.retain(|pair| self.adds(pair, &hits));
            found.pairs_that_help = pairs.len();
            pairs.truncate(PAIRS_KEPT);
            hits.extend(pairs);
        }
        found.remedies = self.remedies(hits)?;
        if !found.remedies.iter().any(|remedy| remedy.outcome == Outcome::Direct) {
            let boxes = boxes(self.scenario, self.index);
            let hits = self.hits(boxes.into_iter().map(|change| vec![change]).collect());
            found.boxes =
                self.remedies(hits.into_iter().filter(|hit| hit.outcome == Outcome::Direct).collect())?;
            found.why_not = self.why_not();
        }
        Ok(found)
    }

    /// Pairs of changes of two things, the smallest first.
    fn pairs(&self, singles: &[Change]) -> Vec<Vec<Change>> {
        let mut pairs = Vec::new();
        for (at, first) in singles.iter().enumerate() {
            let others = singles[at + 1..].iter();
            let others = others.filter(|second| !first.excludes(second, self.scenario, self.index));
            pairs.extend(others.map(|second| vec![first.clone(), second.clone()]));
        }
        pairs.sort_by_cached_key(|pair| Size::of(pair, self.scenario, self.index));
        pairs
    }

    /// Those of `candidates` that help, best first.
    fn hits(&self, candidates: Vec<Vec<Change>>) -> Vec<Hit> {
        let mut hits: Vec<Hit> = candidates.into_iter().filter_map(|changes| self.try_out(changes)).collect();
        hits.sort_by(|a, b| a.rank().cmp(&b.rank()));
        hits
    }

    /// The hit that `changes` are, if they help.
    fn try_out(&self, changes: Vec<Change>) -> Option<Hit> {
        let changed = self.valid(&changes)?;
        let outcome = self.outcome(&changed, self.seed).filter(|outcome| *outcome < self.base[self.index])?;
        let more = (1..SEEDS).filter(|more| {
            let seed = self.seed.wrapping_add(*more) & (u64::MAX >> 1);
            self.outcome(&changed, seed).is_some_and(|with| with <= outcome)
        });
        let seeds = 1 + more.count() as u64;
        let size = Size::of(&changes, self.scenario, self.index);
        Some(Hit { changes, size, outcome, seeds })
    }

    /// The changed scenario, unless two changes of one NAT contradict each other.
    fn valid(&self, changes: &[Change]) -> Option<Scenario> {
        let changed = apply(self.scenario, self.index, changes);
        changed.nats.iter().all(|nat| nat.behavior.validate().is_ok()).then_some(changed)
    }

    fn outcome(&self, scenario: &Scenario, seed: u64) -> Option<Outcome> {
        let run = run_with(scenario, &options(seed), self.registry).ok()?;
        run.connections.get(self.index).map(|connection| connection.outcome)
    }

    /// Whether a pair does more than each of its changes does.
    fn adds(&self, pair: &Hit, singles: &[Hit]) -> bool {
        let halves =
            singles.iter().filter(|single| single.changes.iter().all(|change| pair.changes.contains(change)));
        halves.map(Hit::worth).min().is_none_or(|half| pair.worth() < half)
    }

    fn remedies(&self, hits: Vec<Hit>) -> Result<Vec<Remedy>, LowerError> {
        let mut remedies = Vec::with_capacity(hits.len());
        for hit in hits {
            remedies.push(self.remedy(hit)?);
        }
        remedies.sort_by(|a, b| a.rank().cmp(&b.rank()));
        Ok(remedies)
    }

    /// Runs a hit once more, with its event log.
    fn remedy(&self, hit: Hit) -> Result<Remedy, LowerError> {
        let changed = apply(self.scenario, self.index, &hit.changes);
        let run = run_with(&changed, &Options { log: true, ..options(self.seed) }, self.registry)?;
        let focus: Vec<_> = hit.changes.iter().filter_map(focus).collect();
        let result = &run.connections[self.index];
        Ok(Remedy {
            size: hit.size,
            outcome: hit.outcome,
            seeds: hit.seeds,
            pair: result.pair,
            setup: result.setup,
            admission: explain::admission(&changed, &run, self.index, &focus),
            others: self.others(&run),
            changed: words::changed(self.scenario, self.index, &hit.changes),
            lines: lines::lines(self.scenario, self.index, &hit.changes),
            changes: hit.changes,
        })
    }

    fn others(&self, run: &Run) -> Vec<(usize, Outcome, Outcome)> {
        let pairs = self.base.iter().zip(&run.connections).enumerate();
        let others = pairs.filter(|(at, (was, is))| *at != self.index && **was != is.outcome);
        others.map(|(at, (was, is))| (at, *was, is.outcome)).collect()
    }

    fn why_not(&self) -> Vec<String> {
        let connect = &self.scenario.connects[self.index];
        let nats = nats(self.scenario, [connect.from, connect.to]).into_iter();
        let blocking = nats.filter(|nat| blocks_udp(self.scenario, *nat)).map(|nat| {
            let nat = &self.scenario[nat];
            format!(
                "{} ({}) lets no UDP through in either direction, and natbed's agents and servers speak nothing else: \
                 no setting of another box, server or program changes that.",
                nat.name, nat.type_name
            )
        });
        let mut why: Vec<String> = blocking.collect();
        if why.is_empty() {
            why.push("What keeps the two apart is more than two changes away.".to_owned());
        }
        why
    }
}

impl Hit {
    fn rank(&self) -> (Outcome, u64, &Size) {
        (self.outcome, SEEDS - self.seeds, &self.size)
    }

    /// How good its outcome is, whatever its size; the least is the best.
    fn worth(&self) -> (Outcome, u64) {
        (self.outcome, SEEDS - self.seeds)
    }
}

const fn options(seed: u64) -> Options {
    Options { seed: Some(seed), log: false, tables_at: None, tables_since: None }
}

/// Where a change of a NAT shows: in what it lets in, or in what its packets look like outside.
const fn focus(change: &Change) -> Option<Focus> {
    match change.setting {
        Setting::Nat(nat, axis) => Some(match axis.knob() {
            Knob::Mapping | Knob::Ports | Knob::PortOverloading | Knob::ReplyMapping => {
                (nat, Direction::Outbound)
            }
            _ => (nat, Direction::Inbound),
        }),
        Setting::Box(nat, _) => Some((nat, Direction::Inbound)),
        _ => None,
    }
}
