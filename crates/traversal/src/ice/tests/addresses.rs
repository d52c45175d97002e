//! Which addresses of the host are used, in which order, and told to whom (RFC 8421, RFC 8828).

use natbed_packet::{Endpoint, Timestamp};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::world::{Attachment, World, config};
use crate::ice::{Addresses, Agent, Candidate, CandidateType, Config, Event, Policy, Role, State};

fn endpoint(text: &str) -> Endpoint {
    text.parse().unwrap()
}

/// The host candidates' addresses of an agent with such interfaces, by priority.
fn order(config: Config, interfaces: &[&[&str]]) -> Vec<String> {
    let mut agent = Agent::new(config, Xoshiro256PlusPlus::seed_from_u64(1));
    let interfaces = interfaces.iter().map(|own| own.iter().map(|text| endpoint(text)).collect::<Vec<_>>());
    agent.add_interfaces(Timestamp::ZERO, &interfaces.collect::<Vec<_>>());
    let mut candidates = agent.local_candidates().copied().collect::<Vec<_>>();
    candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.priority));
    let mut priorities = candidates.iter().map(|candidate| candidate.priority).collect::<Vec<_>>();
    priorities.dedup();
    assert_eq!(priorities.len(), candidates.len(), "priorities are unique");
    candidates.iter().map(|candidate| candidate.address.ip.to_string()).collect()
}

#[test]
fn rfc8421_4_ipv6_has_a_head_start_and_then_the_families_take_turns() {
    let full = || Config::new(Role::Controlling);
    // "If a host has two IPv4 addresses and six IPv6 addresses, it will insert an IPv4 address after four IPv6 addresses".
    let first: &[&str] = &["10.0.0.1:1", "[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1"];
    let second: &[&str] = &["10.0.1.1:1", "[2001:db8:1::1]:1", "[2001:db8:1::2]:1", "[2001:db8:1::3]:1"];
    assert_eq!(
        order(full(), &[first, second]),
        [
            "2001:db8::1",
            "2001:db8::2",
            "2001:db8::3",
            "2001:db8:1::1",
            "10.0.0.1",
            "2001:db8:1::2",
            "10.0.1.1",
            "2001:db8:1::3"
        ]
    );
    assert_eq!(order(full(), &[&["10.0.0.1:1", "[2001:db8::1]:1"]]), ["2001:db8::1", "10.0.0.1"]);
    assert_eq!(
        order(full(), &[&["10.0.0.1:1"], &["10.0.1.1:1", "[2001:db8::1]:1"]]),
        ["2001:db8::1", "10.0.0.1", "10.0.1.1"],
        "IPv6 goes first from whichever interface"
    );
    assert_eq!(order(full(), &[&["10.0.0.1:1"], &["10.0.1.1:1"]]), ["10.0.0.1", "10.0.1.1"]);
    assert_eq!(order(full(), &[&["[2001:db8::1]:1"], &["[2001:db8::2]:1"]]), ["2001:db8::1", "2001:db8::2"]);
    assert!(order(full(), &[]).is_empty());
}

#[test]
fn rfc8828_5_2_modes_1_and_2_differ_by_the_interfaces_off_the_default_route() {
    let mode = |addresses| {
        let config = Config { addresses, ..Config::new(Role::Controlling) };
        order(config, &[&["10.0.0.1:1"], &["10.0.1.1:1", "[2001:db8::1]:1"], &["[2001:db8::2]:1"]])
    };
    assert_eq!(mode(Addresses::All), ["2001:db8::1", "2001:db8::2", "10.0.0.1", "10.0.1.1"]);
    // Each family has a default route of its own.
    assert_eq!(mode(Addresses::DefaultRouteAndLan), ["2001:db8::1", "10.0.0.1"]);
}

fn told(world: &World, side: usize) -> Vec<Candidate> {
    let told = world.sides[side].log.iter().filter_map(|(_, event)| match event {
        Event::LocalCandidate { candidate, .. } => Some(*candidate),
        _ => None,
    });
    told.collect()
}

fn world(attachment: Attachment, addresses: Addresses) -> World {
    let first = Config { addresses, ..config(Role::Controlling) };
    let mut world = World::with(attachment, Attachment::PORT_RESTRICTED, first, config(Role::Controlled), 1);
    world.start();
    world.connect(30.0);
    world
}

/// Whether any candidate names the address, be it as the related one.
fn mentions(told: &[Candidate], address: Endpoint) -> bool {
    told.iter().any(|candidate| candidate.address == address || candidate.related == Some(address))
}

#[test]
fn rfc8828_5_2_mode_3_connects_directly_and_tells_no_address_of_the_host() {
    let world = world(Attachment::PORT_RESTRICTED, Addresses::DefaultRoute);
    let (told, base) = (told(&world, 0), world.sides[0].bases[0]);
    assert!(told.iter().any(|candidate| candidate.kind == CandidateType::ServerReflexive));
    assert!(!mentions(&told, base), "{told:?}");
    assert!(told[0].to_string().ends_with("typ srflx raddr 0.0.0.0 rport 9"), "{}", told[0]);
    assert!(!world.selected(0).relayed);
    // In mode 2 the same host tells it.
    let world = self::world(Attachment::PORT_RESTRICTED, Addresses::DefaultRouteAndLan);
    assert!(mentions(&self::told(&world, 0), base));
}

#[test]
fn rfc8828_5_2_mode_3_needs_a_server_to_have_a_candidate_at_all() {
    let alone = Config { addresses: Addresses::DefaultRoute, ..Config::new(Role::Controlling) };
    let (a, b) = (Attachment::FULL_CONE, Attachment::PORT_RESTRICTED);
    let mut world = World::with(a, b, alone, config(Role::Controlled), 1);
    world.start();
    world.run(60.0);
    assert_eq!(told(&world, 0), []);
    assert_eq!(world.count(0, |event| matches!(event, Event::CheckSent { .. })), 0);
    assert_eq!(world.sides[0].agent.state(), State::Failed);
}

#[test]
fn rfc8828_5_2_mode_3_tells_an_address_that_no_nat_hides() {
    let world = world(Attachment::PUBLIC, Addresses::DefaultRoute);
    let told = told(&world, 0);
    let direct = told.iter().filter(|candidate| candidate.kind != CandidateType::Relayed);
    let direct = direct.map(|candidate| (candidate.kind, candidate.address)).collect::<Vec<_>>();
    assert_eq!(direct, [(CandidateType::Host, world.sides[0].bases[0])]);
}

#[test]
fn rfc8828_5_2_mode_4_sends_everything_through_the_relay() {
    let world = world(Attachment::FULL_CONE, Addresses::Proxy);
    let told = told(&world, 0);
    assert!(!told.is_empty());
    assert!(told.iter().all(|candidate| candidate.kind == CandidateType::Relayed));
    assert!(
        told.iter().all(|candidate| candidate.related.is_none()),
        "nor the address the relay knows it by"
    );
    assert!(world.selected(0).relayed);
    let mode = |addresses| Config { addresses, ..Config::new(Role::Controlling) }.relays_only();
    assert!(mode(Addresses::Proxy) && !mode(Addresses::DefaultRoute));
    assert!(Config { policy: Policy::Relay, ..Config::new(Role::Controlling) }.relays_only());
}

#[test]
fn rfc8445_6_1_2_4_reflexive_candidates_stand_for_their_bases_and_pairs_are_pruned() {
    let mut world = World::new(Attachment::PORT_RESTRICTED, Attachment::PORT_RESTRICTED);
    // All is gathered and told, nothing arrives.
    world.loss = Box::new(|_, _, to| to.ip.to_string().starts_with("203.0.113."));
    world.start();
    world.run(0.01);
    world.loss = Box::new(|_, from, _| from.port > 49_151);
    world.run(0.2);
    let agent = &world.sides[0].agent;
    let locals = agent.local_candidates().collect::<Vec<_>>();
    let reflexive = locals.iter().filter(|local| local.kind == CandidateType::ServerReflexive);
    assert!(reflexive.clone().count() > 0);
    let bases = locals
        .iter()
        .filter(|local| matches!(local.kind, CandidateType::Host | CandidateType::Relayed))
        .map(|local| local.address)
        .collect::<Vec<_>>();
    let mut pairs = agent.pairs().map(|(pair, _)| pair).collect::<Vec<_>>();
    assert!(pairs.iter().all(|pair| bases.contains(&pair.base)), "{pairs:?}");
    pairs.sort();
    let formed = pairs.len();
    pairs.dedup();
    assert_eq!(pairs.len(), formed);
    assert_eq!(formed, bases.len() * agent.remote_candidates().count());
}
