//! Retransmission over UDP (RFC 8489 section 6.2.1).

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use natbed_packet::{Endpoint, Timestamp};

use crate::Transmit;
use crate::stun::{Class, Message, TransactionId};

/// When a request is sent again, and when it is given up (RFC 8489 section 6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Time to the first retransmission, doubled after each one. "The RTO [...] SHOULD be greater than or equal to
    /// 500 ms".
    pub rto: Duration,
    /// Rc: how often the request is sent in all; at least once.
    pub rc: u32,
    /// Rm: how many RTOs after the last request the transaction fails.
    pub rm: u32,
}

impl Default for Schedule {
    /// Requests at 0, 500, 1500, 3500, 7500, 15 500 and 31 500 ms, failure at 39 500 ms.
    fn default() -> Self {
        Self { rto: Duration::from_millis(500), rc: 7, rm: 16 }
    }
}

/// The retransmission timer of one request, which was sent for the first time when the timer was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetransmitTimer {
    schedule: Schedule,
    sent: u32,
    interval: Duration,
    deadline: Timestamp,
}

/// What is to be done when a [`RetransmitTimer`] has run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetransmitStep {
    /// Send the request once more.
    Retransmit,
    /// The transaction has failed.
    GiveUp,
}

impl RetransmitTimer {
    /// The timer of a request that is sent `now`.
    pub fn new(now: Timestamp, schedule: Schedule) -> Self {
        let mut timer = Self::starting_at(now, schedule);
        timer.advance();
        timer
    }

    /// The timer of a request that is yet to be sent for the first time, `at` that time.
    const fn starting_at(at: Timestamp, schedule: Schedule) -> Self {
        Self { schedule, sent: 0, interval: schedule.rto, deadline: at }
    }

    /// When the timer runs out next.
    pub const fn deadline(&self) -> Timestamp {
        self.deadline
    }

    /// How often the request has been sent.
    pub const fn sent(&self) -> u32 {
        self.sent
    }

    /// What is due at `now`; called too late, it makes up for one step and is due again at once.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Option<RetransmitStep> {
        if now < self.deadline {
            None
        } else if self.sent >= self.schedule.rc {
            Some(RetransmitStep::GiveUp)
        } else {
            self.advance();
            Some(RetransmitStep::Retransmit)
        }
    }

    /// Counts one transmission at the deadline and sets the next deadline.
    fn advance(&mut self) {
        self.sent += 1;
        if self.sent >= self.schedule.rc {
            self.deadline += self.schedule.rto.saturating_mul(self.schedule.rm);
        } else {
            self.deadline += self.interval;
            self.interval = self.interval.saturating_mul(2);
        }
    }
}

/// Requests in flight, each with a `tag` that says what it is for. Nothing is taken for a response before the caller
/// has verified it and says [`complete`](Self::complete).
#[derive(Clone, Debug)]
pub struct Transactions<T> {
    pending: Vec<Pending<T>>,
    transmits: VecDeque<Transmit>,
    expired: VecDeque<T>,
}

#[derive(Clone, Debug)]
struct Pending<T> {
    id: TransactionId,
    transmit: Transmit,
    started: Timestamp,
    timer: RetransmitTimer,
    tag: T,
}

impl<T> Default for Transactions<T> {
    fn default() -> Self {
        Self { pending: Vec::new(), transmits: VecDeque::new(), expired: VecDeque::new() }
    }
}

impl<T> Transactions<T> {
    /// Sends `request`, whose transaction ID is `id`, `now` and as often as `schedule` has it.
    pub fn start(
        &mut self,
        now: Timestamp,
        id: TransactionId,
        request: Transmit,
        schedule: Schedule,
        tag: T,
    ) {
        self.transmits.push_back(request.clone());
        let timer = RetransmitTimer::new(now, schedule);
        self.pending.push(Pending { id, transmit: request, started: now, timer, tag });
    }

    /// The same, but sends it for the first time `at` a later time.
    pub fn start_at(
        &mut self,
        at: Timestamp,
        id: TransactionId,
        request: Transmit,
        schedule: Schedule,
        tag: T,
    ) {
        let timer = RetransmitTimer::starting_at(at, schedule);
        self.pending.push(Pending { id, transmit: request, started: at, timer, tag });
    }

    /// The round trip of the transaction `id`, if it is answered `now`; `None` if its request was sent more than once, as
    /// there is no telling which of them is answered.
    pub fn round_trip(&self, now: Timestamp, id: TransactionId) -> Option<Duration> {
        let pending = self.pending.iter().find(|p| p.id == id && p.timer.sent() == 1)?;
        Some(now.since(pending.started))
    }

    /// The tag of the request that `message` responds to: the transaction ID is known, and it comes from the address
    /// that the request went to.
    pub fn find(&mut self, from: Endpoint, message: &Message<'_>) -> Option<&mut T> {
        if !matches!(message.class(), Class::Success | Class::Error) {
            return None;
        }
        let id = message.transaction_id();
        self.pending.iter_mut().find(|p| p.id == id && p.transmit.to == from).map(|p| &mut p.tag)
    }

    /// Ends the transaction `id`: it is not sent again.
    pub fn complete(&mut self, id: TransactionId) -> Option<T> {
        let index = self.pending.iter().position(|p| p.id == id)?;
        Some(self.pending.remove(index).tag)
    }

    /// Ends all transactions whose tag is not to be kept.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.pending.retain(|p| keep(&p.tag));
    }

    /// Gives up all transactions: their tags.
    pub fn give_up(&mut self) -> Vec<T> {
        self.pending.drain(..).map(|pending| pending.tag).collect()
    }

    /// Retransmits and gives up what is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let mut index = 0;
        while let Some(pending) = self.pending.get_mut(index) {
            match pending.timer.handle_timeout(now) {
                None => index += 1,
                Some(RetransmitStep::Retransmit) => self.transmits.push_back(pending.transmit.clone()),
                Some(RetransmitStep::GiveUp) => self.expired.push_back(self.pending.remove(index).tag),
            }
        }
    }

    /// The next request to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next transaction that has failed for want of a response.
    pub fn poll_expired(&mut self) -> Option<T> {
        self.expired.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.pending.iter().map(|p| p.timer.deadline()).min()
    }
}

impl Transmit {
    /// What `buffer` holds, from `from` to `to`.
    pub(crate) fn new(from: Endpoint, to: Endpoint, buffer: &[u8]) -> Self {
        Self { from, to, payload: Bytes::copy_from_slice(buffer) }
    }
}

#[cfg(test)]
mod tests;
