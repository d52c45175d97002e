//! The client of the Binding method: asks a server what address it sees.

use std::collections::VecDeque;

use natbed_packet::{Endpoint, Timestamp};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{Schedule, Transactions};
use crate::Transmit;
use crate::stun::{AttributeType, Builder, Class, Message, Method, TransactionId};

/// Asks one server once for the mapped address of one socket (RFC 8489 section 2).
#[derive(Clone, Debug)]
pub struct BindingClient {
    transactions: Transactions<()>,
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
        let id = TransactionId::random(rng);
        let mut request = Vec::new();
        Builder::new(&mut request, Class::Request, Method::Binding, id);
        let mut transactions = Transactions::default();
        transactions.start(now, id, Transmit::new(local, server, &request), schedule, ());
        Self { transactions, events: VecDeque::new() }
    }

    /// Takes a datagram that came from `from`; `false` if it is no response to this client's request.
    pub fn handle_input(&mut self, from: Endpoint, bytes: &[u8]) -> bool {
        let Ok(message) = Message::parse(bytes) else { return false };
        let forged = message.has(AttributeType::FINGERPRINT) && !message.verify_fingerprint();
        if forged || message.method() != Method::Binding || self.transactions.find(from, &message).is_none() {
            return false;
        }
        self.transactions.complete(message.transaction_id());
        self.events.push_back(outcome(&message));
        true
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
