//! What a NAT knows of fragments, as lists.

use std::net::IpAddr;

use super::*;
use crate::{Drop, Forward, HeldFragment, ReleasedFragment};

/// Nanoseconds that a passage is known and a fragment held.
const PATIENCE: u64 = 15_000_000_000;

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

struct Held {
    key: Key,
    until: u64,
    number: HeldFragment,
    fragment: Datagram,
}

impl Held {
    fn release(self, outcome: Outcome, (source, destination): (IpAddr, IpAddr)) -> ReleasedFragment {
        let fragment = Datagram { source, destination, ..self.fragment };
        ReleasedFragment { held: self.number, fragment, outcome }
    }

    fn give_up(self) -> ReleasedFragment {
        let ends = self.key.ends;
        self.release(Outcome::Drop(DropReason::FragmentTimeout.into()), ends)
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
        let same = |forward| Forward { created: false, opened: false, ..forward };
        self.noted.retain(|noted| noted.key != key);
        let outcome = match outcome {
            Outcome::Outside(forward) => Outcome::Outside(same(forward)),
            Outcome::Inside(forward) => Outcome::Inside(same(forward)),
            Outcome::Drop(drop) => Outcome::Drop(Drop { reply: None, sent: None, ..drop }),
            Outcome::Held(_) => panic!("a first fragment waits for nobody"),
        };
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
        fragment: &Datagram,
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
            let number = HeldFragment(self.count);
            self.count += 1;
            self.held.push(Held { key, until: now + PATIENCE, number, fragment: fragment.clone() });
            Outcome::Held(number)
        };
        (outcome, fragment.clone())
    }

    /// Those that have waited in vain by `now`, each with the time when it gives up.
    pub(super) fn expire(&mut self, now: u64) -> Vec<(u64, ReleasedFragment)> {
        self.noted.retain(|noted| now < noted.until);
        let late = self.held.extract_if(.., |held| held.until <= now);
        late.map(|held| (held.until, held.give_up())).collect()
    }

    /// The same, as nothing is known any more.
    pub(super) fn forget(&mut self) -> Vec<ReleasedFragment> {
        self.noted.clear();
        self.held.drain(..).map(Held::give_up).collect()
    }
}
