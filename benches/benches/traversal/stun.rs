//! One STUN message.

use std::hint::black_box;

use is::stun::{StunMessage, TransId};
use is::{DefaultSha1HmacProvider, Sha1HmacProvider};
use natbed_benches::Bench;
use natbed_traversal::stun::{Attribute, Builder, Class, Key, Message, Method, TransactionId};
use stun_types::attribute::{AttributeType, RawAttribute, Username};
use stun_types::message::{
    self as peer, IntegrityAlgorithm, MessageWrite, MessageWriteExt, MessageWriteVec, ShortTermCredentials,
};

const USERNAME: &str = "evtj:h6vY7jfhN2Aad5gK";
const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";
const PRIORITY: u32 = 0x6e00_01ff;
const TIE_BREAKER: u64 = 0x932f_f9b1_5126_3b36;
const ID: [u8; 12] = [7; 12];

pub(crate) fn measure(bench: &mut Bench) {
    let key = Key::short_term(PASSWORD);
    let their_key = ShortTermCredentials::new(PASSWORD.to_owned()).make_key();
    let hmac = |key: &[u8], parts: &[&[u8]]| DefaultSha1HmacProvider.sha1_hmac(key, parts);
    let mut check = Vec::new();
    build(&mut check, &key);
    let check = &check;

    let work = "parse a check";
    bench.measure(
        work,
        "natbed",
        || (),
        |(), count| each(count, || Message::parse(black_box(check)).is_ok()),
    );
    bench.measure(
        work,
        "stun-types",
        || (),
        |(), count| each(count, || peer::Message::from_bytes(black_box(check)).is_ok()),
    );
    bench.measure(
        work,
        "is",
        || (),
        |(), count| each(count, || StunMessage::parse(black_box(check)).is_ok()),
    );

    let work = "parse and verify a check";
    let verify = || {
        Message::parse(black_box(check))
            .is_ok_and(|message| message.verify_fingerprint() && message.verify_integrity(&key).is_ok())
    };
    bench.measure(work, "natbed", || (), |(), count| each(count, verify));
    let verify = || {
        peer::Message::from_bytes(black_box(check))
            .is_ok_and(|message| message.validate_integrity_with_key(&their_key).is_ok())
    };
    bench.measure(work, "stun-types", || (), |(), count| each(count, verify));
    let verify = || {
        StunMessage::parse(black_box(check)).is_ok_and(|message| message.verify(PASSWORD.as_bytes(), hmac))
    };
    bench.measure(work, "is", || (), |(), count| each(count, verify));

    let work = "build a check with integrity";
    let mut buffer = Vec::new();
    let subject = || {
        build(&mut buffer, black_box(&key));
        !buffer.is_empty()
    };
    bench.measure(work, "natbed", || (), each_with(subject));
    let subject = || {
        let id = peer::TransactionId::from(u128::from_be_bytes([7; 16]));
        let kind = peer::MessageType::from_class_method(peer::MessageClass::Request, peer::BINDING);
        let mut writer = peer::Message::builder(kind, id, MessageWriteVec::with_capacity(128));
        let username = Username::new(USERNAME);
        let added = username.is_ok_and(|username| writer.add_attribute(&username).is_ok())
            && writer
                .add_attribute(&RawAttribute::new(AttributeType::new(0x0024), &PRIORITY.to_be_bytes()))
                .is_ok()
            && writer
                .add_attribute(&RawAttribute::new(AttributeType::new(0x802A), &TIE_BREAKER.to_be_bytes()))
                .is_ok()
            && writer.add_message_integrity_with_key(black_box(&their_key), IntegrityAlgorithm::Sha1).is_ok()
            && writer.add_fingerprint().is_ok();
        added && !black_box(writer.finish()).is_empty()
    };
    bench.measure(work, "stun-types", || (), each_with(subject));
    let mut buffer = [0; 256];
    let id = TransId::new();
    let subject = || {
        let message = StunMessage::binding_request(USERNAME, id, true, TIE_BREAKER, PRIORITY, false);
        message.to_bytes(Some(black_box(PASSWORD.as_bytes())), &mut buffer, hmac).is_ok()
    };
    bench.measure(work, "is", || (), each_with(subject));
}

fn build(buffer: &mut Vec<u8>, key: &Key) {
    Builder::new(buffer, Class::Request, Method::Binding, TransactionId(ID))
        .attribute(Attribute::Username(USERNAME))
        .attribute(Attribute::Priority(PRIORITY))
        .attribute(Attribute::IceControlling(TIE_BREAKER))
        .integrity(key)
        .fingerprint();
}

fn each(count: u64, mut one: impl FnMut() -> bool) -> u64 {
    for _ in 0..count {
        assert!(one());
    }
    count
}

fn each_with(mut one: impl FnMut() -> bool) -> impl FnMut(&mut (), u64) -> u64 {
    move |(), count| each(count, &mut one)
}
