//! Hosts: their programs, sockets and loopback.

use std::net::IpAddr;

use bytes::Bytes;
use natbed_packet::{Datagram, Endpoint, Icmp, IcmpErrorKind, Timestamp, Transport};
use thiserror::Error;

use super::forward::icmp_error;
use super::{Counts, Event, Message, Packet, Simulator};
use crate::endpoint::{Input, Output, Program};
use crate::node::{Binding, Host, NetworkId, NodeId, ProgramId};
use crate::route::Hop;
use crate::trace::{DropReason, PacketId, Place};

/// Why a program cannot receive at an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BindError {
    /// Another socket of the host has it.
    #[error("{0} is in use")]
    InUse(Endpoint),
    /// The host has no such address.
    #[error("{0} is not an address of the host")]
    NotAvailable(IpAddr),
    /// All ports from 49152 on are in use.
    #[error("the host has no free port left")]
    NoPort,
}

/// The packet that a program handles: its number and the program that it counts for.
type Cause = (PacketId, Option<ProgramId>);

impl<P: Program> Simulator<P> {
    /// Has `program` receive at `endpoint`: an address of its host, a loopback address, or 0.0.0.0 or :: for every address
    /// of the family; port 0 takes the next free one. Returns where it receives.
    pub fn bind(&mut self, program: ProgramId, endpoint: Endpoint) -> Result<Endpoint, BindError> {
        self.bind_as(program, endpoint, false)
    }

    /// Sends a datagram of `program`, from outside the program.
    pub fn send(&mut self, program: ProgramId, datagram: Datagram) {
        self.host_send(program, datagram, None);
    }

    /// Lets `change` act on a program, then does what the program wants done.
    pub fn with_program<R>(&mut self, id: ProgramId, change: impl FnOnce(&mut P, Timestamp) -> R) -> R {
        let result = change(&mut self.programs[id.index()].program, self.now);
        self.drain(id, None);
        result
    }

    /// The address that datagrams from `host` to `destination` go out from unless their program says otherwise: that of
    /// the interface on whose subnet the destination is, else of the first with an address of the family.
    pub fn source_for(&self, host: NodeId, destination: IpAddr) -> Option<IpAddr> {
        let interfaces = self.nodes.interfaces(host).iter();
        if destination.is_loopback() || self.addresses(host).any(|own| own == destination) {
            return Some(destination);
        }
        let same_family = |own: &&IpAddr| own.is_ipv4() == destination.is_ipv4();
        let mut usable = interfaces.filter_map(|id| {
            let own = self.addresses[id.index()].iter().find(same_family)?;
            Some((self.interfaces[id.index()].network, *own))
        });
        let is_near = |network: NetworkId| {
            network.index() != 0 && self.routes.look_up(network, destination) != Hop::Elsewhere
        };
        let near = usable.clone().find(|(network, _)| is_near(*network));
        near.or_else(|| usable.next()).map(|(_, own)| own)
    }

    /// The largest datagram in octets, IP header included, that the interface of `host` with this address sends; `None`
    /// for an address that is not of an interface.
    pub fn mtu(&self, host: NodeId, source: IpAddr) -> Option<u16> {
        let mut interfaces = self.nodes.interfaces(host).iter();
        let id = interfaces.find(|id| self.addresses[id.index()].contains(&source))?;
        Some(self.interfaces[id.index()].link.mtu())
    }

    /// Whether `host` is stopped.
    pub fn is_stopped(&self, host: NodeId) -> bool {
        self.nodes.host(host).is_some_and(|host| host.stopped)
    }

    pub(super) fn input(&mut self, id: ProgramId, input: Input, cause: Option<Cause>) {
        if self.host(id).is_some_and(|host| host.stopped) {
            return;
        }
        let now = self.now;
        self.programs[id.index()].program.handle_input(now, input);
        self.drain(id, cause);
    }

    pub(super) fn wake(&mut self, id: ProgramId) {
        let now = self.now;
        let stopped = self.host(id).is_some_and(|host| host.stopped);
        let slot = &mut self.programs[id.index()];
        if slot.wake_at > now || stopped {
            return;
        }
        slot.wake_at = Timestamp::MAX;
        if slot.program.poll_timeout().is_some_and(|due| due <= now) {
            slot.program.handle_timeout(now);
            debug_assert!(slot.program.poll_timeout().is_none_or(|due| due > now), "a timer must move on");
        }
        self.drain(id, None);
    }

    /// Packet `key` has reached the host: to the program that listens, or the error that says there is none.
    pub(super) fn deliver(&mut self, node: NodeId, key: u32) {
        let place = Place::Node(node);
        let Some(host) = self.nodes.host(node) else { return };
        if host.stopped {
            return self.drop_packet(place, key, DropReason::HostStopped, None);
        }
        let datagram = &self.packets[key as usize].datagram;
        if datagram.is_fragment() {
            return self.reassemble(node, key);
        }
        let listener = listener(host, datagram);
        let refusal = match listener {
            Some(program) => self.programs[program.index()].program.refusal(datagram),
            None => Some(DropReason::NoListener),
        };
        if let (Some(program), None) = (listener, refusal) {
            let packet = self.packets.remove(key as usize);
            self.count(packet.origin, |counts| counts.delivered += 1);
            self.log_delivered(node, &packet, program);
            return self.input(program, Input::Datagram(packet.datagram), Some((packet.id, packet.origin)));
        }
        let reason = refusal.unwrap_or(DropReason::NoListener);
        let answers = reason == DropReason::NoListener && matches!(datagram.transport, Transport::Udp(_));
        let error = icmp_error(datagram.destination, datagram, IcmpErrorKind::PortUnreachable);
        self.drop_packet(place, key, reason, None);
        if let Some(error) = error.filter(|_| answers) {
            let key = self.insert(place, error);
            self.send_from(node, key);
        }
    }

    /// Does what the program wants done, then notes when it wants to be woken. `cause` is the packet it handles.
    fn drain(&mut self, id: ProgramId, cause: Option<Cause>) {
        let node = self.programs[id.index()].node;
        loop {
            while let Some(event) = self.programs[id.index()].program.poll_event() {
                self.log_program(node, id, &event);
                self.events.push_back((id, event));
            }
            let Some(output) = self.programs[id.index()].program.poll_transmit() else { break };
            match output {
                Output::Send(datagram) => self.host_send(id, datagram, None),
                Output::Relay(datagram) => self.host_send(id, datagram, cause),
                Output::Signal { to, message } => self.signal(id, to, message),
                Output::Bind(endpoint) => {
                    let bound = self.bind_as(id, endpoint, true);
                    debug_assert!(bound.is_ok(), "a program binds what its host has: {bound:?}");
                }
                Output::Unbind(endpoint) => {
                    if let Some(host) = self.nodes.host_mut(node) {
                        host.bindings.remove(&endpoint);
                    }
                }
            }
        }
        let slot = &mut self.programs[id.index()];
        if let Some(due) = slot.program.poll_timeout()
            && due < slot.wake_at
        {
            slot.wake_at = due;
            self.queue.push(due, Event::Wake(id));
        }
    }

    /// Sends a message over the signaling path. Where it passes through a server, that is an event of the log, and the
    /// message itself takes its way as without a log.
    fn signal(&mut self, from: ProgramId, to: ProgramId, message: Bytes) {
        self.next_message += 1;
        let message = Message { number: self.next_message, from, to, message };
        self.log_signaled(self.programs[from.index()].node, &message);
        let key = slab_key(self.messages.insert(message));
        if self.log.is_some() && self.signaling_server.is_some() {
            self.queue.push(self.now + self.signaling_delay / 2, Event::AtSignaling(key));
        }
        self.queue.push(self.now + self.signaling_delay, Event::Message(key));
    }

    /// Sends a program's datagram, in place of `carries_on` where it relays.
    fn host_send(&mut self, program: ProgramId, datagram: Datagram, carries_on: Option<Cause>) {
        let node = self.programs[program.index()].node;
        let own = self.programs[program.index()].counting.then_some(program);
        let origin = carries_on.map_or(own, |(_, origin)| origin);
        let key = self.insert_as(origin, datagram);
        self.log_sent(Place::Node(node), key, Some(program), carries_on.map(|(id, _)| id));
        self.send_from(node, key);
    }

    pub(super) fn send_from(&mut self, node: NodeId, key: u32) {
        let Packet { datagram: Datagram { source, destination, .. }, .. } = self.packets[key as usize];
        let interfaces = self.nodes.interfaces(node);
        let has = |address: IpAddr| {
            interfaces.find(|id| {
                let network = self.interfaces[id.index()].network;
                self.routes.station(network, address) == Some(id)
            })
        };
        let (own, to_itself) = (has(source), destination.is_loopback() || has(destination).is_some());
        match own {
            Some(interface) if !to_itself => self.transmit_up(interface, key),
            _ if to_itself && (own.is_some() || source.is_loopback()) => {
                self.queue.push(self.now, Event::Loopback { node, packet: key });
            }
            _ => self.drop_packet(Place::Node(node), key, DropReason::SourceNotOwn, None),
        }
    }

    fn bind_as(
        &mut self,
        program: ProgramId,
        mut endpoint: Endpoint,
        dynamic: bool,
    ) -> Result<Endpoint, BindError> {
        let node = self.programs[program.index()].node;
        let own = |id: crate::node::InterfaceId| self.addresses[id.index()].contains(&endpoint.ip);
        let Some(host) = self.nodes.host_mut(node) else { return Err(BindError::NotAvailable(endpoint.ip)) };
        let everywhere = endpoint.ip.is_unspecified() || endpoint.ip.is_loopback();
        if !everywhere && !host.interfaces.iter().any(own) {
            return Err(BindError::NotAvailable(endpoint.ip));
        }
        if endpoint.port == 0 {
            endpoint.port = host.free_port(endpoint.ip).ok_or(BindError::NoPort)?;
        }
        if host.is_taken(endpoint) {
            return Err(BindError::InUse(endpoint));
        }
        host.bindings.insert(endpoint, Binding { program, dynamic });
        Ok(endpoint)
    }

    fn host(&self, program: ProgramId) -> Option<&Host> {
        self.nodes.host(self.programs[program.index()].node)
    }

    /// Puts a router's or host's own error under way.
    pub(super) fn insert(&mut self, place: Place, datagram: Datagram) -> u32 {
        let key = self.insert_as(None, datagram);
        self.log_sent(place, key, None, None);
        key
    }

    pub(super) fn duplicate(&mut self, place: Place, key: u32) -> u32 {
        let Packet { id, origin, ref datagram } = self.packets[key as usize];
        let datagram = datagram.clone();
        let copy = Packet { datagram, id: self.next_id(), origin };
        self.count(origin, |counts| counts.duplicated += 1);
        self.log_duplicated(place, id, &copy);
        slab_key(self.packets.insert(copy))
    }

    fn insert_as(&mut self, origin: Option<ProgramId>, datagram: Datagram) -> u32 {
        self.count(origin, |counts| counts.sent += 1);
        let id = self.next_id();
        slab_key(self.packets.insert(Packet { datagram, id, origin }))
    }

    /// Counts a packet's fate for the whole run and for the program that it counts for.
    pub(super) fn count(&mut self, origin: Option<ProgramId>, change: impl Fn(&mut Counts)) {
        change(&mut self.totals);
        if let Some(origin) = origin {
            change(&mut self.programs[origin.index()].counts);
        }
    }

    pub(super) fn next_id(&mut self) -> PacketId {
        self.next_packet += 1;
        PacketId(self.next_packet)
    }
}

/// The program that a datagram is for: the one bound to its destination, or for an ICMP error to the source that it
/// quotes.
fn listener(host: &Host, datagram: &Datagram) -> Option<ProgramId> {
    let endpoint = match &datagram.transport {
        Transport::Icmp(Icmp::Error(error)) => error.quoted.source_endpoint()?,
        _ => datagram.destination_endpoint()?,
    };
    host.binding(endpoint).map(|binding| binding.program)
}

pub(super) fn slab_key(key: usize) -> u32 {
    u32::try_from(key).expect("fewer than 2^32 packets fit in memory")
}
