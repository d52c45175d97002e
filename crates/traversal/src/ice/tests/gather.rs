//! Gathering.

use std::time::Duration;

use natbed_packet::{Endpoint, Timestamp};

use super::world::{Attachment, STUN, TURN, World, config, gathered};
use crate::ice::{Candidate, CandidateType, Config, Event, GatherFailure, Role};

fn told(world: &World, side: usize) -> Vec<(Candidate, Option<Endpoint>)> {
    let told = world.sides[side].log.iter().filter_map(|(_, event)| match event {
        Event::LocalCandidate { candidate, server } => Some((*candidate, *server)),
        _ => None,
    });
    told.collect()
}

fn gather(attachment: Attachment, config: Config) -> World {
    let mut world = World::with(attachment, Attachment::PUBLIC, config, Config::new(Role::Controlled), 1);
    world.start_at(0, Duration::ZERO);
    world.run(60.0);
    world
}

#[test]
fn rfc8445_5_1_1_2_each_server_gives_its_candidates_with_the_right_bases() {
    let world = gather(Attachment::SYMMETRIC, config(Role::Controlling));
    let told = told(&world, 0);
    let kinds = told.iter().map(|(candidate, server)| (candidate.kind, *server)).collect::<Vec<_>>();
    assert_eq!(
        kinds,
        [
            (CandidateType::Host, None),
            (CandidateType::ServerReflexive, Some(STUN)),
            (CandidateType::ServerReflexive, Some(TURN)),
            (CandidateType::Relayed, Some(TURN)),
        ]
    );
    let host = world.sides[0].bases[0];
    // A reflexive candidate tells its base, a relayed one its mapped address (RFC 8839 section 5.1).
    assert_eq!([told[1].0.related, told[2].0.related], [Some(host), Some(host)]);
    assert_eq!(told[3].0.related, Some(told[2].0.address));
}

#[test]
fn rfc8445_5_1_1_3_foundations_differ_by_type_base_and_server() {
    let world = gather(Attachment::SYMMETRIC, config(Role::Controlling));
    let mut foundations = told(&world, 0).iter().map(|(c, _)| c.foundation.to_string()).collect::<Vec<_>>();
    foundations.sort();
    foundations.dedup();
    assert_eq!(foundations.len(), 4);

    // Two sockets of one address: the same foundations.
    let mut world = World::with(
        Attachment::FULL_CONE,
        Attachment::PUBLIC,
        config(Role::Controlling),
        Config::new(Role::Controlled),
        1,
    );
    let mut second = world.sides[0].bases[0];
    second.port += 1;
    world.sides[0].bases.push(second);
    world.start_at(0, Duration::ZERO);
    world.run(60.0);
    let of = |kind| {
        let told = told(&world, 0).into_iter().filter(move |(candidate, _)| candidate.kind == kind);
        told.map(|(candidate, _)| candidate.foundation).collect::<Vec<_>>()
    };
    for kind in [CandidateType::Host, CandidateType::ServerReflexive] {
        let foundations = of(kind);
        assert_eq!(foundations.len(), 2, "{kind}");
        assert_eq!(foundations[0], foundations[1], "{kind}");
    }
}

#[test]
fn rfc8445_14_2_gathering_is_paced_by_ta() {
    let mut world = World::new(Attachment::PUBLIC, Attachment::PUBLIC);
    world.start_at(0, Duration::ZERO);
    world.run(0.049);
    assert_eq!(world.packets, 1, "the STUN server is asked at once");
    world.run(0.051);
    assert_eq!(world.packets, 2, "the TURN server after Ta");
}

#[test]
fn rfc8489_6_2_1_server_that_does_not_answer_fails_after_39_5_seconds() {
    let mut world = World::new(Attachment::FULL_CONE, Attachment::PUBLIC);
    world.loss = Box::new(|_, _, to| to == STUN);
    world.start_at(0, Duration::ZERO);
    world.run(60.0);
    let failed =
        Event::GatherFailed { base: world.sides[0].bases[0], server: STUN, why: GatherFailure::Timeout };
    assert_eq!(world.when(0, |event| *event == failed), Some(Timestamp::from_millis(39_500)));
    assert_eq!(world.when(0, gathered), Some(Timestamp::from_millis(39_500)));
    // The TURN server's mapped address does as well.
    assert!(told(&world, 0).iter().any(|(candidate, _)| candidate.kind == CandidateType::ServerReflexive));
}

#[test]
fn turn_server_that_does_not_know_the_credential_is_told_as_rejecting_it() {
    let mut wrong = config(Role::Controlling);
    wrong.turn_servers[0].password = "wrong".to_owned();
    let world = gather(Attachment::FULL_CONE, wrong);
    let rejected = |event: &Event| {
        matches!(event, Event::GatherFailed { server: TURN, why: GatherFailure::Rejected(401), .. })
    };
    assert_eq!(world.count(0, rejected), 1);
    assert_eq!(world.count(0, gathered), 1);
}

#[test]
fn mapped_address_that_a_check_shows_before_the_server_does_becomes_server_reflexive() {
    let mut world = World::new(Attachment::FULL_CONE, Attachment::PUBLIC);
    // The servers' answers are late, so checks come first.
    world.loss = Box::new(|now, _, to| (to == STUN || to == TURN) && now < Timestamp::from_millis(400));
    world.start();
    world.run(0.5);
    let before = world.sides[0].agent.selected().copied().unwrap();
    assert_eq!(before.local.kind, CandidateType::PeerReflexive);
    world.run(10.0);
    let after = world.selected(0);
    assert_eq!(after.local.kind, CandidateType::ServerReflexive);
    assert_eq!(after.local.address, before.local.address);
    assert_eq!(world.count(0, |event| matches!(event, Event::SelectedUpdated(_))), 1);
}

#[test]
fn agents_without_servers_have_host_candidates_and_end_at_once() {
    let world = gather(Attachment::PUBLIC, Config::new(Role::Controlling));
    assert_eq!(told(&world, 0).len(), 1);
    assert_eq!(world.when(0, gathered), Some(Timestamp::ZERO));
}
