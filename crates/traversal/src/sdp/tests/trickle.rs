//! RFC 8840.

use super::*;

#[test]
fn rfc8840_4_4_the_example_of_an_info_request() {
    let text = "a=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=ice-ufrag:8hhY\r\nm=audio 9 RTP/AVP 0\r\na=mid:1\r\n\
        a=candidate:1 1 UDP 2130706432 2001:db8:a0b:12f0::1 5000 typ host\r\n\
        a=candidate:1 2 UDP 2130706432 2001:db8:a0b:12f0::1 5001 typ host\r\n\
        a=candidate:2 1 UDP 1694498815 192.0.2.3 5010 typ srflx raddr 192.0.2.1 rport 8998\r\n\
        a=end-of-candidates\r\nm=audio 9 RTP/AVP 0\r\na=mid:2\r\n\
        a=candidate:1 1 UDP 2130706432 2001:db8:a0b:12f0::1 6000 typ host\r\n";
    let fragment = Description::parse_fragment(text).unwrap();
    let (first, second) = (fragment.section("1").unwrap(), fragment.section("2").unwrap());
    assert_eq!((first.candidates().count(), second.candidates().count()), (3, 1));
    assert!(fragment.ends_candidates(first) && !fragment.ends_candidates(second));
    assert_eq!(fragment.ufrag(second), Some("8hhY"), "from the session level");
    assert_eq!(fragment.to_string(), text.replace("UDP", "udp"));
}

#[test]
fn rfc8840_8_1_end_of_candidates_of_the_session_holds_for_all() {
    let text = "a=end-of-candidates\r\nm=audio 9 RTP/AVP 0\r\na=mid:1\r\nm=audio 9 RTP/AVP 0\r\na=mid:2\r\n";
    let fragment = Description::parse_fragment(text).unwrap();
    assert!(fragment.media.iter().all(|media| fragment.ends_candidates(media)));
}

#[test]
fn rfc8840_9_2_unknown_attributes_are_ignored_and_names_are_of_any_case() {
    let text = "a=future:x\r\nm=audio 9 RTP/AVP 0\r\na=MID:1\r\na=Ice-Ufrag:8hhY\r\na=rtcp-mux\r\na=other\r\nA=x\r\n";
    assert!(Description::parse_fragment(text).is_err(), "letters of lines are of lower case");
    let text = text.replace("A=x\r\n", "");
    let fragment = Description::parse_fragment(&text).unwrap();
    assert_eq!(fragment.ufrag(fragment.section("1").unwrap()), Some("8hhY"));
    assert!(Description::parse_fragment("c=IN IP4 0.0.0.0\r\n").is_err(), "attributes alone");
    assert!(Description::parse_fragment("").is_ok());
}

#[test]
fn rfc8840_4_4_a_fragment_names_its_session_and_section() {
    let credentials = credentials();
    let candidates = ["1 1 udp 2130706431 192.168.1.10 5000 typ host".parse().unwrap()];
    let local = Local::data_channel(1, &credentials, FINGERPRINT);
    let text = local.fragment("0", &candidates, true).to_string();
    let expected = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=ice-ufrag:8hhY\r\n\
        a=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=mid:0\r\n\
        a=candidate:1 1 udp 2130706431 192.168.1.10 5000 typ host\r\na=end-of-candidates\r\n";
    assert_eq!(text, expected);
    let local = Local { data: None, ..local };
    assert!(local.fragment("0", &[], true).to_string().starts_with("m=audio 9 RTP/AVP 0\r\n"));
}

#[test]
fn rfc8840_4_1_1_an_offer_without_candidates_has_port_9_and_no_address() {
    let credentials = credentials();
    let text = Local::data_channel(1, &credentials, FINGERPRINT).offer().to_string();
    let expected = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=ice-options:trickle ice2\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:8hhY\r\n\
        a=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=fingerprint:sha-256 19:E2:1C:3B:4B:9F:81:E6:B8:5C:F4:A5:A8:D8:73:04\r\n\
        a=setup:actpass\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n";
    assert_eq!(text, expected);
    let offer = Description::parse(&text).unwrap();
    assert!(!offer.mismatches(&offer.media[0]));
}
