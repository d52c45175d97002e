//! What should come of a pair of hosts, worked out apart from the simulation and held against it.
//!
//! [`predict`] is an interpreter over symbols. It knows no time, no ports and no packets' bytes: an address is 'what
//! NAT n shows of x toward y' ([`Address`]), a NAT is what it remembers of such addresses (`memory`), and the two ICE
//! agents check every pair again and again until nothing new is learnt (`checks`), as agents with endless patience on
//! a network without loss. Everything that a NAT or an agent remembers only grows, so that the end is one fixed point.
//! [`grid`] gives the plain 3 x 3 grid in closed form.
//!
//! The interpreter shares with the simulation the words of [`natbed_nat::behavior`] and nothing else. What it leaves
//! out: timeouts, limits and pools of addresses; hosts whose private addresses collide; conflicts over a preserved
//! port, for which it takes two sockets of one port, or one that an inner NAT lets out under two addresses as it exempts
//! some destinations; IPv6; more than one socket a host. Of numbers it knows those alone that
//! say what is exempt from translation: [`Pair::addresses`], and the port of the servers.
//!
//! Two axes let the order of packets decide, and [`Prediction::raced`] says so where it changes the outcome:
//!
//! - `unsolicited = "creates-state"`: on a NAT that preserves and overloads ports, a packet from R to port P that comes
//!   before anything was sent from P to R takes the place that the flow to R would have had; that flow then gets
//!   another port. Agents that start together pass each other's first checks on the way and lose nothing.
//! - `reply-mapping = "inbound-session"`: the first mapping that accepts a packet from R keeps the flow to R. One case is
//!   known in which another order leads elsewhere, and the interpreter does not see it, as its agents check a valid
//!   pair again: behind a NAT that hairpins with the internal source, R's answers come in through two mappings, and
//!   where the mappings depend on the destination, or a second layer makes them differ, the flow that moves gets a port
//!   which R never hears of.

mod address;
mod checks;
pub mod grid;
mod memory;
mod reason;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

pub use crate::outcome::Outcome;
use natbed_nat::behavior::Behavior;

pub use address::{Address, External, Ip, NatId, Toward};
pub use reason::{Fate, Finding, Loss};

use checks::{Order, Run};

/// Two hosts and every NAT between them and the internet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    /// NATs that both hosts are behind, outermost first: a carrier's, or the one NAT of both.
    pub shared: Vec<Behavior>,
    /// The initiator.
    pub a: Site,
    /// The other side.
    pub b: Site,
    /// The addresses that destinations exempt from translation are looked for among; the others are exempt nowhere.
    pub addresses: BTreeMap<Ip, IpAddr>,
}

/// One host with the NATs of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// NATs between the host and what both sides share, outermost first.
    pub nats: Vec<Behavior>,
    /// Whether the host has a STUN server to ask.
    pub stun: bool,
    /// Whether the host has a TURN server, over UDP.
    pub turn: bool,
}

impl Default for Site {
    /// A host of its own, with both servers.
    fn default() -> Self {
        Self { nats: Vec::new(), stun: true, turn: true }
    }
}

impl Site {
    /// A host behind `nats`, outermost first, with both servers.
    pub fn behind(nats: impl IntoIterator<Item = Behavior>) -> Self {
        Self { nats: nats.into_iter().collect(), ..Self::default() }
    }
}

/// One of the two sides of a [`Pair`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The initiator.
    A,
    /// The other.
    B,
}

impl Side {
    /// The other side.
    pub const fn peer(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "a",
            Self::B => "b",
        })
    }
}

/// An outcome and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prediction {
    /// The outcome when both sides send their checks before they receive any.
    pub outcome: Outcome,
    /// The outcome when one side's packets all come first, where that changes it.
    pub raced: Option<Outcome>,
    /// For `direct`, the check that succeeds. Else what became of the checks without a relay, for each side one check
    /// of each fate, and then the relayed check that succeeds, if one does.
    pub why: Vec<Finding>,
}

/// The outcome of ICE (RFC 8445) between the two hosts of `pair`.
///
/// ```
/// use natbed_lab::oracle::{Outcome, Pair, Site, predict};
/// use natbed_nat::presets;
///
/// let site = |name| Site::behind(presets::lookup(name).map(|preset| preset.behavior));
/// let pair = Pair { a: site("symmetric"), b: site("port-restricted"), ..Pair::default() };
/// let prediction = predict(&pair);
/// assert_eq!(prediction.outcome, Outcome::Relay);
/// for finding in prediction.why {
///     println!("{finding}"); // check of a from (a) to (b, mapped by b's NAT): the request is lost: b's NAT filters it
/// }
/// ```
pub fn predict(pair: &Pair) -> Prediction {
    let run = Run::new(pair, Order::Together);
    let outcome = run.outcome();
    let raced = [Side::A, Side::B]
        .map(|side| Run::new(pair, Order::First(side)).outcome())
        .into_iter()
        .find(|raced| *raced != outcome);
    Prediction { outcome, raced, why: run.findings() }
}
