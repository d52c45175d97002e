//! Runs a scenario: steps its network until everything is decided, and says what came of it.

mod tracker;

use std::collections::BTreeSet;
use std::time::Duration;

use natbed_nat::MappingView;
use natbed_net::trace::{Event, Place};
use natbed_net::{DropReason, PacketId, ProgramId, Record};
use natbed_packet::{Datagram, Endpoint, Timestamp};
use natbed_traversal::ice::SelectedPair;

use crate::lower::{LowerError, Lowered, lower, lower_with};
pub use crate::outcome::Outcome;
use crate::peer::{ChannelEvent, PeerEvent, Registry};
use crate::scenario::{Delivery, HoldState, Scenario, ServerKind};
use tracker::Tracker;

/// How to run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Another seed than the scenario's.
    pub seed: Option<u64>,
    /// Whether to keep the event log; where there are plain datagrams it is always kept.
    pub log: bool,
    /// When to take the NATs' tables; at the end if absent.
    pub tables_at: Option<Timestamp>,
    /// When to take them for comparison too.
    pub tables_since: Option<Timestamp>,
}

/// Every NAT's table at one time, IPv6 after IPv4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tables {
    /// When they were taken.
    pub at: Timestamp,
    /// In the order of the scenario's NATs.
    pub nats: Vec<Vec<MappingView>>,
}

impl Tables {
    /// The tables of `lowered` as they stand.
    pub fn take(lowered: &Lowered) -> Self {
        let simulator = &lowered.simulator;
        let table = |node: &natbed_net::NodeId| {
            let engines = simulator.nat(*node).into_iter().chain(simulator.firewall6(*node));
            engines.flat_map(|nat| nat.snapshot(simulator.now())).collect()
        };
        Self { at: simulator.now(), nats: lowered.nats.iter().map(table).collect() }
    }
}

/// What came of a run.
pub struct Run {
    /// The seed it ran with.
    pub seed: u64,
    /// One for each connection.
    pub connections: Vec<Connection>,
    /// One for each plain datagram.
    pub sends: Vec<Sent>,
    /// The NATs' tables.
    pub tables: Tables,
    /// The same at an earlier time, where asked for.
    pub earlier: Option<Tables>,
    /// The network as it stood at the end, with the event log.
    pub lowered: Lowered,
}

/// What came of a connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its fate.
    pub outcome: Outcome,
    /// The selected pair as the initiator sees it.
    pub pair: Option<SelectedPair>,
    /// When the initiator selected that pair.
    pub selected_at: Option<Timestamp>,
    /// From its start until the initiator first had a selected pair.
    pub setup: Option<Duration>,
    /// Datagrams that the two agents sent up to set-up.
    pub packets_sent: u64,
    /// Those of them, or of their copies, that were dropped.
    pub packets_dropped: u64,
    /// How it stood at the end of the hold; `None` where there was none.
    pub after: Option<HoldState>,
    /// What came of its data channel; `None` where it has none.
    pub channel: Option<Channel>,
    /// Whether all that the scenario expects of it came true.
    pub met: bool,
}

/// What came of a data channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Channel {
    /// From sending the text until it came back; `None` if it did not.
    pub round_trip: Option<Duration>,
    sent: Option<Timestamp>,
}

impl Channel {
    /// Whether the text came back.
    pub const fn echoed(&self) -> bool {
        self.round_trip.is_some()
    }

    fn note(&mut self, now: Timestamp, event: &ChannelEvent) {
        match event {
            ChannelEvent::Sent { .. } => self.sent = self.sent.or(Some(now)),
            ChannelEvent::Echoed { .. } => {
                self.round_trip = self.round_trip.or_else(|| self.sent.map(|sent| now - sent));
            }
            _ => {}
        }
    }
}

/// What came of a plain datagram.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its fate.
    pub outcome: Delivery,
    /// The source that the receiver saw.
    pub source_seen: Option<Endpoint>,
    /// Why it did not arrive.
    pub reason: Option<DropReason>,
    /// Whether what the scenario expects of it came true.
    pub met: bool,
}

impl Run {
    /// A network that has yet to move, for those who step it themselves: nothing is decided.
    pub fn begin(lowered: Lowered, seed: u64) -> Self {
        let tables = Tables::take(&lowered);
        Self { seed, connections: Vec::new(), sends: Vec::new(), tables, earlier: None, lowered }
    }

    /// The event log.
    pub fn log(&self) -> &[Record<PeerEvent>] {
        self.lowered.simulator.log()
    }

    /// Whether every expectation was met.
    pub fn met(&self) -> bool {
        self.connections.iter().all(|connection| connection.met) && self.sends.iter().all(|send| send.met)
    }

    /// The name of a place.
    pub fn place(&self, place: Place) -> &str {
        match place {
            Place::Node(node) => self.lowered.simulator.node_name(node),
            Place::Network(network) => self.lowered.simulator.network_name(network),
        }
    }
}

/// As [`run_with`], with no agent but `native`.
///
/// # Errors
/// As there.
pub fn run(scenario: &Scenario, options: &Options) -> Result<Run, LowerError> {
    run_with(scenario, options, &Registry::new())
}

/// Runs `scenario`, whose agents are in `registry`, until every connection is decided, every hold over, every fault past
/// and every datagram at its end.
///
/// # Errors
/// When the network cannot be built or an agent is missing.
pub fn run_with(scenario: &Scenario, options: &Options, registry: &Registry) -> Result<Run, LowerError> {
    let seed = options.seed.unwrap_or(scenario.seed);
    let mut lowered = lower_with(scenario, seed, registry)?;
    if options.log || !scenario.sends.is_empty() {
        lowered.simulator.record();
    }
    let mut runner = Runner::new(scenario, lowered);
    runner.go(options.tables_at, options.tables_since);
    Ok(runner.finish(seed))
}

/// Runs the connections of `scenario` with its own seed: as [`run`], for those who want nothing else.
///
/// # Errors
/// When the network cannot be built.
pub fn connections(scenario: &Scenario) -> Result<Vec<Connection>, LowerError> {
    let mut runner = Runner::new(scenario, lower(scenario, scenario.seed)?);
    runner.go(None, None);
    Ok(runner.connections())
}

impl Connection {
    /// How many relays of `scenario` are in the path: two where the addresses of both sides are a relay's.
    pub fn relays(&self, scenario: &Scenario) -> u64 {
        if self.outcome != Outcome::Relay {
            return 0;
        }
        let ends = self.pair.iter().flat_map(|pair| [pair.local.address, pair.remote.address]);
        (ends.filter(|end| is_relayed(scenario, *end)).count() as u64).max(1)
    }
}

/// Whether a transport address belongs to a TURN allocation: it is a TURN server's, and none that it listens on.
pub(crate) fn is_relayed(scenario: &Scenario, address: Endpoint) -> bool {
    scenario.servers.iter().any(|server| {
        matches!(server.kind, ServerKind::Turn { .. })
            && server.addresses.contains(&address.ip)
            && !server.ports.contains(&address.port)
    })
}

struct Runner<'a> {
    scenario: &'a Scenario,
    lowered: Lowered,
    trackers: Vec<Tracker<'a>>,
    /// When each undecided tracker is next decided by time alone.
    deadlines: BTreeSet<(Timestamp, usize)>,
    /// The tracker of each program that is an agent, and which side of it: 0 is the initiator.
    sides: Vec<Option<(usize, usize)>>,
    tables: Option<Tables>,
    earlier: Option<Tables>,
}

impl<'a> Runner<'a> {
    fn new(scenario: &'a Scenario, lowered: Lowered) -> Self {
        let trackers: Vec<_> =
            scenario.connects.iter().map(|connect| Tracker::new(scenario, connect)).collect();
        let deadlines =
            trackers.iter().enumerate().map(|(index, tracker)| (tracker.deadline(), index)).collect();
        let mut sides = Vec::new();
        for (index, (from, to)) in lowered.agents.iter().enumerate() {
            for (side, program) in [from, to].into_iter().enumerate() {
                sides.resize(sides.len().max(program.index() + 1), None);
                sides[program.index()] = Some((index, side));
            }
        }
        Self { scenario, lowered, trackers, deadlines, sides, tables: None, earlier: None }
    }

    fn go(&mut self, tables_at: Option<Timestamp>, tables_since: Option<Timestamp>) {
        let last_event = self.scenario.events.iter().map(|event| event.at);
        let last_send = self.scenario.sends.iter().map(|send| send.at);
        let not_before =
            last_event.chain(last_send).chain(tables_at).chain(tables_since).max().unwrap_or_default();
        loop {
            let now = self.lowered.simulator.now();
            self.settle(now);
            if self.tables.is_none() && tables_at.is_some_and(|at| at <= now) {
                self.tables = Some(Tables::take(&self.lowered));
            }
            if self.earlier.is_none() && tables_since.is_some_and(|at| at <= now) {
                self.earlier = Some(Tables::take(&self.lowered));
            }
            let decided = self.deadlines.is_empty();
            if decided && now >= not_before && self.datagrams_ended() {
                return;
            }
            let waiting = if decided { not_before } else { Timestamp::MAX };
            let next = self.deadlines.first().map(|(at, _)| *at);
            let due = next.into_iter().chain(tables_at).chain(tables_since).chain([waiting]);
            let deadline = due.filter(|at| *at > now).min().unwrap_or(Timestamp::MAX);
            self.step_until(deadline);
        }
    }

    /// Moves the network on until it is `deadline`, an agent tells something, or a plain datagram may be at its end: nothing
    /// else decides anything.
    fn step_until(&mut self, deadline: Timestamp) {
        let senders = !self.lowered.senders.is_empty();
        while self.lowered.simulator.step_until(deadline) {
            if self.hear() || senders || self.lowered.simulator.now() >= deadline {
                return;
            }
        }
        self.lowered.simulator.run_until(deadline);
    }

    /// Decides those whose time has come.
    fn settle(&mut self, now: Timestamp) {
        while let Some((at, index)) = self.deadlines.first().copied()
            && at <= now
        {
            self.deadlines.pop_first();
            self.trackers[index].done = true;
        }
    }

    /// Takes what the agents tell; whether there was anything.
    fn hear(&mut self) -> bool {
        let mut heard = false;
        while let Some((program, event)) = self.lowered.simulator.poll_event() {
            heard = true;
            let now = self.lowered.simulator.now();
            let Some((index, side)) = self.sides.get(program.index()).copied().flatten() else { continue };
            let tracker = &mut self.trackers[index];
            if tracker.done {
                continue;
            }
            let (before, counting) = (tracker.deadline(), tracker.is_counting());
            tracker.note(now, side, &event);
            let after = tracker.deadline();
            if after != before {
                self.deadlines.remove(&(before, index));
                self.deadlines.insert((after, index));
            }
            if counting && !tracker.is_counting() {
                let (from, to) = self.lowered.agents[index];
                self.lowered.simulator.set_counting(from, false);
                self.lowered.simulator.set_counting(to, false);
            }
        }
        heard
    }

    fn datagrams_ended(&self) -> bool {
        self.lowered.senders.iter().all(|sender| self.lowered.simulator.counts(*sender).in_flight == 0)
    }

    fn finish(mut self, seed: u64) -> Run {
        let tables = self.tables.take().unwrap_or_else(|| Tables::take(&self.lowered));
        let connections = self.connections();
        let log = self.lowered.simulator.log();
        let sends = self.scenario.sends.iter().zip(&self.lowered.senders).enumerate();
        let sends = sends.map(|(index, (send, _))| fate(log, index, send.size, send.expect)).collect();
        Run { seed, connections, sends, tables, earlier: self.earlier, lowered: self.lowered }
    }

    fn connections(&self) -> Vec<Connection> {
        let agents = self.trackers.iter().zip(&self.lowered.agents);
        let connection = |(tracker, (from, to)): (&Tracker<'_>, &(ProgramId, ProgramId))| {
            let counts = [from, to].map(|program| self.lowered.simulator.counts(*program));
            Connection {
                outcome: tracker.outcome(),
                pair: tracker.selected.map(|(_, pair)| pair),
                selected_at: tracker.selected.map(|(at, _)| at),
                setup: tracker.set_up.map(|at| at - tracker.connect.start),
                packets_sent: counts.iter().map(|counts| counts.sent).sum(),
                packets_dropped: counts.iter().map(|counts| counts.dropped).sum(),
                after: tracker.after(),
                channel: tracker.channel,
                met: tracker.met(),
            }
        };
        agents.map(connection).collect()
    }
}

/// What the event log says of plain datagram `index`: delivered if any copy of it was.
fn fate(log: &[Record<PeerEvent>], index: usize, size: Option<u16>, expected: Option<Delivery>) -> Sent {
    let payload = crate::peer::send_payload(index, size);
    let mut copies: Vec<PacketId> = Vec::new();
    let mut sent = Sent { outcome: Delivery::Dropped, source_seen: None, reason: None, met: true };
    for record in log {
        match &record.event {
            Event::Sent { packet, datagram, program: Some(_), .. } if carries(datagram, &payload) => {
                copies.push(*packet);
            }
            Event::Duplicated { packet, copy, .. } if copies.contains(packet) => copies.push(*copy),
            Event::Fragmented { packet, fragments } if copies.contains(packet) => {
                copies.extend(fragments.iter().map(|(piece, _)| *piece));
            }
            Event::Reassembled { packet, fragments, .. }
                if fragments.iter().any(|piece| copies.contains(piece)) =>
            {
                copies.push(*packet);
            }
            Event::Delivered { packet, datagram, .. } if copies.contains(packet) => {
                sent.outcome = Delivery::Delivered;
                sent.source_seen = sent.source_seen.or(datagram.source_endpoint());
            }
            Event::Dropped { packet, reason, .. } if copies.contains(packet) => {
                sent.reason = sent.reason.or(Some(*reason));
            }
            _ => {}
        }
    }
    if sent.outcome == Delivery::Delivered {
        sent.reason = None;
    }
    sent.met = expected.is_none_or(|expected| expected == sent.outcome);
    sent
}

fn carries(datagram: &Datagram, payload: &[u8]) -> bool {
    matches!(&datagram.transport, natbed_packet::Transport::Udp(udp) if udp.payload == payload)
}
