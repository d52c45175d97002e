//! The simulator: virtual time, one event after the other.

mod control;
mod forward;
mod fragments;
mod host;
mod log;
mod setup;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use natbed_nat::Nat;
use natbed_packet::{Datagram, Family, Timestamp};
use slab::Slab;

use crate::endpoint::{Input, Program};
use crate::fault::Fault;
use crate::node::{Interface, InterfaceId, Kind, Network, NetworkId, NodeId, Nodes, ProgramId};
use crate::queue::Queue;
use crate::route::Routes;
use crate::trace::{PacketId, Record};

pub(crate) use fragments::Reassembly;
use fragments::{Waiting, WaitingId};

pub use host::BindError;

/// A network in motion. `P` is the type of the programs on its hosts; `Box<dyn Program<Event = …>>` is one.
pub struct Simulator<P: Program> {
    now: Timestamp,
    seed: u64,
    queue: Queue<Event>,
    nodes: Nodes,
    networks: Vec<Network>,
    interfaces: Vec<Interface>,
    /// The router of each interface's network, whose memory is fetched while a datagram is under way to it.
    routers: Vec<Option<Kind>>,
    /// Of each interface.
    addresses: Vec<Vec<IpAddr>>,
    routes: Routes,
    programs: Vec<Slot<P>>,
    packets: Slab<Packet>,
    messages: Slab<Message>,
    faults: Vec<Fault>,
    signaling_delay: Duration,
    signaling_server: Option<NodeId>,
    next_packet: u64,
    next_message: u64,
    /// Fragments that NATs hold.
    waiting: BTreeMap<WaitingId, Waiting>,
    /// How many of the queue's events are NATs' timers, or those of datagrams that have been put together in time.
    nat_timers: usize,
    totals: Counts,
    events: VecDeque<(ProgramId, P::Event)>,
    log: Option<Vec<Record<P::Event>>>,
}

/// How many datagrams went which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Handed to an interface by a host or router.
    pub sent: u64,
    /// Second copies that links made.
    pub duplicated: u64,
    /// Pieces that links too small made of datagrams, beyond the first of each.
    pub fragmented: u64,
    /// The same that hosts put together again.
    pub reassembled: u64,
    /// Arrived at a program.
    pub delivered: u64,
    /// Came to their end before.
    pub dropped: u64,
    /// Still under way.
    pub in_flight: u64,
}

/// An event in the queue; packets and messages stay in their slabs.
enum Event {
    /// A datagram from this interface reaches its network.
    AtNetwork {
        interface: InterfaceId,
        packet: u32,
    },
    /// A datagram for this interface reaches its node.
    AtNode {
        interface: InterfaceId,
        packet: u32,
    },
    /// A datagram that a host sent to itself.
    Loopback {
        node: NodeId,
        packet: u32,
    },
    Start(ProgramId),
    Wake(ProgramId),
    NatTimer {
        node: NodeId,
        family: Family,
    },
    /// A host has waited long enough for the fragments of a datagram.
    Reassembly {
        node: NodeId,
        number: u64,
    },
    Fault(u32),
    /// A message is at the signaling server; only the log wants to know.
    AtSignaling(u32),
    Message(u32),
}

#[repr(align(64))]
struct Slot<P> {
    program: P,
    node: NodeId,
    /// The earliest wake-up in the queue.
    wake_at: Timestamp,
    counts: Counts,
    counting: bool,
}

struct Packet {
    datagram: Datagram,
    id: PacketId,
    /// The program that this counts for.
    origin: Option<ProgramId>,
}

struct Message {
    number: u64,
    from: ProgramId,
    to: ProgramId,
    message: Bytes,
}

impl<P: Program> Simulator<P> {
    /// The present.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Processes the next event; whether there was one.
    pub fn step(&mut self) -> bool {
        self.step_until(Timestamp::MAX)
    }

    /// Processes the next event unless it is later than `deadline`; whether there was one.
    pub fn step_until(&mut self, deadline: Timestamp) -> bool {
        let Some((time, event)) = self.queue.pop_until(deadline) else { return false };
        self.now = time;
        match event {
            Event::AtNetwork { interface, packet } => {
                let network = self.interfaces[interface.index()].network;
                self.at_network(network, packet);
            }
            Event::AtNode { interface, packet } => self.at_node(interface, packet),
            Event::Loopback { node, packet } => self.deliver(node, packet),
            Event::Start(program) => self.input(program, Input::Start, None),
            Event::Wake(program) => self.wake(program),
            Event::NatTimer { node, family } => self.nat_timeout(node, family),
            Event::Reassembly { node, number } => self.reassembly_timeout(node, number),
            Event::Fault(index) => self.strike(index),
            Event::AtSignaling(key) => self.log_signal_passed(key),
            Event::Message(key) => {
                let message = self.messages.remove(key as usize);
                self.log_signal_received(&message);
                let Message { from, to, message, .. } = message;
                self.input(to, Input::Signal { from, message }, None);
            }
        }
        true
    }

    /// Processes all events up to and at `deadline`, which then is the present.
    pub fn run_until(&mut self, deadline: Timestamp) {
        while self.step_until(deadline) {}
        self.now = self.now.max(deadline);
    }

    /// When the next event is due; `None` if nothing will ever happen by itself.
    pub fn next_event(&self) -> Option<Timestamp> {
        self.queue.next_time()
    }

    /// Processes all events before `time`, which then is the present; those at `time` are still to come.
    pub fn advance_to(&mut self, time: Timestamp) {
        while self.queue.next_time().is_some_and(|next| next < time) {
            self.step();
        }
        self.now = self.now.max(time);
    }

    /// Processes events until nothing is under way and no program waits for anything, or `deadline` has come.
    pub fn run_until_idle(&mut self, deadline: Timestamp) {
        while !self.is_idle() && self.step_until(deadline) {}
    }

    /// Whether only NATs' timers are left that no packet waits for.
    pub fn is_idle(&self) -> bool {
        self.queue.len() <= self.nat_timers && self.waiting.is_empty()
    }

    /// The next thing that a program told.
    pub fn poll_event(&mut self) -> Option<(ProgramId, P::Event)> {
        self.events.pop_front()
    }

    /// Datagrams of the whole run. Sent and duplicated ones are delivered, dropped or in flight, but for what fragments add.
    pub fn totals(&self) -> Counts {
        Counts { in_flight: self.packets.len() as u64, ..self.totals }
    }

    /// Datagrams that `program` sent while it was counted, and what relays and links made of them.
    pub fn counts(&self, program: ProgramId) -> Counts {
        let counts = self.programs[program.index()].counts;
        let begun = counts.sent + counts.duplicated + counts.fragmented;
        Counts { in_flight: begun - counts.reassembled - counts.delivered - counts.dropped, ..counts }
    }

    /// Whether datagrams that `program` sends from now on are counted; they are at first.
    pub fn set_counting(&mut self, program: ProgramId, counting: bool) {
        self.programs[program.index()].counting = counting;
    }

    /// A program, to look at.
    pub fn program(&self, id: ProgramId) -> &P {
        &self.programs[id.index()].program
    }

    /// The node that a program runs on.
    pub fn node_of(&self, program: ProgramId) -> NodeId {
        self.programs[program.index()].node
    }

    /// A node's name.
    pub fn node_name(&self, node: NodeId) -> &str {
        &self.nodes.apart(node).name
    }

    /// A network's name.
    pub fn network_name(&self, network: NetworkId) -> &str {
        &self.networks[network.index()].name
    }

    /// All nodes, in the order of creation.
    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> + use<P> {
        (0..self.nodes.len()).map(NodeId::from_len)
    }

    /// The addresses of a node on its uplinks, as they are now.
    pub fn addresses(&self, node: NodeId) -> impl Iterator<Item = IpAddr> {
        self.nodes.interfaces(node).iter().flat_map(|id| self.addresses[id.index()].iter().copied())
    }

    /// The IPv4 engine of a NAT, to look at its table; `None` for a host.
    pub fn nat(&self, node: NodeId) -> Option<&Nat> {
        self.nodes.middlebox(node).map(|middlebox| &middlebox.v4.nat)
    }

    /// The IPv6 firewall of a NAT, to look at its table; `None` for a host, and where IPv6 is off.
    pub fn firewall6(&self, node: NodeId) -> Option<&Nat> {
        self.nodes.middlebox(node)?.v6.as_ref().map(|engine| &engine.nat)
    }
}
