//! How the check got through that made a connection: which rule and table entry let it in.

use natbed_net::trace::Direction;
use serde::Serialize;

use super::connection::Connection;
use super::journey::{HopKind, Journey, Journeys};
use super::pairs::{PairStory, stories};
use super::tell::Teller;
use super::verdict::let_in;
use crate::run::Run;
use crate::scenario::{NatId, Scenario};

/// The way of a check that got through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Admission {
    /// For each NAT that let it in, why it did.
    pub why: Vec<String>,
    /// The packet, with each NAT that passed it on and its table entry.
    pub evidence: Vec<String>,
}

/// A NAT, and whether what it does inbound is of interest, or outbound.
pub(crate) type Focus = (NatId, Direction);

/// How a check of connection `index` got through, on a pair that needs a relay only if the selected one does; best one
/// that passes a NAT of `focus` in the direction given there. Empty if none did. `run` must have kept its log.
pub(crate) fn admission(scenario: &Scenario, run: &Run, index: usize, focus: &[Focus]) -> Admission {
    let journeys = Journeys::read(run.log());
    let teller = Teller::new(scenario, run, &journeys);
    let connection = Connection::of(&teller, index);
    let Some(selected) = &run.connections[index].pair else { return Admission::default() };
    let is_relayed =
        |story: &PairStory<'_>| teller.is_relayed(story.pair.base) || teller.is_relayed(story.pair.remote);
    let stories = stories(&teller, connection.agents, connection.decided);
    let through = stories.iter().filter(|story| story.succeeded.is_some());
    let through = through.filter(|story| selected.relayed || !is_relayed(story));
    let through =
        through.filter_map(|story| Some((story, *story.tries.iter().find(|journey| journey.arrived())?)));
    let best = through.min_by_key(|(story, journey)| {
        let is_selected = story.program == connection.agents[0]
            && (story.pair.base, story.pair.remote) == (selected.base, selected.remote.address);
        (!passes(&teller, journey, focus), !is_selected)
    });
    let Some((_, journey)) = best else { return Admission::default() };
    Admission { why: let_in(&teller, journey), evidence: teller.journey(journey) }
}

/// Whether a packet passes one of `focus`.
fn passes(teller: &Teller<'_>, journey: &Journey, focus: &[Focus]) -> bool {
    let nodes = &teller.run.lowered.nats;
    journey.hops.iter().any(|hop| {
        let direction = match &hop.kind {
            HopKind::Translated(translation) => match translation.direction {
                Direction::Outbound => Direction::Outbound,
                Direction::Inbound | Direction::Hairpin => Direction::Inbound,
            },
            HopKind::Forwarded { inbound: true, .. } => Direction::Inbound,
            HopKind::Forwarded { .. } => Direction::Outbound,
            HopKind::Cut { .. }
            | HopKind::Held { .. }
            | HopKind::Joined { .. }
            | HopKind::Lost { .. }
            | HopKind::Relayed { .. } => return false,
        };
        focus.iter().any(|(nat, wanted)| nodes[nat.index()] == hop.node && *wanted == direction)
    })
}
