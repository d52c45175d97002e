//! The long-term credential mechanism, server side (RFC 8489 section 9.2.4).

use std::net::IpAddr;

use natbed_packet::{Endpoint, Timestamp};

use super::{Rejection, Server};
use crate::stun::Message;
use crate::turn::FiveTuple;
use crate::turn::allocation::UserId;

/// The nonce cookie and 24 security feature bits, none of them set (RFC 8489 section 9.2).
const NONCE_COOKIE: &str = "obMatJos2AAAA";

impl Server {
    /// Checks who sent `request`, in the order of RFC 8489 section 9.2.4.
    pub(super) fn authenticate(
        &self,
        now: Timestamp,
        tuple: FiveTuple,
        request: &Message<'_>,
    ) -> Result<UserId, Rejection> {
        if !request.has_integrity() {
            return Err(Rejection::UNAUTHENTICATED);
        }
        let (Some(username), Some(_), Some(nonce)) = (request.username(), request.realm(), request.nonce())
        else {
            return Err(Rejection::BAD_REQUEST);
        };
        let &user = self.names.get(username).ok_or(Rejection::UNAUTHENTICATED)?;
        request.verify_integrity(&self.user(user).key).map_err(|_| Rejection::UNAUTHENTICATED)?;
        if self.is_fresh(now, tuple, nonce) { Ok(user) } else { Err(Rejection::STALE_NONCE) }
    }

    /// A nonce for one 5-tuple: when it was issued, and a proof that this server did. "The server MUST NOT choose the same
    /// NONCE for two requests unless they have the same source IP address and port" (RFC 8489 section 9.2.4).
    pub(super) fn nonce(&self, issued: Timestamp, tuple: FiveTuple) -> String {
        let issued = issued.as_nanos();
        let proof = self.secret.tag(&[&issued.to_be_bytes(), &octets(tuple.server), &octets(tuple.client.0)]);
        let proof = proof.iter().take(8).fold(0, |number, &octet| number << 8 | u64::from(octet));
        format!("{NONCE_COOKIE}{issued:016x}{proof:016x}")
    }

    /// Whether this server gave `nonce` to this 5-tuple, and not too long ago.
    fn is_fresh(&self, now: Timestamp, tuple: FiveTuple, nonce: &str) -> bool {
        let issued = nonce.strip_prefix(NONCE_COOKIE).and_then(|rest| rest.get(..16));
        let Some(issued) = issued.and_then(|hex| u64::from_str_radix(hex, 16).ok()) else { return false };
        let issued = Timestamp::from_nanos(issued);
        now.since(issued) < self.config.nonce_lifetime && self.nonce(issued, tuple) == nonce
    }
}

/// An endpoint in 18 octets, IPv4 addresses mapped into IPv6.
fn octets(endpoint: Endpoint) -> [u8; 18] {
    let ip = match endpoint.ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    let mut octets = [0; 18];
    octets[..16].copy_from_slice(&ip.octets());
    octets[16..].copy_from_slice(&endpoint.port.to_be_bytes());
    octets
}
