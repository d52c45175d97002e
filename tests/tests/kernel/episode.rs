//! A short random script among endpoints that no other episode uses.

use std::collections::BTreeMap;
use std::fmt;

use natbed_nat::behavior::{PortAssignment, PortRange};
use natbed_nat::{Config, Nat, Outcome};
use natbed_packet::{Datagram, Endpoint, Timestamp};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::names::{Names, Port, Verdict};
use crate::testbed::{EXTERNAL, HOSTS, REMOTES, Testbed, at};
use crate::worker::Arrival;
use crate::{Ports, Rule};

const PACKETS: u64 = 60;

/// What all episodes of a rule came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) packets: u64,
    delivered: u64,
    pub(crate) episodes: u64,
    /// Mappings whose port was neither the internal one nor another mapping's.
    drawn: u64,
    /// Episodes that ended early for a [coincidence](Verdict::Coincidence).
    coincidences: u64,
}

/// A packet's fate: who received it from where.
type Fate = Option<(Endpoint, Endpoint)>;

/// One run of the script.
pub(crate) struct Episode<'a> {
    rule: &'a Rule,
    testbed: &'a mut Testbed,
    nat: Nat,
    rng: Xoshiro256PlusPlus,
    internal: Vec<Endpoint>,
    remotes: Vec<Endpoint>,
    names: Names,
    /// The port of each flow, by internal socket and remote.
    flows: BTreeMap<(usize, usize), Port>,
    /// The port of each internal socket's newest flow.
    newest: BTreeMap<usize, Port>,
    story: Vec<String>,
}

/// What a packet does next.
enum Step {
    /// From an internal socket to a remote.
    Out(usize, usize),
    /// From a remote to an external port.
    In(usize, Port),
    /// From an internal socket to an external port.
    Around(usize, Port),
}

impl<'a> Episode<'a> {
    pub(crate) fn new(rule: &'a Rule, testbed: &'a mut Testbed, number: u64) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(number);
        let ports = [0, 1, 2, 3].map(|place| internal_port(rule.ports, number, place));
        // Both hosts have the first two ports, and one more each.
        let sockets = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 3)];
        let internal: Vec<Endpoint> =
            sockets.iter().map(|(host, port)| at(HOSTS[*host], ports[*port])).collect();
        let remote_port = u16::try_from(1024 + 2 * number % 60_000).unwrap();
        let remotes: Vec<Endpoint> =
            REMOTES.iter().flat_map(|ip| [at(*ip, remote_port), at(*ip, remote_port + 1)]).collect();
        testbed.open(&internal, &remotes);
        let config = Config {
            behavior: rule.behavior.clone(),
            external: vec![at(EXTERNAL, 0).ip],
            internal: vec!["192.168.77.0/24".parse().unwrap()],
        };
        let nat = Nat::new(config, Xoshiro256PlusPlus::seed_from_u64(rng.random())).unwrap();
        let mut names = Names::default();
        ports.iter().for_each(|port| names.fix(*port));
        Self {
            rule,
            testbed,
            nat,
            rng,
            internal,
            remotes,
            names,
            flows: BTreeMap::new(),
            newest: BTreeMap::new(),
            story: Vec::new(),
        }
    }

    pub(crate) fn run(mut self, tally: &mut Tally) {
        tally.episodes += 1;
        for _ in 0..PACKETS {
            let step = self.next_step();
            tally.packets += 1;
            let known = self.flows.len();
            let fate = match step {
                Step::Out(from, to) => self.send_out(from, to),
                Step::In(from, port) => self.send_in(from, port),
                Step::Around(from, port) => self.send_around(from, port),
            };
            let Some(fate) = fate else {
                tally.coincidences += 1;
                break;
            };
            tally.delivered += u64::from(fate.is_some());
            tally.drawn += u64::from(self.flows.len() > known && self.is_drawn(fate));
        }
        let strays = self.testbed.strays();
        assert!(strays.is_empty(), "{strays:?} arrived where nothing should\n{}", self.story.join("\n"));
    }

    fn is_drawn(&self, fate: Fate) -> bool {
        fate.is_some_and(|(_, source)| self.internal.iter().all(|socket| socket.port != source.port))
    }

    fn next_step(&mut self) -> Step {
        let (from, to) = (self.rng.random_range(0..6), self.rng.random_range(0..6));
        let chance = self.rng.random_range(0..100);
        if chance < 45 {
            return Step::Out(from, to);
        }
        let flow = self.rng.random_range(0..self.flows.len().max(1));
        let flow = self.flows.iter().nth(flow).map(|(flow, port)| (*flow, *port));
        match (chance, flow, self.rule.ports) {
            (45..65, Some(((_, remote), port)), _) => Step::In(remote, port),
            (65..82, Some((_, port)), Ports::Wide | Ports::Range(_)) => Step::In(to, port),
            (65..97, _, Ports::Few(range)) => self.early_into(range, from, to),
            (82..97, _, _) => {
                let port = self.internal[from].port;
                Step::In(to, Port { kernel: port, ours: port })
            }
            (97.., Some((_, port)), _) => Step::Around(from, port),
            _ => Step::Out(from, to),
        }
    }

    /// Where few ports are drawn from, nobody can tell which of them the other side would have drawn: only a remote
    /// that nothing was sent to may try one.
    fn early_into(&mut self, range: PortRange, from: usize, to: usize) -> Step {
        if self.flows.keys().any(|(_, remote)| *remote == to) || self.rng.random_bool(0.5) {
            return Step::Out(from, to);
        }
        let port = self.rng.random_range(range.first..=range.last);
        Step::In(to, Port { kernel: port, ours: port })
    }

    /// The fate of a packet, if both agree; `None` if they disagree by coincidence.
    fn send_out(&mut self, from: usize, to: usize) -> Option<Fate> {
        let (source, remote) = (self.internal[from], self.remotes[to]);
        let arrivals = self.testbed.send_out(from, remote);
        let kernel = self.fate(&arrivals, |bed| &bed.remotes);
        let mut datagram = Datagram::udp(source, remote, Default::default());
        let ours = match self.nat.outbound(Timestamp::ZERO, &mut datagram) {
            Outcome::Outside(_) => Some((remote, datagram.source_endpoint().unwrap())),
            Outcome::Inside(_) | Outcome::Drop(_) | Outcome::Held(_) => None,
        };
        self.tell("out", source, remote, kernel, ours);
        let (Some((kernel_receiver, kernel_source)), Some((receiver, our_source))) = (kernel, ours) else {
            self.expect(kernel.is_none() && ours.is_none());
            return Some(None);
        };
        self.expect(kernel_receiver == receiver && kernel_source.ip == our_source.ip);
        let port = Port { kernel: kernel_source.port, ours: our_source.port };
        self.agree(from, to, port).then_some(kernel)
    }

    /// Whether the two ports of a flow are one, and not two by coincidence.
    fn agree(&mut self, from: usize, to: usize, port: Port) -> bool {
        if let Some(known) = self.flows.get(&(from, to)) {
            self.expect(*known == port);
            return true;
        }
        if let Ports::Few(range) = self.rule.ports {
            self.expect(range.contains(port.kernel) && range.contains(port.ours));
            let clash = self.flows.iter().any(|((_, remote), other)| {
                *remote == to && (other.kernel == port.kernel || other.ours == port.ours)
            });
            self.expect(!clash);
            self.flows.insert((from, to), port);
            return true;
        }
        let verdict = self.names.judge(port, &self.kept(from));
        self.expect(verdict != Verdict::Different);
        self.flows.insert((from, to), port);
        self.newest.insert(from, port);
        verdict == Verdict::Same
    }

    /// The ports that a NAT that keeps ports has a reason to give to another flow of a socket.
    fn kept(&self, from: usize) -> Vec<Port> {
        if self.rule.behavior.ports == PortAssignment::Random {
            return Vec::new();
        }
        let own = self.internal[from].port;
        self.newest.get(&from).copied().into_iter().chain([Port { kernel: own, ours: own }]).collect()
    }

    fn send_in(&mut self, from: usize, port: Port) -> Option<Fate> {
        let remote = self.remotes[from];
        let arrivals = self.testbed.send_in(from, at(EXTERNAL, port.kernel));
        let kernel = self.fate(&arrivals, |bed| &bed.internal);
        let mut datagram = Datagram::udp(remote, at(EXTERNAL, port.ours), Default::default());
        let ours = match self.nat.inbound(Timestamp::ZERO, &mut datagram) {
            Outcome::Inside(_) => Some((datagram.destination_endpoint().unwrap(), remote)),
            Outcome::Outside(_) | Outcome::Drop(_) | Outcome::Held(_) => None,
        };
        self.tell("in", remote, at(EXTERNAL, port.kernel), kernel, ours);
        self.expect(kernel == ours);
        Some(kernel)
    }

    fn send_around(&mut self, from: usize, port: Port) -> Option<Fate> {
        let source = self.internal[from];
        let arrivals = self.testbed.send_out(from, at(EXTERNAL, port.kernel));
        let kernel = self.fate(&arrivals, |bed| &bed.remotes);
        let mut datagram = Datagram::udp(source, at(EXTERNAL, port.ours), Default::default());
        let dropped = matches!(self.nat.outbound(Timestamp::ZERO, &mut datagram), Outcome::Drop(_));
        self.tell("around", source, at(EXTERNAL, port.kernel), kernel, None);
        self.expect(kernel.is_none() && dropped);
        Some(None)
    }

    fn fate(&self, arrivals: &[Arrival], receivers: fn(&Self) -> &Vec<Endpoint>) -> Fate {
        assert!(arrivals.len() < 2, "twice: {arrivals:?}");
        arrivals.first().map(|arrival| (receivers(self)[arrival.socket], arrival.source))
    }

    fn tell(&mut self, way: &str, source: Endpoint, destination: Endpoint, kernel: Fate, ours: Fate) {
        let shown = |fate: Fate| match fate {
            Some((receiver, source)) => format!("{receiver} got it from {source}"),
            None => "nobody got it".to_owned(),
        };
        let (kernel, ours) = (shown(kernel), shown(ours));
        self.story.push(format!("{way} {source} -> {destination}: kernel: {kernel}; ours: {ours}"));
    }

    fn expect(&self, agreed: bool) {
        let Rule { statement, input, .. } = self.rule;
        assert!(agreed, "{statement}, input {}:\n{}", input.verdict(), self.story.join("\n"));
    }
}

/// A port that no other episode in the same network uses.
fn internal_port(ports: Ports, episode: u64, place: u64) -> u16 {
    let port = match ports {
        // Half of them lie in the range.
        Ports::Range(range) if place < 2 => {
            u64::from(range.first) + (2 * episode + place) % u64::from(range.size())
        }
        Ports::Range(_) => 50_000 + (2 * episode + place) % 15_000,
        // All sizes of ports in turn: 25717 and 65535 have no common factor.
        Ports::Wide | Ports::Few(_) => 1 + (4 * episode + place) * 25_717 % 65_535,
    };
    u16::try_from(port).unwrap()
}

impl Tally {
    /// Coincidences are as rare as chance makes them. A NAT with a reason for what looks like one shows more.
    pub(crate) fn check(&self) {
        assert!(self.coincidences <= 5 + self.episodes / 20, "too many coincidences: {self}");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { packets, delivered, episodes, drawn, coincidences } = self;
        write!(
            f,
            "{packets} packets, {delivered} delivered, in {episodes} episodes; {drawn} ports drawn at random, \
             {coincidences} episodes cut short by a coincidence"
        )
    }
}
