use natbed_packet::Endpoint;
use proptest::prelude::*;

use super::*;
use crate::stun::{Builder, Key, describe, is_channel_data, is_stun};

const ID: TransactionId = TransactionId([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);

fn binding(write: impl for<'a, 'b> FnOnce(&'a mut Builder<'b>) -> &'a mut Builder<'b>) -> Vec<u8> {
    let mut buffer = Vec::new();
    write(&mut Builder::new(&mut buffer, Class::Request, Method::Binding, ID));
    buffer
}

#[test]
fn rfc8489_5_header_is_checked() {
    let good = binding(|b| b);
    assert!(Message::parse(&good).is_ok());
    assert_eq!(Message::parse(&good[..19]).err(), Some(ParseError::TooShort));
    let with = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        Message::parse(&bytes).err()
    };
    assert_eq!(with(0, 0x40), Some(ParseError::NotStun));
    assert_eq!(with(0, 0x80), Some(ParseError::NotStun));
    assert_eq!(with(4, 0x20), Some(ParseError::Cookie));
    assert_eq!(with(3, 3), Some(ParseError::Length), "no multiple of 4");
    assert_eq!(with(3, 4), Some(ParseError::Length), "more than there is");
}

#[test]
fn rfc8489_5_class_and_method_bits_interleave() {
    let classes = [Class::Request, Class::Indication, Class::Success, Class::Error];
    for number in 0..0x1000 {
        for class in classes {
            let message_type = class.bits() | Method::Other(number).bits();
            assert_eq!(Class::of(message_type), class);
            assert_eq!(Method::of(message_type).bits(), Method::Other(number).bits());
        }
    }
    assert_eq!(Class::Success.bits() | Method::Binding.bits(), 0x0101);
    assert_eq!(Class::Error.bits() | Method::CreatePermission.bits(), 0x0118);
}

#[test]
fn rfc8489_14_attribute_may_not_reach_beyond_the_end() {
    let mut bytes = binding(|b| b.attribute(Attribute::Username("abcd")));
    bytes[HEADER_LEN + 3] = 5;
    assert_eq!(Message::parse(&bytes).err(), Some(ParseError::Attribute));
}

#[test]
fn rfc8489_14_padding_is_zero_and_ignored_on_receipt() {
    let mut bytes = binding(|b| b.attribute(Attribute::Username("abcde")));
    assert_eq!(bytes[29..32], [0; 3]);
    bytes[29..32].fill(0xFF);
    assert_eq!(Message::parse(&bytes).unwrap().username(), Some("abcde"));
}

#[test]
fn rfc8489_14_only_first_duplicate_counts() {
    let bytes = binding(|b| b.attribute(Attribute::Username("a")).attribute(Attribute::Username("b")));
    assert_eq!(Message::parse(&bytes).unwrap().username(), Some("a"));
}

#[test]
fn rfc8489_14_3_username_realm_nonce_and_software_are_parsed_up_to_763_octets() {
    let long = "r".repeat(764);
    for (text, valid) in [(&long[..], false), (&long[1..], true)] {
        let bytes = binding(|b| {
            b.attribute(Attribute::Username(text)).attribute(Attribute::Realm(text));
            b.attribute(Attribute::Nonce(text)).attribute(Attribute::Software(text))
        });
        let message = Message::parse(&bytes).unwrap();
        let parsed = [message.username(), message.realm(), message.nonce(), message.software()];
        assert_eq!(parsed, [valid.then_some(text); 4]);
    }
}

#[test]
fn rfc8489_14_5_attributes_behind_integrity_are_ignored() {
    let key = Key::short_term("secret");
    let bytes = binding(|b| {
        b.attribute(Attribute::Username("a")).integrity(&key);
        b.attribute(Attribute::UseCandidate)
            .attribute(Attribute::Other(AttributeType(0x7777), &[]))
            .fingerprint()
    });
    let message = Message::parse(&bytes).unwrap();
    assert!(!message.use_candidate());
    assert_eq!(message.unknown_required(), []);
    assert_eq!(message.verify_integrity(&key), Ok(()));
    assert!(message.verify_fingerprint(), "FINGERPRINT is still seen, and covers all");
}

#[test]
fn rfc8489_14_7_fingerprint_is_last() {
    let bytes = binding(|b| b.fingerprint().attribute(Attribute::UseCandidate));
    let message = Message::parse(&bytes).unwrap();
    assert!(!message.verify_fingerprint());
    assert!(!message.use_candidate());
}

#[test]
fn rfc8489_14_7_integrity_behind_fingerprint_does_not_count() {
    let key = Key::short_term("secret");
    let bytes = binding(|b| b.fingerprint().integrity(&key));
    assert_eq!(
        Message::parse(&bytes).unwrap().verify_integrity(&key),
        Err(crate::stun::IntegrityError::Missing)
    );
}

#[test]
fn rfc8489_14_8_error_codes_are_300_to_699() {
    for (class, number, valid) in
        [(3, 0, true), (6, 99, true), (2, 99, false), (7, 0, false), (4, 100, false)]
    {
        let bytes =
            binding(|b| b.attribute(Attribute::Other(AttributeType::ERROR_CODE, &[0, 0, class, number])));
        assert_eq!(Message::parse(&bytes).unwrap().error_code().is_some(), valid, "{class} {number}");
    }
}

#[test]
fn rfc8489_6_3_unknown_required_attributes_are_listed_once() {
    let bytes = binding(|b| {
        for kind in [0x7FFF, 0x0002, 0x8FFF, 0x7FFF] {
            b.attribute(Attribute::Other(AttributeType(kind), &[1]));
        }
        b
    });
    let unknown = Message::parse(&bytes).unwrap().unknown_required();
    assert_eq!(unknown, [AttributeType(0x7FFF), AttributeType(0x0002)]);
}

#[test]
fn every_attribute_survives_the_wire() {
    let v4 = Endpoint::v4(192, 0, 2, 1, 32853);
    let v6: Endpoint = "[2001:db8::1]:9".parse().unwrap();
    let error = crate::stun::ErrorCode { code: 438, reason: "Stale Nonce" };
    let all = [
        Attribute::MappedAddress(v4),
        Attribute::MappedAddress(v6),
        Attribute::ChangeRequest { ip: true, port: false },
        Attribute::ChangeRequest { ip: false, port: true },
        Attribute::Username("u"),
        Attribute::ErrorCode(error),
        Attribute::UnknownAttributes(&[0x7F, 0xFF]),
        Attribute::ChannelNumber(0x4001),
        Attribute::Lifetime(600),
        Attribute::XorPeerAddress(v4),
        Attribute::Data(b"data!"),
        Attribute::Data(b""),
        Attribute::Realm("r"),
        Attribute::Nonce("n"),
        Attribute::XorRelayedAddress(v6),
        Attribute::RequestedAddressFamily(natbed_packet::Family::V6),
        Attribute::EvenPort { reserve: true },
        Attribute::RequestedTransport(17),
        Attribute::DontFragment,
        Attribute::PasswordAlgorithm(2),
        Attribute::Userhash(&[7; 32]),
        Attribute::XorMappedAddress(v6),
        Attribute::ReservationToken([8; 8]),
        Attribute::Priority(1),
        Attribute::UseCandidate,
        Attribute::Padding(&[0; 9]),
        Attribute::ResponsePort(77),
        Attribute::AdditionalAddressFamily(natbed_packet::Family::V6),
        Attribute::AddressErrorCode(natbed_packet::Family::V6, error),
        Attribute::PasswordAlgorithms(&[0, 1, 0, 0]),
        Attribute::AlternateDomain("example.org"),
        Attribute::Icmp { icmp_type: 3, code: 4, data: 1400 },
        Attribute::Software("s"),
        Attribute::AlternateServer(v4),
        Attribute::IceControlled(1),
        Attribute::IceControlling(2),
        Attribute::ResponseOrigin(v4),
        Attribute::OtherAddress(v6),
    ];
    let bytes = binding(|b| all.iter().fold(b, |b, &attribute| b.attribute(attribute)));
    let read: Vec<_> = Message::parse(&bytes).unwrap().attributes().collect();
    assert_eq!(read, all);
}

#[test]
fn what_does_not_fit_the_length_field_is_left_out() {
    let bytes = binding(|b| b.attribute(Attribute::Data(&[0; 65533])).attribute(Attribute::Priority(5)));
    let message = Message::parse(&bytes).unwrap();
    assert_eq!((message.data(), message.priority()), (None, Some(5)));
}

#[test]
fn rfc7983_7_demultiplexes_by_first_octet() {
    let bytes = binding(|b| b);
    assert!(is_stun(&bytes) && !is_channel_data(&bytes));
    for (first, channel) in [(63, false), (64, true), (79, true), (80, false), (128, false)] {
        assert_eq!(is_channel_data(&[first, 0, 0, 0]), channel);
        assert!(!is_stun(&[first, 0, 0, 0]));
    }
}

#[test]
fn descriptions_are_words() {
    assert_eq!(describe(&binding(|b| b)).as_deref(), Some("stun binding request"));
    let mut bytes = Vec::new();
    Builder::new(&mut bytes, Class::Success, Method::Allocate, ID);
    assert_eq!(describe(&bytes).as_deref(), Some("turn allocate success response"));
    let error = crate::stun::ErrorCode { code: 401, reason: "Unauthenticated" };
    Builder::new(&mut bytes, Class::Error, Method::Allocate, ID).attribute(Attribute::ErrorCode(error));
    assert_eq!(describe(&bytes).as_deref(), Some("turn allocate error response 401"));
    assert_eq!(describe(&[0x40, 0x01, 0, 0]).as_deref(), Some("turn channel data 0x4001"));
    assert_eq!(describe(b"hello"), None);
}

proptest! {
    #[test]
    fn parse_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        read_everything(&bytes);
    }

    #[test]
    fn parse_of_random_attributes_never_panics(body in proptest::collection::vec(any::<u8>(), 0..50), kinds in proptest::collection::vec((any::<u8>(), any::<bool>(), 0u8..24), 0..6)) {
        let mut bytes = binding(|b| b);
        for (kind, high, length) in kinds {
            bytes.extend_from_slice(&[if high { 0x80 } else { 0 }, kind & 0x2F, 0, length]);
            bytes.extend(body.iter().cycle().take(if body.is_empty() { 0 } else { padded(length.into()) }));
        }
        let length = u16::try_from(bytes.len() - HEADER_LEN).unwrap();
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        read_everything(&bytes);
    }
}

fn read_everything(bytes: &[u8]) {
    let _ = describe(bytes);
    if let Ok(message) = Message::parse(bytes) {
        let _ = format!("{message:?}");
        let _ = message.verify_integrity(&Key::short_term("x"));
        let _ = message.verify_fingerprint();
        let _ = message.unknown_required();
    }
}
