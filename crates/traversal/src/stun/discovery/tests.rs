use proptest::prelude::*;

use super::*;
use crate::stun::{Attribute, Builder, Class, ErrorCode, Message, Method};
use world::{Filter, Map, Server, World};

mod world;

use Filter as F;
use Map as M;

const MAPS: [Map; 3] = [M::EndpointIndependent, M::AddressDependent, M::AddressAndPortDependent];
const FILTERS: [Filter; 3] = [F::EndpointIndependent, F::AddressDependent, F::AddressAndPortDependent];

fn behavior(world: &mut World) -> Behavior {
    match world.run(Procedure::Rfc5780) {
        Finding::Behavior(behavior) => behavior,
        Finding::Verdict(_) => unreachable!("by another procedure"),
    }
}

fn verdict(world: &mut World) -> Option<Verdict> {
    match world.run(Procedure::Rfc3489) {
        Finding::Verdict(verdict) => verdict,
        Finding::Behavior(_) => unreachable!("by another procedure"),
    }
}

#[test]
fn rfc5780_4_3_and_4_4_tell_all_nine_kinds_of_nat() {
    for mapping in MAPS {
        for filtering in FILTERS {
            let found = behavior(&mut World::nat(mapping, filtering));
            assert_eq!((found.mapping, found.filtering), (Some(mapping), Some(filtering)));
            assert_eq!(found.lifetime, Some(Lifetime::Expires(Duration::from_secs(300))));
            assert_eq!(found.hairpinning, Some(false));
        }
    }
}

#[test]
fn rfc5780_4_3_a_mapped_address_that_is_the_local_one_means_no_nat() {
    for filtering in FILTERS {
        let found = behavior(&mut World::firewall(filtering));
        assert_eq!((found.mapping, found.filtering), (Some(M::EndpointIndependent), Some(filtering)));
        assert_eq!(found.hairpinning, None);
    }
}

#[test]
fn rfc5780_3_1_no_response_at_all_means_udp_is_blocked() {
    let mut world = World::nat(M::EndpointIndependent, F::EndpointIndependent);
    world.loses = Box::new(|_| true);
    assert_eq!(behavior(&mut world), Behavior::default());
    assert_eq!(world.now, Timestamp::from_millis(39_500));
    assert_eq!(verdict(&mut world), Some(Verdict::UdpBlocked));
}

#[test]
fn rfc5780_6_a_server_with_one_address_tells_lifetime_and_hairpinning_alone() {
    let mut world = World::nat(M::AddressDependent, F::AddressDependent);
    world.server = Server::OneAddress;
    let found = behavior(&mut world);
    assert!(found.mapped.is_some());
    assert_eq!((found.mapping, found.filtering), (None, None));
    assert_eq!(found.hairpinning, Some(false));
    assert_eq!(found.lifetime, Some(Lifetime::Expires(Duration::from_secs(300))));
    assert_eq!(verdict(&mut world), None);
}

#[test]
fn rfc5780_5_a_client_is_prepared_for_420() {
    let mut world = World::nat(M::AddressDependent, F::AddressDependent);
    world.server = Server::Refuses;
    let found = behavior(&mut world);
    assert_eq!((found.mapping, found.filtering), (Some(M::AddressDependent), None));
    assert_eq!(found.lifetime, None);
    assert_eq!(verdict(&mut world), None);
}

#[test]
fn a_server_that_ignores_what_it_is_asked_proves_nothing() {
    let mut world = World::nat(M::EndpointIndependent, F::EndpointIndependent);
    world.server = Server::Ignores;
    let found = behavior(&mut world);
    assert_eq!((found.mapping, found.filtering), (Some(M::EndpointIndependent), None));
    assert_eq!(found.lifetime, None);
    assert_eq!(verdict(&mut world), None);
}

#[test]
fn rfc5780_4_6_lifetimes_are_found_to_the_second() {
    for seconds in [1, 2, 15, 16, 17, 30, 59, 64, 65, 120, 299, 301, 3600] {
        for inbound_refreshes in [false, true] {
            let mut world = World::nat(M::EndpointIndependent, F::AddressAndPortDependent);
            world.lifetime = Duration::from_secs(seconds);
            world.inbound_refreshes = inbound_refreshes;
            let expected = Lifetime::Expires(Duration::from_secs(seconds));
            assert_eq!(behavior(&mut world).lifetime, Some(expected), "{seconds} {inbound_refreshes}");
        }
    }
}

#[test]
fn rfc5780_4_6_a_lifetime_beyond_the_limit_is_told_as_such() {
    for (seconds, limit) in [(10_000, 7200), (100, 50), (300, 300)] {
        let mut world = World::nat(M::EndpointIndependent, F::AddressAndPortDependent);
        world.lifetime = Duration::from_secs(seconds);
        world.config.lifetime_limit = Duration::from_secs(limit);
        let expected = Lifetime::Outlasts(Duration::from_secs(limit));
        assert_eq!(behavior(&mut world).lifetime, Some(expected));
    }
}

#[test]
fn rfc5780_4_6_a_response_that_the_opening_socket_never_gets_is_no_lifetime() {
    let mut world = World::nat(M::EndpointIndependent, F::AddressAndPortDependent);
    world.lifetime = Duration::ZERO;
    assert_eq!(behavior(&mut world).lifetime, None);
}

#[test]
fn rfc5780_3_4_hairpinning_is_told_from_filtering() {
    for mapping in MAPS {
        for filtering in FILTERS {
            let mut world = World::nat(mapping, filtering);
            world.hairpins = true;
            let visible = mapping == M::EndpointIndependent || filtering == F::EndpointIndependent;
            assert_eq!(behavior(&mut world).hairpinning, Some(visible), "{mapping:?} {filtering:?}");
        }
    }
}

#[test]
fn rfc3489_10_1_as_the_flow_chart_has_it() {
    let expected = [
        [Verdict::FullCone, Verdict::RestrictedCone, Verdict::PortRestrictedCone],
        [Verdict::FullCone, Verdict::Symmetric, Verdict::Symmetric],
        [Verdict::FullCone, Verdict::Symmetric, Verdict::Symmetric],
    ];
    for (mapping, row) in MAPS.into_iter().zip(expected) {
        for (filtering, expected) in FILTERS.into_iter().zip(row) {
            assert_eq!(
                verdict(&mut World::nat(mapping, filtering)),
                Some(expected),
                "{mapping:?} {filtering:?}"
            );
        }
    }
}

#[test]
fn rfc3489_10_1_without_a_nat() {
    let expected = [Verdict::Open, Verdict::SymmetricUdpFirewall, Verdict::SymmetricUdpFirewall];
    for (filtering, expected) in FILTERS.into_iter().zip(expected) {
        assert_eq!(verdict(&mut World::firewall(filtering)), Some(expected));
    }
}

#[test]
fn rfc5780_5_at_most_ten_transactions_a_second_and_one_at_a_time() {
    let mut world = World::nat(M::AddressAndPortDependent, F::EndpointIndependent);
    world.delay = Duration::ZERO;
    behavior(&mut world);
    let mut starts: Vec<(Timestamp, [u8; 12])> = Vec::new();
    for (at, id) in &world.requests {
        if starts.iter().all(|(_, known)| known != id) {
            starts.push((*at, *id));
        }
    }
    assert!(starts.len() > 20);
    assert!(starts.windows(2).all(|two| two[1].0.since(two[0].0) >= Duration::from_millis(100)));
}

#[test]
fn sockets_come_first_and_no_more_than_wanted() {
    let world = World::nat(M::EndpointIndependent, F::EndpointIndependent);
    let mut client = world.client(Procedure::Rfc5780);
    assert_eq!(client.sockets_wanted(), Procedure::Rfc5780.sockets());
    for port in 1..=20 {
        assert_eq!((client.poll_timeout(), client.poll_transmit()), (None, None));
        client.add_socket(Timestamp::ZERO, world::local(port));
        if client.sockets_wanted() == 0 {
            break;
        }
    }
    let request = client.poll_transmit().unwrap();
    assert_eq!((request.from, request.to), (world::local(1), world::PRIMARY));
    client.add_socket(Timestamp::ZERO, world::local(99));
    assert_eq!(client.poll_transmit(), None);
}

#[test]
fn responses_from_elsewhere_are_not_taken() {
    let world = World::nat(M::EndpointIndependent, F::EndpointIndependent);
    let mut client = world.client(Procedure::Rfc3489);
    client.add_socket(Timestamp::ZERO, world::local(1));
    let request = client.poll_transmit().unwrap();
    let id = Message::parse(&request.payload).unwrap().transaction_id();
    let mut response = Vec::new();
    Builder::new(&mut response, Class::Error, Method::Binding, id)
        .attribute(Attribute::ErrorCode(ErrorCode { code: 500, reason: "no" }));
    let mut take = |from, bytes: &[u8]| client.handle_input(Timestamp::ZERO, request.from, from, bytes);
    assert!(!take(world::ALTERNATE, &response));
    assert!(!take(world::PRIMARY, &request.payload), "its own request is no response");
    assert!(take(world::PRIMARY, &response));
    assert!(!take(world::PRIMARY, &response), "and none is taken twice");
    assert_eq!(client.poll_event(), Some(Finding::Verdict(None)));
    assert_eq!((client.poll_event(), client.poll_timeout()), (None, None));
}

/// Random loss of one datagram in twenty, each way.
#[test]
fn lost_datagrams_change_no_finding() {
    for seed in 0..20 {
        for mapping in MAPS {
            for filtering in FILTERS {
                let mut world = World::nat(mapping, filtering);
                world.lose_randomly(seed);
                let found = behavior(&mut world);
                assert_eq!((found.mapping, found.filtering), (Some(mapping), Some(filtering)), "seed {seed}");
                let expected = Lifetime::Expires(Duration::from_secs(300));
                assert_eq!(found.lifetime, Some(expected), "seed {seed}");
            }
        }
    }
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic_and_never_end_it(
        garbage in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..20),
        flips in proptest::collection::vec(0usize..400, 0..20),
    ) {
        let world = World::nat(M::EndpointIndependent, F::EndpointIndependent);
        let mut client = world.client(Procedure::Rfc5780);
        for port in 1..=Procedure::Rfc5780.sockets() {
            client.add_socket(Timestamp::ZERO, world::local(u16::try_from(port).unwrap()));
        }
        let request = client.poll_transmit().unwrap();
        let server = world.binding_server();
        for bytes in &garbage {
            client.handle_input(Timestamp::ZERO, request.from, request.to, bytes);
        }
        for flip in flips {
            let mut response = server.handle(request.to, request.from, &request.payload).unwrap().payload.to_vec();
            let at = flip / 8 % response.len();
            response[at] ^= 1 << (flip % 8);
            client.handle_input(Timestamp::ZERO, request.from, request.to, &response);
        }
        let mut steps = 0;
        while let Some(due) = client.poll_timeout() {
            client.handle_timeout(due);
            prop_assert!(client.poll_timeout().is_none_or(|next| next > due));
            while client.poll_transmit().is_some() {}
            steps += 1;
            prop_assert!(steps < 1000);
        }
        prop_assert!(client.poll_event().is_some());
    }
}
