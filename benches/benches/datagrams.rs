//! UDP datagrams through two NATs: host, NAT, internet, NAT, host.
//!
//! Work: one datagram of 64 octets of payload, copied from the sender's buffer, from a host behind a port-restricted
//! NAT to a host behind another, over mappings that stand; sent, translated, routed, delivered to a program that counts
//! it. The pairs take turns, 64 datagrams are under way at once. `natbed` has four links of 10 ms between the hosts;
//! `natbed, log kept` writes the event log too, and drops it every 4,096 datagrams. The peer is `webrtc-util`'s vnet on
//! a single-threaded runtime with its clock paused, without delays. Not measured: building the network and its mappings.
//! `NATBED_BENCH_LARGE=1` adds a million pairs, which take some gigabytes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use natbed_benches::Bench;
use natbed_nat::presets;
use natbed_net::{Input, LinkConfig, Output, Program, ProgramId, Simulator, Topology};
use natbed_packet::{Datagram, Endpoint, Timestamp, Transport};
use tokio::runtime::Runtime;
use tokio::sync::Mutex;
use webrtc_util::Conn;
use webrtc_util::vnet::nat::{EndpointDependencyType, NatType};
use webrtc_util::vnet::net::{Net, NetConfig};
use webrtc_util::vnet::router::{Router, RouterConfig};

const PAYLOAD: [u8; 64] = [0x55; 64];
/// Longer than a datagram is under way.
const PERIOD: Duration = Duration::from_millis(50);
const PORT: u16 = 5000;

/// Datagrams under way at once.
const BURST: usize = 64;
/// Datagrams after which natbed's event log is dropped.
const LOGGED: u64 = 4096;

fn main() {
    let mut bench = Bench::new();
    for pairs in sizes() {
        let work = format!("a datagram through two NATs, {pairs} pairs");
        let logged = || {
            let mut network = Pairs::new(pairs);
            network.simulator.record();
            network
        };
        bench.measure(&work, "natbed", || Pairs::new(pairs), Pairs::exchange);
        bench.measure(&work, "natbed, log kept", logged, Pairs::exchange);
        if pairs <= 10_000 {
            bench.measure(&work, "webrtc-util vnet", || Vnet::new(pairs), Vnet::exchange);
        }
    }
    bench.finish();
}

#[expect(clippy::disallowed_methods, reason = "a benchmark may read the environment")]
fn sizes() -> Vec<u32> {
    let mut sizes = vec![1, 100, 10_000];
    if std::env::var("NATBED_BENCH_LARGE").is_ok() {
        sizes.push(1_000_000);
    }
    sizes
}

fn external(index: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0b00_0001 + index).into()
}

const INTERNAL: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 2));

/// Pairs of hosts in natbed, each host behind a NAT of its own.
struct Pairs {
    simulator: Simulator<Counter>,
    /// Every host's program and where it sends; host 2n and 2n + 1 are a pair.
    flows: Vec<(ProgramId, Endpoint)>,
    next: usize,
    /// Sends so far.
    sent: u64,
}

#[derive(Default)]
struct Counter(u64);

impl Pairs {
    fn new(pairs: u32) -> Self {
        let mut topology = Topology::new();
        let behavior = presets::lookup("port-restricted").expect("a preset").behavior;
        let internet = topology.internet();
        let mut nodes = Vec::new();
        for index in 0..2 * pairs {
            let prefix = "192.168.1.0/24".parse().expect("a prefix");
            let lan = topology.add_network("lan", &[prefix], &[]);
            let nat = topology.add_nat(
                &format!("nat{index}"),
                internet,
                &[external(index)],
                &[lan],
                LinkConfig::default(),
            );
            topology.set_behavior(nat, behavior.clone());
            let host = topology.add_host(&format!("host{index}"));
            topology.attach(host, lan, &[INTERNAL], LinkConfig::default());
            nodes.push((host, nat));
        }
        let mut simulator = Simulator::new(&topology, 1).expect("a valid topology");
        let internal = Endpoint::new(INTERNAL, PORT);
        let programs: Vec<ProgramId> = nodes
            .iter()
            .map(|(host, _)| {
                let program = simulator.add_program(*host, Counter::default());
                simulator.bind(program, internal).expect("a free port");
                program
            })
            .collect();
        let mut remotes: Vec<Endpoint> =
            (0..2 * pairs).map(|index| Endpoint::new(external(index ^ 1), 9)).collect();
        for _ in 0..2 {
            for (program, remote) in programs.iter().zip(&remotes) {
                simulator.send(*program, datagram(*remote));
            }
            simulator.run_until(simulator.now() + PERIOD);
            for (index, remote) in remotes.iter_mut().enumerate() {
                let nat = simulator.nat(nodes[index ^ 1].1).expect("a NAT");
                *remote = nat.snapshot(simulator.now())[0].external;
            }
        }
        let flows: Vec<_> = programs.into_iter().zip(remotes).collect();
        let mut network = Self { simulator, flows, next: 0, sent: 0 };
        network.exchange(2 * u64::from(pairs));
        network
    }

    fn exchange(&mut self, count: u64) -> u64 {
        let bursts = count.div_ceil(BURST as u64);
        for _ in 0..bursts {
            for _ in 0..BURST {
                let (program, remote) = self.flows[self.next];
                self.next = if self.next + 1 == self.flows.len() { 0 } else { self.next + 1 };
                self.simulator.send(program, datagram(remote));
            }
            self.simulator.run_until(self.simulator.now() + PERIOD);
            self.sent += BURST as u64;
            if self.sent.is_multiple_of(LOGGED) {
                self.simulator.take_log();
            }
        }
        bursts * BURST as u64
    }
}

impl Drop for Pairs {
    fn drop(&mut self) {
        let arrived: u64 = self.flows.iter().map(|(program, _)| self.simulator.program(*program).0).sum();
        assert!(arrived >= self.sent, "{arrived} of {} datagrams arrived", self.sent);
    }
}

fn datagram(to: Endpoint) -> Datagram {
    Datagram::udp(Endpoint::new(INTERNAL, PORT), to, Bytes::copy_from_slice(&PAYLOAD))
}

impl Program for Counter {
    type Event = ();

    fn handle_input(&mut self, _now: Timestamp, input: Input) {
        if let Input::Datagram(datagram) = input
            && let Transport::Udp(_) = datagram.transport
        {
            self.0 += 1;
        }
    }

    fn handle_timeout(&mut self, _now: Timestamp) {}

    fn poll_transmit(&mut self) -> Option<Output> {
        None
    }

    fn poll_event(&mut self) -> Option<()> {
        None
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }
}

/// The same in webrtc-util's virtual network.
struct Vnet {
    runtime: Runtime,
    /// Every host's socket and where it sends.
    flows: Vec<(Arc<dyn Conn + Send + Sync>, SocketAddr)>,
    next: usize,
    /// Kept alive: routers know their children weakly.
    _routers: Vec<Arc<Mutex<Router>>>,
    _hosts: Vec<Arc<Net>>,
}

impl Vnet {
    fn new(pairs: u32) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime");
        let (routers, hosts, flows) = runtime.block_on(build(pairs)).expect("a valid network");
        let vnet = Self { runtime, flows, next: 0, _routers: routers, _hosts: hosts };
        vnet.open();
        vnet
    }

    /// Has every host send once, which makes its mapping and lets its pair in.
    fn open(&self) {
        self.runtime.block_on(async {
            for (socket, remote) in &self.flows {
                socket.send_to(&PAYLOAD, *remote).await.expect("a route");
            }
            tokio::time::sleep(PERIOD).await;
        });
    }

    fn exchange(&mut self, count: u64) -> u64 {
        let Self { runtime, flows, next, .. } = self;
        let bursts = count.div_ceil(BURST as u64);
        let exchange = async {
            let mut buffer = [0; 1500];
            for _ in 0..bursts {
                let places: Vec<usize> = (*next..*next + BURST).map(|place| place % flows.len()).collect();
                *next = (*next + BURST) % flows.len();
                for (socket, remote) in places.iter().map(|place| &flows[*place]) {
                    socket.send_to(&PAYLOAD, *remote).await.expect("a route");
                }
                for place in places {
                    flows[place ^ 1].0.recv_from(&mut buffer).await.expect("a datagram");
                }
            }
        };
        let in_time =
            runtime.block_on(async { tokio::time::timeout(Duration::from_secs(3600), exchange).await });
        in_time.expect("every datagram arrives");
        bursts * BURST as u64
    }
}

type Parts = (Vec<Arc<Mutex<Router>>>, Vec<Arc<Net>>, Vec<(Arc<dyn Conn + Send + Sync>, SocketAddr)>);

async fn build(pairs: u32) -> webrtc_util::Result<Parts> {
    /// The first port that vnet's NATs give.
    const FIRST: u16 = 0xc000;
    let router = |config| Ok::<_, webrtc_util::Error>(Arc::new(Mutex::new(Router::new(config)?)));
    let wan = router(RouterConfig { cidr: "0.0.0.0/0".into(), ..Default::default() })?;
    let (mut routers, mut hosts) = (vec![Arc::clone(&wan)], Vec::new());
    for index in 0..2 * pairs {
        let lan = router(RouterConfig {
            static_ips: vec![external(index).to_string()],
            cidr: "192.168.1.0/24".into(),
            nat_type: Some(NatType {
                mapping_behavior: EndpointDependencyType::EndpointIndependent,
                filtering_behavior: EndpointDependencyType::EndpointAddrPortDependent,
                mapping_life_time: Duration::from_secs(3600),
                ..Default::default()
            }),
            ..Default::default()
        })?;
        let config = NetConfig { static_ips: vec![INTERNAL.to_string()], ..Default::default() };
        let host = Arc::new(Net::new(Some(config)));
        let nic = host.get_nic()?;
        lan.lock().await.add_net(Arc::clone(&nic)).await?;
        nic.lock().await.set_router(Arc::clone(&lan)).await?;
        wan.lock().await.add_router(Arc::clone(&lan)).await?;
        {
            use webrtc_util::vnet::router::Nic;
            lan.lock().await.set_router(Arc::clone(&wan)).await?;
        }
        routers.push(lan);
        hosts.push(host);
    }
    wan.lock().await.start().await?;
    let mut flows = Vec::new();
    for (index, host) in (0..).zip(&hosts) {
        let socket = host.bind(SocketAddr::new(INTERNAL, PORT)).await?;
        flows.push((socket, SocketAddr::new(external(index ^ 1), FIRST)));
    }
    Ok((routers, hosts, flows))
}
