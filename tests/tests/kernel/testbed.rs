//! A network of namespaces: hosts, a router that runs the kernel's NAT, and remotes.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use natbed_packet::Endpoint;

use crate::worker::{Arrival, Worker};

/// The internal hosts' addresses.
pub(crate) const HOSTS: [[u8; 4]; 2] = [[192, 168, 77, 11], [192, 168, 77, 12]];
/// The remotes' addresses.
pub(crate) const REMOTES: [[u8; 4]; 3] = [[203, 0, 113, 11], [203, 0, 113, 12], [203, 0, 113, 13]];
/// The router's external address.
pub(crate) const EXTERNAL: [u8; 4] = [203, 0, 113, 1];

/// Markers go between these two, which nothing else uses.
const INSIDE_MARKER: Endpoint = Endpoint::v4(192, 168, 77, 9, 20_000);
const OUTSIDE_MARKER: Endpoint = Endpoint::v4(203, 0, 113, 9, 20_000);

/// How often to wait a second for a marker.
const PATIENCE: u32 = 30;

/// The endpoint at `port` of an address.
pub(crate) fn at(ip: [u8; 4], port: u16) -> Endpoint {
    let [a, b, c, d] = ip;
    Endpoint::v4(a, b, c, d, port)
}

/// The network. It is gone once this is dropped, after a panic too.
pub(crate) struct Testbed {
    inside: Worker,
    outside: Worker,
    _namespaces: [Namespace; 3],
    /// What a marker from outside is sent to.
    inward: Endpoint,
    sent: u64,
}

/// A network namespace, until it is dropped.
struct Namespace(String);

impl Testbed {
    /// Builds the network, with `ruleset` in the router; `wan` is the router's outside interface there.
    pub(crate) fn new(ruleset: &str) -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let id = format!("natbed-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let namespaces = [
            Namespace::new(format!("{id}-lan"))?,
            Namespace::new(format!("{id}-nat"))?,
            Namespace::new(format!("{id}-wan"))?,
        ];
        let [lan, nat, wan] = &namespaces;
        connect(lan, nat, wan)?;
        nat.run("sh", &["-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"], "")?;
        nat.run("nft", &["-f", "-"], ruleset)?;
        let cpu = allowed_cpu();
        let inside = Worker::start(&lan.0, &cpu, INSIDE_MARKER);
        let outside = Worker::start(&wan.0, &cpu, OUTSIDE_MARKER);
        let mut testbed = Self { inside, outside, _namespaces: namespaces, inward: INSIDE_MARKER, sent: 0 };
        testbed.open_path()?;
        Ok(testbed)
    }

    /// Sends markers until one passes: a new cable takes a moment before it carries packets.
    fn open_path(&mut self) -> Result<(), String> {
        for _ in 0..PATIENCE {
            self.inside.mark(OUTSIDE_MARKER, 0);
            if let Some((source, _)) = self.outside.wait(0) {
                self.inward = source;
                return Ok(());
            }
        }
        Err("no packet passes the router".to_owned())
    }

    /// Closes all sockets and opens others.
    pub(crate) fn open(&mut self, internal: &[Endpoint], remotes: &[Endpoint]) {
        self.inside.open(internal);
        self.outside.open(remotes);
    }

    /// A number that no packet carries yet.
    pub(crate) fn number(&mut self) -> u64 {
        self.sent += 1;
        self.sent
    }

    /// Sends a packet from an internal socket; returns what the remotes got.
    pub(crate) fn send_out(&mut self, socket: usize, to: Endpoint) -> Vec<Arrival> {
        let number = self.number();
        self.inside.send(socket, to, OUTSIDE_MARKER, number);
        self.settled(number, |bed| &mut bed.outside)
    }

    /// Sends a packet from a remote; returns what the internal sockets got.
    pub(crate) fn send_in(&mut self, socket: usize, to: Endpoint) -> Vec<Arrival> {
        let number = self.number();
        self.outside.send(socket, to, self.inward, number);
        self.settled(number, |bed| &mut bed.inside)
    }

    /// Sends the octets of packets from inside, the pieces of one with `number`; returns what the remotes got.
    pub(crate) fn send_pieces_out(&mut self, number: u64, pieces: &[Vec<u8>]) -> Vec<Arrival> {
        self.sent += 1;
        self.inside.send_raw(pieces, OUTSIDE_MARKER, self.sent);
        self.settled(number, |bed| &mut bed.outside)
    }

    /// Sends the octets of packets from outside, the pieces of one with `number`; returns what the internal sockets got.
    pub(crate) fn send_pieces_in(&mut self, number: u64, pieces: &[Vec<u8>]) -> Vec<Arrival> {
        self.sent += 1;
        self.outside.send_raw(pieces, self.inward, self.sent);
        self.settled(number, |bed| &mut bed.inside)
    }

    /// What has arrived where nothing should have.
    pub(crate) fn strays(&mut self) -> Vec<Arrival> {
        self.sent += 1;
        self.inside.mark(OUTSIDE_MARKER, self.sent);
        let mut strays = self.arrived(|bed| &mut bed.outside);
        self.outside.mark(self.inward, self.sent);
        strays.extend(self.arrived(|bed| &mut bed.inside));
        strays
    }

    fn settled(&mut self, number: u64, receiver: fn(&mut Self) -> &mut Worker) -> Vec<Arrival> {
        let arrivals = self.arrived(receiver);
        assert!(arrivals.iter().all(|arrival| arrival.number == number), "late, or astray: {arrivals:?}");
        arrivals
    }

    fn arrived(&mut self, receiver: fn(&mut Self) -> &mut Worker) -> Vec<Arrival> {
        let number = self.sent;
        let arrived = (0..PATIENCE).find_map(|_| receiver(self).wait(number));
        arrived.expect("a marker passes within half a minute").1
    }
}

impl Namespace {
    fn new(name: String) -> Result<Self, String> {
        run(Command::new("ip").args(["netns", "add", &name]), "")?;
        Ok(Self(name))
    }

    fn run(&self, program: &str, arguments: &[&str], input: &str) -> Result<(), String> {
        run(Command::new("ip").args(["netns", "exec", &self.0, program]).args(arguments), input)
    }

    /// Runs commands of ip(8), one a line.
    fn ip(&self, commands: &str) -> Result<(), String> {
        run(Command::new("ip").args(["-n", &self.0, "-batch", "-"]), commands)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Nothing more can be done about one that stays.
        run(Command::new("ip").args(["netns", "delete", &self.0]), "").ok();
    }
}

/// Cables and addresses. Neighbours are told to each other, so that no packet waits for an answer.
fn connect(lan: &Namespace, nat: &Namespace, wan: &Namespace) -> Result<(), String> {
    const MAC: [&str; 4] =
        ["02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03", "02:00:00:00:00:04"];
    let (lan, nat, wan) = (lan, nat, wan);
    nat.ip(&format!(
        "link add lan address {} type veth peer name eth address {} netns {}\n\
         link add wan address {} type veth peer name eth address {} netns {}\n\
         addr add 192.168.77.1/24 dev lan\naddr add 203.0.113.1/24 dev wan\n\
         link set lo up\nlink set lan up\nlink set wan up\n",
        MAC[1], MAC[0], lan.0, MAC[2], MAC[3], wan.0
    ))?;
    let hosts = [HOSTS[0], HOSTS[1], [192, 168, 77, 9]];
    let remotes = [REMOTES[0], REMOTES[1], REMOTES[2], [203, 0, 113, 9]];
    lan.ip(&(end("eth", &hosts, "192.168.77.1", MAC[1]) + "route add default via 192.168.77.1\n"))?;
    wan.ip(&end("eth", &remotes, "203.0.113.1", MAC[2]))?;
    nat.ip(&(neighbours("lan", &hosts, MAC[0]) + &neighbours("wan", &remotes, MAC[3])))
}

fn end(device: &str, addresses: &[[u8; 4]], router: &str, mac: &str) -> String {
    let own = addresses.iter().map(|ip| format!("addr add {}/24 dev {device}\n", at(*ip, 0).ip));
    let neighbour = format!("neigh replace {router} lladdr {mac} dev {device} nud permanent\n");
    own.collect::<String>() + &format!("link set lo up\nlink set {device} up\n") + &neighbour
}

fn neighbours(device: &str, addresses: &[[u8; 4]], mac: &str) -> String {
    let line =
        |ip: &[u8; 4]| format!("neigh replace {} lladdr {mac} dev {device} nud permanent\n", at(*ip, 0).ip);
    addresses.iter().map(line).collect()
}

fn run(command: &mut Command, input: &str) -> Result<(), String> {
    let shown = format!("{command:?}");
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|error| format!("{shown}: {error}"))?;
    child.stdin.take().unwrap().write_all(input.as_bytes()).map_err(|error| format!("{shown}: {error}"))?;
    let Output { status, stderr, .. } = child.wait_with_output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&stderr);
    if status.success() { Ok(()) } else { Err(format!("{shown}: {}", said.trim())) }
}

/// The first CPU that this process may use.
fn allowed_cpu() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or("0");
    list.trim().split(['-', ',']).next().unwrap_or("0").to_owned()
}
