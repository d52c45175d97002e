//! What-if as part of the schema `natbed.explain/1`.

use serde::Serialize;

use super::remedy::{Changed, Remedy};
use super::{SEEDS, WhatIf};
use crate::scenario::Scenario;

/// What would help one connection.
#[derive(Serialize)]
pub struct WhatIfReport {
    from: String,
    to: String,
    outcome: &'static str,
    /// Single changes, pairs of them, and pairs that were left out.
    tried: TriedReport,
    remedies: Vec<RemedyReport>,
    pairs_that_help: usize,
    boxes: Vec<RemedyReport>,
    why_not: Vec<String>,
}

#[derive(Serialize)]
struct TriedReport {
    singles: usize,
    pairs: usize,
    pairs_left_out: usize,
}

#[derive(Serialize)]
struct RemedyReport {
    number: usize,
    outcome: &'static str,
    changes: Vec<ChangeReport>,
    lines: String,
    seeds: SeedsReport,
    local: Option<CandidateReport>,
    remote: Option<CandidateReport>,
    setup_seconds: Option<f64>,
    why: Vec<String>,
    evidence: Vec<String>,
    others: Vec<OtherReport>,
}

#[derive(Serialize)]
struct ChangeReport {
    node: Option<String>,
    key: String,
    was: String,
    is: String,
    text: String,
    steps: u8,
}

#[derive(Serialize)]
struct SeedsReport {
    helped: u64,
    of: u64,
}

#[derive(Serialize)]
struct CandidateReport {
    r#type: &'static str,
    address: String,
}

#[derive(Serialize)]
struct OtherReport {
    from: String,
    to: String,
    was: &'static str,
    is: &'static str,
}

impl WhatIfReport {
    /// The report of `found`, the numbers of its remedies from `first` on.
    pub fn new(scenario: &Scenario, found: &WhatIf, first: usize) -> Self {
        let report = |(at, remedy): (usize, &Remedy)| RemedyReport::new(scenario, remedy, first + at);
        let tried = found.tried;
        Self {
            from: scenario[found.from].name.clone(),
            to: scenario[found.to].name.clone(),
            outcome: found.outcome.as_str(),
            tried: TriedReport {
                singles: tried.singles,
                pairs: tried.pairs,
                pairs_left_out: tried.pairs_left_out,
            },
            remedies: found.remedies.iter().enumerate().map(report).collect(),
            pairs_that_help: found.pairs_that_help,
            boxes: found
                .boxes
                .iter()
                .enumerate()
                .map(|(at, remedy)| report((found.remedies.len() + at, remedy)))
                .collect(),
            why_not: found.why_not.clone(),
        }
    }
}

impl RemedyReport {
    fn new(scenario: &Scenario, remedy: &Remedy, number: usize) -> Self {
        let candidate = |candidate: &natbed_traversal::ice::Candidate| CandidateReport {
            r#type: candidate.kind.token(),
            address: candidate.address.to_string(),
        };
        let changes = remedy.changed.iter().zip(&remedy.changes).map(|(words, change)| {
            let Changed { node, key, was, is, text } = words.clone();
            ChangeReport { node, key, was, is, text, steps: change.steps }
        });
        let others = remedy.others.iter().map(|(at, was, is)| {
            let connect = &scenario.connects[*at];
            OtherReport {
                from: scenario[connect.from].name.clone(),
                to: scenario[connect.to].name.clone(),
                was: was.as_str(),
                is: is.as_str(),
            }
        });
        Self {
            number,
            outcome: remedy.outcome.as_str(),
            changes: changes.collect(),
            lines: remedy.lines.clone(),
            seeds: SeedsReport { helped: remedy.seeds, of: SEEDS },
            local: remedy.pair.as_ref().map(|pair| candidate(&pair.local)),
            remote: remedy.pair.as_ref().map(|pair| candidate(&pair.remote)),
            setup_seconds: remedy.setup.map(|setup| setup.as_secs_f64()),
            why: remedy.admission.why.clone(),
            evidence: remedy.admission.evidence.clone(),
            others: others.collect(),
        }
    }
}
