//! The long-term credential mechanism, server side (RFC 8489 section 9.2.4).

use std::net::IpAddr;

use natbed_packet::{Endpoint, Timestamp};

use super::{Rejection, Server, User};
use crate::stun::{AttributeType, Key, Message, PasswordAlgorithm, SecurityFeatures, userhash};
use crate::turn::FiveTuple;
use crate::turn::allocation::UserId;

/// PASSWORD-ALGORITHMS of a server that knows SHA-256: that, and then MD5, without parameters (RFC 8489 section 14.11).
pub(super) const OFFERED: [u8; 8] = [0, 2, 0, 0, 0, 1, 0, 0];

/// The keys of one user.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    md5_sha1: Key,
    md5_sha256: Key,
    sha256_sha256: Key,
}

impl Keys {
    pub(super) fn new(username: &str, realm: &str, password: &str) -> Self {
        let sha256 = |algorithm| Key::long_term_sha256(algorithm, username, realm, password);
        Self {
            md5_sha1: Key::long_term(username, realm, password),
            md5_sha256: sha256(PasswordAlgorithm::Md5),
            sha256_sha256: sha256(PasswordAlgorithm::Sha256),
        }
    }

    fn sha256(&self, algorithm: PasswordAlgorithm) -> &Key {
        match algorithm {
            PasswordAlgorithm::Md5 => &self.md5_sha256,
            PasswordAlgorithm::Sha256 => &self.sha256_sha256,
        }
    }
}

/// Who sent a request, and the PASSWORD-ALGORITHM they chose.
#[derive(Clone, Copy, Debug)]
pub(super) struct Requester {
    pub(super) user: UserId,
    algorithm: Option<PasswordAlgorithm>,
}

impl Server {
    /// Lets `username` in with `password`; a name that is known gets the new password. Only keys are kept (RFC 8656
    /// section 6: "the server MUST NOT store the password explicitly").
    pub fn add_user(&mut self, username: &str, password: &str) {
        let realm = &self.config.realm;
        let keys = Keys::new(username, realm, password);
        if let Some(&UserId(known)) = self.names.get(username) {
            self.users[known as usize].keys = keys;
        } else if let Ok(id) = u32::try_from(self.users.len()) {
            self.hashes.insert(userhash(username, realm), UserId(id));
            self.users.push(User { keys, allocations: 0 });
            self.names.insert(username.to_owned(), UserId(id));
        }
    }

    /// Checks who sent `request`, in the order of RFC 8489 section 9.2.4.
    pub(super) fn authenticate(
        &self,
        now: Timestamp,
        tuple: FiveTuple,
        request: &Message<'_>,
    ) -> Result<Requester, Rejection> {
        if !request.has_integrity() {
            return Err(Rejection::UNAUTHENTICATED);
        }
        let named = request.username().is_some() || request.has(AttributeType::USERHASH);
        let (true, Some(_), Some(nonce)) = (named, request.realm(), request.nonce()) else {
            return Err(Rejection::BAD_REQUEST);
        };
        let algorithm = self.algorithm(request)?;
        let user = self.named(request).ok_or(Rejection::UNAUTHENTICATED)?;
        let keys = &self.user(user).keys;
        let key = match algorithm {
            Some(algorithm) => keys.sha256(algorithm),
            None if request.has(AttributeType::MESSAGE_INTEGRITY_SHA256) => &keys.md5_sha256,
            None => &keys.md5_sha1,
        };
        request.verify_integrity(key).map_err(|_| Rejection::UNAUTHENTICATED)?;
        if self.is_fresh(now, tuple, nonce) {
            Ok(Requester { user, algorithm })
        } else {
            Err(Rejection::STALE_NONCE)
        }
    }

    /// The key that responses to a request are made with: MESSAGE-INTEGRITY-SHA256 "unless the request was processed as
    /// though PASSWORD-ALGORITHM was MD5" for want of it (RFC 8489 section 9.2.4).
    pub(super) fn response_key(&self, requester: Requester) -> &Key {
        let keys = &self.user(requester.user).keys;
        requester.algorithm.map_or(&keys.md5_sha1, |algorithm| keys.sha256(algorithm))
    }

    /// The features that this server's nonces tell of.
    const fn features(&self) -> SecurityFeatures {
        SecurityFeatures { password_algorithms: self.config.sha256, username_anonymity: self.config.sha256 }
    }

    /// What PASSWORD-ALGORITHM says, if the server offers a choice: it must come with the same PASSWORD-ALGORITHMS that
    /// were sent.
    fn algorithm(&self, request: &Message<'_>) -> Result<Option<PasswordAlgorithm>, Rejection> {
        if !self.config.sha256 {
            return Ok(None);
        }
        let offered = request.raw(AttributeType::PASSWORD_ALGORITHMS);
        match (offered, request.has(AttributeType::PASSWORD_ALGORITHM)) {
            (None, false) => Ok(None),
            (Some(offered), true) if offered == OFFERED => {
                let chosen = request.password_algorithm().and_then(PasswordAlgorithm::from_number);
                chosen.map(Some).ok_or(Rejection::BAD_REQUEST)
            }
            _ => Err(Rejection::BAD_REQUEST),
        }
    }

    fn named(&self, request: &Message<'_>) -> Option<UserId> {
        match request.username() {
            Some(username) => self.names.get(username).copied(),
            None => self.hashes.get(request.userhash()?).copied(),
        }
    }

    /// A nonce for one 5-tuple: when it was issued, and a proof that this server did. "The server MUST NOT choose the same
    /// NONCE for two requests unless they have the same source IP address and port" (RFC 8489 section 9.2.4).
    pub(super) fn nonce(&self, issued: Timestamp, tuple: FiveTuple) -> String {
        let issued = issued.as_nanos();
        let proof = self.secret.tag(&[&issued.to_be_bytes(), &octets(tuple.server), &octets(tuple.client.0)]);
        let proof = proof.iter().take(8).fold(0, |number, &octet| number << 8 | u64::from(octet));
        format!("{}{issued:016x}{proof:016x}", self.features().cookie())
    }

    /// Whether this server gave `nonce` to this 5-tuple, and not too long ago.
    fn is_fresh(&self, now: Timestamp, tuple: FiveTuple, nonce: &str) -> bool {
        let rest = nonce.strip_prefix(&self.features().cookie());
        let issued = rest.and_then(|rest| rest.get(..16)).and_then(|hex| u64::from_str_radix(hex, 16).ok());
        let Some(issued) = issued.map(Timestamp::from_nanos) else { return false };
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
