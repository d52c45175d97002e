//! Boxes that do not rewrite ports: static NATs, firewalls, and IPv6.

use natbed_nat::DropReason::{Filtered, UdpBlocked};
use natbed_net::DropReason;

use super::*;

#[test]
fn a_static_nat_gives_each_host_its_own_address_and_keeps_ports() {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let lan = subnet(&mut topology, "192.168.1.0/24", "192.168.1.1");
    let outside = [ip("203.0.113.1"), ip("203.0.113.2")];
    let node = topology.add_nat("cloud", internet, &outside, &[lan], LinkConfig::default());
    topology.set_behavior(node, nat_type("static"));
    topology.set_one_to_one(node, &[(ip("192.168.1.10"), outside[0]), (ip("192.168.1.11"), outside[1])]);
    let hosts = ["192.168.1.10", "192.168.1.11"].map(|address| host(&mut topology, lan, address));
    let server = host(&mut topology, internet, "198.51.100.9");
    let mut network = build(&topology);
    let alice = listen(&mut network, hosts[0], HOST);
    let bob = listen(&mut network, hosts[1], "192.168.1.11:5000");
    let web = listen(&mut network, server, SERVER);
    network.send(alice, udp(HOST, SERVER));
    network.send(bob, udp("192.168.1.11:5000", SERVER));
    network.send(web, udp(SERVER, "203.0.113.2:5000"));
    network.run_until(ms(1000));
    assert_eq!(network.program(web).sources(), [at("203.0.113.1:5000"), at("203.0.113.2:5000")]);
    assert_eq!(network.program(alice).sources(), []);
    assert_eq!(network.program(bob).sources(), [at(SERVER)], "nobody has asked for it");
}

/// A host with a public address behind a firewall, and a server.
fn guarded(kind: &str) -> (Simulator<Probe>, ProgramId, ProgramId) {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let lan = subnet(&mut topology, "198.18.1.0/24", "198.18.1.1");
    nat(&mut topology, kind, internet, "203.0.113.1", lan);
    let alice = host(&mut topology, lan, "198.18.1.10");
    let server = host(&mut topology, internet, "198.51.100.9");
    let mut network = build(&topology);
    let alice = listen(&mut network, alice, GUARDED);
    let web = listen(&mut network, server, SERVER);
    (network, alice, web)
}

const GUARDED: &str = "198.18.1.10:5000";

#[test]
fn a_firewall_lets_in_answers_and_changes_no_address() {
    let (mut network, alice, web) = guarded("firewall");
    network.send(web, udp(SERVER, GUARDED));
    network.run_until(ms(100));
    assert_eq!(drops(&network), [("firewall", DropReason::Nat(Filtered))]);
    network.send(alice, udp(GUARDED, SERVER));
    network.run_until(ms(200));
    network.send(web, udp(SERVER, GUARDED));
    network.run_until(ms(300));
    assert_eq!(network.program(web).sources(), [at(GUARDED)]);
    assert_eq!(network.program(alice).sources(), [at(SERVER)]);
    assert_eq!(translations(&network), []);
}

#[test]
fn a_plain_router_lets_everything_through() {
    let (mut network, alice, web) = guarded("none");
    network.send(web, udp(SERVER, GUARDED));
    network.run_until(ms(100));
    assert_eq!(network.program(alice).sources(), [at(SERVER)]);
}

#[test]
fn where_udp_is_blocked_it_is_blocked_both_ways() {
    let (mut network, alice, web) = guarded("udp-blocked");
    network.send(alice, udp(GUARDED, SERVER));
    network.send(web, udp(SERVER, GUARDED));
    network.run_until(ms(100));
    let blocked = ("udp-blocked", DropReason::Nat(UdpBlocked));
    assert_eq!(drops(&network), [blocked, blocked]);
}

/// A host with an IPv6 address behind a NAT that treats IPv6 so, and a server.
fn six(kind: Option<&str>) -> (Simulator<Probe>, ProgramId, ProgramId) {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let prefixes = ["192.168.1.0/24".parse().unwrap(), "2001:db8:1::/64".parse().unwrap()];
    let lan = topology.add_network("lan", &prefixes, &[ip("192.168.1.1"), ip("2001:db8:1::1")]);
    let node = nat(&mut topology, "symmetric", internet, "203.0.113.1", lan);
    if let Some(kind) = kind {
        topology.set_ipv6(node, nat_type(kind));
    }
    let alice = host(&mut topology, lan, "2001:db8:1::10");
    let server = host(&mut topology, internet, "2001:db8::9");
    let mut network = build(&topology);
    let alice = listen(&mut network, alice, SIX);
    let web = listen(&mut network, server, SIX_SERVER);
    (network, alice, web)
}

const SIX: &str = "[2001:db8:1::10]:5000";
const SIX_SERVER: &str = "[2001:db8::9]:80";

#[test]
fn routed_ipv6_passes_both_ways_untranslated() {
    let (mut network, alice, web) = six(Some("none"));
    network.send(web, udp(SIX_SERVER, SIX));
    network.send(alice, udp(SIX, SIX_SERVER));
    network.run_until(ms(100));
    assert_eq!(network.program(alice).sources(), [at(SIX_SERVER)]);
    assert_eq!(network.program(web).sources(), [at(SIX)]);
}

#[test]
fn firewalled_ipv6_lets_in_answers_alone() {
    let (mut network, alice, web) = six(Some("firewall"));
    network.send(web, udp(SIX_SERVER, SIX));
    network.run_until(ms(100));
    assert_eq!(drops(&network), [("symmetric", DropReason::Nat(Filtered))]);
    network.send(alice, udp(SIX, SIX_SERVER));
    network.run_until(ms(200));
    network.send(web, udp(SIX_SERVER, SIX));
    network.run_until(ms(300));
    assert_eq!(network.program(alice).sources(), [at(SIX_SERVER)]);
}

#[test]
fn without_ipv6_nothing_goes_in_or_out() {
    let (mut network, alice, web) = six(None);
    network.send(alice, udp(SIX, SIX_SERVER));
    network.send(web, udp(SIX_SERVER, SIX));
    network.run_until(ms(100));
    let nowhere = DropReason::NoRoute;
    assert_eq!(drops(&network), [("symmetric", nowhere), ("internet", nowhere)]);
}

#[test]
fn a_closed_port_over_ipv6_is_reported_through_the_firewall() {
    let (mut network, alice, _) = six(Some("firewall"));
    network.send(alice, udp(SIX, "[2001:db8::9]:81"));
    network.run_until(ms(100));
    let errors = network.program(alice).errors();
    assert_eq!(errors.len(), 1);
    assert_eq!((errors[0].0, errors[0].1.quoted.source_endpoint()), (ip("2001:db8::9"), Some(at(SIX))));
}
