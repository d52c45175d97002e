//! RFC 8656 sections 7.2 and 8.2.

use super::*;

fn token(response: &Response) -> [u8; 8] {
    response.message().reservation_token().unwrap()
}

#[test]
fn rfc8656_7_2_success_has_relayed_and_mapped_address_and_lifetime() {
    let mut bench = Bench::new();
    let bytes = bench.signed(CLIENT, Method::Allocate, &[UDP]);
    let effects = bench.exchange(CLIENT, &bytes);
    let [Effect::Bind(relayed), Effect::ToClient { from: LOCAL, to: CLIENT, payload }] = &effects[..] else {
        panic!("{effects:?}")
    };
    let message = Message::parse(payload).unwrap();
    assert_eq!(message.xor_relayed_address(), Some(relayed.0));
    assert_eq!(relayed.0.ip, LOCAL.ip);
    assert!(relayed.0.port >= 49152);
    assert_eq!(message.xor_mapped_address(), Some(CLIENT.0));
    assert_eq!(message.lifetime(), Some(600));
}

#[test]
fn rfc8656_7_2_existing_5_tuple_is_437() {
    let mut bench = Bench::new();
    bench.allocate(CLIENT);
    assert_eq!(bench.request(CLIENT, Method::Allocate, &[UDP]).code(), Some(437));
    assert_eq!(bench.server.allocation_count(), 1);
}

#[test]
fn rfc8656_7_2_retransmitted_allocate_succeeds_with_the_same_addresses() {
    let mut bench = Bench::new();
    let bytes = bench.signed(CLIENT, Method::Allocate, &[UDP, Attribute::EvenPort { reserve: true }]);
    let first = bench.respond(CLIENT, &bytes);
    bench.sleep(2);
    let again = bench.respond(CLIENT, &bytes);
    assert_eq!(again.message().xor_relayed_address(), first.message().xor_relayed_address());
    assert_eq!(token(&again), token(&first));
    assert_eq!(again.message().lifetime(), Some(598));
    assert_eq!(bench.server.allocation_count(), 1);
}

#[test]
fn rfc8656_7_2_requested_transport_missing_or_malformed_is_400_and_unsupported_442() {
    let mut bench = Bench::new();
    assert_eq!(bench.request(CLIENT, Method::Allocate, &[]).code(), Some(400));
    let malformed = Attribute::Other(AttributeType::REQUESTED_TRANSPORT, &[17]);
    assert_eq!(bench.request(CLIENT, Method::Allocate, &[malformed]).code(), Some(400));
    let tcp = Attribute::RequestedTransport(6);
    assert_eq!(bench.request(CLIENT, Method::Allocate, &[tcp]).code(), Some(442));
}

#[test]
fn rfc8656_7_2_unsupported_family_is_440_and_none_means_ipv4() {
    let mut bench = Bench::new();
    let v6 = Attribute::RequestedAddressFamily(Family::V6);
    assert_eq!(bench.request(CLIENT, Method::Allocate, &[UDP, v6]).code(), Some(440));
    let unknown = Attribute::Other(AttributeType::REQUESTED_ADDRESS_FAMILY, &[9, 0, 0, 0]);
    assert_eq!(bench.request(CLIENT, Method::Allocate, &[UDP, unknown]).code(), Some(440));
    let mut only_v6 = Bench::with(|config| {
        config.relay_v4 = None;
        config.relay_v6 = Some("2001:db8::3".parse().unwrap());
    });
    assert_eq!(only_v6.request(CLIENT, Method::Allocate, &[UDP]).code(), Some(440));
    let response = only_v6.request(CLIENT, Method::Allocate, &[UDP, v6]);
    assert_eq!(response.message().xor_relayed_address().unwrap().family(), Family::V6);
}

#[test]
fn rfc8656_7_2_both_family_attributes_are_400() {
    let mut bench = Bench::dual();
    let attributes =
        [UDP, Attribute::RequestedAddressFamily(Family::V4), Attribute::AdditionalAddressFamily(Family::V6)];
    assert_eq!(bench.request(CLIENT, Method::Allocate, &attributes).code(), Some(400));
}

#[test]
fn rfc8656_7_2_additional_family_gives_both_addresses() {
    let mut bench = Bench::dual();
    let additional = Attribute::AdditionalAddressFamily(Family::V6);
    let response = bench.request(CLIENT, Method::Allocate, &[UDP, additional]);
    let families: Vec<_> = response
        .message()
        .attributes()
        .filter_map(|attribute| match attribute {
            Attribute::XorRelayedAddress(relayed) => Some(relayed.family()),
            _ => None,
        })
        .collect();
    assert_eq!(families, [Family::V4, Family::V6]);
}

#[test]
fn rfc8656_7_2_additional_family_ipv4_or_with_reserving_even_port_is_400() {
    let mut bench = Bench::dual();
    let v4 = Attribute::AdditionalAddressFamily(Family::V4);
    assert_eq!(bench.request(CLIENT, Method::Allocate, &[UDP, v4]).code(), Some(400));
    let v6 = Attribute::AdditionalAddressFamily(Family::V6);
    let reserve = Attribute::EvenPort { reserve: true };
    assert_eq!(bench.request(CLIENT, Method::Allocate, &[UDP, v6, reserve]).code(), Some(400));
    let even = Attribute::EvenPort { reserve: false };
    assert_eq!(bench.request(CLIENT, Method::Allocate, &[UDP, v6, even]).code(), None);
}

#[test]
fn rfc8656_7_2_partly_met_additional_family_carries_address_error_code() {
    let mut bench = Bench::new();
    let additional = Attribute::AdditionalAddressFamily(Family::V6);
    let response = bench.request(CLIENT, Method::Allocate, &[UDP, additional]);
    assert_eq!(response.message().xor_relayed_address().unwrap().family(), Family::V4);
    let error = response.message().attribute(AttributeType::ADDRESS_ERROR_CODE);
    assert!(matches!(error, Some(Attribute::AddressErrorCode(Family::V6, error)) if error.code == 440));
}

#[test]
fn rfc8656_7_2_even_port_is_even() {
    for client in 0..20 {
        let mut bench = Bench::new();
        let client = ClientSocket(Endpoint::new(CLIENT.0.ip, 1000 + client));
        let response =
            bench.request(client, Method::Allocate, &[UDP, Attribute::EvenPort { reserve: false }]);
        assert_eq!(response.message().xor_relayed_address().unwrap().port % 2, 0);
        assert_eq!(response.message().reservation_token(), None);
    }
}

#[test]
fn malformed_even_port_or_token_is_400() {
    let mut bench = Bench::new();
    for kind in [AttributeType::EVEN_PORT, AttributeType::RESERVATION_TOKEN] {
        let malformed = Attribute::Other(kind, &[]);
        assert_eq!(bench.request(CLIENT, Method::Allocate, &[UDP, malformed]).code(), Some(400));
    }
}

#[test]
fn rfc8656_7_2_even_port_with_reservation_holds_the_next_port_for_30_s() {
    let mut bench = Bench::new();
    let reserve = [UDP, Attribute::EvenPort { reserve: true }];
    let first = bench.request(CLIENT, Method::Allocate, &reserve);
    let port = first.message().xor_relayed_address().unwrap().port;
    assert_eq!(port % 2, 0);
    bench.sleep(29);
    let claim = [UDP, Attribute::ReservationToken(token(&first))];
    let second = bench.request(OTHER_CLIENT, Method::Allocate, &claim);
    assert_eq!(second.message().xor_relayed_address().unwrap().port, port + 1);
    let third = ClientSocket(Endpoint::new(CLIENT.0.ip, 7));
    assert_eq!(bench.request(third, Method::Allocate, &claim).code(), Some(508), "a token is good once");
}

#[test]
fn rfc8656_7_2_expired_or_unknown_token_is_508() {
    let mut bench = Bench::new();
    let first = bench.request(CLIENT, Method::Allocate, &[UDP, Attribute::EvenPort { reserve: true }]);
    bench.sleep(30);
    for token in [token(&first), [1; 8]] {
        let claim = [UDP, Attribute::ReservationToken(token)];
        assert_eq!(bench.request(OTHER_CLIENT, Method::Allocate, &claim).code(), Some(508));
    }
}

#[test]
fn rfc8656_7_2_token_with_even_port_or_family_is_400() {
    let mut bench = Bench::dual();
    let first = bench.request(CLIENT, Method::Allocate, &[UDP, Attribute::EvenPort { reserve: true }]);
    for other in [
        Attribute::EvenPort { reserve: false },
        Attribute::RequestedAddressFamily(Family::V4),
        Attribute::AdditionalAddressFamily(Family::V6),
    ] {
        let claim = [UDP, Attribute::ReservationToken(token(&first)), other];
        assert_eq!(bench.request(OTHER_CLIENT, Method::Allocate, &claim).code(), Some(400));
    }
}

#[test]
fn rfc8656_7_2_quota_is_486_by_username() {
    let mut bench = Bench::with(|config| config.quota = 1);
    bench.allocate(CLIENT);
    assert_eq!(bench.request(OTHER_CLIENT, Method::Allocate, &[UDP]).code(), Some(486));
    bench.username = "teacher";
    bench.allocate(OTHER_CLIENT);
    bench.username = "student";
    bench.request(CLIENT, Method::Refresh, &[Attribute::Lifetime(0)]);
    bench.allocate(CLIENT);
}

#[test]
fn rfc8656_7_2_no_free_port_is_508() {
    let mut bench = Bench::with(|config| config.quota = u32::MAX);
    for port in 0..16384 {
        bench.allocate(ClientSocket(Endpoint::new(CLIENT.0.ip, port)));
    }
    assert_eq!(bench.request(CLIENT, Method::Allocate, &[UDP]).code(), Some(508));
    let gone = ClientSocket(Endpoint::new(CLIENT.0.ip, 5));
    bench.request(gone, Method::Refresh, &[Attribute::Lifetime(0)]);
    bench.allocate(CLIENT);
}

#[test]
fn rfc8656_7_2_lifetime_is_the_request_within_default_and_maximum() {
    for (requested, granted) in
        [(0, 600), (599, 600), (601, 601), (3600, 3600), (3601, 3600), (u32::MAX, 3600)]
    {
        let mut bench = Bench::new();
        let response = bench.request(CLIENT, Method::Allocate, &[UDP, Attribute::Lifetime(requested)]);
        assert_eq!(response.message().lifetime(), Some(granted), "{requested}");
    }
}

#[test]
fn rfc8656_6_allocations_expire_with_all_they_have() {
    let mut bench = Bench::new();
    let relayed = bench.allocate(CLIENT);
    bench.sleep(599);
    bench.bind(CLIENT, 0x4000, PEER);
    bench.permit(CLIENT, Endpoint::v4(203, 0, 113, 10, 1));
    bench.sleep(1);
    bench.server.handle_timeout(bench.now);
    assert_eq!(bench.effects(), [Effect::Unbind(relayed)]);
    assert_eq!((bench.server.allocation_count(), bench.server.poll_timeout()), (0, None));
    assert_eq!(bench.peer_sends(relayed, PEER, b"x"), discard(PEER, relayed.0, DiscardReason::NoAllocation));
}

#[test]
fn rfc8656_8_2_refresh_sets_the_time_to_expiry() {
    let mut bench = Bench::new();
    bench.allocate(CLIENT);
    bench.sleep(500);
    assert_eq!(bench.request(CLIENT, Method::Refresh, &[]).message().lifetime(), Some(600));
    bench.sleep(599);
    let response = bench.request(CLIENT, Method::Refresh, &[Attribute::Lifetime(1200)]);
    assert_eq!(response.message().lifetime(), Some(1200));
    bench.sleep(1199);
    assert_eq!(bench.permit(CLIENT, PEER).code(), None);
    bench.sleep(1);
    assert_eq!(bench.permit(CLIENT, PEER).code(), Some(437));
}

#[test]
fn rfc8656_8_2_lifetime_0_deletes_and_again_is_437() {
    let mut bench = Bench::new();
    let relayed = bench.allocate(CLIENT);
    bench.permit(CLIENT, PEER);
    let bytes = bench.signed(CLIENT, Method::Refresh, &[Attribute::Lifetime(0)]);
    let effects = bench.exchange(CLIENT, &bytes);
    assert!(effects.contains(&Effect::Unbind(relayed)));
    assert_eq!((bench.server.allocation_count(), bench.server.poll_timeout()), (0, None));
    assert_eq!(bench.respond(CLIENT, &bytes).code(), Some(437));
}

#[test]
fn rfc8656_8_2_family_mismatch_is_443() {
    let mut bench = Bench::dual();
    bench.allocate(CLIENT);
    let v6 = Attribute::RequestedAddressFamily(Family::V6);
    assert_eq!(bench.request(CLIENT, Method::Refresh, &[v6]).code(), Some(443));
}

#[test]
fn rfc8656_8_1_one_family_of_a_dual_allocation_is_deleted_alone() {
    let mut bench = Bench::dual();
    bench.request(CLIENT, Method::Allocate, &[UDP, Attribute::AdditionalAddressFamily(Family::V6)]);
    let v6_peer: Endpoint = "[2001:db8::9]:5000".parse().unwrap();
    assert_eq!(bench.permit(CLIENT, PEER).code(), None);
    assert_eq!(bench.bind(CLIENT, 0x4000, v6_peer).code(), None);
    let v6 = Attribute::RequestedAddressFamily(Family::V6);
    assert_eq!(bench.request(CLIENT, Method::Refresh, &[v6, Attribute::Lifetime(0)]).code(), None);
    assert_eq!(bench.permit(CLIENT, v6_peer).code(), Some(443));
    assert!(matches!(bench.exchange(CLIENT, &send(PEER, b"x"))[..], [Effect::ToPeer { .. }]));
    let gone = bench.exchange(CLIENT, &channel_data(0x4000, b"x"));
    assert_eq!(gone, discard(CLIENT.0, LOCAL, DiscardReason::NoChannel));
}

#[test]
fn rfc8489_10_alternate_server_is_of_the_clients_family_and_comes_first() {
    let (v4, v6) = (Endpoint::v4(198, 51, 100, 9, 3478), "[2001:db8::9]:3478".parse().unwrap());
    let mut bench = Bench::with(|config| config.alternates = vec![v6, v4]);
    let response = bench.request(CLIENT, Method::Allocate, &[UDP]);
    assert_eq!(response.code(), Some(300));
    let alternates =
        response.message().raw_attributes().filter_map(|(kind, value)| {
            match Attribute::decode(kind, value, response.message().transaction_id()) {
                Some(Attribute::AlternateServer(server)) => Some(server),
                _ => None,
            }
        });
    assert_eq!(alternates.collect::<Vec<_>>(), [v4, v6]);
    assert_eq!(response.message().verify_integrity(&bench.key()), Ok(()), "it is no one else who redirects");
    assert_eq!(bench.server.allocation_count(), 0);
    // Without one of the client's family there is nowhere to go.
    let mut bench = Bench::with(|config| config.alternates = vec![v6]);
    bench.allocate(CLIENT);
}
