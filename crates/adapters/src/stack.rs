//! What the guest needs of a stack, and what a stack does in return.

use std::collections::VecDeque;

use bytes::Bytes;
use natbed_lab::peer::{ChannelEvent, MessageKind, Note, Signal};
use natbed_packet::{Endpoint, Timestamp};
use natbed_traversal::ice::{Candidate, ConsentLoss, Credentials, Event};

/// A stack. After each call, all that it wants done is in `out`.
pub(crate) trait Stack: Send + 'static {
    /// Whether the guest gathers for it.
    const GATHERS: bool;

    /// Whether it makes offers and answers; else the guest makes them for it.
    const DESCRIBES: bool;

    /// Begins, with these sockets.
    fn begin(&mut self, now: Timestamp, sockets: &[Endpoint], out: &mut Outbox);

    /// A candidate was gathered for it. It is to tell those that it takes by [`Act::Local`].
    fn add_local(&mut self, now: Timestamp, found: &Found, out: &mut Outbox);

    /// There will be no more.
    fn end_of_locals(&mut self, now: Timestamp, out: &mut Outbox);

    /// A socket is gone, with all candidates that have it as their base.
    fn lose_base(&mut self, now: Timestamp, base: Endpoint, out: &mut Outbox);

    /// What a message of the other side's tells. One that describes hears of candidates alone.
    fn hear(&mut self, now: Timestamp, signal: Signal, out: &mut Outbox);

    /// The other side's offer or answer, for one that describes.
    fn describe(&mut self, now: Timestamp, kind: MessageKind, sdp: &str, out: &mut Outbox) {
        let _ = (now, kind, sdp, out);
    }

    /// The other side is a lite agent.
    fn face_lite(&mut self) {}

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
    /// Begins a session with these credentials and, where it is not the first, the candidates that it has already.
    #[cfg_attr(not(any(feature = "is", feature = "rice")), expect(dead_code, reason = "str0m describes"))]
    Session { credentials: Credentials, candidates: Vec<Candidate> },
    /// Has made an offer or an answer.
    #[cfg_attr(not(feature = "webrtc"), expect(dead_code, reason = "no other stack describes"))]
    Description { kind: MessageKind, sdp: String },
    /// Has a local candidate.
    Local { candidate: Candidate, base: Endpoint, server: Option<Endpoint> },
    /// Has all local candidates of the session with this username fragment.
    EndOfLocals { ufrag: String },
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

    pub(crate) fn note(&mut self, topic: &'static str, text: impl Into<String>) {
        self.push(Act::Note(Note { topic, text: text.into() }));
    }
}
