//! ICMP errors about checks and about requests to servers.

use std::time::Duration;

use natbed_packet::{Endpoint, IcmpErrorKind, Timestamp};

use super::world::{Attachment, STUN, TURN, World, config};
use crate::ice::{CheckFailure, Config, Event, Failure, GatherFailure, PairState, Role};

const HARD: [IcmpErrorKind; 3] = [
    IcmpErrorKind::PortUnreachable,
    IcmpErrorKind::AdministrativelyProhibited,
    IcmpErrorKind::Other { icmp_type: 3, code: 2 },
];
const SOFT: [IcmpErrorKind; 4] = [
    IcmpErrorKind::HostUnreachable,
    IcmpErrorKind::NetworkUnreachable,
    IcmpErrorKind::TimeExceeded,
    IcmpErrorKind::TooBig { mtu: 1280 },
];

/// Two public agents whose checks get lost, the first of which heeds errors or does not.
fn checking(heed_icmp: bool) -> (World, Endpoint, Endpoint) {
    let first = Config { heed_icmp, ..Config::new(Role::Controlling) };
    let second = Config::new(Role::Controlled);
    let mut world = World::with(Attachment::PUBLIC, Attachment::PUBLIC, first, second, 1);
    world.loss = Box::new(|_, _, _| true);
    world.start();
    world.run(0.1);
    let (base, remote) = (world.sides[0].bases[0], world.sides[1].bases[0]);
    (world, base, remote)
}

fn states(world: &World) -> Vec<PairState> {
    world.sides[0].agent.pairs().map(|(_, state)| state).collect()
}

#[test]
fn rfc8445_7_2_5_2_2_a_hard_icmp_error_fails_the_pair_where_errors_are_heeded() {
    for error in HARD {
        let (mut world, base, remote) = checking(true);
        assert_eq!(states(&world), [PairState::InProgress]);
        let elsewhere = Endpoint::new(remote.ip, remote.port + 1);
        world.tell(0, |now, agent| agent.handle_icmp_error(now, base, elsewhere, error));
        assert_eq!(states(&world), [PairState::InProgress], "it is about something else");
        world.tell(0, |now, agent| agent.handle_icmp_error(now, base, remote, error));
        assert_eq!(states(&world), [PairState::Failed], "{error:?}");
        let failed =
            |event: &Event| matches!(event, Event::CheckFailed { why: CheckFailure::Unreachable, .. });
        assert_eq!(world.count(0, failed), 1);
        // Not the end yet: a check of the peer's may still come (RFC 8863 section 4).
        world.run(60.0);
        let failed = world.when(0, |event| *event == Event::Failed { why: Failure::NoValidPair });
        assert_eq!(failed, Some(Timestamp::from_millis(39_550)));
    }
    for (heed_icmp, errors) in [(true, &SOFT[..]), (false, &HARD[..])] {
        for &error in errors {
            let (mut world, base, remote) = checking(heed_icmp);
            world.tell(0, |now, agent| agent.handle_icmp_error(now, base, remote, error));
            assert_eq!(states(&world), [PairState::InProgress], "{error:?}");
        }
    }
}

#[test]
fn a_pair_that_an_icmp_error_failed_is_checked_anew_when_the_peer_checks_it() {
    let (mut world, base, remote) = checking(true);
    world.tell(0, |now, agent| agent.handle_icmp_error(now, base, remote, HARD[0]));
    world.loss = Box::new(|_, _, _| false);
    world.connect(10.0);
    assert_eq!(world.selected(0).remote.address, remote);
}

#[test]
fn rfc8489_6_2_1_a_hard_icmp_error_ends_gathering_from_a_server() {
    let mut world = World::new(Attachment::PUBLIC, Attachment::PUBLIC);
    world.loss = Box::new(|_, _, to| to == STUN || to == TURN);
    world.start_at(0, Duration::ZERO);
    world.run(0.2);
    let base = world.sides[0].bases[0];
    for server in [STUN, TURN] {
        world.tell(0, |now, agent| agent.handle_icmp_error(now, base, server, SOFT[0]));
        world.tell(0, |now, agent| agent.handle_icmp_error(now, base, server, HARD[0]));
        let failed = Event::GatherFailed { base, server, why: GatherFailure::Unreachable };
        assert_eq!(world.when(0, |event| *event == failed), Some(Timestamp::from_millis(200)));
    }
    assert_eq!(world.count(0, |event| matches!(event, Event::EndOfCandidates { .. })), 1);
}

#[test]
fn rfc8656_11_6_an_icmp_error_behind_the_relay_fails_the_relayed_pair() {
    let first = Config { heed_icmp: true, ..config(Role::Controlling) };
    let (a, b) = (Attachment::SYMMETRIC, Attachment::PORT_RESTRICTED);
    let mut world = World::with(a, b, first, config(Role::Controlled), 1);
    world.loss = Box::new(|_, from, to| from.port > 49_151 || to.port > 49_151);
    world.start();
    world.run(0.35);
    let relayed_pair = world.sides[0]
        .agent
        .pairs()
        .find(|(pair, state)| *state == PairState::InProgress && pair.base != world.sides[0].bases[0]);
    let (pair, _) = relayed_pair.expect("a check through the relay is under way");
    world.relay_error(pair.base, pair.remote, IcmpErrorKind::PortUnreachable);
    world.run(0.40);
    let unreachable = |event: &Event| matches!(event, Event::CheckFailed { pair: failed, why: CheckFailure::Unreachable, .. } if *failed == pair);
    assert_eq!(world.count(0, unreachable), 1);
}
