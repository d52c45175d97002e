//! What would help a connection: changes, smallest first, each with its lines for the file and its evidence.

use natbed_lab::run::Outcome;
use natbed_lab::scenario::Scenario;
use natbed_lab::what_if::{Remedy, SEEDS, WhatIf};

use super::run::count;
use super::style::{BOLD, GOOD, mark, paint, printable};
use super::wrap::wrap;

/// What `found` says, its changes numbered from `first` on; `brief` without lines and evidence.
pub(crate) fn text(scenario: &Scenario, found: &WhatIf, first: usize, brief: bool, width: usize) -> String {
    let mut out = format!("\n{}\n", paint(BOLD, "What would help"));
    if found.outcome == Outcome::Direct {
        return out + &format!("  {} nothing is needed: it is direct already\n", paint(GOOD, "✓"));
    }
    for (at, remedy) in found.remedies.iter().enumerate() {
        out += &remedy_text(scenario, remedy, first + at, at == 0, brief, width);
    }
    let more = found
        .pairs_that_help
        .saturating_sub(found.remedies.iter().filter(|one| one.changes.len() > 1).count());
    if more > 0 {
        out += &wrap("  ", &format!("… and {more} more pairs of changes"), width);
    }
    if !found.why_not.is_empty() {
        let (symbol, style) = mark(Outcome::Fail);
        let what = if found.remedies.is_empty() { "nothing helps" } else { "nothing makes it direct" };
        out += &format!("  {} {what}\n", paint(style, symbol));
        out += &found.why_not.iter().map(|why| wrap("    ", why, width)).collect::<String>();
    }
    for (at, remedy) in found.boxes.iter().enumerate() {
        if at == 0 {
            out += "    Only another box would do:\n";
        }
        out += &remedy_text(scenario, remedy, first + found.remedies.len() + at, at == 0, brief, width);
    }
    out + &wrap("  ", &tried(found), width)
}

/// `Tried: 25 single changes, and 300 pairs of them.`
fn tried(found: &WhatIf) -> String {
    let singles = count(found.tried.singles, "single change");
    match found.tried.pairs {
        0 => format!("Tried: {singles}."),
        pairs => {
            let left_out = match found.tried.pairs_left_out {
                0 => String::new(),
                left_out => format!("; {left_out} larger ones were left out"),
            };
            format!("Tried: {singles}, and {} of them{left_out}.", count(pairs, "pair"))
        }
    }
}

fn remedy_text(
    scenario: &Scenario,
    remedy: &Remedy,
    number: usize,
    in_full: bool,
    brief: bool,
    width: usize,
) -> String {
    let (symbol, style) = mark(remedy.outcome);
    let head =
        format!("  {} {number:>2}. ", paint(style, &format!("{symbol} {:<6}", remedy.outcome.as_str())));
    // The columns of the head without its colours.
    let indent = " ".repeat(15);
    let texts: Vec<String> = remedy.changed.iter().map(|change| printable(&change.text)).collect();
    let first = wrap(&indent, &texts.join("; and "), width);
    let mut out = head + first.trim_start();
    for change in remedy.changed.iter().filter(|change| change.is_value()) {
        let node = change.node.as_ref().map_or_else(String::new, |node| format!("{node}: "));
        out += &wrap(&indent, &format!("{node}{}: {} → {}", change.key, change.was, change.is), width);
    }
    out += &wrap(&indent, &result(remedy), width);
    for (at, was, is) in &remedy.others {
        let connect = &scenario.connects[*at];
        let (from, to) = (&scenario[connect.from].name, &scenario[connect.to].name);
        out += &wrap(&indent, &format!("{from} → {to} becomes {is}, from {was}"), width);
    }
    if brief {
        return out;
    }
    out += "\n";
    for line in remedy.lines.lines() {
        out += format!("{indent}  {}", printable(line)).trim_end();
        out += "\n";
    }
    out += "\n";
    if in_full {
        out += &remedy.admission.why.iter().map(|why| wrap(&indent, why, width)).collect::<String>();
        let item = format!("{indent}- ");
        out += &remedy.admission.evidence.iter().map(|line| wrap(&item, line, width)).collect::<String>();
        out += "\n";
    }
    out
}

/// `srflx/prflx after 0.260 s; with 5 of 5 seeds`.
fn result(remedy: &Remedy) -> String {
    let path = remedy
        .pair
        .as_ref()
        .map(|pair| format!("{}/{}", pair.local.kind.token(), pair.remote.kind.token()))
        .unwrap_or_default();
    let setup = remedy.setup.map_or_else(String::new, |setup| format!(" after {:.3} s", setup.as_secs_f64()));
    format!("{path}{setup}, with {} of {SEEDS} seeds", remedy.seeds)
}
