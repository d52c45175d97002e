//! What came of a scenario.

use natbed_lab::quantity::print_duration;
use natbed_lab::report::{candidate_type, delivery, expected, hold_state, target};
use natbed_lab::run::{Connection, Outcome, Run, Sent};
use natbed_lab::scenario::{Connect, Delivery, Scenario, Send};

use super::columns::{Cell, lines};
use super::style::{BAD, BOLD, DIM, GOOD, mark, paint, printable};
use super::wrap::wrap;

/// How much to say.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Detail {
    /// Only what failed.
    Failures,
    /// A line for each connection and datagram.
    Normal,
    /// What it is about, too, and the addresses of each path.
    Full,
}

/// The name of a scenario, or of its file where it has none.
pub(crate) fn heading(file: &str, scenario: &Scenario) -> String {
    let file = printable(file);
    if scenario.name.is_empty() {
        return format!("{}\n", paint(BOLD, &file));
    }
    format!("{} {}\n", paint(BOLD, &printable(&scenario.name)), paint(DIM, &format!("({file})")))
}

/// What a scenario is about, paragraph by paragraph.
pub(crate) fn about(scenario: &Scenario, width: usize) -> String {
    let paragraphs = scenario.about.split("\n\n").filter(|text| !text.trim().is_empty());
    paragraphs.map(|text| wrap("  ", text, width)).collect()
}

/// A line for each connection and datagram, with another for each expectation that was not met.
pub(crate) fn results(scenario: &Scenario, run: &Run, detail: Detail, width: usize) -> String {
    let wanted = |met: bool| detail > Detail::Failures || !met;
    let connections = scenario.connects.iter().zip(&run.connections).filter(|(_, result)| wanted(result.met));
    let (rows, notes): (Vec<_>, Vec<_>) = connections
        .map(|(connect, result)| {
            (connection_row(scenario, connect, result), connection_notes(connect, result, detail))
        })
        .unzip();
    let mut out = with_notes(&rows, &notes, width);
    let sends = scenario.sends.iter().zip(&run.sends).filter(|(_, result)| wanted(result.met));
    let (rows, notes): (Vec<_>, Vec<_>) =
        sends.map(|(send, result)| (send_row(scenario, send, result), send_notes(send, result))).unzip();
    out += &with_notes(&rows, &notes, width);
    out
}

fn with_notes(rows: &[Vec<Cell>], notes: &[Vec<String>], width: usize) -> String {
    let mut out = String::new();
    for (line, notes) in lines(rows, 2).iter().zip(notes) {
        out += &format!("  {line}\n");
        for note in notes {
            out += &wrap("      ", note, width);
        }
    }
    out
}

fn connection_row(scenario: &Scenario, connect: &Connect, result: &Connection) -> Vec<Cell> {
    let (symbol, style) = mark(result.outcome);
    let path = result
        .pair
        .as_ref()
        .map_or_else(String::new, |pair| format!("{}/{}", pair.local.kind.token(), pair.remote.kind.token()));
    let setup = result.setup.map_or_else(String::new, |setup| format!("{:.3} s", setup.as_secs_f64()));
    let expecting = connect.expect.is_some()
        || connect.path.is_some()
        || connect.after.is_some()
        || connect.channel.is_some();
    vec![
        Cell::new(format!("{symbol} {}", result.outcome.as_str()), style),
        Cell::plain(format!("{} → {}", scenario[connect.from].name, scenario[connect.to].name)),
        verdict(expecting, result.met),
        Cell::plain(path),
        Cell::plain(setup).right(),
        Cell::plain(format!("{} sent, {} dropped", result.packets_sent, result.packets_dropped)),
    ]
}

fn verdict(expecting: bool, met: bool) -> Cell {
    match (expecting, met) {
        (false, _) => Cell::plain(""),
        (true, true) => Cell::new("met", GOOD),
        (true, false) => Cell::new("NOT MET", BAD),
    }
}

fn connection_notes(connect: &Connect, result: &Connection, detail: Detail) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(wanted) = connect.expect.map(expected).filter(|wanted| *wanted != result.outcome.as_str()) {
        notes.push(format!("expected {wanted}, came out as {}", result.outcome.as_str()));
    }
    if let Some((local, remote)) = connect.path {
        let wanted = (candidate_type(local), candidate_type(remote));
        let actual = result.pair.as_ref().map(|pair| (pair.local.kind.token(), pair.remote.kind.token()));
        if actual != Some(wanted) {
            let actual =
                actual.map_or_else(|| "none".to_owned(), |(local, remote)| format!("{local}/{remote}"));
            notes.push(format!("expected the path {}/{}, took {actual}", wanted.0, wanted.1));
        }
    }
    if let Some(wanted) = connect.after.filter(|wanted| result.after != Some(*wanted)) {
        let actual = result.after.map_or("never set up", hold_state);
        notes.push(format!("expected to be {} after the hold, was {actual}", hold_state(wanted)));
    }
    if let Some(after) = result.after.filter(|_| result.met) {
        notes.push(format!("{} after {}", hold_state(after), print_duration(connect.hold)));
    }
    if let Some(channel) = result.channel {
        notes.push(match channel.round_trip {
            Some(time) => format!("the channel echoes after {:.3} s", time.as_secs_f64()),
            None => "expected the channel to echo, nothing came back".to_owned(),
        });
    }
    if let Some(pair) = result.pair.as_ref().filter(|_| detail == Detail::Full) {
        let (local, remote) = (&pair.local, &pair.remote);
        notes.push(format!(
            "local {} {}, remote {} {}",
            local.kind.token(),
            local.address,
            remote.kind.token(),
            remote.address
        ));
    }
    notes
}

fn send_row(scenario: &Scenario, send: &Send, result: &Sent) -> Vec<Cell> {
    let (symbol, style) = match result.outcome {
        Delivery::Delivered => mark(Outcome::Direct),
        Delivery::Dropped => mark(Outcome::Fail),
    };
    let seen = result.source_seen.map_or_else(String::new, |source| format!("seen as {source}"));
    let reason = result.reason.map_or_else(String::new, |reason| format!("[{}]", reason.as_str()));
    vec![
        Cell::new(format!("{symbol} {}", delivery(result.outcome)), style),
        Cell::plain(format!("{}:{} → {}", scenario[send.from].name, send.from_port, target(scenario, send))),
        verdict(send.expect.is_some(), result.met),
        Cell::plain(seen + &reason),
    ]
}

fn send_notes(send: &Send, result: &Sent) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(wanted) = send.expect.map(delivery).filter(|_| !result.met) {
        notes.push(format!("expected {wanted}, came out as {}", delivery(result.outcome)));
    }
    notes.extend(result.reason.map(|reason| reason.explanation().to_owned()));
    notes
}

/// Counts over all scenarios.
#[derive(Default)]
pub(crate) struct Summary {
    scenarios: usize,
    outcomes: [usize; 3],
    datagrams: usize,
    unmet: usize,
}

impl Summary {
    pub(crate) fn add(&mut self, run: &Run) {
        self.scenarios += 1;
        for connection in &run.connections {
            self.outcomes[connection.outcome as usize] += 1;
        }
        self.datagrams += run.sends.len();
        self.unmet += unmet(run);
    }

    /// `2 scenarios, 3 connections (2 direct, 1 relay), all expectations met`.
    pub(crate) fn line(&self) -> String {
        let mut parts = vec![count(self.scenarios, "scenario")];
        let outcomes = [Outcome::Direct, Outcome::Relay, Outcome::Fail].into_iter().zip(self.outcomes);
        let outcomes = outcomes.filter(|(_, count)| *count > 0);
        let outcomes: Vec<String> =
            outcomes.map(|(outcome, count)| format!("{count} {}", outcome.as_str())).collect();
        if !outcomes.is_empty() {
            let total = count(self.outcomes.iter().sum(), "connection");
            parts.push(format!("{total} ({})", outcomes.join(", ")));
        }
        if self.datagrams > 0 {
            parts.push(count(self.datagrams, "datagram"));
        }
        parts.push(match self.unmet {
            0 => paint(GOOD, "all expectations met"),
            unmet => paint(BAD, &format!("{} not met", count(unmet, "expectation"))),
        });
        parts.join(", ") + "\n"
    }
}

/// How many connections and datagrams came out other than expected.
pub(crate) fn unmet(run: &Run) -> usize {
    let connections = run.connections.iter().filter(|connection| !connection.met);
    connections.count() + run.sends.iter().filter(|send| !send.met).count()
}

/// `1 scenario`, `2 scenarios`.
pub(crate) fn count(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
