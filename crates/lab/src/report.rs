//! Results as versioned JSON: fields may be added to a version, none is renamed, removed or changed in meaning.

use natbed_nat::MappingView;
use natbed_traversal::ice::Candidate;
use serde::Serialize;
use serde_json::json;

use crate::log::mapping;
use crate::matrix::Matrix;
use crate::peer::NATIVE;
use crate::run::{Connection, Run};
use crate::scenario::{CandidateType, Delivery, Expected, HoldState, Scenario, Send, Target};

/// What `natbed run --json` prints.
#[derive(Serialize)]
pub struct RunReport {
    schema: &'static str,
    scenarios: Vec<ScenarioReport>,
}

/// One scenario of a [`RunReport`].
#[derive(Serialize)]
pub struct ScenarioReport {
    file: String,
    name: String,
    seed: u64,
    connections: Vec<ConnectionReport>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sends: Vec<SendReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tables: Option<Tables>,
}

#[derive(Serialize)]
struct ConnectionReport {
    from: String,
    to: String,
    outcome: &'static str,
    expected: Option<&'static str>,
    met: bool,
    local: Option<CandidateReport>,
    remote: Option<CandidateReport>,
    setup_seconds: Option<f64>,
    packets_sent: u64,
    packets_dropped: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_expected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_expected: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<ChannelReport>,
}

#[derive(Serialize)]
struct ChannelReport {
    echoed: bool,
    round_trip_seconds: Option<f64>,
}

#[derive(Serialize)]
struct CandidateReport {
    r#type: &'static str,
    address: String,
}

#[derive(Serialize)]
struct SendReport {
    from: String,
    to: String,
    outcome: &'static str,
    expected: Option<&'static str>,
    met: bool,
    source_seen: Option<String>,
    reason: Option<&'static str>,
}

#[derive(Serialize)]
struct Tables {
    time_ns: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    since_ns: Option<u64>,
    nats: Vec<TableReport>,
}

#[derive(Serialize)]
struct TableReport {
    nat: String,
    entries: Vec<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<serde_json::Value>>,
}

/// What became of a table's entries between two times: `new`, `gone`, or `changed` in who may come in or when it
/// expires.
fn changes(before: &[MappingView], after: &[MappingView]) -> Vec<serde_json::Value> {
    let change = |change: &str, entry: &MappingView| json!({ "change": change, "entry": mapping(entry) });
    let of =
        |table: &[MappingView], entry: &MappingView| table.iter().find(|other| other.id == entry.id).cloned();
    let standing = after.iter().filter_map(|entry| match of(before, entry) {
        None => Some(change("new", entry)),
        Some(old) if old != *entry => Some(change("changed", entry)),
        Some(_) => None,
    });
    let gone = before.iter().filter(|entry| of(after, entry).is_none()).map(|entry| change("gone", entry));
    standing.chain(gone).collect()
}

impl RunReport {
    /// A report of `scenarios`, in order.
    pub fn new(scenarios: Vec<ScenarioReport>) -> Self {
        Self { schema: "natbed.run/1", scenarios }
    }
}

impl ScenarioReport {
    /// What came of `scenario`, which the user calls `file`; with the NATs' tables if asked for.
    pub fn new(file: &str, scenario: &Scenario, run: &Run, with_tables: bool) -> Self {
        let connections = scenario.connects.iter().zip(&run.connections);
        let sends = scenario.sends.iter().zip(&run.sends);
        Self {
            file: file.to_owned(),
            name: scenario.name.clone(),
            seed: run.seed,
            connections: connections
                .map(|(connect, result)| {
                    let names = (scenario[connect.from].name.clone(), scenario[connect.to].name.clone());
                    ConnectionReport::new(names, connect, result)
                })
                .collect(),
            sends: sends
                .map(|(send, result)| SendReport {
                    from: scenario[send.from].name.clone(),
                    to: target(scenario, send),
                    outcome: delivery(result.outcome),
                    expected: send.expect.map(delivery),
                    met: result.met,
                    source_seen: result.source_seen.map(|source| source.to_string()),
                    reason: result.reason.map(natbed_net::DropReason::as_str),
                })
                .collect(),
            tables: with_tables.then(|| Tables::new(scenario, run)),
        }
    }
}

impl ConnectionReport {
    fn new((from, to): (String, String), connect: &crate::scenario::Connect, result: &Connection) -> Self {
        let candidate = |candidate: &Candidate| CandidateReport {
            r#type: candidate.kind.token(),
            address: candidate.address.to_string(),
        };
        Self {
            from,
            to,
            outcome: result.outcome.as_str(),
            expected: connect.expect.map(expected),
            met: result.met,
            local: result.pair.as_ref().map(|pair| candidate(&pair.local)),
            remote: result.pair.as_ref().map(|pair| candidate(&pair.remote)),
            setup_seconds: result.setup.map(|setup| setup.as_secs_f64()),
            packets_sent: result.packets_sent,
            packets_dropped: result.packets_dropped,
            path_expected: connect
                .path
                .map(|(local, remote)| format!("{}/{}", candidate_type(local), candidate_type(remote))),
            after: result.after.map(hold_state),
            after_expected: connect.after.map(hold_state),
            channel: result.channel.map(|channel| ChannelReport {
                echoed: channel.echoed(),
                round_trip_seconds: channel.round_trip.map(|time| time.as_secs_f64()),
            }),
        }
    }
}

impl Tables {
    fn new(scenario: &Scenario, run: &Run) -> Self {
        let nats = scenario.nats.iter().zip(&run.tables.nats).enumerate();
        let nats = nats.map(|(index, (nat, table))| TableReport {
            nat: nat.name.clone(),
            entries: table.iter().map(mapping).collect(),
            changes: run.earlier.as_ref().map(|earlier| changes(&earlier.nats[index], table)),
        });
        Self {
            time_ns: run.tables.at.as_nanos(),
            since_ns: run.earlier.as_ref().map(|earlier| earlier.at.as_nanos()),
            nats: nats.collect(),
        }
    }
}

/// What `natbed matrix --json` prints.
#[derive(Serialize)]
pub struct MatrixReport<'a> {
    schema: &'static str,
    seed: u64,
    types: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    agents: Option<&'a [String; 2]>,
    cells: Vec<CellReport<'a>>,
}

#[derive(Serialize)]
struct CellReport<'a> {
    a: &'a str,
    b: &'a str,
    outcome: &'static str,
    local: Option<&'static str>,
    remote: Option<&'static str>,
    setup_seconds: Option<f64>,
    packets: u64,
}

impl<'a> MatrixReport<'a> {
    /// The report of `matrix`.
    pub fn new(matrix: &'a Matrix) -> Self {
        let cells = matrix.cells().map(|(a, b, cell)| CellReport {
            a,
            b,
            outcome: cell.outcome.as_str(),
            local: cell.pair.as_ref().map(|pair| pair.local.kind.token()),
            remote: cell.pair.as_ref().map(|pair| pair.remote.kind.token()),
            setup_seconds: cell.setup.map(|setup| setup.as_secs_f64()),
            packets: cell.packets_sent,
        });
        let agents = Some(&matrix.agents).filter(|agents| agents.iter().any(|agent| agent != NATIVE));
        Self {
            schema: "natbed.matrix/1",
            seed: matrix.seed,
            types: &matrix.types,
            agents,
            cells: cells.collect(),
        }
    }
}

/// What a plain datagram is for, in the scenario's words: `stun1:80`, `4.4.4.4:80`.
pub fn target(scenario: &Scenario, send: &Send) -> String {
    match send.target {
        Target::Node(node) => format!("{}:{}", scenario.node_name(node), send.to.port),
        Target::Address => send.to.to_string(),
    }
}

/// The word for an expected outcome.
pub const fn expected(expected: Expected) -> &'static str {
    match expected {
        Expected::Direct => "direct",
        Expected::Relay => "relay",
        Expected::Fail => "fail",
    }
}

/// The word for the fate of a plain datagram.
pub const fn delivery(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::Delivered => "delivered",
        Delivery::Dropped => "dropped",
    }
}

/// The word for how a held connection stands.
pub const fn hold_state(state: HoldState) -> &'static str {
    match state {
        HoldState::Alive => "alive",
        HoldState::Restarted => "restarted",
        HoldState::Lost => "lost",
    }
}

/// The word for a candidate type.
pub const fn candidate_type(kind: CandidateType) -> &'static str {
    match kind {
        CandidateType::Host => "host",
        CandidateType::Srflx => "srflx",
        CandidateType::Prflx => "prflx",
        CandidateType::Relay => "relay",
    }
}
