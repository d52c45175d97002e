//! STUN, TURN and ICE among themselves over a network that damages what it carries.

use std::collections::VecDeque;

use bytes::Bytes;
use natbed_packet::{Endpoint, Family, IcmpErrorKind, Timestamp};
use natbed_traversal::Transmit;
use natbed_traversal::ice::{self, Agent, Candidate, Role};
use natbed_traversal::stun::discovery::{self, Discovery, Procedure};
use natbed_traversal::stun::{self, BindingServer, Key, Message};
use natbed_traversal::turn::client::{self, Client};
use natbed_traversal::turn::server::{self, Effect, Server};
use natbed_traversal::turn::{ChannelData, ClientSocket, PeerSocket, RelayedAddress};
use rand::{RngExt, SeedableRng};

use crate::mutate::{mutate, mutate_text};
use crate::{Generator, fuzz, moved, pick};

const SERVER: Endpoint = Endpoint::v4(198, 51, 100, 3, 3478);
const STUN: Endpoint = Endpoint::v4(198, 51, 100, 1, 3478);
const OTHER_STUN: Endpoint = Endpoint::v4(198, 51, 100, 2, 3479);
const CLIENT: Endpoint = Endpoint::v4(203, 0, 113, 1, 5000);
const AGENTS: [Endpoint; 2] = [Endpoint::v4(203, 0, 113, 2, 5000), Endpoint::v4(203, 0, 113, 3, 5000)];
const DISCOVERER: Endpoint = Endpoint::v4(203, 0, 113, 4, 5000);
const NAME: &str = "student";
const PASSWORD: &str = "secret";

#[test]
fn no_message_panics() {
    fuzz("messages", 12_000, |rng| {
        let mut world = World::new(rng);
        for _ in 0..60 {
            world.step(rng);
        }
        world.client.relayed().is_some() || world.agents.iter().any(|agent| agent.selected().is_some())
    });
}

/// Everyone there is, and what is on its way.
struct World {
    now: Timestamp,
    server: Server,
    binding: BindingServer,
    client: Client,
    agents: [Agent; 2],
    discovery: Discovery,
    flying: VecDeque<Transmit>,
    seen: Vec<Bytes>,
}

impl World {
    fn new(rng: &mut Generator) -> Self {
        let mut stream = || Generator::seed_from_u64(rng.random());
        let now = Timestamp::from_secs(1000);
        let mut config = server::Config::new("example.org", SERVER.ip);
        config.sha256 = true;
        let mut server = Server::new(config, stream());
        server.add_user(NAME, PASSWORD);
        let config = client::Config {
            server: SERVER,
            local: CLIENT,
            username: NAME.to_owned(),
            password: PASSWORD.to_owned(),
            family: Family::V4,
            schedule: stun::Schedule::default(),
        };
        let client = Client::new(now, config, stream());
        let mut agents = [Role::Controlling, Role::Controlled].map(|role| {
            let mut config = ice::Config::new(role);
            config.stun_servers.push(STUN);
            config.turn_servers.push(ice::TurnServer {
                address: SERVER,
                username: NAME.to_owned(),
                password: PASSWORD.to_owned(),
            });
            Agent::new(config, stream())
        });
        for (agent, local) in agents.iter_mut().zip(AGENTS) {
            agent.add_local(now, local);
            agent.gather(now);
        }
        let credentials = [agents[0].credentials().clone(), agents[1].credentials().clone()];
        agents[0].set_remote_credentials(now, &credentials[1]);
        agents[1].set_remote_credentials(now, &credentials[0]);
        let mut discovery = Discovery::new(Procedure::Rfc5780, discovery::Config::new(STUN), stream());
        for _ in 0..discovery.sockets_wanted() {
            discovery.add_socket(now, DISCOVERER);
        }
        let binding = BindingServer::with_alternate(STUN, OTHER_STUN).unwrap();
        Self { now, server, binding, client, agents, discovery, flying: VecDeque::new(), seen: Vec::new() }
    }

    fn step(&mut self, rng: &mut Generator) {
        if rng.random_ratio(1, 4) {
            self.now = moved(rng, self.now);
            self.wake();
        }
        self.act(rng);
        self.collect(rng);
        for _ in 0..rng.random_range(0..8) {
            let Some(Transmit { from, to, payload }) = self.flying.pop_front() else { break };
            let mut bytes = payload.to_vec();
            if rng.random_ratio(1, 4) {
                mutate(rng, &mut bytes);
            }
            if rng.random_ratio(1, 8) && !self.seen.is_empty() {
                bytes = pick(rng, &self.seen).to_vec();
            }
            let bytes = Bytes::from(bytes);
            read(&bytes);
            self.seen.push(bytes.clone());
            self.deliver(from, to, &bytes);
        }
    }

    fn wake(&mut self) {
        self.server.handle_timeout(self.now);
        self.client.handle_timeout(self.now);
        self.discovery.handle_timeout(self.now);
        for agent in &mut self.agents {
            agent.handle_timeout(self.now);
        }
    }

    /// What a program may ask for at any time.
    fn act(&mut self, rng: &mut Generator) {
        let payload = Bytes::from(vec![7; rng.random_range(0..40)]);
        let peer = *pick(rng, &[AGENTS[0], AGENTS[1], STUN, SERVER]);
        match rng.random_range(0..10) {
            0 | 1 => drop(self.client.send(self.now, peer, &payload)),
            2 => drop(self.client.permit(self.now, peer.ip)),
            3 => drop(self.client.bind_channel(self.now, peer)),
            4 => drop(self.agents[usize::from(rng.random::<bool>())].send(self.now, payload)),
            5 if rng.random_ratio(1, 16) => self.client.close(self.now),
            6 if rng.random_ratio(1, 16) => self.agents[0].restart(self.now),
            7 => {
                let relayed = RelayedAddress(self.client.relayed().unwrap_or(SERVER));
                let error = IcmpErrorKind::Other { icmp_type: rng.random(), code: rng.random() };
                self.server.handle_peer_error(self.now, relayed, PeerSocket(peer), error);
            }
            _ => {}
        }
    }

    /// Gathers what everyone sends, and carries candidates across, some of them damaged.
    fn collect(&mut self, rng: &mut Generator) {
        self.flying.extend(std::iter::from_fn(|| self.client.poll_transmit()));
        self.flying.extend(std::iter::from_fn(|| self.discovery.poll_transmit()));
        while self.client.poll_event().is_some() {}
        while self.discovery.poll_event().is_some() {}
        while let Some(effect) = self.server.poll_effect() {
            let (from, to, payload) = match effect {
                Effect::ToClient { from, to, payload } => (from, to.0, payload),
                Effect::ToPeer { from, to, payload, .. } => (from.0, to.0, payload),
                Effect::Bind(_) | Effect::Unbind(_) | Effect::Discard { .. } => continue,
            };
            self.flying.push_back(Transmit { from, to, payload });
        }
        for place in 0..2 {
            self.flying.extend(std::iter::from_fn(|| self.agents[place].poll_transmit()));
            while let Some(event) = self.agents[place].poll_event() {
                let other = &mut self.agents[1 - place];
                match event {
                    ice::Event::LocalCandidate { candidate, .. } => {
                        let mut text = candidate.to_string().into_bytes();
                        if rng.random_ratio(1, 4) {
                            let copy = text.clone();
                            mutate_text(rng, &mut text, &copy);
                        }
                        if let Ok(candidate) = String::from_utf8_lossy(&text).parse::<Candidate>() {
                            other.add_remote_candidate(self.now, candidate);
                        }
                    }
                    ice::Event::EndOfCandidates { .. } => other.end_of_remote_candidates(self.now),
                    _ => {}
                }
            }
        }
    }

    fn deliver(&mut self, from: Endpoint, to: Endpoint, bytes: &Bytes) {
        let now = self.now;
        if to == SERVER {
            self.server.handle_client(now, to, ClientSocket(from), bytes);
        } else if to.ip == SERVER.ip {
            self.server.handle_peer(now, RelayedAddress(to), PeerSocket(from), bytes);
        } else if to == CLIENT {
            self.client.handle_input(now, from, bytes);
        } else if to == DISCOVERER {
            self.discovery.handle_input(now, to, from, bytes);
        } else if let Some(place) = AGENTS.iter().position(|local| *local == to) {
            self.agents[place].handle_input(now, to, from, bytes);
        } else {
            self.flying.extend(self.binding.handle(to, from, bytes));
        }
    }
}

/// Reads all that a message has.
fn read(bytes: &Bytes) {
    stun::describe(bytes);
    if let Some(data) = ChannelData::parse(bytes) {
        assert!(data.write(&mut Vec::new()));
    }
    let Ok(message) = Message::parse(bytes) else { return };
    message.attributes().for_each(drop);
    message.unknown_attributes().for_each(drop);
    message.unknown_required();
    message.verify_fingerprint();
    let _ = message.verify_integrity(&Key::long_term(NAME, "example.org", PASSWORD));
    let _ = message.verify_integrity(&Key::short_term(PASSWORD));
}
