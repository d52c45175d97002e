mod errors;
mod ice;
mod media;
mod trickle;

use proptest::prelude::*;

use super::*;
use crate::ice::{Candidate, CandidateError, CandidateType, Credentials};

const CHROME: &str = include_str!("tests/chrome.sdp");
const FIREFOX: &str = include_str!("tests/firefox.sdp");
const SAFARI: &str = include_str!("tests/safari.sdp");
const FINGERPRINT: &str = "sha-256 19:E2:1C:3B:4B:9F:81:E6:B8:5C:F4:A5:A8:D8:73:04";

fn credentials() -> Credentials {
    Credentials::new("8hhY", "asd88fgpdd777uzjYhagZg").unwrap()
}

fn with_crlf(text: &str) -> String {
    text.replace('\n', "\r\n")
}

/// The smallest offer of data channels, with more lines in its section.
fn offer_with(lines: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
         c=IN IP4 0.0.0.0\r\n{lines}"
    )
}

#[test]
fn offers_of_browsers_are_written_as_they_were_read() {
    for text in [CHROME, FIREFOX, SAFARI] {
        let offer = Description::parse(text).unwrap();
        // Firefox writes transports in capitals.
        let expected = with_crlf(text).replace(" UDP 1685987327", " udp 1685987327");
        assert_eq!(offer.to_string(), expected);
    }
}

#[test]
fn offers_of_browsers_are_understood() {
    let offer = Description::parse(CHROME).unwrap();
    assert_eq!(offer.origin().map(|origin| origin.session), Some(4_611_731_400_430_051_336));
    let audio = offer.transport().unwrap();
    assert_eq!((audio.kind, audio.port, audio.mid()), ("audio", 54321, Some("0")));
    assert_eq!(offer.bundle_of(audio), ["0", "1", "2"]);
    assert_eq!(offer.credentials(audio), Credentials::new("F7gI", "x9cml/YzichV2+XlhiMu8g00").ok());
    assert_eq!(offer.options(audio), Options { ice2: false, trickle: true });
    assert_eq!(offer.setup(audio), Some(Setup::ActPass));
    let kinds: Vec<_> = audio.candidates().map(|candidate| candidate.kind).collect();
    assert_eq!(kinds, [CandidateType::Host, CandidateType::ServerReflexive], "not the name, not TCP");
    let codecs: Vec<_> = audio.codecs().map(|codec| (codec.encoding, codec.clock, codec.channels)).collect();
    assert_eq!(codecs[..3], [("opus", 48000, 2), ("red", 48000, 2), ("G722", 8000, 1)]);
    let video = offer.section("1").unwrap();
    assert_eq!(video.direction(), Direction::SendOnly);
    assert_eq!(video.feedback("96").collect::<Vec<_>>()[2..], ["ccm fir", "nack", "nack pli"]);
    assert!(offer.section("2").unwrap().is_data_channel());
    assert!(video.has(&Attribute::Other { name: "ssrc-group", value: Some("FID 3164851219 1178429311") }));

    let offer = Description::parse(FIREFOX).unwrap();
    let video = offer.transport().unwrap();
    assert_eq!(offer.fingerprint(video).map(|(hash, value)| (hash, value.len())), Some(("sha-256", 95)));
    assert!(offer.ends_candidates(video));
    let data = offer.section("1").unwrap();
    assert_eq!((data.port, data.is_rejected()), (0, false), "it is only in the bundle");
}

#[test]
fn what_a_side_offers_reads_back() {
    let credentials = credentials();
    let candidates = ["1 1 udp 2130706431 192.168.1.10 5000 typ host", "2 1 udp 99 2001:db8::1 9 typ relay"]
        .map(|text| text.parse::<Candidate>().unwrap());
    let local = Local {
        candidates: &candidates[..1],
        complete: true,
        pacing: Some(20),
        ..Local::data_channel(7, &credentials, FINGERPRINT)
    };
    let text = local.offer().to_string();
    let offer = Description::parse(&text).unwrap();
    assert_eq!(offer, local.offer());
    let section = offer.transport().unwrap();
    assert!(section.is_data_channel() && offer.ends_candidates(section));
    assert_eq!(offer.options(section), Options { ice2: true, trickle: true });
    assert_eq!(offer.pacing(), 20);
    assert_eq!(offer.setup(section), Some(Setup::ActPass));
    assert_eq!(section.candidates().copied().collect::<Vec<_>>(), candidates[..1]);
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*") {
        let _ = Description::parse(&text);
        let _ = Description::parse_fragment(&text);
    }

    /// Lines of real offers, in any order and number and with any value.
    #[test]
    fn what_is_read_can_be_written_and_read_again(
        lines in prop::collection::vec((any::<prop::sample::Index>(), prop::option::weighted(0.1, "[ -~]{0,20}")), 1..20),
        whole in any::<bool>(),
    ) {
        let all: Vec<&str> = [CHROME, FIREFOX, SAFARI].iter().flat_map(|text| text.lines()).collect();
        let mut text = if whole { offer_with("") } else { String::new() };
        for (line, other) in lines {
            let line = line.get(&all);
            match other {
                Some(other) => text += &format!("{}{other}\r\n", &line[..line.find([':', '=']).unwrap_or(0) + 1]),
                None => text += &format!("{line}\r\n"),
            }
        }
        let parse = |text| if whole { Description::parse(text) } else { Description::parse_fragment(text) };
        match parse(&text) {
            Ok(description) => {
                let written = description.to_string();
                let again = Description::parse_fragment(&written).or_else(|_| Description::parse(&written));
                let again = again.map(|description| description.to_string());
                prop_assert_eq!(again, Ok(written));
            }
            Err(error) => {
                prop_assert!(text.get(error.span.clone()).is_some(), "{}", error);
                prop_assert!(error.line <= text.lines().count() + 1, "{}", error);
            }
        }
    }
}
