//! The network as programs on its hosts meet it.

mod errors;
mod faults;
mod firewalls;
mod fragments;
mod links;
mod programs;
mod routing;
mod scale;
mod sockets;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use natbed_nat::{Behavior, presets};
use natbed_net::trace::{Event, NextHop, Place};
use natbed_net::{
    DropReason, Input, LinkConfig, NetworkId, NodeId, Output, PacketId, Program, ProgramId, Simulator,
    Topology,
};
use natbed_packet::{Datagram, Endpoint, Icmp, IcmpError, Timestamp, Transport};

/// Keeps what it hears, does what it is told, and answers datagrams if it is an echo.
#[derive(Default)]
struct Probe {
    heard: Vec<(Timestamp, Input)>,
    outputs: VecDeque<Output>,
    echo: bool,
    refuses: Option<DropReason>,
}

impl Program for Probe {
    type Event = ();

    fn handle_input(&mut self, now: Timestamp, input: Input) {
        if let Input::Datagram(datagram) = &input
            && self.echo
            && let (Some(from), Some(to)) = (datagram.source_endpoint(), datagram.destination_endpoint())
        {
            self.outputs.push_back(Output::Send(Datagram::udp(to, from, "echo".into())));
        }
        self.heard.push((now, input));
    }

    fn handle_timeout(&mut self, _now: Timestamp) {}

    fn poll_transmit(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_event(&mut self) -> Option<()> {
        None
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }

    fn refusal(&self, _datagram: &Datagram) -> Option<DropReason> {
        self.refuses
    }
}

impl Probe {
    /// The UDP datagrams it has heard, with the time.
    fn datagrams(&self) -> Vec<(Timestamp, &Datagram)> {
        let heard = self.heard.iter().filter_map(|(time, input)| match input {
            Input::Datagram(datagram) if matches!(datagram.transport, Transport::Udp(_)) => {
                Some((*time, datagram))
            }
            _ => None,
        });
        heard.collect()
    }

    /// The sources of those.
    fn sources(&self) -> Vec<Endpoint> {
        self.datagrams().iter().filter_map(|(_, datagram)| datagram.source_endpoint()).collect()
    }

    /// The ICMP errors it has heard, each with who reports it.
    fn errors(&self) -> Vec<(IpAddr, &IcmpError)> {
        let heard = self.heard.iter().filter_map(|(_, input)| match input {
            Input::Datagram(Datagram { source, transport: Transport::Icmp(Icmp::Error(error)), .. }) => {
                Some((*source, error))
            }
            _ => None,
        });
        heard.collect()
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(text: &str) -> Endpoint {
    text.parse().unwrap()
}

fn ms(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn nat_type(name: &str) -> Behavior {
    presets::lookup(name).unwrap().behavior
}

fn delay(millis: u64) -> LinkConfig {
    LinkConfig { delay: Duration::from_millis(millis), ..LinkConfig::default() }
}

fn udp(from: &str, to: &str) -> Datagram {
    Datagram::udp(at(from), at(to), "hello".into())
}

/// A datagram of `size` octets, IPv4 and UDP headers included.
fn sized(from: &str, to: &str, size: usize) -> Datagram {
    Datagram::udp(at(from), at(to), Bytes::from(vec![0; size - 28]))
}

/// A subnet `prefix` whose router is `router`.
fn subnet(topology: &mut Topology, prefix: &str, router: &str) -> NetworkId {
    topology.add_network(prefix, &[prefix.parse().unwrap()], &[ip(router)])
}

/// A NAT of a type, on `outer` with an address, before `inner`.
fn nat(topology: &mut Topology, kind: &str, outer: NetworkId, address: &str, inner: NetworkId) -> NodeId {
    let node = topology.add_nat(kind, outer, &[ip(address)], &[inner], LinkConfig::default());
    topology.set_behavior(node, nat_type(kind));
    node
}

fn host(topology: &mut Topology, network: NetworkId, address: &str) -> NodeId {
    host_over(topology, network, address, LinkConfig::default())
}

fn host_over(topology: &mut Topology, network: NetworkId, address: &str, link: LinkConfig) -> NodeId {
    let node = topology.add_host(address);
    topology.attach(node, network, &[ip(address)], link);
    node
}

/// The network, with its event log.
fn build(topology: &Topology) -> Simulator<Probe> {
    let mut network = Simulator::new(topology, 1).unwrap();
    network.record();
    network
}

/// A program on `node` that receives at `endpoint`.
fn listen(network: &mut Simulator<Probe>, node: NodeId, endpoint: &str) -> ProgramId {
    let program = network.add_program(node, Probe::default());
    network.bind(program, at(endpoint)).unwrap();
    program
}

/// One that answers.
fn echo(network: &mut Simulator<Probe>, node: NodeId, endpoint: &str) -> ProgramId {
    let program = listen(network, node, endpoint);
    network.with_program(program, |probe, _| probe.echo = true);
    program
}

/// Every dropped datagram: where and why.
fn drops(network: &Simulator<Probe>) -> Vec<(&str, DropReason)> {
    let drops = network.log().iter().filter_map(|record| match (&record.event, record.place) {
        (Event::Dropped { reason, .. }, Place::Node(node)) => Some((network.node_name(node), *reason)),
        (Event::Dropped { reason, .. }, Place::Network(id)) => Some((network.network_name(id), *reason)),
        _ => None,
    });
    drops.collect()
}

/// Where each datagram was sent first.
fn next_hops(network: &Simulator<Probe>) -> Vec<NextHop> {
    let sent = network.log().iter().filter_map(|record| match record.event {
        Event::Sent { next, .. } => Some(next),
        _ => None,
    });
    sent.collect()
}

/// Every NAT that rewrote a datagram, in order.
fn translations(network: &Simulator<Probe>) -> Vec<(&str, PacketId)> {
    let translated = network.log().iter().filter_map(|record| match (&record.event, record.place) {
        (Event::Translated { packet, .. }, Place::Node(node)) => Some((network.node_name(node), *packet)),
        _ => None,
    });
    translated.collect()
}

/// A home of one host, 192.168.1.10, behind a NAT at 203.0.113.1, and a server at 198.51.100.9.
struct Home {
    topology: Topology,
    lan: NetworkId,
    nat: NodeId,
    host: NodeId,
    server: NodeId,
}

impl Home {
    fn behind(kind: &str) -> Self {
        Self::with(kind, LinkConfig::default())
    }

    /// The same with this link of the server's.
    fn with(kind: &str, link: LinkConfig) -> Self {
        let mut topology = Topology::new();
        let lan = subnet(&mut topology, "192.168.1.0/24", "192.168.1.1");
        let internet = topology.internet();
        let nat = nat(&mut topology, kind, internet, "203.0.113.1", lan);
        let host = host(&mut topology, lan, "192.168.1.10");
        let server = host_over(&mut topology, internet, "198.51.100.9", link);
        Self { topology, lan, nat, host, server }
    }
}

const HOST: &str = "192.168.1.10:5000";
const SERVER: &str = "198.51.100.9:80";

/// Three NATs deep: 203.0.113.1, 100.64.0.2 and 10.0.0.2 before the host 192.168.1.10; a server at 198.51.100.9.
struct Deep {
    topology: Topology,
    nats: [NodeId; 3],
    host: NodeId,
    server: NodeId,
}

impl Deep {
    fn new(server_link: LinkConfig) -> Self {
        let mut topology = Topology::new();
        let internet = topology.internet();
        let carrier = subnet(&mut topology, "100.64.0.0/24", "100.64.0.1");
        let building = subnet(&mut topology, "10.0.0.0/24", "10.0.0.1");
        let lan = subnet(&mut topology, "192.168.1.0/24", "192.168.1.1");
        let nats = [
            nat(&mut topology, "symmetric", internet, "203.0.113.1", carrier),
            nat(&mut topology, "address-restricted", carrier, "100.64.0.2", building),
            nat(&mut topology, "port-restricted", building, "10.0.0.2", lan),
        ];
        let host = host(&mut topology, lan, "192.168.1.10");
        let server = host_over(&mut topology, internet, "198.51.100.9", server_link);
        Self { topology, nats, host, server }
    }
}
