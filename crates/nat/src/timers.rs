//! How long what lives, in nanoseconds.

use std::time::Duration;

use natbed_packet::Protocol;

use crate::behavior::Behavior;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Timers {
    lifetimes: [Lifetimes; 3],
    pub(crate) tcp: TcpTimers,
    /// Of a permission; `None`: as long as the mapping lives.
    pub(crate) filter: Option<u64>,
    /// How long an external port stays taken after its mapping.
    pub(crate) hold: u64,
}

/// How long a mapping lives without a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetimes {
    /// One that has let nothing in.
    pub(crate) first: u64,
    /// Another.
    pub(crate) replied: u64,
}

/// How long a TCP connection lives without a packet (RFC 5382 REQ-5, RFC 7857 section 2.1).
#[derive(Clone, Copy, Debug)]
pub(crate) struct TcpTimers {
    pub(crate) opening: u64,
    pub(crate) established: u64,
    pub(crate) closing: u64,
}

impl Timers {
    pub(crate) fn new(behavior: &Behavior) -> Self {
        let tcp = TcpTimers {
            opening: nanos(behavior.tcp_transitory),
            established: nanos(behavior.tcp_established),
            closing: nanos(behavior.closing_timeout()),
        };
        let udp = Lifetimes { first: nanos(behavior.first_timeout()), replied: nanos(behavior.udp_timeout) };
        let icmp = nanos(behavior.icmp_timeout);
        Self {
            lifetimes: [
                udp,
                Lifetimes { first: tcp.opening, replied: tcp.established },
                Lifetimes { first: icmp, replied: icmp },
            ],
            tcp,
            filter: behavior.filter_timeout.map(nanos),
            hold: nanos(behavior.port_hold),
        }
    }

    #[inline]
    pub(crate) const fn of(&self, protocol: Protocol) -> Lifetimes {
        self.lifetimes[protocol as usize]
    }

    /// For each protocol, a time no longer than any that a mapping may be given while it has a longer one left.
    pub(crate) fn reach(&self) -> [u64; 3] {
        let [udp, _, icmp] = self.lifetimes.map(|lifetimes| lifetimes.replied);
        [udp, self.tcp.opening.min(self.tcp.established).min(self.tcp.closing), icmp]
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
