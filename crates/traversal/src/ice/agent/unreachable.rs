//! ICMP errors about what the agent has sent (RFC 8445 section 7.2.5.2.2, RFC 8489 section 6.2.1).

use natbed_packet::{Endpoint, Family, IcmpErrorKind, Timestamp};

use crate::ice::event::CheckFailure;

use super::{Agent, Via};

impl Agent {
    /// Takes an ICMP error about a datagram that went from the socket `local` to `remote`. A hard one ends transactions
    /// with a server there and, where [`Config::heed_icmp`](crate::ice::Config::heed_icmp) says so, fails the pair whose
    /// check is under way; all others are ignored.
    pub fn handle_icmp_error(
        &mut self,
        now: Timestamp,
        local: Endpoint,
        remote: Endpoint,
        error: IcmpErrorKind,
    ) {
        if !is_hard(error) {
            return;
        }
        if let Some(base) = self.base_at(local) {
            self.gather_unreachable(base, remote);
            self.fail_unreachable(now, base, remote);
        }
        self.settle(now);
    }

    /// Fails the check from `base` to `remote` that is under way, if ICMP errors are heeded at all.
    pub(super) fn fail_unreachable(&mut self, now: Timestamp, base: usize, remote: Endpoint) {
        if !self.config.heed_icmp || self.bases[base].via == Via::Gone {
            return;
        }
        let concerned = |agent: &Self, place: usize| {
            let check = &agent.session.checks[place];
            let pair = agent.addresses_of(check.pair);
            !check.cancelled && pair.remote == remote && pair.base == agent.bases[base].address
        };
        while let Some(place) = (0..self.session.checks.len()).find(|&place| concerned(self, place)) {
            let check = self.session.checks.swap_remove(place);
            self.fail_check(now, &check, CheckFailure::Unreachable);
        }
    }
}

/// Whether an error says that trying again is of no use: "Destination Unreachable -- codes 2-4 [are] hard error
/// conditions" (RFC 1122 section 4.2.3.9), of which 'too big' has nothing to do with messages as short as these; and the
/// prohibitions that came later (RFC 1812 section 5.2.7.1, RFC 4443 section 3.1).
pub(super) const fn is_hard(error: IcmpErrorKind) -> bool {
    matches!(
        error,
        IcmpErrorKind::PortUnreachable
            | IcmpErrorKind::AdministrativelyProhibited
            | IcmpErrorKind::Other { icmp_type: 3, code: 2 }
    )
}

/// The same of an error by type and code, as a TURN server passes it on (RFC 8656 section 11.6).
pub(super) const fn is_hard_on_the_wire(family: Family, icmp_type: u8, code: u16) -> bool {
    match family {
        Family::V4 => icmp_type == 3 && matches!(code, 2 | 3 | 13),
        Family::V6 => icmp_type == 1 && matches!(code, 1 | 4),
    }
}
