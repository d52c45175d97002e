//! A connection: what each side learnt, told, tried and decided, and what came after.

use natbed_net::trace::Event;
use natbed_net::{ProgramId, Record};
use natbed_packet::{Endpoint, Timestamp};
use natbed_traversal::ice::{self, CandidateType};

use super::afterwards::afterwards;
use super::channel::channel;
use super::journey::Journey;
use super::pairs::{PairStory, stories};
use super::signaling::told;
use super::tell::{Teller, seconds};
use super::{Chapter, Explanation, Step, verdict};
use crate::log::{carries, gather_failure};
use crate::peer::PeerEvent;
use crate::run::Outcome;

/// One connection, and the part of the log that tells of its set-up.
pub(super) struct Connection<'a> {
    pub(super) agents: [ProgramId; 2],
    pub(super) names: [&'a str; 2],
    /// When it was decided, or the run ended.
    pub(super) decided: Timestamp,
}

impl<'a> Connection<'a> {
    /// Connection `index` of the run.
    pub(super) fn of(teller: &Teller<'a>, index: usize) -> Self {
        let connect = &teller.scenario.connects[index];
        let (from, to) = teller.run.lowered.agents[index];
        let selected_at = teller.run.connections[index].selected_at;
        let decided = selected_at.unwrap_or_else(|| teller.run.lowered.simulator.now());
        let names = [connect.from, connect.to].map(|host| teller.scenario[host].name.as_str());
        Self { agents: [from, to], names, decided }
    }
}

pub(super) fn explain(teller: &Teller<'_>, index: usize) -> Explanation {
    let connect = &teller.scenario.connects[index];
    let result = &teller.run.connections[index];
    let connection = Connection::of(teller, index);
    let names = connection.names;
    let stories = stories(teller, connection.agents, connection.decided);
    let mut chapters = vec![
        Chapter { title: "What each side learns about itself", steps: learnt(teller, &connection) },
        Chapter {
            title: "What they tell each other: offer, answer, candidates",
            steps: told(teller, &connection),
        },
        Chapter { title: "What they try", steps: tried(teller, &connection, &stories, result.pair.as_ref()) },
        Chapter { title: "What is decided", steps: decision(teller, &connection, result.outcome) },
        Chapter {
            title: "What goes over the channel",
            steps: channel(teller, &connection, result.channel.as_ref()),
        },
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
pub(super) fn events<'a>(
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
    let before = |(record, ..): &(&Record<PeerEvent>, _, _)| record.time <= connection.decided;
    for (record, side, event) in events(teller, connection).take_while(before) {
        let (who, agent) = (connection.names[side], connection.agents[side]);
        let (text, evidence) = match event {
            ice::Event::LocalCandidate { candidate, server: None } => {
                (format!("{who} has a socket at {}: its host candidate.", candidate.address), Vec::new())
            }
            ice::Event::LocalCandidate { candidate, server: Some(server) } => {
                let asked = asked(teller, agent, *server, record.time, candidate.kind);
                (gathered(teller, who, candidate, *server), asked)
            }
            ice::Event::GatherFailed { server, why, .. } => {
                let text = format!("{who} asks {}, but {}.", teller.endpoint(*server), gather_failure(*why));
                (text, asked(teller, agent, *server, record.time, CandidateType::ServerReflexive))
            }
            ice::Event::Redirected { from, to, .. } => (
                format!(
                    "{who} asks {}, which sends it on to {}.",
                    teller.endpoint(*from),
                    teller.endpoint(*to)
                ),
                Vec::new(),
            ),
            _ => continue,
        };
        steps.push(Step::new(record.time, text, evidence));
    }
    steps
}

fn gathered(teller: &Teller<'_>, who: &str, candidate: &ice::Candidate, server: Endpoint) -> String {
    let (server, address) = (teller.address(server), candidate.address);
    match candidate.kind {
        CandidateType::Relayed => format!(
            "{who} asks {server} for a relay and gets {address}: its relayed candidate. What arrives there is passed \
             on to {who}."
        ),
        _ => format!(
            "{who} asks {server} which address it is seen from. The answer is {address}: {who}'s server-reflexive \
             candidate."
        ),
    }
}

/// The way of the request that the server answered: the first to it, or for a relay the last Allocate.
fn asked(
    teller: &Teller<'_>,
    agent: ProgramId,
    server: Endpoint,
    until: Timestamp,
    kind: CandidateType,
) -> Vec<String> {
    let to_server = |journey: &&Journey| {
        journey.program == agent
            && journey.datagram.destination_endpoint() == Some(server)
            && journey.at <= until
    };
    let mut requests = teller.journeys.all.iter().filter(to_server);
    let request = match kind {
        CandidateType::Relayed => requests
            .rfind(|journey| carries(&journey.datagram) == "turn allocate request" && journey.arrived()),
        _ => requests.next(),
    };
    request.map(|request| teller.journey(request)).unwrap_or_default()
}

/// Direct pairs and the selected one in full; those that lead nowhere, and other relayed ones, together.
fn tried(
    teller: &Teller<'_>,
    connection: &Connection<'_>,
    stories: &[PairStory<'_>],
    selected: Option<&ice::SelectedPair>,
) -> Vec<Step> {
    let mut steps = Vec::new();
    let (mut nowhere, mut relays, mut alike) =
        (Together::default(), Together::default(), Together::default());
    for story in stories.iter().filter(|story| !story.tries.is_empty()) {
        let relayed = teller.is_relayed(story.pair.base) || teller.is_relayed(story.pair.remote);
        let is_selected = selected.is_some_and(|pair| {
            story.program == connection.agents[0]
                && (story.pair.base, story.pair.remote) == (pair.base, pair.remote.address)
        });
        let like = |other: &&PairStory<'_>| story.is_like(other);
        if story.leads_nowhere() {
            nowhere.add(story, teller, connection);
        } else if relayed && !is_selected {
            relays.add(story, teller, connection);
        } else if stories.iter().take_while(|other| !std::ptr::eq(*other, story)).filter(like).count() > 1 {
            alike.add(story, teller, connection);
        } else {
            steps.push(story.step(teller, connection));
        }
    }
    let relayed = selected.is_some_and(|pair| pair.relayed);
    let others = if relayed {
        "There are other ways through relays:"
    } else {
        "Meanwhile they try ways through relays:"
    };
    steps.extend(
        nowhere.step("Some addresses lead nowhere: a private one means something on its own network only."),
    );
    steps.extend(relays.step(others));
    steps.extend(alike.step("It goes the same way with every new port that a NAT gives:"));
    steps.sort_by_key(|step| step.time_ns);
    steps
}

/// Pairs that are told together, a line each.
#[derive(Default)]
struct Together {
    first: Option<Timestamp>,
    lines: Vec<String>,
}

impl Together {
    const MOST: usize = 8;

    fn add(&mut self, story: &PairStory<'_>, teller: &Teller<'_>, connection: &Connection<'_>) {
        self.first = self.first.or(story.tries.first().map(|journey| journey.at));
        self.lines.push(story.line(teller, connection));
    }

    fn step(mut self, text: &str) -> Option<Step> {
        let more = self.lines.len().saturating_sub(Self::MOST);
        if more > 0 {
            self.lines.truncate(Self::MOST);
            self.lines.push(format!("and {more} more"));
        }
        self.first.map(|at| Step::new(at, text, self.lines))
    }
}

fn decision(teller: &Teller<'_>, connection: &Connection<'_>, outcome: Outcome) -> Vec<Step> {
    let mut steps = Vec::new();
    // The agent that nominates is the first to tell of it.
    let mut nominating = None;
    for (record, side, event) in
        events(teller, connection).take_while(|(record, ..)| record.time <= connection.decided)
    {
        let who = connection.names[side];
        match event {
            ice::Event::Nominated { .. } => nominating = nominating.or(Some(side)),
            ice::Event::Restarted { .. } => nominating = None,
            _ => {}
        }
        let text = match event {
            ice::Event::RoleSwitched { role } => role_switched(teller, connection, side, *role),
            ice::Event::Restarted { .. } => format!("{who} restarts ICE, with new credentials."),
            ice::Event::RelayLost { relayed } => format!("{who} loses its relay {relayed}."),
            ice::Event::RelayWait { until, .. } if outcome == Outcome::Relay => format!(
                "{who} has a path through a relay that works, and waits for a better one until {} at least.",
                seconds(*until)
            ),
            ice::Event::Nominated { pair } if nominating == Some(side) => {
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

/// Why an agent takes another role than it began with.
fn role_switched(teller: &Teller<'_>, connection: &Connection<'_>, side: usize, role: ice::Role) -> String {
    let (who, other) = (connection.names[side], connection.names[1 - side]);
    let (present, before) = match role {
        ice::Role::Controlling => ("controlling", "controlled"),
        ice::Role::Controlled => ("controlled", "controlling"),
    };
    if teller.is_lite(other) {
        return format!("{who} becomes {present}, as {other} is lite (RFC 8445 section 6.1.1).");
    }
    format!("Both sides are {before}: {who} gives way and becomes {present} (RFC 8445 section 7.3.1.1).")
}
