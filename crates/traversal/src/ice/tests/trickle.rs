//! Trickling, in any order (RFC 8838).

use std::time::Duration;

use super::world::{Attachment, World, gathered};
use crate::ice::{CandidateType, CheckAnswer, Event, RemoteOutcome, Side, State};

#[test]
fn rfc8838_13_end_of_candidates_names_the_session_and_comes_last() {
    let mut world = World::new(Attachment::PORT_RESTRICTED, Attachment::PORT_RESTRICTED);
    world.start();
    world.run(5.0);
    let log = &world.sides[0].log;
    let end = log.iter().position(|(_, event)| matches!(event, Event::EndOfCandidates { .. })).unwrap();
    let Event::EndOfCandidates { ufrag } = &log[end].1 else { unreachable!() };
    assert_eq!(ufrag, world.sides[0].agent.credentials().ufrag());
    let candidate = |event: &Event| matches!(event, Event::LocalCandidate { .. });
    assert!(log[end..].iter().all(|(_, event)| !candidate(event)));
    assert_eq!(log.iter().filter(|(_, event)| candidate(event)).count(), 3);
    assert_eq!(world.count(0, gathered), 1);
}

#[test]
fn rfc8445_5_1_3_redundant_candidates_are_dropped() {
    let mut world = World::new(Attachment::PUBLIC, Attachment::PUBLIC);
    world.start();
    world.run(5.0);
    let kinds = world.sides[0].agent.local_candidates().map(|candidate| candidate.kind);
    assert_eq!(kinds.collect::<Vec<_>>(), [CandidateType::Host, CandidateType::Relayed]);
}

#[test]
fn rfc8445_7_3_checks_before_the_peers_credentials_are_answered_and_taken_up() {
    let mut world = World::new(Attachment::PUBLIC, Attachment::PUBLIC);
    world.signaling = Duration::from_millis(10);
    world.start_at(0, Duration::ZERO);
    // The second side learns of the first late, and is checked before.
    let credentials = world.sides[1].agent.credentials().clone();
    let base = world.sides[1].bases[0];
    world.tell(1, |now, agent| agent.add_local(now, base));
    let candidate = *world.sides[1].agent.local_candidates().next().unwrap();
    let first = world.sides[0].agent.credentials().clone();
    world.run(0.001);
    world.tell(0, |now, agent| {
        agent.set_remote_credentials(now, &credentials);
        agent.add_remote_candidate(now, candidate);
    });
    world.hold_signals();
    world.run(0.2);
    assert!(world.count(1, |e| matches!(e, Event::CheckReceived { answer: CheckAnswer::Early, .. })) > 0);
    assert_eq!(world.count(1, |event| matches!(event, Event::CheckSent { .. })), 0);
    world.tell(1, |now, agent| agent.set_remote_credentials(now, &first));
    world.run(1.0);
    assert_eq!(world.sides[1].agent.state(), State::Completed);
}

#[test]
fn peer_reflexive_candidate_that_is_signalled_later_takes_the_signalled_type() {
    let mut world = World::new(Attachment::PUBLIC, Attachment::FULL_CONE);
    world.signaling = Duration::from_millis(400);
    world.start_at(0, Duration::from_millis(390));
    world.start_at(1, Duration::ZERO);
    // The second side has the first's candidates long before the first has the second's.
    world.run(20.0);
    let named = |event: &Event| matches!(event, Event::RemoteCandidate { outcome: RemoteOutcome::Named, .. });
    let learnt = |event: &Event| matches!(event, Event::PeerReflexive { side: Side::Remote, .. });
    if world.count(0, learnt) > 0 {
        assert!(world.count(0, named) > 0);
    }
    assert_eq!(world.selected(0).remote.kind, CandidateType::ServerReflexive);
}

#[test]
fn agents_connect_without_any_signalled_candidate_of_one_side() {
    let mut world = World::new(Attachment::PUBLIC, Attachment::PORT_RESTRICTED);
    world.start();
    world.mute(1);
    world.connect(30.0);
    assert_eq!(world.selected(0).remote.kind, CandidateType::PeerReflexive);
}

#[test]
fn rfc8838_10_no_candidate_is_paired_before_it_is_told() {
    let mut world = World::new(Attachment::PORT_RESTRICTED, Attachment::SYMMETRIC);
    world.start();
    world.connect(30.0);
    for side in 0..2 {
        let log = &world.sides[side].log;
        let mut formed = 0;
        for (place, (_, event)) in log.iter().enumerate() {
            let Event::PairState { pair, from: None, .. } = event else { continue };
            let told = log[..place].iter().any(|(_, event)| {
                matches!(event, Event::LocalCandidate { candidate, .. } if candidate.address == pair.base)
            });
            assert!(told, "{pair}");
            formed += 1;
        }
        assert!(formed > 3, "{formed}");
    }
}
