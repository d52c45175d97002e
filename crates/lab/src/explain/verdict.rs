//! The reason in a few sentences: which rule let the decisive packets in, or kept them out.

use natbed_nat::Remote;
use natbed_nat::behavior::Mapping;
use natbed_net::DropReason;
use natbed_net::trace::Place;
use natbed_packet::Endpoint;

use super::connection::Connection;
use super::journey::{End, HopKind, Journey};
use super::pairs::PairStory;
use super::tell::{Teller, permitted};
use crate::run::{self, Outcome};

/// Why the connection came out as it did.
pub(super) fn why(
    teller: &Teller<'_>,
    connection: &Connection<'_>,
    result: &run::Connection,
    stories: &[PairStory<'_>],
) -> Vec<String> {
    let direct =
        |story: &&PairStory<'_>| !teller.is_relayed(story.pair.base) && !teller.is_relayed(story.pair.remote);
    let mut reasons = Vec::new();
    if result.outcome == Outcome::Direct {
        for story in stories.iter().filter(direct).filter(|story| story.succeeded.is_some()) {
            if let Some(reason) = story.tries.iter().rev().find_map(|journey| let_in(teller, journey)) {
                push(&mut reasons, reason);
            }
        }
        if reasons.is_empty() {
            reasons.push("Nothing stood between them that filters.".into());
        }
        return reasons;
    }
    for story in stories.iter().filter(direct).filter(|story| !story.leads_nowhere()) {
        for journey in &story.tries {
            if let Some(reason) = kept_out(teller, journey) {
                push(&mut reasons, reason);
            }
        }
        if story.tries.iter().any(|journey| journey.arrived()) {
            let who = teller.node(teller.run.lowered.simulator.node_of(story.program));
            push(
                &mut reasons,
                format!(
                    "A check from {who} to {} did arrive, but no answer came back the way it went, and only that counts \
                 (RFC 8445 section 7.2.5.2.1).",
                    teller.address(story.pair.remote)
                ),
            );
        }
    }
    reasons.truncate(4);
    if stories.iter().all(|story| story.leads_nowhere() || !direct(&story)) {
        reasons.push(format!(
            "Neither {} nor {} had an address to try that leads to the other.",
            connection.names[0], connection.names[1]
        ));
    }
    reasons.push(match result.outcome {
        Outcome::Relay => {
            "Both can send to the TURN server and so have its answers let in: the relay gets through.".into()
        }
        _ if teller.has_turn(connection) => "The relay did not help either.".into(),
        _ => "And there is no TURN server to relay for them.".into(),
    });
    reasons
}

fn push(reasons: &mut Vec<String>, reason: String) {
    if !reasons.contains(&reason) {
        reasons.push(reason);
    }
}

/// The NAT that kept a check out, and why: by the filter's table or for another reason.
fn kept_out(teller: &Teller<'_>, journey: &Journey) -> Option<String> {
    let End::Dropped { place: Place::Node(node), datagram, reason, mapping, .. } = &journey.end else {
        return None;
    };
    let nat = teller.nat(*node)?;
    let (sender, source) = (teller.node(journey.node), datagram.source_endpoint()?);
    let Some(mapping) =
        mapping.as_ref().filter(|_| *reason == DropReason::Nat(natbed_nat::DropReason::Filtered))
    else {
        return Some(format!("{} drops what {sender} sends: {}.", nat.name, reason.explanation()));
    };
    let same_address = mapping.permitted.iter().find_map(|permitted| match permitted.remote {
        Remote::Endpoint(remote) if remote.ip == source.ip => Some(remote),
        _ => None,
    });
    let lets_in = permitted(&mapping.permitted);
    let Some(expected) = same_address else {
        return Some(format!(
            "{} lets in only {lets_in}, so it keeps out what {sender} sends from {source}: its filter has not seen a \
             packet go there.",
            nat.name
        ));
    };
    Some(format!(
        "{} lets in {expected}, where it has been sent to, but {sender}'s packets come from port {}{}.",
        nat.name,
        source.port,
        new_port(teller, journey, source)
    ))
}

/// `: a gives each destination a port of its own`, where that is why the source is another than was expected.
fn new_port(teller: &Teller<'_>, journey: &Journey, source: Endpoint) -> String {
    let translated = journey.hops.iter().find_map(|hop| match &hop.kind {
        HopKind::Translated { after, .. } if after.source_endpoint() == Some(source) => teller.nat(hop.node),
        _ => None,
    });
    match translated {
        Some(nat) if nat.behavior.mapping == Mapping::AddressAndPortDependent => {
            format!(", as {} ({}) gives every destination a port of its own", nat.name, nat.type_name)
        }
        Some(nat) if nat.behavior.mapping == Mapping::AddressDependent => {
            format!(", as {} ({}) gives every destination address a port of its own", nat.name, nat.type_name)
        }
        _ => String::new(),
    }
}

/// The NAT that let a check in, and why.
fn let_in(teller: &Teller<'_>, journey: &Journey) -> Option<String> {
    if !journey.arrived() {
        return None;
    }
    let sender = teller.node(journey.node);
    journey.hops.iter().rev().find_map(|hop| match &hop.kind {
        HopKind::Translated { before, mapping, direction: natbed_net::trace::Direction::Inbound, .. } => {
            let nat = teller.nat(hop.node)?;
            let source = before.source_endpoint()?;
            let why = match mapping.as_ref().map(|mapping| mapping.permitted.as_slice()) {
                Some([only]) if only.remote == Remote::Any => "lets in anyone".to_owned(),
                Some(_) => format!("lets in {source}, as a packet had gone there before"),
                None => "filters nothing".to_owned(),
            };
            Some(format!("{sender}'s check gets in because {} {why}.", nat.name))
        }
        HopKind::Translated { direction: natbed_net::trace::Direction::Hairpin, .. } => {
            let nat = teller.nat(hop.node)?;
            Some(format!(
                "{sender}'s check gets in because {} turns packets for its own outside around.",
                nat.name
            ))
        }
        _ => None,
    })
}
