//! The two ICE agents: every pair is checked again and again until nothing changes.

use std::collections::{BTreeMap, BTreeSet};

use super::memory::{Flight, Memory};
use super::{Address, Fate, Finding, Loss, Outcome, Pair, Side};

/// How deep a chain of mappings may grow, each made to answer the one before, before an agent stops to learn. Between
/// two NATs with endpoint-dependent mapping and open filters it would grow for ever, and a real agent stops at 100
/// pairs. No outcome needs more than two; the tests compare.
pub(super) const MAX_DEPTH: usize = 4;

/// Which side's checks come first in every round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Both send, then both receive.
    Together,
    /// All of one side's checks are over before the other sends.
    First(Side),
}

/// One side's candidate pair: who checks, its own base, and the peer's address.
type Check = (Side, Address, Address);

/// The agents and NATs of a pair, run until nothing changes.
pub(super) struct Run<'p> {
    memory: Memory<'p>,
    pair: &'p Pair,
    max_depth: usize,
    /// Every check of both sides, and what became of it the last time.
    checks: BTreeMap<Check, Option<Fate>>,
}

impl<'p> Run<'p> {
    pub(super) fn new(pair: &'p Pair, order: Order) -> Self {
        Self::with_depth(pair, order, MAX_DEPTH)
    }

    pub(super) fn with_depth(pair: &'p Pair, order: Order, max_depth: usize) -> Self {
        let mut run = Self { memory: Memory::new(pair), pair, max_depth, checks: BTreeMap::new() };
        run.gather();
        let turns: &[&[Side]] = match order {
            Order::Together => &[&[Side::A, Side::B]],
            Order::First(Side::A) => &[&[Side::A], &[Side::B]],
            Order::First(Side::B) => &[&[Side::B], &[Side::A]],
        };
        loop {
            let before = (run.memory.size(), run.checks.clone());
            for sides in turns {
                run.turn(sides);
            }
            if before == (run.memory.size(), run.checks.clone()) {
                return run;
            }
        }
    }

    /// The best outcome among the pairs that A, the controlling agent, found valid.
    pub(super) fn outcome(&self) -> Outcome {
        self.outcome_for(Side::A)
    }

    pub(super) fn outcome_for(&self, side: Side) -> Outcome {
        let valid =
            self.checks.iter().filter(|((by, _, _), fate)| *by == side && **fate == Some(Fate::Valid));
        let direct = |(_, from, to): &Check| !is_relayed(from) && !is_relayed(to);
        valid
            .map(|(check, _)| if direct(check) { Outcome::Direct } else { Outcome::Relay })
            .min()
            .unwrap_or(Outcome::Fail)
    }

    /// See [`super::Prediction::why`].
    pub(super) fn findings(&self) -> Vec<Finding> {
        let all = self.checks.iter().filter_map(|((by, from, to), fate)| {
            Some(Finding { by: *by, from: from.clone(), to: to.clone(), fate: fate.clone()? })
        });
        let (relayed, direct): (Vec<_>, Vec<_>) =
            all.partition(|finding| is_relayed(&finding.from) || is_relayed(&finding.to));
        let valid = |findings: &[Finding]| {
            findings.iter().find(|finding| finding.by == Side::A && finding.fate == Fate::Valid).cloned()
        };
        if let Some(found) = valid(&direct) {
            return vec![found];
        }
        let mut why: Vec<Finding> = Vec::new();
        for finding in direct {
            if !why.iter().any(|known| known.by == finding.by && known.fate.is_like(&finding.fate)) {
                why.push(finding);
            }
        }
        why.extend(valid(&relayed));
        why
    }

    /// Both sides gather candidates (RFC 8445 section 5.1.1), signal them, and pair them all.
    fn gather(&mut self) {
        let [(bases_a, all_a), (bases_b, all_b)] = [Side::A, Side::B].map(|side| self.candidates(side));
        for (side, bases, remotes) in [(Side::A, bases_a, all_b), (Side::B, bases_b, all_a)] {
            for base in &bases {
                self.checks.extend(remotes.iter().map(|remote| ((side, base.clone(), remote.clone()), None)));
            }
        }
    }

    /// A side's bases, and all of its candidates: host, server-reflexive from either server, relayed.
    fn candidates(&mut self, side: Side) -> (Vec<Address>, BTreeSet<Address>) {
        let host = Address::Host(side);
        let mut bases = vec![host.clone()];
        let mut reflexive = Vec::new();
        let site = self.pair.site(side);
        for (wanted, server) in [(site.stun, Address::Stun), (site.turn, Address::Turn)] {
            let Some(flight) = wanted.then(|| self.memory.depart(&host, &server)).and_then(Result::ok) else {
                continue;
            };
            reflexive.push(flight.source);
            if server == Address::Turn {
                bases.push(Address::Relayed(side));
            }
        }
        let all = bases.iter().cloned().chain(reflexive).collect();
        (bases, all)
    }

    /// One check on every pair of `sides`: all are sent, then all arrive.
    fn turn(&mut self, sides: &[Side]) {
        let checks: Vec<Check> =
            self.checks.keys().filter(|(by, _, _)| sides.contains(by)).cloned().collect();
        let sent: Vec<_> =
            checks.into_iter().map(|check| (self.memory.depart(&check.1, &check.2), check)).collect();
        for (flight, check) in sent {
            let fate = flight.map_or_else(Fate::RequestLost, |flight| self.answer(flight, &check));
            self.checks.insert(check, Some(fate));
        }
    }

    /// The request arrives, teaches the receiver a peer-reflexive candidate (RFC 8445 section 7.3.1.3), and is
    /// answered to where it came from.
    fn answer(&mut self, request: Flight, (by, base, to): &Check) -> Fate {
        let seen = request.source.clone();
        let reached = match self.deliver(request) {
            Ok(reached) => reached,
            Err(loss) => return Fate::RequestLost(loss),
        };
        if seen.depth() <= self.max_depth {
            self.checks.entry((by.peer(), reached.clone(), seen.clone())).or_default();
        }
        let response = match self.memory.depart(&reached, &seen) {
            Ok(response) => response,
            Err(loss) => return Fate::ResponseLost(loss),
        };
        let from = response.source.clone();
        match self.deliver(response) {
            Err(loss) => Fate::ResponseLost(loss),
            // RFC 8445 section 7.2.5.2.1: from where the request went, to where it came from.
            Ok(back) if back == *base && from == *to => Fate::Valid,
            Ok(_) => Fate::AnsweredFrom(from),
        }
    }

    /// Takes a packet to its receiver; a relayed address wants a permission for the sender (RFC 8656 section 9),
    /// which its owner installs for every remote that it pairs with it.
    fn deliver(&mut self, flight: Flight) -> Result<Address, Loss> {
        let source = flight.source.ip();
        let reached = self.memory.arrive(flight)?;
        let Address::Relayed(side) = reached else { return Ok(reached) };
        let permitted = self
            .checks
            .keys()
            .any(|(by, base, remote)| *by == side && *base == reached && remote.ip() == source);
        if permitted { Ok(reached) } else { Err(Loss::NoPermission(side)) }
    }
}

fn is_relayed(address: &Address) -> bool {
    matches!(address, Address::Relayed(_))
}
