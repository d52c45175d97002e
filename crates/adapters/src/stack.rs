//! What the guest needs of a stack, and what a stack does in return.

use std::collections::VecDeque;

use bytes::Bytes;
use natbed_lab::peer::{ChannelEvent, Note, Signal};
use natbed_packet::{Endpoint, Timestamp};
use natbed_traversal::ice::{Candidate, ConsentLoss, Event};

/// A stack. After each call, all that it wants done is in `out`.
pub(crate) trait Stack: Send + 'static {
    /// Whether the guest gathers for it.
    const GATHERS: bool;

    /// Begins, with these sockets.
    fn begin(&mut self, now: Timestamp, sockets: &[Endpoint], out: &mut Outbox);

    /// A candidate was gathered for it. It is to tell those that it takes by [`Act::Local`].
    fn add_local(&mut self, now: Timestamp, found: &Found, out: &mut Outbox);

    /// There will be no more.
    fn end_of_locals(&mut self, now: Timestamp, out: &mut Outbox);

    /// A socket is gone, with all candidates that have it as their base.
    fn lose_base(&mut self, now: Timestamp, base: Endpoint, out: &mut Outbox);

    /// A message from the other side.
    fn hear(&mut self, now: Timestamp, message: &[u8], out: &mut Outbox);

    /// A datagram from the network, or through a relay of the guest's.
    fn receive(&mut self, now: Timestamp, packet: &Packet, out: &mut Outbox);

    /// The time that it asked for has come.
    fn handle_timeout(&mut self, now: Timestamp, out: &mut Outbox);

    /// When it wants to be woken.
    fn poll_timeout(&self) -> Option<Timestamp>;
}

/// A datagram on its way in or out.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    /// The stack's end: a socket, or a relayed address.
    pub(crate) local: Endpoint,
    /// The other end.
    pub(crate) remote: Endpoint,
    pub(crate) payload: Bytes,
}

/// A candidate that was gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) kind: natbed_traversal::ice::CandidateType,
    pub(crate) address: Endpoint,
    /// The socket that it comes from.
    pub(crate) socket: Endpoint,
    /// The server that told it.
    pub(crate) server: Option<Endpoint>,
}

/// What a stack does.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Sends a datagram, from a socket or a relayed address of the guest's.
    Send(Packet),
    /// Tells the other side something.
    Signal(Bytes),
    /// Has a local candidate, which the stack signals itself.
    Local { candidate: Candidate, base: Endpoint, server: Option<Endpoint> },
    /// Has heard of a candidate of the other side's.
    Remote(Candidate),
    /// Has heard that the other side begins anew.
    #[cfg_attr(not(any(feature = "is", feature = "webrtc")), expect(dead_code, reason = "rice does not"))]
    NewSession,
    /// Uses this pair from now on.
    Select { base: Endpoint, remote: Endpoint },
    /// Can no longer use it.
    #[cfg_attr(not(any(feature = "is", feature = "webrtc")), expect(dead_code, reason = "rice does not"))]
    Lose(ConsentLoss),
    /// Tells of its data channel.
    #[cfg_attr(not(feature = "webrtc"), expect(dead_code, reason = "no other stack has channels"))]
    Channel(ChannelEvent),
    /// Tells anything else.
    Tell(Event),
    /// Tells anything else, in words of its own.
    Note(Note),
}

/// What a stack wants done, in order.
#[derive(Debug, Default)]
pub(crate) struct Outbox(pub(crate) VecDeque<Act>);

impl Outbox {
    pub(crate) fn push(&mut self, act: Act) {
        self.0.push_back(act);
    }

    pub(crate) fn signal(&mut self, signal: &Signal) {
        self.push(Act::Signal(signal.encode()));
    }

    pub(crate) fn note(&mut self, topic: &'static str, text: impl Into<String>) {
        self.push(Act::Note(Note { topic, text: text.into() }));
    }
}
