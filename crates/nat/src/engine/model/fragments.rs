//! What a NAT knows of fragments, as lists.

use std::net::IpAddr;
use std::ops::Range;

use super::*;
use crate::{Drop, Forward, HeldFragment, ReleasedFragment};

/// Nanoseconds that a passage is known and a fragment held.
const PATIENCE: u64 = 15_000_000_000;

/// The same where all fragments of a datagram wait for one another.
const PATIENCE_FOR_ALL: u64 = 30_000_000_000;

/// What tells the fragments of one datagram from those of others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Key {
    out: bool,
    ends: (IpAddr, IpAddr),
    protocol: Protocol,
    identification: u16,
}

impl Key {
    pub(super) fn of(packet: Packet, identification: u16) -> Self {
        let Packet { kind, from, to, out, .. } = packet;
        Self { out, ends: (from.ip, to.ip), protocol: kind.protocol(), identification }
    }
}

/// Where a first fragment went.
struct Noted {
    key: Key,
    until: u64,
    outcome: Outcome,
    ends: (IpAddr, IpAddr),
}

pub(super) struct Held {
    pub(super) packet: Packet,
    key: Key,
    until: u64,
    number: HeldFragment,
    pub(super) fragment: Datagram,
}

impl Held {
    pub(super) fn release(
        self,
        outcome: Outcome,
        (source, destination): (IpAddr, IpAddr),
    ) -> ReleasedFragment {
        let fragment = Datagram { source, destination, ..self.fragment };
        ReleasedFragment { held: self.number, fragment, outcome }
    }

    fn drop(self, reason: DropReason) -> ReleasedFragment {
        let ends = self.key.ends;
        self.release(Outcome::Drop(reason.into()), ends)
    }
}

#[derive(Default)]
pub(super) struct Fragments {
    noted: Vec<Noted>,
    held: Vec<Held>,
    count: u64,
}

impl Fragments {
    /// Those that waited for a first fragment that had this outcome, and is `passed` by now.
    pub(super) fn first(
        &mut self,
        key: Key,
        now: u64,
        outcome: Outcome,
        passed: &Datagram,
    ) -> Vec<ReleasedFragment> {
        let ends = (passed.source, passed.destination);
        self.noted.retain(|noted| noted.key != key);
        let outcome = followed(outcome);
        if !matches!(outcome, Outcome::Drop(_)) {
            self.noted.push(Noted { key, until: now + PATIENCE, outcome, ends });
            if self.noted.len() > 256 {
                self.noted.remove(0);
            }
        }
        let released = self.held.extract_if(.., |held| held.key == key);
        released.map(|held| held.release(outcome, ends)).collect()
    }

    /// What becomes of another one, which may wait or not.
    pub(super) fn later(
        &mut self,
        key: Key,
        now: u64,
        waits: bool,
        (packet, fragment): (Packet, &Datagram),
    ) -> (Outcome, Datagram) {
        if let Some(noted) = self.noted.iter().find(|noted| noted.key == key) {
            let (source, destination) = noted.ends;
            return (noted.outcome, Datagram { source, destination, ..fragment.clone() });
        }
        let of_source = self.held.iter().filter(|held| held.key.ends.0 == key.ends.0).count();
        let outcome = if !waits {
            Outcome::Drop(DropReason::FragmentTooEarly.into())
        } else if of_source == 16 || self.held.len() == 64 {
            Outcome::Drop(DropReason::FragmentsFull.into())
        } else {
            self.hold(key, now + PATIENCE, packet, fragment)
        };
        (outcome, fragment.clone())
    }

    /// Those held of the datagram that a fragment is the last one missing of; else what becomes of it, and who is
    /// released for that.
    pub(super) fn join(
        &mut self,
        key: Key,
        now: u64,
        (packet, fragment): (Packet, &Datagram),
    ) -> Result<Vec<Held>, (Outcome, Vec<ReleasedFragment>)> {
        let same = || self.held.iter().filter(|held| held.key == key).map(|held| &held.fragment);
        let new = octets(fragment);
        let overlap = Outcome::Drop(DropReason::FragmentOverlap.into());
        let mut runs: Vec<Range<usize>> = Vec::new();
        for old in same().map(octets) {
            match runs.iter_mut().max_by_key(|run| run.end) {
                Some(run) if run.end == old.start => run.end = old.end,
                _ => runs.push(old),
            }
        }
        let reach = runs.iter().map(|run| run.end).max().unwrap_or(0);
        let is_possible =
            if fragment.more_fragments { new.len().is_multiple_of(8) } else { reach <= new.end };
        if is_possible && runs.iter().any(|run| run.start <= new.start && new.end <= run.end) {
            return Err((overlap, Vec::new()));
        }
        let is_apart = |old: &Datagram| {
            let (first, second) = if old.fragment_offset < fragment.fragment_offset {
                (old, fragment)
            } else {
                (fragment, old)
            };
            octets(first).end <= octets(second).start && first.more_fragments
        };
        if !is_possible || !same().all(is_apart) {
            let released = self.held.extract_if(.., |held| held.key == key);
            return Err((overlap, released.map(|held| held.drop(DropReason::FragmentOverlap)).collect()));
        }
        let all = || same().chain([fragment]);
        let last = all().find(|fragment| !fragment.more_fragments);
        let there: usize = all().map(|fragment| octets(fragment).len()).sum();
        if last.is_none_or(|last| there < octets(last).end) {
            return Err((self.hold(key, now + PATIENCE_FOR_ALL, packet, fragment), Vec::new()));
        }
        Ok(self.held.extract_if(.., |held| held.key == key).collect())
    }

    /// Holds a fragment as long as the first that came of its datagram.
    fn hold(&mut self, key: Key, until: u64, packet: Packet, fragment: &Datagram) -> Outcome {
        let first = self.held.iter().find(|held| held.key == key);
        let until = first.map_or(until, |first| first.until);
        let number = HeldFragment(self.count);
        self.count += 1;
        self.held.push(Held { packet, key, until, number, fragment: fragment.clone() });
        Outcome::Held(number)
    }

    /// Those that have waited in vain by `now`, a datagram's together, each with the time when it gives up.
    pub(super) fn expire(&mut self, now: u64) -> Vec<(u64, ReleasedFragment)> {
        self.noted.retain(|noted| now < noted.until);
        let mut late = Vec::new();
        while let Some(Held { key, .. }) = self.held.iter().find(|held| held.until <= now) {
            let key = *key;
            let together = self.held.extract_if(.., |held| held.key == key);
            late.extend(together.map(|held| (held.until, held.drop(DropReason::FragmentTimeout))));
        }
        late
    }

    /// The same, as nothing is known any more.
    pub(super) fn forget(&mut self) -> Vec<ReleasedFragment> {
        self.expire(u64::MAX).into_iter().map(|(_, released)| released).collect()
    }
}

/// What becomes of the other fragments of a datagram whose first one has this outcome.
pub(super) fn followed(outcome: Outcome) -> Outcome {
    let same = |forward| Forward { created: false, opened: false, ..forward };
    match outcome {
        Outcome::Outside(forward) => Outcome::Outside(same(forward)),
        Outcome::Inside(forward) => Outcome::Inside(same(forward)),
        Outcome::Drop(drop) => Outcome::Drop(Drop { reply: None, sent: None, ..drop }),
        Outcome::Held(_) => panic!("a first fragment waits for nobody"),
    }
}

/// Which octets of its datagram's data a fragment has.
fn octets(fragment: &Datagram) -> Range<usize> {
    let Transport::Fragment { payload, .. } = &fragment.transport else { panic!("a fragment") };
    let start = 8 * usize::from(fragment.fragment_offset);
    start..start + payload.len()
}

/// Whether a first fragment is large enough for the header.
pub(super) fn has_header(fragment: &Datagram) -> bool {
    octets(fragment).len() >= 20
}
