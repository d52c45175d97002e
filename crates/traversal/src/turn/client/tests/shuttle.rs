//! A client against a server, in virtual time, behind something that maps its address and loses datagrams.

use super::*;

const DELAY: Duration = Duration::from_millis(20);

struct Shuttle {
    now: Timestamp,
    client: Client,
    server: Server,
    flights: VecDeque<(Timestamp, Flight)>,
    loss: f64,
    dice: Xoshiro256PlusPlus,
    events: Vec<Event>,
    /// What has reached peers: from the relayed address, to the peer, data.
    at_peers: Vec<(RelayedAddress, PeerSocket, Bytes)>,
    discarded: Vec<server::DiscardReason>,
    to_server: Vec<Bytes>,
}

enum Flight {
    ToServer(Bytes),
    ToClient(Bytes),
}

impl Shuttle {
    fn new() -> Self {
        Self::with(config(), |_| {})
    }

    fn with(config: Config, configure: impl FnOnce(&mut server::Config)) -> Self {
        let mut setup = server::Config::new("example.org", SERVER.ip);
        setup.relay_v6 = Some("2001:db8::3".parse().unwrap());
        configure(&mut setup);
        let mut server = Server::new(setup, rng(1));
        server.add_user("student", "secret");
        Self {
            now: Timestamp::ZERO,
            client: Client::new(Timestamp::ZERO, config, rng(2)),
            server,
            flights: VecDeque::new(),
            loss: 0.0,
            dice: rng(3),
            events: Vec::new(),
            at_peers: Vec::new(),
            discarded: Vec::new(),
            to_server: Vec::new(),
        }
    }

    fn allocated() -> Self {
        let mut shuttle = Self::new();
        shuttle.run_for(1);
        assert!(shuttle.client.relayed().is_some());
        shuttle
    }

    fn drain(&mut self) {
        while let Some(transmit) = self.client.poll_transmit() {
            assert_eq!((transmit.from, transmit.to), (LOCAL, SERVER));
            self.to_server.push(transmit.payload.clone());
            self.launch(Flight::ToServer(transmit.payload));
        }
        while let Some(effect) = self.server.poll_effect() {
            match effect {
                server::Effect::ToClient { from: SERVER, to: ClientSocket(MAPPED), payload } => {
                    self.launch(Flight::ToClient(payload));
                }
                server::Effect::ToPeer { from, to, payload, .. } => self.at_peers.push((from, to, payload)),
                server::Effect::Discard { reason, .. } => self.discarded.push(reason),
                server::Effect::Bind(_) | server::Effect::Unbind(_) => {}
                other @ server::Effect::ToClient { .. } => panic!("{other:?}"),
            }
        }
        self.events.extend(std::iter::from_fn(|| self.client.poll_event()));
    }

    fn launch(&mut self, flight: Flight) {
        if !self.dice.random_bool(self.loss) {
            self.flights.push_back((self.now + DELAY, flight));
        }
    }

    /// Runs until nothing is left to do before `deadline`.
    fn run_until(&mut self, deadline: Timestamp) {
        loop {
            self.drain();
            let flight = self.flights.front().map(|&(at, _)| at);
            let next = [flight, self.client.poll_timeout(), self.server.poll_timeout()];
            let Some(next) = next.into_iter().flatten().min().filter(|&next| next <= deadline) else { break };
            assert!(next >= self.now);
            self.now = next;
            if flight == Some(next) {
                match self.flights.pop_front() {
                    Some((_, Flight::ToServer(bytes))) => {
                        self.server.handle_client(next, SERVER, ClientSocket(MAPPED), &bytes);
                    }
                    Some((_, Flight::ToClient(bytes))) => {
                        self.client.handle_input(next, SERVER, &bytes);
                    }
                    None => {}
                }
            } else {
                self.client.handle_timeout(next);
                self.server.handle_timeout(next);
                assert!(self.client.poll_timeout().is_none_or(|later| later > next));
                assert!(self.server.poll_timeout().is_none_or(|later| later > next));
            }
        }
        self.now = deadline;
    }

    fn run_for(&mut self, seconds: u64) {
        self.run_until(self.now + Duration::from_secs(seconds));
    }

    fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    fn send(&mut self, peer: Endpoint, data: &'static [u8]) {
        self.client.send(self.now, peer, &Bytes::from_static(data)).unwrap();
    }

    fn peer_sends(&mut self, peer: Endpoint, data: &[u8]) {
        let relayed = RelayedAddress(self.client.relayed().unwrap());
        self.server.handle_peer(self.now, relayed, PeerSocket(peer), data);
    }

    fn data_at_peers(&self) -> Vec<&[u8]> {
        self.at_peers.iter().map(|(.., data)| &data[..]).collect()
    }

    /// How many messages of `class` and `method` the client has sent.
    fn sent(&self, class: Class, method: Method) -> usize {
        let of_kind =
            |bytes: &&Bytes| Message::parse(bytes).is_ok_and(|m| m.class() == class && m.method() == method);
        self.to_server.iter().filter(of_kind).count()
    }
}

#[test]
fn rfc8489_9_2_5_a_401_is_answered_with_credentials_and_the_allocation_stands() {
    let mut shuttle = Shuttle::new();
    shuttle.run_for(1);
    let relayed = shuttle.client.relayed().unwrap();
    assert_eq!(shuttle.sent(Class::Request, Method::Allocate), 2);
    let lifetime = Duration::from_secs(600);
    assert_eq!(shuttle.take_events(), [Event::Allocated { relayed, mapped: MAPPED, lifetime }]);
    assert_eq!(shuttle.client.mapped(), Some(MAPPED));
}

#[test]
fn rfc8489_9_2_5_sha_256_and_userhash_are_used_where_offered() {
    let mut shuttle = Shuttle::with(config(), |config| {
        config.sha256 = true;
        config.nonce_lifetime = Duration::from_secs(700);
    });
    shuttle.send(PEER, b"x");
    shuttle.run_for(1500);
    assert!(shuttle.client.relayed().is_some());
    assert_eq!(shuttle.data_at_peers(), [b"x"]);
    for bytes in &shuttle.to_server[1..] {
        let message = Message::parse(bytes).unwrap();
        if message.class() == Class::Request {
            assert!(!message.has(AttributeType::USERNAME) && !message.has(AttributeType::MESSAGE_INTEGRITY));
            assert_eq!(message.password_algorithm(), Some(2));
        }
    }
}

#[test]
fn ipv6_relayed_address_on_request() {
    let mut shuttle = Shuttle::with(Config { family: Family::V6, ..config() }, |_| {});
    shuttle.run_for(1);
    assert_eq!(shuttle.client.relayed().unwrap().family(), Family::V6);
    let peer: Endpoint = "[2001:db8::9]:1".parse().unwrap();
    shuttle.send(peer, b"six");
    shuttle.run_for(1);
    assert_eq!(shuttle.at_peers[0].1, PeerSocket(peer));
    assert_eq!(shuttle.client.send(shuttle.now, PEER, &Bytes::new()), Err(SendError::Family));
}

#[test]
fn data_waits_for_allocation_and_permission_then_flows_both_ways() {
    let mut shuttle = Shuttle::new();
    shuttle.send(PEER, b"one");
    shuttle.send(PEER, b"two");
    shuttle.run_for(1);
    assert_eq!(shuttle.data_at_peers(), [b"one", b"two"]);
    assert_eq!(shuttle.at_peers[0].0, RelayedAddress(shuttle.client.relayed().unwrap()));
    assert!(shuttle.take_events().contains(&Event::PermissionInstalled(PEER.ip)));
    shuttle.peer_sends(PEER, b"back");
    shuttle.run_for(1);
    let payload = Bytes::from_static(b"back");
    assert_eq!(shuttle.take_events(), [Event::Received { peer: PEER, payload }]);
    assert_eq!(shuttle.discarded, []);
}

#[test]
fn a_permission_lets_a_peer_speak_first() {
    let mut shuttle = Shuttle::allocated();
    shuttle.client.permit(shuttle.now, PEER.ip).unwrap();
    shuttle.run_for(1);
    shuttle.peer_sends(Endpoint::new(PEER.ip, 9), b"hi");
    shuttle.run_for(1);
    assert!(matches!(shuttle.events.last(), Some(Event::Received { .. })));
}

#[test]
fn rfc8656_12_channel_carries_data_both_ways_once_bound() {
    let mut shuttle = Shuttle::allocated();
    shuttle.client.bind_channel(shuttle.now, PEER).unwrap();
    shuttle.send(PEER, b"before");
    shuttle.run_for(1);
    assert_eq!(shuttle.client.bound_channel(PEER), Some(0x4000));
    assert!(shuttle.take_events().contains(&Event::ChannelBound { peer: PEER, number: 0x4000 }));
    let indications = shuttle.sent(Class::Indication, Method::Send);
    shuttle.send(PEER, b"after");
    shuttle.peer_sends(PEER, b"back");
    shuttle.run_for(1);
    assert_eq!(shuttle.data_at_peers(), [&b"before"[..], b"after"]);
    assert_eq!(shuttle.sent(Class::Indication, Method::Send), indications, "ChannelData instead");
    let payload = Bytes::from_static(b"back");
    assert_eq!(shuttle.take_events(), [Event::Received { peer: PEER, payload }]);
}

#[test]
fn rfc8656_12_each_peer_gets_a_channel_of_its_own() {
    let mut shuttle = Shuttle::allocated();
    for port in 1..=3 {
        shuttle.client.bind_channel(shuttle.now, Endpoint::new(PEER.ip, port)).unwrap();
    }
    shuttle.run_for(1);
    let numbers: Vec<_> =
        (1..=3).filter_map(|port| shuttle.client.bound_channel(Endpoint::new(PEER.ip, port))).collect();
    assert_eq!(numbers, [0x4000, 0x4001, 0x4002]);
}

#[test]
fn rfc8656_8_allocation_permission_and_channel_are_kept_for_an_hour_through_stale_nonces() {
    let mut shuttle = Shuttle::with(config(), |config| config.nonce_lifetime = Duration::from_secs(700));
    shuttle.run_for(1);
    shuttle.client.bind_channel(shuttle.now, PEER).unwrap();
    shuttle.run_for(3600);
    shuttle.peer_sends(PEER, b"in");
    shuttle.send(PEER, b"out");
    shuttle.run_for(1);
    assert_eq!(shuttle.data_at_peers(), [b"out"]);
    assert!(matches!(shuttle.events.last(), Some(Event::Received { .. })));
    assert!(!shuttle.events.iter().any(|event| matches!(event, Event::Failed(_))));
    assert_eq!(shuttle.discarded, []);
    let refreshes = shuttle.sent(Class::Request, Method::Refresh);
    assert!(
        (6..=12).contains(&refreshes),
        "about one in 540 s, and one more for each stale nonce: {refreshes}"
    );
}

#[test]
fn loss_of_a_fifth_is_made_up_for() {
    let mut shuttle = Shuttle::new();
    shuttle.loss = 0.2;
    shuttle.client.bind_channel(shuttle.now, PEER).unwrap();
    shuttle.run_for(120);
    assert!(shuttle.client.relayed().is_some());
    assert_eq!(shuttle.client.bound_channel(PEER), Some(0x4000));
    shuttle.run_for(3000);
    assert!(shuttle.client.relayed().is_some());
    assert_eq!(shuttle.server.allocation_count(), 1);
}

#[test]
fn rfc8656_8_close_deletes_the_allocation() {
    let mut shuttle = Shuttle::allocated();
    shuttle.send(PEER, b"x");
    shuttle.run_for(1);
    shuttle.take_events();
    shuttle.client.close(shuttle.now);
    assert_eq!(shuttle.client.send(shuttle.now, PEER, &Bytes::new()), Err(SendError::NoAllocation));
    shuttle.run_for(1);
    assert_eq!(shuttle.take_events(), [Event::Closed]);
    assert_eq!((shuttle.server.allocation_count(), shuttle.client.poll_timeout()), (0, None));
}

#[test]
fn close_before_the_allocation_stands_leaves_none_behind() {
    let mut shuttle = Shuttle::new();
    shuttle.client.close(shuttle.now);
    shuttle.run_for(1);
    assert_eq!(shuttle.take_events(), [Event::Closed]);
    assert_eq!(shuttle.server.allocation_count(), 0);
}

#[test]
fn rfc8656_8_3_close_counts_437_as_success() {
    let mut shuttle = Shuttle::allocated();
    shuttle.server.handle_timeout(shuttle.now + Duration::from_secs(600));
    shuttle.take_events();
    shuttle.client.close(shuttle.now);
    shuttle.run_for(1);
    assert_eq!(shuttle.take_events(), [Event::Closed]);
}

#[test]
fn rfc8656_5_437_means_that_the_allocation_is_gone() {
    let mut shuttle = Shuttle::allocated();
    shuttle.server.handle_timeout(shuttle.now + Duration::from_secs(600));
    shuttle.take_events();
    shuttle.send(PEER, b"x");
    shuttle.run_for(1);
    let events = shuttle.take_events();
    assert!(matches!(events[..], [Event::Failed(Failure::Rejected { code: 437, .. })]), "{events:?}");
    assert_eq!((shuttle.client.relayed(), shuttle.client.poll_timeout()), (None, None));
}

#[test]
fn rfc8489_9_2_5_wrong_password_fails_after_one_retry() {
    let mut shuttle = Shuttle::with(Config { password: "wrong".to_owned(), ..config() }, |_| {});
    shuttle.run_for(60);
    let events = shuttle.take_events();
    assert!(matches!(events[..], [Event::Failed(Failure::Rejected { code: 401, .. })]), "{events:?}");
    assert_eq!(shuttle.sent(Class::Request, Method::Allocate), 2, "no retry with identical credentials");
}

#[test]
fn rfc8656_7_4_quota_is_reported() {
    let mut shuttle = Shuttle::with(config(), |config| config.quota = 0);
    shuttle.run_for(1);
    let events = shuttle.take_events();
    assert!(matches!(events[..], [Event::Failed(Failure::Rejected { code: 486, .. })]), "{events:?}");
}

#[test]
fn rfc8656_10_2_refused_permission_is_reported_and_remembered() {
    let mut shuttle =
        Shuttle::with(config(), |config| config.denied_peers = vec!["203.0.113.0/24".parse().unwrap()]);
    shuttle.run_for(1);
    shuttle.take_events();
    shuttle.send(PEER, b"x");
    shuttle.run_for(1);
    let events = shuttle.take_events();
    let [Event::PermissionFailed { peer, failure: Failure::Rejected { code: 403, .. } }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(*peer, PEER.ip);
    assert_eq!(shuttle.client.send(shuttle.now, PEER, &Bytes::new()), Err(SendError::Refused));
    assert_eq!(shuttle.data_at_peers(), [b""; 0]);
}

#[test]
fn rfc8656_11_6_icmp_errors_reach_the_client() {
    let mut shuttle = Shuttle::allocated();
    shuttle.send(PEER, b"x");
    shuttle.run_for(1);
    shuttle.take_events();
    let relayed = RelayedAddress(shuttle.client.relayed().unwrap());
    let kind = natbed_packet::IcmpErrorKind::PortUnreachable;
    shuttle.server.handle_peer_error(shuttle.now, relayed, PeerSocket(PEER), kind);
    shuttle.run_for(1);
    assert_eq!(shuttle.take_events(), [Event::PeerError { peer: PEER, icmp_type: 3, code: 3, data: 0 }]);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = || {
        let mut shuttle = Shuttle::new();
        shuttle.loss = 0.2;
        shuttle.client.bind_channel(shuttle.now, PEER).unwrap();
        shuttle.run_for(700);
        (shuttle.to_server.clone(), shuttle.take_events())
    };
    assert_eq!(run(), run());
}
