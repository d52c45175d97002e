//! Plain datagrams, without ICE: to see routing and translation.

use std::collections::VecDeque;
use std::net::IpAddr;

use bytes::Bytes;
use natbed_net::{Input, Output};
use natbed_packet::{Datagram, Endpoint, Timestamp};

use crate::scenario;

/// Sends datagrams at their times, and takes those that come.
#[derive(Default)]
pub struct Sender {
    /// Those still to send, in order of time.
    due: VecDeque<(Timestamp, Datagram)>,
    ready: VecDeque<Datagram>,
    started: bool,
}

/// The payload of plain datagram `index`, counted from 0: `datagram 1`, …, with dots behind it up to `size` octets.
pub fn send_payload(index: usize, size: Option<u16>) -> Bytes {
    format!("{:.<width$}", format!("datagram {}", index + 1), width = usize::from(size.unwrap_or(0))).into()
}

impl Sender {
    /// Adds datagram `index`, sent from `source`.
    pub fn add(&mut self, index: usize, send: &scenario::Send, source: IpAddr) {
        let payload = send_payload(index, send.size);
        let mut datagram = Datagram::udp(Endpoint::new(source, send.from_port), send.to, payload);
        if !send.dont_fragment {
            // Fragments of two datagrams must not be taken for those of one (RFC 6864 section 4.2).
            datagram.dont_fragment = false;
            datagram.identification = u16::try_from((index + 1) & 0xffff).unwrap_or_default();
        }
        let place = self.due.partition_point(|(at, _)| *at <= send.at);
        self.due.insert(place, (send.at, datagram));
    }

    pub(super) fn handle_input(&mut self, now: Timestamp, input: &Input) {
        match input {
            Input::Start => {
                self.started = true;
                self.handle_timeout(now);
            }
            Input::AddressChanged { old, new } => {
                for (_, datagram) in self.due.iter_mut().filter(|(_, datagram)| datagram.source == *old) {
                    datagram.source = *new;
                }
            }
            Input::Datagram(_) | Input::Signal { .. } => {}
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        while self.due.front().is_some_and(|(at, _)| *at <= now) {
            self.ready.extend(self.due.pop_front().map(|(_, datagram)| datagram));
        }
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Output> {
        self.ready.pop_front().map(Output::Send)
    }

    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.due.front().filter(|_| self.started).map(|(at, _)| *at)
    }
}
