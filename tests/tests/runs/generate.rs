//! Networks at random, as the kit draws them.

use std::time::Duration;

use natbed_lab::kit::{Case, Links, Middlebox, networks};
use natbed_nat::behavior::{Hairpinning, Mapping, ReplyMapping};
use proptest::prelude::*;

/// Two hosts, with up to `shared` NATs around both and up to `depth` around each; some lack servers.
pub(crate) fn case(links: Links, shared: usize, depth: usize) -> impl Strategy<Value = Case> {
    faulty(links, shared, depth, 0)
}

/// The same, with faults of every kind on hosts, NATs and servers.
pub(crate) fn with_faults(links: Links, shared: usize, depth: usize) -> impl Strategy<Value = Case> {
    faulty(links, shared, depth, 5)
}

fn faulty(links: Links, shared: usize, depth: usize, faults: usize) -> impl Strategy<Value = Case> {
    let networks = networks().links(links).shared_nats(0..=shared).own_nats(0..=depth);
    networks
        .missing_servers()
        .faults(faults)
        .prop_map(without_moved_sessions)
        .prop_map(without_one_port_for_two)
}

/// `case` with its connections kept up for `seconds`.
pub(crate) fn holding(mut case: Case, seconds: u64) -> Case {
    case.connects.iter_mut().for_each(|connect| connect.hold = Duration::from_secs(seconds));
    case
}

/// Takes the one known race out of a case. A NAT around both that turns packets around with their internal source shows
/// a peer under two addresses, so that its answers come in through two mappings of a NAT with `inbound-session`. The
/// first to arrive moves the flow, perhaps after the other pair has succeeded, which nobody checks again
/// (RFC 8445 section 7.3.1.4). Where the mappings differ, or a second layer makes them differ, the flow gets a port that
/// the peer never hears of.
fn without_moved_sessions(mut case: Case) -> Case {
    let names = |nats: Vec<&Middlebox>| -> Vec<String> { nats.iter().map(|nat| nat.name.clone()).collect() };
    let around = names(case.shared().collect());
    let turns_around = |nat: &&Middlebox| nat.behavior.hairpinning == Hairpinning::InternalSource;
    if case.shared().any(|nat| turns_around(&nat)) {
        for host in case.hosts.clone() {
            let mut own = names(case.chain(&host.name));
            own.retain(|nat| !around.contains(nat));
            for nat in case.nats.iter_mut().filter(|nat| own.contains(&nat.name)) {
                if own.len() > 1 || nat.behavior.mapping != Mapping::EndpointIndependent {
                    nat.behavior.reply_mapping = ReplyMapping::Outbound;
                }
            }
        }
    }
    case
}

/// Takes the chance out of a case that two sockets have one port. A NAT that exempts some destinations lets a socket out
/// under two addresses, and where ports are kept both want the same one of an outer NAT, which shares it between them if
/// it overloads ports.
fn without_one_port_for_two(mut case: Case) -> Case {
    let overloads = |name: &Option<String>, case: &Case| -> bool {
        let outer = |name: &Option<String>| case.nats.iter().find(|nat| Some(&nat.name) == name.as_ref());
        let chain = std::iter::successors(outer(name), |nat| outer(&nat.behind));
        chain.into_iter().any(|nat| nat.behavior.port_overloading)
    };
    for at in 0..case.nats.len() {
        if overloads(&case.nats[at].behind, &case) {
            case.nats[at].behavior.exempt.clear();
        }
    }
    case
}
