//! NATs' tables: one row for each mapping and permitted remote.

use natbed_lab::run::Run;
use natbed_lab::scenario::Scenario;
use natbed_nat::{MappingView, Permitted, Remote};
use natbed_packet::{Endpoint, Timestamp};

use super::columns::{Cell, lines, total_width};
use super::style::{BOLD, DIM, paint};

/// The headings, in order; each column has two lines of them.
const HEADINGS: [(&str, &str); 8] = [
    ("internal", "IP"),
    ("", "port"),
    ("external", "IP"),
    ("", "port"),
    ("destination", "IP"),
    ("", "port"),
    ("may come in", "from"),
    ("expires", "at"),
];

/// Every NAT's table as it stood when it was taken.
pub(crate) fn tables(scenario: &Scenario, run: &Run, width: usize) -> String {
    let mut out = String::new();
    for (nat, table) in scenario.nats.iter().zip(&run.tables) {
        let title = format!("Table of {} ({}) at {}", nat.name, nat.type_name, run.tables_at);
        out += &format!("\n{}\n", paint(BOLD, &title));
        let rows: Vec<[String; 8]> = table.iter().flat_map(rows).collect();
        out += &if rows.is_empty() { "  empty\n".to_owned() } else { fitted(&rows, width) };
    }
    out
}

/// One row for each remote that may send to `mapping`, or one that says that none may.
fn rows(mapping: &MappingView) -> Vec<[String; 8]> {
    let row = |remote: String, expires: Timestamp| {
        let [internal, external] =
            [mapping.internal, mapping.external].map(|end: Endpoint| end.ip.to_string());
        let (destination, port) = match mapping.destination {
            Remote::Any => ("any".to_owned(), "any".to_owned()),
            Remote::Address(ip) => (ip.to_string(), "any".to_owned()),
            Remote::Endpoint(end) => (end.ip.to_string(), end.port.to_string()),
        };
        let [internal_port, external_port] =
            [mapping.internal, mapping.external].map(|end| end.port.to_string());
        [internal, internal_port, external, external_port, destination, port, remote, expires.to_string()]
    };
    if mapping.permitted.is_empty() {
        return vec![row("nobody".to_owned(), mapping.expires)];
    }
    mapping.permitted.iter().map(|Permitted { remote, expires }| row(who(*remote), *expires)).collect()
}

fn who(remote: Remote) -> String {
    match remote {
        Remote::Any => "anyone".to_owned(),
        Remote::Address(ip) => format!("{ip}, any port"),
        Remote::Endpoint(end) => end.to_string(),
    }
}

/// As a table with as much space as there is, or else row by row with each end on a line.
fn fitted(rows: &[[String; 8]], width: usize) -> String {
    let heads = [0, 1].map(|line| {
        HEADINGS.map(|heading| cell([heading.0, heading.1][line], heading.1 == "port", DIM)).to_vec()
    });
    let cells = rows.iter().map(|row| {
        let cells = row.iter().zip(HEADINGS);
        cells.map(|(text, heading)| cell(text, heading.1 == "port", super::style::PLAIN)).collect()
    });
    let table: Vec<Vec<Cell>> = heads.into_iter().chain(cells).collect();
    match [2, 1].into_iter().find(|gap| total_width(&table, *gap) <= width) {
        Some(gap) => lines(&table, gap).iter().map(|line| format!("{line}\n")).collect(),
        None => rows.iter().map(stacked).collect(),
    }
}

fn cell(text: &str, right: bool, style: anstyle::Style) -> Cell {
    let cell = Cell::new(text, style);
    if right { cell.right() } else { cell }
}

fn stacked(row: &[String; 8]) -> String {
    let [internal, internal_port, external, external_port, destination, port, remote, expires] = row;
    let lines = [
        ("internal IP", internal.as_str(), internal_port.as_str()),
        ("external IP", external, external_port),
        ("destination IP", destination, port),
    ];
    let mut out: String = lines.map(|(name, ip, port)| format!("  {name:<14}  {ip}  port {port}\n")).concat();
    out += &format!("  {:<14}  {remote}\n  {:<14}  {expires}\n\n", "may come in", "expires");
    out
}
