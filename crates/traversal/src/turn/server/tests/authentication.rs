//! RFC 8489 section 9.2.4, RFC 8656 section 5.

use super::*;
use crate::stun::{PasswordAlgorithm, userhash};

const ID: TransactionId = TransactionId([77; 12]);

fn allocate_with(attributes: &[Attribute<'_>], key: Option<&Key>) -> Bytes {
    let mut buffer = Vec::new();
    let mut request = Builder::new(&mut buffer, Class::Request, Method::Allocate, ID);
    request.attribute(UDP);
    for &attribute in attributes {
        request.attribute(attribute);
    }
    if let Some(key) = key {
        request.integrity(key);
    }
    buffer.into()
}

#[test]
fn rfc8489_9_2_4_request_without_integrity_is_401_with_realm_and_nonce() {
    let mut bench = Bench::new();
    let response = bench.respond(CLIENT, &allocate_with(&[], None));
    assert_eq!(response.code(), Some(401));
    assert_eq!(response.message().realm(), Some("example.org"));
    assert!(
        response.message().nonce().unwrap().starts_with("obMatJos2"),
        "RFC 8489 section 9.2: nonce cookie"
    );
    assert!(!response.message().has_integrity());
    assert_eq!(bench.server.allocation_count(), 0);
}

#[test]
fn rfc8489_9_2_4_integrity_without_username_realm_or_nonce_is_400() {
    let mut bench = Bench::new();
    let all = [Attribute::Username("student"), Attribute::Realm("example.org"), Attribute::Nonce("n")];
    for missing in 0..3 {
        let some: Vec<_> = (0..3).filter(|&i| i != missing).map(|i| all[i]).collect();
        let key = bench.key();
        let response = bench.respond(CLIENT, &allocate_with(&some, Some(&key)));
        assert_eq!(response.code(), Some(400));
        assert_eq!((response.message().realm(), response.message().nonce()), (None, None));
    }
}

#[test]
fn rfc8489_9_2_4_unknown_user_or_wrong_password_is_401() {
    let mut bench = Bench::new();
    let nonce = bench.server.nonce(bench.now, FiveTuple { server: LOCAL, client: CLIENT });
    for (username, password) in [("nobody", "secret"), ("student", "wrong")] {
        let key = Key::long_term(username, "example.org", password);
        let attributes =
            [Attribute::Username(username), Attribute::Realm("example.org"), Attribute::Nonce(&nonce)];
        let response = bench.respond(CLIENT, &allocate_with(&attributes, Some(&key)));
        assert_eq!(response.code(), Some(401));
        assert!(response.message().nonce().is_some() && response.message().realm().is_some());
    }
}

#[test]
fn rfc8489_9_2_4_stale_nonce_is_438_with_a_new_one() {
    let mut bench = Bench::new();
    let request = bench.signed(CLIENT, Method::Allocate, &[UDP]);
    bench.sleep(3600);
    let response = bench.respond(CLIENT, &request);
    assert_eq!(response.code(), Some(438));
    assert_eq!(response.message().realm(), Some("example.org"));
    let fresh = response.message().nonce().unwrap().to_owned();
    assert_ne!(Some(fresh.as_str()), Message::parse(&request).unwrap().nonce());
    assert_eq!(bench.request(CLIENT, Method::Allocate, &[UDP]).code(), None);
}

#[test]
fn rfc8489_9_2_4_integrity_is_checked_before_the_nonce() {
    let mut bench = Bench::new();
    let key = Key::long_term("student", "example.org", "wrong");
    let attributes =
        [Attribute::Username("student"), Attribute::Realm("example.org"), Attribute::Nonce("old")];
    assert_eq!(bench.respond(CLIENT, &allocate_with(&attributes, Some(&key))).code(), Some(401));
}

#[test]
fn rfc8489_9_2_4_nonce_belongs_to_one_source_address_and_port() {
    let mut bench = Bench::new();
    let nonce = |bench: &mut Bench, client| {
        let response = bench.respond(client, &allocate_with(&[], None));
        response.message().nonce().unwrap().to_owned()
    };
    assert_ne!(nonce(&mut bench, CLIENT), nonce(&mut bench, OTHER_CLIENT));
    let request = bench.signed(CLIENT, Method::Allocate, &[UDP]);
    assert_eq!(bench.respond(OTHER_CLIENT, &request).code(), Some(438), "a copied request");
    assert_eq!(bench.server.allocation_count(), 0);
}

#[test]
fn rfc8489_9_2_4_responses_carry_integrity_but_no_credentials() {
    let mut bench = Bench::new();
    let key = bench.key();
    for attributes in [&[UDP][..], &[]] {
        let response = bench.request(CLIENT, Method::Allocate, attributes);
        let message = response.message();
        assert_eq!(message.verify_integrity(&key), Ok(()));
        assert_eq!((message.username(), message.realm(), message.nonce()), (None, None, None));
    }
}

#[test]
fn rfc8489_6_3_1_unknown_required_attribute_is_420_once_authenticated() {
    let mut bench = Bench::new();
    let unknown = Attribute::Other(AttributeType(0x7FFF), &[]);
    assert_eq!(bench.respond(CLIENT, &allocate_with(&[unknown], None)).code(), Some(401));
    let response = bench.request(CLIENT, Method::Allocate, &[UDP, unknown]);
    assert_eq!(response.code(), Some(420));
    assert!(response.message().unknown_attributes().eq([AttributeType(0x7FFF)]));
}

#[test]
fn rfc8656_5_without_allocation_requests_get_437() {
    let mut bench = Bench::new();
    assert_eq!(bench.request(CLIENT, Method::Refresh, &[]).code(), Some(437));
    assert_eq!(bench.permit(CLIENT, PEER).code(), Some(437));
    assert_eq!(bench.bind(CLIENT, 0x4000, PEER).code(), Some(437));
}

#[test]
fn rfc8656_5_without_allocation_indications_and_channel_data_are_discarded() {
    let mut bench = Bench::new();
    for bytes in [send(PEER, b"data"), channel_data(0x4000, b"data")] {
        assert_eq!(bench.exchange(CLIENT, &bytes), discard(CLIENT.0, LOCAL, DiscardReason::NoAllocation));
    }
}

#[test]
fn rfc8656_5_another_username_gets_441() {
    let mut bench = Bench::new();
    bench.allocate(CLIENT);
    bench.username = "teacher";
    assert_eq!(bench.request(CLIENT, Method::Refresh, &[Attribute::Lifetime(0)]).code(), Some(441));
    assert_eq!(bench.permit(CLIENT, PEER).code(), Some(441));
    assert_eq!(bench.bind(CLIENT, 0x4000, PEER).code(), Some(441));
    assert_eq!(bench.server.allocation_count(), 1);
}

#[test]
fn rfc8656_5_software_in_allocate_and_refresh_responses() {
    let mut bench = Bench::new();
    assert!(bench.request(CLIENT, Method::Allocate, &[UDP]).message().software().is_some());
    assert!(bench.request(CLIENT, Method::Refresh, &[]).message().software().is_some());
}

#[test]
fn a_changed_password_counts_at_once() {
    let mut bench = Bench::new();
    bench.server.add_user("student", "changed");
    assert_eq!(bench.request(CLIENT, Method::Allocate, &[UDP]).code(), Some(401));
}

/// An Allocate request as from a client that knows SHA-256, with what `offered` and `chosen` say.
fn sha256_request(bench: &Bench, offered: Option<&[u8]>, chosen: Option<u16>, key: &Key) -> Bytes {
    let nonce = bench.server.nonce(bench.now, FiveTuple { server: LOCAL, client: CLIENT });
    let hash = userhash("student", "example.org");
    let mut attributes =
        vec![Attribute::Userhash(&hash), Attribute::Realm("example.org"), Attribute::Nonce(&nonce)];
    attributes.extend(offered.map(Attribute::PasswordAlgorithms));
    attributes.extend(chosen.map(Attribute::PasswordAlgorithm));
    allocate_with(&attributes, Some(key))
}

fn sha256_key(algorithm: PasswordAlgorithm) -> Key {
    Key::long_term_sha256(algorithm, "student", "example.org", "secret")
}

#[test]
fn rfc8489_9_2_4_password_algorithms_are_offered_and_either_is_taken() {
    let offered = [0, 2, 0, 0, 0, 1, 0, 0];
    for algorithm in [PasswordAlgorithm::Md5, PasswordAlgorithm::Sha256] {
        let mut bench = Bench::with(|config| config.sha256 = true);
        let challenge = bench.respond(CLIENT, &allocate_with(&[], None));
        assert!(challenge.message().nonce().unwrap().starts_with("obMatJos2w"), "both features");
        assert_eq!(challenge.message().raw(AttributeType::PASSWORD_ALGORITHMS), Some(&offered[..]));
        let key = sha256_key(algorithm);
        let request = sha256_request(&bench, Some(&offered), Some(algorithm.number()), &key);
        let response = bench.respond(CLIENT, &request);
        assert_eq!(response.code(), None);
        assert_eq!(response.message().verify_integrity(&key), Ok(()));
        assert!(!response.message().has(AttributeType::MESSAGE_INTEGRITY));
    }
}

#[test]
fn rfc8489_9_2_4_password_algorithms_mismatch_is_400() {
    let mut bench = Bench::with(|config| config.sha256 = true);
    let key = sha256_key(PasswordAlgorithm::Sha256);
    let offered: &[u8] = &[0, 2, 0, 0, 0, 1, 0, 0];
    for (list, chosen) in
        [(Some(offered), None), (None, Some(2)), (Some(&offered[4..]), Some(1)), (Some(offered), Some(3))]
    {
        let request = sha256_request(&bench, list, chosen, &key);
        assert_eq!(bench.respond(CLIENT, &request).code(), Some(400));
    }
}

#[test]
fn rfc8489_9_2_4_without_password_algorithm_it_is_md5_and_message_integrity() {
    let mut bench = Bench::with(|config| config.sha256 = true);
    let response = bench.request(CLIENT, Method::Allocate, &[UDP]);
    assert_eq!((response.code(), response.message().verify_integrity(&bench.key())), (None, Ok(())));
}

#[test]
fn rfc8489_9_2_4_integrity_made_with_another_algorithm_is_401() {
    let mut bench = Bench::with(|config| config.sha256 = true);
    let offered = [0, 2, 0, 0, 0, 1, 0, 0];
    let request = sha256_request(&bench, Some(&offered), Some(2), &sha256_key(PasswordAlgorithm::Md5));
    assert_eq!(bench.respond(CLIENT, &request).code(), Some(401));
    let request = sha256_request(&bench, Some(&offered), Some(2), &bench.key());
    assert_eq!(bench.respond(CLIENT, &request).code(), Some(401), "SHA-1 where SHA-256 is said");
}
