use proptest::prelude::*;

use super::*;

#[test]
fn rfc8445_5_1_2_1_recommended_priorities() {
    let values = [
        (CandidateType::Host, 2_130_706_431),
        (CandidateType::PeerReflexive, 1_862_270_975),
        (CandidateType::ServerReflexive, 1_694_498_815),
        (CandidateType::Relayed, 16_777_215),
    ];
    for (kind, value) in values {
        assert_eq!(priority(kind, 65535), value, "{kind}");
    }
}

#[test]
fn rfc8839_5_1_host_candidate_text() {
    let text = "candidate:1 1 udp 2130706431 192.168.1.10 5000 typ host";
    let candidate: Candidate = text.parse().unwrap();
    assert_eq!(candidate.kind, CandidateType::Host);
    assert_eq!(candidate.address, Endpoint::v4(192, 168, 1, 10, 5000));
    assert_eq!(candidate.to_string(), text);
}

#[test]
fn rfc8839_5_1_related_address_and_unknown_extensions() {
    let text = "a=candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998 generation 0";
    let candidate: Candidate = text.parse().unwrap();
    assert_eq!(candidate.related, Some(Endpoint::v4(203, 0, 113, 141, 8998)));
    assert_eq!(
        candidate.to_string(),
        "candidate:2 1 udp 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998"
    );
}

#[test]
fn rfc8839_5_1_related_address_must_be_present_unless_host() {
    let text = "candidate:r 1 udp 16777215 2001:db8::1 3478 typ relay";
    let candidate: Candidate = text.parse().unwrap();
    assert_eq!(candidate.to_string(), format!("{text} raddr :: rport 9"));
}

#[test]
fn rfc8839_5_1_rejects_what_the_grammar_excludes() {
    let cases = [
        ("", CandidateError::Missing),
        ("candidate:1 1 udp 1 1.2.3.4 5", CandidateError::Missing),
        ("candidate:a_b 1 udp 1 1.2.3.4 5 typ host", CandidateError::Foundation),
        (
            "candidate:123456789012345678901234567890123 1 udp 1 1.2.3.4 5 typ host",
            CandidateError::Foundation,
        ),
        ("candidate:1 0 udp 1 1.2.3.4 5 typ host", CandidateError::Component),
        ("candidate:1 257 udp 1 1.2.3.4 5 typ host", CandidateError::Component),
        ("candidate:1 1 tcp 1 1.2.3.4 9 typ host tcptype active", CandidateError::Transport),
        ("candidate:1 1 udp 2147483648 1.2.3.4 5 typ host", CandidateError::Priority),
        ("candidate:1 1 udp 0 1.2.3.4 5 typ host", CandidateError::Priority),
        ("candidate:1 1 udp 1 host.example 5 typ host", CandidateError::Address),
        ("candidate:1 1 udp 1 1.2.3.4 65536 typ host", CandidateError::Port),
        ("candidate:1 1 udp 1 1.2.3.4 +5 typ host", CandidateError::Port),
        ("candidate:1 1 udp 1 1.2.3.4 5 typ token", CandidateError::Type),
    ];
    for (text, error) in cases {
        assert_eq!(text.parse::<Candidate>(), Err(error), "{text}");
    }
}

fn any_endpoint() -> impl Strategy<Value = Endpoint> {
    (any::<IpAddr>(), any::<u16>()).prop_map(|(ip, port)| Endpoint::new(ip, port))
}

fn any_candidate() -> impl Strategy<Value = Candidate> {
    let kind = prop::sample::select(vec![
        CandidateType::Host,
        CandidateType::ServerReflexive,
        CandidateType::PeerReflexive,
        CandidateType::Relayed,
    ]);
    ("[A-Za-z0-9+/]{1,32}", 1..=256u16, 1..0x8000_0000u32, any_endpoint(), kind, any_endpoint()).prop_map(
        |(foundation, component, priority, address, kind, related)| Candidate {
            foundation: foundation.parse().unwrap(),
            component,
            priority,
            address,
            kind,
            related: (kind != CandidateType::Host).then_some(related),
        },
    )
}

proptest! {
    #[test]
    fn rfc8839_5_1_every_candidate_reads_back(candidate in any_candidate()) {
        prop_assert_eq!(candidate.to_string().parse(), Ok(candidate));
    }

    #[test]
    fn hostile_candidate_text_never_panics(text in "(a=)?(candidate:)?.{0,80}") {
        let _ = text.parse::<Candidate>();
    }

    #[test]
    fn foundation_numbers_read_as_decimals(number in any::<u32>()) {
        prop_assert_eq!(Foundation::number(number).to_string(), number.to_string());
    }
}
