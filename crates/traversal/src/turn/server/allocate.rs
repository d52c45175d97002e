//! Allocate and Refresh (RFC 8656 sections 7.2 and 8.2).

use std::time::Duration;

use natbed_packet::{Endpoint, Family, Timestamp};
use rand::Rng;

use super::{AllocationId, Effect, Rejection, Reservation, Server, Success, Timer};
use crate::stun::{Attribute, AttributeType, Message};
use crate::turn::allocation::{Allocation, Relay, UserId};
use crate::turn::ports::Want;
use crate::turn::{FiveTuple, RelayedAddress, UDP, index};

/// "the default lifetime value of 600 seconds (10 minutes)" (RFC 8656 section 6).
const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);
/// "The server MUST hold this reservation for at least 30 seconds" (RFC 8656 section 7.2).
const RESERVATION_LIFETIME: Duration = Duration::from_secs(30);

/// The relayed address that an Allocate request asks for.
enum Wanted {
    /// The port reserved under a token.
    Reserved([u8; 8]),
    /// A port of one family.
    One(Family, Want),
    /// A port of each family.
    Both(Want),
}

/// The relayed addresses that a request gets.
#[derive(Default)]
struct Granted {
    addresses: Vec<RelayedAddress>,
    reservation: Option<[u8; 8]>,
    refused: Option<(Family, u16)>,
}

impl Server {
    /// Carries out an Allocate request, with the checks in the order of RFC 8656 section 7.2.
    pub(super) fn allocate(
        &mut self,
        now: Timestamp,
        tuple: FiveTuple,
        user: UserId,
        request: &Message<'_>,
    ) -> Result<Success, Rejection> {
        if let Some(&id) = self.by_tuple.get(&tuple) {
            let allocation = self.allocation(id);
            let again = allocation.created_by == request.transaction_id() && allocation.user == user;
            return if again { Ok(Success::Allocated(id)) } else { Err(Rejection::ALLOCATION_MISMATCH) };
        }
        let own = tuple.server.family();
        if self.config.alternates.iter().any(|other| other.family() == own) {
            return Err(Rejection::TryAlternate(own));
        }
        match request.requested_transport() {
            Some(UDP) => {}
            Some(_) => return Err(Rejection::UNSUPPORTED_TRANSPORT),
            None => return Err(Rejection::BAD_REQUEST),
        }
        let wanted = self.wanted(request)?;
        if self.user(user).allocations >= self.config.quota {
            return Err(Rejection::QUOTA_REACHED);
        }
        let granted = self.grant(now, &wanted)?;
        let expires = now + self.lifetime(request.lifetime());
        let mut allocation = Allocation::new(tuple, user, request.transaction_id());
        allocation.reservation = granted.reservation;
        allocation.refused = granted.refused;
        for &address in &granted.addresses {
            allocation.set_relay(address.0.family(), Some(Relay { address, expires }));
        }
        Ok(Success::Allocated(self.insert(allocation)))
    }

    /// Carries out a Refresh request (RFC 8656 section 8.2).
    pub(super) fn refresh(
        &mut self,
        now: Timestamp,
        id: AllocationId,
        request: &Message<'_>,
    ) -> Result<Success, Rejection> {
        let mut families = self.allocation(id).families();
        if request.has(AttributeType::REQUESTED_ADDRESS_FAMILY) {
            let requested = request.requested_address_family();
            families.retain(|&family| Some(family) == requested);
            if families.is_empty() {
                return Err(Rejection::PEER_FAMILY_MISMATCH);
            }
        }
        if request.lifetime() == Some(0) {
            for family in families {
                self.stop_relay(id, family);
            }
            return Ok(Success::Refreshed(Duration::ZERO));
        }
        let lifetime = self.lifetime(request.lifetime());
        for family in families {
            if let Some(relay) = self.allocation(id).relay(family) {
                let expires = now + lifetime;
                self.allocation_mut(id).set_relay(family, Some(Relay { expires, ..relay }));
                self.set_timer(Timer::Relay(id, family), Some(relay.expires), expires);
            }
        }
        Ok(Success::Refreshed(lifetime))
    }

    /// What is asked for (RFC 8656 section 7.2, checks 5 to 9).
    fn wanted(&self, request: &Message<'_>) -> Result<Wanted, Rejection> {
        let even_port = request.attribute(AttributeType::EVEN_PORT);
        let requested = request.has(AttributeType::REQUESTED_ADDRESS_FAMILY);
        let additional = request.has(AttributeType::ADDITIONAL_ADDRESS_FAMILY);
        if request.has(AttributeType::RESERVATION_TOKEN) {
            let token = request.reservation_token().ok_or(Rejection::BAD_REQUEST)?;
            let conflict = request.has(AttributeType::EVEN_PORT) || requested || additional;
            return if conflict { Err(Rejection::BAD_REQUEST) } else { Ok(Wanted::Reserved(token)) };
        }
        if requested && additional {
            return Err(Rejection::BAD_REQUEST);
        }
        let family = match request.requested_address_family() {
            None if requested => return Err(Rejection::FAMILY_NOT_SUPPORTED),
            None => Family::V4,
            Some(family) => family,
        };
        if self.config.relay_address(family).is_none() {
            return Err(Rejection::FAMILY_NOT_SUPPORTED);
        }
        let want = match even_port {
            Some(Attribute::EvenPort { reserve: true }) if additional => return Err(Rejection::BAD_REQUEST),
            Some(Attribute::EvenPort { reserve: true }) => Want::EvenPair,
            Some(_) => Want::Even,
            None if request.has(AttributeType::EVEN_PORT) => return Err(Rejection::BAD_REQUEST),
            None => Want::Any,
        };
        match request.additional_address_family() {
            None if additional => Err(Rejection::BAD_REQUEST),
            None => Ok(Wanted::One(family, want)),
            Some(Family::V4) => Err(Rejection::BAD_REQUEST),
            Some(Family::V6) => Ok(Wanted::Both(want)),
        }
    }

    fn grant(&mut self, now: Timestamp, wanted: &Wanted) -> Result<Granted, Rejection> {
        match *wanted {
            Wanted::Reserved(token) => {
                let reservation = self.reservations.remove(&token).ok_or(Rejection::INSUFFICIENT_CAPACITY)?;
                self.timers.remove(&(reservation.expires, Timer::Reservation(token)));
                Ok(Granted { addresses: vec![reservation.address], ..Granted::default() })
            }
            Wanted::One(family, want) => {
                let address = self.take(family, want)?;
                let reservation = (want == Want::EvenPair).then(|| self.reserve_next(now, address));
                Ok(Granted { addresses: vec![address], reservation, refused: None })
            }
            Wanted::Both(want) => {
                let mut granted = Granted::default();
                for family in [Family::V4, Family::V6] {
                    match self.take(family, want) {
                        Ok(address) => granted.addresses.push(address),
                        Err(rejection) => granted.refused = Some((family, rejection.code())),
                    }
                }
                if granted.addresses.is_empty() { Err(Rejection::INSUFFICIENT_CAPACITY) } else { Ok(granted) }
            }
        }
    }

    fn take(&mut self, family: Family, want: Want) -> Result<RelayedAddress, Rejection> {
        let ip = self.config.relay_address(family).ok_or(Rejection::FAMILY_NOT_SUPPORTED)?;
        let port = self.ports[index(family)].take(want, &mut self.rng);
        port.map(|port| RelayedAddress(Endpoint::new(ip, port))).ok_or(Rejection::INSUFFICIENT_CAPACITY)
    }

    /// Holds the port after `address`, which was taken together with it.
    fn reserve_next(&mut self, now: Timestamp, RelayedAddress(address): RelayedAddress) -> [u8; 8] {
        let mut token = [0; 8];
        self.rng.fill_bytes(&mut token);
        let next = RelayedAddress(Endpoint::new(address.ip, address.port + 1));
        let expires = now + RESERVATION_LIFETIME;
        self.reservations.insert(token, Reservation { address: next, expires });
        self.timers.insert((expires, Timer::Reservation(token)));
        token
    }

    /// The lifetime that a request for so many seconds gets (RFC 8656 section 7.2).
    fn lifetime(&self, requested: Option<u32>) -> Duration {
        let requested = requested.map_or(Duration::ZERO, |seconds| Duration::from_secs(seconds.into()));
        requested.min(self.config.max_lifetime).max(DEFAULT_LIFETIME)
    }

    fn insert(&mut self, allocation: Allocation) -> AllocationId {
        let id = self.vacant.pop().unwrap_or_else(|| {
            self.allocations.push(None);
            u32::try_from(self.allocations.len() - 1).expect("every allocation holds one of 32 768 ports")
        });
        self.by_tuple.insert(allocation.tuple, id);
        self.user_mut(allocation.user).allocations += 1;
        for relay in allocation.relays() {
            self.by_relayed.insert(relay.address, id);
            self.timers.insert((relay.expires, Timer::Relay(id, relay.address.0.family())));
            self.effects.push_back(Effect::Bind(relay.address));
        }
        self.allocations[id as usize] = Some(allocation);
        id
    }

    /// Deletes a relayed address before its time.
    fn stop_relay(&mut self, id: AllocationId, family: Family) {
        if let Some(relay) = self.allocation(id).relay(family) {
            self.timers.remove(&(relay.expires, Timer::Relay(id, family)));
            self.remove_relay(id, family);
        }
    }

    /// Deletes a relayed address whose timer is gone, its permissions and channels, and with the last one the allocation.
    /// Those of the other family stay (RFC 8656 section 8.1).
    pub(super) fn remove_relay(&mut self, id: AllocationId, family: Family) {
        let allocation = self.allocation_mut(id);
        let relay = allocation.set_relay(family, None);
        let permissions = allocation.permissions.remove_family(family);
        let channels = allocation.channels.remove_family(family);
        let (tuple, user, last) = (allocation.tuple, allocation.user, allocation.families().is_empty());
        for (peer, expires) in permissions {
            self.timers.remove(&(expires, Timer::Permission(id, peer)));
        }
        for (number, expires) in channels {
            self.timers.remove(&(expires, Timer::Channel(id, number)));
        }
        if let Some(relay) = relay {
            self.by_relayed.remove(&relay.address);
            self.give_back(relay.address);
            self.effects.push_back(Effect::Unbind(relay.address));
        }
        if last {
            self.by_tuple.remove(&tuple);
            self.user_mut(user).allocations -= 1;
            self.allocations[id as usize] = None;
            self.vacant.push(id);
        }
    }
}
