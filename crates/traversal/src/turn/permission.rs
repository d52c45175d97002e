//! Permissions: which peers an allocation is open to (RFC 8656 section 9).

use std::net::IpAddr;
use std::time::Duration;

use natbed_packet::{Family, Timestamp};

use super::small_map::SmallMap;

/// "The Permission Lifetime MUST be 300 seconds" (RFC 8656 section 9).
pub(super) const PERMISSION_LIFETIME: Duration = Duration::from_secs(300);
/// How many permissions an allocation may hold, so that no client can fill the server's memory (RFC 8656 section 10.2:
/// "some capacity limit").
pub(super) const MAX_PERMISSIONS: usize = 1024;

/// The permissions of an allocation, by peer address alone: "only addresses are compared and port numbers are not
/// considered" (RFC 8656 section 9).
#[derive(Clone, Debug, Default)]
pub(super) struct Permissions {
    by_peer: SmallMap<IpAddr, Timestamp>,
}

impl Permissions {
    pub(super) fn contains(&self, peer: IpAddr) -> bool {
        self.by_peer.contains_key(&peer)
    }

    /// Whether there is room for `more` permissions.
    pub(super) fn has_room(&self, more: usize) -> bool {
        self.by_peer.len() + more <= MAX_PERMISSIONS
    }

    /// Installs or refreshes; returns when the permission was to expire before.
    pub(super) fn install(&mut self, peer: IpAddr, expires: Timestamp) -> Option<Timestamp> {
        self.by_peer.insert(peer, expires)
    }

    pub(super) fn remove(&mut self, peer: IpAddr) {
        self.by_peer.remove(&peer);
    }

    /// Removes the permissions of `family`; returns their addresses and expiry times.
    pub(super) fn remove_family(&mut self, family: Family) -> Vec<(IpAddr, Timestamp)> {
        let mut removed = Vec::new();
        self.by_peer.retain(|&peer, &expires| {
            let keep = Family::of(peer) != family;
            if !keep {
                removed.push((peer, expires));
            }
            keep
        });
        removed
    }
}
