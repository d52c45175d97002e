//! What the two sides tell each other over the signaling path: offer, answer and the candidates that follow.

use natbed_net::Record;
use natbed_net::trace::Event;
use natbed_packet::Timestamp;
use natbed_traversal::sdp::{Description, Media, Setup};

use super::Step;
use super::connection::Connection;
use super::tell::{Teller, seconds};
use crate::log::ignored_message;
use crate::peer::{Described, Message, MessageKind, NegotiationEvent, PeerEvent};

/// The steps up to the decision.
pub(super) fn told(teller: &Teller<'_>, connection: &Connection<'_>) -> Vec<Step> {
    let log = teller.run.log().iter().take_while(|record| record.time <= connection.decided);
    let mut steps: Vec<Step> = log.filter_map(|record| exchange_step(teller, connection, record)).collect();
    steps.extend([0, 1].into_iter().filter_map(|side| trickled(teller, connection, side)));
    // Candidates come after the description that they belong to.
    steps.sort_by_key(|step| step.time_ns);
    steps
}

/// The step that a line of the log is in the exchange of offers and answers, if it is one.
pub(super) fn exchange_step(
    teller: &Teller<'_>,
    connection: &Connection<'_>,
    record: &Record<PeerEvent>,
) -> Option<Step> {
    let side_of = |program| connection.agents.iter().position(|agent| *agent == program);
    match &record.event {
        Event::Signaled { number, from, message, .. } => {
            let side = side_of(*from)?;
            let message = Message::read(message)?;
            let (who, other) = (connection.names[side], connection.names[1 - side]);
            let noun = match message.kind {
                MessageKind::Offer => "an offer",
                MessageKind::Answer => "an answer",
                MessageKind::Credentials => {
                    let text = format!("{who} tells {other} its ICE credentials.");
                    return Some(Step::new(record.time, text, vec![way(teller, *number)]));
                }
                MessageKind::Candidates => return None,
            };
            let text = format!(
                "{who} makes {noun}, sets it as its local description and sends it to {other} by way of {}.",
                server(teller)
            );
            let mut evidence = Vec::new();
            if let Ok(description) = Description::parse(message.sdp) {
                evidence.extend(description.media.iter().map(|section| section_words(&description, section)));
            }
            evidence.push(way(teller, *number));
            let mut step = Step::new(record.time, text, evidence);
            step.quoted = message.sdp.lines().map(str::to_owned).collect();
            Some(step)
        }
        Event::Program { program, event: PeerEvent::Negotiation(event) } => {
            let side = side_of(*program)?;
            let text = negotiation_words(event, connection.names[side], connection.names[1 - side])?;
            Some(Step::new(record.time, text, Vec::new()))
        }
        _ => None,
    }
}

fn negotiation_words(event: &NegotiationEvent, who: &str, other: &str) -> Option<String> {
    match event {
        // It is told with the message that carries it.
        NegotiationEvent::Local(_) => None,
        NegotiationEvent::Remote(Described { kind: MessageKind::Answer, .. }) => Some(format!(
            "{who} sets the answer as its remote description. Now both know each other's credentials, and the checks of \
             either are believed."
        )),
        NegotiationEvent::Remote(Described { kind: MessageKind::Credentials, .. }) => {
            Some(format!("{who} takes {other}'s credentials for its description."))
        }
        NegotiationEvent::Remote(_) => Some(format!(
            "{who} sets the offer as its remote description: it knows {other}'s credentials, and answers with its own."
        )),
        NegotiationEvent::Collision { yields: true } => Some(format!(
            "{who} gets an offer while its own is on its way: it gives way, drops its own and answers."
        )),
        NegotiationEvent::Collision { yields: false } => Some(format!(
            "{who} gets an offer while its own is on its way: it leaves it aside, as {other} gives way."
        )),
        NegotiationEvent::Ignored { kind, why } => {
            let what = kind.map_or("message", MessageKind::as_str);
            Some(format!("{who} leaves a message ({what}) aside: {}.", ignored_message(why)))
        }
    }
}

/// What a section of a description is for, and what it says of ICE and DTLS.
fn section_words(description: &Description<'_>, section: &Media<'_>) -> String {
    let name =
        section.mid().map_or_else(|| section.kind.to_owned(), |mid| format!("{} ({mid})", section.kind));
    if section.is_rejected() {
        return format!("section {name}: rejected, by port 0");
    }
    let mut parts = Vec::new();
    if section.is_data_channel() {
        parts.push(format!("data channels over {}", section.protocol));
    } else {
        let codecs = section.codecs().map(|codec| format!("{}/{}", codec.encoding, codec.clock));
        parts.push(format!("{}, {}", codecs.collect::<Vec<_>>().join(", "), section.direction().as_str()));
    }
    if let Some(ufrag) = description.ufrag(section) {
        parts.push(format!("ICE with username fragment {ufrag}"));
    }
    let options = description.options(section);
    if options.trickle {
        parts.push("candidates follow as they are found (trickle)".to_owned());
    }
    match section.candidates().count() {
        0 => {}
        1 => parts.push("1 candidate".to_owned()),
        count => parts.push(format!("{count} candidates")),
    }
    match description.setup(section) {
        Some(Setup::ActPass) => parts.push("either end of DTLS".to_owned()),
        Some(Setup::Active) => parts.push("the client's end of DTLS".to_owned()),
        Some(Setup::Passive) => parts.push("the server's end of DTLS".to_owned()),
        Some(Setup::HoldConn) | None => {}
    }
    format!("section {name}: {}", parts.join("; "))
}

/// The name of the signaling server.
fn server<'a>(teller: &Teller<'a>) -> &'a str {
    teller.run.lowered.simulator.signaling_server().map_or("signaling", |server| teller.node(server))
}

/// When a message was where.
fn way(teller: &Teller<'_>, number: u64) -> String {
    let (mut passed, mut received) = (None, None);
    for record in teller.run.log() {
        match &record.event {
            Event::SignalPassed { number: of, .. } if *of == number => passed = Some(record),
            Event::SignalReceived { number: of, program, .. } if *of == number => {
                received = Some((record, *program));
            }
            _ => {}
        }
    }
    let simulator = &teller.run.lowered.simulator;
    let mut text = format!("message #{number}");
    if let Some(record) = passed {
        text += &format!(" passes {} at {}", server(teller), seconds(record.time));
    }
    match received {
        Some((record, program)) => {
            let node = teller.node(simulator.node_of(program));
            text += &format!(", and {node} has it at {}", seconds(record.time));
        }
        None => text += ", and is still under way when the run ends",
    }
    text
}

/// The candidates that a side tells one after the other.
fn trickled(teller: &Teller<'_>, connection: &Connection<'_>, side: usize) -> Option<Step> {
    let mut told = Vec::new();
    let mut at = None;
    for record in teller.run.log().iter().take_while(|record| record.time <= connection.decided) {
        let Event::Signaled { from, message, .. } = &record.event else { continue };
        let message = Message::read(message).filter(|message| message.kind == MessageKind::Candidates);
        let Some(message) = message.filter(|_| *from == connection.agents[side]) else { continue };
        let Ok(fragment) = Description::parse_fragment(message.sdp) else { continue };
        at = at.or(Some(record.time));
        for section in &fragment.media {
            told.extend(section.candidates().map(|candidate| {
                let (kind, address, priority) = (candidate.kind, candidate.address, candidate.priority);
                format!("at {}: {kind} {address}, priority {priority}", seconds(record.time))
            }));
            if fragment.ends_candidates(section) {
                told.push(format!("at {}: that is all (end-of-candidates)", seconds(record.time)));
            }
        }
    }
    let delay = seconds(Timestamp::ZERO + teller.scenario.signaling_delay);
    let (who, other) = (connection.names[side], connection.names[1 - side]);
    let text =
        format!("{who} tells {other} its candidates over signaling as they are found; each takes {delay}.");
    at.map(|at| Step::new(at, text, told))
}
