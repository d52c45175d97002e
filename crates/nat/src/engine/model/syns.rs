//! SYNs from outside that wait for their answer, as a list.

use natbed_packet::{Endpoint, IcmpErrorKind};

use super::kind::{Kind, Packet};
use crate::LateReply;

/// Nanoseconds of silence (RFC 5382 REQ-4).
const SILENCE: u64 = 6_000_000_000;

#[derive(Default)]
pub(super) struct Syns(Vec<Syn>);

struct Syn {
    due: u64,
    remote: Endpoint,
    packet: Packet,
}

impl Syns {
    /// Keeps a SYN that was dropped, which `remote` is seen to send; one that was sent again only once.
    pub(super) fn hold(&mut self, now: u64, remote: Endpoint, packet: Packet) {
        if !self.0.iter().any(|known| (known.remote, known.packet.to) == (remote, packet.to)) {
            self.0.push(Syn { due: now + SILENCE, remote, packet });
        }
    }

    /// Forgets those of a connection that a SYN from inside opens.
    pub(super) fn forget(&mut self, kind: Kind, remote: Endpoint, external: Endpoint) {
        if matches!(kind, Kind::Segment { .. }) {
            self.0.retain(|known| (known.remote, known.packet.to) != (remote, external));
        }
    }

    /// The answers that are due by `now`, each with its time.
    pub(super) fn answer(&mut self, now: u64) -> Vec<(u64, LateReply)> {
        let due = self.0.extract_if(.., |syn| syn.due <= now);
        due.map(|syn| {
            let about = syn.packet.datagram();
            (syn.due, LateReply { about, kind: IcmpErrorKind::PortUnreachable })
        })
        .collect()
    }
}
