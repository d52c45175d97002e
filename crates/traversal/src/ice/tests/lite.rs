//! Lite agents.

use natbed_packet::{Endpoint, Timestamp};

use super::world::{Attachment, World, config};
use crate::ice::{Agent, CandidateType, Config, Event, Failure, Role, State};

fn lite(role: Role) -> Config {
    Config { lite: true, ..config(role) }
}

/// A full agent behind a NAT, which initiates or not, and a lite one on the internet.
fn against_lite(full: Role) -> World {
    let (first, second) = (config(full), lite(full.opposite()));
    let mut world = World::with(Attachment::PORT_RESTRICTED, Attachment::PUBLIC, first, second, 1);
    world.start();
    world.connect(10.0);
    world
}

#[test]
fn rfc8445_6_1_1_the_full_agent_controls_a_lite_one_whoever_initiates() {
    for full in [Role::Controlling, Role::Controlled] {
        let world = against_lite(full);
        let roles = [0, 1].map(|side| world.sides[side].agent.role());
        assert_eq!(roles, [Role::Controlling, Role::Controlled], "{full:?}");
        assert!(world.sides.iter().all(|side| side.agent.state() == State::Completed));
        assert_eq!(world.selected(0).remote.address, world.selected(1).base);
        assert_eq!(world.selected(1).remote.address, world.selected(0).local.address);
    }
}

#[test]
fn rfc8445_5_2_a_lite_agent_has_host_candidates_alone_and_sends_no_check() {
    let world = against_lite(Role::Controlling);
    let kinds = world.sides[1].agent.local_candidates().map(|c| (c.kind, c.priority)).collect::<Vec<_>>();
    assert_eq!(kinds, [(CandidateType::Host, 2_130_706_431)]);
    assert_eq!(world.count(1, |event| matches!(event, Event::CheckSent { .. })), 0);
    assert_eq!(world.sides[1].agent.pairs().count(), 0);
    assert_eq!(world.allocations(), 1, "the full agent's alone");
}

#[test]
fn rfc8445_7_3_2_a_lite_agent_takes_the_pair_that_is_nominated() {
    let mut world = against_lite(Role::Controlling);
    let nominated = world.when(1, |event| matches!(event, Event::Nominated { .. }));
    let selected = world.when(1, |event| matches!(event, Event::Selected(_)));
    assert!(nominated.is_some() && nominated == selected);
    assert_eq!(world.count(1, |event| matches!(event, Event::CheckReceived { use_candidate: false, .. })), 1);
    // It learnt the address from the check, which signaling names by now.
    assert_eq!(world.selected(1).remote.kind, CandidateType::ServerReflexive);
    world.run(1.0);
    let payload = bytes::Bytes::from_static(b"media");
    world.tell(1, |now, agent| agent.send(now, payload).unwrap());
    world.run(2.0);
    assert_eq!(world.count(0, |event| matches!(event, Event::Data { .. })), 1);
}

#[test]
fn rfc8445_7_3_a_nomination_before_the_peers_credentials_waits_for_them() {
    let mut world = World::with(
        Attachment::PUBLIC,
        Attachment::PUBLIC,
        config(Role::Controlling),
        lite(Role::Controlled),
        1,
    );
    world.start();
    // What the full agent signals gets lost, so that its checks are all that comes.
    world.run(0.04);
    world.hold_signals_to(1);
    world.run(5.0);
    assert_eq!(world.sides[0].agent.state(), State::Completed);
    assert_eq!(world.sides[1].agent.state(), State::Running);
    let credentials = world.sides[0].agent.credentials().clone();
    world.tell(1, |now, agent| agent.set_remote_credentials(now, &credentials));
    assert_eq!(world.selected(1).remote.address, world.selected(0).base);
}

#[test]
fn rfc7675_1_a_lite_agent_answers_for_consent_and_asks_for_none() {
    let mut world = against_lite(Role::Controlling);
    world.run(120.0);
    let asked = |world: &World, side| {
        world.count(side, |event| matches!(event, Event::Kept { transaction: Some(_), .. }))
    };
    assert_eq!(asked(&world, 1), 0);
    assert!(asked(&world, 0) > 15);
    assert_eq!(world.count(0, |event| matches!(event, Event::ConsentLost { .. })), 0);
    // Keepalives are everyone's to send (RFC 8445 section 11).
    assert!(world.count(1, |event| matches!(event, Event::Kept { transaction: None, .. })) > 5);
}

#[test]
fn rfc8445_8_3_2_a_lite_agent_frees_other_candidates_at_once() {
    let (first, second) = (config(Role::Controlling), lite(Role::Controlled));
    let mut world = World::with(Attachment::PUBLIC, Attachment::PUBLIC, first, second, 1);
    let mut other = world.sides[1].bases[0];
    other.port += 1;
    world.sides[1].bases.push(other);
    world.start();
    world.connect(10.0);
    let selected = world.when(1, |event| matches!(event, Event::Selected(_)));
    assert_eq!(world.when(1, |event| *event == Event::Freed { base: other }), selected);
}

#[test]
fn rfc8445_9_a_lite_agent_follows_a_restart() {
    let mut world = against_lite(Role::Controlling);
    let before = world.sides[1].agent.credentials().clone();
    world.reboot_nat(0);
    world.tell(0, |now, agent| agent.restart(now));
    world.run(20.0);
    assert_ne!(*world.sides[1].agent.credentials(), before);
    assert!(world.sides.iter().all(|side| side.agent.state() == State::Completed));
    assert_eq!(world.selected(1).remote.address, world.selected(0).local.address);
    assert_eq!(world.sides[1].agent.role(), Role::Controlled);
}

#[test]
fn a_lite_agent_whose_peer_cannot_reach_it_never_selects_and_the_peer_fails() {
    let (first, second) = (config(Role::Controlling), lite(Role::Controlled));
    let mut world = World::with(Attachment::PUBLIC, Attachment::PORT_RESTRICTED, first, second, 1);
    world.start();
    world.run(60.0);
    let failed = world.when(0, |event| matches!(event, Event::Failed { why: Failure::NoValidPair }));
    assert_eq!(failed, Some(Timestamp::from_millis(39_550)));
    assert_eq!(world.sides[1].agent.selected(), None);
    assert_eq!(world.sides[1].agent.poll_timeout(), None, "it waits for as long as it takes");
}

#[test]
fn rfc8445_8_2_two_lite_agents_take_the_pair_of_highest_priority_without_a_check() {
    let (first, second) = (lite(Role::Controlling), lite(Role::Controlled));
    let mut world = World::with(Attachment::PUBLIC, Attachment::PUBLIC, first, second, 1);
    for (side, v6) in [(0, "[2001:db8::1]:5000"), (1, "[2001:db8::2]:5000")] {
        world.sides[side].bases.insert(0, v6.parse().unwrap());
    }
    world.start();
    world.connect(10.0);
    assert_eq!([0, 1].map(|side| world.sides[side].agent.role()), [Role::Controlling, Role::Controlled]);
    assert_eq!(world.packets, 0, "no connectivity checks are ever sent");
    for side in [0, 1] {
        // RFC 6724 prefers IPv6.
        assert_eq!(world.selected(side).base, world.sides[side].bases[0]);
        assert_eq!(world.selected(side).remote.address, world.sides[1 - side].bases[0]);
    }
}

#[test]
fn rfc8445_8_2_two_lite_agents_without_a_family_in_common_fail() {
    let (first, second) = (lite(Role::Controlling), lite(Role::Controlled));
    let mut world = World::with(Attachment::PUBLIC, Attachment::PUBLIC, first, second, 1);
    world.sides[0].bases = vec!["[2001:db8::1]:5000".parse().unwrap()];
    world.start();
    world.run(10.0);
    for side in [0, 1] {
        assert_eq!(world.count(side, |event| *event == Event::Failed { why: Failure::NoPairs }), 1);
    }
}

#[test]
fn rfc8445_5_2_priorities_follow_rfc_6724_where_there_is_ipv6_and_are_unique() {
    let mut agent = {
        use rand::SeedableRng;
        Agent::new(lite(Role::Controlled), rand_xoshiro::Xoshiro256PlusPlus::seed_from_u64(1))
    };
    let bases: [Endpoint; 4] =
        ["[2001:db8::1]:5000", "[2001:db8::1]:5001", "[fd00::1]:5000", "203.0.113.1:5000"]
            .map(|text| text.parse().unwrap());
    for base in bases {
        agent.add_local(Timestamp::ZERO, base);
    }
    let preferences = agent.local_candidates().map(|c| c.priority >> 8 & 0xFFFF).collect::<Vec<_>>();
    assert_eq!(preferences, [40, 39, 3, 35]);
}
