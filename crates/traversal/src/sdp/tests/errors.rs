//! Mistakes have a place, and say what belongs there.

use super::*;

fn error(text: &str) -> ParseError {
    Description::parse(text).unwrap_err()
}

#[test]
fn mistakes_are_located() {
    let cases = [
        ("", "line 1, column 1: expected the line `v=0`, found nothing"),
        ("v=1\r\n", "line 1, column 3: expected version 0, found `1`"),
        ("v=0\r\ns=-\r\n", "line 2, column 1: expected an `o=` line, found `s=-`"),
        ("v=0\r\no=- x 1 IN IP4 0.0.0.0\r\n", "line 2, column 5: expected a number below 2^64, found `x`"),
        (
            "v=0\r\no=- 1 1 IN IP6 0.0.0.0:\r\n",
            "line 2, column 16: expected an address of the type before it, found `0.0.0.0:`",
        ),
        (
            "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\n",
            "line 4, column 1: expected a `t=` line before, found nothing",
        ),
        (
            "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nq=\r\n",
            "line 4, column 1: expected a line such as `a=…` or `m=…`, found `q=`",
        ),
        (
            "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\na x\r\n",
            "line 4, column 2: expected `=` right after the line's letter, found ` x`",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(error(text).to_string(), expected, "{text:?}");
    }
}

#[test]
fn mistakes_in_attributes_are_located() {
    let cases = [
        ("a=ice-ufrag:abc", 13, "4 to 256 of the characters A-Z a-z 0-9 + /", "abc"),
        ("a=mid", 6, "`:` and a value", ""),
        ("a=mid:", 7, "a value after the `:`", ""),
        ("a=setup:maybe", 9, "`actpass`, `active`, `passive` or `holdconn`", "maybe"),
        ("a=sctp-port:05000", 13, "a number without leading zeroes", "05000"),
        ("a=candidate:1 1 udp 0 1.2.3.4 5 typ host", 21, "a priority from 1 to 2147483647", "0"),
        (
            "a=candidate:ü 1 udp 1 1.2.3.4 5 typ host",
            13,
            "a foundation: 1 to 32 of the characters A-Z a-z 0-9 + /",
            "ü",
        ),
        ("a=candidate:1 1 udp 1 1.2.3.4 x typ host", 31, "a port from 0 to 65535", "x"),
        (
            "a=fingerprint:sha-256 1:2",
            23,
            "octets as two hexadecimal digits each, with `:` between them",
            "1:2",
        ),
        ("a=rtpmap:96 VP8", 16, "`/` and a clock rate", ""),
        ("a=rtpmap:200 VP8/90000", 10, "a payload type from 0 to 127", "200"),
        ("b=AS:1", 1, "a line in the order m i c b k a", "b=AS:1"),
        ("a=mid:1\r\na=x", 0, "", ""),
    ];
    for (line, column, expected, found) in cases {
        let text = offer_with(&format!("a=x\r\n{line}\r\n"));
        match Description::parse(&text) {
            Ok(_) => assert_eq!(column, 0, "{line}"),
            Err(error) => {
                assert_eq!((error.line, error.column), (8, column), "{line}: {error}");
                assert_eq!((error.expected, error.found.as_str()), (expected, found), "{line}");
                assert_eq!(&text[error.span], found, "{line}");
            }
        }
    }
}

#[test]
fn rfc8866_9_sections_need_a_destination_and_lines_their_order() {
    let session = "v=0\no=- 1 1 IN IP4 0.0.0.0\ns=-\nt=0 0\n";
    let section = "m=audio 9 RTP/AVP 0\na=x\n";
    assert_eq!(
        error(&format!("{session}{section}")).expected,
        "a `c=` line in this section or in the session"
    );
    let general = session.replace("t=", "c=IN IP4 0.0.0.0\nt=");
    assert!(Description::parse(&format!("{general}{section}")).is_ok());
    assert_eq!(error(&session.replace("s=-", "s=-\ns=-")).expected, "one line of this type");
    assert_eq!(
        error(&format!("{session}i=late\n")).expected,
        "a line in the order v o s i u e p c b t r z k a m"
    );
    assert!(
        Description::parse(&session.replace("t=0", "u=http://x\ne=a@b\np=+1 2\nb=AS:1\nt=1 2\nr=1 2 3\nt=0"))
            .is_ok()
    );
}

#[test]
fn rfc5888_4_tags_are_unique() {
    let text = offer_with("a=mid:0\r\nm=audio 9 RTP/AVP 0\r\nc=IN IP4 h\r\na=mid:0\r\n");
    let error = error(&text);
    assert_eq!((error.line, error.column, error.expected), (10, 7, "a `mid` that no other section has"));
}

#[test]
fn long_pieces_are_not_repeated_in_full() {
    let error = error(&offer_with(&format!("a=ice-pwd:{}\r\n", "é".repeat(300))));
    assert_eq!(error.found.chars().count(), 41);
    assert_eq!(error.span.len(), 600);
}
