//! RFC 8656 sections 9 to 12.

use super::*;

const FROM_CLIENT: fn(DiscardReason) -> Vec<Effect> = |reason| discard(CLIENT.0, LOCAL, reason);

/// The message that one effect sends to the client.
fn to_client(effects: &[Effect]) -> Message<'_> {
    let [Effect::ToClient { from: LOCAL, to: CLIENT, payload }] = effects else { panic!("{effects:?}") };
    Message::parse(payload).unwrap()
}

#[test]
fn rfc8656_9_permission_opens_by_address_only_for_300_s() {
    let mut bench = Bench::new();
    let relayed = bench.allocate(CLIENT);
    assert_eq!(bench.peer_sends(relayed, PEER, b"x"), discard(PEER, relayed.0, DiscardReason::NoPermission));
    assert_eq!(bench.permit(CLIENT, Endpoint::new(PEER.ip, 1)).code(), None);
    for port in [1, 5000, 65535] {
        let peer = Endpoint::new(PEER.ip, port);
        let effects = bench.peer_sends(relayed, peer, b"x");
        assert_eq!(to_client(&effects).xor_peer_address(), Some(peer));
    }
    let stranger = Endpoint::v4(203, 0, 113, 8, 5000);
    assert_eq!(
        bench.peer_sends(relayed, stranger, b"x"),
        discard(stranger, relayed.0, DiscardReason::NoPermission)
    );
    bench.sleep(299);
    assert_eq!(bench.peer_sends(relayed, PEER, b"x").len(), 1);
    bench.sleep(1);
    assert_eq!(bench.peer_sends(relayed, PEER, b"x"), discard(PEER, relayed.0, DiscardReason::NoPermission));
}

#[test]
fn rfc8656_9_permission_is_refreshed_by_either_request() {
    let mut bench = Bench::new();
    let relayed = bench.allocate(CLIENT);
    bench.permit(CLIENT, PEER);
    bench.sleep(299);
    bench.bind(CLIENT, 0x4000, PEER);
    bench.sleep(299);
    bench.permit(CLIENT, PEER);
    bench.request(CLIENT, Method::Refresh, &[]);
    bench.sleep(299);
    assert!(matches!(bench.peer_sends(relayed, PEER, b"x")[..], [Effect::ToClient { .. }]));
}

#[test]
fn rfc8656_9_permissions_of_allocations_are_unrelated() {
    let mut bench = Bench::new();
    bench.allocate(CLIENT);
    let other = bench.allocate(OTHER_CLIENT);
    bench.permit(CLIENT, PEER);
    assert_eq!(bench.peer_sends(other, PEER, b"x"), discard(PEER, other.0, DiscardReason::NoPermission));
    bench.bind(CLIENT, 0x4000, PEER);
    let foreign = bench.exchange(OTHER_CLIENT, &channel_data(0x4000, b"x"));
    assert_eq!(foreign, discard(OTHER_CLIENT.0, LOCAL, DiscardReason::NoChannel));
}

#[test]
fn rfc8656_10_2_without_or_with_malformed_peer_address_is_400() {
    let mut bench = Bench::new();
    bench.allocate(CLIENT);
    assert_eq!(bench.request(CLIENT, Method::CreatePermission, &[]).code(), Some(400));
    let malformed = Attribute::Other(AttributeType::XOR_PEER_ADDRESS, &[0, 1, 0, 0]);
    let attributes = [Attribute::XorPeerAddress(PEER), malformed];
    assert_eq!(bench.request(CLIENT, Method::CreatePermission, &attributes).code(), Some(400));
    assert_eq!(bench.exchange(CLIENT, &send(PEER, b"x")), FROM_CLIENT(DiscardReason::NoPermission));
}

#[test]
fn rfc8656_10_2_several_peers_at_once() {
    let mut bench = Bench::new();
    let relayed = bench.allocate(CLIENT);
    let peers = [PEER, Endpoint::v4(203, 0, 113, 10, 1), Endpoint::v4(203, 0, 113, 11, 1)];
    let code = bench.request(CLIENT, Method::CreatePermission, &peers.map(Attribute::XorPeerAddress)).code();
    assert_eq!(code, None);
    for peer in peers {
        assert_eq!(bench.exchange(CLIENT, &send(peer, b"x")), to_peer(relayed, peer, b"x"));
    }
}

#[test]
fn rfc8656_10_2_denied_peer_is_403() {
    let mut bench = Bench::with(|config| config.denied_peers = vec!["203.0.113.0/28".parse().unwrap()]);
    bench.allocate(CLIENT);
    assert_eq!(bench.permit(CLIENT, PEER).code(), Some(403));
    assert_eq!(bench.bind(CLIENT, 0x4000, PEER).code(), Some(403));
    assert_eq!(bench.permit(CLIENT, Endpoint::v4(203, 0, 113, 16, 1)).code(), None);
}

#[test]
fn rfc8656_10_2_other_family_is_443() {
    let mut bench = Bench::dual();
    bench.allocate(CLIENT);
    let peer = "[2001:db8::9]:5000".parse().unwrap();
    assert_eq!(bench.permit(CLIENT, peer).code(), Some(443));
    assert_eq!(bench.bind(CLIENT, 0x4000, peer).code(), Some(443));
}

#[test]
fn rfc8656_10_2_too_many_permissions_are_508() {
    let mut bench = Bench::new();
    bench.allocate(CLIENT);
    for high in 0..4 {
        let peers: Vec<_> =
            (0..=255).map(|low| Attribute::XorPeerAddress(Endpoint::v4(8, 8, high, low, 1))).collect();
        assert_eq!(bench.request(CLIENT, Method::CreatePermission, &peers).code(), None);
    }
    assert_eq!(bench.permit(CLIENT, PEER).code(), Some(508));
    assert_eq!(bench.bind(CLIENT, 0x4000, PEER).code(), Some(508));
    assert_eq!(bench.permit(CLIENT, Endpoint::v4(8, 8, 0, 0, 1)).code(), None, "a refresh needs no room");
}

#[test]
fn rfc8656_11_2_send_goes_to_the_peer_from_the_relayed_address() {
    let mut bench = Bench::new();
    let relayed = bench.allocate(CLIENT);
    bench.permit(CLIENT, PEER);
    for data in [&b"hello"[..], b""] {
        assert_eq!(bench.exchange(CLIENT, &send(PEER, data)), to_peer(relayed, PEER, data));
    }
    let df = [Attribute::XorPeerAddress(PEER), Attribute::DontFragment, Attribute::Data(b"x")];
    let effects = bench.exchange(CLIENT, &indication(&df));
    assert!(matches!(effects[..], [Effect::ToPeer { dont_fragment: true, .. }]));
}

#[test]
fn rfc8656_11_2_send_without_peer_data_or_permission_is_discarded() {
    let mut bench = Bench::new();
    bench.allocate(CLIENT);
    assert_eq!(bench.exchange(CLIENT, &send(PEER, b"x")), FROM_CLIENT(DiscardReason::NoPermission));
    bench.permit(CLIENT, PEER);
    for attributes in [&[Attribute::XorPeerAddress(PEER)][..], &[Attribute::Data(b"x")]] {
        assert_eq!(bench.exchange(CLIENT, &indication(attributes)), FROM_CLIENT(DiscardReason::Malformed));
    }
}

#[test]
fn rfc8489_6_3_2_unknown_required_attribute_in_an_indication_discards_it() {
    let mut bench = Bench::new();
    bench.allocate(CLIENT);
    bench.permit(CLIENT, PEER);
    let unknown = Attribute::Other(AttributeType(0x7FFF), &[]);
    let bytes = indication(&[Attribute::XorPeerAddress(PEER), Attribute::Data(b"x"), unknown]);
    assert_eq!(bench.exchange(CLIENT, &bytes), FROM_CLIENT(DiscardReason::Unexpected));
}

#[test]
fn rfc8656_11_2_send_does_not_refresh_the_permission() {
    let mut bench = Bench::new();
    bench.allocate(CLIENT);
    bench.permit(CLIENT, PEER);
    bench.sleep(299);
    assert_eq!(bench.exchange(CLIENT, &send(PEER, b"x")).len(), 1);
    bench.sleep(1);
    assert_eq!(bench.exchange(CLIENT, &send(PEER, b"x")), FROM_CLIENT(DiscardReason::NoPermission));
}

#[test]
fn rfc8656_11_3_without_channel_a_data_indication() {
    let mut bench = Bench::new();
    let relayed = bench.allocate(CLIENT);
    bench.permit(CLIENT, PEER);
    for data in [&b"hello"[..], b""] {
        let effects = bench.peer_sends(relayed, PEER, data);
        let message = to_client(&effects);
        assert_eq!((message.class(), message.method()), (Class::Indication, Method::Data));
        assert_eq!((message.xor_peer_address(), message.data()), (Some(PEER), Some(data)));
    }
}

#[test]
fn rfc8656_11_3_with_a_channel_channel_data_is_a_must() {
    let mut bench = Bench::new();
    let relayed = bench.allocate(CLIENT);
    bench.bind(CLIENT, 0x4001, PEER);
    let payload = channel_data(0x4001, b"hello");
    let expected = [Effect::ToClient { from: LOCAL, to: CLIENT, payload }];
    assert_eq!(bench.peer_sends(relayed, PEER, b"hello"), expected);
    let other_port = Endpoint::new(PEER.ip, 1);
    let effects = bench.peer_sends(relayed, other_port, b"hello");
    assert_eq!(to_client(&effects).method(), Method::Data, "the channel is for one port");
}

#[test]
fn rfc8656_11_5_icmp_errors_are_passed_on_for_permitted_peers() {
    let mut bench = Bench::new();
    let relayed = bench.allocate(CLIENT);
    let error = |bench: &mut Bench, kind| {
        bench.server.handle_peer_error(bench.now, relayed, PeerSocket(PEER), kind);
        bench.effects()
    };
    let refused = error(&mut bench, IcmpErrorKind::PortUnreachable);
    assert_eq!(refused, discard(PEER, relayed.0, DiscardReason::NoPermission));
    bench.bind(CLIENT, 0x4000, PEER);
    for (kind, expected) in [
        (IcmpErrorKind::PortUnreachable, (3, 3, 0)),
        (IcmpErrorKind::TooBig { mtu: 1400 }, (3, 4, 1400)),
        (IcmpErrorKind::TimeExceeded, (11, 0, 0)),
    ] {
        let effects = error(&mut bench, kind);
        let message = to_client(&effects);
        assert_eq!(message.xor_peer_address(), Some(PEER));
        let (icmp_type, code, data) = expected;
        assert_eq!(message.attribute(AttributeType::ICMP), Some(Attribute::Icmp { icmp_type, code, data }));
    }
    let quench = error(&mut bench, IcmpErrorKind::Other { icmp_type: 4, code: 0 });
    assert_eq!(quench, discard(PEER, relayed.0, DiscardReason::Unexpected));
}

#[test]
fn rfc8656_11_5_icmpv6_errors_of_types_1_to_3_are_passed_on() {
    let mut bench = Bench::dual();
    let relayed = RelayedAddress(
        bench
            .request(CLIENT, Method::Allocate, &[UDP, Attribute::RequestedAddressFamily(Family::V6)])
            .message()
            .xor_relayed_address()
            .unwrap(),
    );
    let peer: Endpoint = "[2001:db8::9]:5000".parse().unwrap();
    bench.permit(CLIENT, peer);
    let mut error = |kind| {
        bench.server.handle_peer_error(bench.now, relayed, PeerSocket(peer), kind);
        bench.effects()
    };
    for (kind, (icmp_type, code, data)) in [
        (IcmpErrorKind::NetworkUnreachable, (1, 0, 0)),
        (IcmpErrorKind::AdministrativelyProhibited, (1, 1, 0)),
        (IcmpErrorKind::HostUnreachable, (1, 3, 0)),
        (IcmpErrorKind::PortUnreachable, (1, 4, 0)),
        (IcmpErrorKind::TooBig { mtu: 1280 }, (2, 0, 1280)),
        (IcmpErrorKind::TimeExceeded, (3, 0, 0)),
    ] {
        let effects = error(kind);
        let message = to_client(&effects);
        assert_eq!(message.xor_peer_address(), Some(peer));
        assert_eq!(message.attribute(AttributeType::ICMP), Some(Attribute::Icmp { icmp_type, code, data }));
    }
    let parameter_problem = error(IcmpErrorKind::Other { icmp_type: 4, code: 0 });
    assert_eq!(parameter_problem, discard(peer, relayed.0, DiscardReason::Unexpected));
}

#[test]
fn rfc8656_5_a_client_can_neither_use_nor_see_anothers_allocation() {
    let mut bench = Bench::new();
    let relayed = bench.allocate(CLIENT);
    bench.bind(CLIENT, 0x4000, PEER);
    // The same user on another 5-tuple has nothing of it, whatever it sends.
    for bytes in [send(PEER, b"x"), channel_data(0x4000, b"x")] {
        assert_eq!(
            bench.exchange(OTHER_CLIENT, &bytes),
            discard(OTHER_CLIENT.0, LOCAL, DiscardReason::NoAllocation)
        );
    }
    for (method, attributes) in [
        (Method::Refresh, &[Attribute::Lifetime(0)][..]),
        (Method::CreatePermission, &[Attribute::XorPeerAddress(PEER)]),
        (Method::ChannelBind, &[Attribute::ChannelNumber(0x4000), Attribute::XorPeerAddress(PEER)]),
    ] {
        assert_eq!(bench.request(OTHER_CLIENT, method, attributes).code(), Some(437), "{method:?}");
    }
    // With an allocation of its own it has its own numbers and permissions.
    let other = bench.allocate(OTHER_CLIENT);
    assert_ne!(other, relayed);
    assert_eq!(
        bench.exchange(OTHER_CLIENT, &channel_data(0x4000, b"x")),
        discard(OTHER_CLIENT.0, LOCAL, DiscardReason::NoChannel)
    );
    assert_eq!(
        bench.exchange(OTHER_CLIENT, &send(PEER, b"x")),
        discard(OTHER_CLIENT.0, LOCAL, DiscardReason::NoPermission)
    );
    assert_eq!(bench.peer_sends(other, PEER, b"x"), discard(PEER, other.0, DiscardReason::NoPermission));
    let effects = bench.peer_sends(relayed, PEER, b"x");
    assert!(matches!(effects[..], [Effect::ToClient { to: CLIENT, .. }]), "{effects:?}");
    // And the first is as it was.
    assert_eq!(bench.exchange(CLIENT, &channel_data(0x4000, b"data")), to_peer(relayed, PEER, b"data"));
}

#[test]
fn rfc8656_12_2_missing_or_out_of_range_number_is_400() {
    let mut bench = Bench::new();
    bench.allocate(CLIENT);
    for number in [0, 0x3FFF, 0x5000, 0xFFFF] {
        assert_eq!(bench.bind(CLIENT, number, PEER).code(), Some(400), "{number:x}");
    }
    for number in [0x4000, 0x4FFF] {
        let peer = Endpoint::new(PEER.ip, number);
        assert_eq!(bench.bind(CLIENT, number, peer).code(), None, "{number:x}");
    }
    let only_number = [Attribute::ChannelNumber(0x4001)];
    assert_eq!(bench.request(CLIENT, Method::ChannelBind, &only_number).code(), Some(400));
    let only_peer = [Attribute::XorPeerAddress(PEER)];
    assert_eq!(bench.request(CLIENT, Method::ChannelBind, &only_peer).code(), Some(400));
}

#[test]
fn rfc8656_12_2_number_or_peer_bound_to_another_is_400() {
    let mut bench = Bench::new();
    bench.allocate(CLIENT);
    assert_eq!(bench.bind(CLIENT, 0x4000, PEER).code(), None);
    assert_eq!(bench.bind(CLIENT, 0x4000, PEER).code(), None, "the same again is a refresh");
    assert_eq!(bench.bind(CLIENT, 0x4001, PEER).code(), Some(400));
    assert_eq!(bench.bind(CLIENT, 0x4000, Endpoint::new(PEER.ip, 1)).code(), Some(400));
}

#[test]
fn rfc8656_12_2_channel_bind_installs_the_permission() {
    let mut bench = Bench::new();
    let relayed = bench.allocate(CLIENT);
    bench.bind(CLIENT, 0x4000, PEER);
    let other_port = Endpoint::new(PEER.ip, 1);
    assert_eq!(bench.exchange(CLIENT, &send(other_port, b"x")), to_peer(relayed, other_port, b"x"));
}

#[test]
fn rfc8656_12_channels_last_600_s_and_permissions_under_them_300_s() {
    let mut bench = Bench::new();
    let relayed = bench.allocate(CLIENT);
    bench.request(CLIENT, Method::Refresh, &[Attribute::Lifetime(3600)]);
    bench.bind(CLIENT, 0x4000, PEER);
    bench.sleep(300);
    let bytes = channel_data(0x4000, b"x");
    assert_eq!(bench.exchange(CLIENT, &bytes), FROM_CLIENT(DiscardReason::NoPermission));
    bench.permit(CLIENT, PEER);
    assert_eq!(bench.exchange(CLIENT, &bytes), to_peer(relayed, PEER, b"x"));
    bench.sleep(299);
    assert_eq!(bench.exchange(CLIENT, &bytes), to_peer(relayed, PEER, b"x"));
    bench.sleep(1);
    assert_eq!(bench.exchange(CLIENT, &bytes), FROM_CLIENT(DiscardReason::NoChannel));
    assert_eq!(bench.bind(CLIENT, 0x4001, PEER).code(), None, "both are free again");
}

#[test]
fn rfc8656_12_6_unbound_reserved_or_short_channel_data_is_discarded() {
    let mut bench = Bench::new();
    bench.allocate(CLIENT);
    assert_eq!(bench.exchange(CLIENT, &channel_data(0x4000, b"x")), FROM_CLIENT(DiscardReason::NoChannel));
    for bytes in [&[0x40, 0, 0, 9, 1][..], &[0x50, 0, 0, 0], &[]] {
        let bytes = Bytes::copy_from_slice(bytes);
        assert_eq!(bench.exchange(CLIENT, &bytes), FROM_CLIENT(DiscardReason::Malformed));
    }
}

#[test]
fn rfc8656_12_6_channel_data_goes_to_the_bound_peer_even_when_empty() {
    let mut bench = Bench::new();
    let relayed = bench.allocate(CLIENT);
    bench.bind(CLIENT, 0x4000, PEER);
    assert_eq!(bench.exchange(CLIENT, &channel_data(0x4000, b"")), to_peer(relayed, PEER, b""));
    assert_eq!(bench.exchange(CLIENT, &channel_data(0x4000, b"hi")), to_peer(relayed, PEER, b"hi"));
}

#[test]
fn what_does_not_fit_a_message_is_discarded() {
    let mut bench = Bench::new();
    let relayed = bench.allocate(CLIENT);
    bench.permit(CLIENT, PEER);
    let too_long = discard(PEER, relayed.0, DiscardReason::TooLong);
    assert_eq!(bench.peer_sends(relayed, PEER, &[0; 65_535]), too_long);
    let effects = bench.peer_sends(relayed, PEER, &[0; 65_504]);
    assert_eq!(to_client(&effects).data().map(<[u8]>::len), Some(65_504));
    bench.bind(CLIENT, 0x4000, PEER);
    assert_eq!(bench.peer_sends(relayed, PEER, &[0; 65_536]), too_long);
}
