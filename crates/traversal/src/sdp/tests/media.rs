//! Answers: RFC 3264, RFC 8829 section 5.3.1, RFC 8841 section 10.3.

use super::*;

const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

const CODECS: [Codec<'_>; 5] = [
    codec("audio", "96", "OPUS", 48000, 2, "", &["transport-cc"]),
    codec("audio", "97", "telephone-event", 8000, 1, "", &[]),
    codec("video", "98", "VP8", 90000, 1, "", &["nack", "nack pli", "ccm fir"]),
    codec("video", "99", "rtx", 90000, 1, "apt=98", &[]),
    codec("video", "100", "H264", 90000, 1, "packetization-mode=1;profile-level-id=42E034", &["nack pli"]),
];

const fn codec<'a>(
    media: &'a str,
    payload: &'a str,
    encoding: &'a str,
    clock: u32,
    channels: u8,
    parameters: &'a str,
    feedback: &'a [&'a str],
) -> Codec<'a> {
    Codec { media, payload, encoding, clock, channels, parameters, feedback }
}

fn local<'a>(credentials: &'a Credentials) -> Local<'a> {
    Local { codecs: &CODECS, extensions: &[MID], ..Local::data_channel(9, credentials, FINGERPRINT) }
}

/// The lines of a section of the answer to `offer`.
fn answered(offer: &str, local: &Local<'_>, place: usize) -> (Vec<String>, Option<Rejection>) {
    let offer = Description::parse(offer).unwrap();
    let answer = local.answer(&offer);
    let text = answer.description.to_string();
    assert_eq!(Description::parse(&text).unwrap(), answer.description, "{text}");
    let section = text.split("\r\nm=").nth(place + 1).unwrap();
    (section.lines().map(str::to_owned).collect(), answer.rejections[place])
}

#[test]
fn rfc8829_5_3_1_an_answer_picks_the_common_codecs() {
    let credentials = credentials();
    let local = local(&credentials);
    let (audio, rejection) = answered(CHROME, &local, 0);
    assert_eq!(rejection, None);
    let expected = [
        "audio 9 UDP/TLS/RTP/SAVPF 111 126",
        "c=IN IP4 0.0.0.0",
        "a=mid:0",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
        "a=rtpmap:111 opus/48000/2",
        "a=rtcp-fb:111 transport-cc",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=rtpmap:126 telephone-event/8000",
        "a=ice-ufrag:8hhY",
        "a=ice-pwd:asd88fgpdd777uzjYhagZg",
        "a=fingerprint:sha-256 19:E2:1C:3B:4B:9F:81:E6:B8:5C:F4:A5:A8:D8:73:04",
        "a=setup:active",
    ];
    assert_eq!(audio, expected);
    let (video, _) = answered(CHROME, &local, 1);
    assert_eq!(
        video[0], "video 9 UDP/TLS/RTP/SAVPF 96 97 103 104",
        "retransmission of VP8 and H.264, not of VP9"
    );
    assert!(video.contains(&"a=recvonly".to_owned()), "it was sendonly");
    assert!(video.contains(&"a=rtcp-fb:96 ccm fir".to_owned()));
    assert!(!video.iter().any(|line| line.contains("goog-remb") || line.contains("ice-ufrag")), "{video:?}");
    let (data, _) = answered(CHROME, &local, 2);
    assert_eq!(data[0], "application 9 UDP/DTLS/SCTP webrtc-datachannel");
    assert!(data.contains(&"a=sctp-port:5000".to_owned()));
}

#[test]
fn an_answer_has_the_bundle_and_the_options_of_the_offer() {
    let credentials = credentials();
    let offer = Description::parse(CHROME).unwrap();
    let local = Local { codecs: &CODECS[..2], ..local(&credentials) };
    let answer = local.answer(&offer);
    let text = answer.description.to_string();
    assert!(text.contains("a=group:BUNDLE 0 2\r\na=ice-options:trickle\r\n"), "{text}");
    assert_eq!(answer.rejections, [None, Some(Rejection::Unsupported), None]);
    assert!(text.contains("\r\nm=video 0 UDP/TLS/RTP/SAVPF 96 97"), "{text}");
}

#[test]
fn rfc8829_5_3_1_sections_are_rejected_with_port_0() {
    let credentials = credentials();
    let local = local(&credentials);
    let cases = [
        ("no codec", CHROME.replace("opus/", "speex/"), 0, Rejection::NoCodec),
        ("the bundle goes with it", CHROME.replace("opus/", "speex/"), 1, Rejection::TransportRejected),
        ("no ICE", CHROME.replace("a=ice-pwd:x9cml/YzichV2+XlhiMu8g00\n", ""), 0, Rejection::NoIce),
        ("no DTLS", CHROME.replace("a=setup:actpass\n", ""), 0, Rejection::NoDtls),
        ("held", CHROME.replace("a=setup:actpass\n", "a=setup:holdconn\n"), 0, Rejection::NoDtls),
        ("no mux", CHROME.replace("a=rtcp-mux\n", ""), 0, Rejection::NoMux),
        ("out of the bundle", CHROME.replace("BUNDLE 0 1 2", "BUNDLE 0 1"), 2, Rejection::NotBundled),
        ("no bundle", CHROME.replace("a=group:BUNDLE 0 1 2\n", ""), 1, Rejection::NotBundled),
        ("no port", CHROME.replace("a=sctp-port:5000\n", ""), 2, Rejection::NoSctpPort),
        ("port 0", CHROME.replace("a=sctp-port:5000\n", "a=sctp-port:0\n"), 2, Rejection::NoSctpPort),
        ("TCP", CHROME.replace("9 UDP/DTLS/SCTP", "9 TCP/DTLS/SCTP"), 2, Rejection::Unsupported),
        ("turned down", CHROME.replace("m=video 9", "m=video 0"), 1, Rejection::NotOffered),
    ];
    for (name, offer, place, expected) in cases {
        let (section, rejection) = answered(&offer, &local, place);
        assert_eq!(rejection, Some(expected), "{name}");
        let port = section[0].split(' ').nth(1);
        assert_eq!(port, Some("0"), "{name}");
        assert!(!section.iter().any(|line| line.starts_with("a=candidate")), "{name}");
    }
}

#[test]
fn rfc8841_10_3_a_rejected_association_has_sctp_port_0() {
    let credentials = credentials();
    let local = Local { data: None, ..local(&credentials) };
    let (data, rejection) = answered(SAFARI, &local, 1);
    assert_eq!(rejection, Some(Rejection::Unsupported));
    assert!(data.contains(&"a=sctp-port:0".to_owned()), "{data:?}");
}

#[test]
fn sections_in_the_bundle_alone_are_accepted() {
    let credentials = credentials();
    let (data, rejection) = answered(FIREFOX, &local(&credentials), 1);
    assert_eq!((rejection, data[0].as_str()), (None, "application 9 UDP/DTLS/SCTP webrtc-datachannel"));
}

#[test]
fn rfc3264_6_1_direction_is_the_other_way_round() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    let all = [SendRecv, SendOnly, RecvOnly, Inactive];
    let mirrored = [SendRecv, RecvOnly, SendOnly, Inactive];
    for (offered, answer) in all.into_iter().zip(mirrored) {
        assert_eq!(offered.answer(SendRecv), answer);
        assert_eq!(offered.answer(Inactive), Inactive);
    }
    assert_eq!(SendRecv.answer(RecvOnly), RecvOnly);
    assert_eq!(SendOnly.answer(SendOnly), Inactive);
    assert_eq!(RecvOnly.answer(SendOnly), SendOnly);
}

#[test]
fn rfc4145_4_setup_is_answered_by_the_other_role() {
    for (offered, answer) in [
        (Setup::ActPass, Some(Setup::Active)),
        (Setup::Active, Some(Setup::Passive)),
        (Setup::Passive, Some(Setup::Active)),
        (Setup::HoldConn, None),
    ] {
        assert_eq!(offered.answer(), answer);
    }
}

#[test]
fn variants_of_a_codec_are_told_apart() {
    let h264 = CODECS[4];
    for (parameters, same) in [
        ("profile-level-id=42e01f;packetization-mode=1", true),
        ("packetization-mode=1; profile-level-id=42E01F", true),
        ("profile-level-id=42e01f;packetization-mode=0", false),
        ("profile-level-id=640c1f;packetization-mode=1", false),
        ("profile-level-id=4é;packetization-mode=1", false),
    ] {
        let format = Format {
            payload: "1",
            encoding: "h264",
            clock: 90000,
            channels: 1,
            parameters: Some(parameters),
        };
        assert_eq!(format.is(&h264), same, "{parameters}");
    }
}

#[test]
fn an_offer_with_media_has_its_transport_once_and_is_answered_by_its_like() {
    let credentials = credentials();
    let local = local(&credentials);
    let text = local.offer().to_string();
    let offer = Description::parse(&text).unwrap();
    assert_eq!(offer, local.offer());
    assert!(text.contains("a=group:BUNDLE 0 1 2\r\n"));
    assert_eq!(text.matches("a=ice-ufrag:").count(), 1);
    assert_eq!(text.matches("a=fingerprint:").count(), 1);
    assert!(text.contains("m=video 9 UDP/TLS/RTP/SAVPF 98 99 100\r\n"));
    let answer = local.answer(&offer);
    assert_eq!(answer.rejected(), 0);
    let formats = answer.description.media.iter().map(|media| media.formats.len());
    assert_eq!(formats.collect::<Vec<_>>(), [2, 3, 1]);
}
