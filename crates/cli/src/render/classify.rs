//! What NAT types are, and what discovery makes of them, as a table.

use std::time::Duration;

use natbed_lab::classify::{Classification, Classified, Difference, Lifetime, Verdict, filtering, mapping};
use natbed_nat::behavior::{Filtering, Mapping};

use super::columns::{Cell, lines};
use super::style::{BAD, BOLD, DIM, GOOD, paint};
use super::wrap::wrap;

/// What stands for unknown, and for nothing to find.
const NOTHING: &str = "-";

/// One line for each type. What discovery found otherwise than configured has both, and a cross.
pub(crate) fn table(classification: &Classification) -> String {
    let heading = ["", "Mapping", "Filtering", "Lifetime", "Hairpin", "RFC 3489"];
    let heading = heading.map(|text| Cell::new(text, DIM)).to_vec();
    let rows: Vec<Vec<Cell>> = std::iter::once(heading).chain(classification.nats.iter().map(row)).collect();
    lines(&rows, 2).iter().map(|line| format!("{line}\n")).collect()
}

/// The line over the table.
pub(crate) fn title(classification: &Classification, overrides: &[(String, String)]) -> String {
    let overrides: String = overrides.iter().map(|(axis, value)| format!(", {axis} = {value}")).collect();
    let title = format!("What discovery through each NAT finds (seed {}{overrides})", classification.seed);
    paint(BOLD, &title) + "\n"
}

/// How many are right, what the symbols mean, and where a procedure misleads.
pub(crate) fn legend(classification: &Classification, width: usize) -> String {
    let count = classification.nats.len();
    let right = classification.nats.iter().filter(|nat| nat.differences().is_empty()).count();
    let mut out = wrap("", &format!("RFC 5780 finds {right} of {count} as configured."), width);
    out += &wrap("", "✓ as configured, ✗ not; - unknown, or nothing to find.", width);
    out += &wrap(
        "",
        "EI, AD, APD: endpoint-independent, address-dependent, address-and-port-dependent (M mapping, F filtering).",
        width,
    );
    for nat in &classification.nats {
        for note in nat.notes() {
            out += "\n";
            out += &wrap("", &format!("{}: {note}", nat.type_name), width);
        }
    }
    out
}

fn row(nat: &Classified) -> Vec<Cell> {
    let (configured, found) = (&nat.configured, &nat.discovered.rfc5780);
    let differences = nat.differences();
    let cell = |difference: Difference, found: String, configured: String| {
        let right = !differences.contains(&difference);
        marked(right, if right { found } else { format!("{found}, is {configured}") })
    };
    let mapping_code = |value: Option<Mapping>| word(value.map(|value| value.code().to_owned()));
    let filtering_code = |value: Option<Filtering>| word(value.map(|value| value.code().to_owned()));
    let hairpinning = |value: Option<bool>| word(value.map(|on| if on { "yes" } else { "no" }.to_owned()));
    vec![
        Cell::plain(nat.type_name.clone()),
        cell(Difference::Mapping, mapping_code(found.mapping.map(mapping)), mapping_code(configured.mapping)),
        cell(
            Difference::Filtering,
            filtering_code(found.filtering.map(filtering)),
            filtering_code(configured.filtering),
        ),
        cell(Difference::Lifetime, lifetime(found.lifetime), word(configured.lifetime.map(seconds))),
        cell(Difference::Hairpinning, hairpinning(found.hairpinning), hairpinning(configured.hairpinning)),
        marked(
            nat.misleading_verdict().is_none(),
            word(nat.discovered.rfc3489.map(|verdict: Verdict| verdict.as_str().to_owned())),
        ),
    ]
}

fn marked(right: bool, text: String) -> Cell {
    match (right, text.as_str()) {
        (true, NOTHING) => Cell::plain(text),
        (true, _) => Cell::new(format!("✓ {text}"), GOOD),
        (false, _) => Cell::new(format!("✗ {text}"), BAD),
    }
}

fn word(value: Option<String>) -> String {
    value.unwrap_or_else(|| NOTHING.to_owned())
}

fn lifetime(found: Option<Lifetime>) -> String {
    match found {
        Some(Lifetime::Expires(lifetime)) => seconds(lifetime),
        Some(Lifetime::Outlasts(limit)) => format!("> {} h", limit.as_secs() / 3600),
        None => NOTHING.to_owned(),
    }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}
