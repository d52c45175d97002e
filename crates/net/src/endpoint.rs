//! What runs on a host.

use std::net::IpAddr;

use bytes::Bytes;
use natbed_packet::{Datagram, Endpoint, Timestamp};

use crate::node::ProgramId;
use crate::trace::DropReason;

/// A program on a host, sans-IO. The simulator calls `handle_*` with the time, then drains `poll_event` and
/// `poll_transmit` until `None`, then asks `poll_timeout` when to wake it.
pub trait Program {
    /// What the program has to tell.
    type Event: Clone;

    /// Something arrived.
    fn handle_input(&mut self, now: Timestamp, input: Input);

    /// The time that `poll_timeout` asked for has come. Afterwards `poll_timeout` is later than `now` or `None`.
    fn handle_timeout(&mut self, now: Timestamp);

    /// The next thing that the program wants to do.
    fn poll_transmit(&mut self) -> Option<Output>;

    /// The next thing that the program has to tell.
    fn poll_event(&mut self) -> Option<Self::Event>;

    /// When the program wants to be woken; `None` when it is idle.
    fn poll_timeout(&self) -> Option<Timestamp>;

    /// Why a datagram to an endpoint that the program has bound goes no further than its socket; `None` if it is taken.
    /// [`DropReason::NoListener`] is answered as a closed port is.
    fn refusal(&self, datagram: &Datagram) -> Option<DropReason> {
        let _ = datagram;
        None
    }
}

/// What reaches a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The run begins, or the host comes back after it was stopped, with nothing remembered.
    Start,
    /// A datagram to an endpoint that the program has bound, or an ICMP error about one that it sent.
    Datagram(Datagram),
    /// A message over the signaling path.
    Signal {
        /// Who sent it.
        from: ProgramId,
        /// What it says.
        message: Bytes,
    },
    /// An address of the host was replaced; what was bound to it is bound to the new one.
    AddressChanged {
        /// The address that is gone.
        old: IpAddr,
        /// The address in its place.
        new: IpAddr,
    },
}

/// What a program does to the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Sends a datagram from one of the host's addresses.
    Send(Datagram),
    /// Sends a datagram that carries on the one just handled: what a relay does.
    Relay(Datagram),
    /// Sends a message over the signaling path: reliable, in order, not part of the network.
    Signal {
        /// Who is to have it.
        to: ProgramId,
        /// What it says.
        message: Bytes,
    },
    /// Starts to receive at an endpoint of the host; 0.0.0.0 or :: stands for every address of the family.
    Bind(Endpoint),
    /// No longer receives there.
    Unbind(Endpoint),
}

/// A program that keeps what it receives and never answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sink {
    /// What has arrived, in order.
    pub received: Vec<Datagram>,
}

impl Program for Sink {
    type Event = ();

    fn handle_input(&mut self, _now: Timestamp, input: Input) {
        if let Input::Datagram(datagram) = input {
            self.received.push(datagram);
        }
    }

    fn handle_timeout(&mut self, _now: Timestamp) {}

    fn poll_transmit(&mut self) -> Option<Output> {
        None
    }

    fn poll_event(&mut self) -> Option<()> {
        None
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }
}

impl<P: Program + ?Sized> Program for Box<P> {
    type Event = P::Event;

    fn handle_input(&mut self, now: Timestamp, input: Input) {
        (**self).handle_input(now, input);
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        (**self).handle_timeout(now);
    }

    fn poll_transmit(&mut self) -> Option<Output> {
        (**self).poll_transmit()
    }

    fn poll_event(&mut self) -> Option<P::Event> {
        (**self).poll_event()
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        (**self).poll_timeout()
    }

    fn refusal(&self, datagram: &Datagram) -> Option<DropReason> {
        (**self).refusal(datagram)
    }
}
