//! One socket as the host's kernel keeps it.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::task::Waker;

use bytes::Bytes;
use natbed_net::DropReason;
use natbed_packet::datagram::DEFAULT_HOP_LIMIT;
use natbed_packet::{Endpoint, Family, Timestamp};

use crate::errno::Errno;

/// Octets that may wait in either direction: Linux' default of `net.core.rmem_default` and `wmem_default`.
const BUFFER: usize = 212_992;

/// Octets that a datagram takes up besides its payload: the header and the smallest page fragment of Linux' sk_buff.
const OVERHEAD: usize = 768;

/// Time in which a full send buffer drains.
const DRAIN_NANOS: u64 = 1_000_000;

/// A socket: where it is bound, what it has received, and who waits for it.
pub(crate) struct Socket {
    /// Where it was bound; the address may be 0.0.0.0 or ::.
    pub(crate) bound: Endpoint,
    /// Where it is, as the program sees it: connecting narrows the address down.
    pub(crate) local: Endpoint,
    /// Whom it is connected to.
    pub(crate) peer: Option<Endpoint>,
    pub(crate) hop_limit: u8,
    pub(crate) traffic_class: u8,
    received: VecDeque<(Endpoint, Bytes)>,
    waiting: usize,
    error: Option<Errno>,
    /// Whether its host has been stopped under it.
    dead: bool,
    readers: Vec<Waker>,
    writers: Vec<Waker>,
    sent: usize,
    sent_in: u64,
}

impl Socket {
    pub(crate) fn new(bound: Endpoint) -> Self {
        Self {
            bound,
            local: bound,
            peer: None,
            hop_limit: DEFAULT_HOP_LIMIT,
            traffic_class: 0,
            received: VecDeque::new(),
            waiting: 0,
            error: None,
            dead: false,
            readers: Vec::new(),
            writers: Vec::new(),
            sent: 0,
            sent_in: 0,
        }
    }

    /// Every endpoint that it is bound to: a socket on :: takes IPv4 too (RFC 3493 section 5.3).
    pub(crate) fn bindings(bound: Endpoint) -> impl Iterator<Item = Endpoint> {
        let both = bound.ip == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        [bound].into_iter().chain(both.then(|| Endpoint::new(Ipv4Addr::UNSPECIFIED.into(), bound.port)))
    }

    /// An address as the program sees it: on an IPv6 socket IPv4 addresses are mapped (RFC 3493 section 3.7).
    pub(crate) fn shown(&self, endpoint: Endpoint) -> Endpoint {
        match (self.bound.family(), endpoint.ip) {
            (Family::V6, IpAddr::V4(ip)) => Endpoint::new(ip.to_ipv6_mapped().into(), endpoint.port),
            _ => endpoint,
        }
    }

    /// An address that the program names, as the network knows it; 0.0.0.0 and :: are the host itself.
    pub(crate) fn target(&self, named: Endpoint) -> Result<Endpoint, Errno> {
        let mapped = matches!(named.ip, IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some());
        let ip = match named.ip.to_canonical() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let takes_both = self.bound.ip == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        match (self.bound.family(), Family::of(ip)) {
            (Family::V4, _) if mapped => Err(Errno::FamilyNotSupported),
            (Family::V4, Family::V6) => Err(Errno::FamilyNotSupported),
            (Family::V6, Family::V4) if !takes_both => Err(Errno::NetworkUnreachable),
            _ => Ok(Endpoint::new(ip, named.port)),
        }
    }

    /// Why a datagram does not reach it; `None` if it does.
    pub(crate) fn refusal(&self, from: Endpoint, to: IpAddr, payload: usize) -> Option<DropReason> {
        let elsewhere = !self.local.ip.is_unspecified() && self.local.ip != to;
        if elsewhere || self.dead || self.peer.is_some_and(|peer| peer != from) {
            return Some(DropReason::NoListener);
        }
        let fits = self.received.is_empty() || self.waiting + payload + OVERHEAD <= BUFFER;
        (!fits).then_some(DropReason::ReceiveQueueFull)
    }

    /// Keeps a datagram; whom to wake.
    pub(crate) fn receive(&mut self, from: Endpoint, payload: Bytes) -> Vec<Waker> {
        self.waiting += payload.len() + OVERHEAD;
        self.received.push_back((from, payload));
        std::mem::take(&mut self.readers)
    }

    /// Keeps an error for the next call; whom to wake.
    pub(crate) fn fail(&mut self, error: Errno) -> Vec<Waker> {
        self.error = Some(error);
        let mut wakers = std::mem::take(&mut self.readers);
        wakers.append(&mut self.writers);
        wakers
    }

    /// Takes it from the program for good: its host is stopped.
    pub(crate) fn kill(&mut self) -> Vec<Waker> {
        self.dead = true;
        self.received.clear();
        self.fail(Errno::NetworkDown)
    }

    pub(crate) fn take_error(&mut self) -> Option<Errno> {
        if self.dead { Some(Errno::NetworkDown) } else { self.error.take() }
    }

    /// The next datagram, taken away unless it is only to be looked at; `None` if there is none.
    pub(crate) fn next(&mut self, take: bool) -> Result<Option<(Endpoint, Bytes)>, Errno> {
        if let Some(error) = self.take_error() {
            return Err(error);
        }
        if !take {
            return Ok(self.received.front().cloned());
        }
        let next = self.received.pop_front();
        if let Some((_, payload)) = &next {
            self.waiting -= payload.len() + OVERHEAD;
        }
        Ok(next)
    }

    pub(crate) fn has_error(&self) -> bool {
        self.dead || self.error.is_some()
    }

    pub(crate) fn is_readable(&self) -> bool {
        !self.received.is_empty() || self.dead
    }

    /// Whether there is room for a datagram; what was sent in an earlier millisecond has left.
    pub(crate) fn is_writable(&self, now: Timestamp) -> bool {
        self.has_error() || self.sent_in != now.as_nanos() / DRAIN_NANOS || self.sent < BUFFER
    }

    /// Counts a datagram that goes out.
    pub(crate) fn note_sent(&mut self, now: Timestamp, payload: usize) {
        let millisecond = now.as_nanos() / DRAIN_NANOS;
        if self.sent_in != millisecond {
            (self.sent_in, self.sent) = (millisecond, 0);
        }
        self.sent += payload + OVERHEAD;
    }

    pub(crate) fn wait_to_read(&mut self, waker: &Waker) {
        remember(&mut self.readers, waker);
    }

    pub(crate) fn wait_to_write(&mut self, waker: &Waker) {
        remember(&mut self.writers, waker);
    }

    pub(crate) fn take_writers(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.writers)
    }

    /// Whether a task waits for it to receive.
    pub(crate) fn is_awaited(&self) -> bool {
        !self.readers.is_empty()
    }
}

/// When a send buffer that is full at `now` has drained.
pub(crate) fn drained_at(now: Timestamp) -> Timestamp {
    Timestamp::from_nanos((now.as_nanos() / DRAIN_NANOS + 1).saturating_mul(DRAIN_NANOS))
}

fn remember(wakers: &mut Vec<Waker>, waker: &Waker) {
    if !wakers.iter().any(|known| known.will_wake(waker)) {
        wakers.push(waker.clone());
    }
}
