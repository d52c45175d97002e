//! Basic NAT (RFC 3022 section 3): an external address for each internal host, no port touched, no table.

use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::HashMap;
use natbed_packet::{Datagram, Family, Icmp, Prefix, Transport, fragment};
use rustc_hash::FxBuildHasher;

use crate::address::Address;
use crate::behavior::{Behavior, Hairpinning};
use crate::engine::ConfigError;
use crate::exempt;
use crate::outcome::{DropReason, Forward, Outcome};
use crate::tcp::Origin;

#[derive(Clone, Debug)]
pub(crate) struct Basic {
    pub(crate) behavior: Arc<Behavior>,
    hosts: Vec<IpAddr>,
    external_of: HashMap<IpAddr, IpAddr, FxBuildHasher>,
    internal_of: HashMap<IpAddr, IpAddr, FxBuildHasher>,
}

impl Basic {
    pub(crate) fn new(
        behavior: Arc<Behavior>,
        external: &[IpAddr],
        internal: &[Prefix],
    ) -> Result<Self, ConfigError> {
        if let Some(prefix) = internal.iter().find(|prefix| prefix.length() != prefix.family().bits()) {
            return Err(ConfigError::NotAHost(*prefix));
        }
        let hosts = internal.iter().map(|prefix| prefix.network()).collect();
        let (external_of, internal_of) = Default::default();
        let mut basic = Self { behavior, hosts, external_of, internal_of };
        basic.set_external(external)?;
        Ok(basic)
    }

    pub(crate) fn set_external(&mut self, external: &[IpAddr]) -> Result<(), ConfigError> {
        if external.len() < self.hosts.len() {
            return Err(ConfigError::TooFewExternal { hosts: self.hosts.len(), external: external.len() });
        }
        let pairs = || self.hosts.iter().copied().zip(external.iter().copied());
        if pairs().any(|(host, ip)| Family::of(host) != Family::of(ip)) {
            return Err(ConfigError::MixedFamilies);
        }
        let mut internal_of = HashMap::default();
        for (host, ip) in pairs() {
            if internal_of.insert(ip, host).is_some() {
                return Err(ConfigError::DuplicateExternal(ip));
            }
        }
        self.external_of = pairs().collect();
        self.internal_of = internal_of;
        Ok(())
    }

    pub(crate) fn outbound(&self, datagram: &mut Datagram) -> Outcome {
        self.send(datagram).unwrap_or_else(|reason| Outcome::Drop(reason.into()))
    }

    pub(crate) fn inbound(&self, datagram: &mut Datagram) -> Outcome {
        match self.receive(datagram) {
            Ok(()) => Outcome::Inside(Forward::default()),
            Err(reason) => Outcome::Drop(reason.into()),
        }
    }

    fn send(&self, datagram: &mut Datagram) -> Result<Outcome, DropReason> {
        check(datagram)?;
        if self.is_exempt(Origin::Inside, datagram) {
            return Ok(Outcome::Outside(Forward::default()));
        }
        let external = *self.external_of.get(&datagram.source).ok_or(DropReason::SourceNotInside)?;
        let hairpin = self.internal_of.get(&datagram.destination).copied();
        match (hairpin, self.behavior.hairpinning) {
            (None, _) => {
                replace_source(datagram, external);
                Ok(Outcome::Outside(Forward::default()))
            }
            (Some(_), Hairpinning::Off) => Err(DropReason::HairpinOff),
            (Some(host), hairpinning) => {
                if hairpinning == Hairpinning::ExternalSource {
                    replace_source(datagram, external);
                }
                replace_destination(datagram, host);
                Ok(Outcome::Inside(Forward::default()))
            }
        }
    }

    fn receive(&self, datagram: &mut Datagram) -> Result<(), DropReason> {
        check(datagram)?;
        let ours = |ip| self.external_of.contains_key(ip) || self.internal_of.contains_key(ip);
        if ours(&datagram.source) {
            return Err(DropReason::SpoofedSource);
        }
        if self.is_exempt(Origin::Outside, datagram) {
            return Ok(());
        }
        let host = *self.internal_of.get(&datagram.destination).ok_or(DropReason::NotForUs)?;
        replace_destination(datagram, host);
        Ok(())
    }
}

impl Basic {
    /// Whether a packet is between the inside and a destination that is exempt from translation.
    fn is_exempt(&self, origin: Origin, datagram: &Datagram) -> bool {
        let Some(ends) = exempt::ends(&self.behavior, origin, datagram) else { return false };
        let ours = |ip| self.external_of.contains_key(ip) || self.internal_of.contains_key(ip);
        let from_inside = origin == Origin::Outside || self.external_of.contains_key(&datagram.source);
        self.external_of.contains_key(&ends.internal) && from_inside && !ours(&ends.remote)
    }
}

fn check(datagram: &Datagram) -> Result<(), DropReason> {
    if Family::of(datagram.source) != datagram.family() {
        return Err(DropReason::WrongFamily);
    }
    if is_martian(datagram.source) || is_martian(datagram.destination) {
        return Err(DropReason::Martian);
    }
    match datagram.transport.ports() {
        Some((0, _) | (_, 0)) => Err(DropReason::ZeroPort),
        _ => Ok(()),
    }
}

fn is_martian(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.to_bits().is_martian(),
        IpAddr::V6(ip) => ip.to_bits().is_martian(),
    }
}

/// Replaces the source, and in an ICMP error the quoted destination with it (RFC 5508 REQ-5).
fn replace_source(datagram: &mut Datagram, external: IpAddr) {
    let internal = datagram.source;
    let destination = datagram.destination;
    fragment::set_addresses(datagram, external, destination);
    if let Transport::Icmp(Icmp::Error(error)) = &mut datagram.transport
        && error.quoted.destination == internal
    {
        error.quoted.destination = external;
    }
}

/// Replaces the destination, and in an ICMP error the quoted source with it (RFC 5508 REQ-4).
fn replace_destination(datagram: &mut Datagram, internal: IpAddr) {
    let external = datagram.destination;
    let source = datagram.source;
    fragment::set_addresses(datagram, source, internal);
    if let Transport::Icmp(Icmp::Error(error)) = &mut datagram.transport
        && error.quoted.source == external
    {
        error.quoted.source = internal;
    }
}
