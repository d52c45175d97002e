//! The scenario as it runs: every default filled in, every address assigned, every name an index.

use std::net::IpAddr;
use std::time::Duration;

use natbed_nat::behavior::Behavior;
pub use natbed_net::LinkConfig;
use natbed_packet::{Endpoint, Prefix, Timestamp};

/// One network, its programs and its expectations.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The title; empty when the file gives none.
    pub name: String,
    /// What the scenario shows; empty when the file gives none.
    pub about: String,
    /// Seed of every random stream, at most 2^63 - 1.
    pub seed: u64,
    /// Extra private subnets, in file order.
    pub networks: Vec<Network>,
    /// NATs and firewalls, in file order.
    pub nats: Vec<Nat>,
    /// Hosts, in file order.
    pub hosts: Vec<Host>,
    /// STUN and TURN servers, in file order.
    pub servers: Vec<Server>,
    /// One-way delay of the signaling channel, which loses nothing.
    pub signaling_delay: Duration,
    /// Connections to establish, in file order.
    pub connects: Vec<Connect>,
    /// Plain datagrams to send, in file order.
    pub sends: Vec<Send>,
    /// Faults, sorted by time; those of one instant in file order.
    pub events: Vec<Event>,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident => $field:ident : $node:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// The id of the element at `index`.
            pub fn at(index: usize) -> Self {
                Self(u32::try_from(index).unwrap_or(u32::MAX))
            }

            /// The place in the scenario's list.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl std::ops::Index<$name> for Scenario {
            type Output = $node;

            fn index(&self, id: $name) -> &$node {
                &self.$field[id.index()]
            }
        }
    )*};
}

ids! {
    /// A [`Network`] by its place in [`Scenario::networks`].
    NetworkId => networks: Network;
    /// A [`Nat`] by its place in [`Scenario::nats`].
    NatId => nats: Nat;
    /// A [`Host`] by its place in [`Scenario::hosts`].
    HostId => hosts: Host;
    /// A [`Server`] by its place in [`Scenario::servers`].
    ServerId => servers: Server;
}

/// A node that has an uplink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeId {
    /// A NAT or firewall.
    Nat(NatId),
    /// A host.
    Host(HostId),
    /// A STUN or TURN server.
    Server(ServerId),
}

impl Scenario {
    /// The signaling delay where a file gives none.
    pub const SIGNALING_DELAY: Duration = Duration::from_millis(50);

    /// Puts the agent `initiator` at the initiating end of every connection, and `other` at the other.
    pub fn set_agents(&mut self, initiator: &str, other: &str) {
        for connect in &mut self.connects {
            connect.agents = [initiator, other].map(str::to_owned);
        }
    }

    /// The name of `node` in the file.
    pub fn node_name(&self, node: NodeId) -> &str {
        match node {
            NodeId::Nat(id) => &self[id].name,
            NodeId::Host(id) => &self[id].name,
            NodeId::Server(id) => &self[id].name,
        }
    }
}

/// What an interface or an uplink is plugged into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attachment {
    /// The internet: one routed space.
    Internet,
    /// The LAN of a NAT.
    Nat(NatId),
    /// An extra subnet.
    Network(NetworkId),
}

/// A subnet and the router's address in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lan {
    /// The addresses of the subnet.
    pub prefix: Prefix,
    /// The address of the NAT that leads out of it.
    pub gateway: IpAddr,
}

/// An extra private subnet, behind a NAT or an island.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Its name.
    pub name: String,
    /// Its IPv4 addresses.
    pub subnet: Prefix,
    /// The NAT that it is reached through; `None` for an island, which nothing leads out of.
    pub behind: Option<NatId>,
    /// The NAT's IPv4 address in it; `None` for an island.
    pub gateway: Option<IpAddr>,
    /// Its IPv6 subnet, if its NAT routes IPv6.
    pub ipv6: Option<Lan>,
}

/// A NAT or a firewall.
#[derive(Clone, Debug, PartialEq)]
pub struct Nat {
    /// Its name.
    pub name: String,
    /// Its type as the file spells it: a preset, a grid code or a nat-type.
    pub type_name: String,
    /// What that type does.
    pub behavior: Behavior,
    /// What its uplink is plugged into: the internet or another NAT.
    pub outside: Attachment,
    /// Its external IPv4 addresses, at least one.
    pub addresses: Vec<IpAddr>,
    /// For `static`: the external address of every internal one, sorted by internal address. Else empty.
    pub one_to_one: Vec<(IpAddr, IpAddr)>,
    /// Its IPv4 LAN.
    pub lan: Lan,
    /// What it does with IPv6.
    pub ipv6: Ipv6Mode,
    /// Its IPv6 LAN; `None` when IPv6 is off.
    pub lan_ipv6: Option<Lan>,
    /// Its uplink.
    pub link: LinkConfig,
}

/// What a NAT does with IPv6, which it never translates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ipv6Mode {
    /// There is no IPv6 behind it.
    Off,
    /// Routed, nothing filtered.
    Routed,
    /// Routed; from outside only what answers traffic from inside.
    Firewalled,
}

/// A host and its agent.
#[derive(Clone, Debug, PartialEq)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Its interfaces, at least one; the first is the default way out.
    pub interfaces: Vec<Interface>,
    /// The uplink of each of its interfaces.
    pub link: LinkConfig,
    /// Its ICE settings.
    pub ice: Ice,
    /// The agent that runs on it, by name.
    pub agent: String,
}

/// One interface of a host.
#[derive(Clone, Debug, PartialEq)]
pub struct Interface {
    /// What it is plugged into.
    pub attachment: Attachment,
    /// Its addresses, at least one, at most one of each family.
    pub addresses: Vec<IpAddr>,
}

/// ICE settings of a host.
#[derive(Clone, Debug, PartialEq)]
pub struct Ice {
    /// The STUN and TURN servers that its agent asks.
    pub servers: Vec<ServerId>,
    /// Which candidates it uses.
    pub policy: Policy,
    /// Patience with paths that need no relay, counted from the first valid relayed pair.
    pub relay_wait: Duration,
    /// Indices into [`Host::interfaces`] of those that it gathers candidates on.
    pub interfaces: Vec<usize>,
    /// How checks are retransmitted.
    pub retransmission: Retransmission,
    /// Which of its addresses it uses and tells.
    pub addresses: Addresses,
    /// The role that it starts in; `None`: the initiator controls.
    pub role: Option<Role>,
    /// Whether its agent is lite.
    pub lite: bool,
    /// Whether a hard ICMP error fails a pair.
    pub icmp_errors: bool,
    /// The most candidate pairs.
    pub max_pairs: u32,
}

/// Which of a host's addresses its agent uses and tells (RFC 8828 section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// Those of every interface: mode 1.
    All,
    /// Those of the interface with the default route: mode 2.
    DefaultRouteAndLan,
    /// The same, but only what servers see of them is told: mode 3.
    DefaultRoute,
    /// None: all goes through a relay, which stands for the proxy: mode 4.
    Proxy,
}

/// Which agent nominates (RFC 8445 section 6.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// This one.
    Controlling,
    /// The other one.
    Controlled,
}

impl Ice {
    /// The patience where a file gives none.
    pub const RELAY_WAIT: Duration = Duration::from_secs(2);
}

/// Which candidates an agent uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Every type.
    All,
    /// Relayed ones only.
    Relay,
}

/// The retransmission timeout of connectivity checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retransmission {
    /// The same for every check, at least 500 ms.
    Fixed(Duration),
    /// The formula of RFC 8445 section 14.3.
    Rfc8445,
}

/// A STUN or TURN server on the internet.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// What it offers besides STUN.
    pub kind: ServerKind,
    /// Its addresses; two of one family make RFC 5780 discovery work with that family.
    pub addresses: Vec<IpAddr>,
    /// The ports that it listens on at every address: 3478, and 3479 where there are two addresses of a family.
    pub ports: Vec<u16>,
    /// Its uplink.
    pub link: LinkConfig,
}

/// What a server is.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerKind {
    /// STUN only.
    Stun,
    /// TURN over UDP, and STUN.
    Turn {
        /// The long-term credentials it takes; `None`: made up for each run.
        credentials: Option<Credentials>,
        /// Allocations that one user may hold; `None`: any number.
        quota: Option<u32>,
        /// The TURN server that it sends its clients on to (RFC 8489 section 10).
        alternate: Option<ServerId>,
    },
}

/// Long-term credentials (RFC 8489 section 9.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: String,
}

/// A connection to establish.
#[derive(Clone, Debug, PartialEq)]
pub struct Connect {
    /// The initiator, which controls.
    pub from: HostId,
    /// The other side.
    pub to: HostId,
    /// The outcome that the file expects.
    pub expect: Option<Expected>,
    /// When it begins.
    pub start: Timestamp,
    /// Undecided this long after `start`, it has failed.
    pub within: Duration,
    /// The expected pair as `from` sees it: local and remote candidate type.
    pub path: Option<(CandidateType, CandidateType)>,
    /// How long it is kept up after set-up; zero for not at all.
    pub hold: Duration,
    /// What the file expects at the end of `hold`.
    pub after: Option<HoldState>,
    /// The text that is to go over a data channel and come back; `None` for no channel.
    pub channel: Option<String>,
    /// The agents at its ends by name, `from`'s first: those of the hosts, until
    /// [`Scenario::set_agents`] has others.
    pub agents: [String; 2],
}

impl Connect {
    /// When it has failed, where a file does not say.
    pub const WITHIN: Duration = Duration::from_secs(60);
}

/// An expected outcome of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A pair without a relay.
    Direct,
    /// A pair with a relayed address in it.
    Relay,
    /// No pair.
    Fail,
}

/// The candidate types of RFC 8445 section 5.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CandidateType {
    /// Host.
    Host,
    /// Server-reflexive.
    Srflx,
    /// Peer-reflexive.
    Prflx,
    /// Relayed.
    Relay,
}

/// How a held connection stands at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldState {
    /// It never broke.
    Alive,
    /// It broke, and ICE restarted it.
    Restarted,
    /// It broke for good.
    Lost,
}

/// A plain UDP datagram, without ICE.
#[derive(Clone, Debug, PartialEq)]
pub struct Send {
    /// The sender.
    pub from: HostId,
    /// Its source port.
    pub from_port: u16,
    /// What the file sends it to.
    pub target: Target,
    /// The transport address that stands for.
    pub to: Endpoint,
    /// When.
    pub at: Timestamp,
    /// Octets of its payload, where the file says how many.
    pub size: Option<u16>,
    /// Whether it may not be fragmented.
    pub dont_fragment: bool,
    /// What the file expects to become of it.
    pub expect: Option<Delivery>,
}

/// What a datagram is addressed to, in the words of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A node by name: its first address.
    Node(NodeId),
    /// An address.
    Address,
}

/// The fate of a plain datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It reached a host or server.
    Delivered,
    /// It did not.
    Dropped,
}

/// A fault, or its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What happens.
    pub action: Action,
}

/// What an event does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// The NAT forgets every mapping.
    RebootNat(NatId),
    /// The node's uplink loses everything.
    LinkDown(NodeId),
    /// The node's uplink works again.
    LinkUp(NodeId),
    /// The node's uplink gets these values: those it had, with the changes of the file.
    SetLink {
        /// The node.
        node: NodeId,
        /// Its link from now on.
        link: LinkConfig,
    },
    /// One address of a node is replaced.
    ChangeAddress {
        /// The node.
        node: NodeId,
        /// The address that it had until now.
        old: IpAddr,
        /// The address in its place, on the same network.
        new: IpAddr,
    },
    /// The server answers nothing any more, and forgets its allocations.
    StopServer(ServerId),
    /// The server answers again.
    StartServer(ServerId),
}
