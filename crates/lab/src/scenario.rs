//! Scenario files: text in, a resolved and validated [`Scenario`] out, or everything that is wrong with the text.
//!
//! [`parse`] reads in three passes: syntax (TOML), shape (keys, types, words and numbers) and references (names,
//! addresses, and whether all of it fits together). A pass reports every problem that it finds; the next one runs
//! only if there was none.

mod addresses;
mod axes;
mod counts;
mod leaf;
mod names;
mod pool;
pub mod population;
mod program;
mod resolve;
mod resolved;
mod shape;
pub(crate) mod show;
mod spec;
mod subnets;
pub mod templates;
mod types;
mod wiring;
mod words;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub use resolved::{
    Action, Addresses, Attachment, CandidateType, Connect, Credentials, Delivery, Event, Expected, HoldState,
    Host, HostId, Ice, Interface, Ipv6Mode, Lan, LinkConfig, Nat, NatId, Network, NetworkId, NodeId, Policy,
    Retransmission, Role, Scenario, Send, Server, ServerId, ServerKind, Target,
};

use crate::diagnose::{Diagnostic, Problems, quoted};
use crate::peer::Registry;
use shape::{Reader, Shape};
use spec::ScenarioSpec;

/// Reads a scenario file that needs no agent but `native`.
///
/// # Errors
/// Everything that is wrong with `bytes`, as far as the pass that failed can tell.
pub fn parse(bytes: &[u8]) -> Result<Scenario, Problems> {
    parse_with(bytes, &Registry::new())
}

/// Reads a scenario file whose agents are in `registry`.
///
/// # Errors
/// As [`parse`].
pub fn parse_with(bytes: &[u8], registry: &Registry) -> Result<Scenario, Problems> {
    let source = text(bytes)?;
    let fail = |diagnostics| Problems::new(source, diagnostics);
    let document = syntax(source).map_err(fail)?;
    let mut reader = Reader::default();
    let spec = ScenarioSpec::read(&document, &mut reader);
    match spec.filter(|_| reader.problems.is_empty()) {
        Some(spec) => resolve::resolve(&spec, source, registry).map_err(fail),
        None => Err(fail(reader.problems)),
    }
}

/// A resolved scenario as TOML that resolves to the same scenario: every default and every preset spelled out.
///
/// Only the names of NAT types change: a preset becomes a nat-type with `-axes` after its name.
pub fn show(scenario: &Scenario) -> String {
    show::text(scenario)
}

/// The JSON Schema (draft 2020-12) of a scenario file as JSON, for editors.
pub fn schema() -> serde_json::Value {
    titled(ScenarioSpec::schema(), "natbed scenario")
}

/// The schema of a table as that of a whole file.
fn titled(mut schema: serde_json::Value, title: &str) -> serde_json::Value {
    if let Some(object) = schema.as_object_mut() {
        object.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
        object.insert("title".to_owned(), title.into());
    }
    schema
}

/// The text of a file: UTF-8, and not empty.
fn text(bytes: &[u8]) -> Result<&str, Problems> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let message = format!("the file is not UTF-8 text from octet {at} on");
        let problem = Diagnostic::new("not-utf8", at..at + 1, message).label("this is no UTF-8");
        let problem = problem.help("save it as UTF-8".to_owned());
        Problems::new(String::from_utf8_lossy(bytes), vec![problem])
    })?;
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        let problem = Diagnostic::new("empty-file", 0..0, "the file is empty").label("expected `format = 1`");
        return Err(Problems::new(
            text,
            vec![problem.help("`natbed new basic` prints one to start from".to_owned())],
        ));
    }
    Ok(text)
}

/// The TOML document of `source` as one value.
fn syntax(source: &str) -> Result<Spanned<DeValue<'_>>, Vec<Diagnostic>> {
    let (document, errors) = DeTable::parse_recoverable(source);
    if errors.is_empty() {
        return Ok(Spanned::new(0..0, DeValue::Table(document.into_inner())));
    }
    let problem = |error: &toml::de::Error| {
        let span = error.span().unwrap_or(0..0);
        if error.message() != "duplicate key" {
            return Diagnostic::new("syntax", span, format!("the file is not TOML: {}", error.message()));
        }
        let key = quoted(source.get(span.clone()).unwrap_or_default());
        Diagnostic::new("duplicate-key", span, format!("{key} is there twice")).label("the second one")
    };
    Err(errors.iter().map(problem).collect())
}

#[cfg(test)]
mod tests;
