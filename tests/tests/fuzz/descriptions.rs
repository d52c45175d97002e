//! Session descriptions and their fragments.

use natbed_traversal::ice::Credentials;
use natbed_traversal::sdp::{Codec, DataChannel, Description, Local, Media, ParseError};
use rand::RngExt;

use crate::mutate::{mutate, mutate_text};
use crate::{Generator, fuzz, pick};

const OFFERS: [&str; 3] = [
    include_str!("../../../crates/traversal/src/sdp/tests/chrome.sdp"),
    include_str!("../../../crates/traversal/src/sdp/tests/firefox.sdp"),
    include_str!("../../../crates/traversal/src/sdp/tests/safari.sdp"),
];
const FRAGMENT: &str = "a=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\nm=application 9 UDP/DTLS/SCTP \
    webrtc-datachannel\r\na=mid:0\r\na=candidate:1 1 udp 2130706431 192.168.1.10 5000 typ host\r\na=end-of-candidates\r\n";

#[test]
fn no_description_panics() {
    let offers = OFFERS.map(|text| text.as_bytes().to_vec());
    fuzz("descriptions", 30_000, |rng| {
        let mut text = pick(rng, &offers).clone();
        damage(rng, &mut text, &offers);
        let text = String::from_utf8_lossy(&text);
        match Description::parse(&text) {
            Ok(description) => {
                read(&description);
                answer(rng, &description);
                let written = description.to_string();
                let again = Description::parse(&written).map(|again| again.to_string());
                assert_eq!(again, Ok(written));
                true
            }
            Err(error) => {
                check(&text, &error);
                false
            }
        }
    });
}

#[test]
fn no_fragment_panics() {
    let all = [FRAGMENT, OFFERS[0]].map(|text| text.as_bytes().to_vec());
    fuzz("fragments", 100_000, |rng| {
        let mut text = all[0].clone();
        damage(rng, &mut text, &all);
        let text = String::from_utf8_lossy(&text);
        let fragment = Description::parse_fragment(&text);
        match &fragment {
            Ok(fragment) => read(fragment),
            Err(error) => check(&text, error),
        }
        fragment.is_ok()
    });
}

fn damage(rng: &mut Generator, text: &mut Vec<u8>, others: &[Vec<u8>]) {
    let other = pick(rng, others);
    mutate_text(rng, text, other);
    if rng.random_ratio(1, 4) {
        mutate(rng, text);
    }
}

/// Asks all that can be asked.
fn read(description: &Description<'_>) {
    let (_, _, _) = (description.origin(), description.is_lite(), description.pacing());
    let transport = description.transport();
    for media in &description.media {
        let (_, _) = (description.credentials(media), description.options(media));
        let (_, _) = (description.fingerprint(media), description.setup(media));
        let (_, _) = (description.ends_candidates(media), description.mismatches(media));
        let (_, _) = (description.bundle_of(media), media.direction());
        if let Some(transport) = transport {
            description.restarts(media, description, transport);
        }
        media.candidates().for_each(drop);
        media.codecs().for_each(|format| media.feedback(format.payload).for_each(drop));
    }
}

/// What is answered can be read, and has the sections of the offer.
fn answer(rng: &mut Generator, offer: &Description<'_>) {
    let codecs = ["opus", "VP8", "H264", "rtx"].map(|encoding| {
        let (media, clock, channels) =
            if encoding == "opus" { ("audio", 48000, 2) } else { ("video", 90000, 1) };
        let parameters = "packetization-mode=1;profile-level-id=42e01f";
        Codec { media, payload: "96", encoding, clock, channels, parameters, feedback: &["nack", "nack pli"] }
    });
    let credentials = Credentials::new("8hhY", "asd88fgpdd777uzjYhagZg").unwrap();
    let local = Local {
        data: rng.random::<bool>().then_some(DataChannel::USUAL),
        codecs: &codecs[..rng.random_range(0..=4)],
        ..Local::data_channel(rng.random(), &credentials, "sha-256 00:11")
    };
    let answer = local.answer(offer);
    let text = answer.description.to_string();
    let read = Description::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let kinds = |media: &[Media<'_>]| media.iter().map(|media| media.kind.to_owned()).collect::<Vec<_>>();
    assert_eq!(kinds(&read.media), kinds(&offer.media));
}

/// The place of a mistake is in the text.
fn check(text: &str, error: &ParseError) {
    assert!(text.get(error.span.clone()).is_some(), "{error}");
    assert!(error.line >= 1 && error.column >= 1 && !error.to_string().is_empty());
}
