//! What happened to a connection that was held: faults, mappings that ended, consent lost, restarts.

use natbed_net::trace::Event;
use natbed_net::{Fault, ProgramId};
use natbed_packet::{Endpoint, Family, Timestamp};
use natbed_traversal::ice;

use super::Step;
use super::connection::Connection;
use super::signaling::exchange_step;
use super::tell::{Teller, entry};
use crate::peer::PeerEvent;
use crate::scenario::HoldState;

/// The steps after set-up, if the connection was held.
pub(super) fn afterwards(
    teller: &Teller<'_>,
    connection: &Connection<'_>,
    after: Option<HoldState>,
) -> Vec<Step> {
    let Some(after) = after else { return Vec::new() };
    let mut steps: Vec<Step> = Vec::new();
    for record in teller.run.log().iter().filter(|record| record.time > connection.decided) {
        let place = |family| teller.place(record.place, family);
        match &record.event {
            Event::Fault(fault) => {
                steps.push(Step::new(
                    record.time,
                    format!("{} {}.", place(Family::V4), fault_words(fault)),
                    Vec::new(),
                ));
            }
            Event::MappingExpired { mapping, forgotten } => {
                let how = if *forgotten { "forgets entries" } else { "lets entries expire" };
                let (text, line) = (
                    format!("{} {how}:", place(mapping.internal.family())),
                    format!("entry {}", entry(mapping)),
                );
                match steps.last_mut().filter(|step| step.text == text) {
                    Some(step) => step.evidence.push(line),
                    None => steps.push(Step::new(record.time, text, vec![line])),
                }
            }
            Event::Program { program, event: PeerEvent::Ice(event) } => {
                steps.extend(agent_step(teller, connection, record.time, *program, event));
            }
            _ => steps.extend(exchange_step(teller, connection, record)),
        }
    }
    let state = match after {
        HoldState::Alive => "the connection never broke",
        HoldState::Restarted => "the connection broke, and an ICE restart brought it back",
        HoldState::Lost => "the connection is lost",
    };
    steps.push(Step::new(teller.run.lowered.simulator.now(), format!("At the end: {state}."), Vec::new()));
    steps
}

fn agent_step(
    teller: &Teller<'_>,
    connection: &Connection<'_>,
    at: Timestamp,
    program: ProgramId,
    event: &ice::Event,
) -> Option<Step> {
    let who = connection.names[connection.agents.iter().position(|agent| *agent == program)?];
    let (text, evidence) = match event {
        ice::Event::ConsentLost { pair, why } => {
            let why = crate::log::consent_loss(*why);
            let text = format!("{who} loses consent to send to {}: {why}.", teller.address(pair.remote));
            (text, last_lost(teller, at, program, pair.remote))
        }
        ice::Event::Restarted { .. } => (format!("{who} restarts ICE, with new credentials."), Vec::new()),
        ice::Event::Selected(pair) => {
            let (local, remote) = (pair.local, pair.remote);
            let text = format!(
                "{who} selects {} {} / {} {}.",
                local.kind, local.address, remote.kind, remote.address
            );
            (text, Vec::new())
        }
        ice::Event::RelayLost { relayed } => {
            (format!("{who} loses its relay {relayed}: the server no longer answers for it."), Vec::new())
        }
        ice::Event::Failed { .. } => (format!("{who} gives up."), Vec::new()),
        _ => return None,
    };
    Some(Step::new(at, text, evidence))
}

/// The way of the agent's last datagram to `remote` that was lost.
fn last_lost(teller: &Teller<'_>, until: Timestamp, program: ProgramId, remote: Endpoint) -> Vec<String> {
    let lost = teller.journeys.all.iter().rev().find(|journey| {
        journey.program == program
            && journey.at <= until
            && journey.datagram.destination_endpoint() == Some(remote)
            && journey.was_dropped()
    });
    lost.map(|journey| teller.journey(journey)).unwrap_or_default()
}

fn fault_words(fault: &Fault) -> String {
    match fault {
        Fault::RebootNat(_) => "restarts and forgets its table".into(),
        Fault::LinkDown(_) => "loses its link".into(),
        Fault::LinkUp(_) => "has its link back".into(),
        Fault::SetLink { .. } => "gets another link".into(),
        Fault::ChangeAddress { old, new, .. } => format!("gets the address {new} in place of {old}"),
        Fault::Stop(_) => "stops".into(),
        Fault::Start(_) => "starts again, with nothing remembered".into(),
    }
}
