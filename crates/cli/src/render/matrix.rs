//! The outcomes of all pairs of NAT types as a table.

use natbed_lab::matrix::Matrix;
use natbed_lab::peer::NATIVE;
use natbed_lab::run::{Connection, Outcome};
use natbed_nat::presets;

use super::columns::{Cell, lines, total_width};
use super::style::{BOLD, DIM, mark, paint};
use super::wrap::wrap;

/// How much of each cell and heading is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `✓ direct` under the type's name.
    Words,
    /// `✓ dir` under the type's name.
    Short,
    /// `✓d` under the type's number.
    Letters,
}

const OUTCOMES: [Outcome; 3] = [Outcome::Direct, Outcome::Relay, Outcome::Fail];

/// The table in the widest form that fits.
pub(crate) fn table(matrix: &Matrix, width: usize) -> String {
    let forms = [(Form::Words, 2), (Form::Words, 1), (Form::Short, 2), (Form::Short, 1), (Form::Letters, 1)];
    let rows = |form| rows(matrix, form);
    let (form, gap) = forms
        .into_iter()
        .find(|(form, gap)| total_width(&rows(*form), *gap) <= width)
        .unwrap_or((Form::Letters, 1));
    lines(&rows(form), gap).iter().map(|line| format!("{line}\n")).collect()
}

/// What the symbols mean.
pub(crate) fn legend(width: usize) -> String {
    let meaning = |outcome| match outcome {
        Outcome::Direct => "the two reach each other",
        Outcome::Relay => "through the TURN server",
        Outcome::Fail => "not at all",
    };
    let item = |outcome| {
        let (symbol, style) = mark(outcome);
        vec![Cell::new(format!("{symbol} {}", outcome.as_str()), style), Cell::plain(meaning(outcome))]
    };
    let mut out: String = lines(&OUTCOMES.map(item), 2).iter().map(|line| format!("{line}\n")).collect();
    out += &wrap("", "Rows: the initiator's NAT. Columns: the other side's.", width);
    out
}

/// What each type does, in words.
pub(crate) fn types(matrix: &Matrix) -> String {
    let row = |name: &String| {
        let summary = presets::lookup(name).map_or("", |preset| preset.summary);
        vec![Cell::new(name, BOLD), Cell::plain(summary)]
    };
    let rows: Vec<Vec<Cell>> = matrix.types.iter().map(row).collect();
    lines(&rows, 2).iter().map(|line| format!("{line}\n")).collect()
}

/// The line over the table.
pub(crate) fn title(matrix: &Matrix, overrides: &[(String, String)]) -> String {
    let overrides: String = overrides.iter().map(|(axis, value)| format!(", {axis} = {value}")).collect();
    let agents = match &matrix.agents {
        agents if agents.iter().all(|agent| agent == NATIVE) => String::new(),
        [initiator, other] => format!(", {initiator} to {other}"),
    };
    let seed = matrix.seed;
    format!(
        "{}\n",
        paint(BOLD, &format!("Every NAT type against every other (seed {seed}{agents}{overrides})"))
    )
}

fn rows(matrix: &Matrix, form: Form) -> Vec<Vec<Cell>> {
    let count = matrix.types.len();
    let cells: Vec<Cell> = matrix.cells().map(|(_, _, connection)| cell(connection, form)).collect();
    let mut rows = headings(&matrix.types, form);
    for (index, (name, cells)) in matrix.types.iter().zip(cells.chunks(count.max(1))).enumerate() {
        let name = if form == Form::Letters { format!("{:>2} {name}", index + 1) } else { name.clone() };
        rows.push([Cell::plain(name)].into_iter().chain(cells.iter().cloned()).collect());
    }
    rows
}

/// The names of the columns, each on as many lines as it has parts, the last ones on the last line.
fn headings(types: &[String], form: Form) -> Vec<Vec<Cell>> {
    if form == Form::Letters {
        let numbers = (1..=types.len()).map(|number| Cell::new(number.to_string(), DIM));
        return vec![[Cell::plain("")].into_iter().chain(numbers).collect()];
    }
    let room = if form == Form::Words { "✓ direct" } else { "✗ fail" }.chars().count();
    let parts: Vec<Vec<String>> = types.iter().map(|name| parts(name, room)).collect();
    let height = parts.iter().map(Vec::len).max().unwrap_or(0);
    let line = |line: usize| {
        let cell = |parts: &Vec<String>| {
            let part = (line + parts.len()).checked_sub(height).and_then(|index| parts.get(index));
            Cell::new(part.cloned().unwrap_or_default(), DIM)
        };
        [Cell::plain("")].into_iter().chain(parts.iter().map(cell)).collect()
    };
    (0..height).map(line).collect()
}

/// `name` in as few pieces of at most `room` columns as its hyphens and slashes allow.
fn parts(name: &str, room: usize) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for piece in name.split_inclusive(['-', '/']) {
        match parts.last_mut() {
            Some(last) if last.len() + piece.len() <= room => last.push_str(piece),
            _ => parts.push(piece.to_owned()),
        }
    }
    parts
}

fn cell(connection: &Connection, form: Form) -> Cell {
    let (symbol, style) = mark(connection.outcome);
    let word = connection.outcome.as_str();
    match form {
        Form::Words => Cell::new(format!("{symbol} {word}"), style),
        Form::Short => {
            Cell::new(format!("{symbol} {}", if word.len() > 4 { &word[..3] } else { word }), style)
        }
        Form::Letters => Cell::new(format!("{symbol}{}", &word[..1]), style),
    }
}
