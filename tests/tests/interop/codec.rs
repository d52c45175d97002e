//! Message by message: what one side builds the other parses, to the same type, attributes and verdict on integrity.

use std::net::SocketAddr;

use natbed_packet::{Endpoint, Family};
use natbed_traversal::stun::{
    self, Attribute, Builder, Class, ErrorCode, Key, Message, Method, PasswordAlgorithm, TransactionId,
};
use natbed_traversal::turn::ChannelData;
use proptest::collection::vec;
use proptest::prelude::*;
use stun_types::attribute as theirs;
use stun_types::attribute::{Attribute as _, AttributeFromRaw, AttributeStaticType, AttributeWrite};
use stun_types::message::{
    self as peer, IntegrityAlgorithm, LongTermKeyCredentials, MessageClass, MessageType, MessageWrite,
    MessageWriteExt, MessageWriteVec, ShortTermCredentials,
};
use turn_types::attribute as turn;

use crate::keys;

/// An attribute that owns what it says.
#[derive(Clone, Debug)]
enum Owned {
    Username(String),
    Error(u16, String),
    Unknown(Vec<u16>),
    Channel(u16),
    Lifetime(u32),
    Peer(Endpoint),
    Data(Vec<u8>),
    Realm(String),
    Nonce(String),
    Relayed(Endpoint),
    Family(Family),
    EvenPort(bool),
    Transport(u8),
    DontFragment,
    PasswordAlgorithm(u16),
    Userhash([u8; 32]),
    XorMapped(Endpoint),
    Token([u8; 8]),
    Software(String),
    AlternateServer(Endpoint),
    AdditionalV6,
    AddressError(Family, u16, String),
}

impl Owned {
    fn with<R>(&self, then: impl FnOnce(Attribute<'_>) -> R) -> R {
        match self {
            Self::Username(text) => then(Attribute::Username(text)),
            Self::Error(code, reason) => then(Attribute::ErrorCode(ErrorCode { code: *code, reason })),
            Self::Unknown(kinds) => {
                let bytes: Vec<u8> = kinds.iter().flat_map(|kind| kind.to_be_bytes()).collect();
                then(Attribute::UnknownAttributes(&bytes))
            }
            Self::Channel(number) => then(Attribute::ChannelNumber(*number)),
            Self::Lifetime(seconds) => then(Attribute::Lifetime(*seconds)),
            Self::Peer(at) => then(Attribute::XorPeerAddress(*at)),
            Self::Data(data) => then(Attribute::Data(data)),
            Self::Realm(text) => then(Attribute::Realm(text)),
            Self::Nonce(text) => then(Attribute::Nonce(text)),
            Self::Relayed(at) => then(Attribute::XorRelayedAddress(*at)),
            Self::Family(family) => then(Attribute::RequestedAddressFamily(*family)),
            Self::EvenPort(reserve) => then(Attribute::EvenPort { reserve: *reserve }),
            Self::Transport(protocol) => then(Attribute::RequestedTransport(*protocol)),
            Self::DontFragment => then(Attribute::DontFragment),
            Self::PasswordAlgorithm(number) => then(Attribute::PasswordAlgorithm(*number)),
            Self::Userhash(hash) => then(Attribute::Userhash(hash)),
            Self::XorMapped(at) => then(Attribute::XorMappedAddress(*at)),
            Self::Token(token) => then(Attribute::ReservationToken(*token)),
            Self::Software(text) => then(Attribute::Software(text)),
            Self::AlternateServer(at) => then(Attribute::AlternateServer(*at)),
            Self::AdditionalV6 => then(Attribute::AdditionalAddressFamily(Family::V6)),
            Self::AddressError(family, code, reason) => {
                then(Attribute::AddressErrorCode(*family, ErrorCode { code: *code, reason }))
            }
        }
    }

    /// The same attribute as the other side makes it.
    fn theirs(&self, id: peer::TransactionId) -> Box<dyn AttributeWrite> {
        let family = |family: &Family| match family {
            Family::V4 => stun_types::AddressFamily::IPV4,
            Family::V6 => stun_types::AddressFamily::IPV6,
        };
        let error = |code: &u16, reason: &str| theirs::ErrorCode::new(*code, reason).unwrap();
        match self {
            Self::Username(text) => Box::new(theirs::Username::new(text).unwrap()),
            Self::Error(code, reason) => Box::new(error(code, reason)),
            Self::Unknown(kinds) => {
                let kinds: Vec<_> = kinds.iter().map(|kind| theirs::AttributeType::new(*kind)).collect();
                Box::new(theirs::UnknownAttributes::new(&kinds))
            }
            Self::Channel(number) => Box::new(turn::ChannelNumber::new(*number)),
            Self::Lifetime(seconds) => Box::new(turn::Lifetime::new(*seconds)),
            Self::Peer(at) => Box::new(turn::XorPeerAddress::new((*at).into(), id)),
            Self::Data(data) => {
                Box::new(turn::Data::from_raw(turn::Data::new(data).to_raw().into_owned()).unwrap())
            }
            Self::Realm(text) => Box::new(theirs::Realm::new(text).unwrap()),
            Self::Nonce(text) => Box::new(theirs::Nonce::new(text).unwrap()),
            Self::Relayed(at) => Box::new(turn::XorRelayedAddress::new((*at).into(), id)),
            Self::Family(wanted) => Box::new(turn::RequestedAddressFamily::new(family(wanted))),
            Self::EvenPort(reserve) => Box::new(turn::EvenPort::new(*reserve)),
            Self::Transport(protocol) => Box::new(turn::RequestedTransport::new(*protocol)),
            Self::DontFragment => Box::new(turn::DontFragment::new()),
            Self::PasswordAlgorithm(number) => Box::new(theirs::PasswordAlgorithm::new(match number {
                1 => theirs::PasswordAlgorithmValue::MD5,
                _ => theirs::PasswordAlgorithmValue::SHA256,
            })),
            Self::Userhash(hash) => Box::new(theirs::Userhash::new(*hash)),
            Self::XorMapped(at) => Box::new(theirs::XorMappedAddress::new((*at).into(), id)),
            Self::Token(token) => Box::new(turn::ReservationToken::new(u64::from_be_bytes(*token))),
            Self::Software(text) => Box::new(theirs::Software::new(text).unwrap()),
            Self::AlternateServer(at) => Box::new(theirs::AlternateServer::new((*at).into())),
            Self::AdditionalV6 => {
                Box::new(turn::AdditionalAddressFamily::new(stun_types::AddressFamily::IPV6))
            }
            Self::AddressError(wanted, code, reason) => {
                Box::new(turn::AddressErrorCode::new(family(wanted), error(code, reason)))
            }
        }
    }
}

fn any_endpoint() -> impl Strategy<Value = Endpoint> {
    any::<SocketAddr>().prop_map(|at| Endpoint::new(at.ip(), at.port()))
}

fn any_family() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::V4), Just(Family::V6)]
}

fn any_attribute() -> impl Strategy<Value = Owned> {
    let text = || "[ -~]{0,60}";
    prop_oneof![
        text().prop_map(Owned::Username),
        (300_u16..700, text()).prop_map(|(code, reason)| Owned::Error(code, reason)),
        vec(any::<u16>(), 0..6).prop_map(Owned::Unknown),
        any::<u16>().prop_map(Owned::Channel),
        any::<u32>().prop_map(Owned::Lifetime),
        any_endpoint().prop_map(Owned::Peer),
        vec(any::<u8>(), 0..90).prop_map(Owned::Data),
        text().prop_map(Owned::Realm),
        text().prop_map(Owned::Nonce),
        any_endpoint().prop_map(Owned::Relayed),
        any_family().prop_map(Owned::Family),
        any::<bool>().prop_map(Owned::EvenPort),
        any::<u8>().prop_map(Owned::Transport),
        Just(Owned::DontFragment),
        (1_u16..3).prop_map(Owned::PasswordAlgorithm),
        any::<[u8; 32]>().prop_map(Owned::Userhash),
        any_endpoint().prop_map(Owned::XorMapped),
        any::<[u8; 8]>().prop_map(Owned::Token),
        text().prop_map(Owned::Software),
        any_endpoint().prop_map(Owned::AlternateServer),
        Just(Owned::AdditionalV6),
        (any_family(), 300_u16..700, text())
            .prop_map(|(family, code, reason)| Owned::AddressError(family, code, reason)),
    ]
}

/// Class and method, and the same in the other side's terms.
fn any_type() -> impl Strategy<Value = (Class, Method, MessageType)> {
    let classes = prop_oneof![
        Just((Class::Request, MessageClass::Request)),
        Just((Class::Indication, MessageClass::Indication)),
        Just((Class::Success, MessageClass::Success)),
        Just((Class::Error, MessageClass::Error)),
    ];
    let methods = prop_oneof![
        Just((Method::Binding, peer::BINDING)),
        Just((Method::Allocate, turn_types::message::ALLOCATE)),
        Just((Method::Refresh, turn_types::message::REFRESH)),
        Just((Method::Send, turn_types::message::SEND)),
        Just((Method::Data, turn_types::message::DATA)),
        Just((Method::CreatePermission, turn_types::message::CREATE_PERMISSION)),
        Just((Method::ChannelBind, turn_types::message::CHANNEL_BIND)),
    ];
    (classes, methods).prop_map(|((class, theirs), (method, number))| {
        (class, method, MessageType::from_class_method(theirs, number))
    })
}

/// How a message is signed.
#[derive(Clone, Copy, Debug)]
enum Signing {
    None,
    ShortTerm,
    LongTerm,
    LongTermSha256,
}

impl Signing {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![Just(Self::None), Just(Self::ShortTerm), Just(Self::LongTerm), Just(Self::LongTermSha256)]
    }

    fn ours(self) -> Option<Key> {
        match self {
            Self::None => None,
            Self::ShortTerm => Some(Key::short_term(crate::PASSWORD)),
            Self::LongTerm => Some(keys().0),
            Self::LongTermSha256 => Some(Key::long_term_sha256(
                PasswordAlgorithm::Sha256,
                crate::USER,
                crate::REALM,
                crate::PASSWORD,
            )),
        }
    }

    fn theirs(self) -> Option<(peer::MessageIntegrityCredentials, IntegrityAlgorithm)> {
        match self {
            Self::None => None,
            Self::ShortTerm => {
                let credentials = ShortTermCredentials::new(crate::PASSWORD.to_owned());
                Some((credentials.into(), IntegrityAlgorithm::Sha1))
            }
            Self::LongTerm => Some((keys().1, IntegrityAlgorithm::Sha1)),
            Self::LongTermSha256 => Some((keys().1, IntegrityAlgorithm::Sha256)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn they_parse_what_we_build(
        (class, method, theirs) in any_type(),
        id in any::<[u8; 12]>(),
        attributes in vec(any_attribute(), 0..8),
        signing in Signing::any(),
        fingerprint in any::<bool>(),
    ) {
        let mut buffer = Vec::new();
        let mut builder = Builder::new(&mut buffer, class, method, TransactionId(id));
        for attribute in &attributes {
            attribute.with(|attribute| { builder.attribute(attribute); });
        }
        if let Some(key) = signing.ours() {
            builder.integrity(&key);
        }
        if fingerprint {
            builder.fingerprint();
        }
        let parsed = peer::Message::from_bytes(&buffer).expect("they parse it");
        prop_assert_eq!(parsed.get_type(), theirs);
        prop_assert_eq!(u128::from(parsed.transaction_id()).to_be_bytes()[4..].to_vec(), id.to_vec());
        for (attribute, (_, raw)) in attributes.iter().zip(parsed.iter_attributes()) {
            let expected = attribute.theirs(parsed.transaction_id()).to_raw().into_owned();
            prop_assert_eq!(raw.get_type(), expected.get_type());
            prop_assert_eq!(&*raw.value, &*expected.value, "{:?}", attribute);
        }
        prop_assert!(parsed.iter_attributes().count() >= attributes.len());
        if let Some((credentials, algorithm)) = signing.theirs() {
            prop_assert_eq!(parsed.validate_integrity(&credentials).unwrap(), algorithm);
            let mut forged = buffer.clone();
            forged[8] ^= 1;
            if !fingerprint {
                let forged = peer::Message::from_bytes(&forged).unwrap();
                prop_assert!(forged.validate_integrity(&credentials).is_err());
            }
        }
    }

    #[test]
    fn we_parse_what_they_build(
        (class, method, theirs) in any_type(),
        id in any::<[u8; 12]>(),
        attributes in vec(any_attribute(), 0..8),
        signing in Signing::any(),
        fingerprint in any::<bool>(),
    ) {
        let mut padded = [0; 16];
        padded[4..].copy_from_slice(&id);
        let their_id = peer::TransactionId::from(u128::from_be_bytes(padded));
        let mut writer = peer::Message::builder(theirs, their_id, MessageWriteVec::new());
        for attribute in &attributes {
            writer.push_attribute_unchecked(&*attribute.theirs(their_id));
        }
        if let Some((credentials, algorithm)) = signing.theirs() {
            writer.add_message_integrity(&credentials, algorithm).unwrap();
        }
        if fingerprint {
            writer.add_fingerprint().unwrap();
        }
        let bytes = writer.finish();
        let parsed = Message::parse(&bytes).expect("we parse it");
        prop_assert_eq!((parsed.class(), parsed.method()), (class, method));
        prop_assert_eq!(parsed.transaction_id().0, id);
        for (attribute, found) in attributes.iter().zip(parsed.attributes()) {
            attribute.with(|expected| {
                prop_assert_eq!(expected, found);
                Ok(())
            })?;
        }
        prop_assert!(parsed.attributes().count() >= attributes.len());
        prop_assert_eq!(parsed.has_integrity(), signing.ours().is_some());
        if let Some(key) = signing.ours() {
            prop_assert!(parsed.verify_integrity(&key).is_ok());
            prop_assert!(parsed.verify_integrity(&Key::short_term("another")).is_err());
        }
        prop_assert_eq!(parsed.verify_fingerprint(), fingerprint);
    }

    #[test]
    fn channel_data_reads_the_same_on_both_sides(number in 0x4000_u16..0x5000, data in vec(any::<u8>(), 0..200)) {
        let mut ours = Vec::new();
        let written = ChannelData { number, data: &data }.write(&mut ours);
        prop_assert!(written);
        let theirs = turn_types::channel::ChannelData::parse(&ours).unwrap();
        prop_assert_eq!((theirs.id(), theirs.data()), (number, &*data));

        let mut written = vec![0; data.len() + 4];
        turn_types::channel::ChannelData::new(number, &data).write_into_unchecked(&mut written);
        let parsed = ChannelData::parse(&written).unwrap();
        prop_assert_eq!((parsed.number, parsed.data), (number, &*data));
    }

    /// A damaged header is judged alike, but for a length that leaves octets behind the message: we refuse those, as a
    /// datagram holds one message (RFC 8489 section 6.3), and they read on.
    #[test]
    fn damaged_headers_are_judged_alike(
        attributes in vec(any_attribute(), 0..5),
        at in 0..20_usize,
        flip in 1_u8..,
    ) {
        let mut buffer = Vec::new();
        let mut builder = Builder::new(&mut buffer, Class::Request, Method::Binding, TransactionId([7; 12]));
        for attribute in &attributes {
            attribute.with(|attribute| { builder.attribute(attribute); });
        }
        buffer[at] ^= flip;
        let (ours, theirs) = (Message::parse(&buffer), peer::Message::from_bytes(&buffer));
        if matches!(at, 2 | 3) {
            prop_assert!(ours.is_err());
        } else {
            prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?}, {:?}", ours.err(), theirs.err());
        }
    }
}

#[test]
fn userhash_is_the_same() {
    let theirs = theirs::Userhash::compute(crate::USER, crate::REALM);
    assert_eq!(stun::userhash(crate::USER, crate::REALM), theirs);
}

#[test]
fn long_term_keys_are_the_same_for_names_beyond_ascii() {
    let (user, realm, password) = ("Björn", "beispiel.example", "pässword");
    let mut buffer = Vec::new();
    Builder::new(&mut buffer, Class::Request, Method::Allocate, TransactionId([1; 12]))
        .integrity(&Key::long_term(user, realm, password));
    let theirs = LongTermKeyCredentials::new(user.to_owned(), password.to_owned(), realm.to_owned());
    assert!(peer::Message::from_bytes(&buffer).unwrap().validate_integrity(&theirs.into()).is_ok());
}

/// RFC 8656 section 18.13: 7 bits of type and 9 of code. `turn-types` 0.7 reads 8 and 8, so that its type is twice
/// ours; this test notices when it no longer does.
#[test]
fn icmp_attribute_is_laid_out_otherwise_by_turn_types() {
    let mut buffer = Vec::new();
    Builder::new(&mut buffer, Class::Indication, Method::Data, TransactionId([1; 12]))
        .attribute(Attribute::Icmp { icmp_type: 3, code: 4, data: 1400 });
    let parsed = peer::Message::from_bytes(&buffer).unwrap();
    let raw = parsed.raw_attribute(turn::Icmp::TYPE).unwrap();
    let icmp = turn::Icmp::from_raw(raw).unwrap();
    assert_eq!((icmp.icmp_type(), icmp.code(), icmp.data()), (2 * 3, 4, 1400));
}
