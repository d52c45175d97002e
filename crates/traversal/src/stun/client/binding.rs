//! The client of the Binding method: asks a server what address it sees.

use std::collections::VecDeque;
use std::time::Duration;

use natbed_packet::{Endpoint, Timestamp};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{Schedule, Transactions};
use crate::Transmit;
use crate::stun::{AttributeType, Builder, Class, Message, Method, TransactionId};

/// "The number of times SHOULD be limited to 4": how often a request is sent again after a 5xx response (RFC 8489 section
/// 6.3.4).
pub(crate) const MAX_SERVER_ERRORS: u8 = 4;

/// Asks one server once for the mapped address of one socket (RFC 8489 section 2).
#[derive(Clone, Debug)]
pub struct BindingClient {
    local: Endpoint,
    server: Endpoint,
    schedule: Schedule,
    /// The tag counts the 5xx responses before.
    transactions: Transactions<u8>,
    round_trip: Option<Duration>,
    events: VecDeque<BindingEvent>,
}

/// How a Binding transaction has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindingEvent {
    /// The server saw this source address: the server-reflexive one.
    Mapped(Endpoint),
    /// There is no mapped address to be had.
    Failed(BindingFailure),
}

/// Why a Binding transaction has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindingFailure {
    /// No response came before the schedule was over.
    Timeout,
    /// The server responded with an error.
    Rejected {
        /// The error code.
        code: u16,
        /// The reason phrase.
        reason: String,
    },
    /// A hard ICMP error came (RFC 8489 section 6.2.1).
    Unreachable,
    /// The success response has no mapped address, or an attribute that must be understood and is not.
    Unusable,
}

impl BindingClient {
    /// Begins to ask `server` from the socket at `local`.
    pub fn new(
        now: Timestamp,
        local: Endpoint,
        server: Endpoint,
        schedule: Schedule,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Self {
        let (transactions, events) = (Transactions::default(), VecDeque::new());
        let mut client = Self { local, server, schedule, transactions, round_trip: None, events };
        let (id, request) = client.request(rng);
        client.transactions.start(now, id, request, schedule, 0);
        client
    }

    /// Takes a datagram that came from `from`; `false` if it is no response to this client's request. After a 5xx error
    /// the request goes out again, in a new transaction and each time later (RFC 8489 section 6.3.4).
    pub fn handle_input(
        &mut self,
        now: Timestamp,
        from: Endpoint,
        bytes: &[u8],
        rng: &mut Xoshiro256PlusPlus,
    ) -> bool {
        let Ok(message) = Message::parse(bytes) else { return false };
        let forged = message.has(AttributeType::FINGERPRINT) && !message.verify_fingerprint();
        if forged || message.method() != Method::Binding || self.transactions.find(from, &message).is_none() {
            return false;
        }
        let id = message.transaction_id();
        self.round_trip = self.transactions.round_trip(now, id);
        let errors = self.transactions.complete(id).unwrap_or_default();
        let server_error = message.error_code().is_some_and(|error| (500..600).contains(&error.code));
        if message.class() == Class::Error && server_error && errors < MAX_SERVER_ERRORS {
            let (id, request) = self.request(rng);
            let at = now + self.schedule.rto * (1 << errors);
            self.transactions.start_at(at, id, request, self.schedule, errors + 1);
        } else {
            self.events.push_back(outcome(&message));
        }
        true
    }

    /// Takes a hard ICMP error about the request: the transaction has failed.
    pub fn handle_unreachable(&mut self) {
        if !self.transactions.give_up().is_empty() {
            self.events.push_back(BindingEvent::Failed(BindingFailure::Unreachable));
        }
    }

    /// How long the response took; `None` before there is one, and where the request was sent more than once.
    pub const fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    fn request(&self, rng: &mut Xoshiro256PlusPlus) -> (TransactionId, Transmit) {
        let id = TransactionId::random(rng);
        let mut request = Vec::new();
        Builder::new(&mut request, Class::Request, Method::Binding, id);
        (id, Transmit::new(self.local, self.server, &request))
    }

    /// Retransmits, or gives up, what is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.transactions.handle_timeout(now);
        if self.transactions.poll_expired().is_some() {
            self.events.push_back(BindingEvent::Failed(BindingFailure::Timeout));
        }
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transactions.poll_transmit()
    }

    /// How the transaction has ended, once.
    pub fn poll_event(&mut self) -> Option<BindingEvent> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` when all is over.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.transactions.poll_timeout()
    }
}

/// What a response says (RFC 8489 sections 6.3.3 and 6.3.4).
fn outcome(message: &Message<'_>) -> BindingEvent {
    if message.class() == Class::Error {
        return BindingEvent::Failed(match message.error_code() {
            Some(error) => BindingFailure::Rejected { code: error.code, reason: error.reason.to_owned() },
            None => BindingFailure::Unusable,
        });
    }
    let mapped = message.xor_mapped_address().or_else(|| message.mapped_address());
    match mapped {
        Some(mapped) if message.unknown_required().is_empty() => BindingEvent::Mapped(mapped),
        _ => BindingEvent::Failed(BindingFailure::Unusable),
    }
}

#[cfg(test)]
mod tests;
