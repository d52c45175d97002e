//! Scenario files: text in, a resolved and validated [`Scenario`] out.

mod resolved;

pub use resolved::{
    Action, Attachment, CandidateType, Connect, Credentials, Delivery, Event, Expected, HoldState, Host,
    HostId, Ice, Interface, Ipv6Mode, Lan, LinkSpec, Nat, NatId, Network, NetworkId, NodeId, Policy,
    Retransmission, Scenario, Send, Server, ServerId, ServerKind, Target,
};
