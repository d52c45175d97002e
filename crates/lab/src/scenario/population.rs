//! Population files: groups of users with their shares, the NATs that they are behind, and the servers that they have.
//!
//! A pair of users is drawn from it, and becomes the [`Scenario`] that runs: two hosts, each behind NATs of its own or
//! both behind one, and a connection between them.

mod draw;
mod pair;
mod resolve;
mod spec;

use natbed_nat::Behavior;

use super::resolved::{LinkConfig, Scenario};
use super::shape::{Reader, Shape};
use super::{syntax, text};
use crate::diagnose::Problems;
use pair::Templates;
use spec::PopulationSpec;

pub use draw::{Pair, User, pair_seed};

/// The groups that a population may have: results are kept for every two of them.
pub const MOST_GROUPS: usize = 32;

/// How far from 1 shares may sum.
pub const TOLERANCE: f64 = 1e-6;

/// Groups of users, and the servers of all of them.
///
/// What a type of user does may be changed, its [`Behavior`] and [`Group::turn`], as long as no behaviour becomes one of
/// another [kind](natbed_nat::behavior::Kind): addresses are dealt by kind when the file is read.
#[derive(Clone, Debug)]
pub struct Population {
    /// The title.
    pub name: String,
    /// What the population is meant to show; may be empty.
    pub about: String,
    /// Where its figures come from; may be empty.
    pub source: String,
    /// The groups, in file order, at least one.
    pub groups: Vec<Group>,
    /// Stands for the text of the file, but for how its lines end.
    pub fingerprint: u128,
    templates: Templates,
}

/// Users who have much in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its share of all users.
    pub share: f64,
    /// The NATs that its users are behind, at least one.
    pub types: Vec<UserType>,
    /// The uplink of each user's own NAT.
    pub link: LinkConfig,
    /// Whether its users have the TURN servers of the population.
    pub turn: bool,
    /// The share of the pairs within the group that are behind one outermost NAT.
    pub same_network: f64,
    /// Where its figures come from; may be empty.
    pub source: String,
}

/// What some users of a group are behind.
#[derive(Clone, Debug, PartialEq)]
pub struct UserType {
    /// Their own NAT.
    pub nat: NatType,
    /// The NAT that their own is behind.
    pub behind: Option<NatType>,
    /// Their share of the group.
    pub share: f64,
    /// Where that figure comes from; may be empty.
    pub source: String,
}

/// A NAT type by name.
#[derive(Clone, Debug, PartialEq)]
pub struct NatType {
    /// A preset, a grid code or a nat-type, as the file spells it.
    pub name: String,
    /// What it does.
    pub behavior: Behavior,
}

impl Population {
    /// Reads a population file.
    ///
    /// # Errors
    /// Everything that is wrong with `bytes`, as far as the pass that failed can tell.
    pub fn parse(bytes: &[u8]) -> Result<Self, Problems> {
        let source = text(bytes)?;
        let fail = |diagnostics| Problems::new(source, diagnostics);
        let document = syntax(source).map_err(fail)?;
        let mut reader = Reader::default();
        let spec = PopulationSpec::read(&document, &mut reader);
        match spec.filter(|_| reader.problems.is_empty()) {
            Some(spec) => resolve::resolve(spec, source).map_err(fail),
            None => Err(fail(reader.problems)),
        }
    }

    /// Whether there is a TURN server for the groups that have [`Group::turn`].
    pub fn has_turn(&self) -> bool {
        self.templates.has_turn()
    }

    /// The scenario of `pair`, whose randomness all comes from `seed`.
    pub fn scenario(&self, pair: Pair, seed: u64) -> Scenario {
        self.templates.scenario(self, pair, seed)
    }
}

/// Whether `bytes` are meant as a population rather than a scenario: they have a group, and no table that only a
/// scenario has.
pub fn is_population(bytes: &[u8]) -> bool {
    let Ok(document) = text(bytes).and_then(|text| syntax(text).map_err(|all| Problems::new(text, all)))
    else {
        return false;
    };
    let has = |key: &str| document.get_ref().as_table().is_some_and(|table| table.contains_key(key));
    has("group") && !["nat", "host", "connect"].into_iter().any(has)
}

/// The JSON Schema (draft 2020-12) of a population file as JSON, for editors.
pub fn schema() -> serde_json::Value {
    super::titled(PopulationSpec::schema(), "natbed population")
}

#[cfg(test)]
mod tests;
