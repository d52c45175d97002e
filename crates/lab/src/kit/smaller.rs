//! The ways to make a case simpler.

use std::time::Duration;

use natbed_net::LinkConfig;

use super::case::{Case, Connect, Fault};
use super::networks::{NAMES, SHARED, layer};
use super::simplify::Simplify;
use crate::scenario::{Ice, Scenario};

impl Simplify for Case {
    fn simpler(&self) -> Vec<Self> {
        let ways: [fn(&Self, &mut Vec<Self>); 10] = [
            fewer_faults,
            plain_links,
            fewer_connects,
            fewer_nats,
            simpler_nats,
            fewer_servers,
            plain_settings,
            simpler_links,
            plain_seed,
            plain_names,
        ];
        let mut steps = Vec::new();
        for way in ways {
            way(self, &mut steps);
        }
        steps.retain(|step| step != self);
        steps
    }
}

/// `case` after `change`.
fn with(case: &Case, change: impl FnOnce(&mut Case)) -> Case {
    let mut case = case.clone();
    change(&mut case);
    case
}

/// No faults, then one fault less, then each at a rounder time.
fn fewer_faults(case: &Case, steps: &mut Vec<Case>) {
    steps.push(with(case, |case| case.faults.clear()));
    steps.extend((0..case.faults.len()).map(|at| with(case, |case| drop(case.faults.remove(at)))));
    for (at, fault) in case.faults.iter().enumerate() {
        let second = Duration::from_secs(fault.at.as_secs());
        steps.push(with(case, |case| case.faults[at] = Fault { at: second, ..fault.clone() }));
    }
}

fn plain_links(case: &Case, steps: &mut Vec<Case>) {
    steps.push(with(case, |case| links(case).for_each(|link| *link = LinkConfig::default())));
}

fn links(case: &mut Case) -> impl Iterator<Item = &mut LinkConfig> {
    let nats = case.nats.iter_mut().map(|nat| &mut nat.link);
    let hosts = case.hosts.iter_mut().map(|host| &mut host.link);
    nats.chain(hosts).chain(case.servers.iter_mut().map(|server| &mut server.link))
}

/// One connection less, without the hosts that nothing then needs and their NATs.
fn fewer_connects(case: &Case, steps: &mut Vec<Case>) {
    for at in (0..case.connects.len()).filter(|_| case.connects.len() > 1) {
        steps.push(with(case, |case| {
            case.connects.remove(at);
            let Case { connects, hosts, .. } = case;
            hosts.retain(|host| connects.iter().any(|it| it.from == host.name || it.to == host.name));
            while let Some(empty) = case.nats.iter().position(|nat| is_empty(case, &nat.name)) {
                case.nats.remove(empty);
            }
            forget_faults(case);
        }));
    }
}

fn is_empty(case: &Case, nat: &str) -> bool {
    let mut behind =
        case.nats.iter().map(|nat| &nat.behind).chain(case.hosts.iter().map(|host| &host.behind));
    !behind.any(|behind| behind.as_deref() == Some(nat))
}

/// One NAT less; what was behind it comes out.
fn fewer_nats(case: &Case, steps: &mut Vec<Case>) {
    for at in 0..case.nats.len() {
        steps.push(with(case, |case| {
            let gone = case.nats.remove(at);
            let nats = case.nats.iter_mut().map(|nat| &mut nat.behind);
            for behind in nats.chain(case.hosts.iter_mut().map(|host| &mut host.behind)) {
                if behind.as_deref() == Some(&gone.name) {
                    behind.clone_from(&gone.behind);
                }
            }
            forget_faults(case);
        }));
    }
}

fn simpler_nats(case: &Case, steps: &mut Vec<Case>) {
    for (at, nat) in case.nats.iter().enumerate() {
        let simpler = nat.behavior.simpler().into_iter();
        steps.extend(simpler.map(|behavior| with(case, |case| case.nats[at].behavior = behavior)));
    }
}

/// One server less, then each host told of all that there are.
fn fewer_servers(case: &Case, steps: &mut Vec<Case>) {
    for at in 0..case.servers.len() {
        steps.push(with(case, |case| {
            let gone = case.servers.remove(at).name;
            case.hosts.iter_mut().for_each(|host| host.servers.retain(|server| *server != gone));
            forget_faults(case);
        }));
    }
    let all: Vec<String> = case.servers.iter().map(|server| server.name.clone()).collect();
    for at in 0..case.hosts.len() {
        steps.push(with(case, |case| case.hosts[at].servers.clone_from(&all)));
    }
}

/// Forgets the faults of nodes that are gone.
fn forget_faults(case: &mut Case) {
    let nats = case.nats.iter().map(|nat| nat.name.clone());
    let hosts = case.hosts.iter().map(|host| host.name.clone());
    let names: Vec<String> =
        nats.chain(hosts).chain(case.servers.iter().map(|server| server.name.clone())).collect();
    case.faults.retain(|fault| names.contains(&fault.node));
}

/// Numbers as they are by default, and the first host of each connection as its initiator.
fn plain_settings(case: &Case, steps: &mut Vec<Case>) {
    steps.push(with(case, |case| case.signaling = Scenario::SIGNALING_DELAY));
    for at in 0..case.hosts.len() {
        steps.push(with(case, |case| case.hosts[at].relay_wait = Ice::RELAY_WAIT));
    }
    let place = |name: &str| case.hosts.iter().position(|host| host.name == name);
    for (at, connect) in case.connects.iter().enumerate() {
        let mut step = |changed: Connect| steps.push(with(case, |case| case.connects[at] = changed));
        step(Connect { start: Duration::ZERO, ..connect.clone() });
        step(Connect { hold: Duration::ZERO, ..connect.clone() });
        if place(&connect.from) > place(&connect.to) {
            let (from, to) = (connect.to.clone(), connect.from.clone());
            step(Connect { from, to, ..connect.clone() });
        }
    }
}

/// One link simpler.
fn simpler_links(case: &Case, steps: &mut Vec<Case>) {
    for at in 0..case.nats.len() + case.hosts.len() + case.servers.len() {
        let simpler = links(&mut case.clone()).nth(at).map(|link| link.simpler());
        for link in simpler.into_iter().flatten() {
            steps.push(with(case, |case| links(case).skip(at).take(1).for_each(|it| *it = link)));
        }
    }
}

/// The first three seeds, in case that any does.
fn plain_seed(case: &Case, steps: &mut Vec<Case>) {
    steps.extend((1..=3).filter(|seed| *seed < case.seed).map(|seed| with(case, |case| case.seed = seed)));
}

/// The names that the strategies give to a network of this shape. Random streams hang on names, so this is a step too.
fn plain_names(case: &Case, steps: &mut Vec<Case>) {
    if case.hosts.len() > NAMES.len() {
        return;
    }
    let shared: Vec<&str> = case.shared().map(|nat| nat.name.as_str()).collect();
    let mut names = Vec::new();
    for (at, name) in shared.iter().enumerate() {
        names.push(((*name).to_owned(), layer(SHARED, at)));
    }
    for (host, name) in case.hosts.iter().zip(NAMES) {
        let own = case.chain(&host.name).into_iter().filter(|nat| !shared.contains(&nat.name.as_str()));
        for (at, nat) in own.enumerate() {
            names.push((nat.name.clone(), layer(&name[..1], at)));
        }
        names.push((host.name.clone(), name.to_owned()));
    }
    let rename = |name: &mut String| {
        if let Some((_, new)) = names.iter().find(|(old, _)| old == name) {
            name.clone_from(new);
        }
    };
    steps.push(with(case, |case| {
        let Case { nats, hosts, connects, faults, .. } = case;
        nats.iter_mut().for_each(|nat| rename(&mut nat.name));
        nats.iter_mut().filter_map(|nat| nat.behind.as_mut()).for_each(rename);
        hosts.iter_mut().for_each(|host| rename(&mut host.name));
        hosts.iter_mut().filter_map(|host| host.behind.as_mut()).for_each(rename);
        connects.iter_mut().flat_map(|connect| [&mut connect.from, &mut connect.to]).for_each(rename);
        faults.iter_mut().for_each(|fault| rename(&mut fault.node));
    }));
}
