//! STUN and TURN servers on a host.

use std::collections::VecDeque;
use std::net::IpAddr;

use natbed_net::{Input, Output};
use natbed_packet::{Datagram, Endpoint, Icmp, Timestamp, Transport};
use natbed_traversal::stun::BindingServer;
use natbed_traversal::turn::server::{Config, DiscardReason, Effect};
use natbed_traversal::turn::{ClientSocket, PeerSocket, RelayedAddress, Server};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::scenario::{self, Credentials};

/// A STUN server, one state machine for each pair of addresses of a family.
pub struct StunPeer {
    servers: Vec<BindingServer>,
    outputs: VecDeque<Output>,
}

impl StunPeer {
    /// A server at `addresses` and `ports`; a second address of a family with a second port makes RFC 5780 work there.
    pub fn new(addresses: &[IpAddr], ports: &[u16]) -> Self {
        let mut servers = Vec::new();
        for is_v4 in [true, false] {
            let own: Vec<_> = addresses.iter().copied().filter(|ip| ip.is_ipv4() == is_v4).collect();
            let server = match (own.as_slice(), ports) {
                ([first, second], [port, other]) => {
                    let (primary, alternate) = (Endpoint::new(*first, *port), Endpoint::new(*second, *other));
                    BindingServer::with_alternate(primary, alternate).ok()
                }
                _ => None,
            };
            match server {
                Some(server) => servers.push(server),
                None => {
                    let endpoints =
                        own.iter().flat_map(|ip| ports.iter().map(|port| Endpoint::new(*ip, *port)));
                    servers.extend(endpoints.map(BindingServer::new));
                }
            }
        }
        Self { servers, outputs: VecDeque::new() }
    }

    pub(super) fn handle_input(&mut self, input: Input) {
        let Input::Datagram(Datagram { source, destination, transport: Transport::Udp(udp), .. }) = input
        else {
            return;
        };
        let local = Endpoint::new(destination, udp.destination_port);
        let remote = Endpoint::new(source, udp.source_port);
        let server = self.servers.iter().find(|server| server.endpoints().any(|own| own == local));
        if let Some(answer) = server.and_then(|server| server.handle(local, remote, &udp.payload)) {
            self.outputs.push_back(Output::Send(Datagram::udp(answer.from, answer.to, answer.payload)));
        }
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}

/// A TURN server.
pub struct TurnPeer {
    /// As it starts, and starts afresh.
    new: Server,
    server: Server,
    ports: Vec<u16>,
    outputs: VecDeque<Output>,
    events: VecDeque<Discard>,
}

/// A datagram that a TURN server did not relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discard {
    /// Where it came from.
    pub from: Endpoint,
    /// Where it arrived: the server, or a relayed address.
    pub to: Endpoint,
    /// Why.
    pub reason: DiscardReason,
}

impl TurnPeer {
    /// A server as the scenario has it, that takes `credentials` and sends its clients on to `other`.
    pub fn new(
        spec: &scenario::Server,
        credentials: &Credentials,
        quota: Option<u32>,
        other: Option<&scenario::Server>,
        rng: Xoshiro256PlusPlus,
    ) -> Self {
        let mut config = Config::new(spec.name.clone(), spec.addresses[0]);
        for address in &spec.addresses {
            match address {
                IpAddr::V4(ip) => config.relay_v4 = config.relay_v4.or(Some(*ip)),
                IpAddr::V6(ip) => config.relay_v6 = config.relay_v6.or(Some(*ip)),
            }
        }
        config.quota = quota.unwrap_or(u32::MAX);
        if let Some(server) = other {
            config.alternates.extend(server.addresses.iter().map(|ip| Endpoint::new(*ip, server.ports[0])));
        }
        let mut new = Server::new(config, rng);
        new.add_user(&credentials.user, &credentials.password);
        let ports = spec.ports.clone();
        Self { server: new.clone(), new, ports, outputs: VecDeque::new(), events: VecDeque::new() }
    }

    pub(super) fn handle_input(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Start => {
                self.server = self.new.clone();
                self.outputs.clear();
            }
            Input::Datagram(datagram) => self.receive(now, &datagram),
            Input::Signal { .. } | Input::AddressChanged { .. } => {}
        }
    }

    fn receive(&mut self, now: Timestamp, datagram: &Datagram) {
        match &datagram.transport {
            Transport::Udp(udp) => {
                let local = Endpoint::new(datagram.destination, udp.destination_port);
                let remote = Endpoint::new(datagram.source, udp.source_port);
                if self.ports.contains(&local.port) {
                    self.server.handle_client(now, local, ClientSocket(remote), &udp.payload);
                    self.drain(Some(datagram), false);
                } else {
                    self.server.handle_peer(now, RelayedAddress(local), PeerSocket(remote), &udp.payload);
                    self.drain(Some(datagram), true);
                }
            }
            Transport::Icmp(Icmp::Error(error)) => {
                let quoted = (error.quoted.source_endpoint(), error.quoted.destination_endpoint());
                if let (Some(relayed), Some(peer)) = quoted {
                    self.server.handle_peer_error(now, RelayedAddress(relayed), PeerSocket(peer), error.kind);
                    self.drain(None, true);
                }
            }
            _ => {}
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        self.server.handle_timeout(now);
        self.drain(None, false);
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(super) fn poll_event(&mut self) -> Option<Discard> {
        self.events.pop_front()
    }

    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.server.poll_timeout()
    }

    /// Takes over what the server does. What goes to a peer carries on a client's datagram, and the reverse: DSCP, ECN and
    /// the DF bit are those of the datagram that `came`, the hop limit is the server's own (RFC 8656 section 14).
    fn drain(&mut self, came: Option<&Datagram>, from_peer: bool) {
        let carry_on = |mut datagram: Datagram, dont_fragment: bool| {
            if let Some(came) = came {
                datagram.traffic_class = came.traffic_class;
                datagram.dont_fragment = came.dont_fragment || dont_fragment;
            }
            datagram
        };
        while let Some(effect) = self.server.poll_effect() {
            let output = match effect {
                Effect::ToClient { from, to: ClientSocket(to), payload } => {
                    let datagram = Datagram::udp(from, to, payload);
                    if from_peer { Output::Relay(carry_on(datagram, false)) } else { Output::Send(datagram) }
                }
                Effect::ToPeer { from: RelayedAddress(from), to: PeerSocket(to), payload, dont_fragment } => {
                    Output::Relay(carry_on(Datagram::udp(from, to, payload), dont_fragment))
                }
                Effect::Bind(RelayedAddress(relayed)) => Output::Bind(relayed),
                Effect::Unbind(RelayedAddress(relayed)) => Output::Unbind(relayed),
                Effect::Discard { from, to, reason } => {
                    self.events.push_back(Discard { from, to, reason });
                    continue;
                }
            };
            self.outputs.push_back(output);
        }
    }
}

#[cfg(test)]
mod tests;
