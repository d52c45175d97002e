//! A client against responses made by hand: right ones, forged ones and nonsense.

use super::*;

const NOW: Timestamp = Timestamp::ZERO;
const RELAYED: Endpoint = Endpoint::v4(198, 51, 100, 3, 50_000);

fn key() -> Key {
    Key::long_term("student", "example.org", "secret")
}

fn error(code: u16) -> Attribute<'static> {
    Attribute::ErrorCode(ErrorCode { code, reason: "no" })
}

/// A response to `request` signed with `key`.
fn respond(request: &[u8], class: Class, attributes: &[Attribute<'_>], key: Option<&Key>) -> Bytes {
    let request = Message::parse(request).unwrap();
    let mut buffer = Vec::new();
    let mut response = Builder::new(&mut buffer, class, request.method(), request.transaction_id());
    for &attribute in attributes {
        response.attribute(attribute);
    }
    if let Some(key) = key {
        response.integrity(key);
    }
    buffer.into()
}

fn allocated(request: &[u8], key: &Key) -> Bytes {
    let attributes = [
        Attribute::XorRelayedAddress(RELAYED),
        Attribute::XorMappedAddress(MAPPED),
        Attribute::Lifetime(600),
    ];
    respond(request, Class::Success, &attributes, Some(key))
}

fn challenge(code: u16, nonce: &'static str) -> [Attribute<'static>; 3] {
    [error(code), Attribute::Realm("example.org"), Attribute::Nonce(nonce)]
}

/// A client that has been challenged, and its Allocate request with credentials.
fn challenged() -> (Client, Bytes) {
    let mut client = Client::new(NOW, config(), rng(5));
    let first = client.poll_transmit().unwrap().payload;
    assert!(client.handle_input(NOW, SERVER, &respond(&first, Class::Error, &challenge(401, "n"), None)));
    let second = client.poll_transmit().unwrap().payload;
    (client, second)
}

fn standing() -> Client {
    let (mut client, request) = challenged();
    assert!(client.handle_input(NOW, SERVER, &allocated(&request, &key())));
    assert!(matches!(client.poll_event(), Some(Event::Allocated { .. })));
    client
}

#[test]
fn rfc8489_9_2_5_retry_has_username_realm_nonce_and_integrity_and_a_new_transaction_id() {
    let mut client = Client::new(NOW, config(), rng(5));
    let first = client.poll_transmit().unwrap().payload;
    assert!(!Message::parse(&first).unwrap().has_integrity(), "the first request is sent without");
    client.handle_input(NOW, SERVER, &respond(&first, Class::Error, &challenge(401, "n"), None));
    let second = client.poll_transmit().unwrap().payload;
    let message = Message::parse(&second).unwrap();
    assert_ne!(message.transaction_id(), Message::parse(&first).unwrap().transaction_id());
    assert_eq!(
        (message.username(), message.realm(), message.nonce()),
        (Some("student"), Some("example.org"), Some("n"))
    );
    assert_eq!(message.verify_integrity(&key()), Ok(()));
}

#[test]
fn rfc8489_9_2_5_438_is_retried_with_the_new_nonce() {
    let (mut client, request) = challenged();
    client.handle_input(NOW, SERVER, &respond(&request, Class::Error, &challenge(438, "fresh"), None));
    let retry = client.poll_transmit().unwrap().payload;
    assert_eq!(Message::parse(&retry).unwrap().nonce(), Some("fresh"));
}

#[test]
fn a_server_that_finds_every_nonce_stale_is_given_up() {
    let (mut client, mut request) = challenged();
    let mut retries = 0;
    loop {
        client.handle_input(NOW, SERVER, &respond(&request, Class::Error, &challenge(438, "again"), None));
        let Some(transmit) = client.poll_transmit() else { break };
        request = transmit.payload;
        retries += 1;
    }
    assert_eq!(retries, 3);
    assert!(matches!(client.poll_event(), Some(Event::Failed(Failure::Rejected { code: 438, .. }))));
}

#[test]
fn rfc8489_9_2_5_nonce_cookie_without_password_algorithms_is_not_retried() {
    let mut client = Client::new(NOW, config(), rng(5));
    let first = client.poll_transmit().unwrap().payload;
    let challenge = challenge(401, "obMatJos2gAAAxyz");
    client.handle_input(NOW, SERVER, &respond(&first, Class::Error, &challenge, None));
    assert_eq!(client.poll_transmit(), None);
    assert!(matches!(client.poll_event(), Some(Event::Failed(_))));
}

#[test]
fn rfc8489_9_2_5_first_supported_password_algorithm_is_chosen_and_none_is_not_retried() {
    for (offered, chosen) in [
        (&[0, 1, 0, 0, 0, 2, 0, 0][..], Some(1)),
        (&[0, 9, 0, 3, 1, 1, 1, 0, 0, 2, 0, 0], Some(2)),
        (&[0, 9, 0, 0], None),
        (&[0, 9, 0, 9, 1], None),
        (&[], None),
    ] {
        let mut client = Client::new(NOW, config(), rng(5));
        let first = client.poll_transmit().unwrap().payload;
        let mut attributes = challenge(401, "obMatJos2gAAAxyz").to_vec();
        attributes.push(Attribute::PasswordAlgorithms(offered));
        client.handle_input(NOW, SERVER, &respond(&first, Class::Error, &attributes, None));
        let retry = client.poll_transmit().map(|transmit| transmit.payload);
        let retry = retry.as_ref().map(|payload| Message::parse(payload).unwrap());
        assert_eq!(retry.and_then(|retry| retry.password_algorithm()), chosen);
        if let Some(retry) = retry {
            assert_eq!(retry.raw(AttributeType::PASSWORD_ALGORITHMS), Some(offered));
        } else {
            assert_eq!(client.poll_event(), Some(Event::Failed(Failure::Unusable)));
        }
    }
}

#[test]
fn rfc8489_9_2_5_forged_responses_are_discarded_and_retransmission_goes_on() {
    let (mut client, request) = challenged();
    let good = allocated(&request, &key());
    let mut other_id = good.to_vec();
    other_id[19] ^= 1;
    assert!(!client.handle_input(NOW, SERVER, &other_id.into()), "wrong transaction ID");
    assert!(!client.handle_input(NOW, Endpoint::new(SERVER.ip, 9), &good), "wrong source");
    client.handle_input(NOW, SERVER, &allocated(&request, &Key::short_term("other")));
    client.handle_input(NOW, SERVER, &respond(&request, Class::Error, &[error(486)], None));
    client.handle_input(NOW, SERVER, &respond(&request, Class::Error, &[error(400)], None));
    assert_eq!((client.poll_event(), client.relayed()), (None, None));
    client.handle_timeout(client.poll_timeout().unwrap());
    assert_eq!(client.poll_transmit().map(|transmit| transmit.payload), Some(request));
    assert!(client.handle_input(NOW, SERVER, &good));
    assert_eq!(client.relayed(), Some(RELAYED));
}

#[test]
fn rfc8489_9_2_5_nothing_but_forged_responses_is_an_integrity_failure_not_a_timeout() {
    let (mut client, request) = challenged();
    client.handle_input(NOW, SERVER, &allocated(&request, &Key::short_term("other")));
    while let Some(now) = client.poll_timeout() {
        client.handle_timeout(now);
    }
    assert_eq!(client.poll_event(), Some(Event::Failed(Failure::IntegrityViolated)));
}

#[test]
fn rfc8489_9_2_5_unsigned_400_is_discarded() {
    let mut client = Client::new(NOW, config(), rng(5));
    let first = client.poll_transmit().unwrap().payload;
    client.handle_input(NOW, SERVER, &respond(&first, Class::Error, &[error(400)], None));
    assert_eq!(client.poll_event(), None);
}

#[test]
fn silence_is_a_timeout() {
    let mut client = Client::new(NOW, config(), rng(5));
    while let Some(now) = client.poll_timeout() {
        client.handle_timeout(now);
        assert!(client.poll_timeout().is_none_or(|later| later > now));
    }
    assert_eq!(std::iter::from_fn(|| client.poll_transmit()).count(), 7);
    assert_eq!(client.poll_event(), Some(Event::Failed(Failure::Timeout)));
}

#[test]
fn rfc8489_10_try_alternate_has_the_other_server_asked() {
    let mut client = Client::new(NOW, config(), rng(5));
    let first = client.poll_transmit().unwrap();
    let attributes = [error(300), Attribute::AlternateServer(PEER)];
    assert!(client.handle_input(NOW, SERVER, &respond(&first.payload, Class::Error, &attributes, None)));
    assert_eq!(client.poll_event(), Some(Event::Redirected { server: PEER }));
    let second = client.poll_transmit().unwrap();
    assert_eq!((second.to, client.server()), (PEER, PEER));
    // What the first server says is of no interest any more.
    assert!(!client.handle_input(NOW, SERVER, &respond(&second.payload, Class::Error, &[error(400)], None)));
    // The other server has its own realm and nonces; the user is the same.
    let attributes = [error(401), Attribute::Realm("elsewhere"), Attribute::Nonce("n")];
    client.handle_input(NOW, PEER, &respond(&second.payload, Class::Error, &attributes, None));
    let third = client.poll_transmit().unwrap().payload;
    let third = Message::parse(&third).unwrap();
    assert_eq!((third.username(), third.realm()), (Some("student"), Some("elsewhere")));
    assert!(third.verify_integrity(&Key::long_term("student", "elsewhere", "secret")).is_ok());
}

#[test]
fn rfc8489_10_redirection_in_a_circle_fails_for_five_minutes() {
    let back = |client: &mut Client, now: Timestamp, from: Endpoint, to: Endpoint| {
        let request = std::iter::from_fn(|| client.poll_transmit()).last().unwrap().payload;
        let attributes = [error(300), Attribute::AlternateServer(to)];
        client.handle_input(now, from, &respond(&request, Class::Error, &attributes, None));
        client.poll_event()
    };
    let mut client = Client::new(NOW, config(), rng(5));
    assert_eq!(back(&mut client, NOW, SERVER, PEER), Some(Event::Redirected { server: PEER }));
    let failure = Failure::Rejected { code: 300, reason: "no".to_owned(), alternate: Some(SERVER) };
    assert_eq!(back(&mut client, NOW, PEER, SERVER), Some(Event::Failed(failure)));
    assert_eq!(client.poll_timeout(), None);
    // To itself, or to a server of the other family, leads nowhere either.
    for to in [SERVER, "[2001:db8::3]:3478".parse().unwrap()] {
        let mut client = Client::new(NOW, config(), rng(5));
        assert!(matches!(back(&mut client, NOW, SERVER, to), Some(Event::Failed(_))));
    }
}

#[test]
fn rfc8489_9_2_5_forged_redirection_of_an_authenticated_request_is_discarded() {
    let (mut client, request) = challenged();
    let attributes = [error(300), Attribute::AlternateServer(PEER)];
    client.handle_input(NOW, SERVER, &respond(&request, Class::Error, &attributes, None));
    assert_eq!((client.poll_event(), client.server()), (None, SERVER));
    client.handle_input(NOW, SERVER, &respond(&request, Class::Error, &attributes, Some(&key())));
    assert_eq!(client.poll_event(), Some(Event::Redirected { server: PEER }));
}

#[test]
fn rfc8489_6_3_4_server_errors_are_tried_again_but_not_508() {
    let (mut client, mut request) = challenged();
    for wait in [500, 1000, 2000, 4000] {
        client.handle_input(NOW, SERVER, &respond(&request, Class::Error, &[error(500)], Some(&key())));
        assert_eq!((client.poll_event(), client.poll_transmit()), (None, None));
        assert_eq!(client.poll_timeout(), Some(NOW + Duration::from_millis(wait)));
        client.handle_timeout(NOW + Duration::from_millis(wait));
        request = client.poll_transmit().unwrap().payload;
    }
    client.handle_input(NOW, SERVER, &respond(&request, Class::Error, &[error(500)], Some(&key())));
    assert!(matches!(client.poll_event(), Some(Event::Failed(Failure::Rejected { code: 500, .. }))));
    let (mut client, request) = challenged();
    client.handle_input(NOW, SERVER, &respond(&request, Class::Error, &[error(508)], Some(&key())));
    assert!(matches!(client.poll_event(), Some(Event::Failed(Failure::Rejected { code: 508, .. }))));
}

#[test]
fn rfc8489_6_2_1_a_hard_icmp_error_ends_what_is_under_way() {
    let (mut client, _) = challenged();
    client.handle_unreachable();
    assert_eq!(client.poll_event(), Some(Event::Failed(Failure::Unreachable)));
    assert_eq!(client.poll_timeout(), None);
    // Nothing is under way here, so nothing fails.
    let mut client = standing();
    client.handle_unreachable();
    assert_eq!(client.poll_event(), None);
    assert!(client.relayed().is_some());
}

#[test]
fn rfc8489_6_2_1_a_slow_server_is_given_more_time() {
    let mut client = Client::new(NOW, config(), rng(5));
    let first = client.poll_transmit().unwrap().payload;
    let later = Timestamp::from_millis(400);
    let challenge = [error(401), Attribute::Realm("example.org"), Attribute::Nonce("n")];
    client.handle_input(later, SERVER, &respond(&first, Class::Error, &challenge, None));
    assert_eq!(
        client.poll_timeout(),
        Some(later + Duration::from_millis(1200)),
        "400 ms and 4 times half of it"
    );
}

#[test]
fn rfc8656_7_3_an_address_of_another_family_is_given_back() {
    let (mut client, request) = challenged();
    let v6: Endpoint = "[2001:db8::3]:50000".parse().unwrap();
    let attributes = [Attribute::XorRelayedAddress(v6), Attribute::XorMappedAddress(MAPPED)];
    client.handle_input(NOW, SERVER, &respond(&request, Class::Success, &attributes, Some(&key())));
    assert_eq!(client.poll_event(), Some(Event::Failed(Failure::Unusable)));
    let delete = client.poll_transmit().unwrap().payload;
    let delete = Message::parse(&delete).unwrap();
    assert_eq!((delete.method(), delete.lifetime()), (Method::Refresh, Some(0)));
}

#[test]
fn rfc8656_8_refresh_about_a_minute_before_expiry() {
    let mut client = standing();
    assert_eq!(client.poll_timeout(), Some(Timestamp::from_secs(540)));
    client.handle_timeout(Timestamp::from_secs(540));
    let refresh = client.poll_transmit().unwrap().payload;
    let message = Message::parse(&refresh).unwrap();
    assert_eq!((message.method(), message.lifetime()), (Method::Refresh, None));
}

#[test]
fn rfc8656_11_4_data_without_peer_address_data_or_permission_is_discarded() {
    let mut client = standing();
    let mut data = |attributes: &[Attribute<'_>]| {
        let mut buffer = Vec::new();
        let mut builder = Builder::new(&mut buffer, Class::Indication, Method::Data, TransactionId([1; 12]));
        for &attribute in attributes {
            builder.attribute(attribute);
        }
        client.handle_input(NOW, SERVER, &buffer.into())
    };
    assert!(!data(&[Attribute::Data(b"x")]));
    assert!(!data(&[Attribute::XorPeerAddress(PEER)]));
    assert!(!data(&[Attribute::XorPeerAddress(PEER), Attribute::Data(b"x")]), "no permission was asked for");
    let icmp = Attribute::Icmp { icmp_type: 3, code: 3, data: 0 };
    assert!(!data(&[Attribute::XorPeerAddress(PEER), icmp]));
    assert_eq!(client.poll_event(), None);
}

#[test]
fn rfc8656_12_channel_data_is_taken_before_the_bind_response() {
    let mut client = standing();
    let mut buffer = Vec::new();
    ChannelData { number: 0x4000, data: b"early" }.write(&mut buffer);
    let early = Bytes::from(buffer);
    assert!(!client.handle_input(NOW, SERVER, &early), "no channel was asked for");
    client.bind_channel(NOW, PEER).unwrap();
    assert!(client.handle_input(NOW, SERVER, &early));
    let payload = Bytes::from_static(b"early");
    assert_eq!(client.poll_event(), Some(Event::Received { peer: PEER, payload }));
}

#[test]
fn the_queue_and_the_channels_are_bounded() {
    let mut client = Client::new(NOW, config(), rng(5));
    let payload = Bytes::from_static(b"x");
    let taken = (0..100).take_while(|_| client.send(NOW, PEER, &payload).is_ok()).count();
    assert_eq!(taken, 64);
    assert_eq!(client.send(NOW, PEER, &payload), Err(SendError::QueueFull));
    assert_eq!(client.send(NOW, PEER, &Bytes::from(vec![0; 65_536])), Err(SendError::TooLong));
    for port in 0..4096 {
        assert_eq!(client.bind_channel(NOW, Endpoint::new(PEER.ip, port)), Ok(()));
    }
    assert_eq!(client.bind_channel(NOW, PEER), Err(SendError::NoChannel));
}

#[test]
fn a_refused_channel_leaves_send_indications() {
    let mut client = standing();
    client.bind_channel(NOW, PEER).unwrap();
    let permission = client.poll_transmit().unwrap().payload;
    let channel = client.poll_transmit().unwrap().payload;
    client.handle_input(NOW, SERVER, &respond(&channel, Class::Error, &[error(508)], Some(&key())));
    assert!(matches!(client.poll_event(), Some(Event::ChannelFailed { peer: PEER, .. })));
    client.handle_input(NOW, SERVER, &respond(&permission, Class::Success, &[], Some(&key())));
    client.send(NOW, PEER, &Bytes::from_static(b"x")).unwrap();
    let sent = client.poll_transmit().unwrap().payload;
    assert_eq!(Message::parse(&sent).unwrap().method(), Method::Send);
    assert_eq!(client.bind_channel(NOW, PEER), Err(SendError::Refused));
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..60),
        flips in proptest::collection::vec((0usize..5, any::<prop::sample::Index>(), 0u8..8), 1..20),
    ) {
        let mut client = standing();
        client.bind_channel(NOW, PEER).unwrap();
        client.handle_input(NOW, SERVER, &bytes.into());
        let mut now = NOW;
        for (kind, at, bit) in flips {
            let request = client.poll_transmit().map_or_else(|| challenged().1, |transmit| transmit.payload);
            if !Message::parse(&request).is_ok_and(|message| message.class() == Class::Request) {
                continue;
            }
            let good = match kind {
                0 => allocated(&request, &key()),
                1 => respond(&request, Class::Success, &[Attribute::Lifetime(0)], Some(&key())),
                2 => respond(&request, Class::Error, &challenge(438, "n2"), None),
                3 => respond(&request, Class::Error, &[error(500)], Some(&key())),
                _ => {
                    let mut buffer = Vec::new();
                    ChannelData { number: 0x4000, data: b"x" }.write(&mut buffer);
                    buffer.into()
                }
            };
            let mut bad = good.to_vec();
            let index = at.index(bad.len());
            bad[index] ^= 1 << bit;
            client.handle_input(now, SERVER, &bad.into());
            client.handle_input(now, SERVER, &good);
            if let Some(next) = client.poll_timeout() {
                now = next;
                client.handle_timeout(now);
                prop_assert!(client.poll_timeout().is_none_or(|later| later > now));
            }
        }
    }
}

#[test]
fn rfc8489_9_2_5_responses_of_another_transaction_source_or_key_change_nothing() {
    let (client, request) = challenged();
    let good = allocated(&request, &key());
    let mut other_id = good.to_vec();
    other_id[12] ^= 1;
    let mut other_method = good.to_vec();
    other_method[1] ^= 7;
    let unsigned = {
        let attributes = [Attribute::XorRelayedAddress(RELAYED), Attribute::XorMappedAddress(MAPPED)];
        respond(&request, Class::Success, &attributes, None)
    };
    let forged = allocated(&request, &Key::long_term("student", "example.org", "guess"));
    let other_port = Endpoint::new(SERVER.ip, SERVER.port + 1);
    for (from, bytes) in [
        (SERVER, other_id.into()),
        (SERVER, other_method.into()),
        (SERVER, unsigned),
        (SERVER, forged),
        (other_port, good.clone()),
        (PEER, good.clone()),
    ] {
        let mut client = client.clone();
        client.handle_input(NOW, from, &bytes);
        assert_eq!((client.poll_event(), client.relayed(), client.poll_transmit()), (None, None, None));
        assert!(client.poll_timeout().is_some(), "retransmission goes on");
        assert!(client.handle_input(NOW, SERVER, &good), "and the right response still counts");
        assert_eq!(client.relayed(), Some(RELAYED));
    }
}

#[test]
fn rfc8656_12_a_channel_keeps_its_peer_for_as_long_as_the_allocation_stands() {
    let mut client = standing();
    let peers = [1, 2, 3].map(|octet| Endpoint::v4(203, 0, 113, octet, 5000));
    let numbers = |client: &mut Client, now: Timestamp| {
        let mut numbers = Vec::new();
        while let Some(transmit) = client.poll_transmit() {
            let message = Message::parse(&transmit.payload).unwrap();
            let answer = match message.method() {
                Method::Refresh => {
                    respond(&transmit.payload, Class::Success, &[Attribute::Lifetime(600)], Some(&key()))
                }
                _ => respond(&transmit.payload, Class::Success, &[], Some(&key())),
            };
            numbers.extend(message.channel_number().zip(message.xor_peer_address()));
            client.handle_input(now, SERVER, &answer);
        }
        numbers.sort_unstable();
        numbers
    };
    for peer in peers {
        client.bind_channel(NOW, peer).unwrap();
    }
    let bound = numbers(&mut client, NOW);
    assert_eq!(bound, [(0x4000, peers[0]), (0x4001, peers[1]), (0x4002, peers[2])]);
    // An hour of refreshes: no number ever goes to another peer, nor a peer to another number, so that the five minutes
    // before either may be bound anew need not be waited for.
    let mut refreshes = 0;
    while let Some(now) = client.poll_timeout().filter(|&now| now < Timestamp::from_secs(3600)) {
        client.handle_timeout(now);
        for binding in numbers(&mut client, now) {
            assert!(bound.contains(&binding), "{binding:?}");
            refreshes += 1;
        }
    }
    assert!(refreshes >= 15, "{refreshes}");
}
