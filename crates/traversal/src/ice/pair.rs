//! Candidate pairs.

use std::fmt;

use natbed_packet::{Endpoint, Timestamp};

use super::candidate::Foundation;
use super::config::Role;

/// The two addresses that a pair's checks go between, as this agent sees them. They name the pair: its local candidate
/// is always a base, so no two pairs of a check list share them (RFC 8445 section 6.1.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PairAddresses {
    /// The base: a host candidate's or a relayed candidate's address.
    pub base: Endpoint,
    /// The remote candidate's address.
    pub remote: Endpoint,
}

impl fmt::Display for PairAddresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.base, self.remote)
    }
}

/// The state of a candidate pair (RFC 8445 section 6.1.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PairState {
    /// Not checked until a pair with the same foundation succeeds.
    Frozen,
    /// To be checked.
    Waiting,
    /// A check is under way.
    InProgress,
    /// A check succeeded.
    Succeeded,
    /// A check failed.
    Failed,
}

impl PairState {
    /// Whether a first success may still come.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Frozen | Self::Waiting | Self::InProgress)
    }
}

impl fmt::Display for PairState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Frozen => "frozen",
            Self::Waiting => "waiting",
            Self::InProgress => "in-progress",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        })
    }
}

/// The priority of a pair, from those of its candidates and the agent's role (RFC 8445 section 6.1.2.3).
pub const fn pair_priority(role: Role, local: u32, remote: u32) -> u64 {
    let (g, d) = match role {
        Role::Controlling => (local, remote),
        Role::Controlled => (remote, local),
    };
    let (low, high) = if g < d { (g, d) } else { (d, g) };
    ((low as u64) << 32) + 2 * (high as u64) + (g > d) as u64
}

/// A pair of the check list. `base` and `remote` are places in the agent's lists.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) base: usize,
    pub(crate) remote: usize,
    pub(crate) priority: u64,
    pub(crate) state: PairState,
    pub(crate) foundation: (Foundation, Foundation),
    /// Requests sent, retransmissions included.
    pub(crate) tries: u32,
    /// When the first of them was sent.
    pub(crate) first_try: Option<Timestamp>,
    /// When the third of them was sent.
    pub(crate) third_try: Option<Timestamp>,
    /// Whether it stands in the triggered-check queue.
    pub(crate) queued: bool,
    /// Whether the controlling peer nominated it before it was valid (RFC 8445 section 7.3.1.5).
    pub(crate) nominated_by_peer: bool,
}

impl Pair {
    pub(crate) fn note_try(&mut self, now: Timestamp) {
        self.tries += 1;
        self.first_try.get_or_insert(now);
        if self.tries == 3 {
            self.third_try = Some(now);
        }
    }

    /// Counts tries from none again.
    pub(crate) const fn forget_tries(&mut self) {
        self.tries = 0;
        self.third_try = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8445_6_1_2_3_priority_of_a_pair_by_the_formula() {
        let (host, reflexive) = (2_130_706_431, 1_694_498_815);
        // 2^32 * MIN(G, D) + 2 * MAX(G, D) + (G > D ? 1 : 0): G is the controlling agent's.
        assert_eq!(pair_priority(Role::Controlling, host, reflexive), 7_277_816_997_797_167_103);
        assert_eq!(pair_priority(Role::Controlling, reflexive, host), 7_277_816_997_797_167_102);
        assert_eq!(pair_priority(Role::Controlling, host, host), 9_151_314_442_783_293_438);
        assert_eq!(pair_priority(Role::Controlling, 1, 2), (1 << 32) + 4);
        let most = 0x7FFF_FFFF;
        assert_eq!(pair_priority(Role::Controlling, most, most), (1 << 63) - 2);
        // Both agents come to the same value.
        for (one, other) in [(host, reflexive), (reflexive, host), (host, host), (1, most)] {
            assert_eq!(
                pair_priority(Role::Controlling, one, other),
                pair_priority(Role::Controlled, other, one)
            );
        }
    }
}
