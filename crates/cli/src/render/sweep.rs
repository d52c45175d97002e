//! The result of a sweep as tables.

use std::ops::Range;

use natbed_lab::quantity::print_rate;
use natbed_lab::run::Outcome;
use natbed_lab::sweep::{
    GroupReport, LoadReport, Packets, Percentiles, Share, SweepReport, SweepWhatIf, WhatIf,
};

use super::columns::{Cell, lines};
use super::style::{BOLD, DIM, mark, paint, printable};
use super::wrap::wrap;
use crate::args::Output;

/// What stands for nothing to tell.
const NOTHING: &str = "-";

/// The shares, then group by group, and what it means for relays; or the shares alone.
pub(crate) fn table(report: &SweepReport, output: &Output, width: usize) -> String {
    let shares = block(&shares(report));
    let what_if = report.what_if.as_ref().map(|found| what_if(found, output, width)).unwrap_or_default();
    if output.quiet {
        return shares + &what_if;
    }
    let title =
        format!("{}: {} pairs (seed {})", printable(report.population()), grouped(report.pairs), report.seed);
    let mut out = format!("{}\n", paint(BOLD, &title));
    if output.verbose && !report.source().is_empty() {
        out += &wrap("", &printable(report.source()), width);
    }
    out += &format!("\n{shares}\n");
    if report.groups.len() > 1 {
        out += &format!("{}\n", block(&groups(report)));
    }
    out += &block(&facts(report));
    out += &load(&report.relay_load, width);
    if output.verbose {
        out += &examples(report);
    }
    out + &what_if
}

/// Changes shown at most.
const MOST_CHANGES: usize = 10;

/// What changes to the population would do, the best first; its lines for the file, or with `--verbose` those of all.
fn what_if(found: &WhatIf, output: &Output, width: usize) -> String {
    let mut out = format!("\n{}\n", paint(BOLD, "What would save most relaying, on the same pairs"));
    for (at, change) in found.changes.iter().take(MOST_CHANGES).enumerate() {
        let head = format!("{:>4}. ", at + 1);
        let indent = " ".repeat(head.len());
        out += &wrap(&head, &printable(&change.text), width);
        out += &wrap(&indent, &printable(&format!("{}: {} → {}", change.key, change.was, change.is)), width);
        let SweepWhatIf { direct, relay, fail, .. } = change;
        let result = format!(
            "direct {} points ({} to {}), relay {}, fail {}; {} pairs tried",
            points(direct.change),
            points(direct.low),
            points(direct.high),
            points(relay.change),
            points(fail.change),
            grouped(change.pairs),
        );
        out += &wrap(&indent, &result, width);
        if !output.quiet && (at == 0 || output.verbose) {
            let lines = change.lines.lines();
            out += &lines
                .map(|line| format!("{indent}  {}", printable(line)).trim_end().to_owned() + "\n")
                .collect::<String>();
        }
    }
    let ties = found.changes.iter().take_while(|change| change.ties_with_best).count();
    if ties > 1 {
        let text = format!("Which of the first {ties} is the best is not certain: their intervals overlap.");
        out += &wrap("  ", &text, width);
    }
    let more = found.changes.len().saturating_sub(MOST_CHANGES);
    let more = if more > 0 { format!(", and {more} more do less") } else { String::new() };
    let same = found.tried - found.changes.len();
    out + &wrap("  ", &format!("Tried: {} changes; {same} of them change no pair{more}.", found.tried), width)
}

/// A change of a share in points of per cent.
fn points(change: f64) -> String {
    format!("{:+.2}", change * 100.0)
}

/// Lines with their ends.
fn block(rows: &[Vec<Cell>]) -> String {
    lines(rows, 2).iter().map(|line| format!("{line}\n")).collect()
}

fn shares(report: &SweepReport) -> Vec<Vec<Cell>> {
    let heading = ["", "share", "95 % interval", "pairs"].map(|text| Cell::new(text, DIM).right());
    let row = |(outcome, share): (Outcome, &Share)| {
        let (symbol, style) = mark(outcome);
        vec![
            Cell::new(format!("{symbol} {outcome}"), style),
            Cell::plain(percent(share.share)).right(),
            Cell::plain(format!("{} to {}", percent(share.low), percent(share.high))).right(),
            Cell::plain(grouped(share.count)).right(),
        ]
    };
    let outcomes = &report.outcomes;
    let all = [
        (Outcome::Direct, &outcomes.direct),
        (Outcome::Relay, &outcomes.relay),
        (Outcome::Fail, &outcomes.fail),
    ];
    std::iter::once(heading.to_vec()).chain(all.map(row)).collect()
}

fn groups(report: &SweepReport) -> Vec<Vec<Cell>> {
    let heading = ["", "", "pairs", "direct", "relay", "fail", "setup p50", "p90", "packets"];
    let heading = heading.map(|text| Cell::new(text, DIM).right()).to_vec();
    let row = |group: &GroupReport| {
        let share = |share: Option<f64>| share.map_or_else(|| NOTHING.to_owned(), percent);
        let GroupReport { setup_seconds: setup, packets, .. } = group;
        let numbers = [
            grouped(group.pairs),
            share(group.direct),
            share(group.relay),
            share(group.fail),
            seconds(setup.p50),
            seconds(setup.p90),
            count(packets.mean),
        ];
        let names = [Cell::plain(&group.a), Cell::plain(&group.b)];
        names.into_iter().chain(numbers.map(|number| Cell::plain(number).right())).collect()
    };
    std::iter::once(heading).chain(report.groups.iter().map(row)).collect()
}

fn facts(report: &SweepReport) -> Vec<Vec<Cell>> {
    let heading = ["", "mean", "p50", "p90", "p99"].map(|text| Cell::new(text, DIM).right());
    let row = |name: &str, numbers: [String; 4]| {
        let numbers = numbers.map(|number| Cell::plain(number).right());
        std::iter::once(Cell::plain(name)).chain(numbers).collect::<Vec<Cell>>()
    };
    let time = |name: &str, Percentiles { p50, p90, p99 }: Percentiles| {
        row(name, [String::new(), seconds(p50), seconds(p90), seconds(p99)])
    };
    let mut rows = vec![heading.to_vec(), time("set-up", report.setup_seconds)];
    for (name, share) in [("  direct", &report.outcomes.direct), ("  relay", &report.outcomes.relay)] {
        rows.extend(share.setup_seconds.filter(|setup| setup.p50.is_some()).map(|setup| time(name, setup)));
    }
    let Packets { mean, p50, p90, p99, dropped_mean } = report.packets;
    let whole = |number: Option<u64>| number.map_or_else(|| NOTHING.to_owned(), grouped);
    rows.push(row("packets sent", [count(mean), whole(p50), whole(p90), whole(p99)]));
    rows.push(row("packets dropped", [count(dropped_mean), String::new(), String::new(), String::new()]));
    rows
}

fn load(load: &LoadReport, width: usize) -> String {
    let calls =
        format!("{} calls of {} each way", grouped(load.calls), print_rate(load.bitrate_bits_per_second));
    let Some(share) = load.relayed_share else {
        return format!("\n{}", wrap("", &format!("{calls}: none of them connects"), width));
    };
    let heading = ["", "calls", "relays send"].map(|text| Cell::new(text, DIM).right()).to_vec();
    let row = |name: String, calls: String, rate: u64| {
        vec![Cell::plain(name), Cell::plain(calls).right(), Cell::plain(rounded_rate(rate)).right()]
    };
    let rows = [
        heading,
        row("mean".to_owned(), count(Some(load.mean_calls)), load.mean_bits_per_second),
        row(
            format!("peak, {} of the time", percent_short(load.peak_quantile)),
            grouped(load.peak_calls),
            load.peak_bits_per_second,
        ),
    ];
    let title = format!("Of {calls}, {} are relayed:", percent(share));
    let month = format!("{} in 30 days", bytes(load.monthly_bytes));
    format!("\n{}{}{}", wrap("", &title, width), block(&rows), wrap("", &month, width))
}

/// The first pair of each outcome of every two groups, for `--show`.
fn examples(report: &SweepReport) -> String {
    let heading = ["", "", "direct", "relay", "fail"].map(|text| Cell::new(text, DIM).right()).to_vec();
    let row = |group: &GroupReport| {
        let found = [group.examples.direct, group.examples.relay, group.examples.fail];
        let found = found.map(|pair| pair.map_or_else(|| NOTHING.to_owned(), |pair| pair.to_string()));
        let names = [Cell::plain(&group.a), Cell::plain(&group.b)];
        names.into_iter().chain(found.map(|pair| Cell::plain(pair).right())).collect()
    };
    let rows: Vec<Vec<Cell>> = std::iter::once(heading).chain(report.groups.iter().map(row)).collect();
    format!("\nThe first pair of each kind, for `natbed sweep … --show I`:\n{}", block(&rows))
}

/// Pairs by number: `pairs 0 to 499,999`.
pub(crate) fn ranges(ranges: &[Range<u64>]) -> String {
    let range = |range: &Range<u64>| format!("{} to {}", grouped(range.start), grouped(range.end - 1));
    format!("pairs {}", ranges.iter().map(range).collect::<Vec<_>>().join(", "))
}

/// A whole number with a comma between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn percent_short(share: f64) -> String {
    format!("{} %", (share * 1000.0).round() / 10.0)
}

fn seconds(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| NOTHING.to_owned(), |seconds| format!("{seconds:.3} s"))
}

fn count(mean: Option<f64>) -> String {
    mean.map_or_else(|| NOTHING.to_owned(), |mean| format!("{mean:.1}"))
}

/// A rate to three digits or so.
fn rounded_rate(bits: u64) -> String {
    scaled(bits, 1000.0, &["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"])
}

/// Octets to three digits or so.
fn bytes(bytes: u64) -> String {
    scaled(bytes, 1000.0, &["B", "kB", "MB", "GB", "TB", "PB"])
}

fn scaled(value: u64, step: f64, units: &[&str]) -> String {
    let mut value = value as f64;
    let mut units = units.iter().copied();
    let mut unit = units.next().unwrap_or_default();
    for larger in units {
        if value < step {
            break;
        }
        (value, unit) = (value / step, larger);
    }
    let digits = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::{bytes, grouped, percent_short, rounded_rate};

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(rounded_rate(434_400_000), "434 Mbit/s");
        assert_eq!(bytes(140_572_800_000_000), "141 TB");
        assert_eq!(bytes(0), "0.00 B");
        assert_eq!(percent_short(0.999), "99.9 %");
    }
}
