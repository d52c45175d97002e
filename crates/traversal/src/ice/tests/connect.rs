//! What connects, and how.

use std::time::Duration;

use bytes::Bytes;
use natbed_packet::Timestamp;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::world::{Attachment, Scope, World, config};
use crate::ice::{CandidateType, CheckFailure, Config, Event, Policy, Role};

fn types(world: &World, side: usize) -> (CandidateType, CandidateType) {
    let pair = world.selected(side);
    (pair.local.kind, pair.remote.kind)
}

fn connect(a: Attachment, b: Attachment) -> World {
    let mut world = World::new(a, b);
    world.start();
    world.connect(30.0);
    world
}

#[test]
fn public_hosts_connect_host_to_host_within_a_few_round_trips() {
    let world = connect(Attachment::PUBLIC, Attachment::PUBLIC);
    assert_eq!(types(&world, 0), (CandidateType::Host, CandidateType::Host));
    assert!(!world.selected(0).relayed);
    assert!(world.now < Timestamp::from_millis(300), "{}", world.now);
}

#[test]
fn hosts_behind_one_nat_use_host_candidates() {
    let shared = Attachment { shared: true, ..Attachment::PORT_RESTRICTED };
    let world = connect(Attachment::PORT_RESTRICTED, shared);
    assert_eq!(types(&world, 0), (CandidateType::Host, CandidateType::Host));
}

#[test]
fn port_restricted_pair_connects_over_server_reflexive_candidates() {
    let world = connect(Attachment::PORT_RESTRICTED, Attachment::PORT_RESTRICTED);
    assert_eq!(types(&world, 0), (CandidateType::ServerReflexive, CandidateType::ServerReflexive));
    assert_eq!(types(&world, 1), (CandidateType::ServerReflexive, CandidateType::ServerReflexive));
    assert!(world.now < Timestamp::from_millis(600), "{}", world.now);
}

#[test]
fn symmetric_meets_address_restricted_through_peer_reflexive_learning() {
    let world = connect(Attachment::SYMMETRIC, Attachment::ADDRESS_RESTRICTED);
    assert_eq!(types(&world, 0), (CandidateType::PeerReflexive, CandidateType::ServerReflexive));
    assert_eq!(types(&world, 1), (CandidateType::ServerReflexive, CandidateType::PeerReflexive));
}

#[test]
fn symmetric_meets_port_restricted_through_a_relay_after_relay_wait() {
    let world = connect(Attachment::SYMMETRIC, Attachment::PORT_RESTRICTED);
    assert!(world.selected(0).relayed && world.selected(1).relayed);
    assert!(world.now > Timestamp::from_secs(2) && world.now < Timestamp::from_secs(3), "{}", world.now);
}

/// The table of what should connect, for any order of starts and any delays, when nothing is lost.
#[test]
fn order_and_delay_change_no_outcome() {
    for a in Attachment::CLASSIC {
        for b in Attachment::CLASSIC {
            let relay = [a, b].iter().all(|nat| nat.filtering == Scope::AddressAndPort)
                && [a, b].contains(&Attachment::SYMMETRIC);
            for (delay_a, delay_b, signaling, start_a, start_b) in [
                (10, 10, 50, 0, 0),
                (1, 1, 1, 0, 0),
                (10, 200, 50, 0, 0),
                (300, 10, 5, 0, 0),
                (10, 10, 50, 0, 700),
                (10, 10, 50, 700, 0),
                (10, 10, 50, 0, 3000),
                (10, 10, 50, 3000, 0),
                (10, 10, 2000, 0, 0),
                (5, 5, 1000, 6000, 0),
                (5, 5, 1000, 0, 6000),
            ] {
                let mut world = World::new(a, b);
                world.sides[0].delay = Duration::from_millis(delay_a);
                world.sides[1].delay = Duration::from_millis(delay_b);
                world.signaling = Duration::from_millis(signaling);
                world.start_at(0, Duration::from_millis(start_a));
                world.start_at(1, Duration::from_millis(start_b));
                world.connect(40.0);
                let case = (a, b, delay_a, delay_b, signaling, start_a, start_b);
                for side in 0..2 {
                    let selected = world.sides[side].agent.selected();
                    assert_eq!(selected.map(|pair| pair.relayed), Some(relay), "{side} {case:?}");
                }
            }
        }
    }
}

#[test]
fn relay_only_policy_tells_and_uses_no_address_of_the_host() {
    let relay_only = Config { policy: Policy::Relay, ..config(Role::Controlling) };
    let (a, b) = (Attachment::FULL_CONE, Attachment::FULL_CONE);
    let mut world = World::with(a, b, relay_only, config(Role::Controlled), 3);
    world.start();
    world.connect(30.0);
    assert_eq!(world.selected(0).local.kind, CandidateType::Relayed);
    assert!(world.selected(1).relayed);
    let told = |event: &Event| matches!(event, Event::LocalCandidate { candidate, .. } if candidate.kind != CandidateType::Relayed);
    assert_eq!(world.count(0, told), 0);
}

#[test]
fn firewalled_public_host_meets_symmetric_nat_only_through_a_relay() {
    let world = connect(Attachment::FIREWALL, Attachment::SYMMETRIC);
    assert!(world.selected(0).relayed);
}

/// Requests arrive but responses leave from yet another port (RFC 8445 section 7.2.5.2.1), with new addresses without
/// end, of which no more than 100 are paired.
#[test]
fn endpoint_dependent_mapping_with_open_filtering_on_both_sides_needs_a_relay() {
    let mut world = World::new(Attachment::SYMMETRIC_OPEN, Attachment::SYMMETRIC_OPEN);
    world.start();
    world.connect(40.0);
    assert!(world.selected(0).relayed);
    let asymmetric =
        |event: &Event| matches!(event, Event::CheckFailed { why: CheckFailure::NonSymmetric { .. }, .. });
    assert!(world.count(0, asymmetric) > 0);
}

#[test]
fn a_few_lost_datagrams_do_not_keep_a_direct_pair_apart() {
    for seed in 0..20 {
        let (a, b) = (Attachment::PORT_RESTRICTED, Attachment::PORT_RESTRICTED);
        let mut world = World::with(a, b, config(Role::Controlling), config(Role::Controlled), seed);
        let mut draw = seed;
        world.loss = Box::new(move |_, _, _| {
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            draw >> 33 & 7 == 0
        });
        world.start();
        world.connect(40.0);
        assert!(!world.selected(0).relayed, "seed {seed}");
        assert!(world.sides[1].agent.selected().is_some(), "seed {seed}");
    }
}

#[test]
fn same_seed_gives_the_same_events() {
    let logs =
        [0, 1].map(|_| connect(Attachment::SYMMETRIC, Attachment::ADDRESS_RESTRICTED).sides.remove(0).log);
    assert_eq!(logs[0], logs[1]);
}

#[test]
fn data_flows_both_ways_over_direct_and_relayed_pairs() {
    for b in [Attachment::FULL_CONE, Attachment::SYMMETRIC] {
        let mut world = connect(Attachment::SYMMETRIC, b);
        for side in 0..2 {
            world.tell(side, |now, agent| agent.send(now, Bytes::from_static(b"hello")).unwrap());
        }
        world.run(40.0);
        let hello = |event: &Event| matches!(event, Event::Data { payload, .. } if payload == "hello");
        assert_eq!([world.count(0, hello), world.count(1, hello)], [1, 1]);
    }
}

/// Every kind of attachment against every other, with delays, starts and signaling drawn anew each time, and with or
/// without a relay on either side.
#[test]
fn any_order_and_delay_gives_the_same_outcome_for_all_kinds_of_nat() {
    let translating = |mapping, filtering| Attachment { mapping, filtering, ..Attachment::SYMMETRIC };
    let kinds = [
        Attachment::PUBLIC,
        Attachment::FIREWALL,
        Attachment::FULL_CONE,
        Attachment::ADDRESS_RESTRICTED,
        Attachment::PORT_RESTRICTED,
        Attachment::SYMMETRIC,
        Attachment::SYMMETRIC_OPEN,
        translating(Scope::Address, Scope::Nothing),
        translating(Scope::Address, Scope::Address),
        translating(Scope::Address, Scope::AddressAndPort),
        translating(Scope::AddressAndPort, Scope::Address),
    ];
    for a in kinds {
        for b in kinds {
            for (relay_a, relay_b) in [(true, true), (true, false), (false, true), (false, false)] {
                let outcomes = [0, 1, 2].map(|seed| {
                    let mut draw = Xoshiro256PlusPlus::seed_from_u64(seed);
                    let mut millis = |most: [u64; 3]| {
                        let most = most[draw.random_range(0..3u8) as usize];
                        Duration::from_millis(draw.random_range(1..=most))
                    };
                    let (mut first, mut second) = (config(Role::Controlling), config(Role::Controlled));
                    first.turn_servers.truncate(usize::from(relay_a));
                    second.turn_servers.truncate(usize::from(relay_b));
                    let mut world = World::with(a, b, first, second, seed);
                    world.sides[0].delay = millis([10, 50, 400]);
                    world.sides[1].delay = millis([10, 50, 400]);
                    world.jitter = millis([1, 20, 200]);
                    world.signaling = millis([10, 100, 5000]);
                    world.start_at(0, millis([10, 1000, 10_000]));
                    world.start_at(1, millis([10, 1000, 10_000]));
                    world.connect(50.0);
                    [0, 1].map(|side| world.sides[side].agent.selected().map(|pair| pair.relayed))
                });
                assert_eq!(outcomes, [outcomes[0]; 3], "{a:?} {b:?} {relay_a} {relay_b}");
                assert_eq!(outcomes[0][0], outcomes[0][1], "{a:?} {b:?} {relay_a} {relay_b}");
                assert!(outcomes[0][0].is_some() || !(relay_a || relay_b), "{a:?} {b:?} {relay_a} {relay_b}");
            }
        }
    }
}
