//! One request after the other, and what becomes of each.

use std::collections::VecDeque;
use std::time::Duration;

use natbed_packet::{Endpoint, Timestamp};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::Transmit;
use crate::stun::client::{RetransmitStep, RetransmitTimer};
use crate::stun::{Attribute, AttributeType, Builder, Class, Message, Method, Schedule, TransactionId};

/// "A client SHOULD NOT generate more than ten new STUN transactions per second" (RFC 5780 section 5).
const PACE: Duration = Duration::from_millis(100);

/// A request to make.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    /// The socket.
    pub(super) from: Endpoint,
    pub(super) to: Endpoint,
    /// What the request carries besides its header.
    pub(super) attribute: Option<Attribute<'static>>,
    pub(super) wanted: Wanted,
    pub(super) schedule: Schedule,
    /// When to make it; at once if that is past.
    pub(super) at: Timestamp,
}

/// What settles a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted {
    /// A response from there, or from where the request went.
    ResponseFrom(Endpoint),
    /// The request itself, come back in.
    Request,
}

/// What became of a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    Success(Success),
    /// An error response, or one that says nothing of use.
    Refused,
    /// The request came back in.
    Returned,
    /// Nothing came until it was given up.
    Silence,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Success {
    /// The socket that the response came to.
    pub(super) local: Endpoint,
    /// Where it came from.
    pub(super) from: Endpoint,
    pub(super) mapped: Endpoint,
    /// OTHER-ADDRESS.
    pub(super) other: Option<Endpoint>,
    /// When the request was sent last.
    pub(super) sent: Timestamp,
}

/// What a test does next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<T> {
    Ask(Ask),
    Done(T),
}

impl<T> Step<T> {
    pub(super) fn map<U>(self, finding: impl FnOnce(T) -> U) -> Step<U> {
        match self {
            Self::Ask(ask) => Step::Ask(ask),
            Self::Done(found) => Step::Done(finding(found)),
        }
    }
}

impl Ask {
    /// A plain Binding request, at once.
    pub(super) const fn binding(from: Endpoint, to: Endpoint, schedule: Schedule) -> Self {
        let wanted = Wanted::ResponseFrom(to);
        Self { from, to, attribute: None, wanted, schedule, at: Timestamp::ZERO }
    }

    /// A request for a response from the address, if `ip`, and the port of `other` (RFC 5780 section 7.2).
    pub(super) const fn change(self, ip: bool, other: Endpoint) -> Self {
        let origin = Endpoint::new(if ip { other.ip } else { self.to.ip }, other.port);
        let attribute = Some(Attribute::ChangeRequest { ip, port: true });
        Self { attribute, wanted: Wanted::ResponseFrom(origin), ..self }
    }
}

/// The request under way.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    rng: Xoshiro256PlusPlus,
    state: State,
    /// When the next request may be made.
    free_at: Timestamp,
    transmits: VecDeque<Transmit>,
}

#[derive(Clone, Debug)]
enum State {
    Idle,
    Planned(Ask),
    Pending(Pending),
}

#[derive(Clone, Debug)]
struct Pending {
    id: TransactionId,
    transmit: Transmit,
    wanted: Wanted,
    timer: RetransmitTimer,
    sent: Timestamp,
}

impl Exchange {
    pub(super) const fn new(rng: Xoshiro256PlusPlus) -> Self {
        Self { rng, state: State::Idle, free_at: Timestamp::ZERO, transmits: VecDeque::new() }
    }

    /// Makes a request when its time has come, and no sooner than the pace allows.
    pub(super) fn ask(&mut self, now: Timestamp, ask: Ask) {
        let at = ask.at.max(self.free_at);
        if at > now {
            self.state = State::Planned(Ask { at, ..ask });
        } else {
            self.send(now, &ask);
        }
    }

    fn send(&mut self, now: Timestamp, ask: &Ask) {
        let id = TransactionId::random(&mut self.rng);
        let mut buffer = Vec::with_capacity(32);
        let mut request = Builder::new(&mut buffer, Class::Request, Method::Binding, id);
        if let Some(attribute) = ask.attribute {
            request.attribute(attribute);
        }
        let transmit = Transmit::new(ask.from, ask.to, &buffer);
        self.transmits.push_back(transmit.clone());
        self.free_at = now + PACE;
        let timer = RetransmitTimer::new(now, ask.schedule);
        self.state = State::Pending(Pending { id, transmit, wanted: ask.wanted, timer, sent: now });
    }

    /// What a datagram says of the request under way, if anything.
    pub(super) fn handle_input(&mut self, local: Endpoint, from: Endpoint, bytes: &[u8]) -> Option<Answer> {
        let State::Pending(pending) = &self.state else { return None };
        let message = Message::parse(bytes).ok()?;
        let forged = message.has(AttributeType::FINGERPRINT) && !message.verify_fingerprint();
        if forged || message.method() != Method::Binding || message.transaction_id() != pending.id {
            return None;
        }
        let answer = match (pending.wanted, message.class()) {
            (Wanted::Request, Class::Request) => Answer::Returned,
            (Wanted::ResponseFrom(origin), class) if from == origin || from == pending.transmit.to => {
                match class {
                    Class::Success => success(&message, local, from, pending.sent),
                    Class::Error => Answer::Refused,
                    Class::Request | Class::Indication => return None,
                }
            }
            _ => return None,
        };
        self.state = State::Idle;
        Some(answer)
    }

    /// Does what is due; silence is an answer.
    pub(super) fn handle_timeout(&mut self, now: Timestamp) -> Option<Answer> {
        match &mut self.state {
            State::Idle => None,
            State::Planned(ask) => {
                let ask = *ask;
                if ask.at <= now {
                    self.send(now, &ask);
                }
                None
            }
            State::Pending(pending) => {
                let mut due = false;
                while let Some(step) = pending.timer.handle_timeout(now) {
                    if step == RetransmitStep::GiveUp {
                        self.state = State::Idle;
                        return Some(Answer::Silence);
                    }
                    due = true;
                }
                if due {
                    pending.sent = now;
                    self.transmits.push_back(pending.transmit.clone());
                }
                None
            }
        }
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    pub(super) const fn poll_timeout(&self) -> Option<Timestamp> {
        match &self.state {
            State::Idle => None,
            State::Planned(ask) => Some(ask.at),
            State::Pending(pending) => Some(pending.timer.deadline()),
        }
    }
}

fn success(message: &Message<'_>, local: Endpoint, from: Endpoint, sent: Timestamp) -> Answer {
    let mapped = message.xor_mapped_address().or_else(|| message.mapped_address());
    match mapped {
        Some(mapped) if message.unknown_required().is_empty() => {
            Answer::Success(Success { local, from, mapped, other: message.other_address(), sent })
        }
        _ => Answer::Refused,
    }
}
