//! NATs of real devices and services. Where each value comes from stands in `docs/reference/device-presets.md`.

use std::time::Duration;

use super::Preset;
use crate::behavior::{
    Behavior, Filtering, Fragments, Mapping, PortAssignment, PortRange, Refresh, Unsolicited,
};

/// The presets named after devices and services.
pub const DEVICES: [&str; 10] = [
    "linux-masquerade",
    "linux-random-fully",
    "openwrt",
    "openwrt-fullcone",
    "freebsd-pf",
    "aws-nat-gateway",
    "azure-nat-gateway",
    "gcp-cloud-nat",
    "cgnat-fixed",
    "cgnat-mobile",
];

pub(super) fn named(name: &'static str) -> Preset {
    let (aliases, summary, behavior): (&'static [&'static str], _, _) = match name {
        "linux-masquerade" => (
            &["docker"],
            "Linux with an open input chain: one port for all until two want it; an early packet takes it",
            masquerade(),
        ),
        "linux-random-fully" => (
            &[],
            "Linux with random ports: a new port for every destination",
            Behavior { ports: PortAssignment::Random, port_range: UNPRIVILEGED, ..masquerade() },
        ),
        "openwrt" => (
            &[],
            "a Linux router with a firewall: one port for all until two want it",
            Behavior { unsolicited: Unsolicited::Icmp, ..openwrt() },
        ),
        "openwrt-fullcone" => (
            &[],
            "a Linux router with the full-cone module: does not check where a packet comes from",
            Behavior {
                mapping: Mapping::EndpointIndependent,
                filtering: Filtering::EndpointIndependent,
                port_overloading: false,
                unsolicited: Unsolicited::Drop,
                ..openwrt()
            },
        ),
        "freebsd-pf" => (
            &["openbsd-pf", "pfsense"],
            "the BSD packet filter: a new high port for every destination",
            Behavior {
                ports: PortAssignment::Random,
                port_range: PortRange::new(50_001, 65_535),
                fragments: Fragments::Reassemble,
                ..connection_tracking(60, 60)
            },
        ),
        "aws-nat-gateway" => (
            &[],
            "a cloud NAT: a new port for every destination, kept for almost six minutes",
            Behavior {
                fragments: Fragments::InOrder,
                tcp_established: Duration::from_secs(350),
                icmp_timeout: Duration::from_secs(350),
                ..connection_tracking(350, 350)
            },
        ),
        "azure-nat-gateway" => (
            &[],
            "a cloud NAT: a new port for every destination, kept for four minutes",
            Behavior {
                tcp_established: Duration::from_secs(240),
                tcp_transitory: Duration::from_secs(30),
                port_hold: Duration::from_secs(65),
                ..connection_tracking(240, 240)
            },
        ),
        "gcp-cloud-nat" => (
            &[],
            "a cloud NAT: a new port for every destination, out of 64 for each machine",
            Behavior {
                port_block: Some(64),
                tcp_established: Duration::from_secs(1200),
                tcp_transitory: Duration::from_secs(30),
                tcp_closing: Some(Duration::from_secs(120)),
                icmp_timeout: Duration::from_secs(30),
                ..connection_tracking(30, 30)
            },
        ),
        "cgnat-fixed" => (
            &[],
            "a carrier's NAT for homes: one port for all, kept for half a minute",
            Behavior { udp_timeout: Duration::from_secs(35), refresh: Refresh::Both, ..Behavior::default() },
        ),
        _ => (
            &[],
            "a carrier's NAT for phones: a new port for every destination",
            Behavior { port_overloading: false, ..connection_tracking(65, 65) },
        ),
    };
    Preset { name, aliases, summary, behavior }
}

/// The ports that any program may use.
const UNPRIVILEGED: PortRange = PortRange::new(1024, 65_535);

/// A NAT whose unit is the connection: a port for each, drawn at random, and shared between destinations. Lifetimes
/// before and after the first answer, in seconds.
fn connection_tracking(unanswered: u64, answered: u64) -> Behavior {
    Behavior {
        mapping: Mapping::AddressAndPortDependent,
        filtering: Filtering::AddressAndPortDependent,
        ports: PortAssignment::Random,
        port_range: UNPRIVILEGED,
        port_overloading: true,
        udp_timeout_new: (unanswered != answered).then_some(Duration::from_secs(unanswered)),
        udp_timeout: Duration::from_secs(answered),
        refresh: Refresh::Both,
        ..Behavior::default()
    }
}

/// The plain masquerade rule of Linux, on a machine that lets packets in.
fn masquerade() -> Behavior {
    Behavior {
        ports: PortAssignment::Preserve,
        port_range: PortRange::new(1, 65_535),
        fragments: Fragments::Reassemble,
        unsolicited: Unsolicited::CreatesState,
        tcp_established: Duration::from_secs(432_000),
        tcp_transitory: Duration::from_secs(120),
        icmp_timeout: Duration::from_secs(30),
        ..connection_tracking(30, 120)
    }
}

/// The same with the lifetimes that OpenWrt sets.
fn openwrt() -> Behavior {
    Behavior {
        udp_timeout_new: Some(Duration::from_secs(60)),
        udp_timeout: Duration::from_secs(180),
        tcp_established: Duration::from_secs(7440),
        ..masquerade()
    }
}
