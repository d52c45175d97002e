//! Requests and what becomes of them.

use std::net::IpAddr;
use std::time::Duration;

use natbed_packet::{Endpoint, Timestamp};

use super::{Client, Credentials, Event, Failure, State};
use crate::Transmit;
use crate::stun::client::MAX_SERVER_ERRORS;
use crate::stun::{
    Attribute, AttributeType, Builder, Class, ErrorCode, Key, Message, Method, PasswordAlgorithm, Schedule,
    SecurityFeatures, TransactionId, userhash,
};
use crate::turn::{SOFTWARE, UDP};

/// "It is suggested that the client refresh the allocation roughly 1 minute before it expires" (RFC 8656 section 8).
const REFRESH_MARGIN: Duration = Duration::from_secs(60);
/// How often a request is sent anew because its nonce was stale, before the server is thought to be making fun.
const MAX_STALE: u8 = 3;
/// "within the last five minutes" (RFC 8489 section 10).
const ASKED_LATELY: Duration = Duration::from_secs(300);
/// How many servers may send the client on to another.
const MAX_SERVERS: usize = 8;

/// A request in flight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) purpose: Purpose,
    /// Whether it was sent with credentials.
    authenticated: bool,
    retries: Retries,
    /// Whether a response was discarded because it was not authentic.
    pub(super) discarded: bool,
}

/// Why a request has been sent before.
#[derive(Clone, Copy, Debug, Default)]
struct Retries {
    /// How many 438 it has met.
    stale: u8,
    /// How many server errors.
    errors: u8,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Allocate,
    Refresh,
    Delete,
    Permission(IpAddr),
    Channel(Endpoint),
}

impl Purpose {
    const fn method(self) -> Method {
        match self {
            Self::Allocate => Method::Allocate,
            Self::Refresh | Self::Delete => Method::Refresh,
            Self::Permission(_) => Method::CreatePermission,
            Self::Channel(_) => Method::ChannelBind,
        }
    }
}

impl Client {
    /// Sends a request, with credentials once there are any.
    pub(super) fn request(&mut self, now: Timestamp, purpose: Purpose) {
        let (id, transmit, request) = self.make(purpose, Retries::default());
        self.transactions.start(now, id, transmit, self.schedule(now), request);
    }

    /// The schedule, with the timeout that earlier transactions suggest if it is longer (RFC 8489 section 6.2.1).
    fn schedule(&self, now: Timestamp) -> Schedule {
        let Schedule { rto, .. } = self.config.schedule;
        Schedule { rto: self.rtos.rto(now, self.config.server.ip, rto), ..self.config.schedule }
    }

    fn make(&mut self, purpose: Purpose, retries: Retries) -> (TransactionId, Transmit, Request) {
        let id = TransactionId::random(&mut self.rng);
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut request = Builder::new(&mut buffer, Class::Request, purpose.method(), id);
        match purpose {
            Purpose::Allocate => {
                request
                    .attribute(Attribute::RequestedTransport(UDP))
                    .attribute(Attribute::RequestedAddressFamily(self.config.family))
                    .attribute(Attribute::Software(SOFTWARE));
            }
            Purpose::Refresh => {
                request.attribute(Attribute::Software(SOFTWARE));
            }
            Purpose::Delete => {
                request.attribute(Attribute::Lifetime(0)).attribute(Attribute::Software(SOFTWARE));
            }
            Purpose::Permission(peer) => {
                request.attribute(Attribute::XorPeerAddress(Endpoint::new(peer, 0)));
            }
            Purpose::Channel(peer) => {
                let number = self.channels.get(&peer).map_or(0, |channel| channel.number);
                request
                    .attribute(Attribute::ChannelNumber(number))
                    .attribute(Attribute::XorPeerAddress(peer));
            }
        }
        if let Some(credentials) = &self.credentials {
            credentials.sign(&self.config.username, &mut request);
        }
        let transmit = Transmit::new(self.config.local, self.config.server, &buffer);
        self.buffer = buffer;
        let authenticated = self.credentials.is_some();
        (id, transmit, Request { purpose, authenticated, retries, discarded: false })
    }

    /// Takes a response (RFC 8489 section 9.2.5); `false` if it is to none of this client's requests.
    pub(super) fn response(&mut self, now: Timestamp, from: Endpoint, message: &Message<'_>) -> bool {
        let Some(request) = self.transactions.find(from, message) else { return false };
        if message.method() != request.purpose.method() {
            return false;
        }
        let answered = *request;
        let error = if message.class() == Class::Error { Some(message.error_code()) } else { None };
        if let Some(Some(error @ ErrorCode { code: 401 | 438, .. })) = error {
            self.challenge(now, answered, message, error);
            return true;
        }
        if !self.is_authentic(answered, message) {
            if let Some(request) = self.transactions.find(from, message) {
                request.discarded = true;
            }
            return true;
        }
        self.complete(now, message);
        match error {
            Some(Some(error)) if is_worth_a_retry(error.code, answered.retries) => {
                self.try_later(now, answered);
            }
            Some(Some(error)) if error.code == 300 && answered.purpose == Purpose::Allocate => {
                self.redirect(now, error, message);
            }
            Some(Some(error)) => self.fail(answered.purpose, rejected(error, message)),
            Some(None) => self.fail(answered.purpose, Failure::Unusable),
            None if !message.unknown_required().is_empty() => {
                self.fail(answered.purpose, Failure::Unusable);
            }
            None => self.succeed(now, answered.purpose, message),
        }
        true
    }

    /// Ends a transaction that was answered, and takes its round trip.
    fn complete(&mut self, now: Timestamp, message: &Message<'_>) {
        let id = message.transaction_id();
        self.rtos.note(now, self.config.server.ip, self.transactions.round_trip(now, id));
        self.transactions.complete(id);
    }

    /// Sends a request that met a server error once more, each time later.
    fn try_later(&mut self, now: Timestamp, Request { purpose, retries, .. }: Request) {
        let schedule = self.schedule(now);
        let at = now + schedule.rto * (1 << retries.errors);
        let (id, transmit, request) = self.make(purpose, Retries { errors: retries.errors + 1, ..retries });
        self.transactions.start_at(at, id, transmit, schedule, request);
    }

    /// Asks the server that ALTERNATE-SERVER names, as the same user, unless it has been asked "within the last five
    /// minutes" (RFC 8489 section 10). Its realm and nonces are its own.
    fn redirect(&mut self, now: Timestamp, error: ErrorCode<'_>, message: &Message<'_>) {
        let asked = |server: Endpoint| {
            self.asked.iter().any(|&(known, at)| known == server && now.since(at) <= ASKED_LATELY)
        };
        let alternate = message.alternate_server().filter(|server| {
            server.family() == self.config.server.family()
                && !asked(*server)
                && self.asked.len() < MAX_SERVERS
                && *server != self.config.server
        });
        let Some(alternate) = alternate else {
            return self.fail(Purpose::Allocate, rejected(error, message));
        };
        self.asked.push((self.config.server, now));
        self.config.server = alternate;
        self.credentials = None;
        self.events.push_back(Event::Redirected { server: alternate });
        self.request(now, Purpose::Allocate);
    }

    /// Whether a response other than 401 and 438 counts: one to a request with credentials must be made with the same
    /// key, and "400 (Bad Request) [that] does not contain either the MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256
    /// attribute [...] MUST be discarded" (RFC 8489 section 9.2.5).
    fn is_authentic(&self, request: Request, message: &Message<'_>) -> bool {
        match &self.credentials {
            _ if is_bid_down(message) => false,
            Some(credentials) if request.authenticated => message.verify_integrity(&credentials.key).is_ok(),
            _ => message.has_integrity() || message.error_code().is_none_or(|error| error.code != 400),
        }
    }

    /// Sends a request that met 401 or 438 once more with what the server wants, unless that is what it had already
    /// (RFC 8489 section 9.2.5).
    fn challenge(&mut self, now: Timestamp, request: Request, message: &Message<'_>, error: ErrorCode<'_>) {
        let (Some(realm), Some(nonce)) = (message.realm(), message.nonce()) else { return };
        let retry = match error.code {
            401 => !request.authenticated,
            _ => request.authenticated && request.retries.stale < MAX_STALE,
        };
        self.complete(now, message);
        if !retry || is_bid_down(message) {
            return self.fail(request.purpose, rejected(error, message));
        }
        let Some(algorithms) = chosen_algorithm(message) else {
            return self.fail(request.purpose, Failure::Unusable);
        };
        self.credentials = Some(Credentials {
            realm: realm.to_owned(),
            nonce: nonce.to_owned(),
            key: self.key(realm, algorithms.as_ref().map(|&(_, algorithm)| algorithm)),
            algorithms,
            anonymous: SecurityFeatures::of(nonce).is_some_and(|features| features.username_anonymity),
        });
        let retries = request.retries;
        let retries = Retries { stale: retries.stale + u8::from(error.code == 438), ..retries };
        let (id, transmit, request) = self.make(request.purpose, retries);
        self.transactions.start(now, id, transmit, self.schedule(now), request);
    }

    /// The key for `realm` and the password algorithm chosen, the one in use if these are the same.
    fn key(&self, realm: &str, algorithm: Option<PasswordAlgorithm>) -> Key {
        let (username, password) = (&self.config.username, &self.config.password);
        match (&self.credentials, algorithm) {
            (Some(known), _)
                if known.realm == realm
                    && known.algorithms.as_ref().map(|&(_, known)| known) == algorithm =>
            {
                known.key.clone()
            }
            (_, Some(algorithm)) => Key::long_term_sha256(algorithm, username, realm, password),
            (_, None) => Key::long_term(username, realm, password),
        }
    }

    fn succeed(&mut self, now: Timestamp, purpose: Purpose, message: &Message<'_>) {
        match purpose {
            Purpose::Allocate => self.allocated(now, message),
            Purpose::Refresh => {
                if let State::Active { refresh, .. } = &mut self.state {
                    *refresh = Some(now + refresh_after(lifetime(message)));
                }
            }
            Purpose::Delete => self.closed(),
            Purpose::Permission(peer) => self.permission_installed(now, peer),
            Purpose::Channel(peer) => self.channel_bound(now, peer),
        }
    }

    /// Takes an Allocate success response (RFC 8656 section 7.3).
    fn allocated(&mut self, now: Timestamp, message: &Message<'_>) {
        let closing = matches!(self.state, State::Allocating { closing: true });
        let relayed = message.xor_relayed_address().filter(|relayed| relayed.family() == self.config.family);
        match (relayed, message.xor_mapped_address()) {
            (Some(relayed), Some(mapped)) if !closing => {
                let lifetime = lifetime(message);
                let refresh = Some(now + refresh_after(lifetime));
                self.state = State::Active { relayed, mapped, refresh };
                self.events.push_back(Event::Allocated { relayed, mapped, lifetime });
                self.ask_for_peers(now);
            }
            _ => {
                if !closing {
                    self.events.push_back(Event::Failed(Failure::Unusable));
                }
                self.state = State::Closing;
                self.request(now, Purpose::Delete);
            }
        }
    }

    /// Takes note that a request has failed. 437 means that "the allocation no longer exists" (RFC 8656 section 5).
    pub(super) fn fail(&mut self, purpose: Purpose, failure: Failure) {
        let gone = matches!(failure, Failure::Rejected { code: 437, .. });
        match purpose {
            Purpose::Delete => self.closed(),
            Purpose::Allocate if matches!(self.state, State::Allocating { closing: true }) => self.closed(),
            Purpose::Permission(peer) if !gone => self.permission_failed(peer, failure),
            Purpose::Channel(peer) if !gone => self.channel_failed(peer, failure),
            _ => {
                self.let_go();
                self.state = State::Over;
                self.events.push_back(Event::Failed(failure));
            }
        }
    }

    fn closed(&mut self) {
        self.let_go();
        self.state = State::Over;
        self.events.push_back(Event::Closed);
    }
}

/// Whether an error may be over soon: "If the error code is 500 through 599, the client MAY resend the request" (RFC 8489
/// section 6.3.4). 508 is not: for want of a port "the client [waits] at least 1 minute" (RFC 8656 section 7.4).
fn is_worth_a_retry(code: u16, retries: Retries) -> bool {
    (500..600).contains(&code) && code != 508 && retries.errors < MAX_SERVER_ERRORS
}

fn rejected(error: ErrorCode<'_>, message: &Message<'_>) -> Failure {
    let alternate = message.alternate_server().filter(|_| error.code == 300);
    Failure::Rejected { code: error.code, reason: error.reason.to_owned(), alternate }
}

/// The lifetime that a response grants.
fn lifetime(message: &Message<'_>) -> Duration {
    Duration::from_secs(message.lifetime().unwrap_or(600).into())
}

/// When to refresh what lasts for `lifetime`; never at once, whatever the server says.
fn refresh_after(lifetime: Duration) -> Duration {
    lifetime.saturating_sub(REFRESH_MARGIN).max(lifetime / 2).max(Duration::from_secs(1))
}

impl Credentials {
    /// Appends what RFC 8489 section 9.2.5 wants in a request that is sent again.
    fn sign(&self, username: &str, request: &mut Builder<'_>) {
        if self.anonymous {
            request.attribute(Attribute::Userhash(&userhash(username, &self.realm)));
        } else {
            request.attribute(Attribute::Username(username));
        }
        request.attribute(Attribute::Realm(&self.realm)).attribute(Attribute::Nonce(&self.nonce));
        if let Some((offered, chosen)) = &self.algorithms {
            request
                .attribute(Attribute::PasswordAlgorithms(offered))
                .attribute(Attribute::PasswordAlgorithm(chosen.number()));
        }
        request.integrity(&self.key);
    }
}

/// PASSWORD-ALGORITHMS of a challenge with "the first algorithm supported on the list", or neither if it has none; `None`
/// if nothing on the list is supported (RFC 8489 section 9.2.5).
#[expect(clippy::option_option, reason = "no list and no algorithm are two things")]
fn chosen_algorithm(challenge: &Message<'_>) -> Option<Option<(Vec<u8>, PasswordAlgorithm)>> {
    let Some(offered) = challenge.raw(AttributeType::PASSWORD_ALGORITHMS) else { return Some(None) };
    let mut rest = offered;
    while let Some((&[high, low, length_high, length_low], behind)) = rest.split_first_chunk::<4>() {
        if let Some(algorithm) = PasswordAlgorithm::from_number(u16::from_be_bytes([high, low])) {
            return Some(Some((offered.to_vec(), algorithm)));
        }
        let parameters = usize::from(u16::from_be_bytes([length_high, length_low])).next_multiple_of(4);
        rest = behind.get(parameters..)?;
    }
    None
}

/// Whether someone may have taken PASSWORD-ALGORITHMS away: the nonce says that the server sent it (RFC 8489 section
/// 9.2.5).
fn is_bid_down(message: &Message<'_>) -> bool {
    let features = message.nonce().and_then(SecurityFeatures::of);
    features.is_some_and(|features| features.password_algorithms)
        && !message.has(AttributeType::PASSWORD_ALGORITHMS)
}
