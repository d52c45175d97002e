//! Asks simulated NATs what they are: RFC 5780 and RFC 3489 discovery run through each, configured against discovered.

mod judge;
mod peer;
mod report;

use std::time::Duration;

use natbed_nat::behavior::{Behavior, Filtering, Mapping};
use natbed_net::stream::stream;
use natbed_packet::{Endpoint, Family, Timestamp};
use natbed_traversal::stun::discovery::{self, Config, Discovery, Finding, Procedure};

use crate::lower::{LowerError, lower};
use crate::matrix::{MatrixError, write_nat};
use crate::peer::Peer;
use crate::scenario::{self, HostId, Scenario, ServerId};

pub use judge::{filtering, mapping};
pub use natbed_traversal::stun::discovery::{Lifetime, Verdict};
pub use peer::DiscoveryPeer;
pub use report::ClassifyReport;

/// Lifetimes beyond a day are not looked for.
const LIFETIME_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Some NAT types, each with what it is and what it seems to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Classification {
    /// The seed of every run.
    pub seed: u64,
    /// One for each type, in order.
    pub nats: Vec<Classified>,
}

/// One NAT type.
#[derive(Clone, Debug, PartialEq)]
pub struct Classified {
    /// Its name.
    pub type_name: String,
    /// What it does, axis by axis.
    pub behavior: Behavior,
    /// What discovery should say of it.
    pub configured: Configured,
    /// What it seems to be.
    pub discovered: Discovered,
}

/// What a perfect discovery would find; `None` where there is nothing to find.
///
/// What translates nothing counts as endpoint-independent mapping, as RFC 5780 section 4.3 has it, and has no
/// hairpinning. What drops UDP has no behaviour at all. What keeps no state (`none`, `static`) has no lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Configured {
    /// Mapping.
    pub mapping: Option<Mapping>,
    /// Filtering.
    pub filtering: Option<Filtering>,
    /// How long a remote may send in after the last packet to it: the shorter one of `udp-timeout` and `filter-timeout`.
    pub lifetime: Option<Duration>,
    /// Whether packets from inside to an external endpoint come back in.
    pub hairpinning: Option<bool>,
}

/// What the two procedures found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discovered {
    /// By RFC 5780.
    pub rfc5780: discovery::Behavior,
    /// By RFC 3489 section 10.1; `None` where the server has one address.
    pub rfc3489: Option<Verdict>,
}

/// A property that discovery found otherwise than configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The mapping.
    Mapping,
    /// The filtering.
    Filtering,
    /// The lifetime.
    Lifetime,
    /// The hairpinning.
    Hairpinning,
}

impl Classification {
    /// Classifies each of `types` with `seed`, each with `overrides` of its axes (name and value).
    ///
    /// # Errors
    /// When a type or an axis is unknown, or a value is none of its axis.
    pub fn run(types: &[String], overrides: &[(String, String)], seed: u64) -> Result<Self, MatrixError> {
        let classify = |kind: &String| {
            let text = scenario_text(kind, overrides, seed);
            let scenario = scenario::parse(text.as_bytes()).map_err(MatrixError::Scenario)?;
            let behavior = scenario.nats[0].behavior.clone();
            let discovered =
                discover(&scenario, HostId::at(0), ServerId::at(0), seed).map_err(MatrixError::Network)?;
            let configured = Configured::of(&behavior);
            Ok(Classified { type_name: kind.clone(), behavior, configured, discovered })
        };
        let nats = types.iter().map(classify).collect::<Result<_, _>>()?;
        Ok(Self { seed, nats })
    }
}

/// The scenario of one type: a host behind its NAT, and a STUN server with two addresses.
pub fn scenario_text(kind: &str, overrides: &[(String, String)], seed: u64) -> String {
    let mut text = format!("format = 1\nname = \"Classify\"\nseed = {seed}\n\n[stun.server]\n");
    write_nat(&mut text, "nat", kind, overrides);
    text += "\n[host.client]\nbehind = \"nat\"\n";
    text
}

/// Runs both procedures on `host` against `server`, each in a network of its own, so that neither meets the other's
/// traces in a table.
///
/// # Errors
/// When the network cannot be built.
pub fn discover(
    scenario: &Scenario,
    host: HostId,
    server: ServerId,
    seed: u64,
) -> Result<Discovered, LowerError> {
    let run = |procedure| run(scenario, host, server, seed, procedure);
    let (mut rfc5780, mut rfc3489) = (discovery::Behavior::default(), None);
    for procedure in [Procedure::Rfc5780, Procedure::Rfc3489] {
        match run(procedure)? {
            Some(Finding::Behavior(behavior)) => rfc5780 = behavior,
            Some(Finding::Verdict(verdict)) => rfc3489 = verdict,
            None => {}
        }
    }
    Ok(Discovered { rfc5780, rfc3489 })
}

/// What `procedure` finds; `None` if the host has no address of the server's family.
fn run(
    scenario: &Scenario,
    host: HostId,
    server: ServerId,
    seed: u64,
    procedure: Procedure,
) -> Result<Option<Finding>, LowerError> {
    let mut lowered = lower(scenario, seed)?;
    let simulator = &mut lowered.simulator;
    let server = Endpoint::new(scenario[server].addresses[0], scenario[server].ports[0]);
    let mut own = scenario[host].interfaces.iter().flat_map(|interface| &interface.addresses);
    let Some(ip) = own.find(|ip| Family::of(**ip) == server.family()) else { return Ok(None) };

    let config = Config { lifetime_limit: LIFETIME_LIMIT, ..Config::new(server) };
    let client = Discovery::new(procedure, config, stream(seed, &scenario[host].name, "discovery"));
    let peer = Peer::Discovery(Box::new(DiscoveryPeer::new(client)));
    let program = simulator.add_program(lowered.hosts[host.index()], peer);
    let bind = |_| simulator.bind(program, Endpoint::new(*ip, 0)).ok();
    let sockets = (0..procedure.sockets()).filter_map(bind).collect();
    simulator.with_program(program, |peer, _| {
        if let Peer::Discovery(peer) = peer {
            peer.place(sockets);
        }
    });
    simulator.start(program, Timestamp::ZERO);
    loop {
        let finding = simulator.program(program).discovery().and_then(DiscoveryPeer::finding);
        if finding.is_some() || !simulator.step() {
            return Ok(finding);
        }
    }
}

#[cfg(test)]
mod tests;
