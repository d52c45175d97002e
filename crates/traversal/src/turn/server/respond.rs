//! Responses.

use std::time::Duration;

use bytes::Bytes;
use natbed_packet::{Endpoint, Family, Timestamp};

use super::auth::{OFFERED, Requester};
use super::{AllocationId, Effect, Server};
use crate::stun::{Attribute, AttributeType, Builder, Class, ErrorCode, Message, Method};
use crate::turn::{FiveTuple, SOFTWARE};

/// What a request has achieved, as far as the response tells.
pub(super) enum Success {
    /// There is an allocation.
    Allocated(AllocationId),
    /// The allocation lasts so much longer.
    Refreshed(Duration),
    /// Nothing to tell.
    Done,
}

/// Why a request is rejected.
#[derive(Debug)]
pub(super) enum Rejection {
    /// With a code alone.
    Code(u16),
    /// With REALM and a new NONCE.
    Challenge(u16),
    /// 300, with the servers to try instead, that of this family first.
    TryAlternate(Family),
    /// 420, with the attributes that were not understood.
    UnknownAttributes(Vec<AttributeType>),
}

impl Rejection {
    pub(super) const BAD_REQUEST: Self = Self::Code(400);
    pub(super) const UNAUTHENTICATED: Self = Self::Challenge(401);
    pub(super) const FORBIDDEN: Self = Self::Code(403);
    pub(super) const ALLOCATION_MISMATCH: Self = Self::Code(437);
    pub(super) const STALE_NONCE: Self = Self::Challenge(438);
    pub(super) const FAMILY_NOT_SUPPORTED: Self = Self::Code(440);
    pub(super) const WRONG_CREDENTIALS: Self = Self::Code(441);
    pub(super) const UNSUPPORTED_TRANSPORT: Self = Self::Code(442);
    pub(super) const PEER_FAMILY_MISMATCH: Self = Self::Code(443);
    pub(super) const QUOTA_REACHED: Self = Self::Code(486);
    pub(super) const INSUFFICIENT_CAPACITY: Self = Self::Code(508);

    pub(super) const fn code(&self) -> u16 {
        match self {
            Self::Code(code) | Self::Challenge(code) => *code,
            Self::TryAlternate(_) => 300,
            Self::UnknownAttributes(_) => 420,
        }
    }
}

/// An error code with the reason phrase of RFC 8489 section 14.8 or RFC 8656 section 19.
const fn error(code: u16) -> ErrorCode<'static> {
    let reason = match code {
        300 => "Try Alternate",
        400 => "Bad Request",
        401 => "Unauthenticated",
        403 => "Forbidden",
        420 => "Unknown Attribute",
        437 => "Allocation Mismatch",
        438 => "Stale Nonce",
        440 => "Address Family not Supported",
        441 => "Wrong Credentials",
        442 => "Unsupported Transport Protocol",
        443 => "Peer Address Family Mismatch",
        486 => "Allocation Quota Reached",
        _ => "Insufficient Capacity",
    };
    ErrorCode { code, reason }
}

impl Server {
    pub(super) fn succeed(
        &mut self,
        now: Timestamp,
        tuple: FiveTuple,
        request: &Message<'_>,
        requester: Requester,
        success: &Success,
    ) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut response =
            Builder::new(&mut buffer, Class::Success, request.method(), request.transaction_id());
        match *success {
            Success::Allocated(id) => self.write_allocation(now, id, &mut response),
            Success::Refreshed(lifetime) => {
                response.attribute(Attribute::Lifetime(seconds(lifetime)));
            }
            Success::Done => {}
        }
        self.finish(tuple, request, Some(requester), buffer);
    }

    pub(super) fn reject(
        &mut self,
        now: Timestamp,
        tuple: FiveTuple,
        request: &Message<'_>,
        requester: Option<Requester>,
        rejection: &Rejection,
    ) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut response =
            Builder::new(&mut buffer, Class::Error, request.method(), request.transaction_id());
        response.attribute(Attribute::ErrorCode(error(rejection.code())));
        match rejection {
            Rejection::Code(_) => {}
            Rejection::Challenge(_) => {
                let nonce = self.nonce(now, tuple);
                response.attribute(Attribute::Realm(&self.config.realm)).attribute(Attribute::Nonce(&nonce));
                if self.config.sha256 {
                    response.attribute(Attribute::PasswordAlgorithms(&OFFERED));
                }
            }
            // "The server MUST include at least one ALTERNATE-SERVER attribute [...] of the same address family as the
            // source IP address of the request [and] SHOULD include an additional ALTERNATE-SERVER attribute, after the
            // mandatory one, [of the other]" (RFC 8489 section 10).
            &Rejection::TryAlternate(family) => {
                let (same, other): (Vec<Endpoint>, Vec<Endpoint>) =
                    self.config.alternates.iter().copied().partition(|server| server.family() == family);
                for server in same.into_iter().take(1).chain(other.into_iter().take(1)) {
                    response.attribute(Attribute::AlternateServer(server));
                }
            }
            Rejection::UnknownAttributes(unknown) => {
                response.unknown_attributes(unknown);
            }
        }
        self.finish(tuple, request, requester, buffer);
    }

    /// What an Allocate success response contains (RFC 8656 section 7.2).
    fn write_allocation(&self, now: Timestamp, id: AllocationId, response: &mut Builder<'_>) {
        let allocation = self.allocation(id);
        for relay in allocation.relays() {
            response.attribute(Attribute::XorRelayedAddress(relay.address.0));
        }
        let expires = allocation.relays().map(|relay| relay.expires).min().unwrap_or(now);
        response
            .attribute(Attribute::Lifetime(seconds(expires.since(now))))
            .attribute(Attribute::XorMappedAddress(allocation.tuple.client.0));
        if let Some(token) = allocation.reservation {
            response.attribute(Attribute::ReservationToken(token));
        }
        if let Some((family, code)) = allocation.refused {
            response.attribute(Attribute::AddressErrorCode(family, error(code)));
        }
    }

    /// Signs, and sends the response on the 5-tuple.
    fn finish(
        &mut self,
        tuple: FiveTuple,
        request: &Message<'_>,
        requester: Option<Requester>,
        mut buffer: Vec<u8>,
    ) {
        let mut response = Builder::resume(&mut buffer);
        if matches!(request.method(), Method::Allocate | Method::Refresh) {
            response.attribute(Attribute::Software(SOFTWARE));
        }
        if let Some(requester) = requester {
            response.integrity(self.response_key(requester));
        }
        if request.has(AttributeType::FINGERPRINT) {
            response.fingerprint();
        }
        let payload = Bytes::copy_from_slice(&buffer);
        self.buffer = buffer;
        self.effects.push_back(Effect::ToClient { from: tuple.server, to: tuple.client, payload });
    }
}

/// Whole seconds for LIFETIME.
fn seconds(lifetime: Duration) -> u32 {
    u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX)
}
