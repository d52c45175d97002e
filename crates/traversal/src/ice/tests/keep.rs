//! Keepalives, consent and restarts.

use std::time::Duration;

use bytes::Bytes;
use natbed_packet::Timestamp;

use super::world::{Attachment, World, config};
use crate::ice::{Config, ConsentLoss, Event, Role, SendError, State};
use crate::stun::{Class, Message};

fn connect(a: Attachment, b: Attachment) -> World {
    let mut world = World::new(a, b);
    world.start();
    world.connect(30.0);
    world
}

fn renewals(world: &World) -> usize {
    world.count(0, |event| matches!(event, Event::ConsentRenewed { .. }))
}

#[test]
fn rfc7675_5_1_consent_is_renewed_while_the_peer_answers() {
    for b in [Attachment::PORT_RESTRICTED, Attachment::SYMMETRIC] {
        let mut world = connect(Attachment::PORT_RESTRICTED, b);
        world.run(1000.0);
        assert!((160..=250).contains(&renewals(&world)), "{}", renewals(&world));
        assert_eq!(world.count(0, |event| matches!(event, Event::ConsentLost { .. })), 0);
    }
}

#[test]
fn rfc7675_5_1_consent_is_lost_30_seconds_after_the_last_response() {
    let mut world = connect(Attachment::PORT_RESTRICTED, Attachment::PORT_RESTRICTED);
    world.run(20.0);
    let last = world.sides[0].log.iter().rev();
    let last = last.clone().find(|(_, event)| matches!(event, Event::ConsentRenewed { .. })).unwrap().0;
    world.loss = Box::new(|_, _, _| true);
    world.run(60.0);
    let lost = world.when(0, |event| matches!(event, Event::ConsentLost { why: ConsentLoss::Expired, .. }));
    assert_eq!(lost, Some(last + Duration::from_secs(30)));
    world.tell(0, |now, agent| {
        assert_eq!(agent.send(now, Bytes::from_static(b"x")), Err(SendError::NoConsent));
    });
}

#[test]
fn rfc8445_11_keepalive_indications_where_consent_is_off() {
    let quiet = |role| Config { consent: false, ..config(role) };
    let (a, b) = (Attachment::PUBLIC, Attachment::PUBLIC);
    let mut world = World::with(a, b, quiet(Role::Controlling), quiet(Role::Controlled), 1);
    world.start();
    world.run(100.0);
    let kept = world.count(0, |event| matches!(event, Event::Kept { transaction: None, .. }));
    assert_eq!(kept, 6);
}

#[test]
fn rfc8445_9_restart_changes_credentials_keeps_roles_and_finds_a_new_pair() {
    for b in [Attachment::PORT_RESTRICTED, Attachment::SYMMETRIC] {
        let mut world = connect(Attachment::PORT_RESTRICTED, b);
        world.run(10.0);
        let old = [0, 1].map(|side| world.sides[side].agent.credentials().clone());
        world.tell(0, |now, agent| agent.restart(now));
        assert!(world.sides[0].agent.selected().is_some(), "data still flows over the old pair");
        world.run(30.0);
        for (side, old) in old.iter().enumerate() {
            let agent = &world.sides[side].agent;
            assert_ne!(agent.credentials().ufrag(), old.ufrag());
            assert_ne!(agent.credentials().password(), old.password());
            assert_eq!(agent.state(), State::Completed);
            assert_eq!(world.count(side, |event| matches!(event, Event::Selected(_))), 2);
            assert_eq!(world.count(side, |event| matches!(event, Event::ConsentLost { .. })), 0);
        }
        assert_eq!(world.sides[0].agent.role(), Role::Controlling);
        assert_eq!(world.sides[1].agent.role(), Role::Controlled);
    }
}

#[test]
fn restart_wins_the_connection_back_after_a_nat_forgot_its_mappings() {
    for b in [Attachment::PORT_RESTRICTED, Attachment::SYMMETRIC] {
        let mut world = connect(Attachment::PORT_RESTRICTED, b);
        world.run(10.0);
        world.reboot_nat(0);
        world.reboot_nat(1);
        world.run(60.0);
        assert_eq!(world.count(0, |event| matches!(event, Event::ConsentLost { .. })), 1);
        world.tell(0, |now, agent| agent.restart(now));
        world.run(100.0);
        world.tell(0, |now, agent| agent.send(now, Bytes::from_static(b"again")).unwrap());
        world.run(101.0);
        assert_eq!(world.count(1, |event| matches!(event, Event::Data { .. })), 1);
    }
}

#[test]
fn both_sides_may_restart_at_once() {
    let mut world = connect(Attachment::PORT_RESTRICTED, Attachment::PORT_RESTRICTED);
    for side in 0..2 {
        world.tell(side, |now, agent| agent.restart(now));
    }
    world.run(30.0);
    for side in 0..2 {
        assert_eq!(world.sides[side].agent.state(), State::Completed);
        assert_eq!(world.count(side, |event| matches!(event, Event::Restarted { .. })), 1);
    }
}

/// Restarts that cross each other's signals, any number of them, end in one session on both sides.
#[test]
fn restarts_that_cross_each_other_converge() {
    for gaps in [[1, 1, 1, 1], [10, 60, 5, 30], [49, 51, 49, 51], [0, 0, 0, 0], [120, 3, 3, 90]] {
        for order in 0..16u32 {
            let mut world = connect(Attachment::PORT_RESTRICTED, Attachment::FULL_CONE);
            let mut at = world.now;
            for (turn, gap) in gaps.into_iter().enumerate() {
                at += Duration::from_millis(gap);
                world.run(at.as_secs_f64());
                world.tell((order >> turn & 1) as usize, |now, agent| agent.restart(now));
            }
            world.run(30.0);
            for side in 0..2 {
                assert_eq!(world.sides[side].agent.state(), State::Completed, "{gaps:?} {order:b}");
                world.tell(side, |now, agent| agent.send(now, Bytes::from_static(b"x")).unwrap());
            }
            world.run(31.0);
            let arrived = [0, 1].map(|side| world.count(side, |event| matches!(event, Event::Data { .. })));
            assert_eq!(arrived, [1, 1], "{gaps:?} {order:b}");
        }
    }
}

#[test]
fn rfc8445_5_1_1_4_mappings_are_kept_alive_until_ice_has_completed() {
    let mut world = World::new(Attachment::PORT_RESTRICTED, Attachment::PORT_RESTRICTED);
    world.signaling = Duration::from_secs(100);
    world.start();
    world.run(99.0);
    // One request to the STUN server and two to the TURN server, then one every 15 s, from each side.
    assert_eq!(world.packets, 2 * (3 + 6));
    world.run(101.0);
    let packets = world.packets;
    assert!(!world.selected(0).relayed);
    world.run(201.0);
    // At most 25 consent checks a side, as many responses, and the end of the allocations.
    assert!(world.packets - packets <= 2 * 2 * 25 + 2, "{}", world.packets - packets);
}

#[test]
fn a_host_address_that_is_gone_takes_its_pairs_along() {
    let mut world = connect(Attachment::PUBLIC, Attachment::PUBLIC);
    world.run(10.0);
    let old = world.sides[0].bases[0];
    world.tell(0, |now, agent| agent.remove_local(now, old));
    assert_eq!(
        world.count(0, |event| matches!(event, Event::ConsentLost { why: ConsentLoss::BaseLost, .. })),
        1
    );
    let mut new = old;
    new.port += 1;
    world.sides[0].bases = vec![new];
    world.tell(0, |now, agent| agent.add_local(now, new));
    world.tell(0, |now, agent| agent.restart(now));
    world.run(20.0);
    assert_eq!(world.selected(0).base, new);
    assert_eq!(world.selected(1).remote.address, new);
}

#[test]
fn rfc7675_5_1_every_consent_check_is_a_transaction_of_its_own_and_sent_once() {
    let mut world = connect(Attachment::PORT_RESTRICTED, Attachment::PORT_RESTRICTED);
    world.run(4.5);
    let agent = &mut world.sides[0].agent;
    let mut requests = Vec::new();
    // Nothing is answered from now on; the last check is due before consent ends 30 s after the last answer.
    while let Some(now) = agent.poll_timeout().filter(|&now| now < Timestamp::from_secs(40)) {
        agent.handle_timeout(now);
        while let Some(transmit) = agent.poll_transmit() {
            let message = Message::parse(&transmit.payload).unwrap();
            if message.class() == Class::Request {
                requests.push(message.transaction_id());
            }
        }
    }
    let sent = requests.len();
    requests.sort();
    requests.dedup();
    assert!((4..=8).contains(&sent), "{sent}");
    assert_eq!(requests.len(), sent);
}
