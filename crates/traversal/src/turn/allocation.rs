//! The server's state for one allocation (RFC 8656 section 6).

use natbed_packet::{Family, Timestamp};

use super::channel::Channels;
use super::permission::Permissions;
use super::{FiveTuple, RelayedAddress, index};
use crate::stun::TransactionId;

/// The place of a user in the server's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UserId(pub(super) u32);

/// "An allocation conceptually consists of the following state data" (RFC 8656 section 6).
#[derive(Clone, Debug)]
pub(super) struct Allocation {
    pub(super) tuple: FiveTuple,
    /// Who made it; only they may use it.
    pub(super) user: UserId,
    /// The Allocate request that made it, to know it when it is retransmitted.
    pub(super) created_by: TransactionId,
    /// The token that the success response carried.
    pub(super) reservation: Option<[u8; 8]>,
    /// The family that was asked for in addition and not granted, and the error code.
    pub(super) refused: Option<(Family, u16)>,
    relays: [Option<Relay>; 2],
    pub(super) permissions: Permissions,
    pub(super) channels: Channels,
}

/// A relayed transport address and its time-to-expiry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Relay {
    pub(super) address: RelayedAddress,
    pub(super) expires: Timestamp,
}

impl Allocation {
    pub(super) fn new(tuple: FiveTuple, user: UserId, created_by: TransactionId) -> Self {
        Self {
            tuple,
            user,
            created_by,
            reservation: None,
            refused: None,
            relays: [None; 2],
            permissions: Permissions::default(),
            channels: Channels::default(),
        }
    }

    pub(super) fn relay(&self, family: Family) -> Option<Relay> {
        self.relays[index(family)]
    }

    /// Sets the relay of a family; returns the one before.
    pub(super) fn set_relay(&mut self, family: Family, relay: Option<Relay>) -> Option<Relay> {
        std::mem::replace(&mut self.relays[index(family)], relay)
    }

    /// The relays there are, IPv4 first.
    pub(super) fn relays(&self) -> impl Iterator<Item = Relay> + '_ {
        self.relays.iter().flatten().copied()
    }

    pub(super) fn families(&self) -> Vec<Family> {
        self.relays().map(|relay| relay.address.0.family()).collect()
    }
}
