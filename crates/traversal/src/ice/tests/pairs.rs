//! One agent, and a peer played by hand.

use std::time::Duration;

use bytes::Bytes;
use natbed_packet::{Endpoint, Timestamp};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::Transmit;
use crate::ice::{
    Agent, Candidate, CandidateType, CheckFailure, Config, Credentials, Event, PairState, RemoteOutcome,
    Role, Rto, State, priority,
};
use crate::stun::{Attribute, Builder, Class, Key, Message, Method, TransactionId};

const BASE: Endpoint = Endpoint::v4(10, 0, 0, 1, 5000);
const PEER: Endpoint = Endpoint::v4(10, 0, 0, 2, 6000);
const PASSWORD: &str = "the+password+of+the+peer";

/// An agent that knows the peer's credentials, and what it sent so far is drained.
struct Play {
    agent: Agent,
    now: Timestamp,
}

fn candidate(address: Endpoint, number: u32) -> Candidate {
    let kind = CandidateType::Host;
    format!("{number} 1 udp {} {} {} typ host", priority(kind, 65535), address.ip, address.port)
        .parse()
        .unwrap()
}

impl Play {
    fn new(config: Config) -> Self {
        let mut agent = Agent::new(config, Xoshiro256PlusPlus::seed_from_u64(5));
        agent.set_remote_credentials(Timestamp::ZERO, &Credentials::new("peer", PASSWORD).unwrap());
        agent.add_local(Timestamp::ZERO, BASE);
        Self { agent, now: Timestamp::ZERO }
    }

    fn controlling() -> Self {
        Self::new(Config::new(Role::Controlling))
    }

    fn with_peer(role: Role) -> Self {
        let mut play = Self::new(Config::new(role));
        play.agent.add_remote_candidate(play.now, candidate(PEER, 1));
        play
    }

    fn sent(&mut self) -> Vec<Transmit> {
        std::iter::from_fn(|| self.agent.poll_transmit()).collect()
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.agent.poll_event()).collect()
    }

    /// Requests sent until then, with the time of each.
    fn requests_until(&mut self, end: Timestamp) -> Vec<(Timestamp, Transmit)> {
        let mut requests = Vec::new();
        loop {
            requests.extend(self.sent().into_iter().map(|transmit| (self.now, transmit)));
            match self.agent.poll_timeout().filter(|&at| at <= end) {
                Some(at) => self.now = at,
                None => return requests,
            }
            self.agent.handle_timeout(self.now);
        }
    }

    fn receive(&mut self, from: Endpoint, payload: Vec<u8>) {
        self.agent.handle_input(self.now, BASE, from, &Bytes::from(payload));
    }

    /// The peer's response to a request.
    fn answer(&mut self, request: &Transmit, from: Endpoint, error: Option<u16>) {
        let id = Message::parse(&request.payload).unwrap().transaction_id();
        let mut buffer = Vec::new();
        let class = if error.is_some() { Class::Error } else { Class::Success };
        let mut response = Builder::new(&mut buffer, class, Method::Binding, id);
        match error {
            Some(code) => {
                response.attribute(Attribute::ErrorCode(crate::stun::ErrorCode { code, reason: "" }))
            }
            None => response.attribute(Attribute::XorMappedAddress(BASE)),
        };
        response.integrity(&Key::short_term(PASSWORD)).fingerprint();
        self.receive(from, buffer);
    }

    /// A check of the peer's, which is of the other role.
    fn check(&mut self, from: Endpoint, id: u8, use_candidate: bool) {
        let role = self.agent.role().opposite();
        self.check_as(from, id, use_candidate, role, 7);
    }

    fn check_as(&mut self, from: Endpoint, id: u8, use_candidate: bool, role: Role, tie_breaker: u64) {
        let credentials = self.agent.credentials().clone();
        let mut buffer = Vec::new();
        let mut check = Builder::new(&mut buffer, Class::Request, Method::Binding, TransactionId([id; 12]));
        let username = format!("{}:peer", credentials.ufrag());
        check.attribute(Attribute::Username(&username)).attribute(Attribute::Priority(1_862_270_975));
        check.attribute(match role {
            Role::Controlling => Attribute::IceControlling(tie_breaker),
            Role::Controlled => Attribute::IceControlled(tie_breaker),
        });
        if use_candidate {
            check.attribute(Attribute::UseCandidate);
        }
        check.integrity(&Key::short_term(credentials.password())).fingerprint();
        self.receive(from, buffer);
    }

    fn states(&self) -> Vec<PairState> {
        self.agent.pairs().map(|(_, state)| state).collect()
    }
}

fn is_request(transmit: &Transmit) -> bool {
    Message::parse(&transmit.payload).unwrap().class() == Class::Request
}

#[test]
fn rfc8445_6_1_2_2_pairs_are_of_one_family_and_link_local_with_link_local() {
    let mut play = Play::controlling();
    let endpoint = |text: &str| text.parse::<Endpoint>().unwrap();
    for base in ["[2001:db8::1]:5000", "[fe80::1]:5000"] {
        play.agent.add_local(play.now, endpoint(base));
    }
    for (number, remote) in [(1, "10.0.0.2:6000"), (2, "[2001:db8::2]:6000"), (3, "[fe80::2]:6000")] {
        play.agent.add_remote_candidate(play.now, candidate(endpoint(remote), number));
    }
    let pairs = play.agent.pairs().map(|(pair, _)| (pair.base.to_string(), pair.remote.to_string()));
    let expected = [
        ("10.0.0.1:5000", "10.0.0.2:6000"),
        ("[2001:db8::1]:5000", "[2001:db8::2]:6000"),
        ("[fe80::1]:5000", "[fe80::2]:6000"),
    ];
    assert_eq!(
        pairs.collect::<Vec<_>>(),
        expected.map(|(base, remote)| (base.to_owned(), remote.to_owned()))
    );
}

#[test]
fn rfc8445_5_1_2_1_hosts_of_a_multihomed_agent_have_different_priorities() {
    let mut play = Play::controlling();
    play.agent.add_local(play.now, Endpoint::v4(10, 0, 1, 1, 5000));
    let priorities = play.agent.local_candidates().map(|candidate| candidate.priority);
    assert_eq!(priorities.collect::<Vec<_>>(), [2_130_706_431, 2_130_640_895]);
}

#[test]
fn unusable_candidates_form_no_pair() {
    let mut play = Play::controlling();
    let mut other = candidate(PEER, 1);
    other.component = 2;
    let hidden = candidate(Endpoint::v4(0, 0, 0, 0, 9), 2);
    for candidate in [other, hidden] {
        play.agent.add_remote_candidate(play.now, candidate);
    }
    let unusable =
        |event: &&Event| matches!(event, Event::RemoteCandidate { outcome: RemoteOutcome::Unusable, .. });
    assert_eq!(play.events().iter().filter(unusable).count(), 2);
    assert_eq!(play.states(), []);
}

#[test]
fn rfc8489_6_2_1_checks_are_retransmitted_by_the_default_schedule() {
    let mut play = Play::with_peer(Role::Controlling);
    let requests = play.requests_until(Timestamp::from_secs(60));
    let times = requests.iter().map(|(at, _)| at.as_nanos() / 1_000_000).collect::<Vec<_>>();
    assert_eq!(times, [0, 500, 1500, 3500, 7500, 15500, 31500]);
    let payloads = requests.iter().map(|(_, transmit)| &transmit.payload);
    assert!(payloads.clone().all(|payload| Some(payload) == payloads.clone().next()));
    assert_eq!(play.agent.state(), State::Failed);
}

#[test]
fn rfc8445_14_2_checks_are_paced_by_ta() {
    let config = Config { ta: Duration::from_millis(20), ..Config::new(Role::Controlling) };
    let mut play = Play::new(config);
    for number in 0..5 {
        play.agent.add_remote_candidate(
            play.now,
            candidate(Endpoint::v4(10, 0, 1, 1, 6000 + number), 1 + u32::from(number)),
        );
    }
    let requests = play.requests_until(Timestamp::from_millis(400));
    let times = requests.iter().map(|(at, _)| at.as_nanos() / 1_000_000).collect::<Vec<_>>();
    assert_eq!(times, [0, 20, 40, 60, 80]);
}

#[test]
fn rfc8445_14_3_rto_by_the_formula_grows_with_the_pairs() {
    let mut play = Play::new(Config { rto: Rto::Rfc8445, ..Config::new(Role::Controlling) });
    for number in 0..5 {
        play.agent.add_remote_candidate(
            play.now,
            candidate(Endpoint::v4(10, 0, 1, 1, 6000 + number), 1 + u32::from(number)),
        );
    }
    let requests = play.requests_until(Timestamp::from_secs(2));
    // The second of five checks: 50 ms x 5 x 5.
    let second = requests.iter().filter(|(_, transmit)| transmit.to.port == 6001).map(|(at, _)| *at);
    let second = second.collect::<Vec<_>>();
    assert_eq!(second[1] - second[0], Duration::from_millis(1250));
}

#[test]
fn rfc8445_7_2_4_check_carries_username_priority_role_integrity_and_fingerprint() {
    let mut play = Play::with_peer(Role::Controlling);
    let request = play.sent().remove(0);
    let message = Message::parse(&request.payload).unwrap();
    let username = format!("peer:{}", play.agent.credentials().ufrag());
    assert_eq!(message.username(), Some(username.as_str()));
    assert_eq!(message.priority(), Some(1_862_270_975));
    assert!(message.ice_controlling().is_some() && message.ice_controlled().is_none());
    assert!(!message.use_candidate());
    assert!(message.verify_integrity(&Key::short_term(PASSWORD)).is_ok());
    assert!(message.verify_fingerprint());
}

#[test]
fn rfc8445_7_2_5_2_1_response_from_another_address_fails_the_pair() {
    let mut play = Play::with_peer(Role::Controlling);
    let request = play.sent().remove(0);
    let elsewhere = Endpoint::new(PEER.ip, 6001);
    play.answer(&request, elsewhere, None);
    assert_eq!(play.states(), [PairState::Failed]);
    let asymmetric = |event: &Event| matches!(event, Event::CheckFailed { why: CheckFailure::NonSymmetric { response }, .. } if response.remote == elsewhere);
    assert!(play.events().iter().any(asymmetric));
}

#[test]
fn rfc8445_7_2_5_2_4_error_response_fails_the_pair() {
    let mut play = Play::with_peer(Role::Controlling);
    let request = play.sent().remove(0);
    play.answer(&request, PEER, Some(500));
    assert_eq!(play.states(), [PairState::Failed]);
}

#[test]
fn rfc8445_7_2_5_1_487_switches_role_requeues_and_changes_the_tie_breaker() {
    let mut play = Play::with_peer(Role::Controlling);
    let request = play.sent().remove(0);
    play.answer(&request, PEER, Some(487));
    assert_eq!(play.agent.role(), Role::Controlled);
    assert_eq!(play.states(), [PairState::Waiting]);
    let (_, again) = play.requests_until(Timestamp::from_millis(50)).remove(0);
    let [first, second] = [&request, &again].map(|transmit| Message::parse(&transmit.payload).unwrap());
    assert!(second.ice_controlled().is_some());
    assert_ne!(first.ice_controlling(), second.ice_controlled());
}

#[test]
fn rfc8445_7_3_1_1_tie_breakers_decide_a_conflict() {
    for (role, theirs, switches) in [
        (Role::Controlling, 0, false),
        (Role::Controlling, u64::MAX, true),
        (Role::Controlled, 0, true),
        (Role::Controlled, u64::MAX, false),
    ] {
        let mut play = Play::new(Config::new(role));
        play.check_as(PEER, 1, false, role, theirs);
        assert_eq!(play.agent.role() != role, switches, "{role:?} {theirs}");
        let answer = play.sent().remove(0);
        let code = Message::parse(&answer.payload).unwrap().error_code().map(|error| error.code);
        assert_eq!(code, (!switches).then_some(487));
    }
}

#[test]
fn rfc8445_7_3_1_3_and_4_check_from_a_new_address_is_answered_learnt_and_triggers_a_check() {
    let mut play = Play::controlling();
    play.check(PEER, 1, false);
    let sent = play.sent();
    assert_eq!(
        sent.iter().map(|transmit| (transmit.to, is_request(transmit))).collect::<Vec<_>>(),
        [(PEER, false), (PEER, true)]
    );
    let answer = Message::parse(&sent[0].payload).unwrap();
    assert_eq!(answer.xor_mapped_address(), Some(PEER));
    let remote = play.agent.remote_candidates().next().unwrap();
    assert_eq!((remote.kind, remote.priority), (CandidateType::PeerReflexive, 1_862_270_975));
    // Signalled later, it takes the signalled type and priority, and is the same pair.
    play.agent.add_remote_candidate(play.now, candidate(PEER, 1));
    let remote = play.agent.remote_candidates().next().unwrap();
    assert_eq!((remote.kind, remote.priority), (CandidateType::Host, 2_130_706_431));
    assert_eq!(play.states(), [PairState::InProgress]);
}

#[test]
fn rfc8445_7_3_1_4_check_on_a_pair_in_progress_cancels_and_repeats_it() {
    let mut play = Play::with_peer(Role::Controlling);
    let first = play.sent().remove(0);
    play.now = Timestamp::from_millis(10);
    play.check(PEER, 1, false);
    assert_eq!(play.states(), [PairState::Waiting]);
    let requests = play.requests_until(Timestamp::from_millis(600));
    let requests = requests.into_iter().filter(|(_, transmit)| is_request(transmit)).collect::<Vec<_>>();
    let times = requests.iter().map(|(at, _)| at.as_nanos() / 1_000_000).collect::<Vec<_>>();
    assert_eq!(times, [50, 550], "the cancelled one is not sent again at 500");
    // Its response counts all the same.
    play.answer(&first, PEER, None);
    assert_eq!(play.states()[0], PairState::Succeeded);
}

#[test]
fn rfc8445_7_3_1_4_check_on_a_succeeded_pair_does_nothing_and_on_a_failed_one_repeats_it() {
    let mut play = Play::with_peer(Role::Controlled);
    let request = play.sent().remove(0);
    play.answer(&request, PEER, Some(400));
    assert_eq!(play.states(), [PairState::Failed]);
    play.check(PEER, 1, false);
    assert_eq!(play.states(), [PairState::Waiting]);
    let again =
        play.requests_until(Timestamp::from_millis(100)).into_iter().find(|(_, t)| is_request(t)).unwrap().1;
    play.answer(&again, PEER, None);
    assert_eq!(play.states(), [PairState::Succeeded]);
    play.check(PEER, 2, false);
    assert_eq!(play.states(), [PairState::Succeeded]);
    assert!(play.requests_until(Timestamp::from_secs(3)).iter().all(|(_, transmit)| !is_request(transmit)));
}

#[test]
fn rfc8445_7_3_1_5_nomination_counts_before_and_after_the_pair_is_valid() {
    for before in [false, true] {
        let mut play = Play::with_peer(Role::Controlled);
        let request = play.sent().remove(0);
        if before {
            play.check(PEER, 1, true);
            assert_eq!(play.agent.selected(), None);
        }
        play.answer(&request, PEER, None);
        if !before {
            assert_eq!(play.agent.selected(), None);
            play.check(PEER, 1, true);
        }
        assert_eq!(play.agent.selected().unwrap().remote.address, PEER);
        assert_eq!(play.agent.state(), State::Completed);
    }
}

#[test]
fn rfc8445_8_1_1_nomination_repeats_the_check_with_use_candidate() {
    let mut play = Play::with_peer(Role::Controlling);
    let request = play.sent().remove(0);
    play.answer(&request, PEER, None);
    let (_, nomination) = play.requests_until(Timestamp::from_millis(50)).remove(0);
    assert!(Message::parse(&nomination.payload).unwrap().use_candidate());
    play.answer(&nomination, PEER, None);
    assert_eq!(play.agent.state(), State::Completed);
}

#[test]
fn rfc8445_6_1_2_5_peer_reflexive_candidates_beyond_100_pairs_are_answered_not_paired() {
    let mut play = Play::controlling();
    for port in 0..150 {
        play.check(Endpoint::new(PEER.ip, 10_000 + port), 1, false);
    }
    assert_eq!(play.states().len(), 100);
    let answers = play.sent().into_iter().filter(|transmit| !is_request(transmit)).count();
    assert_eq!(answers, 150);
}

#[test]
fn rfc8445_6_1_2_5_signalled_candidates_form_no_more_pairs_than_configured() {
    let mut play = Play::new(Config { max_pairs: 7, ..Config::new(Role::Controlling) });
    for number in 0..20 {
        play.agent.add_remote_candidate(
            play.now,
            candidate(Endpoint::v4(10, 0, 1, 1, 6000 + number), 1 + u32::from(number)),
        );
    }
    assert_eq!(play.states().len(), 7);
}

#[test]
fn rfc7675_5_2_403_revokes_consent_at_once() {
    let mut play = Play::with_peer(Role::Controlled);
    let request = play.sent().remove(0);
    play.check(PEER, 1, true);
    play.answer(&request, PEER, None);
    play.sent();
    let (_, consent) = play.requests_until(Timestamp::from_secs(6)).remove(0);
    play.answer(&consent, PEER, Some(403));
    assert!(play.events().iter().any(|event| matches!(event, Event::ConsentLost { .. })));
    assert!(play.agent.send(play.now, Bytes::from_static(b"x")).is_err());
}

#[test]
fn failed_nomination_before_the_pac_timer_leaves_other_pairs_their_chance() {
    let other = Endpoint::new(PEER.ip, 6001);
    let mut play = Play::with_peer(Role::Controlling);
    play.agent.add_remote_candidate(play.now, candidate(other, 2));
    let request = play.sent().remove(0);
    play.answer(&request, PEER, None);
    let requests = play.requests_until(Timestamp::from_millis(100));
    let nomination =
        &requests.iter().find(|(_, t)| Message::parse(&t.payload).unwrap().use_candidate()).unwrap().1;
    play.answer(nomination, PEER, Some(500));
    assert_eq!(play.agent.state(), State::Running);
    let request = &requests.iter().find(|(_, transmit)| transmit.to == other).unwrap().1;
    play.answer(request, other, None);
    let nomination = play.requests_until(Timestamp::from_millis(200)).remove(0).1;
    play.answer(&nomination, other, None);
    assert_eq!(play.agent.selected().unwrap().remote.address, other);
}

#[test]
fn rfc8489_6_1_checks_stay_under_548_octets_whatever_the_peers_credentials() {
    let mut agent = Agent::new(Config::new(Role::Controlling), Xoshiro256PlusPlus::seed_from_u64(5));
    let longest = Credentials::new(&"u".repeat(256), &"p".repeat(256)).unwrap();
    agent.set_remote_credentials(Timestamp::ZERO, &longest);
    agent.add_local(Timestamp::ZERO, BASE);
    agent.add_remote_candidate(Timestamp::ZERO, candidate(PEER, 1));
    let check = agent.poll_transmit().unwrap().payload;
    assert_eq!(Message::parse(&check).unwrap().username().map(str::len), Some(256 + 1 + 8));
    assert!(check.len() < 548, "{} octets", check.len());
}

#[test]
fn rfc8445_7_2_5_3_3_a_success_thaws_the_pairs_of_its_foundation() {
    let mut play = Play::with_peer(Role::Controlled);
    let [same, other] = [6001, 6002].map(|port| Endpoint::new(PEER.ip, port));
    // Of the same foundation as the first, and of another behind a pair of its own that waits.
    play.agent.add_remote_candidate(play.now, candidate(same, 1));
    let state = |play: &Play, remote: Endpoint| {
        play.agent.pairs().find(|(pair, _)| pair.remote == remote).map(|(_, state)| state)
    };
    assert_eq!(state(&play, same), Some(PairState::Frozen));
    play.agent.add_remote_candidate(play.now, candidate(other, 2));
    let request = play.sent().remove(0);
    assert_eq!(request.to, PEER);
    play.answer(&request, PEER, None);
    assert_eq!(state(&play, PEER), Some(PairState::Succeeded));
    assert_eq!(state(&play, same), Some(PairState::Waiting));
}
