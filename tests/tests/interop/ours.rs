//! natbed's side as programs on hosts: its TURN server and client, and a peer that echoes.

use std::collections::VecDeque;

use bytes::Bytes;
use natbed_lab::peer::{Peer, TurnPeer};
use natbed_lab::scenario::{Credentials, parse};
use natbed_net::{Input, Output, Program};
use natbed_packet::{Datagram, Endpoint, Family, Timestamp, Transport};
use natbed_traversal::stun::Schedule;
use natbed_traversal::turn::client::{Client, Config, Event};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

use crate::{PASSWORD, SERVER, USER};

/// What a program has to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// The client has its relayed address.
    Allocated(Endpoint),
    /// A channel to the peer is bound.
    ChannelBound,
    /// Data came from a peer through the relay, or straight to the peer.
    Received(Endpoint, Bytes),
    /// Something was refused or failed.
    Failed(String),
}

/// A program of either side.
pub(crate) type Boxed = Box<dyn Program<Event = Told>>;

/// What a client does, and when: seconds from the start.
pub(crate) struct Script {
    acts: VecDeque<(u64, Act)>,
}

/// One thing that a client does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Permit(Endpoint),
    Send(Endpoint, &'static str),
    Bind(Endpoint),
    Close,
}

impl Script {
    pub(crate) fn new(acts: &[(u64, Act)]) -> Self {
        Self { acts: acts.iter().copied().collect() }
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.acts.front().map(|(at, _)| Timestamp::from_secs(*at))
    }

    pub(crate) fn due(&mut self, now: Timestamp) -> Option<Act> {
        self.next().filter(|at| *at <= now)?;
        self.acts.pop_front().map(|(_, act)| act)
    }
}

/// Where a datagram came from, where it went, and what it carries; `None` if it is not UDP.
pub(crate) fn udp(input: Input) -> Option<(Endpoint, Endpoint, Bytes)> {
    match input {
        Input::Datagram(Datagram { source, destination, transport: Transport::Udp(udp), .. }) => Some((
            Endpoint::new(source, udp.source_port),
            Endpoint::new(destination, udp.destination_port),
            udp.payload,
        )),
        _ => None,
    }
}

/// natbed's TURN server.
pub(crate) struct OurServer(Peer);

impl OurServer {
    pub(crate) fn new() -> Self {
        let scenario = parse(b"format = 1\n[turn.turn]\naddress = \"198.51.100.3\"").unwrap();
        let credentials = Credentials { user: USER.to_owned(), password: PASSWORD.to_owned() };
        let rng = Xoshiro256PlusPlus::seed_from_u64(3);
        Self(Peer::Turn(Box::new(TurnPeer::new(&scenario.servers[0], &credentials, None, None, rng))))
    }
}

impl Program for OurServer {
    type Event = Told;

    fn handle_input(&mut self, now: Timestamp, input: Input) {
        self.0.handle_input(now, input);
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        self.0.handle_timeout(now);
    }

    fn poll_transmit(&mut self) -> Option<Output> {
        self.0.poll_transmit()
    }

    fn poll_event(&mut self) -> Option<Told> {
        self.0.poll_event().map(|event| Told::Failed(format!("{event:?}")))
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.0.poll_timeout()
    }
}

/// natbed's TURN client, at work on a script.
pub(crate) struct OurClient {
    config: Config,
    client: Option<Client>,
    script: Script,
    told: VecDeque<Told>,
}

impl OurClient {
    pub(crate) fn new(local: Endpoint, password: &str, script: Script) -> Self {
        let config = Config {
            server: SERVER,
            local,
            username: USER.to_owned(),
            password: password.to_owned(),
            family: Family::V4,
            schedule: Schedule::default(),
        };
        Self { config, client: None, script, told: VecDeque::new() }
    }

    fn listen(&mut self) {
        while let Some(event) = self.client.as_mut().and_then(Client::poll_event) {
            self.told.push_back(match event {
                Event::Allocated { relayed, .. } => Told::Allocated(relayed),
                Event::ChannelBound { .. } => Told::ChannelBound,
                Event::Received { peer, payload } => Told::Received(peer, payload),
                Event::PermissionInstalled(_) | Event::Redirected { .. } | Event::Closed => continue,
                Event::Failed(failure)
                | Event::PermissionFailed { failure, .. }
                | Event::ChannelFailed { failure, .. } => Told::Failed(failure.to_string()),
                Event::PeerError { .. } => Told::Failed("ICMP error".to_owned()),
            });
        }
    }
}

impl Program for OurClient {
    type Event = Told;

    fn handle_input(&mut self, now: Timestamp, input: Input) {
        match (input, &mut self.client) {
            (Input::Start, client) => {
                let rng = Xoshiro256PlusPlus::seed_from_u64(4);
                *client = Some(Client::new(now, self.config.clone(), rng));
            }
            (input, Some(client)) => {
                if let Some((from, _, payload)) = udp(input) {
                    client.handle_input(now, from, &payload);
                }
            }
            _ => {}
        }
        self.listen();
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        let Some(client) = &mut self.client else { return };
        client.handle_timeout(now);
        while let Some(act) = self.script.due(now) {
            let done = match act {
                Act::Permit(peer) => client.permit(now, peer.ip),
                Act::Send(peer, text) => client.send(now, peer, &Bytes::from_static(text.as_bytes())),
                Act::Bind(peer) => client.bind_channel(now, peer),
                Act::Close => {
                    client.close(now);
                    Ok(())
                }
            };
            if let Err(error) = done {
                self.told.push_back(Told::Failed(error.to_string()));
            }
        }
        self.listen();
    }

    fn poll_transmit(&mut self) -> Option<Output> {
        let transmit = self.client.as_mut()?.poll_transmit()?;
        Some(Output::Send(Datagram::udp(transmit.from, transmit.to, transmit.payload)))
    }

    fn poll_event(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        let client = self.client.as_ref()?;
        client.poll_timeout().into_iter().chain(self.script.next()).min()
    }
}

/// A peer: sends back what it receives, and tells of it.
#[derive(Default)]
pub(crate) struct Echo {
    outputs: VecDeque<Output>,
    told: VecDeque<Told>,
}

impl Program for Echo {
    type Event = Told;

    fn handle_input(&mut self, _now: Timestamp, input: Input) {
        if let Some((from, to, payload)) = udp(input) {
            self.told.push_back(Told::Received(from, payload.clone()));
            self.outputs.push_back(Output::Send(Datagram::udp(to, from, payload)));
        }
    }

    fn handle_timeout(&mut self, _now: Timestamp) {}

    fn poll_transmit(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_event(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }
}
