//! From a pair of users to the scenario that runs.

use std::collections::{BTreeMap, BTreeSet};

use natbed_nat::Behavior;
use natbed_nat::behavior::Kind;
use toml::Spanned;

use super::{NatType, Pair, Population, UserType};
use crate::diagnose::Diagnostic;
use crate::peer::Registry;
use crate::scenario::leaf::Listed;
use crate::scenario::resolve::resolve;
use crate::scenario::resolved::{NatId, Scenario, Server, ServerId, ServerKind};
use crate::scenario::spec::{ConnectSpec, HostSpec, NatSpec, ScenarioSpec};

/// The hosts of a pair, and the NATs that there may be.
pub(super) const HOSTS: [&str; 2] = ["alice", "bob"];
const OWN: [&str; 2] = ["a", "b"];
const OUTER: [&str; 2] = ["carrier-a", "carrier-b"];
/// The names that no server of a population can have.
pub(super) const NAMES: [&str; 6] = [HOSTS[0], HOSTS[1], OWN[0], OWN[1], OUTER[0], OUTER[1]];

/// What decides about the addresses in and behind a NAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// It translates.
    Translating,
    /// It translates nothing: inside and outside are one address space.
    Transparent,
    /// It has an external address for each internal one.
    Static,
}

impl Class {
    fn of(behavior: &Behavior) -> Self {
        match behavior.kind {
            Kind::Nat => Self::Translating,
            Kind::Static => Self::Static,
            Kind::Firewall | Kind::None | Kind::UdpBlocked | Kind::TcpOnly => Self::Transparent,
        }
    }

    /// A preset of this class.
    const fn preset(self) -> &'static str {
        match self {
            Self::Translating => "port-restricted",
            Self::Transparent => "firewall",
            Self::Static => "static",
        }
    }
}

/// A user's own NAT, and the one that it is behind.
type Classes = (Class, Option<Class>);

fn classes(of_type: &UserType) -> Classes {
    let outer = of_type.behind.as_ref().map(|nat| Class::of(&nat.behavior));
    (Class::of(&of_type.nat.behavior), outer)
}

/// How the NATs of a pair are plugged together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Layout {
    users: [Classes; 2],
    same_network: bool,
}

/// A resolved scenario for each way in which the NATs of a pair can be plugged together.
#[derive(Clone, Debug)]
pub(super) struct Templates(BTreeMap<Layout, Template>);

/// A resolved scenario whose NATs are still of any type.
#[derive(Clone, Debug)]
struct Template {
    scenario: Scenario,
    /// Each user's own NAT, and the one that it is behind.
    nats: [(NatId, Option<NatId>); 2],
}

impl Templates {
    /// The templates of every pair that `types`, listed by group, can make. `base` has the servers.
    pub(super) fn new(
        base: &mut ScenarioSpec,
        groups: &[Vec<UserType>],
        source: &str,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut layouts = BTreeSet::new();
        let all: BTreeSet<Classes> = groups.iter().flatten().map(classes).collect();
        layouts.extend(both(&all).map(|users| Layout { users, same_network: false }));
        for types in groups {
            let mut behind: BTreeMap<&str, BTreeSet<Classes>> = BTreeMap::new();
            for of_type in types {
                match &of_type.behind {
                    Some(outer) => {
                        behind.entry(&outer.name).or_default().insert(classes(of_type));
                    }
                    None => {
                        layouts.insert(Layout { users: [classes(of_type); 2], same_network: true });
                    }
                }
            }
            let together = behind.values().flat_map(both);
            layouts.extend(together.map(|users| Layout { users, same_network: true }));
        }
        let template = |layout: Layout| Ok((layout, Template::new(base, layout, source)?));
        layouts.into_iter().map(template).collect::<Result<_, _>>().map(Self)
    }

    /// Whether the servers of all of them include a TURN server.
    pub(super) fn has_turn(&self) -> bool {
        let relays = |server: &Server| matches!(server.kind, ServerKind::Turn { .. });
        self.0.values().any(|template| template.scenario.servers.iter().any(relays))
    }

    /// The scenario of `pair` of `population`.
    pub(super) fn scenario(&self, population: &Population, pair: Pair, seed: u64) -> Scenario {
        let groups = pair.users.map(|user| &population.groups[user.group]);
        let types = [0, 1].map(|side| &groups[side].types[pair.users[side].of_type]);
        let layout = Layout { users: types.map(classes), same_network: pair.same_network };
        let Template { scenario, nats } =
            self.0.get(&layout).expect("a behaviour keeps its kind: every layout was there from the start");
        let mut scenario = scenario.clone();
        scenario.seed = seed;
        scenario.name = format!("{} and {}", describe(types[0]), describe(types[1]));
        for side in [1, 0] {
            let (own, outer) = nats[side];
            set_nat(&mut scenario, own, &types[side].nat);
            scenario.nats[own.index()].link = groups[side].link;
            if let (Some(outer), Some(of_type)) = (outer, &types[side].behind) {
                set_nat(&mut scenario, outer, of_type);
            }
            if !groups[side].turn {
                let stun_only = |id: &ServerId| matches!(scenario.servers[id.index()].kind, ServerKind::Stun);
                scenario.hosts[side].ice.servers.retain(stun_only);
            }
        }
        scenario
    }
}

/// Every two of `all`, in both orders.
fn both(all: &BTreeSet<Classes>) -> impl Iterator<Item = [Classes; 2]> {
    all.iter().flat_map(|a| all.iter().map(|b| [*a, *b]))
}

fn set_nat(scenario: &mut Scenario, id: NatId, of_type: &NatType) {
    let nat = &mut scenario.nats[id.index()];
    nat.type_name.clone_from(&of_type.name);
    nat.behavior.clone_from(&of_type.behavior);
}

fn describe(of_type: &UserType) -> String {
    match &of_type.behind {
        Some(outer) => format!("{} behind {}", of_type.nat.name, outer.name),
        None => of_type.nat.name.clone(),
    }
}

impl Template {
    fn new(base: &mut ScenarioSpec, layout: Layout, source: &str) -> Result<Self, Vec<Diagnostic>> {
        let mut plan = Plan { nats: Vec::new() };
        let mut nats = Vec::new();
        for (side, (own, outer)) in layout.users.into_iter().enumerate() {
            let shared = layout.same_network && side == 1;
            let user = match (outer, nats.first().copied()) {
                (Some(_), Some((_, Some(carrier)))) if shared => {
                    (plan.add(OWN[side], own, Some(OUTER[0])), Some(carrier))
                }
                (None, Some(first)) if shared => first,
                (Some(outer), _) => {
                    let carrier = plan.add(OUTER[side], outer, None);
                    (plan.add(OWN[side], own, Some(OUTER[side])), Some(carrier))
                }
                (None, _) => (plan.add(OWN[side], own, None), None),
            };
            nats.push(user);
        }
        let names: Vec<String> = plan.nats.iter().map(|(name, _)| name.get_ref().clone()).collect();
        let name = |user: &(NatId, Option<NatId>)| names[user.0.index()].clone();
        base.host =
            (0..2).map(|side| (made(HOSTS[side].to_owned()), made(host(name(&nats[side]))))).collect();
        base.connect = vec![made(connect())];
        base.nat = plan.nats;
        let scenario = resolve(base, source, &Registry::new())?;
        Ok(Self { scenario, nats: [nats[0], nats[1]] })
    }
}

/// The NATs of a template, so far.
struct Plan {
    nats: Vec<(Spanned<String>, Spanned<NatSpec>)>,
}

impl Plan {
    fn add(&mut self, name: &str, class: Class, behind: Option<&str>) -> NatId {
        let id = NatId::at(self.nats.len());
        let spec = NatSpec {
            kind: Some(made(class.preset().to_owned())),
            behind: behind.map(|outer| made(outer.to_owned())),
            lan: None,
            address: None,
            link: None,
            ipv6: None,
        };
        self.nats.push((made(name.to_owned()), made(spec)));
        id
    }
}

fn host(behind: String) -> HostSpec {
    let behind = Some(made(Listed(vec![made(behind)])));
    HostSpec { behind, on: None, address: None, link: None, ice: None, agent: None }
}

fn connect() -> ConnectSpec {
    ConnectSpec {
        from: made(HOSTS[0].to_owned()),
        to: made(HOSTS[1].to_owned()),
        expect: None,
        start: None,
        within: None,
        path: None,
        hold: None,
        after: None,
        channel: None,
    }
}

/// A value that stands nowhere in the file.
fn made<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}
