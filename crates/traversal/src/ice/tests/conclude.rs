//! Nominating, failing and freeing.

use std::time::Duration;

use natbed_packet::{Endpoint, Timestamp};

use super::world::{Attachment, TURN, World, config};
use crate::ice::{Config, Event, Failure, PairState, Role, State};

fn connected() -> World {
    let mut world = World::new(Attachment::PORT_RESTRICTED, Attachment::PORT_RESTRICTED);
    world.start();
    world.connect(30.0);
    world
}

#[test]
fn rfc8863_4_peer_that_never_answers_fails_after_39_5_seconds() {
    let mut world = World::new(Attachment::PUBLIC, Attachment::PUBLIC);
    world.loss = Box::new(|_, _, to| to.port == 5000);
    world.start();
    world.run(60.0);
    for side in 0..2 {
        let failed = world.when(side, |event| matches!(event, Event::Failed { .. }));
        assert_eq!(failed, Some(Timestamp::from_millis(39_550)), "39.5 s after the peer's credentials came");
        assert_eq!(world.sides[side].agent.state(), State::Failed);
        assert_eq!(world.sides[side].agent.selected(), None);
    }
}

#[test]
fn rfc8863_4_without_any_pair_the_agent_waits_as_long() {
    let mut world = World::new(Attachment::PUBLIC, Attachment::PUBLIC);
    world.trickles = false;
    world.loss = Box::new(|_, _, _| true);
    world.start();
    world.run(60.0);
    assert_eq!(world.count(0, |event| *event == Event::Failed { why: Failure::NoPairs }), 1);
}

#[test]
fn rfc8445_8_1_1_one_pair_is_nominated_and_both_agents_select_it() {
    let world = connected();
    for side in 0..2 {
        assert_eq!(world.count(side, |event| matches!(event, Event::Nominated { .. })), 1);
        assert_eq!(world.count(side, |event| matches!(event, Event::Selected(_))), 1);
        assert_eq!(world.sides[side].agent.state(), State::Completed);
        // RFC 8445 section 8.1.2: all other pairs are removed.
        let pairs = world.sides[side].agent.pairs().map(|(_, state)| state).collect::<Vec<_>>();
        assert_eq!(pairs, [PairState::Succeeded]);
    }
    assert_eq!(world.selected(0).local.address, world.selected(1).remote.address);
    assert_eq!(world.selected(1).local.address, world.selected(0).remote.address);
}

#[test]
fn rfc8445_8_3_1_other_candidates_are_freed_three_seconds_after_completion() {
    let mut world = connected();
    let completed = world.when(0, |event| matches!(event, Event::Selected(_))).unwrap();
    world.run(10.0);
    let freed = world.when(0, |event| matches!(event, Event::Freed { .. }));
    assert_eq!(freed, Some(completed + Duration::from_secs(3)));
    assert_eq!(world.allocations(), 0);
}

#[test]
fn relay_wait_counts_from_the_first_valid_relayed_pair() {
    for wait in [0, 1000, 5000] {
        let patient = Config { relay_wait: Duration::from_millis(wait), ..config(Role::Controlling) };
        let (a, b) = (Attachment::SYMMETRIC, Attachment::SYMMETRIC);
        let mut world = World::with(a, b, patient, config(Role::Controlled), 1);
        world.start();
        world.connect(30.0);
        let started = world.when(0, |event| matches!(event, Event::RelayWait { .. })).unwrap();
        let nominated = world.when(0, |event| matches!(event, Event::Nominated { .. })).unwrap();
        assert!(nominated >= started + Duration::from_millis(wait));
        // Three tries take 1.5 s and a round trip, whatever the wait.
        assert!(nominated - started > Duration::from_millis(1400), "{:?}", nominated - started);
        assert!(
            nominated - started < Duration::from_millis(wait.max(1500) + 300),
            "{:?}",
            nominated - started
        );
    }
}

#[test]
fn lost_nomination_is_retransmitted() {
    let mut world = World::new(Attachment::PUBLIC, Attachment::PUBLIC);
    // The two checks that succeed go first; then nothing arrives for a while.
    world.loss = Box::new(|now, _, to: Endpoint| {
        to != TURN && now > Timestamp::from_millis(85) && now < Timestamp::from_millis(900)
    });
    world.start();
    world.connect(30.0);
    assert!(world.sides.iter().all(|side| side.agent.state() == State::Completed));
    assert!(world.now > Timestamp::from_millis(900));
}
