//! What became of each candidate pair: every check sent on it, and every answer.

use natbed_net::trace::Event;
use natbed_net::{DropReason, ProgramId};
use natbed_packet::{Endpoint, Timestamp};
use natbed_traversal::ice::{self, PairAddresses};
use natbed_traversal::stun::TransactionId;

use super::Step;
use super::connection::Connection;
use super::journey::{End, Journey};
use super::tell::Teller;
use crate::peer::PeerEvent;

/// The checks of one agent on one pair.
pub(super) struct PairStory<'a> {
    pub(super) program: ProgramId,
    pub(super) pair: PairAddresses,
    transactions: Vec<TransactionId>,
    pub(super) tries: Vec<&'a Journey>,
    answers: Vec<&'a Journey>,
    pub(super) succeeded: Option<(Timestamp, Endpoint)>,
    failure: Option<ice::CheckFailure>,
}

/// The stories of the pairs that either agent checked until `until`, in order of the first check.
pub(super) fn stories<'a>(
    teller: &Teller<'a>,
    agents: [ProgramId; 2],
    until: Timestamp,
) -> Vec<PairStory<'a>> {
    let mut stories: Vec<PairStory<'a>> = Vec::new();
    for record in teller.run.log().iter().take_while(|record| record.time <= until) {
        let Event::Program { program, event: PeerEvent::Ice(event) } = &record.event else { continue };
        let (pair, transaction) = match event {
            ice::Event::CheckSent { pair, transaction, .. }
            | ice::Event::CheckSucceeded { pair, transaction, .. }
            | ice::Event::CheckFailed { pair, transaction, .. } => (*pair, *transaction),
            _ => continue,
        };
        if !agents.contains(program) {
            continue;
        }
        let known = stories.iter().position(|story| story.program == *program && story.pair == pair);
        let index = known.unwrap_or_else(|| {
            stories.push(PairStory::new(*program, pair));
            stories.len() - 1
        });
        let story = &mut stories[index];
        match event {
            ice::Event::CheckSucceeded { mapped, .. } => {
                story.succeeded.get_or_insert((record.time, *mapped));
            }
            ice::Event::CheckFailed { why, .. } => story.failure = Some(*why),
            _ if !story.transactions.contains(&transaction) => story.transactions.push(transaction),
            _ => {}
        }
    }
    for story in &mut stories {
        for transaction in &story.transactions {
            let tries = teller.journeys.of_check(story.program, *transaction);
            story.tries.extend(tries.filter(|journey| journey.at <= until));
            story.answers.extend(teller.journeys.of_answer(*transaction));
        }
    }
    stories
}

impl<'a> PairStory<'a> {
    fn new(program: ProgramId, pair: PairAddresses) -> Self {
        let (transactions, tries, answers) = (Vec::new(), Vec::new(), Vec::new());
        Self { program, pair, transactions, tries, answers, succeeded: None, failure: None }
    }

    /// Whether no check got anywhere near the peer: the address is private, or another's.
    pub(super) fn leads_nowhere(&self) -> bool {
        self.succeeded.is_none()
            && self.tries.iter().all(|journey| match &journey.end {
                End::Dropped { reason, .. } => matches!(
                    reason,
                    DropReason::NoRoute
                        | DropReason::NoSuchHost
                        | DropReason::NoListener
                        | DropReason::RouterItself
                        | DropReason::SourceNotOwn
                ),
                End::UnderWay => true,
                End::Delivered { .. } => false,
            })
    }

    /// Whether the other agent's or this one's story is the same but for addresses: it arrived and did not work.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let arrived =
            |story: &Self| story.succeeded.is_none() && story.tries.iter().any(|journey| journey.arrived());
        self.program == other.program && arrived(self) && arrived(other)
    }

    /// The story as one step.
    pub(super) fn step(&self, teller: &Teller<'a>, connection: &Connection<'_>) -> Step {
        let at = self.tries.first().map_or(Timestamp::ZERO, |journey| journey.at);
        let times = match self.tries.len() {
            1 => "once".to_owned(),
            2 => "twice".to_owned(),
            count => format!("{count} times"),
        };
        let fates = self.fates();
        let words: Vec<String> =
            fates.iter().map(|(_, journey)| self.fate(teller, connection, journey)).collect();
        let (who, remote) = (self.who(teller), teller.address(self.pair.remote));
        let text = format!("{who} tries {remote}, {times}: {}.", join_fates(&words));
        let mut evidence: Vec<String> =
            fates.iter().flat_map(|(_, journey)| teller.journey(journey)).collect();
        if self.succeeded.is_none()
            && let Some(answer) = self.answers.first()
        {
            evidence.extend(teller.journey(answer));
        }
        if let Some(why) = self.failure.as_ref().filter(|_| self.succeeded.is_none()) {
            evidence.push(format!("the check failed: {}", crate::log::check_failure(why)));
        }
        Step::new(at, text, evidence)
    }

    /// The story in a line: the last fate.
    pub(super) fn line(&self, teller: &Teller<'a>, connection: &Connection<'_>) -> String {
        let (who, remote) = (self.who(teller), teller.address(self.pair.remote));
        match self.fates().last() {
            Some((_, journey)) => {
                let fate = self.fate(teller, connection, journey);
                format!("packet #{}: {who} to {remote}: {fate}", journey.packet.0)
            }
            None => format!("{who} to {remote}: still under way"),
        }
    }

    fn who(&self, teller: &Teller<'a>) -> String {
        let who = teller.node(teller.run.lowered.simulator.node_of(self.program));
        if teller.is_relayed(self.pair.base) { format!("{who}, through its relay,") } else { who.to_owned() }
    }

    /// The first journey of each fate, in order: what changed from try to try.
    fn fates(&self) -> Vec<(String, &'a Journey)> {
        let mut fates: Vec<(String, &'a Journey)> = Vec::new();
        for journey in &self.tries {
            let fate = match &journey.end {
                End::UnderWay if self.tries.len() > 1 => continue,
                End::UnderWay => "under way".to_owned(),
                End::Delivered { .. } => "delivered".to_owned(),
                End::Dropped { place, reason, .. } => format!("{place:?} {}", reason.as_str()),
            };
            if !fates.iter().any(|(known, _)| *known == fate) {
                fates.push((fate, journey));
            }
        }
        fates
    }

    fn fate(&self, teller: &Teller<'a>, connection: &Connection<'_>, journey: &Journey) -> String {
        let peer = connection.names[usize::from(self.program == connection.agents[0])];
        match &journey.end {
            End::UnderWay => "still under way".into(),
            End::Dropped { place, reason, datagram, .. } => {
                format!("dropped at {} [{}]", teller.place(*place, datagram.family()), reason.as_str())
            }
            End::Delivered { .. } => {
                match (&self.succeeded, self.answers.first().map(|answer| &answer.end)) {
                    (Some((_, mapped)), _) if *mapped == self.pair.base => {
                        format!("it arrives, {peer} answers, and the pair works")
                    }
                    (Some((_, mapped)), _) => {
                        format!("it arrives, {peer} answers that it sees {mapped}, and the pair works")
                    }
                    (None, Some(End::Dropped { place, reason, datagram, .. })) => format!(
                        "it arrives, but the answer is dropped at {} [{}]",
                        teller.place(*place, datagram.family()),
                        reason.as_str()
                    ),
                    (None, Some(End::Delivered { .. })) => {
                        "it arrives, but the answer comes back another way, which does not count".into()
                    }
                    (None, _) => "it arrives, with no answer yet".into(),
                }
            }
        }
    }
}

fn join_fates(words: &[String]) -> String {
    match words {
        [] => "still under way".into(),
        [only] => only.clone(),
        [first, rest @ ..] => format!("first {first}; later {}", rest.join(", then ")),
    }
}
