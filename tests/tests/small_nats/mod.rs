//! A network of many small NATs, for those who count what they weigh.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bytes::Bytes;
use natbed_nat::behavior::Kind;
use natbed_nat::{Nat, presets};
use natbed_net::{Input, LinkConfig, Output, Program, Simulator, Topology};
use natbed_packet::{Datagram, Endpoint, Prefix, Timestamp};

/// What a symmetric NAT with [`MAPPINGS`] mappings costs in a large network, in octets: itself, and what a router in its
/// place would not have. `allocated` says how many octets are allocated; networks of two sizes are built.
pub(crate) fn each(allocated: fn() -> usize, [fewer, more]: [u32; 2]) -> usize {
    let beyond_routers = |boxes| weight(allocated, boxes, "symmetric") - weight(allocated, boxes, "none");
    size_of::<Nat>() + (beyond_routers(more) - beyond_routers(fewer)) / (more - fewer) as usize
}

/// Fewer than five.
pub(crate) const MAPPINGS: u16 = 4;
const PORT: u16 = 5000;

/// Octets of a network of hosts, each behind a middlebox of its own and with packets to [`MAPPINGS`] remotes sent.
fn weight(allocated: fn() -> usize, boxes: u32, preset: &str) -> usize {
    let before = allocated();
    let mut topology = Topology::new();
    let internet = topology.internet();
    let behavior = presets::lookup(preset).expect("a preset").behavior;
    let mut nodes = Vec::new();
    for index in 0..boxes {
        let inside = 0x0a00_0000 + 4 * index;
        let internal: IpAddr = Ipv4Addr::from_bits(inside + 2).into();
        let external: IpAddr = Ipv4Addr::from_bits(0x0b00_0000 + index).into();
        let lan = topology.add_network("lan", &[Prefix::masked(internal, 30)], &[]);
        let translates = behavior.kind == Kind::Nat;
        let external = if translates { vec![external] } else { Vec::new() };
        let nat = topology.add_nat("nat", internet, &external, &[lan], LinkConfig::default());
        topology.set_behavior(nat, behavior.clone());
        let host = topology.add_host("host");
        topology.attach(host, lan, &[internal], LinkConfig::default());
        nodes.push((host, nat, internal));
    }
    let mut simulator = Simulator::new(&topology, 1).expect("a valid topology");
    drop(topology);
    for (host, _, ip) in &nodes {
        let program = simulator.add_program(*host, Silent);
        let source = Endpoint::new(*ip, PORT);
        simulator.bind(program, source).expect("a free port");
        for remote in (0..MAPPINGS).map(|n| Endpoint::v4(198, 51, 100, 1, 3478 + n)) {
            simulator.send(program, Datagram::udp(source, remote, Bytes::new()));
        }
        simulator.run_until(simulator.now() + Duration::from_millis(1));
    }
    simulator.run_until(simulator.now() + Duration::from_secs(1));
    let (_, last, _) = nodes.pop().expect("a middlebox");
    let mappings = simulator.nat(last).expect("a middlebox").snapshot(simulator.now()).len();
    assert_eq!(mappings, if preset == "none" { 0 } else { usize::from(MAPPINGS) });
    drop(nodes);
    allocated() - before
}

/// A program that only has a socket.
struct Silent;

impl Program for Silent {
    type Event = ();

    fn handle_input(&mut self, _now: Timestamp, _input: Input) {}

    fn handle_timeout(&mut self, _now: Timestamp) {}

    fn poll_transmit(&mut self) -> Option<Output> {
        None
    }

    fn poll_event(&mut self) -> Option<()> {
        None
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }
}
