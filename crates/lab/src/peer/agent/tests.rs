//! Two agents and a signaling path between them: offers and restarts, crossing or not.

use bytes::Bytes;
use natbed_net::ProgramId;
use natbed_traversal::ice::{Candidate, Credentials, Role};
use proptest::prelude::*;
use rand::SeedableRng;

use super::*;
use crate::peer::{IgnoredMessage, Message, MessageKind, NegotiationEvent};

/// Both sides, the messages on their way to each, and what each told.
struct Two {
    now: Timestamp,
    sides: [AgentPeer; 2],
    messages: [VecDeque<Bytes>; 2],
    events: [Vec<NegotiationEvent>; 2],
}

fn local(side: usize) -> Endpoint {
    Endpoint::v4(203, 0, 113, u8::try_from(side + 1).unwrap(), 5000)
}

impl Two {
    /// The initiator has been started.
    fn new() -> Self {
        let sides = [Role::Controlling, Role::Controlled].map(|role| {
            let rng = |purpose: u64| {
                Xoshiro256PlusPlus::seed_from_u64(2 * purpose + u64::from(role == Role::Controlled))
            };
            AgentPeer::new(Config::new(role), role == Role::Controlling, rng(1), rng(2))
        });
        let (messages, events) = (Default::default(), Default::default());
        let mut two = Self { now: Timestamp::ZERO, sides, messages, events };
        for (side, agent) in two.sides.iter_mut().enumerate() {
            let other = program(1 - side);
            agent.place(Surroundings { local: vec![local(side)], other });
        }
        two.sides[0].handle_input(Timestamp::ZERO, Input::Start);
        two.drain(0);
        two
    }

    fn drain(&mut self, side: usize) {
        loop {
            while let Some(event) = self.sides[side].poll_event() {
                if let PeerEvent::Negotiation(event) = event {
                    self.events[side].push(event);
                }
            }
            match self.sides[side].poll_transmit() {
                Some(Output::Signal { message, .. }) => self.messages[1 - side].push_back(message),
                Some(_) => {}
                None => return,
            }
        }
    }

    fn deliver(&mut self, side: usize) -> bool {
        let Some(message) = self.messages[side].pop_front() else { return false };
        self.now += std::time::Duration::from_millis(1);
        self.sides[side].handle_input(self.now, Input::Signal { from: program(1 - side), message });
        self.drain(side);
        true
    }

    fn restart(&mut self, side: usize) {
        let agent = &mut self.sides[side];
        agent.restart(self.now);
        agent.listen(self.now);
        self.drain(side);
    }

    /// Delivers all, and checks that both sides are in one session and know each other's candidates.
    fn converge(&mut self) {
        while self.deliver(0) || self.deliver(1) {}
        for side in [0, 1] {
            let [own, other] = [&self.sides[side], &self.sides[1 - side]];
            assert_eq!(own.negotiation.state(), SignalingState::Stable);
            let remote: Vec<_> = own.agent.remote_candidates().map(|candidate| candidate.address).collect();
            assert_eq!(remote, [local(1 - side)], "side {side}");
            assert_eq!(own.agent.credentials(), other.negotiation.remote().unwrap());
        }
    }
}

fn program(side: usize) -> ProgramId {
    let mut topology = natbed_net::Topology::new();
    let host = topology.add_host("host");
    let mut network = natbed_net::Simulator::new(&topology, 1).unwrap();
    let ids = [(); 2].map(|()| network.add_program(host, natbed_net::Sink::default()));
    ids[side]
}

fn kinds(messages: &VecDeque<Bytes>) -> Vec<MessageKind> {
    messages.iter().map(|message| Message::read(message).unwrap().kind).collect()
}

#[test]
fn the_offer_is_answered_and_candidates_follow_each() {
    let mut two = Two::new();
    assert_eq!(kinds(&two.messages[1])[..2], [MessageKind::Offer, MessageKind::Candidates]);
    two.deliver(1);
    assert_eq!(kinds(&two.messages[0])[..2], [MessageKind::Answer, MessageKind::Candidates]);
    two.converge();
    assert!(two.events.iter().flatten().all(|event| !matches!(event, NegotiationEvent::Ignored { .. })));
}

#[test]
fn rfc8839_4_4_1_1_1_a_restart_is_an_offer_with_other_credentials() {
    let mut two = Two::new();
    two.converge();
    let before = two.sides.each_ref().map(|side| side.agent.credentials().clone());
    two.restart(1);
    assert_eq!(kinds(&two.messages[0])[0], MessageKind::Offer);
    two.converge();
    for (side, before) in two.sides.iter().zip(before) {
        assert_ne!(side.agent.credentials().ufrag(), before.ufrag());
        assert_ne!(side.agent.credentials().password(), before.password());
    }
}

#[test]
fn where_offers_cross_the_answerer_gives_way() {
    let mut two = Two::new();
    two.converge();
    two.restart(0);
    two.restart(1);
    assert_eq!([kinds(&two.messages[0])[0], kinds(&two.messages[1])[0]], [MessageKind::Offer; 2]);
    two.converge();
    for (side, yields) in [(0, false), (1, true)] {
        assert!(two.events[side].contains(&NegotiationEvent::Collision { yields }), "{:?}", two.events[side]);
    }
    // Candidates of the offer that was left aside come again with the answer.
    let stale =
        NegotiationEvent::Ignored { kind: Some(MessageKind::Candidates), why: IgnoredMessage::OtherSession };
    assert!(two.events[0].contains(&stale));
}

#[test]
fn a_restart_while_an_offer_is_out_waits_for_its_answer() {
    let mut two = Two::new();
    two.restart(0);
    assert_eq!(kinds(&two.messages[1])[..2], [MessageKind::Offer, MessageKind::Candidates]);
    two.deliver(1);
    two.deliver(0);
    assert!(kinds(&two.messages[1]).contains(&MessageKind::Offer));
    two.converge();
}

#[test]
fn rfc8840_4_4_candidates_of_another_session_are_discarded() {
    let mut two = Two::new();
    two.converge();
    let candidate: Candidate = "1 1 udp 1 192.0.2.66 6 typ host".parse().unwrap();
    let text = format!(
        "candidates\r\nm=audio 9 RTP/AVP 0\r\na=ice-ufrag:other\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=mid:0\r\na={candidate}\r\n"
    );
    two.messages[0].push_back(text.into());
    two.converge();
}

#[test]
fn what_is_no_message_is_left_aside_with_its_reason() {
    let mut two = Two::new();
    for text in
        ["hello", "offer\r\nv=1\r\n", "answer\r\n", "offer\r\nv=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\n"]
    {
        two.messages[1].push_front(text.into());
    }
    for _ in 0..4 {
        two.deliver(1);
    }
    let why = two.events[1].iter().map(|event| match event {
        NegotiationEvent::Ignored { why, .. } => why.clone(),
        other => panic!("{other:?}"),
    });
    let why: Vec<_> = why.collect();
    assert_eq!(
        [&why[0], &why[1], &why[3]],
        [&IgnoredMessage::NoIce, &IgnoredMessage::NotAsked, &IgnoredMessage::Unknown]
    );
    assert!(matches!(&why[2], IgnoredMessage::Malformed(error) if error.expected == "version 0"));
    assert!(two.messages[0].is_empty(), "it has not begun");
    two.converge();
}

/// The other side makes no descriptions: it sends credentials and candidates, and takes them from offers and answers.
#[test]
fn credentials_alone_are_an_answer_or_an_offer() {
    let mut two = Two::new();
    let of_offer = Signal::decode(&two.messages[1].pop_front().unwrap());
    assert_eq!(of_offer, Some(Signal::Credentials(two.sides[0].agent.credentials().clone())));
    let candidate: Candidate = "1 1 udp 1 192.0.2.66 6 typ host".parse().unwrap();
    for ufrag in ["bare", "again"] {
        let credentials = Credentials::new(ufrag, "asd88fgpdd777uzjYhagZg").unwrap();
        let before = two.sides[0].agent.credentials().clone();
        for signal in
            [Signal::Credentials(credentials.clone()), Signal::Candidate(candidate), Signal::EndOfCandidates]
        {
            assert_eq!(Signal::decode(&signal.encode()).as_ref(), Some(&signal));
            two.messages[0].push_back(signal.encode());
        }
        two.messages[1].clear();
        while two.deliver(0) {}
        let negotiation = &two.sides[0].negotiation;
        assert_eq!((negotiation.remote(), negotiation.state()), (Some(&credentials), SignalingState::Stable));
        let remote: Vec<_> = two.sides[0].agent.remote_candidates().copied().collect();
        assert_eq!(remote, [candidate]);
        let own = two.sides[0].agent.credentials().clone();
        assert_eq!(own != before, ufrag == "again", "the second are a restart");
        if ufrag == "again" {
            assert_eq!(Signal::decode(&two.messages[1][0]), Some(Signal::Credentials(own)));
        }
    }
}

proptest! {
    /// Any number of restarts on either side, at any time.
    #[test]
    fn restarts_that_cross_converge(steps in prop::collection::vec((0_usize..2, any::<bool>()), 0..24)) {
        let mut two = Two::new();
        while two.deliver(1) {}
        for (side, restart) in steps {
            if restart {
                two.restart(side);
            } else {
                two.deliver(side);
            }
        }
        two.converge();
    }
}
