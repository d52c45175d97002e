//! A case: one network, its hosts, and what happens there.

use std::fmt;
use std::time::Duration;

use natbed_nat::Behavior;
use natbed_net::LinkConfig;

use super::write;
use crate::diagnose::Problems;
use crate::scenario::{self, Scenario, parse};

/// One network, its hosts, and what happens there: as much of a scenario as the strategies draw.
///
/// Nodes are told apart by name. A case whose names do not fit together is none, and [`Case::scenario`] says so.
#[derive(Clone, PartialEq)]
pub struct Case {
    /// The title of the scenario.
    pub title: String,
    /// Seed of every random stream.
    pub seed: u64,
    /// One-way delay of the signaling channel.
    pub signaling: Duration,
    /// STUN and TURN servers.
    pub servers: Vec<Server>,
    /// NATs and firewalls, the outer one before the inner one.
    pub nats: Vec<Middlebox>,
    /// Hosts.
    pub hosts: Vec<Host>,
    /// Connections to establish.
    pub connects: Vec<Connect>,
    /// Faults.
    pub faults: Vec<Fault>,
}

/// A STUN or TURN server on the internet.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// Whether it relays, too.
    pub turn: bool,
    /// Its uplink.
    pub link: LinkConfig,
}

/// A NAT or a firewall.
#[derive(Clone, Debug, PartialEq)]
pub struct Middlebox {
    /// Its name.
    pub name: String,
    /// The NAT that it is behind; `None`: on the internet.
    pub behind: Option<String>,
    /// What it does.
    pub behavior: Behavior,
    /// Its uplink.
    pub link: LinkConfig,
}

/// A host.
#[derive(Clone, Debug, PartialEq)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// The NAT that it is behind; `None`: on the internet.
    pub behind: Option<String>,
    /// Its uplink.
    pub link: LinkConfig,
    /// The servers that it asks.
    pub servers: Vec<String>,
    /// Its patience with paths that need no relay.
    pub relay_wait: Duration,
}

/// A connection to establish.
#[derive(Clone, Debug, PartialEq)]
pub struct Connect {
    /// The host that initiates.
    pub from: String,
    /// The host on the other side.
    pub to: String,
    /// When it begins.
    pub start: Duration,
    /// Undecided this long after its start, it has failed.
    pub within: Duration,
    /// How long it is kept up after set-up.
    pub hold: Duration,
}

/// A fault, or its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// When it strikes.
    pub at: Duration,
    /// The node.
    pub node: String,
    /// What happens to it.
    pub kind: FaultKind,
}

/// What happens to a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FaultKind {
    /// The NAT forgets every mapping.
    RebootNat,
    /// The uplink loses everything.
    LinkDown,
    /// The uplink works again.
    LinkUp,
    /// The uplink loses and duplicates packets with these probabilities from now on.
    SetLink {
        /// Probability that a packet is lost.
        loss: f64,
        /// Probability that a packet arrives twice.
        duplicate: f64,
    },
    /// The server answers nothing any more.
    StopServer,
    /// The server answers again.
    StartServer,
}

impl Connect {
    /// A connection from `from` to `to`, all else by default.
    pub fn between(from: &str, to: &str) -> Self {
        Self {
            from: from.to_owned(),
            to: to.to_owned(),
            start: Duration::ZERO,
            within: scenario::Connect::WITHIN,
            hold: Duration::ZERO,
        }
    }
}

impl Case {
    /// The scenario file, as short as it can be: a key is there only where it differs from its default.
    pub fn text(&self) -> String {
        write::text(self)
    }

    /// The scenario.
    ///
    /// # Errors
    /// Where names do not fit together or a value is out of its range; no strategy of the kit draws such a case.
    pub fn scenario(&self) -> Result<Scenario, Problems> {
        parse(self.text().as_bytes())
    }

    /// The NATs that a host is behind, outermost first.
    pub fn chain(&self, host: &str) -> Vec<&Middlebox> {
        let mut chain = Vec::new();
        let mut at = self.hosts.iter().find(|it| it.name == host).and_then(|host| host.behind.as_deref());
        while let Some(nat) = at.and_then(|name| self.nats.iter().find(|nat| nat.name == name)) {
            chain.insert(0, nat);
            at = nat.behind.as_deref();
        }
        chain
    }

    /// The NATs that more than one host is behind.
    pub fn shared(&self) -> impl Iterator<Item = &Middlebox> {
        self.nats.iter().filter(|nat| {
            let inside = |host: &&Host| self.chain(&host.name).iter().any(|around| around.name == nat.name);
            self.hosts.iter().filter(inside).count() > 1
        })
    }

    /// The case with each connection initiated by its other side.
    #[must_use]
    pub fn swapped(mut self) -> Self {
        for connect in &mut self.connects {
            std::mem::swap(&mut connect.from, &mut connect.to);
        }
        self
    }
}

impl fmt::Debug for Case {
    /// The scenario file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "save this as case.toml and ask `natbed explain case.toml`:\n\n{}", self.text())
    }
}
