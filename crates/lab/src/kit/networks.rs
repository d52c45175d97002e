//! Whole networks at random, with their connections and faults.

use std::ops::RangeInclusive;
use std::time::Duration;

use natbed_nat::{Behavior, presets};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::NewTree;
use proptest::test_runner::{Reason, TestRunner};

use super::behaviors::{behaviors, preset, shared_behaviors};
use super::case::{Case, Connect, Fault, FaultKind, Host, Middlebox, Server};
use super::draw;
use super::links::Links;
use super::simplify::Steps;
use crate::scenario::Ice;

/// The names of hosts; the NATs of each are called by its first letter.
pub(super) const NAMES: [&str; 8] = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"];

const STUN: &str = "stun1";
const TURN: &str = "turn1";
/// The outermost NAT around all hosts.
pub(super) const SHARED: &str = "shared";

/// The most hosts that there may be.
pub const MOST_HOSTS: usize = NAMES.len();

/// Networks at random: hosts, each behind NATs of its own, perhaps all behind the same one, with STUN and TURN servers.
///
/// They shrink towards the smallest network that fails and that could have been drawn: without faults, with plain links,
/// with as few nodes as can be, each NAT the simplest.
#[derive(Clone, Debug)]
pub struct Networks {
    hosts: RangeInclusive<usize>,
    own: RangeInclusive<usize>,
    shared: RangeInclusive<usize>,
    /// What NATs may do, if not everything.
    types: Option<Vec<Behavior>>,
    links: Links,
    faults: usize,
    turn: bool,
    servers: Servers,
}

/// Which servers a host asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Servers {
    /// All of them.
    All,
    /// One host in four lacks one or both.
    Some,
}

/// Two hosts, each behind up to two NATs of its own and half of the time both behind another, links sound, no faults.
pub fn networks() -> Networks {
    Networks {
        hosts: 2..=2,
        own: 0..=2,
        shared: 0..=1,
        types: None,
        links: Links::Sound,
        faults: 0,
        turn: true,
        servers: Servers::All,
    }
}

impl Networks {
    /// So many hosts, two to [`MOST_HOSTS`]; the first connects to each of the others.
    #[must_use]
    pub fn hosts(mut self, count: RangeInclusive<usize>) -> Self {
        let most = |count: &usize| (*count).clamp(2, MOST_HOSTS);
        self.hosts = most(count.start())..=most(count.end());
        self
    }

    /// So many NATs around each host alone.
    #[must_use]
    pub fn own_nats(mut self, count: RangeInclusive<usize>) -> Self {
        self.own = count;
        self
    }

    /// So many NATs around all hosts.
    #[must_use]
    pub fn shared_nats(mut self, count: RangeInclusive<usize>) -> Self {
        self.shared = count;
        self
    }

    /// Every NAT is one of the four classic types.
    #[must_use]
    pub fn classic(self) -> Self {
        self.types(presets::CLASSIC.map(preset))
    }

    /// Every NAT is one of RFC 4787's grid of mappings and filterings.
    #[must_use]
    pub fn grid(self) -> Self {
        self.types(presets::GRID.map(preset))
    }

    /// Every NAT does what one of `types` does; by default they are as [`behaviors`] has them.
    #[must_use]
    pub fn types(mut self, types: impl IntoIterator<Item = Behavior>) -> Self {
        self.types = Some(types.into_iter().collect());
        self
    }

    /// What every link is like.
    #[must_use]
    pub const fn links(mut self, links: Links) -> Self {
        self.links = links;
        self
    }

    /// Up to so many faults within the first 20 seconds.
    #[must_use]
    pub const fn faults(mut self, most: usize) -> Self {
        self.faults = most;
        self
    }

    /// There is no TURN server.
    #[must_use]
    pub const fn without_turn(mut self) -> Self {
        self.turn = false;
        self
    }

    /// One host in four is told of one server alone, or of none; a server that nobody needs is left out of what fails.
    #[must_use]
    pub const fn missing_servers(mut self) -> Self {
        self.servers = Servers::Some;
        self
    }

    fn case(&self, runner: &mut TestRunner) -> Result<Case, Reason> {
        if [&self.hosts, &self.own, &self.shared].iter().any(|count| count.is_empty()) {
            return Err("a number of hosts or NATs is to be in an empty range".into());
        }
        if self.types.as_ref().is_some_and(Vec::is_empty) {
            return Err("there are no types for NATs to have".into());
        }
        let mut case = Case {
            title: String::new(),
            seed: draw(&(0..1_000_000_u64), runner)?,
            signaling: Duration::from_millis(draw(&(0..500_u64), runner)?),
            servers: Vec::new(),
            nats: Vec::new(),
            hosts: Vec::new(),
            connects: Vec::new(),
            faults: Vec::new(),
        };
        for (name, turn) in [(STUN, false), (TURN, true)].into_iter().filter(|(_, turn)| self.turn || !turn) {
            case.servers.push(Server { name: name.to_owned(), turn, link: Default::default() });
        }
        let around = draw(&self.shared.clone(), runner)?;
        let (inner, outer) = match &self.types {
            Some(types) => (select(types.clone()).boxed(), select(types.clone()).boxed()),
            None => (behaviors().boxed(), shared_behaviors().boxed()),
        };
        let around = self.nats(&mut case, SHARED, around, None, &outer, runner)?;
        for name in &NAMES[..draw(&self.hosts.clone(), runner)?] {
            let own = draw(&self.own.clone(), runner)?;
            let behind = self.nats(&mut case, &name[..1], own, around.clone(), &inner, runner)?;
            case.hosts.push(Host {
                name: (*name).to_owned(),
                behind,
                link: draw(&self.links, runner)?,
                servers: self.asks(runner)?,
                relay_wait: Ice::RELAY_WAIT,
            });
        }
        self.connect(&mut case, runner)?;
        for _ in 0..draw(&(0..=self.faults), runner)? {
            let fault = fault(&case, runner)?;
            case.faults.push(fault);
        }
        Ok(case)
    }

    /// Adds `count` NATs, one behind the other, the first behind `outer`; the innermost of them.
    fn nats(
        &self,
        case: &mut Case,
        name: &str,
        count: usize,
        outer: Option<String>,
        behaviors: &BoxedStrategy<Behavior>,
        runner: &mut TestRunner,
    ) -> Result<Option<String>, Reason> {
        let mut behind = outer;
        for layer in 0..count {
            let name = self::layer(name, layer);
            let (behavior, link) = (draw(behaviors, runner)?, draw(&self.links, runner)?);
            case.nats.push(Middlebox { name: name.clone(), behind, behavior, link });
            behind = Some(name);
        }
        Ok(behind)
    }

    /// Whether `case` has as many nodes as it may have, and NATs of the given types.
    fn allow(&self, case: &Case) -> bool {
        let servers = 1 + usize::from(self.turn);
        let served = self.servers == Servers::Some
            || case.servers.len() == servers && case.hosts.iter().all(|host| host.servers.len() == servers);
        let shared = case.shared().count();
        let own = |host: &Host| case.chain(&host.name).len().saturating_sub(shared);
        let known = |nat: &Middlebox| self.types.as_ref().is_none_or(|types| types.contains(&nat.behavior));
        served
            && self.hosts.contains(&case.hosts.len())
            && self.shared.contains(&shared)
            && case.hosts.iter().all(|host| self.own.contains(&own(host)))
            && case.nats.iter().all(known)
    }

    fn asks(&self, runner: &mut TestRunner) -> Result<Vec<String>, Reason> {
        let every = if self.turn { &[STUN, TURN][..] } else { &[STUN] };
        let some = prop_oneof![
            9 => Just(every),
            1 => Just(&every[..1]),
            1 => Just(&every[every.len() - 1..]),
            1 => Just(&every[..0]),
        ];
        let asked = if self.servers == Servers::All { every } else { draw(&some, runner)? };
        Ok(asked.iter().map(ToString::to_string).collect())
    }

    /// Connects the first host with each other one; either may initiate, within the first two seconds.
    fn connect(&self, case: &mut Case, runner: &mut TestRunner) -> Result<(), Reason> {
        for other in 1..case.hosts.len() {
            let (initiates, start) = draw(&(any::<bool>(), 0..2000_u64), runner)?;
            let [first, other] = [0, other].map(|at| case.hosts[at].name.as_str());
            let (from, to) = if initiates { (first, other) } else { (other, first) };
            let connect = Connect::between(from, to);
            case.connects.push(Connect { start: Duration::from_millis(start), ..connect });
        }
        Ok(())
    }
}

/// The name of a NAT `depth` layers inside of the one called `name`.
pub(super) fn layer(name: &str, depth: usize) -> String {
    if depth == 0 { name.to_owned() } else { format!("{name}{}", depth + 1) }
}

/// A fault of any kind on any node that it can strike.
fn fault(case: &Case, runner: &mut TestRunner) -> Result<Fault, Reason> {
    let names = |kind: FaultKind| -> Vec<String> {
        let nats = case.nats.iter().map(|nat| nat.name.clone());
        let servers = case.servers.iter().map(|server| server.name.clone());
        match kind {
            FaultKind::RebootNat => nats.collect(),
            FaultKind::StopServer | FaultKind::StartServer => servers.collect(),
            _ => nats.chain(case.hosts.iter().map(|host| host.name.clone())).chain(servers).collect(),
        }
    };
    let mut kinds = vec![
        FaultKind::LinkDown,
        FaultKind::LinkUp,
        FaultKind::SetLink { loss: 0.4, duplicate: 0.4 },
        FaultKind::StopServer,
        FaultKind::StartServer,
    ];
    if !case.nats.is_empty() {
        kinds.push(FaultKind::RebootNat);
    }
    let (kind, at) = draw(&(select(kinds), 0..20_000_u64), runner)?;
    Ok(Fault { at: Duration::from_millis(at), node: draw(&select(names(kind)), runner)?, kind })
}

impl Strategy for Networks {
    type Tree = Steps<Case>;
    type Value = Case;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let case = self.case(runner)?;
        let networks = self.clone();
        Ok(Steps::within(case, move |case| networks.allow(case)))
    }
}
