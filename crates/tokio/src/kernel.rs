//! What stands between a host's sockets and the network.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use natbed_lab::peer::{Guest, PeerEvent};
use natbed_net::{DropReason, Input, Output, Program};
use natbed_packet::{Datagram, Endpoint, Family, Icmp, IcmpErrorKind, Timestamp, Transport};

use crate::errno::Errno;
use crate::socket::Socket;

/// Tasks to wake as soon as the network is not locked any more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bell(Arc<Mutex<Vec<Waker>>>);

impl Bell {
    pub(crate) fn add(&self, wakers: Vec<Waker>) {
        if !wakers.is_empty() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(wakers);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub(crate) fn ring(&self) {
        let wakers = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for waker in wakers {
            waker.wake();
        }
    }
}

/// A socket's number on its host.
pub(crate) type SocketId = u64;

/// The sockets of one host.
pub(crate) struct Kernel {
    sockets: BTreeMap<SocketId, Socket>,
    bound: BTreeMap<Endpoint, SocketId>,
    next: SocketId,
    outputs: VecDeque<Output>,
    bell: Bell,
}

impl Kernel {
    pub(crate) fn new(bell: Bell) -> Self {
        Self { sockets: BTreeMap::new(), bound: BTreeMap::new(), next: 0, outputs: VecDeque::new(), bell }
    }

    /// Adds a socket that the host has bound.
    pub(crate) fn open(&mut self, bound: Endpoint) -> SocketId {
        let id = self.next;
        self.next += 1;
        self.bound.extend(Socket::bindings(bound).map(|endpoint| (endpoint, id)));
        self.sockets.insert(id, Socket::new(bound));
        id
    }

    /// The socket, as long as it is open.
    pub(crate) fn socket(&mut self, id: SocketId) -> &mut Socket {
        self.sockets.get_mut(&id).expect("a socket is closed when its owner drops it")
    }

    /// Gives the socket's port back.
    pub(crate) fn close(&mut self, id: SocketId) {
        if let Some(socket) = self.sockets.remove(&id) {
            self.release(&socket.bound, id);
        }
    }

    /// Gives up an endpoint that no socket came to use.
    pub(crate) fn unbind(&mut self, endpoint: Endpoint) {
        self.outputs.push_back(Output::Unbind(endpoint));
    }

    /// Kills all sockets: the host has stopped.
    pub(crate) fn stop(&mut self) {
        let ids: Vec<SocketId> = self.sockets.keys().copied().collect();
        for id in ids {
            let socket = self.socket(id);
            let (bound, wakers) = (socket.bound, socket.kill());
            self.bell.add(wakers);
            self.release(&bound, id);
        }
    }

    /// The sockets that a task waits for to receive.
    pub(crate) fn awaited(&self) -> impl Iterator<Item = Endpoint> {
        self.sockets.values().filter(|socket| socket.is_awaited()).map(|socket| socket.local)
    }

    pub(crate) fn release_writers(&mut self) {
        for socket in self.sockets.values_mut() {
            self.bell.add(socket.take_writers());
        }
    }

    fn release(&mut self, bound: &Endpoint, id: SocketId) {
        for endpoint in Socket::bindings(*bound) {
            if self.bound.get(&endpoint) == Some(&id) {
                self.bound.remove(&endpoint);
                self.unbind(endpoint);
            }
        }
    }

    /// The socket at an endpoint of the host.
    fn at(&self, endpoint: Endpoint) -> Option<SocketId> {
        let everywhere = match endpoint.family() {
            Family::V4 => IpAddr::from([0; 4]),
            Family::V6 => IpAddr::from([0; 16]),
        };
        let everywhere = Endpoint::new(everywhere, endpoint.port);
        self.bound.get(&endpoint).or_else(|| self.bound.get(&everywhere)).copied()
    }

    fn receive(&mut self, datagram: Datagram) {
        let (from, to) = (datagram.source_endpoint(), datagram.destination_endpoint());
        let (Some(from), Some(to), Transport::Udp(udp)) = (from, to, datagram.transport) else { return };
        let Some(id) = self.at(to) else { return };
        let wakers = self.socket(id).receive(from, udp.payload);
        self.bell.add(wakers);
    }

    /// An error about a datagram that a socket sent: only a connected socket hears of it, and only if it is final, as on
    /// Linux (RFC 1122 section 4.1.3.3).
    fn fail(&mut self, kind: IcmpErrorKind, from: Endpoint, to: Endpoint) {
        let Some(id) = self.at(from) else { return };
        let error = match kind {
            IcmpErrorKind::PortUnreachable => Errno::ConnectionRefused,
            IcmpErrorKind::AdministrativelyProhibited => Errno::HostUnreachable,
            IcmpErrorKind::TooBig { .. } => Errno::MessageSize,
            _ => return,
        };
        let socket = self.socket(id);
        if socket.peer == Some(to) {
            let wakers = socket.fail(error);
            self.bell.add(wakers);
        }
    }

    /// A socket on the old address stays there and is deaf until the address comes back; the network has moved it.
    fn change_address(&mut self, old: IpAddr, new: IpAddr) {
        for endpoint in self.bound.keys() {
            if endpoint.ip == old {
                self.outputs.push_back(Output::Unbind(Endpoint::new(new, endpoint.port)));
            }
        }
        for endpoint in self.bound.keys().filter(|endpoint| endpoint.ip == new) {
            self.outputs.push_back(Output::Bind(*endpoint));
        }
    }
}

impl Guest for Kernel {}

impl Program for Kernel {
    type Event = PeerEvent;

    fn handle_input(&mut self, _now: Timestamp, input: Input) {
        match input {
            Input::Datagram(Datagram { transport: Transport::Icmp(Icmp::Error(error)), .. }) => {
                let quoted = (error.quoted.source_endpoint(), error.quoted.destination_endpoint());
                if let (Some(from), Some(to)) = quoted {
                    self.fail(error.kind, from, to);
                }
            }
            Input::Datagram(datagram) => self.receive(datagram),
            Input::AddressChanged { old, new } => self.change_address(old, new),
            Input::Start | Input::Signal { .. } => {}
        }
    }

    fn handle_timeout(&mut self, _now: Timestamp) {}

    fn poll_transmit(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_event(&mut self) -> Option<PeerEvent> {
        None
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }

    fn refusal(&self, datagram: &Datagram) -> Option<DropReason> {
        let (Some(from), Some(to)) = (datagram.source_endpoint(), datagram.destination_endpoint()) else {
            return None;
        };
        let Transport::Udp(udp) = &datagram.transport else { return None };
        match self.at(to).and_then(|id| self.sockets.get(&id)) {
            Some(socket) => socket.refusal(from, to.ip, udp.payload.len()),
            None => Some(DropReason::NoListener),
        }
    }
}
