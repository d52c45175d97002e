//! A TCP connection as a NAT sees it (RFC 7857 section 2, after RFC 6146 section 3.5.2.2).

use natbed_packet::{TcpFlags, TcpSegment};

use crate::timers::TcpTimers;

mod connections;
mod held;

pub(crate) use connections::Connections;
pub(crate) use held::HeldSyns;

/// Where a packet comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Inside,
    Outside,
}

/// What connection tracking looks at in a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) flags: TcpFlags,
    sequence: u32,
    acknowledgment: u32,
    window: u16,
}

impl Segment {
    pub(crate) const fn of(segment: &TcpSegment) -> Self {
        let TcpSegment { flags, sequence, acknowledgment, window, .. } = *segment;
        Self { flags, sequence, acknowledgment, window }
    }
}

/// A connection between an internal endpoint and a remote.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connection {
    /// The mapping that its segments pass through.
    slot: u32,
    deadline: u64,
    inside: End,
    outside: End,
    /// Whether a reset was the last segment.
    reset: bool,
}

/// What one end of a connection has sent.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    syn: bool,
    fin: bool,
    /// The sequence number that it expects, and from there how many it takes.
    expected: u32,
    window: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// One end has sent a SYN.
    Opening,
    /// Both have: after a SYN and a SYN-ACK, or two SYNs that crossed (RFC 5382 REQ-2 a).
    Established,
    /// Both have sent a FIN, or one a reset.
    Closing,
}

impl Connection {
    /// The connection that a SYN opens.
    fn open(slot: u32, syn: Segment, origin: Origin, now: u64, timers: &TcpTimers) -> Self {
        let mut connection =
            Self { slot, deadline: 0, inside: End::default(), outside: End::default(), reset: false };
        connection.pass(syn, origin, now, timers);
        connection
    }

    /// Notes that a segment passed.
    fn pass(&mut self, segment: Segment, origin: Origin, now: u64, timers: &TcpTimers) {
        if segment.flags.rst {
            self.pass_reset(segment, origin, now, timers);
            return;
        }
        let before = self.phase();
        let (sender, receiver) = self.ends(origin);
        if segment.flags.syn {
            sender.syn = true;
            receiver.expected = segment.sequence.wrapping_add(1);
        }
        if segment.flags.ack {
            sender.expected = segment.acknowledgment;
            sender.window = segment.window;
        }
        sender.fin |= segment.flags.fin && before != Phase::Opening;
        // A receiver that has taken a reset sends no more, and one that has not goes on.
        self.reset = false;
        match self.phase() {
            Phase::Opening if segment.flags.syn => self.deadline = now.saturating_add(timers.opening),
            Phase::Established => self.deadline = now.saturating_add(timers.established),
            Phase::Closing if before != Phase::Closing => {
                self.deadline = now.saturating_add(timers.closing);
            }
            Phase::Opening | Phase::Closing => {}
        }
    }

    /// A reset never gives more time (RFC 7857 section 7.1), and takes some only if its receiver would heed it: if
    /// its sequence number is in the window (RFC 7857 section 2.2, RFC 9293 section 3.5.3).
    fn pass_reset(&mut self, segment: Segment, origin: Origin, now: u64, timers: &TcpTimers) {
        let established = self.phase() == Phase::Established;
        let (_, receiver) = self.ends(origin);
        let ahead = segment.sequence.wrapping_sub(receiver.expected);
        if established && ahead <= u32::from(receiver.window) {
            self.reset = true;
            self.deadline = self.deadline.min(now.saturating_add(timers.closing));
        }
    }

    /// The sending and the receiving end of a segment.
    const fn ends(&mut self, origin: Origin) -> (&mut End, &mut End) {
        match origin {
            Origin::Inside => (&mut self.inside, &mut self.outside),
            Origin::Outside => (&mut self.outside, &mut self.inside),
        }
    }

    const fn phase(&self) -> Phase {
        if self.reset || (self.inside.fin && self.outside.fin) {
            Phase::Closing
        } else if self.inside.syn && self.outside.syn {
            Phase::Established
        } else {
            Phase::Opening
        }
    }
}
