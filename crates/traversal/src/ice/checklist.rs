//! The check list: which pair is checked next (RFC 8445 sections 6.1.2 and 6.1.4).

use std::collections::VecDeque;

use super::candidate::Foundation;
use super::pair::{Pair, PairState};

/// All pairs of the one data stream, in the order they were formed, and the triggered-check queue.
#[derive(Debug, Default)]
pub(crate) struct CheckList {
    pairs: Vec<Pair>,
    triggered: VecDeque<usize>,
    /// Triggered checks since the last ordinary one.
    in_a_row: u32,
    limit: usize,
}

/// So many checks are many: of a pair in vain, or triggered ones in a row.
const MANY: u32 = 3;

/// What became of a new pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Insertion {
    /// It stands at a new place.
    Added(usize),
    /// It stands at `place`, where the pair of the base and remote candidate in `old` stood.
    Replaced { place: usize, old: (usize, usize) },
    /// The list is full of better pairs.
    Full,
}

/// What a new pair is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewPair {
    pub(crate) base: usize,
    pub(crate) remote: usize,
    pub(crate) priority: u64,
    pub(crate) foundation: (Foundation, Foundation),
}

impl CheckList {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    pub(crate) fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    pub(crate) fn get(&self, place: usize) -> &Pair {
        &self.pairs[place]
    }

    pub(crate) fn get_mut(&mut self, place: usize) -> &mut Pair {
        &mut self.pairs[place]
    }

    pub(crate) fn find(&self, base: usize, remote: usize) -> Option<usize> {
        self.pairs.iter().position(|pair| pair.base == base && pair.remote == remote)
    }

    /// Adds a pair that is not in the list, if need be in place of a Failed pair or of one not yet checked with the
    /// lowest priority (RFC 8838 sections 10 and 11, item 5/6).
    pub(crate) fn insert(&mut self, new: NewPair) -> Insertion {
        let state = self.initial_state(&new);
        self.insert_as(new.into_pair(state))
    }

    fn insert_as(&mut self, pair: Pair) -> Insertion {
        if self.pairs.len() < self.limit {
            self.pairs.push(pair);
            return Insertion::Added(self.pairs.len() - 1);
        }
        let Some(place) = self.yielding(pair.priority) else {
            return Insertion::Full;
        };
        self.untrigger(place);
        let old = std::mem::replace(&mut self.pairs[place], pair);
        Insertion::Replaced { place, old: (old.base, old.remote) }
    }

    /// Adds a pair that a check came on. No other gives way to it, unless it is `nominated`.
    pub(crate) fn insert_triggered(&mut self, new: NewPair, nominated: bool) -> Insertion {
        if self.pairs.len() >= self.limit && !nominated {
            return Insertion::Full;
        }
        self.insert_as(new.into_pair(PairState::Waiting))
    }

    fn yielding(&self, priority: u64) -> Option<usize> {
        let failed = self.pairs.iter().position(|pair| pair.state == PairState::Failed);
        failed.or_else(|| {
            let unchecked = self.pairs.iter().enumerate().filter(|(_, pair)| {
                matches!(pair.state, PairState::Frozen | PairState::Waiting) && pair.tries == 0
            });
            let (place, lowest) = unchecked.min_by_key(|(_, pair)| pair.priority)?;
            (lowest.priority < priority).then_some(place)
        })
    }

    /// RFC 8838 section 12: Waiting if no other pair has the foundation, if this one has the highest priority of those
    /// that do, or if one of them succeeded; else Frozen.
    fn initial_state(&self, new: &NewPair) -> PairState {
        let mut alike = self.pairs.iter().filter(|pair| pair.foundation == new.foundation);
        let topmost = alike.clone().all(|pair| pair.priority < new.priority);
        if topmost || alike.any(|pair| pair.state == PairState::Succeeded) {
            PairState::Waiting
        } else {
            PairState::Frozen
        }
    }

    /// Appends a pair to the triggered-check queue, once.
    pub(crate) fn trigger(&mut self, place: usize) {
        if !self.pairs[place].queued {
            self.pairs[place].queued = true;
            self.triggered.push_back(place);
        }
    }

    /// Takes a pair out of the triggered-check queue.
    pub(crate) fn untrigger(&mut self, place: usize) {
        self.pairs[place].queued = false;
        self.triggered.retain(|&queued| queued != place);
    }

    /// Removes all pairs but one, which then stands at place 0 (RFC 8445 section 8.1.2).
    pub(crate) fn keep_only(&mut self, place: usize) {
        self.pairs.swap(0, place);
        self.pairs.truncate(1);
        self.pairs[0].queued = false;
        self.triggered.clear();
    }

    /// Puts a pair at the head of the triggered-check queue: the one that is nominated.
    pub(crate) fn trigger_first(&mut self, place: usize) {
        self.untrigger(place);
        self.pairs[place].queued = true;
        self.triggered.push_front(place);
    }

    /// The pair to check next: the first of the triggered-check queue, else the Waiting pair with the highest priority
    /// (RFC 8445 section 6.1.4.2, steps 1 and 3). Pairs that are not `ready`, for want of a permission, are passed over.
    ///
    /// Two agents whose responses never arrive trigger each other's checks without end. So that the pairs that work get
    /// their turn all the same, a Waiting pair that was never checked goes before the fourth triggered check in a row,
    /// and before those of pairs that were checked in vain three times.
    pub(crate) fn next(&mut self, ready: impl Fn(&Pair) -> bool) -> Option<usize> {
        let triggered = self.triggered.iter().position(|&place| {
            let pair = &self.pairs[place];
            ready(pair) && (pair.tries < MANY || pair.state == PairState::Succeeded)
        });
        let triggered = triggered.filter(|_| self.in_a_row < MANY || self.untried(&ready).is_none());
        let later = || self.triggered.iter().position(|&place| ready(&self.pairs[place]));
        let ordinary = || self.highest_waiting(&ready);
        let place = match triggered {
            Some(at) => self.triggered.remove(at)?,
            None => match ordinary() {
                Some(place) => {
                    self.in_a_row = 0;
                    return Some(place);
                }
                None => self.triggered.remove(later()?)?,
            },
        };
        self.in_a_row += 1;
        self.pairs[place].queued = false;
        Some(place)
    }

    fn highest_waiting(&self, ready: impl Fn(&Pair) -> bool) -> Option<usize> {
        let waiting = self.pairs.iter().enumerate();
        let waiting =
            waiting.filter(|(_, pair)| pair.state == PairState::Waiting && !pair.queued && ready(pair));
        // Of equal ones the first, which `max_by_key` would not give.
        waiting.rev().max_by_key(|(_, pair)| pair.priority).map(|(place, _)| place)
    }

    fn untried(&self, ready: impl Fn(&Pair) -> bool) -> Option<usize> {
        self.highest_waiting(|pair| pair.tries == 0 && ready(pair))
    }

    /// Whether [`CheckList::next`] would give a pair.
    pub(crate) fn has_next(&self, ready: impl Fn(&Pair) -> bool) -> bool {
        self.pairs.iter().any(|pair| (pair.queued || pair.state == PairState::Waiting) && ready(pair))
    }

    /// When nothing is Waiting, the Frozen pairs to thaw: the best one of each foundation that no pair In-Progress has
    /// (RFC 8445 section 6.1.4.2, step 2).
    pub(crate) fn thawing(&self) -> Vec<usize> {
        if self.pairs.iter().any(|pair| pair.state == PairState::Waiting) {
            return Vec::new();
        }
        let frozen = |pair: &Pair| pair.state == PairState::Frozen;
        let is_best = |candidate: &Pair| {
            self.pairs.iter().filter(|pair| pair.foundation == candidate.foundation).all(|pair| {
                pair.state != PairState::InProgress && (!frozen(pair) || pair.priority <= candidate.priority)
            })
        };
        let places = self.pairs.iter().enumerate().filter(|(_, pair)| frozen(pair) && is_best(pair));
        places.map(|(place, _)| place).collect()
    }

    /// Whether a pair has yet to be decided.
    pub(crate) fn is_open(&self) -> bool {
        self.pairs.iter().any(|pair| pair.state.is_open())
    }

    /// How many pairs are Waiting or In-Progress, for the RTO (RFC 8445 section 14.3).
    pub(crate) fn active(&self) -> usize {
        let active = |pair: &&Pair| matches!(pair.state, PairState::Waiting | PairState::InProgress);
        self.pairs.iter().filter(active).count()
    }
}

impl NewPair {
    const fn into_pair(self, state: PairState) -> Pair {
        Pair {
            base: self.base,
            remote: self.remote,
            priority: self.priority,
            state,
            foundation: self.foundation,
            tries: 0,
            first_try: None,
            third_try: None,
            queued: false,
            nominated_by_peer: false,
        }
    }
}

#[cfg(test)]
mod tests;
