//! The reason in a few sentences: which rule let the decisive packets in, or kept them out.

use natbed_nat::behavior::Mapping;
use natbed_nat::{Permitted, Remote};
use natbed_net::DropReason;
use natbed_net::trace::{Direction, Place};
use natbed_packet::Endpoint;
use natbed_traversal::ice;

use super::connection::{Connection, events};
use super::journey::{End, Hop, HopKind, Journey};
use super::pairs::PairStory;
use super::tell::{Teller, permitted};
use crate::log::gather_failure;
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
            let arrived = story.tries.iter().rev().find(|journey| journey.arrived());
            arrived
                .into_iter()
                .flat_map(|journey| let_in(teller, journey))
                .for_each(|why| push(&mut reasons, why));
        }
        if reasons.is_empty() {
            reasons.push("Nothing stood between them that filters.".into());
        }
        return reasons;
    }
    let mut kept: Vec<Kept> = Vec::new();
    for story in stories.iter().filter(direct).filter(|story| !story.leads_nowhere()) {
        for reason in story.tries.iter().filter_map(|journey| kept_out(teller, journey)) {
            match kept.iter_mut().find(|known| (&known.sender, &known.nat) == (&reason.sender, &reason.nat)) {
                Some(known) if reason.rank < known.rank => *known = reason,
                Some(_) => {}
                None => kept.push(reason),
            }
        }
        if story.tries.iter().any(|journey| journey.arrived()) {
            let who = teller.node(teller.run.lowered.simulator.node_of(story.program));
            push(
                &mut reasons,
                format!(
                    "What {who} sends arrives, but the answer does not come back the way the question went, and only \
                 that counts (RFC 8445 section 7.2.5.2.1)."
                ),
            );
        }
    }
    kept.into_iter().for_each(|kept| push(&mut reasons, kept.text));
    for lite in connection.names.iter().filter(|name| teller.is_lite(name)) {
        push(
            &mut reasons,
            format!("{lite} is lite: it sends no check, so that nothing is let in because of it."),
        );
    }
    if stories.iter().all(|story| story.leads_nowhere() || !direct(&story)) {
        reasons.push(format!(
            "Neither {} nor {} had an address to try that leads to the other.",
            connection.names[0], connection.names[1]
        ));
    }
    let last = match result.outcome {
        Outcome::Relay => {
            "Both can send to the TURN server and so have its answers let in: the relay gets through.".into()
        }
        _ if !teller.has_turn(connection) => "And there is no TURN server to relay for them.".into(),
        _ => {
            no_relay(teller, connection).into_iter().for_each(|why| push(&mut reasons, why));
            "The relay did not help either.".into()
        }
    };
    reasons.push(last);
    reasons
}

/// The TURN servers that gave no relay, and why; and the relays that were lost.
fn no_relay(teller: &Teller<'_>, connection: &Connection<'_>) -> Vec<String> {
    let events = events(teller, connection).take_while(|(record, ..)| record.time <= connection.decided);
    let reason = |(_, side, event): (_, usize, &ice::Event)| {
        let who = connection.names[side];
        match event {
            ice::Event::GatherFailed { server, why, .. } if teller.is_turn(*server) => {
                Some(format!("{who} has no relay at {}: {}.", teller.address(*server), gather_failure(*why)))
            }
            ice::Event::RelayLost { relayed } => Some(format!("{who} loses its relay {relayed}.")),
            _ => None,
        }
    };
    events.filter_map(reason).collect()
}

fn push(reasons: &mut Vec<String>, reason: String) {
    if !reasons.contains(&reason) {
        reasons.push(reason);
    }
}

/// Why a NAT kept out what a host sent; of several reasons the lowest rank says most.
struct Kept {
    sender: String,
    nat: String,
    rank: u8,
    text: String,
}

/// What kept a check out, and why: the NAT by the filter's table, or anything for another reason.
fn kept_out(teller: &Teller<'_>, journey: &Journey) -> Option<Kept> {
    let End::Dropped { place, datagram, reason, mapping } = &journey.end else {
        return None;
    };
    let (sender, source) = (teller.node(journey.node), datagram.source_endpoint()?);
    let nat = match place {
        Place::Node(node) => teller.nat(*node),
        Place::Network(_) => None,
    };
    let Some(nat) = nat else {
        let place = teller.place(*place, datagram.family());
        let text = format!("What {sender} sends is dropped at {place}: {}.", reason.explanation());
        return Some(Kept { sender: sender.to_owned(), nat: place, rank: 3, text });
    };
    let kept = |rank, text| Some(Kept { sender: sender.to_owned(), nat: nat.name.clone(), rank, text });
    let Some(mapping) =
        mapping.as_ref().filter(|_| *reason == DropReason::Nat(natbed_nat::DropReason::Filtered))
    else {
        return kept(2, format!("{} drops what {sender} sends: {}.", nat.name, reason.explanation()));
    };
    let sent_to = mapping.permitted.iter().find_map(|permitted| match permitted.remote {
        Remote::Endpoint(remote) if remote.ip == source.ip => Some(remote),
        _ => None,
    });
    let made_for = match mapping.destination {
        Remote::Any => None,
        Remote::Address(ip) => Some(ip.to_string()),
        Remote::Endpoint(endpoint) => Some(teller.address(endpoint)),
    };
    match (sent_to, made_for) {
        (Some(expected), _) => kept(
            0,
            format!(
                "{} ({}) lets in {expected}, where it has been sent to, but {sender}'s packets come from port {}{}.",
                nat.name,
                nat.type_name,
                source.port,
                new_port(teller, journey, source)
            ),
        ),
        (None, Some(made_for)) => kept(
            0,
            format!(
                "{} ({}) made {} for {made_for} alone, and keeps out what {sender} sends there.",
                nat.name, nat.type_name, mapping.external
            ),
        ),
        (None, None) => kept(
            1,
            format!(
                "{} ({}) lets in only {}, and so keeps out what {sender} sends from {source}.",
                nat.name,
                nat.type_name,
                permitted(&mapping.permitted)
            ),
        ),
    }
}

/// `: a gives each destination a port of its own`, where that is why the source is another than was expected.
fn new_port(teller: &Teller<'_>, journey: &Journey, source: Endpoint) -> String {
    let translated = journey.hops.iter().find_map(|hop| match &hop.kind {
        HopKind::Translated(translation) if translation.after.source_endpoint() == Some(source) => {
            teller.nat(hop.node)
        }
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

/// The NATs that let a check in or turned it around, and why each did.
pub(super) fn let_in(teller: &Teller<'_>, journey: &Journey) -> Vec<String> {
    let sender = teller.node(journey.node);
    let why = |hop: &Hop| {
        let nat = teller.nat(hop.node)?;
        let translation = match &hop.kind {
            HopKind::Translated(translation) => translation,
            HopKind::Forwarded { inbound: true, .. } => {
                let (at, source) =
                    (teller.place(Place::Node(hop.node), journey.datagram.family()), source_at(journey)?);
                return Some(format!(
                    "{sender}'s check gets in: {at} lets in {source}, where it has been sent to."
                ));
            }
            _ => return None,
        };
        let why = match translation.direction {
            Direction::Outbound => return None,
            Direction::Inbound => {
                let source = translation.before.source_endpoint()?;
                let by_address = |permitted: &Permitted| permitted.remote == Remote::Address(source.ip);
                match translation.mapping.as_ref().map(|mapping| mapping.permitted.as_slice()) {
                    Some([only]) if only.remote == Remote::Any => "lets in anyone".to_owned(),
                    Some(all) if all.iter().any(by_address) => {
                        format!("lets in any port of {}, where it has been sent to", source.ip)
                    }
                    Some(_) => format!("lets in {source}, where it has been sent to"),
                    None => "filters nothing".to_owned(),
                }
            }
            Direction::Hairpin => "turns packets for its own outside around".to_owned(),
        };
        Some(format!("{sender}'s check gets in: {} ({}) {why}.", nat.name, nat.type_name))
    };
    journey.hops.iter().filter_map(why).collect()
}

/// Where a datagram seems to come from at its end.
fn source_at(journey: &Journey) -> Option<Endpoint> {
    match &journey.end {
        End::Delivered { datagram, .. } => datagram.source_endpoint(),
        _ => None,
    }
}
