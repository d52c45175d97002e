//! Role conflicts (RFC 8445 sections 7.2.5.1 and 7.3.1.1).

use super::world::{Attachment, World, config};
use crate::ice::{CheckAnswer, Event, Role, State};

fn conflict(role: Role, seed: u64) -> World {
    let (a, b) = (Attachment::PORT_RESTRICTED, Attachment::ADDRESS_RESTRICTED);
    let mut world = World::with(a, b, config(role), config(role), seed);
    world.start();
    world.connect(30.0);
    world
}

#[test]
fn rfc8445_7_3_1_1_conflicts_are_repaired_and_one_agent_nominates() {
    for role in [Role::Controlling, Role::Controlled] {
        for seed in 0..20 {
            let world = conflict(role, seed);
            let roles = [0, 1].map(|side| world.sides[side].agent.role());
            assert_ne!(roles[0], roles[1], "{role:?} {seed}");
            assert!(world.sides.iter().all(|side| side.agent.state() == State::Completed), "{role:?} {seed}");
            let switches = [0, 1].map(|side| world.count(side, |e| matches!(e, Event::RoleSwitched { .. })));
            assert_eq!(switches.iter().sum::<usize>(), 1, "{role:?} {seed}");
        }
    }
}

#[test]
fn rfc8445_7_3_1_1_the_agent_that_keeps_its_role_answers_487() {
    let answered = |world: &World, side| {
        let conflict = CheckAnswer::Error(487);
        world.count(side, |e| matches!(e, Event::CheckReceived { answer, .. } if *answer == conflict))
    };
    let seen = (0..20).any(|seed| {
        let world = conflict(Role::Controlling, seed);
        let keeper = usize::from(world.sides[1].agent.role() == Role::Controlling);
        assert_eq!(answered(&world, 1 - keeper), 0);
        answered(&world, keeper) > 0
    });
    assert!(seen);
}
