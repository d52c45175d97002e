//! A connection on its way: what its agents tell decides it.

use std::time::Duration;

use natbed_packet::Timestamp;
use natbed_traversal::ice::{self, SelectedPair};

use super::{Channel, Outcome, is_relayed};
use crate::peer::{NATIVE, PeerEvent};
use crate::scenario::{CandidateType, Connect, Expected, HoldState, Scenario};

/// How long the pair of an agent that may change its mind has to stand until it counts.
const SETTLE: Duration = Duration::from_secs(5);

fn is_same_path(one: &SelectedPair, other: &SelectedPair) -> bool {
    (one.base, one.remote.address) == (other.base, other.remote.address)
}

/// A connection on its way.
pub(super) struct Tracker<'a> {
    scenario: &'a Scenario,
    pub(super) connect: &'a Connect,
    /// The initiator's pair, which counts from when it has stood for `settle`, and since when it has stood.
    pub(super) selected: Option<(Timestamp, SelectedPair)>,
    /// When the initiator first had a pair.
    pub(super) set_up: Option<Timestamp>,
    settle: Duration,
    pub(super) channel: Option<Channel>,
    failed: bool,
    /// Whether each side has a selected pair that stands.
    up: [bool; 2],
    ever_lost: bool,
    pub(super) done: bool,
}

impl<'a> Tracker<'a> {
    pub(super) fn new(scenario: &'a Scenario, connect: &'a Connect) -> Self {
        let settle = if connect.agents[0] == NATIVE { Duration::ZERO } else { SETTLE };
        Self {
            scenario,
            connect,
            selected: None,
            set_up: None,
            settle,
            channel: connect.channel.as_ref().map(|_| Channel::default()),
            failed: false,
            up: [false; 2],
            ever_lost: false,
            done: false,
        }
    }

    /// When it is decided unless something happens before; at once where it has failed.
    pub(super) fn deadline(&self) -> Timestamp {
        match (self.set_up, &self.selected) {
            _ if self.failed => Timestamp::ZERO,
            (Some(set_up), Some((since, _))) => {
                let held = set_up + self.connect.hold.max(self.scenario.signaling_delay);
                let settled = held.max(*since + self.settle);
                match &self.channel {
                    Some(channel) if !channel.echoed() => {
                        settled.max(self.connect.start + self.connect.within)
                    }
                    _ => settled,
                }
            }
            _ => self.connect.start + self.connect.within,
        }
    }

    /// Whether what the agents send counts: until set-up.
    pub(super) const fn is_counting(&self) -> bool {
        self.set_up.is_none() && !self.failed
    }

    /// The initiator has selected `pair`, in place of one that has not stood long enough.
    fn select(&mut self, now: Timestamp, pair: SelectedPair) {
        self.set_up.get_or_insert(now);
        match &mut self.selected {
            Some((since, _)) if now >= *since + self.settle => {}
            Some((_, standing)) if is_same_path(standing, &pair) => *standing = pair,
            selected => *selected = Some((now, pair)),
        }
    }

    pub(super) fn note(&mut self, now: Timestamp, side: usize, event: &PeerEvent) {
        match event {
            PeerEvent::Ice(ice::Event::Selected(pair)) => {
                self.up[side] = true;
                if side == 0 {
                    self.select(now, **pair);
                }
            }
            PeerEvent::Ice(ice::Event::SelectedUpdated(pair)) if side == 0 => {
                if let Some((_, standing)) = &mut self.selected
                    && is_same_path(standing, pair)
                {
                    *standing = **pair;
                }
            }
            PeerEvent::Ice(ice::Event::ConsentLost { .. }) => {
                self.up[side] = false;
                self.ever_lost = true;
            }
            PeerEvent::Channel(event) if side == 0 => {
                if let Some(channel) = &mut self.channel {
                    channel.note(now, event);
                }
            }
            PeerEvent::Ice(ice::Event::Failed { .. }) if side == 0 => self.failed |= self.selected.is_none(),
            _ => {}
        }
    }

    pub(super) fn outcome(&self) -> Outcome {
        self.selected.as_ref().map_or(Outcome::Fail, |(_, pair)| {
            let relayed = [pair.local.address, pair.remote.address].into_iter();
            let mut relayed = relayed.map(|address| is_relayed(self.scenario, address));
            if pair.relayed || relayed.any(|relayed| relayed) { Outcome::Relay } else { Outcome::Direct }
        })
    }

    pub(super) fn after(&self) -> Option<HoldState> {
        if self.connect.hold.is_zero() || self.selected.is_none() {
            return None;
        }
        Some(match (self.up, self.ever_lost) {
            ([true, true], false) => HoldState::Alive,
            ([true, true], true) => HoldState::Restarted,
            _ => HoldState::Lost,
        })
    }

    pub(super) fn met(&self) -> bool {
        let outcome = match self.connect.expect {
            None => true,
            Some(Expected::Direct) => self.outcome() == Outcome::Direct,
            Some(Expected::Relay) => self.outcome() == Outcome::Relay,
            Some(Expected::Fail) => self.outcome() == Outcome::Fail,
        };
        let types = |(_, pair): &(Timestamp, SelectedPair)| {
            (candidate_type(pair.local.kind), candidate_type(pair.remote.kind))
        };
        let path: Option<(CandidateType, CandidateType)> = self.selected.as_ref().map(types);
        outcome
            && self.channel.is_none_or(|channel| channel.echoed())
            && self.connect.path.is_none_or(|expected| path == Some(expected))
            && self.connect.after.is_none_or(|expected| self.after() == Some(expected))
    }
}

const fn candidate_type(kind: ice::CandidateType) -> CandidateType {
    match kind {
        ice::CandidateType::Host => CandidateType::Host,
        ice::CandidateType::ServerReflexive => CandidateType::Srflx,
        ice::CandidateType::PeerReflexive => CandidateType::Prflx,
        ice::CandidateType::Relayed => CandidateType::Relay,
    }
}
