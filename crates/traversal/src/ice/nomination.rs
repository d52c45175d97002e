//! When the controlling agent nominates, and what (RFC 8445 section 8.1.1 leaves both to the agent).
//!
//! A valid pair without relay is nominated as soon as every open pair of higher priority has been checked, and has had
//! as long to answer as the valid pair took. Without such a pair, a relayed one is nominated when the patience before a
//! relay is over: `relay_wait` after the first valid relayed pair, and not before every open pair without relay has been
//! tried three times and the third try has had as long to answer as the slowest valid pair took. Of the pairs that may be
//! nominated, the valid pair of highest priority is.
//!
//! The peer's checks may come from its relayed candidate before signaling tells what it is. So a remote address that has
//! not been signalled counts as relayed for patience's sake until the peer has signalled all it has.

use std::time::Duration;

use natbed_packet::Timestamp;

use super::pair::{Pair, PairState};

/// Whether a pair goes through a relay, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relayed {
    No,
    Yes,
    /// The remote address has not been signalled, and more may be.
    Perhaps,
}

/// A pair on the valid list (RFC 8445 section 7.2.5.3.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Valid {
    /// Place of the pair that generated the check.
    pub(crate) pair: usize,
    /// Place of the local candidate with the mapped address.
    pub(crate) local: usize,
    /// Priority of the valid pair, with the priority of that candidate.
    pub(crate) priority: u64,
    /// From the check's first request to its response.
    pub(crate) rtt: Duration,
}

/// What to do about nomination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Nominate the valid pair at this place of the valid list.
    Nominate(usize),
    /// Ask again then.
    WaitUntil(Timestamp),
    /// Ask again when a pair has been checked.
    WaitForChecks,
    /// No pair is valid.
    NoValidPair,
}

/// Decides at `now`. `relay_wait_over` is when the patience before a relay ends at the earliest.
pub(crate) fn decide(
    now: Timestamp,
    pairs: &[Pair],
    valid: &[Valid],
    relay_wait_over: Timestamp,
    relayed: impl Fn(&Pair) -> Relayed,
) -> Decision {
    let direct = |valid: &&Valid| relayed(&pairs[valid.pair]) == Relayed::No;
    let (best, patience) = if let Some(best) = highest(valid.iter().filter(direct)) {
        (best, before_direct(pairs, best))
    } else if let Some(best) = highest(valid.iter()) {
        let slowest = valid.iter().map(|valid| valid.rtt).max().unwrap_or_default();
        (best, before_relay(pairs, slowest, relayed).map(|tried| tried.max(relay_wait_over)))
    } else {
        return Decision::NoValidPair;
    };
    match patience {
        None => Decision::WaitForChecks,
        Some(until) if until > now => Decision::WaitUntil(until),
        Some(_) => {
            let place = valid.iter().position(|valid| valid.pair == best.pair);
            place.map_or(Decision::NoValidPair, Decision::Nominate)
        }
    }
}

fn highest<'v>(valid: impl Iterator<Item = &'v Valid>) -> Option<&'v Valid> {
    valid.reduce(|best, valid| if valid.priority > best.priority { valid } else { best })
}

/// When every better pair has had its chance against `best`; `None` while one is still to be checked for the first
/// time. Frozen pairs wait for another of their foundation, so they hold nothing up.
fn before_direct(pairs: &[Pair], best: &Valid) -> Option<Timestamp> {
    let priority = pairs[best.pair].priority;
    let mut better = pairs.iter().filter(|pair| {
        pair.priority > priority && matches!(pair.state, PairState::Waiting | PairState::InProgress)
    });
    better.try_fold(Timestamp::ZERO, |until, pair| Some(until.max(pair.first_try? + best.rtt)))
}

/// When every open pair without relay has been tried three times, and the third try has had `rtt` to be answered;
/// `None` while one has been tried less.
fn before_relay(pairs: &[Pair], rtt: Duration, relayed: impl Fn(&Pair) -> Relayed) -> Option<Timestamp> {
    let mut open = pairs.iter().filter(|pair| pair.state.is_open() && relayed(pair) != Relayed::Yes);
    open.try_fold(Timestamp::ZERO, |until, pair| Some(until.max(pair.third_try? + rtt)))
}

#[cfg(test)]
mod tests;
