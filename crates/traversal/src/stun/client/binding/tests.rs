use proptest::prelude::*;
use rand::SeedableRng;

use super::*;
use crate::stun::{Attribute, BindingServer, ErrorCode};

const LOCAL: Endpoint = Endpoint::v4(192, 168, 1, 10, 5000);
const MAPPED: Endpoint = Endpoint::v4(203, 0, 113, 1, 40_000);
const SERVER: Endpoint = Endpoint::v4(198, 51, 100, 1, 3478);

fn client() -> (BindingClient, Transmit) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut client = BindingClient::new(Timestamp::ZERO, LOCAL, SERVER, Schedule::default(), &mut rng);
    let request = client.poll_transmit().unwrap();
    (client, request)
}

fn respond(request: &Transmit, class: Class, attributes: &[Attribute<'_>]) -> Vec<u8> {
    let mut buffer = Vec::new();
    let id = Message::parse(&request.payload).unwrap().transaction_id();
    let mut response = Builder::new(&mut buffer, class, Method::Binding, id);
    for &attribute in attributes {
        response.attribute(attribute);
    }
    buffer
}

/// Hands a datagram over at a tenth of a second.
fn take(client: &mut BindingClient, from: Endpoint, bytes: &[u8]) -> bool {
    client.handle_input(Timestamp::from_millis(100), from, bytes, &mut Xoshiro256PlusPlus::seed_from_u64(2))
}

#[test]
fn learns_the_mapped_address() {
    let (mut client, request) = client();
    let response = BindingServer::new(SERVER).handle(SERVER, MAPPED, &request.payload).unwrap();
    assert!(take(&mut client, response.from, &response.payload));
    assert_eq!(client.poll_event(), Some(BindingEvent::Mapped(MAPPED)));
    assert!(!take(&mut client, response.from, &response.payload), "a duplicate changes nothing");
    assert_eq!((client.poll_event(), client.poll_timeout()), (None, None));
}

#[test]
fn lost_requests_are_sent_again_until_one_is_answered() {
    let (mut client, _) = client();
    for _ in 0..3 {
        client.handle_timeout(client.poll_timeout().unwrap());
    }
    let request = std::iter::from_fn(|| client.poll_transmit()).last().unwrap();
    let response = BindingServer::new(SERVER).handle(SERVER, MAPPED, &request.payload).unwrap();
    assert!(take(&mut client, SERVER, &response.payload));
    assert_eq!(client.poll_event(), Some(BindingEvent::Mapped(MAPPED)));
}

#[test]
fn silence_is_a_timeout() {
    let (mut client, _) = client();
    while let Some(now) = client.poll_timeout() {
        client.handle_timeout(now);
        assert!(client.poll_timeout().is_none_or(|next| next > now));
    }
    assert_eq!(client.poll_event(), Some(BindingEvent::Failed(BindingFailure::Timeout)));
}

#[test]
fn rfc8489_6_3_3_unknown_required_attribute_in_a_success_response_fails_the_transaction() {
    let (mut client, request) = client();
    let unknown = Attribute::Other(AttributeType(0x7FFF), &[]);
    let bytes = respond(&request, Class::Success, &[Attribute::XorMappedAddress(MAPPED), unknown]);
    assert!(take(&mut client, SERVER, &bytes));
    assert_eq!(client.poll_event(), Some(BindingEvent::Failed(BindingFailure::Unusable)));
}

#[test]
fn rfc8489_6_3_known_but_unexpected_attributes_are_ignored() {
    let (mut client, request) = client();
    let bytes = respond(
        &request,
        Class::Success,
        &[Attribute::XorMappedAddress(MAPPED), Attribute::ChannelNumber(1)],
    );
    assert!(take(&mut client, SERVER, &bytes));
    assert_eq!(client.poll_event(), Some(BindingEvent::Mapped(MAPPED)));
}

#[test]
fn rfc8489_6_3_4_errors_fail_the_transaction() {
    for code in [300, 400, 420, 600, 699] {
        let (mut client, request) = client();
        let bytes =
            respond(&request, Class::Error, &[Attribute::ErrorCode(ErrorCode { code, reason: "no" })]);
        assert!(take(&mut client, SERVER, &bytes));
        let failure = BindingFailure::Rejected { code, reason: "no".to_owned() };
        assert_eq!(client.poll_event(), Some(BindingEvent::Failed(failure)));
    }
}

#[test]
fn rfc8489_6_3_4_a_5xx_error_has_the_request_sent_again_four_times_at_most() {
    let (mut client, mut request) = client();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
    let (mut now, mut ids) = (Timestamp::ZERO, Vec::new());
    let error = Attribute::ErrorCode(ErrorCode { code: 500, reason: "oops" });
    for wait in [500, 1000, 2000, 4000] {
        ids.push(Message::parse(&request.payload).unwrap().transaction_id());
        let answer = respond(&request, Class::Error, &[error]);
        assert!(client.handle_input(now, SERVER, &answer, &mut rng));
        assert_eq!((client.poll_event(), client.poll_transmit()), (None, None));
        assert_eq!(client.poll_timeout(), Some(now + Duration::from_millis(wait)));
        now = client.poll_timeout().unwrap();
        client.handle_timeout(now);
        request = client.poll_transmit().unwrap();
    }
    // Each is a transaction of its own, lest the server answer from its memory.
    ids.dedup();
    assert_eq!(ids.len(), 4);
    let mut succeeding = client.clone();
    let answer = respond(&request, Class::Success, &[Attribute::XorMappedAddress(MAPPED)]);
    assert!(succeeding.handle_input(now, SERVER, &answer, &mut rng));
    assert_eq!(succeeding.poll_event(), Some(BindingEvent::Mapped(MAPPED)));
    assert!(client.handle_input(now, SERVER, &respond(&request, Class::Error, &[error]), &mut rng));
    let failure = BindingFailure::Rejected { code: 500, reason: "oops".to_owned() };
    assert_eq!(client.poll_event(), Some(BindingEvent::Failed(failure)));
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn rfc8489_6_2_1_a_hard_icmp_error_fails_the_transaction() {
    let (mut client, request) = client();
    client.handle_unreachable();
    assert_eq!(client.poll_event(), Some(BindingEvent::Failed(BindingFailure::Unreachable)));
    assert_eq!(client.poll_timeout(), None);
    client.handle_unreachable();
    let late = respond(&request, Class::Success, &[Attribute::XorMappedAddress(MAPPED)]);
    assert!(!take(&mut client, SERVER, &late));
    assert_eq!(client.poll_event(), None);
}

#[test]
fn rfc8489_6_2_1_the_round_trip_is_that_of_requests_sent_once() {
    let (mut first, request) = client();
    let answer = respond(&request, Class::Success, &[Attribute::XorMappedAddress(MAPPED)]);
    let mut again = first.clone();
    assert_eq!(first.round_trip(), None);
    take(&mut first, SERVER, &answer);
    assert_eq!(first.round_trip(), Some(Duration::from_millis(100)));
    again.handle_timeout(Timestamp::from_millis(500));
    take(&mut again, SERVER, &answer);
    assert_eq!((again.round_trip(), again.poll_event()), (None, Some(BindingEvent::Mapped(MAPPED))));
}

#[test]
fn forged_responses_change_nothing() {
    let (mut client, request) = client();
    let good = respond(&request, Class::Success, &[Attribute::XorMappedAddress(MAPPED)]);
    let mut other_id = good.clone();
    other_id[19] ^= 1;
    assert!(!take(&mut client, SERVER, &other_id));
    assert!(!take(&mut client, Endpoint::v4(198, 51, 100, 1, 3479), &good));
    assert!(!take(&mut client, SERVER, &request.payload));
    let mut bad_fingerprint = good.clone();
    Builder::resume(&mut bad_fingerprint).fingerprint();
    *bad_fingerprint.last_mut().unwrap() ^= 1;
    assert!(!take(&mut client, SERVER, &bad_fingerprint));
    assert_eq!(client.poll_event(), None);
    assert_eq!(client.poll_timeout(), Some(Timestamp::from_millis(500)), "and retransmission goes on");
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), flip in 0usize..400) {
        let (mut client, request) = client();
        take(&mut client, SERVER, &bytes);
        let mut response = respond(&request, Class::Success, &[Attribute::XorMappedAddress(MAPPED)]);
        let at = flip / 8 % response.len();
        response[at] ^= 1 << (flip % 8);
        take(&mut client, SERVER, &response);
    }
}
