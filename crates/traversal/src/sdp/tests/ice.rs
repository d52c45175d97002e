//! RFC 8839.

use super::*;

fn section_of(lines: &str, check: impl Fn(&Description<'_>, &Media<'_>)) {
    let text = offer_with(lines);
    let description = Description::parse(&text).unwrap();
    check(&description, &description.media[0]);
}

#[test]
fn rfc8839_5_4_lengths_and_characters_of_credentials() {
    for (ufrag, password, valid) in [
        (3, 22, false),
        (4, 21, false),
        (4, 22, true),
        (256, 256, true),
        (257, 256, false),
        (256, 257, false),
    ] {
        let (ufrag, password) = ("u".repeat(ufrag), "+/9".repeat(100)[..password].to_owned());
        let text = offer_with(&format!("a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n"));
        assert_eq!(Description::parse(&text).is_ok(), valid, "{} {}", ufrag.len(), password.len());
        assert_eq!(Credentials::new(&ufrag, &password).is_ok(), valid);
    }
    for bad in ["ab c", "ab=c", "abcé"] {
        assert!(Description::parse(&offer_with(&format!("a=ice-ufrag:{bad}\r\n"))).is_err(), "{bad}");
    }
}

#[test]
fn rfc8839_5_4_the_media_level_takes_precedence() {
    let text = offer_with("a=ice-ufrag:media\r\n").replace(
        "t=0 0\r\n",
        "t=0 0\r\na=ice-ufrag:session\r\n\
        a=ice-pwd:asd88fgpdd777uzjYhagZg\r\n",
    );
    let description = Description::parse(&text).unwrap();
    let credentials = description.credentials(&description.media[0]).unwrap();
    assert_eq!((credentials.ufrag(), credentials.password()), ("media", "asd88fgpdd777uzjYhagZg"));
}

#[test]
fn rfc8839_5_1_unknown_extensions_are_ignored_and_kept() {
    let line =
        "a=candidate:1 1 udp 9 192.0.2.3 45664 typ srflx raddr 10.0.0.1 rport 8998 generation 0 x y z\r\n";
    section_of(line, |description, section| {
        let candidate = section.candidates().next().unwrap();
        assert_eq!(candidate.related.unwrap().to_string(), "10.0.0.1:8998");
        assert!(description.to_string().ends_with(line));
    });
}

#[test]
fn rfc8839_5_1_candidates_of_no_use_are_ignored_and_kept() {
    let lines = "a=candidate:1 1 udp 9 host.example 5 typ host\r\na=candidate:1 1 tcp 9 192.0.2.3 9 typ host tcptype active\r\n\
        a=candidate:1 1 udp 9 192.0.2.3 5 typ future\r\n";
    section_of(lines, |description, section| {
        assert_eq!(section.candidates().count(), 0);
        let why = section.attributes().filter_map(|attribute| match attribute {
            Attribute::ForeignCandidate { why, .. } => Some(*why),
            _ => None,
        });
        let expected = [CandidateError::Address, CandidateError::Transport, CandidateError::Type];
        assert_eq!(why.collect::<Vec<_>>(), expected);
        assert!(description.to_string().ends_with(lines));
    });
}

#[test]
fn rfc8839_5_2_and_5_3_remote_candidates_lite_and_mismatch() {
    let lines = "a=remote-candidates:1 192.0.2.3 45664 2 192.0.2.3 45665\r\na=ice-mismatch\r\n";
    section_of(lines, |description, section| {
        assert!(section.has(&Attribute::IceMismatch));
        assert!(section.has(&Attribute::RemoteCandidates("1 192.0.2.3 45664 2 192.0.2.3 45665")));
        assert!(!description.is_lite());
        assert!(description.to_string().ends_with(lines));
    });
    for bad in ["0 192.0.2.3 5", "1 192.0.2.3", "1 192.0.2.3 99999", "1 192.0.2.3 5 "] {
        assert!(Description::parse(&offer_with(&format!("a=remote-candidates:{bad}\r\n"))).is_err(), "{bad}");
    }
    let lite = offer_with("").replace("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n");
    assert!(Description::parse(&lite).unwrap().is_lite());
}

#[test]
fn rfc8839_5_5_and_5_6_pacing_and_options() {
    section_of("a=ice-options:rtp+ecn ice2\r\n", |description, section| {
        assert_eq!(description.pacing(), 50, "the default");
        assert_eq!(description.options(section), Options { ice2: true, trickle: false });
    });
    let text = offer_with("a=ice-options:ice2\r\n")
        .replace("t=0 0\r\n", "t=0 0\r\na=ice-options:trickle\r\na=ice-pacing:20\r\n");
    let description = Description::parse(&text).unwrap();
    assert_eq!(description.options(&description.media[0]), Options { ice2: true, trickle: true });
    assert_eq!(description.pacing(), 20);
}

#[test]
fn rfc8839_4_2_5_only_a_default_destination_that_is_no_candidate_is_a_mismatch() {
    let ice = "a=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n";
    let candidate = "a=candidate:1 1 udp 9 192.0.2.3 5000 typ host\r\n";
    let cases = [
        ("9", "IN IP4 0.0.0.0", false),
        ("9", "IN IP6 ::", false),
        ("5000", "IN IP4 192.0.2.3", false),
        ("5000", "IN IP4 sbc.example.com", false),
        ("0", "IN IP4 192.0.2.9", false),
        ("5001", "IN IP4 192.0.2.3", true),
        ("5000", "IN IP4 192.0.2.9", true),
        ("9", "IN IP4 192.0.2.3", true),
    ];
    for (port, destination, mismatch) in cases {
        let text = offer_with(&format!("{ice}{candidate}"));
        let text = text.replace("application 9", &format!("application {port}"));
        let text = text.replace("\r\nc=IN IP4 0.0.0.0", &format!("\r\nc={destination}"));
        let description = Description::parse(&text).unwrap();
        assert_eq!(description.mismatches(&description.media[0]), mismatch, "{port} {destination}");
        let without = text.replace(ice, "");
        let description = Description::parse(&without).unwrap();
        assert!(!description.mismatches(&description.media[0]), "it does not do ICE");
    }
}

#[test]
fn rfc8839_4_4_1_1_1_both_ufrag_and_password_change_in_a_restart() {
    let at_session = |ufrag: &str, password: &str| {
        let lines = format!("t=0 0\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n");
        offer_with("").replace("t=0 0\r\n", &lines)
    };
    let before = offer_with("a=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n");
    let before = Description::parse(&before).unwrap();
    for (ufrag, password, restart) in [
        ("8hhY", "asd88fgpdd777uzjYhagZg", false),
        ("new1", "asd88fgpdd777uzjYhagZg", false),
        ("8hhY", "newpasswordnewpassword", false),
        ("new1", "newpasswordnewpassword", true),
    ] {
        let now = at_session(ufrag, password);
        let now = Description::parse(&now).unwrap();
        let restarts = now.restarts(&now.media[0], &before, &before.media[0]);
        assert_eq!(restarts, restart, "{ufrag} {password}, now at the session level");
    }
}
