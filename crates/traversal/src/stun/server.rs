//! The Binding server, with behaviour discovery where it has a second address (RFC 8489 section 12, RFC 5780).

use bytes::Bytes;
use natbed_packet::Endpoint;
use thiserror::Error;

use super::message::Message;
use super::{Attribute, AttributeType, Builder, Class, ErrorCode, Method};
use crate::Transmit;

/// "The server SHOULD use a length of PADDING equal to the MTU on the outgoing interface" (RFC 5780 section 6.1).
const PADDING: [u8; 1500] = [0; 1500];

/// A Binding server. It keeps no state: every request is answered from what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindingServer {
    primary: Endpoint,
    alternate: Option<Endpoint>,
}

/// Two endpoints that do not make a server with an alternate address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "{alternate} is no alternate for {primary}: both address and port must differ, and the family be the same"
)]
pub struct AlternateError {
    primary: Endpoint,
    alternate: Endpoint,
}

/// Why a request is not answered with success.
enum Rejection {
    BadRequest,
    UnknownAttributes(Vec<AttributeType>),
}

impl BindingServer {
    /// A server with one address, which rejects CHANGE-REQUEST (RFC 5780 section 6).
    pub const fn new(address: Endpoint) -> Self {
        Self { primary: address, alternate: None }
    }

    /// A server that listens on both ports of both addresses (RFC 5780 section 6).
    ///
    /// # Errors
    ///
    /// When the endpoints share address or port, or are not of one family.
    pub fn with_alternate(primary: Endpoint, alternate: Endpoint) -> Result<Self, AlternateError> {
        let differ = primary.ip != alternate.ip && primary.port != alternate.port;
        if !differ || primary.family() != alternate.family() {
            return Err(AlternateError { primary, alternate });
        }
        Ok(Self { primary, alternate: Some(alternate) })
    }

    /// Where the server listens: at one endpoint, or at four.
    pub fn endpoints(&self) -> impl Iterator<Item = Endpoint> + use<> {
        let primary = self.primary;
        let others = self.alternate.map(|alternate| {
            [Endpoint::new(primary.ip, alternate.port), Endpoint::new(alternate.ip, primary.port), alternate]
        });
        std::iter::once(primary).chain(others.into_iter().flatten())
    }

    /// The response to a datagram that came from `remote` to `local`, one of [`endpoints`](Self::endpoints); `None` for
    /// all but Binding requests.
    pub fn handle(&self, local: Endpoint, remote: Endpoint, bytes: &[u8]) -> Option<Transmit> {
        let request = Message::parse(bytes).ok()?;
        if request.class() != Class::Request || request.method() != Method::Binding {
            return None;
        }
        let fingerprint = request.has(AttributeType::FINGERPRINT);
        if fingerprint && !request.verify_fingerprint() {
            return None;
        }
        let mut buffer = Vec::with_capacity(128);
        let (from, to) = match self.plan(local, remote, &request) {
            Ok(plan) => {
                let other = self.other(local);
                write_success(&mut buffer, &request, &plan, remote, other);
                (plan.from, plan.to)
            }
            Err(rejection) => {
                write_error(&mut buffer, &request, &rejection);
                (local, remote)
            }
        };
        if fingerprint {
            Builder::resume(&mut buffer).fingerprint();
        }
        Some(Transmit { from, to, payload: Bytes::from(buffer) })
    }

    /// Where the response goes from and to, and whether it is padded (RFC 5780 section 6.1).
    fn plan(&self, local: Endpoint, remote: Endpoint, request: &Message<'_>) -> Result<Plan, Rejection> {
        let mut unknown = request.unknown_required();
        let other = self.other(local);
        if other.is_none() && request.has(AttributeType::CHANGE_REQUEST) {
            unknown.push(AttributeType::CHANGE_REQUEST);
        }
        if !unknown.is_empty() {
            return Err(Rejection::UnknownAttributes(unknown));
        }
        let padded = request.has(AttributeType::PADDING);
        let mut plan = Plan { from: local, to: remote, padded };
        if request.has(AttributeType::RESPONSE_PORT) {
            plan.to.port = request.response_port().ok_or(Rejection::BadRequest)?;
            if padded {
                return Err(Rejection::BadRequest);
            }
        }
        let change = request.has(AttributeType::CHANGE_REQUEST);
        if let Some(other) = other.filter(|_| change) {
            let Some(Attribute::ChangeRequest { ip, port }) =
                request.attribute(AttributeType::CHANGE_REQUEST)
            else {
                return Err(Rejection::BadRequest);
            };
            let ip = if ip { other.ip } else { local.ip };
            plan.from = Endpoint::new(ip, if port { other.port } else { local.port });
        }
        Ok(plan)
    }

    /// Ca:Cp, the endpoint that differs from `local` in address and port (RFC 5780 section 6.1).
    fn other(&self, local: Endpoint) -> Option<Endpoint> {
        let alternate = self.alternate?;
        let ip = if local.ip == self.primary.ip { alternate.ip } else { self.primary.ip };
        let port = if local.port == self.primary.port { alternate.port } else { self.primary.port };
        Some(Endpoint::new(ip, port))
    }
}

struct Plan {
    from: Endpoint,
    to: Endpoint,
    padded: bool,
}

fn write_success(
    buffer: &mut Vec<u8>,
    request: &Message<'_>,
    plan: &Plan,
    mapped: Endpoint,
    other: Option<Endpoint>,
) {
    let mut response = Builder::new(buffer, Class::Success, Method::Binding, request.transaction_id());
    response
        .attribute(Attribute::XorMappedAddress(mapped))
        .attribute(Attribute::MappedAddress(mapped))
        .attribute(Attribute::ResponseOrigin(plan.from));
    if let Some(other) = other {
        response.attribute(Attribute::OtherAddress(other));
    }
    if plan.padded {
        response.attribute(Attribute::Padding(&PADDING));
    }
}

fn write_error(buffer: &mut Vec<u8>, request: &Message<'_>, rejection: &Rejection) {
    let mut response = Builder::new(buffer, Class::Error, Method::Binding, request.transaction_id());
    match rejection {
        Rejection::BadRequest => {
            response.attribute(Attribute::ErrorCode(ErrorCode { code: 400, reason: "Bad Request" }));
        }
        Rejection::UnknownAttributes(unknown) => {
            response
                .attribute(Attribute::ErrorCode(ErrorCode { code: 420, reason: "Unknown Attribute" }))
                .unknown_attributes(unknown);
        }
    }
}

#[cfg(test)]
mod tests;
