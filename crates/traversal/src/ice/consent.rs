//! Keeping the selected pair: keepalives (RFC 8445 section 11) and consent freshness (RFC 7675).

use std::collections::VecDeque;
use std::time::Duration;

use natbed_packet::Timestamp;
use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::stun::TransactionId;

/// "Agents SHOULD use a Tr value of 15 seconds" (RFC 8445 section 11).
const KEEPALIVE: Duration = Duration::from_secs(15);
/// "Consent expires after 30 seconds" (RFC 7675 section 5.1).
const EXPIRY: Duration = Duration::from_secs(30);
/// "Implementations SHOULD set a default interval of 5 seconds", "randomized from between 0.8 and 1.2 times the basic
/// period" (RFC 7675 section 5.1): in nanoseconds.
const INTERVAL_NANOS: std::ops::RangeInclusive<u64> = 4_000_000_000..=6_000_000_000;
/// At most so many checks, one in 4 s, are sent before consent expires; an older one has been given up.
const OUTSTANDING: usize = 8;

/// What the selected pair needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// A Binding indication.
    Keepalive,
    /// A consent check with a new transaction.
    Check,
    /// Consent has expired.
    Expired,
}

/// The timers of a selected pair.
#[derive(Debug)]
pub(crate) struct Consent {
    /// When anything was last sent on the pair.
    last_sent: Timestamp,
    /// `None` where consent is not asked for.
    freshness: Option<Freshness>,
    lost: bool,
}

#[derive(Debug)]
struct Freshness {
    expires: Timestamp,
    next_check: Timestamp,
    /// The latest unanswered checks, oldest first.
    outstanding: VecDeque<TransactionId>,
}

impl Consent {
    /// Starts with the consent that a successful check gives.
    pub(crate) fn new(now: Timestamp, fresh: bool, rng: &mut Xoshiro256PlusPlus) -> Self {
        let freshness = fresh.then(|| Freshness {
            expires: now + EXPIRY,
            next_check: now + interval(rng),
            outstanding: VecDeque::new(),
        });
        Self { last_sent: now, freshness, lost: false }
    }

    /// Whether data may be sent.
    pub(crate) const fn is_given(&self) -> bool {
        !self.lost
    }

    pub(crate) const fn note_sent(&mut self, now: Timestamp) {
        self.last_sent = now;
    }

    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        if self.lost {
            return None;
        }
        let keepalive = self.last_sent + KEEPALIVE;
        Some(self.freshness.as_ref().map_or(keepalive, |f| keepalive.min(f.expires).min(f.next_check)))
    }

    /// What is due at `now`, one thing at a time; the caller says when it has sent something.
    pub(crate) fn handle_timeout(&mut self, now: Timestamp, rng: &mut Xoshiro256PlusPlus) -> Option<Due> {
        if self.lost {
            return None;
        }
        if let Some(freshness) = &mut self.freshness {
            if freshness.expires <= now {
                self.revoke();
                return Some(Due::Expired);
            }
            if freshness.next_check <= now {
                freshness.next_check = now + interval(rng);
                return Some(Due::Check);
            }
        }
        (self.last_sent + KEEPALIVE <= now).then_some(Due::Keepalive)
    }

    pub(crate) fn note_check(&mut self, id: TransactionId) {
        if let Some(freshness) = &mut self.freshness {
            freshness.outstanding.push_back(id);
            if freshness.outstanding.len() > OUTSTANDING {
                freshness.outstanding.pop_front();
            }
        }
    }

    pub(crate) fn is_outstanding(&self, id: TransactionId) -> bool {
        self.freshness.as_ref().is_some_and(|freshness| freshness.outstanding.contains(&id))
    }

    /// A check was answered. The response "might be for a previous request" (RFC 7675 section 5.1).
    pub(crate) fn renew(&mut self, now: Timestamp, id: TransactionId) {
        if let Some(freshness) = &mut self.freshness {
            freshness.expires = now + EXPIRY;
            freshness.outstanding.retain(|&outstanding| outstanding != id);
        }
    }

    /// "All outstanding STUN consent transactions for a candidate pair MUST be discarded when consent expires"
    /// (RFC 7675 section 5.1).
    pub(crate) fn revoke(&mut self) {
        self.lost = true;
        self.freshness = None;
    }
}

fn interval(rng: &mut Xoshiro256PlusPlus) -> Duration {
    Duration::from_nanos(rng.random_range(INTERVAL_NANOS))
}

#[cfg(test)]
mod tests;
