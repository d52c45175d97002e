//! A deterministic, in-process network of hosts, links and NATs in virtual time.
//!
//! Build a [`Topology`] of networks, hosts and NATs, put [`Program`]s on the hosts, and step a [`Simulator`].
//! Time is a number that jumps from event to event; all randomness comes from one seed, one stream for each node
//! and purpose. Every datagram that does not arrive leaves a [`trace::Event::Dropped`] with the node, the rule and
//! the table entry that decided it.
//!
//! ```
//! use natbed_nat::presets;
//! use natbed_net::{LinkConfig, Simulator, Sink, Topology};
//! use natbed_packet::{Datagram, Endpoint, Timestamp};
//!
//! let mut topology = Topology::new();
//! let lan = topology.add_network("lan", &["192.168.1.0/24".parse()?], &["192.168.1.1".parse()?]);
//! let uplink = topology.internet();
//! let nat = topology.add_nat("nat", uplink, &["203.0.113.1".parse()?], &[lan], LinkConfig::default());
//! topology.set_behavior(nat, presets::lookup("symmetric").unwrap().behavior);
//! let alice = topology.add_host("alice");
//! topology.attach(alice, lan, &["192.168.1.10".parse()?], LinkConfig::default());
//! let web = topology.add_host("web");
//! topology.attach(web, uplink, &["198.51.100.9".parse()?], LinkConfig::default());
//!
//! let mut network = Simulator::new(&topology, 1)?;
//! let server = network.add_program(web, Sink::default());
//! network.bind(server, Endpoint::v4(198, 51, 100, 9, 80))?;
//! let client = network.add_program(alice, Sink::default());
//! let datagram = Datagram::udp(Endpoint::v4(192, 168, 1, 10, 5000), Endpoint::v4(198, 51, 100, 9, 80), "hi".into());
//! network.send(client, datagram);
//! network.run_until(Timestamp::from_secs(1));
//! assert_eq!(network.program(server).received[0].source.to_string(), "203.0.113.1");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod endpoint;
pub mod fault;
pub mod link;
pub mod node;
mod queue;
mod route;
pub mod sim;
mod small;
pub mod stream;
pub mod topology;
pub mod trace;

pub use endpoint::{Input, Output, Program, Sink};
pub use fault::Fault;
pub use link::LinkConfig;
pub use node::{InterfaceId, NetworkId, NodeId, ProgramId};
pub use sim::{BindError, Counts, Simulator};
pub use topology::{Topology, TopologyError};
pub use trace::{DropReason, PacketId, Record};
