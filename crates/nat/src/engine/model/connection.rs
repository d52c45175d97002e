//! TCP connections as a list.

use natbed_packet::{Endpoint, Protocol};

use super::kind::Kind;
use super::reference::Model;

/// A TCP connection; of each two, the first is the inside's.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) internal: Endpoint,
    pub(super) remote: Endpoint,
    pub(super) serial: usize,
    pub(super) deadline: u64,
    opened: [bool; 2],
    closed: [bool; 2],
    reset: bool,
}

impl Connection {
    /// Whether it is closed or reset.
    pub(super) fn is_over(&self) -> bool {
        self.reset || self.closed == [true; 2]
    }
}

impl Model {
    /// The entry of a live TCP connection.
    pub(super) fn connected(
        &self,
        protocol: Protocol,
        internal: Endpoint,
        remote: Endpoint,
    ) -> Option<usize> {
        let ends = |known: &&Connection| (known.internal, known.remote) == (internal, remote);
        let connection = self.connections.iter().find(ends).filter(|_| protocol == Protocol::Tcp);
        connection.map(|connection| connection.serial)
    }

    /// Notes that a segment passed through an entry.
    pub(super) fn track(&mut self, place: usize, remote: Endpoint, kind: Kind, from_inside: bool) {
        let (internal, serial) = (self.entries[place].internal, self.entries[place].serial);
        let known = self.connections.iter().position(|c| (c.internal, c.remote) == (internal, remote));
        let before = known.map_or(0, |known| self.connections[known].deadline);
        let known = known.filter(|known| !(kind.opens() && self.connections[*known].is_over()));
        let known = match known {
            Some(known) if self.connections[known].serial != serial => return,
            None if !kind.opens() => return,
            Some(known) => known,
            None => {
                self.connections.retain(|c| (c.internal, c.remote) != (internal, remote));
                let (opened, closed, reset, deadline) = ([false; 2], [false; 2], false, 0);
                let new = Connection { internal, remote, serial, deadline, opened, closed, reset };
                self.connections.push(new);
                self.connections.len() - 1
            }
        };
        self.step(known, kind, from_inside);
        let after = self.connections[known].deadline;
        let all = self.connections.iter().filter(|connection| connection.serial == serial);
        let longest = all.map(|connection| connection.deadline).max().unwrap_or(0);
        let entry = &mut self.entries[place];
        if after >= entry.deadline {
            entry.deadline = after;
        } else if before == entry.deadline {
            entry.deadline = longest;
        }
    }

    fn step(&mut self, known: usize, kind: Kind, from_inside: bool) {
        let Kind::Segment { flags, stale } = kind else { return };
        let end = |timeout| self.now + Self::nanos(timeout);
        let (opening, established) = (end(self.behavior.tcp_transitory), end(self.behavior.tcp_established));
        let closing = end(self.behavior.closing_timeout());
        let (side, c) = (usize::from(!from_inside), &mut self.connections[known]);
        let (open, over) = (c.opened == [true; 2], c.is_over());
        if flags.rst {
            if open && !over && !stale {
                c.reset = true;
                c.deadline = c.deadline.min(closing);
            }
            return;
        }
        c.reset = false;
        c.opened[side] |= flags.syn;
        c.closed[side] |= flags.fin && open;
        match (c.opened == [true; 2], c.is_over()) {
            (true, true) if !over => c.deadline = closing,
            (true, false) => c.deadline = established,
            (false, _) if flags.syn => c.deadline = opening,
            _ => {}
        }
    }
}
