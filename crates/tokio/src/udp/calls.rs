//! What sockets ask of the network: the system calls, so to speak.

use std::io;
use std::net::IpAddr;

use bytes::Bytes;
use natbed_net::{NodeId, ProgramId};
use natbed_packet::{Datagram, Endpoint, Family};

use crate::errno::Errno;
use crate::kernel::SocketId;
use crate::network::State;
use crate::socket::Socket;

/// A socket of a host, by number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) node: NodeId,
    pub(crate) kernel: ProgramId,
    pub(crate) id: SocketId,
}

impl State {
    /// Binds a new socket; port 0 takes the next free one.
    pub(crate) fn bind(
        &mut self,
        node: NodeId,
        kernel: ProgramId,
        wanted: Endpoint,
    ) -> Result<SocketId, Errno> {
        if self.simulator().is_stopped(node) {
            return Err(Errno::NetworkDown);
        }
        for _ in 0..=EPHEMERAL {
            let bound = self.simulator_mut().bind(kernel, wanted)?;
            let others = Socket::bindings(bound).skip(1);
            let others: Result<Vec<_>, _> =
                others.map(|other| self.simulator_mut().bind(kernel, other)).collect();
            if let Err(error) = others {
                // The port is free in one family alone: give it back, and try another if any will do.
                self.kernel(kernel, |kernel| kernel.unbind(bound));
                if wanted.port != 0 {
                    return Err(error.into());
                }
                continue;
            }
            return Ok(self.kernel(kernel, |kernel| kernel.open(bound)));
        }
        Err(Errno::AddressInUse)
    }

    /// Gives a socket and its port back.
    pub(crate) fn close(&mut self, key: Key) {
        self.kernel(key.kernel, |kernel| kernel.close(key.id));
    }

    /// Lets `act` use a socket.
    pub(crate) fn socket<R>(&mut self, key: Key, act: impl FnOnce(&mut Socket) -> R) -> R {
        self.kernel(key.kernel, |kernel| act(kernel.socket(key.id)))
    }

    /// Connects a socket: from now on it hears nobody else. Its address becomes that of the way there.
    pub(crate) fn connect(&mut self, key: Key, named: Endpoint) -> Result<(), Errno> {
        let (peer, local) = self.socket(key, |socket| (socket.target(named), socket.local));
        let peer = peer?;
        let source = self.source(key.node, local.ip, peer.ip)?;
        self.socket(key, |socket| {
            socket.peer = Some(peer);
            socket.local = Endpoint::new(source, local.port);
        });
        Ok(())
    }

    /// Sends a datagram to `named`, or to whom the socket is connected to.
    ///
    /// # Errors
    /// `WouldBlock` if the send buffer is full; else what a kernel says.
    pub(crate) fn send(&mut self, key: Key, named: Option<Endpoint>, payload: &[u8]) -> io::Result<usize> {
        let datagram = self.datagram(key, named, payload)?;
        let (now, to_itself) = (self.simulator().now(), self.is_own(key.node, datagram.destination));
        let room = self.socket(key, |socket| {
            let room = to_itself || socket.is_writable(now);
            if room && !to_itself {
                socket.note_sent(now, payload.len());
            }
            room
        });
        if !room {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.simulator_mut().send(key.kernel, datagram);
        Ok(payload.len())
    }

    /// What is to be sent, if it may be.
    fn datagram(&mut self, key: Key, named: Option<Endpoint>, payload: &[u8]) -> Result<Datagram, Errno> {
        let (target, local, traits, error) = self.socket(key, |socket| {
            let target = match (named, socket.peer) {
                (Some(named), _) => socket.target(named),
                (None, Some(peer)) => Ok(peer),
                (None, None) => Err(Errno::DestinationRequired),
            };
            let traits = (socket.hop_limit, socket.traffic_class);
            // A wrong call leaves the error of an earlier one for the next.
            let error = target.is_ok().then(|| socket.take_error()).flatten();
            (target, socket.local, traits, error)
        });
        let target = target?;
        if let Some(error) = error {
            return Err(error);
        }
        if self.simulator().is_stopped(key.node) {
            return Err(Errno::NetworkDown);
        }
        if payload.len() > longest(target.ip) {
            return Err(Errno::MessageSize);
        }
        if target.port == 0 {
            return Err(Errno::Invalid);
        }
        let source = self.source(key.node, local.ip, target.ip)?;
        let from = Endpoint::new(source, local.port);
        let mut datagram = Datagram::udp(from, target, Bytes::copy_from_slice(payload));
        (datagram.hop_limit, datagram.traffic_class) = traits;
        let mtu = self.simulator().mtu(key.node, source).map(usize::from);
        let too_big = mtu.is_some_and(|mtu| datagram.wire_len() > mtu);
        if too_big && !self.is_own(key.node, target.ip) { Err(Errno::MessageSize) } else { Ok(datagram) }
    }

    /// The address to send from: the socket's own, or that of the way there.
    fn source(&self, node: NodeId, local: IpAddr, target: IpAddr) -> Result<IpAddr, Errno> {
        let same_family = local.is_ipv4() == target.is_ipv4();
        if local.is_unspecified() {
            return self.simulator().source_for(node, target).ok_or(Errno::NetworkUnreachable);
        }
        let reaches = match (local.is_loopback(), target.is_loopback()) {
            (true, false) => self.is_own(node, target),
            (false, true) => true,
            (true, true) => true,
            (false, false) => self.is_own(node, local),
        };
        if same_family && reaches { Ok(local) } else { Err(Errno::Invalid) }
    }

    fn is_own(&self, node: NodeId, ip: IpAddr) -> bool {
        ip.is_loopback() || self.simulator().addresses(node).any(|own| own == ip)
    }
}

/// How many ports there are for those who ask for none (RFC 6335 section 6).
const EPHEMERAL: u16 = u16::MAX - 49_152 + 1;

/// Octets that a UDP datagram carries at most: 2^16 - 1 with its header, and in IPv4 with the IP header too (RFC 768, RFC 791,
/// RFC 8200 section 3).
fn longest(target: IpAddr) -> usize {
    match Family::of(target) {
        Family::V4 => 65_535 - 20 - 8,
        Family::V6 => 65_535 - 8,
    }
}
