//! Every NAT type against every other.

use std::fmt::Write;

use thiserror::Error;

use crate::diagnose::Problems;
use crate::lower::LowerError;
use crate::peer::{NATIVE, Registry};
use crate::run::{Connection, Options, run_with};
use crate::scenario;

/// The outcomes of all ordered pairs of some NAT types.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// The seed of every cell.
    pub seed: u64,
    /// The types, in order.
    pub types: Vec<String>,
    /// The initiator's agent, and the other side's.
    pub agents: [String; 2],
    /// Row by row: the initiator's type, then the other's.
    cells: Vec<Connection>,
}

/// Why there is no matrix.
#[derive(Debug, Error)]
pub enum MatrixError {
    /// A type or an override makes no scenario; the scenario's text is what the problems point into.
    #[error("the scenario is not valid\n{0}")]
    Scenario(Problems),
    /// A network cannot be built, or there is no such agent.
    #[error(transparent)]
    Network(LowerError),
}

impl Matrix {
    /// Runs every pair of `types` with `seed`, each with `overrides` of its axes (name and value).
    ///
    /// # Errors
    /// When a type or an axis is unknown, or a value is none of its axis.
    pub fn run(types: &[String], overrides: &[(String, String)], seed: u64) -> Result<Self, MatrixError> {
        Self::run_with(types, overrides, seed, [NATIVE; 2], &Registry::new())
    }

    /// As [`Matrix::run`], with the first of `agents` as the initiator and the second on the other side.
    ///
    /// # Errors
    /// As there, and when an agent is not in `registry`.
    pub fn run_with(
        types: &[String],
        overrides: &[(String, String)],
        seed: u64,
        agents: [&str; 2],
        registry: &Registry,
    ) -> Result<Self, MatrixError> {
        let mut cells = Vec::with_capacity(types.len() * types.len());
        for a in types {
            for b in types {
                let text = pair_scenario(a, b, overrides, seed);
                let mut scenario = scenario::parse(text.as_bytes()).map_err(MatrixError::Scenario)?;
                scenario.set_agents(agents[0], agents[1]);
                let run = run_with(&scenario, &Options::default(), registry).map_err(MatrixError::Network)?;
                cells.extend(run.connections);
            }
        }
        Ok(Self { seed, types: types.to_vec(), agents: agents.map(str::to_owned), cells })
    }

    /// Every ordered pair with its result, row by row.
    pub fn cells(&self) -> impl Iterator<Item = (&str, &str, &Connection)> {
        let pairs = self.types.iter().flat_map(|a| self.types.iter().map(move |b| (a.as_str(), b.as_str())));
        pairs.zip(&self.cells).map(|((a, b), cell)| (a, b, cell))
    }
}

/// The scenario of one pair: two hosts, each behind a NAT of its type, with a STUN and a TURN server.
pub fn pair_scenario(a: &str, b: &str, overrides: &[(String, String)], seed: u64) -> String {
    let mut text =
        format!("format = 1\nname = \"{a} against {b}\"\nseed = {seed}\n\n[stun.stun1]\n[turn.turn1]\n");
    for (nat, kind) in [("a", a), ("b", b)] {
        write_nat(&mut text, nat, kind, overrides);
    }
    text += "\n[host.alice]\nbehind = \"a\"\n\n[host.bob]\nbehind = \"b\"\n\n[[connect]]\nfrom = \"alice\"\nto = \"bob\"\n";
    text
}

/// Writes a NAT called `nat`, of type `kind` with `overrides`.
pub(crate) fn write_nat(text: &mut String, nat: &str, kind: &str, overrides: &[(String, String)]) {
    if overrides.is_empty() {
        let _ = write!(text, "\n[nat.{nat}]\ntype = {}\n", quote(kind));
        return;
    }
    let _ = write!(text, "\n[nat-type.type-{nat}]\nbase = {}\n", quote(kind));
    for (axis, value) in overrides {
        let _ = writeln!(text, "{axis} = {}", literal(value));
    }
    let _ = write!(text, "\n[nat.{nat}]\ntype = \"type-{nat}\"\n");
}

/// A number or truth value as it is, anything else as a TOML string.
fn literal(value: &str) -> String {
    let plain = value.parse::<i64>().is_ok() || matches!(value, "true" | "false");
    if plain { value.to_owned() } else { quote(value) }
}

fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
