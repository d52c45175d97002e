//! A connection: what each side learnt, told, tried and decided, and what came after.

use natbed_net::trace::{Event, Place};
use natbed_net::{ProgramId, Record};
use natbed_packet::Timestamp;
use natbed_traversal::ice::{self, CandidateType};

use super::pairs::{PairStory, stories};
use super::tell::{Teller, kind, seconds};
use super::{Chapter, Explanation, Step, verdict};
use crate::log::gather_failure;
use crate::peer::{PeerEvent, Signal};
use crate::scenario::HoldState;

/// One connection, and the part of the log that tells of its set-up.
pub(super) struct Connection<'a> {
    pub(super) agents: [ProgramId; 2],
    pub(super) names: [&'a str; 2],
    /// When it was decided, or the run ended.
    pub(super) decided: Timestamp,
}

pub(super) fn explain(teller: &Teller<'_>, index: usize) -> Explanation {
    let connect = &teller.scenario.connects[index];
    let result = &teller.run.connections[index];
    let (from, to) = teller.run.lowered.agents[index];
    let decided = result.setup.map_or(teller.run.lowered.simulator.now(), |setup| connect.start + setup);
    let names = [teller.scenario[connect.from].name.as_str(), teller.scenario[connect.to].name.as_str()];
    let connection = Connection { agents: [from, to], names, decided };
    let stories = stories(teller, connection.agents, decided);
    let mut chapters = vec![
        Chapter { title: "What each side learns about itself", steps: learnt(teller, &connection) },
        Chapter { title: "What they tell each other", steps: told(teller, &connection) },
        Chapter { title: "What they try", steps: tried(teller, &stories) },
        Chapter { title: "What is decided", steps: decision(teller, &connection) },
        Chapter { title: "What happens afterwards", steps: afterwards(teller, &connection, result.after) },
    ];
    chapters.retain(|chapter| !chapter.steps.is_empty());
    let time =
        result.setup.map_or_else(String::new, |setup| format!(" after {}", seconds(Timestamp::ZERO + setup)));
    Explanation {
        title: format!("{} to {}: {}{time}", names[0], names[1], result.outcome.as_str()),
        setting: [connect.from, connect.to].into_iter().flat_map(|host| teller.setting(host)).collect(),
        chapters,
        why: verdict::why(teller, &connection, result, &stories),
    }
}

/// The log's ICE events of the connection's agents, with the side that they are of.
fn events<'a>(
    teller: &Teller<'a>,
    connection: &Connection<'_>,
) -> impl Iterator<Item = (&'a Record<PeerEvent>, usize, &'a ice::Event)> {
    let agents = connection.agents;
    teller.run.log().iter().filter_map(move |record| match &record.event {
        Event::Program { program, event: PeerEvent::Ice(event) } => {
            let side = agents.iter().position(|agent| agent == program)?;
            Some((record, side, event))
        }
        _ => None,
    })
}

fn learnt(teller: &Teller<'_>, connection: &Connection<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    for (record, side, event) in
        events(teller, connection).take_while(|(record, ..)| record.time <= connection.decided)
    {
        let who = connection.names[side];
        match event {
            ice::Event::LocalCandidate { candidate, server } => {
                let address = candidate.address;
                let Some(server) = server else {
                    steps.push(Step::new(
                        record.time,
                        format!("{who} has a socket at {address}: its host candidate."),
                        Vec::new(),
                    ));
                    continue;
                };
                let text = match candidate.kind {
                    CandidateType::Relayed => format!(
                        "{who} asks {} for a relay and gets {address}: its relayed candidate. What arrives there \
                         is passed on to {who}.",
                        teller.endpoint(*server)
                    ),
                    _ => format!(
                        "{who} asks {} which address it sees. The answer is {address}: {who}'s {}.",
                        teller.endpoint(*server),
                        kind(candidate.kind).replace("address", "candidate"),
                    ),
                };
                let asked = teller.journeys.all.iter().rev().find(|journey| {
                    journey.program == connection.agents[side]
                        && journey.datagram.destination_endpoint() == Some(*server)
                        && journey.at <= record.time
                        && journey.arrived()
                });
                steps.push(Step::new(
                    record.time,
                    text,
                    asked.map(|asked| teller.journey(asked)).unwrap_or_default(),
                ));
            }
            ice::Event::GatherFailed { server, why, .. } => {
                let text = format!("{who} asks {}, but {}.", teller.endpoint(*server), gather_failure(*why));
                let asked = teller.journeys.all.iter().find(|journey| {
                    journey.program == connection.agents[side]
                        && journey.datagram.destination_endpoint() == Some(*server)
                });
                steps.push(Step::new(
                    record.time,
                    text,
                    asked.map(|asked| teller.journey(asked)).unwrap_or_default(),
                ));
            }
            _ => {}
        }
    }
    steps
}

fn told(teller: &Teller<'_>, connection: &Connection<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    for side in [0, 1] {
        let mut told = Vec::new();
        let mut at = Timestamp::ZERO;
        for record in teller.run.log().iter().take_while(|record| record.time <= connection.decided) {
            let Event::Signaled { from, message, .. } = &record.event else { continue };
            if let (true, Some(Signal::Candidate(candidate))) =
                (*from == connection.agents[side], Signal::decode(message))
            {
                if told.is_empty() {
                    at = record.time;
                }
                told.push(format!(
                    "at {}: {} {}, priority {}",
                    seconds(record.time),
                    candidate.kind.token(),
                    candidate.address,
                    candidate.priority
                ));
            }
        }
        if !told.is_empty() {
            let delay = seconds(Timestamp::ZERO + teller.scenario.signaling_delay);
            let text = format!(
                "{} tells {} its candidates over signaling as they are found; each takes {delay}.",
                connection.names[side],
                connection.names[1 - side],
            );
            steps.push(Step::new(at, text, told));
        }
    }
    steps
}

/// Direct pairs in full, those that lead nowhere together; of relayed pairs those that worked.
fn tried(teller: &Teller<'_>, stories: &[PairStory<'_>]) -> Vec<Step> {
    let mut steps = Vec::new();
    let (mut nowhere, mut first_nowhere) = (Vec::new(), None);
    let mut unneeded = 0;
    for story in stories.iter().filter(|story| !story.tries.is_empty()) {
        let relayed = teller.is_relayed(story.pair.base) || teller.is_relayed(story.pair.remote);
        if story.leads_nowhere() {
            first_nowhere = first_nowhere.or(story.tries.first().map(|journey| journey.at));
            nowhere.extend(story.tries.first().map(|journey| nowhere_words(teller, story, journey)));
        } else if relayed && story.succeeded.is_none() {
            unneeded += 1;
        } else {
            steps.push(story.step(teller));
        }
    }
    if let Some(at) = first_nowhere {
        let text =
            "Some candidates lead nowhere: private addresses mean something only on their own network.";
        steps.push(Step::new(at, text, nowhere));
    }
    steps.sort_by_key(|step| step.time_ns);
    if unneeded > 0
        && let Some(last) = steps.last().map(|step| Timestamp::from_nanos(step.time_ns))
    {
        let noun = if unneeded == 1 { "pair" } else { "pairs" };
        steps.push(Step::new(
            last,
            format!("{unneeded} more {noun} through relays had no answer yet when it was decided."),
            Vec::new(),
        ));
    }
    steps
}

fn nowhere_words(teller: &Teller<'_>, story: &PairStory<'_>, journey: &super::journey::Journey) -> String {
    let who = teller.node(teller.run.lowered.simulator.node_of(story.program));
    let fate = match &journey.end {
        super::journey::End::Dropped { .. } => format!("dropped {}", teller.drop_words(&journey.end)),
        _ => "still under way".into(),
    };
    format!(
        "packet #{}: {who} {} to {}: {fate}",
        journey.packet.0,
        teller.address(story.pair.base).trim_start_matches(who).trim_start_matches("'s "),
        teller.address(story.pair.remote)
    )
}

fn decision(teller: &Teller<'_>, connection: &Connection<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    for (record, side, event) in
        events(teller, connection).take_while(|(record, ..)| record.time <= connection.decided)
    {
        let who = connection.names[side];
        let text = match event {
            ice::Event::RelayWait { until, .. } => format!(
                "{who} has a path through a relay that works, and waits for a better one until {} at least.",
                seconds(*until)
            ),
            ice::Event::Nominated { pair } if side == 0 => {
                format!(
                    "{who} picks (nominates) the pair {} to {}.",
                    teller.endpoint(pair.base),
                    teller.endpoint(pair.remote)
                )
            }
            ice::Event::Selected(pair) => format!(
                "{who} selects {} {} / {} {}{}.",
                pair.local.kind,
                pair.local.address,
                pair.remote.kind,
                pair.remote.address,
                if pair.relayed { ", through a relay" } else { ", direct" },
            ),
            ice::Event::Failed { why } => {
                let why = match why {
                    ice::Failure::NoValidPair => "no pair has worked for 39.5 s (RFC 8863)",
                    ice::Failure::NoPairs => "there is no pair to try",
                    ice::Failure::NominationFailed => "the pair that it picked no longer answers",
                };
                format!("{who} gives up: {why}.")
            }
            _ => continue,
        };
        steps.push(Step::new(record.time, text, Vec::new()));
    }
    steps
}

fn afterwards(teller: &Teller<'_>, connection: &Connection<'_>, after: Option<HoldState>) -> Vec<Step> {
    if after.is_none() {
        return Vec::new();
    }
    let mut steps = Vec::new();
    for record in teller.run.log().iter().filter(|record| record.time > connection.decided) {
        let text = match &record.event {
            Event::Fault(fault) => format!("{}: {}.", teller.place(record.place), fault.as_str()),
            Event::Program { program, event: PeerEvent::Ice(event) } => {
                let Some(side) = connection.agents.iter().position(|agent| agent == program) else {
                    continue;
                };
                let who = connection.names[side];
                match event {
                    ice::Event::ConsentLost { pair, .. } => format!(
                        "{who} has heard nothing from {} for too long: consent is lost.",
                        teller.address(pair.remote)
                    ),
                    ice::Event::Restarted { .. } => format!("{who} restarts ICE, with new credentials."),
                    ice::Event::Selected(pair) => format!(
                        "{who} selects {} {} / {} {}.",
                        pair.local.kind, pair.local.address, pair.remote.kind, pair.remote.address
                    ),
                    ice::Event::Failed { .. } => format!("{who} gives up."),
                    _ => continue,
                }
            }
            Event::MappingExpired { mapping, forgotten } if matches!(record.place, Place::Node(_)) => {
                format!(
                    "{}{} {}.",
                    teller.place(record.place),
                    super::tell::entry(mapping),
                    if *forgotten { "is forgotten" } else { "expires" }
                )
            }
            _ => continue,
        };
        steps.push(Step::new(record.time, text, Vec::new()));
    }
    let state = match after {
        Some(HoldState::Alive) => "the connection never broke",
        Some(HoldState::Restarted) => "the connection broke, and an ICE restart brought it back",
        _ => "the connection is lost",
    };
    steps.push(Step::new(teller.run.lowered.simulator.now(), format!("At the end {state}."), Vec::new()));
    steps
}
