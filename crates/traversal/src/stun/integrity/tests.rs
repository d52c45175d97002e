use natbed_packet::Endpoint;

use super::*;
use crate::stun::vectors::{IPV4_RESPONSE, IPV6_RESPONSE, LONG_TERM_REQUEST, REQUEST, SHA256_REQUEST};
use crate::stun::{Attribute, Builder, Class, Method, TransactionId};

const ID: TransactionId =
    TransactionId([0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae]);

fn password() -> Key {
    Key::short_term("VOkJxbRl1RmTxUk/WvJxBt")
}

#[test]
fn rfc5769_2_1_request_parses_and_verifies() {
    let message = Message::parse(REQUEST).unwrap();
    assert_eq!((message.class(), message.method()), (Class::Request, Method::Binding));
    assert_eq!(message.transaction_id(), ID);
    assert_eq!(message.software(), Some("STUN test client"));
    assert_eq!(message.username(), Some("evtj:h6vY"));
    assert_eq!(message.priority(), Some(0x6e00_01ff));
    assert_eq!(message.ice_controlled(), Some(0x932f_f9b1_5126_3b36));
    assert_eq!(message.verify_integrity(&password()), Ok(()));
    assert!(message.verify_fingerprint());
}

/// The vector pads USERNAME with spaces, which no zero-padding sender reproduces: all but the padding and what is
/// computed over it is the same.
#[test]
fn rfc5769_2_1_request_is_built_up_to_its_padding() {
    let mut buffer = Vec::new();
    Builder::new(&mut buffer, Class::Request, Method::Binding, ID)
        .attribute(Attribute::Software("STUN test client"))
        .attribute(Attribute::Priority(0x6e00_01ff))
        .attribute(Attribute::IceControlled(0x932f_f9b1_5126_3b36))
        .attribute(Attribute::Username("evtj:h6vY"))
        .integrity(&password())
        .fingerprint();
    assert_eq!(buffer.len(), REQUEST.len());
    let padding = REQUEST.len() - 32 - 3;
    assert_eq!(buffer[..padding], REQUEST[..padding]);
    assert_eq!(buffer[padding..padding + 3], [0; 3]);
}

#[test]
fn rfc5769_2_2_ipv4_response_parses_and_verifies() {
    let message = Message::parse(IPV4_RESPONSE).unwrap();
    assert_eq!((message.class(), message.method()), (Class::Success, Method::Binding));
    assert_eq!(message.software(), Some("test vector"));
    assert_eq!(message.xor_mapped_address(), Some(Endpoint::v4(192, 0, 2, 1, 32853)));
    assert_eq!(message.verify_integrity(&password()), Ok(()));
    assert!(message.verify_fingerprint());
}

#[test]
fn rfc5769_2_3_ipv6_response_parses_and_verifies() {
    let message = Message::parse(IPV6_RESPONSE).unwrap();
    let mapped = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
    assert_eq!(message.xor_mapped_address(), Some(mapped));
    assert_eq!(message.verify_integrity(&password()), Ok(()));
    assert!(message.verify_fingerprint());
}

#[test]
fn rfc5769_2_4_long_term_request_is_built_byte_for_byte() {
    let (username, realm) = ("\u{30DE}\u{30C8}\u{30EA}\u{30C3}\u{30AF}\u{30B9}", "example.org");
    let nonce = "f//499k954d6OL34oL9FSTvy64sA";
    let key = Key::long_term(username, realm, "TheMatrIX");
    let message = Message::parse(LONG_TERM_REQUEST).unwrap();
    assert_eq!(message.username(), Some(username));
    assert_eq!((message.realm(), message.nonce()), (Some(realm), Some(nonce)));
    assert_eq!(message.verify_integrity(&key), Ok(()));

    let mut buffer = Vec::new();
    Builder::new(&mut buffer, Class::Request, Method::Binding, message.transaction_id())
        .attribute(Attribute::Username(username))
        .attribute(Attribute::Nonce(nonce))
        .attribute(Attribute::Realm(realm))
        .integrity(&key);
    assert_eq!(buffer, LONG_TERM_REQUEST);
}

#[test]
fn rfc8489_9_2_2_long_term_key_is_md5_of_user_realm_password() {
    let expected = 0x8493_fbc5_3ba5_82fb_4c04_4c45_6bdc_40eb_u128;
    assert_eq!(u128::from_be_bytes(long_term_hash::<Md5>("user", "realm", "pass").into()), expected);
}

#[test]
fn any_flipped_bit_breaks_integrity_and_fingerprint() {
    for at in 0..REQUEST.len() * 8 {
        let mut bytes = REQUEST.to_vec();
        bytes[at / 8] ^= 1 << (at % 8);
        let Ok(message) = Message::parse(&bytes) else { continue };
        assert!(!message.verify_fingerprint(), "bit {at}");
        if at / 8 < REQUEST.len() - 8 {
            assert!(message.verify_integrity(&password()).is_err(), "bit {at}");
        }
    }
}

#[test]
fn a_key_longer_than_a_block_is_hashed_first() {
    let password = "p".repeat(65);
    let hashed = Key(Keyed::Sha1(Hmac::new_from_slice(password.as_bytes()).unwrap()));
    let mut buffer = Vec::new();
    Builder::new(&mut buffer, Class::Request, Method::Binding, ID).integrity(&hashed);
    assert_eq!(Message::parse(&buffer).unwrap().verify_integrity(&Key::short_term(&password)), Ok(()));
}

/// The vector's length field counts 20 octets that it does not have, and its HMAC was made with that length: the parts are
/// tested one by one.
#[test]
fn rfc8489_b_1_userhash_and_message_integrity_sha256() {
    let (username, realm) = ("\u{30DE}\u{30C8}\u{30EA}\u{30C3}\u{30AF}\u{30B9}", "example.org");
    let mut bytes = SHA256_REQUEST.to_vec();
    assert_eq!(Message::parse(&bytes).err(), Some(crate::stun::ParseError::Length));
    let (covered, attribute) = bytes.split_at(bytes.len() - 36);
    let key = Key::long_term_sha256(PasswordAlgorithm::Sha256, username, realm, "TheMatrIX");
    let Keyed::Sha256(mut hmac) = key.0 else { unreachable!("a SHA-256 key") };
    hmac.update(covered);
    assert_eq!(hmac.finalize().into_bytes()[..], attribute[4..]);

    bytes[3] = 0x88;
    let message = Message::parse(&bytes).unwrap();
    let hash = userhash(username, realm);
    assert_eq!(message.attribute(AttributeType::USERHASH), Some(Attribute::Userhash(&hash)));
    assert_eq!(message.nonce(), Some("obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA"));
}

#[test]
fn rfc8489_14_6_message_integrity_sha256_may_be_cut_to_16_octets_but_no_shorter() {
    let key = Key::long_term_sha256(PasswordAlgorithm::Md5, "user", "realm", "pass");
    for (length, valid) in
        [(12, false), (16, true), (18, false), (20, true), (28, true), (32, true), (36, false)]
    {
        let mut buffer = Vec::new();
        Builder::new(&mut buffer, Class::Request, Method::Binding, ID).attribute(Attribute::Username("user"));
        let Keyed::Sha256(hmac) = &key.0 else { unreachable!("a SHA-256 key") };
        let mut mac = feed(hmac, &buffer, length).finalize().into_bytes().to_vec();
        mac.resize(length, 0);
        Builder::resume(&mut buffer)
            .attribute(Attribute::Other(AttributeType::MESSAGE_INTEGRITY_SHA256, &mac));
        assert_eq!(Message::parse(&buffer).unwrap().verify_integrity(&key).is_ok(), valid, "{length}");
    }
}

#[test]
fn rfc8489_14_6_both_integrities_verify_side_by_side() {
    let sha1 = Key::long_term("user", "realm", "pass");
    let sha256 = Key::long_term_sha256(PasswordAlgorithm::Sha256, "user", "realm", "pass");
    let mut buffer = Vec::new();
    Builder::new(&mut buffer, Class::Request, Method::Binding, ID)
        .integrity(&sha1)
        .integrity(&sha256)
        .fingerprint();
    let message = Message::parse(&buffer).unwrap();
    assert_eq!((message.verify_integrity(&sha1), message.verify_integrity(&sha256)), (Ok(()), Ok(())));
    assert!(message.verify_fingerprint());
    Builder::new(&mut buffer, Class::Request, Method::Binding, ID).integrity(&sha256).integrity(&sha1);
    let message = Message::parse(&buffer).unwrap();
    assert_eq!(message.verify_integrity(&sha1), Err(IntegrityError::Missing), "it would have to come before");
}
