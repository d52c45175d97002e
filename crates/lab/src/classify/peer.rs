//! A discovery client with its sockets.

use natbed_net::{Input, Output};
use natbed_packet::{Datagram, Endpoint, Timestamp, Transport};
use natbed_traversal::stun::discovery::{Discovery, Finding};

/// A program that asks what NAT it is behind, and keeps the answer.
pub struct DiscoveryPeer {
    client: Discovery,
    sockets: Vec<Endpoint>,
    finding: Option<Finding>,
}

impl DiscoveryPeer {
    /// A program that waits for its sockets, then for its start.
    pub const fn new(client: Discovery) -> Self {
        Self { client, sockets: Vec::new(), finding: None }
    }

    /// Tells the program its sockets.
    pub fn place(&mut self, sockets: Vec<Endpoint>) {
        self.sockets = sockets;
    }

    /// What it has found, once it has.
    pub const fn finding(&self) -> Option<Finding> {
        self.finding
    }

    pub(crate) fn handle_input(&mut self, now: Timestamp, input: &Input) {
        match input {
            Input::Start => self.sockets.iter().for_each(|local| self.client.add_socket(now, *local)),
            Input::Datagram(Datagram { source, destination, transport: Transport::Udp(udp), .. }) => {
                let local = Endpoint::new(*destination, udp.destination_port);
                let remote = Endpoint::new(*source, udp.source_port);
                self.client.handle_input(now, local, remote, &udp.payload);
            }
            Input::Datagram(_) | Input::Signal { .. } | Input::AddressChanged { .. } => {}
        }
        self.listen();
    }

    pub(crate) fn handle_timeout(&mut self, now: Timestamp) {
        self.client.handle_timeout(now);
        self.listen();
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Output> {
        let transmit = self.client.poll_transmit()?;
        Some(Output::Send(Datagram::udp(transmit.from, transmit.to, transmit.payload)))
    }

    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        self.client.poll_timeout()
    }

    fn listen(&mut self) {
        self.finding = self.finding.or_else(|| self.client.poll_event());
    }
}
