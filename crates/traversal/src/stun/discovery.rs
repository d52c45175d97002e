//! NAT discovery: asks a STUN server what kind of NAT is in between.
//!
//! Two procedures are there. [`Procedure::Rfc5780`] finds mapping, filtering, hairpinning and lifetime, each on its own.
//! [`Procedure::Rfc3489`] is the older flow chart with its seven verdicts, kept as it was, blind spots included.
//!
//! A client needs sockets of its own, because what a test finds depends on what its socket has sent before: "These
//! tests are sensitive to prior state on the NAT" (RFC 5780 section 4.4). The driver binds as many as
//! [`Discovery::sockets_wanted`] says, hands them in with [`Discovery::add_socket`], and sends each
//! [`Transmit`] from the socket that it names. The last socket starts the client.
//!
//! ```
//! use natbed_packet::{Endpoint, Timestamp};
//! use natbed_traversal::stun::BindingServer;
//! use natbed_traversal::stun::discovery::{Config, Discovery, Finding, Procedure, Verdict};
//! use rand::SeedableRng;
//! use rand_xoshiro::Xoshiro256PlusPlus;
//!
//! let (primary, alternate) = (Endpoint::v4(198, 51, 100, 1, 3478), Endpoint::v4(198, 51, 100, 2, 3479));
//! let server = BindingServer::with_alternate(primary, alternate)?;
//! let rng = Xoshiro256PlusPlus::seed_from_u64(1);
//! let mut client = Discovery::new(Procedure::Rfc3489, Config::new(primary), rng);
//! let mut now = Timestamp::ZERO;
//! client.add_socket(now, Endpoint::v4(203, 0, 113, 1, 5000));
//!
//! let finding = loop {
//!     while let Some(request) = client.poll_transmit() {
//!         if let Some(response) = server.handle(request.to, request.from, &request.payload) {
//!             client.handle_input(now, response.to, response.from, &response.payload);
//!         }
//!     }
//!     if let Some(finding) = client.poll_event() {
//!         break finding;
//!     }
//!     now = client.poll_timeout().expect("a client that has found nothing yet has a timer");
//!     client.handle_timeout(now);
//! };
//! assert_eq!(finding, Finding::Verdict(Some(Verdict::Open)));
//! # Ok::<(), natbed_traversal::stun::server::AlternateError>(())
//! ```
//!
//! What it does not do: TCP, fragments (RFC 5780 section 3.5), authentication, and servers that speak RFC 3489 alone,
//! without the magic cookie.

mod behavior;
mod classic;
mod exchange;
mod filtering;
mod finding;
mod hairpin;
mod lifetime;
mod mapping;

use std::time::Duration;

use natbed_packet::{Endpoint, Timestamp};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::Schedule;
use crate::Transmit;
use behavior::BehaviorTests;
use classic::ClassicTests;
use exchange::{Answer, Exchange, Step};
pub use finding::{Behavior, Filtering, Finding, Lifetime, Mapping, Verdict};

/// A set of tests and the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Procedure {
    /// One property after the other (RFC 5780 section 4).
    Rfc5780,
    /// The flow chart of RFC 3489 section 10.1.
    Rfc3489,
}

/// What a [`Discovery`] has to go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The server, at its primary address and port.
    pub server: Endpoint,
    /// How requests are retransmitted and given up. Silence is a result here, so that it must be patient enough to be
    /// sure of it.
    pub schedule: Schedule,
    /// The longest lifetime to look for, in whole seconds. The search waits a few times as long.
    pub lifetime_limit: Duration,
}

impl Config {
    /// Asks `server` with the schedule of RFC 8489, and looks for lifetimes of up to two hours.
    pub fn new(server: Endpoint) -> Self {
        Self { server, schedule: Schedule::default(), lifetime_limit: Duration::from_secs(7200) }
    }
}

/// The client of a [`Procedure`]: one request at a time, at most ten a second (RFC 5780 section 5).
#[derive(Clone, Debug)]
pub struct Discovery {
    procedure: Procedure,
    config: Config,
    sockets: Vec<Endpoint>,
    exchange: Exchange,
    tests: Tests,
    finding: Option<Finding>,
}

/// How far the procedure is.
#[derive(Clone, Debug)]
enum Tests {
    /// It waits for sockets, or is over.
    Idle,
    Behavior(Box<BehaviorTests>),
    Classic(ClassicTests),
}

impl Procedure {
    /// How many sockets it needs.
    pub const fn sockets(self) -> usize {
        match self {
            Self::Rfc5780 => behavior::SOCKETS,
            Self::Rfc3489 => 1,
        }
    }
}

impl Discovery {
    /// A client that waits for its sockets.
    pub const fn new(procedure: Procedure, config: Config, rng: Xoshiro256PlusPlus) -> Self {
        let exchange = Exchange::new(rng);
        Self { procedure, config, sockets: Vec::new(), exchange, tests: Tests::Idle, finding: None }
    }

    /// How many sockets are still to be handed in before the client starts.
    pub fn sockets_wanted(&self) -> usize {
        self.procedure.sockets() - self.sockets.len()
    }

    /// Hands in the socket bound to `local`, which must have sent nothing before. The client starts when it has all
    /// that it wants; further ones are ignored.
    pub fn add_socket(&mut self, now: Timestamp, local: Endpoint) {
        if self.sockets_wanted() == 0 {
            return;
        }
        self.sockets.push(local);
        if self.sockets_wanted() > 0 {
            return;
        }
        let first = match self.procedure {
            Procedure::Rfc5780 => {
                let sockets = std::array::from_fn(|index| self.sockets[index]);
                let (tests, first) = BehaviorTests::new(&self.config, sockets);
                self.tests = Tests::Behavior(Box::new(tests));
                first
            }
            Procedure::Rfc3489 => {
                let (tests, first) = ClassicTests::new(&self.config, local);
                self.tests = Tests::Classic(tests);
                first
            }
        };
        self.exchange.ask(now, first);
    }

    /// Takes a datagram that came from `from` to the socket at `local`; `false` if it is nothing that this client
    /// waits for.
    pub fn handle_input(&mut self, now: Timestamp, local: Endpoint, from: Endpoint, bytes: &[u8]) -> bool {
        let answer = self.exchange.handle_input(local, from, bytes);
        answer.is_some_and(|answer| {
            self.go_on(now, answer);
            true
        })
    }

    /// Sends, retransmits or gives up what is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if let Some(answer) = self.exchange.handle_timeout(now) {
            self.go_on(now, answer);
        }
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.exchange.poll_transmit()
    }

    /// What the client has found, once.
    pub const fn poll_event(&mut self) -> Option<Finding> {
        self.finding.take()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` before the start and at the end.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.exchange.poll_timeout()
    }

    fn go_on(&mut self, now: Timestamp, answer: Answer) {
        let step = match &mut self.tests {
            Tests::Idle => return,
            Tests::Behavior(tests) => tests.next(answer).map(Finding::Behavior),
            Tests::Classic(tests) => tests.next(answer).map(Finding::Verdict),
        };
        match step {
            Step::Ask(ask) => self.exchange.ask(now, ask),
            Step::Done(finding) => {
                self.tests = Tests::Idle;
                self.finding = Some(finding);
            }
        }
    }
}

#[cfg(test)]
mod tests;
