//! Why each connection and each plain datagram came out as it did: a numbered chain of causes, each naming packet,
//! node, rule and table entry. Every sentence is made from the event log.

mod admission;
mod afterwards;
mod channel;
mod connection;
mod journey;
mod pairs;
mod sends;
mod signaling;
mod tell;
mod verdict;

use std::fmt;

use natbed_net::NodeId;
use natbed_packet::Timestamp;
use serde::Serialize;

use crate::run::Run;
use crate::scenario::Scenario;

pub use self::admission::Admission;
pub(crate) use self::admission::{Focus, admission};
use self::journey::Journeys;
use self::tell::Teller;

/// Why one connection or one datagram came out as it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What came out: `alice to bob: relay after 2.412 s`.
    pub title: String,
    /// Who is where, behind what.
    pub setting: Vec<String>,
    /// The chain, in chapters.
    pub chapters: Vec<Chapter>,
    /// The reason in a few sentences.
    pub why: Vec<String>,
}

impl fmt::Display for Explanation {
    /// The whole as plain text, a paragraph a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        for line in &self.setting {
            writeln!(f, "  {line}")?;
        }
        for chapter in &self.chapters {
            writeln!(f, "\n{}", chapter.title)?;
            for step in &chapter.steps {
                writeln!(f, "  {}  {}", Timestamp::from_nanos(step.time_ns), step.text)?;
                for line in &step.evidence {
                    writeln!(f, "    - {line}")?;
                }
            }
        }
        writeln!(f, "\nWhy")?;
        for line in &self.why {
            writeln!(f, "  {line}")?;
        }
        Ok(())
    }
}

/// Steps that belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chapter {
    /// Its heading.
    pub title: &'static str,
    /// Its steps, in order.
    pub steps: Vec<Step>,
}

/// One cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// When, in nanoseconds of simulated time.
    pub time_ns: u64,
    /// What happened.
    pub text: String,
    /// The evidence: packets, nodes, rules and table entries.
    pub evidence: Vec<String>,
    /// The text of an offer or answer, line by line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quoted: Vec<String>,
}

impl Step {
    fn new(at: Timestamp, text: impl Into<String>, evidence: Vec<String>) -> Self {
        Self { time_ns: at.as_nanos(), text: text.into(), evidence, quoted: Vec::new() }
    }
}

/// Explains every datagram that programs on `node` sent themselves, in order: its way and its end. `run` must have kept
/// its log.
pub fn explain_host(scenario: &Scenario, run: &Run, node: NodeId) -> Explanation {
    let journeys = Journeys::read(run.log());
    sends::explain_all(&Teller::new(scenario, run, &journeys), node)
}

/// Explains every connection, or those from `from` and to `to` where given, and every plain datagram unless one of
/// them is. `run` must have kept its log.
pub fn explain(scenario: &Scenario, run: &Run, from: Option<&str>, to: Option<&str>) -> Vec<Explanation> {
    let journeys = Journeys::read(run.log());
    let teller = Teller::new(scenario, run, &journeys);
    let wanted = |wanted: Option<&str>, name: &str| wanted.is_none_or(|wanted| wanted == name);
    let connects = scenario.connects.iter().enumerate().filter(|(_, connect)| {
        wanted(from, &scenario[connect.from].name) && wanted(to, &scenario[connect.to].name)
    });
    let connections = connects.map(|(index, _)| connection::explain(&teller, index));
    let sends = scenario
        .sends
        .iter()
        .enumerate()
        .filter(|(_, send)| wanted(from, &scenario[send.from].name) && to.is_none());
    let sends = sends.map(|(index, _)| sends::explain(&teller, index));
    sends.chain(connections).collect()
}
