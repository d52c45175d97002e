//! A change that helps, and the run that shows it.

use std::time::Duration;

use natbed_traversal::ice::SelectedPair;

use super::SEEDS;
use super::change::{Change, apply};
use super::order::Size;
use crate::explain::Admission;
use crate::lower::LowerError;
use crate::peer::Registry;
use crate::run::{Options, Outcome, run_with};
use crate::scenario::{Expected, Scenario};

/// Changes that help a connection, with the evidence of their run.
#[derive(Clone, Debug)]
pub struct Remedy {
    /// One change or two.
    pub changes: Vec<Change>,
    /// How large they are.
    pub size: Size,
    /// What comes of the connection.
    pub outcome: Outcome,
    /// With how many of [`SEEDS`] seeds it is that, or better.
    pub seeds: u64,
    /// The selected pair as the initiator sees it.
    pub pair: Option<SelectedPair>,
    /// From its start until the initiator had its selected pair.
    pub setup: Option<Duration>,
    /// The check that gets through, and which NAT's rule and table entry let it in.
    pub admission: Admission,
    /// Other connections that come out otherwise, by their place: what they came out as, and what they come out as.
    pub others: Vec<(usize, Outcome, Outcome)>,
    /// What was changed, in words.
    pub changed: Vec<Changed>,
    /// The lines of the file that say so.
    pub lines: String,
}

/// A change in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The node that it is made at; `None` where it is the scenario's or the connection's.
    pub node: Option<String>,
    /// The key of the file, such as `filtering`.
    pub key: String,
    /// The value that it had, as the file spells it.
    pub was: String,
    /// The value that it has.
    pub is: String,
    /// What it means, in a sentence.
    pub text: String,
}

impl Changed {
    /// Whether it gives a key of the file another value, and does not add or remove a whole table.
    pub fn is_value(&self) -> bool {
        !["stun", "turn", "event"].contains(&self.key.as_str())
    }
}

impl Remedy {
    /// What orders remedies: direct before relay, sure before lucky, small before large.
    pub fn rank(&self) -> (Outcome, u64, &Size) {
        (self.outcome, SEEDS - self.seeds, &self.size)
    }

    /// The scenario with the changes, which expects all that comes out of it with `seed`: a file that runs to the result.
    ///
    /// # Errors
    /// When the scenario's network cannot be built.
    ///
    /// # Panics
    /// When `scenario` has no connection `index`.
    pub fn proof(
        &self,
        scenario: &Scenario,
        index: usize,
        seed: u64,
        registry: &Registry,
    ) -> Result<Scenario, LowerError> {
        let mut proof = apply(scenario, index, &self.changes);
        proof.seed = seed;
        let run = run_with(&proof, &Options::default(), registry)?;
        for (connect, result) in proof.connects.iter_mut().zip(&run.connections) {
            connect.expect = Some(match result.outcome {
                Outcome::Direct => Expected::Direct,
                Outcome::Relay => Expected::Relay,
                Outcome::Fail => Expected::Fail,
            });
            connect.path = None;
            connect.after = result.after;
        }
        for (send, result) in proof.sends.iter_mut().zip(&run.sends) {
            send.expect = Some(result.outcome);
        }
        Ok(proof)
    }
}
