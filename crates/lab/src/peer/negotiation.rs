//! Offer and answer: how two sides come to know each other's credentials and candidates (RFC 8829, RFC 8839 section 4).
//!
//! One side offers, the other answers, and from then on both tell the candidates that they find. To restart ICE is to do it
//! again with new credentials (RFC 8839 section 4.4.1.1.1). When two offers cross, the answerer of the first exchange gives
//! way: it drops its own and answers the other's, and the offerer leaves the one that reaches it aside.

mod event;

use std::collections::VecDeque;
use std::fmt::Write as _;

use bytes::Bytes;
use natbed_traversal::ice::{Candidate, Credentials};
use natbed_traversal::sdp::{Description, Local, Media};
use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::signal::{Message, MessageKind, Signal};
pub use event::{Described, IgnoredMessage, NegotiationEvent, NegotiationOutput, SignalingState};

/// One side of the exchange, for any agent that has credentials and candidates. It has the verbs of every state machine
/// here, but for time, of which it needs none.
///
/// 1. Tell it of the agent's sessions and candidates ([`Negotiation::begin`], [`Negotiation::add_candidate`],
///    [`Negotiation::end_of_candidates`], then [`Negotiation::flush`]).
/// 2. Hand it every message ([`Negotiation::handle_message`]), act on what it heard ([`Negotiation::poll_heard`]), which
///    may begin a session, then call [`Negotiation::finish`].
/// 3. Send and tell what [`Negotiation::poll_output`] gives.
#[derive(Debug)]
pub struct Negotiation {
    /// Whether it gives way where offers cross.
    yields: bool,
    number: u64,
    version: u64,
    fingerprint: String,
    state: SignalingState,
    session: Option<Session>,
    /// Whether the session waits for the exchange before to end.
    waiting: bool,
    /// Whether this side is a lite agent, and whether the other is (RFC 8839 section 5.3).
    lite: bool,
    remote_lite: bool,
    /// The other side's credentials in force.
    remote: Option<Credentials>,
    /// The offer that is to be answered.
    offer: Option<Bytes>,
    /// What the other side's messages with candidates begin with, once one was read; empty before.
    heading: String,
    heard: VecDeque<Signal>,
    outputs: VecDeque<NegotiationOutput>,
    /// Where messages are written.
    text: String,
}

/// A session of the agent's, and how much of it the other side has been told.
#[derive(Debug)]
struct Session {
    credentials: Credentials,
    candidates: Vec<Candidate>,
    complete: bool,
    /// Whether a description has named it, and with it or after it so many candidates, and their end.
    described: bool,
    told: usize,
    told_end: bool,
    /// What each of its messages with candidates begins with; empty before the first.
    heading: String,
}

impl Session {
    fn new(credentials: &Credentials) -> Self {
        Self {
            credentials: credentials.clone(),
            candidates: Vec::new(),
            complete: false,
            described: false,
            told: 0,
            told_end: false,
            heading: String::new(),
        }
    }
}

/// What a description is for.
#[derive(Clone, Copy)]
enum Purpose<'o, 'a> {
    Offer,
    Answer(&'o Description<'a>),
    /// An answer to credentials alone, as to an offer like its own.
    AnswerToCredentials,
}

/// Room for what a message usually takes, in octets.
const MESSAGE: usize = 640;

impl Negotiation {
    /// One side, which makes the first offer if it is the `initiator`. Its name for itself and its certificate's
    /// fingerprint are made up from `rng`: an agent here ends with ICE, and no DTLS follows.
    pub fn new(initiator: bool, mut rng: Xoshiro256PlusPlus) -> Self {
        Self {
            yields: !initiator,
            // "less than 2^(63)-1" (RFC 8829 section 5.2.1).
            number: rng.random_range(0..(1 << 63) - 1),
            version: 0,
            fingerprint: fingerprint(&rng.random()),
            state: SignalingState::Stable,
            session: None,
            waiting: false,
            lite: false,
            remote_lite: false,
            remote: None,
            offer: None,
            heading: String::new(),
            heard: VecDeque::new(),
            outputs: VecDeque::new(),
            text: String::new(),
        }
    }

    /// Has its descriptions say that this side is a lite agent, or that it is not.
    pub const fn set_lite(&mut self, lite: bool) {
        self.lite = lite;
    }

    /// Whether the other side's last description says that it is a lite agent.
    pub const fn remote_is_lite(&self) -> bool {
        self.remote_lite
    }

    /// How far it is.
    pub const fn state(&self) -> SignalingState {
        self.state
    }

    /// The other side's credentials in force.
    pub const fn remote(&self) -> Option<&Credentials> {
        self.remote.as_ref()
    }

    /// The agent's first session has these credentials: they are for the answer to the first offer.
    pub fn await_offer(&mut self, credentials: &Credentials) {
        self.session.get_or_insert_with(|| Session::new(credentials));
    }

    /// A session of the agent's begins, with these credentials: the answer where an offer waits for one, else an offer, as
    /// soon as the exchange before has ended.
    pub fn begin(&mut self, credentials: &Credentials) {
        self.session = Some(Session::new(credentials));
        match self.state {
            SignalingState::Stable => self.describe(Purpose::Offer),
            SignalingState::HaveLocalOffer => self.waiting = true,
            SignalingState::HaveRemoteOffer => self.finish(),
        }
    }

    /// The agent has found a candidate.
    pub fn add_candidate(&mut self, candidate: &Candidate) {
        if let Some(session) = &mut self.session {
            session.candidates.push(*candidate);
        }
    }

    /// The agent has found all.
    pub fn end_of_candidates(&mut self) {
        if let Some(session) = &mut self.session {
            session.complete = true;
        }
    }

    /// Tells the other side what has been found and not told, once it knows of the session.
    pub fn flush(&mut self) {
        let Some(session) = &mut self.session else { return };
        let (new, ends) = (&session.candidates[session.told..], session.complete && !session.told_end);
        if !session.described || (new.is_empty() && !ends) {
            return;
        }
        if session.heading.is_empty() {
            let local = Local::data_channel(self.number, &session.credentials, &self.fingerprint);
            write(&mut session.heading, MessageKind::Candidates, &local.fragment(MID, &[], false));
        }
        // Each in a message of its own, as `Signal::decode` takes one.
        for candidate in new.iter().map(Some).chain(ends.then_some(None)) {
            self.text.clear();
            self.text.push_str(&session.heading);
            // A `String` takes all.
            let _ = match candidate {
                Some(candidate) => {
                    self.text.push_str("a=");
                    candidate.write(&mut self.text)
                }
                None => self.text.write_str(END),
            };
            self.text.push_str("\r\n");
            self.outputs.push_back(NegotiationOutput::Message(Bytes::copy_from_slice(self.text.as_bytes())));
        }
        (session.told, session.told_end) = (session.candidates.len(), session.complete);
    }

    /// Takes a message of the other side's.
    pub fn handle_message(&mut self, message: &Bytes) {
        let Some(Message { kind, sdp }) = Message::read(message) else {
            return self.ignore(None, IgnoredMessage::Unknown);
        };
        let taken = match kind {
            MessageKind::Offer => self.take_offer(sdp, message),
            MessageKind::Answer => self.take_answer(sdp),
            MessageKind::Credentials => self.take_credentials(sdp, message),
            MessageKind::Candidates => self.take_candidates(sdp),
        };
        if let Err(why) = taken {
            self.ignore(Some(kind), why);
        }
    }

    /// The next thing that a message told.
    pub fn poll_heard(&mut self) -> Option<Signal> {
        self.heard.pop_front()
    }

    /// Answers the offer that waits, in the present session, or makes the offer that has waited.
    pub fn finish(&mut self) {
        if let Some(message) = self.offer.take() {
            let offer = Message::read(&message).filter(|message| message.kind == MessageKind::Offer);
            let offer = offer.and_then(|offer| Description::parse(offer.sdp).ok());
            self.describe(offer.as_ref().map_or(Purpose::AnswerToCredentials, Purpose::Answer));
        } else if self.state == SignalingState::Stable && std::mem::take(&mut self.waiting) {
            self.describe(Purpose::Offer);
        }
    }

    /// The next thing that it wants done.
    pub fn poll_output(&mut self) -> Option<NegotiationOutput> {
        self.outputs.pop_front()
    }

    fn take_offer(&mut self, sdp: &str, message: &Bytes) -> Result<(), IgnoredMessage> {
        let offer = Description::parse(sdp).map_err(IgnoredMessage::Malformed)?;
        let collides = self.state == SignalingState::HaveLocalOffer;
        if collides {
            self.tell(NegotiationEvent::Collision { yields: self.yields });
            if !self.yields {
                return Ok(());
            }
        }
        self.take_description(MessageKind::Offer, &offer, SignalingState::HaveRemoteOffer, true)?;
        self.waiting = false;
        let is_new = self.session.as_ref().is_some_and(|session| collides || !session.described);
        if is_new {
            self.describe(Purpose::Answer(&offer));
        } else {
            // The offer has the agent begin a session, which the answer is to name.
            self.offer = Some(message.clone());
        }
        Ok(())
    }

    fn take_answer(&mut self, sdp: &str) -> Result<(), IgnoredMessage> {
        if self.state != SignalingState::HaveLocalOffer {
            return Err(IgnoredMessage::NotAsked);
        }
        let answer = Description::parse(sdp).map_err(IgnoredMessage::Malformed)?;
        // An answer that comes when a new session waits to be offered belongs to the session before.
        self.take_description(MessageKind::Answer, &answer, SignalingState::Stable, !self.waiting)
    }

    /// Credentials alone are an answer where it has offered, else an offer.
    fn take_credentials(&mut self, sdp: &str, message: &Bytes) -> Result<(), IgnoredMessage> {
        let fragment = Description::parse_fragment(sdp).map_err(IgnoredMessage::Malformed)?;
        let credentials = fragment.session_credentials().ok_or(IgnoredMessage::NoIce)?;
        let answers = self.state == SignalingState::HaveLocalOffer;
        let state = if answers { SignalingState::Stable } else { SignalingState::HaveRemoteOffer };
        let counts = !(answers && self.waiting);
        self.take(MessageKind::Credentials, credentials, 0, state, counts);
        if !answers {
            self.waiting = false;
            self.offer = Some(message.clone());
            if self.session.as_ref().is_some_and(|session| !session.described) {
                self.finish();
            }
        }
        Ok(())
    }

    fn take_description(
        &mut self,
        kind: MessageKind,
        description: &Description<'_>,
        state: SignalingState,
        counts: bool,
    ) -> Result<(), IgnoredMessage> {
        let section = description.transport().ok_or(IgnoredMessage::NoIce)?;
        let credentials = description.credentials(section).ok_or(IgnoredMessage::NoIce)?;
        self.remote_lite = description.is_lite();
        self.take(kind, credentials, section.candidates().count(), state, counts);
        if counts {
            self.hear_candidates(description, section);
        }
        Ok(())
    }

    /// Takes the other side's credentials; to be acted on if they count.
    fn take(
        &mut self,
        kind: MessageKind,
        credentials: Credentials,
        candidates: usize,
        state: SignalingState,
        counts: bool,
    ) {
        self.state = state;
        if counts {
            self.heard.push_back(Signal::Credentials(credentials.clone()));
        }
        self.remote = Some(credentials.clone()).filter(|_| counts);
        self.tell(NegotiationEvent::Remote(Described { kind, credentials, candidates, state }));
        self.heading.clear();
    }

    fn take_candidates(&mut self, sdp: &str) -> Result<(), IgnoredMessage> {
        let known = Some(&self.heading).filter(|heading| !heading.is_empty() && !self.waiting);
        if let Some(lines) = known.and_then(|heading| sdp.strip_prefix(heading.as_str()))
            && self.hear_lines(lines)
        {
            return Ok(());
        }
        let fragment = Description::parse_fragment(sdp).map_err(IgnoredMessage::Malformed)?;
        for section in &fragment.media {
            // Without credentials they are those of an agent that makes no descriptions.
            let of_session = self.remote.as_ref().is_some_and(|remote| {
                fragment.ufrag(section).is_none_or(|ufrag| ufrag == remote.ufrag())
                    && fragment.password(section).is_none_or(|password| password == remote.password())
            });
            if !of_session || self.waiting {
                return Err(IgnoredMessage::OtherSession);
            }
            self.hear_candidates(&fragment, section);
        }
        let is_heading = |line: &&str| !line.starts_with(CANDIDATE) && !line.starts_with(END);
        let end = sdp.split_inclusive('\n').take_while(is_heading).map(str::len).sum();
        if let ([_], true) = (&*fragment.media, end < sdp.len()) {
            sdp[..end].clone_into(&mut self.heading);
        }
        Ok(())
    }

    /// The lines after a heading that has been read before, which the messages of a session share, so that it need not be
    /// read each time. Whether they are candidates alone; otherwise nothing is heard.
    fn hear_lines(&mut self, lines: &str) -> bool {
        let before = self.heard.len();
        for line in lines.lines() {
            let candidate = line.strip_prefix(CANDIDATE).and_then(|value| value.parse().ok());
            match candidate.map(Signal::Candidate).or((line == END).then_some(Signal::EndOfCandidates)) {
                Some(signal) => self.heard.push_back(signal),
                None => {
                    self.heard.truncate(before);
                    return false;
                }
            }
        }
        true
    }

    fn hear_candidates<'a>(&mut self, description: &Description<'a>, section: &Media<'a>) {
        self.heard.extend(section.candidates().map(|candidate| Signal::Candidate(*candidate)));
        if description.ends_candidates(section) {
            self.heard.push_back(Signal::EndOfCandidates);
        }
    }

    /// Makes the description of the present session and sends it.
    fn describe(&mut self, purpose: Purpose<'_, '_>) {
        let Some(session) = &mut self.session else { return };
        self.version += 1;
        let local = Local {
            version: self.version,
            candidates: &session.candidates,
            complete: session.complete,
            lite: self.lite,
            ..Local::data_channel(self.number, &session.credentials, &self.fingerprint)
        };
        let (kind, state) = match purpose {
            Purpose::Offer => (MessageKind::Offer, SignalingState::HaveLocalOffer),
            _ => (MessageKind::Answer, SignalingState::Stable),
        };
        let description = match purpose {
            Purpose::Offer => local.offer(),
            Purpose::Answer(offer) => local.answer(offer).description,
            Purpose::AnswerToCredentials => local.answer(&local.offer()).description,
        };
        write(&mut self.text, kind, &description);
        let message = Bytes::copy_from_slice(self.text.as_bytes());
        (session.told, session.told_end, session.described) =
            (session.candidates.len(), session.complete, true);
        let credentials = session.credentials.clone();
        let described = Described { kind, credentials, candidates: session.told, state };
        self.state = state;
        self.tell(NegotiationEvent::Local(described));
        self.outputs.push_back(NegotiationOutput::Message(message));
    }

    fn ignore(&mut self, kind: Option<MessageKind>, why: IgnoredMessage) {
        self.tell(NegotiationEvent::Ignored { kind, why });
    }

    fn tell(&mut self, event: NegotiationEvent) {
        self.outputs.push_back(NegotiationOutput::Event(event));
    }
}

/// The tag of the section that candidates are told for: the first.
const MID: &str = "0";
/// What the line of a candidate begins with, and the line that ends them (RFC 8839 section 5.1, RFC 8840 section 8).
const CANDIDATE: &str = "a=candidate:";
const END: &str = "a=end-of-candidates";

/// Puts a message into `text`.
fn write(text: &mut String, kind: MessageKind, description: &Description<'_>) {
    text.clear();
    text.reserve(MESSAGE);
    text.push_str(kind.as_str());
    text.push_str("\r\n");
    // A `String` takes all.
    let _ = description.write(text);
}

/// `sha-256 19:E2:…` (RFC 8122 section 5).
fn fingerprint(digest: &[u8; 32]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = String::with_capacity(8 + 3 * digest.len());
    text.push_str("sha-256");
    for (place, byte) in digest.iter().enumerate() {
        text.push(if place == 0 { ' ' } else { ':' });
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS[usize::from(digit)]));
        }
    }
    text
}
