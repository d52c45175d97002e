//! A server, a client and a NAT in between that is nothing but a list.

use std::collections::BTreeMap;
use std::time::Duration;

use natbed_packet::{Endpoint, Timestamp};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::super::{Config, Discovery, Finding, Procedure};
pub(super) use super::super::{Filtering as Filter, Mapping as Map};
use crate::Transmit;
use crate::stun::{AttributeType, BindingServer, Builder, Class, Message, Method};

pub(super) const PRIMARY: Endpoint = Endpoint::v4(198, 51, 100, 1, 3478);
pub(super) const ALTERNATE: Endpoint = Endpoint::v4(198, 51, 100, 2, 3479);
const OUTSIDE: Endpoint = Endpoint::v4(203, 0, 113, 1, 0);

pub(super) const fn local(port: u16) -> Endpoint {
    Endpoint::v4(192, 168, 1, 10, port)
}

pub(super) enum Server {
    TwoAddresses,
    OneAddress,
    /// Two addresses, and 420 to whatever a request carries.
    Refuses,
    /// Two addresses, and blind to what a request carries.
    Ignores,
}

pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) config: Config,
    pub(super) server: Server,
    pub(super) lifetime: Duration,
    pub(super) inbound_refreshes: bool,
    pub(super) hairpins: bool,
    /// One way between client and NAT, and between NAT and server.
    pub(super) delay: Duration,
    /// Whether the datagram is lost between NAT and server, counted from 0.
    pub(super) loses: Box<dyn FnMut(u64) -> bool>,
    /// When each request was sent, with its transaction ID.
    pub(super) requests: Vec<(Timestamp, [u8; 12])>,
    map: Option<Map>,
    filter: Filter,
    table: Vec<Entry>,
    next_port: u16,
    crossings: u64,
    /// Datagrams to the NAT, or beyond it to the client, by arrival.
    queue: BTreeMap<(Timestamp, u64), (Hop, Transmit)>,
}

#[derive(Clone, Copy)]
enum Hop {
    FromInside,
    FromOutside,
    AtServer,
    AtClient,
}

struct Entry {
    internal: Endpoint,
    external: Endpoint,
    destination: Endpoint,
    permitted: Vec<Endpoint>,
    deadline: Timestamp,
}

impl World {
    pub(super) fn nat(map: Map, filter: Filter) -> Self {
        Self::new(Some(map), filter)
    }

    /// A box that translates nothing.
    pub(super) fn firewall(filter: Filter) -> Self {
        Self::new(None, filter)
    }

    fn new(map: Option<Map>, filter: Filter) -> Self {
        Self {
            now: Timestamp::ZERO,
            config: Config::new(PRIMARY),
            server: Server::TwoAddresses,
            lifetime: Duration::from_secs(300),
            inbound_refreshes: false,
            hairpins: false,
            delay: Duration::from_millis(10),
            loses: Box::new(|_| false),
            requests: Vec::new(),
            map,
            filter,
            table: Vec::new(),
            next_port: 20_000,
            crossings: 0,
            queue: BTreeMap::new(),
        }
    }

    pub(super) fn lose_randomly(&mut self, seed: u64) {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        self.loses = Box::new(move |_| rng.random_ratio(1, 20));
    }

    pub(super) fn client(&self, procedure: Procedure) -> Discovery {
        Discovery::new(procedure, self.config, Xoshiro256PlusPlus::seed_from_u64(7))
    }

    pub(super) fn binding_server(&self) -> BindingServer {
        match self.server {
            Server::OneAddress => BindingServer::new(PRIMARY),
            _ => BindingServer::with_alternate(PRIMARY, ALTERNATE).unwrap(),
        }
    }

    /// Runs a client from sockets never used before to its finding.
    pub(super) fn run(&mut self, procedure: Procedure) -> Finding {
        let mut client = self.client(procedure);
        while client.sockets_wanted() > 0 {
            self.next_port += 1;
            client.add_socket(self.now, local(self.next_port - 10_000));
        }
        loop {
            while let Some(transmit) = client.poll_transmit() {
                let id = Message::parse(&transmit.payload).unwrap().transaction_id().0;
                self.requests.push((self.now, id));
                self.push(Hop::FromInside, transmit);
            }
            if let Some(finding) = client.poll_event() {
                assert_eq!(client.poll_timeout(), None);
                return finding;
            }
            let due = client.poll_timeout().expect("something to wait for");
            match self.queue.first_key_value() {
                Some(((at, _), _)) if *at <= due => {
                    let ((at, _), (hop, transmit)) = self.queue.pop_first().unwrap();
                    self.now = at;
                    self.hop(hop, transmit, &mut client);
                }
                _ => {
                    self.now = due;
                    client.handle_timeout(due);
                    assert!(client.poll_timeout().is_none_or(|next| next > due));
                }
            }
        }
    }

    fn push(&mut self, hop: Hop, transmit: Transmit) {
        self.crossings += 1;
        self.queue.insert((self.now + self.delay, self.crossings), (hop, transmit));
    }

    fn push_lossy(&mut self, hop: Hop, transmit: Transmit) {
        if !(self.loses)(self.crossings) {
            self.push(hop, transmit);
        }
    }

    fn hop(&mut self, hop: Hop, transmit: Transmit, client: &mut Discovery) {
        self.table.retain(|entry| entry.deadline > self.now);
        match hop {
            Hop::FromInside => {
                let from = self.outbound(transmit.from, transmit.to);
                let transmit = Transmit { from, ..transmit };
                if transmit.to.ip != OUTSIDE.ip {
                    self.push_lossy(Hop::AtServer, transmit);
                } else if self.hairpins {
                    self.push(Hop::FromOutside, transmit);
                }
            }
            Hop::AtServer => {
                if let Some(response) = self.respond(&transmit) {
                    self.push_lossy(Hop::FromOutside, response);
                }
            }
            Hop::FromOutside => {
                if let Some(to) = self.inbound(transmit.from, transmit.to) {
                    self.push(Hop::AtClient, Transmit { to, ..transmit });
                }
            }
            Hop::AtClient => {
                client.handle_input(self.now, transmit.to, transmit.from, &transmit.payload);
            }
        }
    }

    fn respond(&self, request: &Transmit) -> Option<Transmit> {
        let server = self.binding_server();
        let message = Message::parse(&request.payload).ok()?;
        let plain = !message.has(AttributeType::CHANGE_REQUEST) && !message.has(AttributeType::RESPONSE_PORT);
        let mut buffer = Vec::new();
        match self.server {
            Server::Refuses if !plain => {
                let unknown = [AttributeType::CHANGE_REQUEST];
                Builder::new(&mut buffer, Class::Error, Method::Binding, message.transaction_id())
                    .attribute(crate::stun::Attribute::ErrorCode(crate::stun::ErrorCode {
                        code: 420,
                        reason: "Unknown Attribute",
                    }))
                    .unknown_attributes(&unknown);
                Some(Transmit::new(request.to, request.from, &buffer))
            }
            Server::Ignores => {
                Builder::new(&mut buffer, Class::Request, Method::Binding, message.transaction_id());
                server.handle(request.to, request.from, &buffer)
            }
            _ => server.handle(request.to, request.from, &request.payload),
        }
    }

    fn outbound(&mut self, internal: Endpoint, to: Endpoint) -> Endpoint {
        let same = |entry: &Entry| match self.map {
            None | Some(Map::EndpointIndependent) => true,
            Some(Map::AddressDependent) => entry.destination.ip == to.ip,
            Some(Map::AddressAndPortDependent) => entry.destination == to,
        };
        let deadline = self.now + self.lifetime;
        let found = self.table.iter().position(|entry| entry.internal == internal && same(entry));
        let index = found.unwrap_or_else(|| {
            self.next_port += 1;
            let external =
                if self.map.is_some() { Endpoint::new(OUTSIDE.ip, self.next_port) } else { internal };
            self.table.push(Entry { internal, external, destination: to, permitted: Vec::new(), deadline });
            self.table.len() - 1
        });
        let entry = &mut self.table[index];
        entry.deadline = deadline;
        entry.permitted.push(to);
        entry.external
    }

    fn inbound(&mut self, from: Endpoint, to: Endpoint) -> Option<Endpoint> {
        let entry = self.table.iter_mut().find(|entry| entry.external == to)?;
        let permitted = match self.filter {
            Filter::EndpointIndependent => true,
            Filter::AddressDependent => entry.permitted.iter().any(|known| known.ip == from.ip),
            Filter::AddressAndPortDependent => entry.permitted.contains(&from),
        };
        if permitted && self.inbound_refreshes {
            entry.deadline = self.now + self.lifetime;
        }
        permitted.then_some(entry.internal)
    }
}
