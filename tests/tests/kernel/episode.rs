//! A short random script among endpoints that no other episode uses.

use std::collections::BTreeMap;
use std::fmt;

use natbed_nat::behavior::{PortAssignment, PortRange};
use natbed_nat::{Config, Nat, Outcome};
use natbed_packet::{Datagram, Endpoint, Timestamp};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::names::{Names, Port, Verdict};
use crate::pieces::{Pieces, Shape, Way};
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
    /// Datagrams delivered in fragments.
    in_fragments: u64,
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
    /// The newest datagram that lacks a fragment.
    lacking: Option<Box<Sending>>,
    story: Vec<String>,
}

/// What a packet does next.
enum Step {
    /// It goes whole.
    Whole(Way),
    /// It goes in fragments.
    Cut(Way, Shape),
    /// The fragment that the newest incomplete datagram lacks comes after all.
    Late(Box<Sending>),
    /// From an internal socket to an external port.
    Around(usize, Port),
}

/// Fragments of a datagram on their way through the kernel and through us.
struct Sending {
    way: Way,
    number: u64,
    kernel: Pieces,
    ours: Pieces,
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
            lacking: None,
            story: Vec::new(),
        }
    }

    pub(crate) fn run(mut self, tally: &mut Tally) {
        tally.episodes += 1;
        for _ in 0..PACKETS {
            let step = self.next_step();
            tally.packets += 1;
            let known = self.flows.len();
            let whole = matches!(step, Step::Whole(_) | Step::Around(..));
            let fate = match step {
                Step::Whole(way) => self.send(way),
                Step::Cut(way, shape) => self.send_cut(way, shape),
                Step::Late(lacking) => self.send_pieces("the fragment that it lacked", *lacking),
                Step::Around(from, port) => self.send_around(from, port),
            };
            let Some(fate) = fate else {
                tally.coincidences += 1;
                break;
            };
            tally.delivered += u64::from(fate.is_some());
            tally.in_fragments += u64::from(fate.is_some() && !whole);
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
        let flow = self.rng.random_range(0..self.flows.len().max(1));
        let flow = self.flows.iter().nth(flow).map(|(flow, port)| (*flow, *port));
        let way = match (chance, flow, self.rule.ports) {
            (45..65, Some(((_, remote), port)), _) => Way::In(remote, port),
            (65..82, Some((_, port)), Ports::Wide | Ports::Range(_)) => Way::In(to, port),
            (65..97, _, Ports::Few(range)) => self.early_into(range, from, to),
            (82..97, _, _) => {
                let port = self.internal[from].port;
                Way::In(to, Port { kernel: port, ours: port })
            }
            (97.., Some((_, port)), _) => return Step::Around(from, port),
            _ => Way::Out(from, to),
        };
        match self.rng.random_range(0..100) {
            0..12 => Step::Cut(way, Shape::draw(&mut self.rng)),
            12..14 => self.lacking.take().map_or(Step::Whole(way), Step::Late),
            _ => Step::Whole(way),
        }
    }

    /// Where few ports are drawn from, nobody can tell which of them the other side would have drawn: only a remote
    /// that nothing was sent to may try one.
    fn early_into(&mut self, range: PortRange, from: usize, to: usize) -> Way {
        if self.flows.keys().any(|(_, remote)| *remote == to) || self.rng.random_bool(0.5) {
            return Way::Out(from, to);
        }
        let port = self.rng.random_range(range.first..=range.last);
        Way::In(to, Port { kernel: port, ours: port })
    }

    /// The fate of a packet, if both agree; `None` if they disagree by coincidence.
    fn send(&mut self, way: Way) -> Option<Fate> {
        let (source, [for_kernel, for_us]) = self.ends(way);
        let arrivals = match way {
            Way::Out(from, _) => self.testbed.send_out(from, for_kernel),
            Way::In(from, _) => self.testbed.send_in(from, for_kernel),
        };
        let mut datagram = Datagram::udp(source, for_us, Default::default());
        let outcome = match way {
            Way::Out(..) => self.nat.outbound(Timestamp::ZERO, &mut datagram),
            Way::In(..) => self.nat.inbound(Timestamp::ZERO, &mut datagram),
        };
        let passed = match (way, outcome) {
            (Way::Out(..), Outcome::Outside(_)) | (Way::In(..), Outcome::Inside(_)) => Some(datagram),
            _ => None,
        };
        self.judge("whole", way, &arrivals, passed.as_ref())
    }

    fn send_cut(&mut self, way: Way, shape: Shape) -> Option<Fate> {
        let number = self.testbed.number();
        let (source, destinations) = self.ends(way);
        let [kernel, ours] = destinations.map(|to| shape.pieces(source, to, number));
        // What a port out of few is to the other side, may have changed by the time that the rest comes.
        let stays = !matches!((self.rule.ports, way), (Ports::Few(_), Way::In(..)));
        if let Some((kernel, ours)) = kernel.rest().zip(ours.rest()).filter(|_| stays) {
            self.lacking = Some(Box::new(Sending { way, number, kernel, ours }));
        }
        self.send_pieces(&format!("{shape:?}"), Sending { way, number, kernel, ours })
    }

    fn send_pieces(&mut self, what: &str, Sending { way, number, kernel, ours }: Sending) -> Option<Fate> {
        let arrivals = match way {
            Way::Out(..) => self.testbed.send_pieces_out(number, &kernel.octets()),
            Way::In(..) => self.testbed.send_pieces_in(number, &kernel.octets()),
        };
        let passed = ours.pass(&mut self.nat, way);
        self.judge(what, way, &arrivals, passed.as_ref())
    }

    /// Where a packet comes from, and what it is sent to in the kernel and by us.
    fn ends(&self, way: Way) -> (Endpoint, [Endpoint; 2]) {
        match way {
            Way::Out(from, to) => (self.internal[from], [self.remotes[to]; 2]),
            Way::In(from, Port { kernel, ours }) => {
                (self.remotes[from], [kernel, ours].map(|port| at(EXTERNAL, port)))
            }
        }
    }

    /// Compares what arrived with what passed.
    fn judge(
        &mut self,
        what: &str,
        way: Way,
        arrivals: &[Arrival],
        passed: Option<&Datagram>,
    ) -> Option<Fate> {
        let ours = passed
            .map(|datagram| (datagram.destination_endpoint().unwrap(), datagram.source_endpoint().unwrap()));
        let (source, [destination, _]) = self.ends(way);
        match way {
            Way::Out(from, to) => {
                let kernel = self.fate(arrivals, |bed| &bed.remotes);
                self.tell(&format!("out, {what},"), source, destination, kernel, ours);
                self.judge_out(from, to, kernel, ours)
            }
            Way::In(..) => {
                let kernel = self.fate(arrivals, |bed| &bed.internal);
                self.tell(&format!("in, {what},"), source, destination, kernel, ours);
                self.expect(kernel == ours);
                Some(kernel)
            }
        }
    }

    fn judge_out(&mut self, from: usize, to: usize, kernel: Fate, ours: Fate) -> Option<Fate> {
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
    /// Enough arrived to compare. Coincidences are as rare as chance makes them: a NAT with a reason for what looks like
    /// one shows more.
    pub(crate) fn check(&self) {
        assert!(self.delivered > 0 && self.in_fragments >= self.packets / 50, "too few: {self}");
        assert!(self.coincidences <= 5 + self.episodes / 20, "too many coincidences: {self}");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { packets, delivered, episodes, in_fragments, drawn, coincidences } = self;
        write!(
            f,
            "{packets} packets, {delivered} delivered, {in_fragments} of them in fragments, in {episodes} episodes; \
             {drawn} ports drawn at random, {coincidences} episodes cut short by a coincidence"
        )
    }
}
