//! Node names: what they stand for, and what is wrong with a reference.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use toml::Spanned;

use super::resolved::{HostId, NatId, NetworkId, NodeId, ServerId};
use super::spec::ScenarioSpec;
use crate::diagnose::{Diagnostic, did_you_mean, quoted};

/// What a node name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Named {
    Network(NetworkId),
    Nat(NatId),
    Host(HostId),
    Stun(ServerId),
    Turn(ServerId),
}

/// A set of families that a reference may point into.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    /// The noun for it.
    pub(super) noun: &'static str,
    matches: fn(Named) -> bool,
}

impl Named {
    pub(super) const NAT: Wanted = Wanted { noun: "nat", matches: |named| matches!(named, Self::Nat(_)) };
    pub(super) const NETWORK: Wanted =
        Wanted { noun: "network", matches: |named| matches!(named, Self::Network(_)) };
    pub(super) const HOST: Wanted = Wanted { noun: "host", matches: |named| matches!(named, Self::Host(_)) };
    pub(super) const SERVER: Wanted =
        Wanted { noun: "server", matches: |named| matches!(named, Self::Stun(_) | Self::Turn(_)) };
    pub(super) const TURN: Wanted =
        Wanted { noun: "turn server", matches: |named| matches!(named, Self::Turn(_)) };
    pub(super) const NODE: Wanted =
        Wanted { noun: "nat, host or server", matches: |named| !matches!(named, Self::Network(_)) };
    pub(super) const LEG: Wanted =
        Wanted { noun: "nat or network", matches: |named| matches!(named, Self::Nat(_) | Self::Network(_)) };

    /// The node, if the name is not that of a network.
    pub(super) const fn node(self) -> Option<NodeId> {
        match self {
            Self::Network(_) => None,
            Self::Nat(id) => Some(NodeId::Nat(id)),
            Self::Host(id) => Some(NodeId::Host(id)),
            Self::Stun(id) | Self::Turn(id) => Some(NodeId::Server(id)),
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Network(_) => "network",
            Self::Nat(_) => "nat",
            Self::Host(_) => "host",
            Self::Stun(_) => "stun server",
            Self::Turn(_) => "turn server",
        })
    }
}

/// Every node name of a file.
pub(super) struct Names<'s> {
    entries: BTreeMap<&'s str, Named>,
    /// All of them in file order, with their places.
    pub(super) in_order: Vec<(&'s Spanned<String>, Named)>,
}

impl<'s> Names<'s> {
    /// The names of `spec`; one that is there twice is reported at its second place.
    pub(super) fn of(spec: &'s ScenarioSpec, source: &str, problems: &mut Vec<Diagnostic>) -> Self {
        let mut in_order: Vec<(&Spanned<String>, Named)> = Vec::new();
        in_order.extend(numbered(&spec.network, |at| Named::Network(NetworkId::at(at))));
        in_order.extend(numbered(&spec.nat, |at| Named::Nat(NatId::at(at))));
        in_order.extend(numbered(&spec.host, |at| Named::Host(HostId::at(at))));
        in_order.extend(servers(spec));
        in_order.sort_by_key(|(name, _)| name.span().start);
        let mut entries = BTreeMap::new();
        for (name, named) in &in_order {
            if let Some(first) = entries.get(name.get_ref().as_str()) {
                let place = in_order.iter().find(|(_, other)| other == first).map(|(name, _)| name.span());
                let line = source[..place.map_or(0, |span| span.start)].matches('\n').count() + 1;
                let message = format!("{} is the name of two nodes", quoted(name.get_ref()));
                let problem = Diagnostic::new("duplicate-name", name.span(), message);
                problems.push(problem.label(format!("the {first} of line {line} has this name")));
            } else {
                entries.insert(name.get_ref().as_str(), *named);
            }
        }
        Self { entries, in_order }
    }

    /// What `name` stands for, if it is among `wanted`; else a problem whose message begins with `sentence`, such as
    /// 'host `alice` is behind `x`'.
    pub(super) fn find(
        &self,
        name: &Spanned<String>,
        wanted: Wanted,
        sentence: &str,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Named> {
        self.find_at(name.get_ref(), name.span(), wanted, sentence, problems)
    }

    /// As [`Names::find`], for a part of a value.
    pub(super) fn find_at(
        &self,
        name: &str,
        span: Range<usize>,
        wanted: Wanted,
        sentence: &str,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Named> {
        match self.entries.get(name) {
            Some(named) if (wanted.matches)(*named) => return Some(*named),
            Some(named) => {
                let problem = Diagnostic::new("wrong-kind", span, format!("{sentence}, which is a {named}"));
                problems.push(problem.label(format!("expected a {}", wanted.noun)));
            }
            None => {
                let near = did_you_mean(name, self.all(wanted));
                let help = near.map(|near| format!("did you mean `{near}`?"));
                let problem =
                    Diagnostic::new("unknown-node", span, format!("{sentence}, which does not exist"));
                problems.push(problem.label(format!("no {} has this name", wanted.noun)).help(help));
            }
        }
        None
    }

    /// Whether some node has this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// What `name` stands for.
    pub(super) fn get(&self, name: &str) -> Option<Named> {
        self.entries.get(name).copied()
    }

    fn all(&self, wanted: Wanted) -> impl Iterator<Item = &'s str> {
        self.in_order
            .iter()
            .filter(move |(_, named)| (wanted.matches)(*named))
            .map(|(name, _)| name.get_ref().as_str())
    }
}

fn numbered<T>(
    family: &[(Spanned<String>, T)],
    id: impl Fn(usize) -> Named,
) -> impl Iterator<Item = (&Spanned<String>, Named)> {
    family.iter().enumerate().map(move |(at, (name, _))| (name, id(at)))
}

/// STUN and TURN servers share their numbers, in file order.
fn servers(spec: &ScenarioSpec) -> Vec<(&Spanned<String>, Named)> {
    let stun = spec.stun.iter().map(|(name, _)| (name, Named::Stun as fn(ServerId) -> Named));
    let turn = spec.turn.iter().map(|(name, _)| (name, Named::Turn as fn(ServerId) -> Named));
    let mut servers: Vec<_> = stun.chain(turn).collect();
    servers.sort_by_key(|(name, _)| name.span().start);
    servers.into_iter().enumerate().map(|(at, (name, kind))| (name, kind(ServerId::at(at)))).collect()
}
