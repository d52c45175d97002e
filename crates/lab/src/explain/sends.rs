//! A plain datagram: whether it stays in the subnet, what the router rewrites, the table row, and its end.

use natbed_net::NodeId;
use natbed_net::trace::Direction;
use natbed_packet::Transport;

use super::journey::{End, HopKind, Journey};
use super::tell::{Teller, port_pair};
use super::{Chapter, Explanation, Step};
use crate::peer::send_payload;
use crate::scenario::{Delivery, HostId};

pub(super) fn explain(teller: &Teller<'_>, index: usize) -> Explanation {
    let send = &teller.scenario.sends[index];
    let result = &teller.run.sends[index];
    let payload = send_payload(index, send.size);
    let journeys: Vec<&Journey> = teller
        .journeys
        .all
        .iter()
        .filter(
            |journey| matches!(&journey.datagram.transport, Transport::Udp(udp) if udp.payload == payload),
        )
        .collect();
    let outcome = match result.outcome {
        Delivery::Delivered => "delivered".to_owned(),
        Delivery::Dropped => format!("dropped [{}]", result.reason.map_or("?", |reason| reason.as_str())),
    };
    Explanation {
        title: format!("{} to {}: {outcome}", teller.scenario[send.from].name, teller.endpoint(send.to)),
        setting: teller.setting(send.from),
        chapters: vec![Chapter { title: "Its way", steps: steps(teller, &journeys) }],
        why: journeys.iter().flat_map(|journey| why(teller, journey)).collect(),
    }
}

/// Every datagram that programs on `node` sent: its way and its end.
pub(super) fn explain_all(teller: &Teller<'_>, node: NodeId) -> Explanation {
    let journeys: Vec<&Journey> = teller.journeys.all.iter().filter(|journey| journey.node == node).collect();
    let name = teller.node(node);
    let host = teller.scenario.hosts.iter().position(|host| host.name == name);
    let arrived = journeys.iter().filter(|journey| journey.arrived()).count();
    let lost = journeys.iter().filter(|journey| journey.was_dropped());
    let mut reasons: Vec<String> = Vec::new();
    for journey in lost.clone() {
        let words = format!(
            "Packet #{} did not arrive: dropped {}.",
            journey.packet.0,
            teller.drop_words(&journey.end)
        );
        reasons.push(words);
    }
    Explanation {
        title: format!("{name}: {} sent, {arrived} arrived, {} dropped", journeys.len(), lost.count()),
        setting: host.map(|index| teller.setting(HostId::at(index))).unwrap_or_default(),
        chapters: vec![Chapter { title: "What it sends", steps: steps(teller, &journeys) }],
        why: reasons,
    }
}

fn steps(teller: &Teller<'_>, journeys: &[&Journey]) -> Vec<Step> {
    let step = |journey: &&Journey| {
        let mut lines = teller.journey(journey);
        let text = if lines.is_empty() { String::new() } else { capitalised(&lines.remove(0)) };
        Step::new(journey.at, text + ".", lines)
    };
    journeys.iter().map(step).collect()
}

/// What decided at each station.
fn why(teller: &Teller<'_>, journey: &Journey) -> Vec<String> {
    let mut lines = Vec::new();
    for hop in &journey.hops {
        let at = teller.node(hop.node);
        match &hop.kind {
            HopKind::Translated(translation) if translation.before.fragment_offset != 0 => {
                let line = format!(
                    "{at} knows what it did to the first fragment, and does the same to those with its addresses, \
                     protocol and identification: they show no ports."
                );
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
            HopKind::Cut { .. } => {
                let line = "It may be fragmented, and is where a link is too small for it.";
                if !lines.iter().any(|known| known == line) {
                    lines.push(line.into());
                }
            }
            HopKind::Held { .. } | HopKind::Joined { .. } | HopKind::Lost { .. } => {}
            HopKind::Translated(translation) => lines.push(match translation.direction {
                Direction::Outbound => format!(
                    "{at} puts its own address in place of the private one, which nobody on the internet could \
                     answer, and notes in its table whom {} stands for.",
                    port_pair(translation.after.shown_source())
                ),
                Direction::Inbound => format!(
                    "{at} may let it in because its table says whom {} stands for, and its filter knows the sender.",
                    port_pair(translation.before.shown_destination())
                ),
                Direction::Hairpin => {
                    format!("{at} finds the destination behind itself and turns the packet around.")
                }
            }),
            HopKind::Forwarded { .. } => lines.push(format!("{at} passes it on without rewriting.")),
            HopKind::Relayed { .. } => {}
        }
    }
    if journey.hops.is_empty() && journey.arrived() {
        lines.push("It never meets a NAT, so nothing is rewritten.".into());
    }
    if let End::Dropped { reason, .. } = &journey.end {
        lines.push(format!("It does not arrive: {}.", reason.explanation()));
    }
    lines
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
