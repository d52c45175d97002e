//! NATs' tables: one row for each mapping and permitted remote.

use natbed_lab::run::Run;
use natbed_lab::scenario::Scenario;
use natbed_nat::{MappingView, Remote};
use natbed_packet::Timestamp;

use super::columns::{Cell, lines, total_width};
use super::style::{BOLD, DIM, PLAIN, paint};

/// The headings, in order, on two lines.
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

/// Every NAT's table as it stood when it was taken, with what has changed since an earlier time where that is asked for.
pub(crate) fn tables(scenario: &Scenario, run: &Run, width: usize) -> String {
    let mut out = String::new();
    for (index, (nat, table)) in scenario.nats.iter().zip(&run.tables.nats).enumerate() {
        let since =
            run.earlier.as_ref().map(|earlier| format!("since {}: + new, ~ renewed, - gone\n", earlier.at));
        let title = format!("Table of {} ({}) at {}", nat.name, nat.type_name, run.tables.at);
        out += &format!("\n{}\n{}", paint(BOLD, &title), since.unwrap_or_default());
        let families = [true, false].map(|is_v4| {
            let of = |table: &[MappingView]| {
                table
                    .iter()
                    .filter(|entry| entry.internal.ip.is_ipv4() == is_v4)
                    .flat_map(rows)
                    .collect::<Vec<Row>>()
            };
            match &run.earlier {
                Some(earlier) => compared(of(&earlier.nats[index]), of(table)),
                None => of(table),
            }
        });
        let shown: Vec<String> =
            families.iter().filter(|rows| !rows.is_empty()).map(|rows| fitted(rows, width)).collect();
        out += &if shown.is_empty() { "  empty\n".to_owned() } else { shown.join("\n") };
    }
    out
}

/// The rows of `after` marked with what is new or renewed in them, then those of `before` that are gone.
fn compared(before: Vec<Row>, mut after: Vec<Row>) -> Vec<Row> {
    let same = |a: &Row, b: &Row| (&a.ends, &a.remote) == (&b.ends, &b.remote);
    for row in &mut after {
        row.mark = match before.iter().find(|old| same(old, row)) {
            None => "+ ",
            Some(old) if old.expires != row.expires => "~ ",
            Some(_) => "  ",
        };
    }
    let gone = before.into_iter().filter(|old| !after.iter().any(|row| same(old, row)));
    let gone: Vec<Row> = gone.map(|row| Row { mark: "- ", ..row }).collect();
    after.into_iter().chain(gone).collect()
}

/// A mapping and a remote that may send to it.
struct Row {
    /// What has become of it: nothing is said where nothing is compared.
    mark: &'static str,
    /// Internal, external and destination, IP and port each.
    ends: [String; 6],
    /// Who may come in: whose address, and which of its ports.
    remote: (String, String),
    expires: String,
}

/// One row for each remote that may send to `mapping`, or one that says that none may.
fn rows(mapping: &MappingView) -> Vec<Row> {
    let (destination, destination_port) = match mapping.destination {
        Remote::Any => ("any".to_owned(), "any".to_owned()),
        Remote::Address(ip) => (ip.to_string(), "any".to_owned()),
        Remote::Endpoint(end) => (end.ip.to_string(), end.port.to_string()),
    };
    let (internal, external) = (mapping.internal, mapping.external);
    let ends = [
        internal.ip.to_string(),
        internal.port.to_string(),
        external.ip.to_string(),
        external.port.to_string(),
        destination,
        destination_port,
    ];
    let row = |remote, expires: Timestamp| Row {
        mark: "",
        ends: ends.clone(),
        remote,
        expires: expires.to_string(),
    };
    if mapping.permitted.is_empty() {
        return vec![row(("nobody".to_owned(), String::new()), mapping.expires)];
    }
    mapping.permitted.iter().map(|permitted| row(who(permitted.remote), permitted.expires)).collect()
}

fn who(remote: Remote) -> (String, String) {
    match remote {
        Remote::Any => ("anyone".to_owned(), String::new()),
        Remote::Address(ip) => (ip.to_string(), "any port".to_owned()),
        Remote::Endpoint(end) => (end.ip.to_string(), format!("port {}", end.port)),
    }
}

/// In columns; if they are too wide, with the remote's port on a line of its own; or else row by row.
fn fitted(rows: &[Row], width: usize) -> String {
    let forms = [(false, 2), (false, 1), (true, 2), (true, 1)];
    let fitting = forms.into_iter().find_map(|(folded, gap)| {
        let table = columns(rows, folded);
        (total_width(&table, gap) <= width).then(|| lines(&table, gap))
    });
    match fitting {
        Some(lines) => lines.join("\n") + "\n",
        None => rows.iter().map(stacked).collect::<Vec<String>>().join("\n"),
    }
}

fn columns(rows: &[Row], folded: bool) -> Vec<Vec<Cell>> {
    let cell = |column: usize, text: &str, style| {
        let cell = Cell::new(text, style);
        if HEADINGS[column].1 == "port" { cell.right() } else { cell }
    };
    let mut table: Vec<Vec<Cell>> = vec![
        (0..8).map(|column| cell(column, HEADINGS[column].0, DIM)).collect(),
        (0..8).map(|column| cell(column, HEADINGS[column].1, DIM)).collect(),
    ];
    for Row { mark, ends, remote: (ip, port), expires } in rows {
        let remote = if folded { ip.clone() } else { format!("{ip} {port}").trim_end().to_owned() };
        let first = format!("{mark}{}", ends[0]);
        let texts = [&first].into_iter().chain(&ends[1..]).chain([&remote, expires]);
        table.push(texts.enumerate().map(|(column, text)| cell(column, text, PLAIN)).collect());
        if folded && !port.is_empty() {
            table.push(
                (0..7).map(|column| cell(column, if column == 6 { port } else { "" }, PLAIN)).collect(),
            );
        }
    }
    table
}

fn stacked(row: &Row) -> String {
    let Row { mark, ends, remote, expires } = row;
    let [internal, internal_port, external, external_port, destination, port] = ends;
    let remote = format!("{} {}", remote.0, remote.1);
    [
        ("internal IP", format!("{mark}{internal} port {internal_port}")),
        ("external IP", format!("{external} port {external_port}")),
        ("destination IP", format!("{destination} port {port}")),
        ("may come in", remote.trim_end().to_owned()),
        ("expires at", expires.clone()),
    ]
    .map(|(name, text)| format!("  {name:<14}  {text}\n"))
    .concat()
}
