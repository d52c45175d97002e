//! NAT types by name: the four classic ones, the 3 x 3 grid of RFC 4787, boxes that are no NAT, and real devices.

use crate::behavior::{Behavior, Filtering, Kind, Mapping, PortAssignment};

mod device;

pub use device::DEVICES;

/// A NAT type with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preset {
    /// The name.
    pub name: &'static str,
    /// Other names for the same.
    pub aliases: &'static [&'static str],
    /// What it does, in a student's words.
    pub summary: &'static str,
    /// What it does, axis by axis.
    pub behavior: Behavior,
}

/// The four classic types (RFC 3489 section 5), most open first.
pub const CLASSIC: [&str; 4] = ["one-to-one", "address-restricted", "port-restricted", "symmetric"];

/// The grid of mappings and filterings (RFC 4787 sections 4.1 and 5), most open first; all with random ports.
pub const GRID: [&str; 9] =
    ["EIM/EIF", "EIM/ADF", "EIM/APDF", "ADM/EIF", "ADM/ADF", "ADM/APDF", "APDM/EIF", "APDM/ADF", "APDM/APDF"];

/// The boxes that translate no ports.
const OTHER: [&str; 5] = ["none", "static", "firewall", "udp-blocked", "tcp-only"];

/// The preset called `name`, by its name, an alias or a grid code such as `EIM/APDF`; upper and lower case differ.
pub fn lookup(name: &str) -> Option<Preset> {
    grid(name).or_else(|| all().find(|preset| preset.name == name || preset.aliases.contains(&name)))
}

/// Every preset that has a name of its own, in the order in which to list them; grid codes are not among them.
pub fn all() -> impl Iterator<Item = Preset> {
    CLASSIC.iter().chain(&OTHER).map(|name| named(name)).chain(DEVICES.map(device::named))
}

/// Every word that [`lookup`] knows: names, aliases and grid codes.
pub fn all_names() -> Vec<&'static str> {
    let named = all().flat_map(|preset| [preset.name].into_iter().chain(preset.aliases.iter().copied()));
    named.chain(GRID).collect()
}

fn named(name: &'static str) -> Preset {
    let (aliases, summary, behavior): (&'static [&'static str], _, _) = match name {
        "one-to-one" => (
            &["full-cone"],
            "does not check where a packet comes from",
            preserving(Filtering::EndpointIndependent),
        ),
        "address-restricted" => (
            &["restricted-cone"],
            "lets in hosts whose address we have sent to",
            preserving(Filtering::AddressDependent),
        ),
        "port-restricted" => (
            &["port-restricted-cone"],
            "lets in the address and port we have sent to",
            preserving(Filtering::AddressAndPortDependent),
        ),
        "symmetric" => (
            &[],
            "a new port for every destination",
            Behavior { mapping: Mapping::AddressAndPortDependent, ..Behavior::default() },
        ),
        "none" => (&[], "no NAT: packets pass as they are", of_kind(Kind::None)),
        "static" => (
            &[],
            "a public address for every host, ports untouched, everyone let in",
            Behavior { filtering: Filtering::EndpointIndependent, ..of_kind(Kind::Static) },
        ),
        "firewall" => {
            (&[], "translates nothing, lets in the address and port we have sent to", of_kind(Kind::Firewall))
        }
        "udp-blocked" => (&[], "a firewall that lets no UDP through", of_kind(Kind::UdpBlocked)),
        _ => (&[], "a firewall that lets nothing but TCP through", of_kind(Kind::TcpOnly)),
    };
    Preset { name, aliases, summary, behavior }
}

fn preserving(filtering: Filtering) -> Behavior {
    Behavior { filtering, ports: PortAssignment::Preserve, ..Behavior::default() }
}

fn of_kind(kind: Kind) -> Behavior {
    Behavior { kind, ..Behavior::default() }
}

fn grid(code: &str) -> Option<Preset> {
    let name = *GRID.iter().find(|name| **name == code)?;
    let (mapping, filtering) = name.split_once('/')?;
    let mapping = *Mapping::ALL.iter().find(|value| value.code() == mapping)?;
    let filtering = *Filtering::ALL.iter().find(|value| value.code() == filtering)?;
    let behavior = Behavior { mapping, filtering, ..Behavior::default() };
    Some(Preset { name, aliases: &[], summary: summary(mapping, filtering), behavior })
}

const fn summary(mapping: Mapping, filtering: Filtering) -> &'static str {
    use {Filtering as F, Mapping as M};
    match (mapping, filtering) {
        (M::EndpointIndependent, F::EndpointIndependent) => "one port for all, everyone let in",
        (M::EndpointIndependent, F::AddressDependent) => "one port for all, addresses sent to let in",
        (M::EndpointIndependent, F::AddressAndPortDependent) => {
            "one port for all, addresses and ports sent to let in"
        }
        (M::AddressDependent, F::EndpointIndependent) => "a port for each address, everyone let in",
        (M::AddressDependent, F::AddressDependent) => "a port for each address, addresses sent to let in",
        (M::AddressDependent, F::AddressAndPortDependent) => {
            "a port for each address, addresses and ports sent to let in"
        }
        (M::AddressAndPortDependent, F::EndpointIndependent) => {
            "a port for each destination, everyone let in"
        }
        (M::AddressAndPortDependent, F::AddressDependent) => {
            "a port for each destination, addresses sent to let in"
        }
        (M::AddressAndPortDependent, F::AddressAndPortDependent) => {
            "a port for each destination, addresses and ports sent to let in"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_a_valid_preset() {
        for name in all_names() {
            let preset = lookup(name).unwrap_or_else(|| panic!("{name}"));
            assert!(preset.name == name || preset.aliases.contains(&name));
            assert_eq!(preset.behavior.validate(), Ok(()), "{name}");
        }
        assert_eq!(lookup("full-cone"), lookup("one-to-one"));
        assert_eq!(lookup("eim/eif"), None);
        assert_eq!(lookup("EIM/EIF/"), None);
    }

    #[test]
    fn grid_codes_say_what_they_do() {
        for code in GRID {
            let behavior = lookup(code).expect("a grid code").behavior;
            assert_eq!(format!("{}/{}", behavior.mapping.code(), behavior.filtering.code()), code);
            assert_eq!(behavior.ports, PortAssignment::Random);
        }
    }
}
