//! Configured against discovered.

use std::time::Duration;

use natbed_nat::behavior::{Behavior, Filtering, Hairpinning, Kind, Mapping};
use natbed_traversal::stun::discovery::{self, Lifetime, Verdict};

use super::{Classified, Configured, Difference};

impl Configured {
    /// What discovery should say of `behavior`.
    pub fn of(behavior: &Behavior) -> Self {
        let permitted = behavior
            .filter_timeout
            .filter(|_| behavior.filtering != Filtering::EndpointIndependent)
            .map_or(behavior.udp_timeout, |filter| filter.min(behavior.udp_timeout));
        let hairpinning = behavior.hairpinning != Hairpinning::Off;
        let passing = Self {
            mapping: Some(Mapping::EndpointIndependent),
            filtering: Some(Filtering::EndpointIndependent),
            lifetime: None,
            hairpinning: None,
        };
        match behavior.kind {
            Kind::Nat => Self {
                mapping: Some(behavior.mapping),
                filtering: Some(behavior.filtering),
                lifetime: Some(permitted),
                hairpinning: Some(hairpinning),
            },
            Kind::Static => Self { hairpinning: Some(hairpinning), ..passing },
            Kind::Firewall => {
                Self { filtering: Some(behavior.filtering), lifetime: Some(permitted), ..passing }
            }
            Kind::None => passing,
            Kind::UdpBlocked | Kind::TcpOnly => {
                Self { mapping: None, filtering: None, lifetime: None, hairpinning: None }
            }
        }
    }
}

impl Classified {
    /// What RFC 5780 found otherwise than configured; empty where discovery is right. Lifetimes are found to the second.
    pub fn differences(&self) -> Vec<Difference> {
        let (configured, found) = (&self.configured, &self.discovered.rfc5780);
        let lifetime = match (configured.lifetime, found.lifetime) {
            (Some(configured), Some(Lifetime::Expires(found))) => {
                configured.abs_diff(found) <= Duration::from_millis(500)
            }
            (Some(configured), Some(Lifetime::Outlasts(limit))) => configured >= limit,
            (None, Some(Lifetime::Outlasts(_)) | None) => true,
            (Some(_), None) | (None, Some(Lifetime::Expires(_))) => false,
        };
        let same = [
            (Difference::Mapping, configured.mapping == found.mapping.map(mapping)),
            (Difference::Filtering, configured.filtering == found.filtering.map(filtering)),
            (Difference::Lifetime, lifetime),
            (Difference::Hairpinning, configured.hairpinning == found.hairpinning),
        ];
        same.iter().filter(|(_, same)| !same).map(|(difference, _)| *difference).collect()
    }

    /// Why a procedure misleads about this NAT, a sentence or two for each that does.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for difference in self.differences() {
            match difference {
                Difference::Mapping if self.behavior.port_overloading => notes.push(
                    "RFC 5780 finds another mapping than configured: with port overloading, sockets share an external \
                     port for all destinations until two of them would clash."
                        .to_owned(),
                ),
                Difference::Hairpinning if self.configured.hairpinning == Some(true) => notes.push(
                    "RFC 5780 sees no hairpinning: the NAT turns packets around, and its own filter drops them."
                        .to_owned(),
                ),
                _ => {}
            }
        }
        notes.extend(self.misleading_verdict());
        notes
    }

    /// Where the old verdict stands for another behaviour than the NAT has.
    pub fn misleading_verdict(&self) -> Option<String> {
        let verdict = self.discovered.rfc3489?;
        let (stands_for, allows) = meaning(verdict)?;
        let (mapping, filtering) = (self.configured.mapping?, self.configured.filtering?);
        if (stands_for, allows) == (mapping, filtering) {
            return None;
        }
        let why = match verdict {
            Verdict::Open | Verdict::FullCone => {
                "its flow chart does not look at the mapping once anyone may send in"
            }
            Verdict::Symmetric if mapping == Mapping::EndpointIndependent => {
                "the response that the filter dropped changed the mapping"
            }
            Verdict::Symmetric => {
                "it has one name for all mappings and filters that depend on the destination"
            }
            Verdict::RestrictedCone | Verdict::PortRestrictedCone if stands_for != mapping => {
                "its requests to two destinations happened to share an external port"
            }
            _ => "it has one name for all filters without a NAT",
        };
        let mut said = Vec::new();
        if stands_for != mapping {
            said.push(format!("{stands_for} mapping, not {mapping}"));
        }
        if allows != filtering {
            said.push(format!("{allows} filtering, not {filtering}"));
        }
        let verdict = verdict.as_str();
        Some(format!("RFC 3489 says {verdict}, which means {}: {why}.", said.join(", and ")))
    }
}

/// What RFC 3489 section 5 means by a verdict, in RFC 4787's terms.
const fn meaning(verdict: Verdict) -> Option<(Mapping, Filtering)> {
    let open = (Mapping::EndpointIndependent, Filtering::EndpointIndependent);
    Some(match verdict {
        Verdict::Open | Verdict::FullCone => open,
        Verdict::RestrictedCone => (open.0, Filtering::AddressDependent),
        Verdict::PortRestrictedCone | Verdict::SymmetricUdpFirewall => {
            (open.0, Filtering::AddressAndPortDependent)
        }
        Verdict::Symmetric => (Mapping::AddressAndPortDependent, Filtering::AddressAndPortDependent),
        Verdict::UdpBlocked => return None,
    })
}

/// The engine's word for a mapping that was found.
pub const fn mapping(found: discovery::Mapping) -> Mapping {
    match found {
        discovery::Mapping::EndpointIndependent => Mapping::EndpointIndependent,
        discovery::Mapping::AddressDependent => Mapping::AddressDependent,
        discovery::Mapping::AddressAndPortDependent => Mapping::AddressAndPortDependent,
    }
}

/// The engine's word for a filtering that was found.
pub const fn filtering(found: discovery::Filtering) -> Filtering {
    match found {
        discovery::Filtering::EndpointIndependent => Filtering::EndpointIndependent,
        discovery::Filtering::AddressDependent => Filtering::AddressDependent,
        discovery::Filtering::AddressAndPortDependent => Filtering::AddressAndPortDependent,
    }
}
