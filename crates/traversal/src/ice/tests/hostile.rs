//! Bytes from strangers.

use bytes::Bytes;
use natbed_packet::{Endpoint, Timestamp};
use proptest::prelude::*;

use super::world::{Attachment, TURN, World};
use crate::ice::{Event, Ignored, State};
use crate::stun::{Attribute, Builder, Class, Key, Method, TransactionId};

const STRANGER: Endpoint = Endpoint::v4(198, 51, 100, 66, 6666);

fn running() -> World {
    let mut world = World::new(Attachment::PUBLIC, Attachment::PUBLIC);
    world.start();
    world.run(0.13);
    assert_eq!(world.sides[0].agent.state(), State::Running);
    world
}

/// A message of the first agent's making, as an observer would see it.
fn sent_check(world: &mut World) -> TransactionId {
    let sent = world.sides[0].log.iter().rev().find_map(|(_, event)| match event {
        Event::CheckSent { transaction, .. } => Some(*transaction),
        _ => None,
    });
    sent.expect("a check was sent")
}

#[test]
fn rfc8489_9_1_4_forged_responses_change_nothing() {
    let mut world = World::new(Attachment::PUBLIC, Attachment::PUBLIC);
    world.loss = Box::new(|_, _, to| to.port == 5000);
    world.start();
    world.run(0.2);
    let id = sent_check(&mut world);
    let pairs = |world: &World| world.sides[0].agent.pairs().collect::<Vec<_>>();
    let before = pairs(&world);
    let remote = world.sides[1].bases[0];
    let key = Key::short_term("a password that is not theirs");
    for class in [Class::Success, Class::Error] {
        for signed in [false, true] {
            let mut buffer = Vec::new();
            let mut forged = Builder::new(&mut buffer, class, Method::Binding, id);
            forged.attribute(Attribute::XorMappedAddress(STRANGER));
            if signed {
                forged.integrity(&key);
            }
            forged.fingerprint();
            let base = world.sides[0].bases[0];
            world.tell(0, |now, agent| agent.handle_input(now, base, remote, &Bytes::from(buffer)));
        }
    }
    assert_eq!(world.count(0, |e| matches!(e, Event::Ignored { why: Ignored::Unauthenticated, .. })), 4);
    assert_eq!(pairs(&world), before);
}

#[test]
fn rfc8489_9_1_3_requests_without_the_right_credential_are_refused_and_teach_nothing() {
    let mut world = running();
    let base = world.sides[0].bases[0];
    let ufrag = world.sides[0].agent.credentials().ufrag().to_owned();
    let right = Key::short_term(world.sides[0].agent.credentials().password());
    let wrong = Key::short_term("wrong");
    let mut answers = Vec::new();
    for (username, key) in [
        (None, None),
        (Some(format!("{ufrag}:peer")), None),
        (Some(format!("{ufrag}:peer")), Some(&wrong)),
        (Some("other:peer".to_owned()), Some(&right)),
        (Some(format!("{ufrag}:peer")), Some(&right)),
    ] {
        let mut buffer = Vec::new();
        let mut request = Builder::new(&mut buffer, Class::Request, Method::Binding, TransactionId([9; 12]));
        if let Some(username) = &username {
            request.attribute(Attribute::Username(username));
        }
        if let Some(key) = key {
            request.integrity(key);
        }
        request.fingerprint();
        let agent = &mut world.sides[0].agent;
        while agent.poll_transmit().is_some() {}
        agent.handle_input(world.now, base, STRANGER, &Bytes::from(buffer));
        let answer =
            std::iter::from_fn(|| agent.poll_transmit()).find(|transmit| transmit.to == STRANGER).unwrap();
        let message = crate::stun::Message::parse(&answer.payload).unwrap();
        answers
            .push((message.error_code().map(|error| error.code), message.verify_integrity(&right).is_ok()));
    }
    // The last lacks PRIORITY.
    let expected = [(400, false), (400, false), (401, false), (401, false), (400, true)];
    assert_eq!(answers, expected.map(|(code, signed)| (Some(code), signed)));
    assert!(world.sides[0].agent.remote_candidates().all(|candidate| candidate.address != STRANGER));
}

#[test]
fn rfc8489_6_3_1_unknown_required_attribute_is_answered_420() {
    let mut world = running();
    let base = world.sides[0].bases[0];
    let credentials = world.sides[0].agent.credentials().clone();
    let mut buffer = Vec::new();
    Builder::new(&mut buffer, Class::Request, Method::Binding, TransactionId([9; 12]))
        .attribute(Attribute::Username(&format!("{}:peer", credentials.ufrag())))
        .attribute(Attribute::Priority(1))
        .attribute(Attribute::Other(crate::stun::AttributeType(0x7777), &[0; 4]))
        .integrity(&Key::short_term(credentials.password()))
        .fingerprint();
    let agent = &mut world.sides[0].agent;
    agent.handle_input(world.now, base, STRANGER, &Bytes::from(buffer));
    let answer =
        std::iter::from_fn(|| agent.poll_transmit()).find(|transmit| transmit.to == STRANGER).unwrap();
    let message = crate::stun::Message::parse(&answer.payload).unwrap();
    assert_eq!(message.error_code().map(|error| error.code), Some(420));
    assert_eq!(message.unknown_attributes().collect::<Vec<_>>(), [crate::stun::AttributeType(0x7777)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn hostile_bytes_never_panic_and_change_nothing(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        stun in any::<bool>(),
        from_server in any::<bool>(),
    ) {
        let mut world = running();
        let base = world.sides[0].bases[0];
        let mut bytes = bytes;
        if stun && bytes.len() >= 20 {
            let length = u16::try_from(bytes.len() - 20).unwrap() & !3;
            bytes.truncate(usize::from(length) + 20);
            bytes[0] &= 0x01;
            bytes[1] &= 0x11;
            bytes[2..4].copy_from_slice(&length.to_be_bytes());
            bytes[4..8].copy_from_slice(&crate::stun::MAGIC_COOKIE.to_be_bytes());
        }
        let from = if from_server { TURN } else { STRANGER };
        let before = world.sides[0].agent.pairs().collect::<Vec<_>>();
        world.tell(0, |now, agent| agent.handle_input(now, base, from, &Bytes::from(bytes)));
        prop_assert_eq!(world.sides[0].agent.pairs().collect::<Vec<_>>(), before);
        world.connect(30.0);
        prop_assert!(world.now < Timestamp::from_secs(1));
        prop_assert!(!world.selected(0).relayed);
    }
}
