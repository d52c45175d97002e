//! The peer: sessions of `webrtc-ice` on `webrtc-util`'s virtual network, wired as its own tests wire them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use turn::auth::{AuthHandler, generate_auth_key};
use turn::relay::relay_static::RelayAddressGeneratorStatic;
use turn::server::Server;
use turn::server::config::{ConnConfig, ServerConfig};
use webrtc_ice::agent::Agent;
use webrtc_ice::agent::agent_config::AgentConfig;
use webrtc_ice::candidate::Candidate;
use webrtc_ice::candidate::candidate_base::unmarshal_candidate;
use webrtc_ice::mdns::MulticastDnsMode;
use webrtc_ice::network_type::NetworkType;
use webrtc_ice::state::ConnectionState;
use webrtc_ice::url::{ProtoType, SchemeType, Url};
use webrtc_util::vnet::nat::{EndpointDependencyType, NatType};
use webrtc_util::vnet::net::{Net, NetConfig};
use webrtc_util::vnet::router::{Nic, Router, RouterConfig};

/// Which NATs both hosts are behind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Port-restricted, with a STUN server.
    PortRestricted,
    /// Symmetric, with a TURN server for the first agent.
    Symmetric,
}

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Error>;

const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
const PORT: u16 = 3478;
const REALM: &str = "natbed";

/// Runs `count` sessions, one after the other; how many there were.
pub(crate) fn sessions(kind: Kind, count: u64) -> u64 {
    for _ in 0..count {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let session = async { tokio::time::timeout(Duration::from_secs(60), session(kind)).await };
        let in_time = runtime.expect("a runtime").block_on(session);
        in_time.expect("decided within a minute").expect("a session");
    }
    count
}

/// Punches `count` holes, one after the other; how many there were.
pub(crate) fn punches(count: u64) -> u64 {
    for _ in 0..count {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let session = async {
            let network = Network::new(Kind::PortRestricted).await?;
            let any = SocketAddr::from(([0; 4], 0));
            let (a, b) = (network.hosts[0].bind(any).await?, network.hosts[1].bind(any).await?);
            crate::punch::punch(a, b, SocketAddr::new(SERVER, PORT)).await?;
            network.server.close().await?;
            network.wan.lock().await.stop().await?;
            Ok::<(), Error>(())
        };
        runtime.expect("a runtime").block_on(session).expect("a hole");
    }
    count
}

async fn session(kind: Kind) -> Result<()> {
    let network = Network::new(kind).await?;
    let (mut stun, mut turn) = (Url::default(), Url::default());
    for (url, scheme) in [(&mut stun, SchemeType::Stun), (&mut turn, SchemeType::Turn)] {
        url.scheme = scheme;
        url.host = SERVER.to_string();
        url.port = PORT;
        url.proto = ProtoType::Udp;
    }
    (turn.username, turn.password) = ("user".into(), "password".into());
    let urls = if kind == Kind::Symmetric { vec![stun.clone(), turn] } else { vec![stun.clone()] };
    let a = agent(urls, &network.hosts[0]).await?;
    let b = agent(vec![stun], &network.hosts[1]).await?;
    let (mut a_connected, mut b_connected) = (connected(&a), connected(&b));
    let (a_candidates, b_candidates) = (gather(&a).await?, gather(&b).await?);
    for (agent, candidates) in [(&a, b_candidates), (&b, a_candidates)] {
        for candidate in candidates {
            let candidate: Arc<dyn Candidate + Send + Sync> =
                Arc::new(unmarshal_candidate(&candidate.marshal())?);
            agent.add_remote_candidate(&candidate)?;
        }
    }
    let (a_ufrag, a_password) = a.get_local_user_credentials().await;
    let (b_ufrag, b_password) = b.get_local_user_credentials().await;
    let (_keep_a, cancel_a) = mpsc::channel(1);
    let (_keep_b, cancel_b) = mpsc::channel(1);
    let accept = a.accept(cancel_a, b_ufrag, b_password);
    let dial = b.dial(cancel_b, a_ufrag, a_password);
    let (accepted, dialled) = tokio::join!(accept, dial);
    accepted?;
    dialled?;
    a_connected.recv().await;
    b_connected.recv().await;
    a.close().await?;
    b.close().await?;
    network.server.close().await?;
    network.wan.lock().await.stop().await?;
    Ok(())
}

async fn agent(urls: Vec<Url>, host: &Arc<Net>) -> Result<Agent> {
    let config = AgentConfig {
        urls,
        network_types: vec![NetworkType::Udp4],
        multicast_dns_mode: MulticastDnsMode::Disabled,
        net: Some(Arc::clone(host)),
        ..Default::default()
    };
    Ok(Agent::new(config).await?)
}

/// A channel that closes when the agent is connected.
fn connected(agent: &Agent) -> mpsc::Receiver<()> {
    let (sender, receiver) = mpsc::channel(1);
    let sender = Arc::new(Mutex::new(Some(sender)));
    agent.on_connection_state_change(Box::new(move |state| {
        let sender = Arc::clone(&sender);
        Box::pin(async move {
            if state == ConnectionState::Connected {
                sender.lock().await.take();
            }
        })
    }));
    receiver
}

/// Has the agent gather until the end of candidates.
async fn gather(agent: &Agent) -> Result<Vec<Arc<dyn Candidate + Send + Sync>>> {
    let (sender, mut receiver) = mpsc::channel::<()>(1);
    let sender = Arc::new(Mutex::new(Some(sender)));
    agent.on_candidate(Box::new(move |candidate| {
        let sender = Arc::clone(&sender);
        Box::pin(async move {
            if candidate.is_none() {
                sender.lock().await.take();
            }
        })
    }));
    agent.gather_candidates()?;
    receiver.recv().await;
    Ok(agent.get_local_candidates().await?)
}

/// Two hosts, each behind a NAT, and a server.
struct Network {
    wan: Arc<Mutex<Router>>,
    hosts: Vec<Arc<Net>>,
    server: Server,
    /// Kept alive: hosts know their router weakly.
    _lans: Vec<Arc<Mutex<Router>>>,
}

impl Network {
    async fn new(kind: Kind) -> Result<Self> {
        let wan = router(RouterConfig { cidr: "0.0.0.0/0".into(), ..Default::default() })?;
        let server_net = host(&wan, SERVER).await?;
        let (mut hosts, mut lans) = (Vec::new(), Vec::new());
        for index in 1..=2 {
            let lan = router(RouterConfig {
                static_ips: vec![format!("203.0.113.{index}")],
                cidr: format!("192.168.{index}.0/24"),
                nat_type: Some(nat_type(kind)),
                ..Default::default()
            })?;
            hosts.push(host(&lan, Ipv4Addr::new(192, 168, index, 2).into()).await?);
            wan.lock().await.add_router(Arc::clone(&lan)).await?;
            lan.lock().await.set_router(Arc::clone(&wan)).await?;
            lans.push(lan);
        }
        wan.lock().await.start().await?;
        let server = serve(server_net).await?;
        Ok(Self { wan, hosts, server, _lans: lans })
    }
}

fn router(config: RouterConfig) -> Result<Arc<Mutex<Router>>> {
    Ok(Arc::new(Mutex::new(Router::new(config)?)))
}

async fn host(router: &Arc<Mutex<Router>>, address: IpAddr) -> Result<Arc<Net>> {
    let config = NetConfig { static_ips: vec![address.to_string()], ..Default::default() };
    let host = Arc::new(Net::new(Some(config)));
    let nic = host.get_nic()?;
    router.lock().await.add_net(Arc::clone(&nic)).await?;
    nic.lock().await.set_router(Arc::clone(router)).await?;
    Ok(host)
}

fn nat_type(kind: Kind) -> NatType {
    let dependent = EndpointDependencyType::EndpointAddrPortDependent;
    let mapping_behavior = match kind {
        Kind::PortRestricted => EndpointDependencyType::EndpointIndependent,
        Kind::Symmetric => dependent,
    };
    NatType { mapping_behavior, filtering_behavior: dependent, ..Default::default() }
}

async fn serve(net: Arc<Net>) -> Result<Server> {
    let conn = net.bind(SocketAddr::new(SERVER, PORT)).await?;
    let generator = RelayAddressGeneratorStatic { relay_address: SERVER, address: "0.0.0.0".into(), net };
    let config = ServerConfig {
        conn_configs: vec![ConnConfig { conn, relay_addr_generator: Box::new(generator) }],
        realm: REALM.into(),
        auth_handler: Arc::new(Password(generate_auth_key("user", REALM, "password"))),
        channel_bind_timeout: Duration::ZERO,
        alloc_close_notify: None,
    };
    Ok(Server::new(config).await?)
}

struct Password(Vec<u8>);

impl AuthHandler for Password {
    fn auth_handle(
        &self,
        _username: &str,
        _realm: &str,
        _source: SocketAddr,
    ) -> std::result::Result<Vec<u8>, turn::Error> {
        Ok(self.0.clone())
    }
}
