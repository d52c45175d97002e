//! The tables of a scenario file, as written.

use std::net::IpAddr;
use std::time::Duration;

use natbed_packet::Prefix;
use toml::Spanned;

pub(super) use super::axes::NatTypeSpec;
use super::leaf::{AnyNumber, Format, Mtu, OneOrMany, Port, Probability, Rate, Size, Whole};
use super::resolved::{
    Addresses, Delivery, Expected, HoldState, Ipv6Mode, LinkConfig, Policy, Retransmission, Role,
};
use super::shape::{Family, Field, List, table};
use super::words::{Path, Transport};

/// A key that may be left out.
pub(super) type Optional<T> = Option<Spanned<T>>;

/// The value of a key that may be left out.
pub(super) fn value<T: Copy>(field: &Optional<T>) -> Option<T> {
    field.as_ref().map(|value| *value.get_ref())
}

table! { "a scenario";
    /// A natbed scenario: one network, its programs and its expectations.
    ScenarioSpec {
        /// Version of the format.
        "format" _format: Spanned<Format>,
        /// The title.
        "name" name: Optional<String>,
        /// What the scenario shows.
        "about" about: Optional<String>,
        /// Seed of every random stream; default 1.
        "seed" seed: Optional<Whole<0, { i64::MAX }>>,
        /// Extra private subnets.
        "network" network: Family<NetworkSpec>,
        /// NAT types of one's own.
        "nat-type" nat_type: Family<NatTypeSpec>,
        /// NATs and firewalls.
        "nat" nat: Family<NatSpec>,
        /// Hosts.
        "host" host: Family<HostSpec>,
        /// STUN servers on the internet.
        "stun" stun: Family<StunSpec>,
        /// TURN servers on the internet; they answer STUN too.
        "turn" turn: Family<TurnSpec>,
        /// The channel that candidates travel over.
        "signaling" signaling: Optional<SignalingSpec>,
        /// Connections to establish.
        "connect" connect: List<ConnectSpec>,
        /// Plain datagrams to send.
        "send" send: List<SendSpec>,
        /// Faults.
        "event" event: List<EventSpec>,
    }
}

table! { "a network";
    /// An extra private subnet.
    NetworkSpec {
        /// Its subnet, or a list for IPv4 and IPv6; default: the next free private /24.
        "subnet" subnet: Optional<OneOrMany<Prefix>>,
        /// The NAT that it is reached through; default: none, an island.
        "behind" behind: Optional<String>,
    }
}

table! { "a nat";
    /// A NAT or firewall.
    NatSpec {
        /// A preset, a grid code such as `EIM/APDF`, or a nat-type; default: port-restricted.
        "type" kind: Optional<String>,
        /// The NAT that it is behind; default: on the internet.
        "behind" behind: Optional<String>,
        /// Its inside subnet, or a list for IPv4 and IPv6; default: the next free private /24.
        "lan" lan: Optional<OneOrMany<Prefix>>,
        /// Its external address, or a list: a pool; default: automatic.
        "address" address: Optional<OneOrMany<IpAddr>>,
        /// Its uplink.
        "link" link: Optional<LinkFields>,
        /// What it does with IPv6, which it never translates; default: off.
        "ipv6" ipv6: Optional<Ipv6Mode>,
    }
}

/// Declares a table with the values of a link, after keys of its own.
macro_rules! link_table {
    ($noun:literal; #[doc = $doc:literal] $name:ident { $(#[doc = $about:literal] $key:literal $field:ident: $type:ty,)* }) => {
        table! { $noun;
            #[doc = $doc]
            $name {
                $(#[doc = $about] $key $field: $type,)*
                /// One-way delay; default 10 ms.
                "delay" delay: Optional<Duration>,
                /// Largest deviation from the delay; default none.
                "jitter" jitter: Optional<Duration>,
                /// Probability that a packet is lost; default 0.
                "loss" loss: Optional<Probability>,
                /// Bits per second, or `unlimited`, the default.
                "rate" rate: Optional<Rate>,
                /// Octets that may wait for the rate, or `unlimited`, the default.
                "queue" queue: Optional<Size>,
                /// Largest datagram in octets, at least 68 (RFC 791); default 1500.
                "mtu" mtu: Optional<Mtu>,
                /// Probability that a packet arrives twice; default 0.
                "duplicate" duplicate: Optional<Probability>,
                /// Probability that a packet is overtaken by those behind it; default 0.
                "reorder" reorder: Optional<Probability>,
            }
        }

        impl $name {
            /// `link` with the values that are given here.
            pub(super) fn over(&self, link: LinkConfig) -> LinkConfig {
                LinkConfig {
                    delay: value(&self.delay).unwrap_or(link.delay),
                    jitter: value(&self.jitter).unwrap_or(link.jitter),
                    loss: value(&self.loss).map_or(link.loss, |loss| loss.0),
                    rate: value(&self.rate).map_or(link.rate, |rate| rate.0),
                    queue: value(&self.queue).map_or(link.queue, |queue| queue.0),
                    mtu: value(&self.mtu).map_or(link.mtu, Whole::fit),
                    duplicate: value(&self.duplicate).map_or(link.duplicate, |duplicate| duplicate.0),
                    reorder: value(&self.reorder).map_or(link.reorder, |reorder| reorder.0),
                }
            }
        }
    };
}

link_table! { "a link";
    /// An uplink; each direction has these values separately.
    LinkFields {}
}

table! { "a host";
    /// A host.
    HostSpec {
        /// The NAT that it is behind, or a list: several interfaces; default: on the internet.
        "behind" behind: Optional<OneOrMany<String>>,
        /// The network that it is on, or `internet`, or a list: several interfaces.
        "on" on: Optional<OneOrMany<String>>,
        /// Its address, or a list for IPv4, IPv6 and several interfaces; default: automatic.
        "address" address: Optional<OneOrMany<IpAddr>>,
        /// Its uplink.
        "link" link: Optional<LinkFields>,
        /// Its ICE settings.
        "ice" ice: Optional<IceSpec>,
        /// The agent that runs on it; default: `native`.
        "agent" agent: Optional<String>,
    }
}

table! { "ice settings";
    /// ICE settings of a host.
    IceSpec {
        /// The STUN and TURN servers that it asks; default: every server of the file.
        "servers" servers: Optional<AnyNumber<String>>,
        /// Which candidates it uses; default: all.
        "policy" policy: Optional<Policy>,
        /// Patience with paths that need no relay, from the first valid relayed pair; default 2 s.
        "relay-wait" relay_wait: Optional<Duration>,
        /// The NATs and networks whose interfaces it gathers on, or `all`, the default.
        "interfaces" interfaces: Optional<OneOrMany<String>>,
        /// Retransmission timeout of checks: 500 ms or more, or `rfc8445`; default 500 ms.
        "rto" rto: Optional<Retransmission>,
        /// Which of its addresses it uses and tells (RFC 8828 section 5.2); default: all.
        "addresses" addresses: Optional<Addresses>,
        /// The role that it starts in; default: the initiator controls (RFC 8445 section 6.1.1).
        "role" role: Optional<Role>,
        /// Whether its agent is lite: it answers checks and sends none (RFC 8445 section 2.5); default: no.
        "lite" lite: Optional<bool>,
        /// Whether a hard ICMP error fails a pair (RFC 8445 section 7.2.5.2.2); default: no.
        "icmp-errors" icmp_errors: Optional<bool>,
        /// The most candidate pairs (RFC 8445 section 6.1.2.5); default: 100.
        "max-pairs" max_pairs: Optional<Whole<1, 10_000>>,
    }
}

table! { "a stun server";
    /// A STUN server on the internet.
    StunSpec {
        /// Its address, or a list; default: two, so that RFC 5780 works.
        "address" address: Optional<OneOrMany<IpAddr>>,
        /// Its uplink.
        "link" link: Optional<LinkFields>,
    }
}

table! { "a turn server";
    /// A TURN server on the internet.
    TurnSpec {
        /// Its address, or a list; default: automatic.
        "address" address: Optional<OneOrMany<IpAddr>>,
        /// Its uplink.
        "link" link: Optional<LinkFields>,
        /// What clients reach it over; default: UDP.
        "transport" _transport: Optional<OneOrMany<Transport>>,
        /// The user name that it takes; default: made up for the run.
        "user" user: Optional<String>,
        /// The password that it takes.
        "password" password: Optional<String>,
        /// Allocations that one user may hold; default: any number.
        "quota" quota: Optional<Whole<0, 0xffff_ffff>>,
        /// The TURN server that it sends all clients on to (RFC 8489 section 10); default: it serves them itself.
        "alternate" alternate: Optional<String>,
    }
}

table! { "signaling";
    /// The channel that candidates travel over; it loses nothing.
    SignalingSpec {
        /// One-way delay; default 50 ms.
        "delay" delay: Optional<Duration>,
    }
}

table! { "a connect";
    /// A connection to establish.
    ConnectSpec {
        /// The host that initiates.
        "from" from: Spanned<String>,
        /// The host on the other side.
        "to" to: Spanned<String>,
        /// The expected outcome.
        "expect" expect: Optional<Expected>,
        /// When it begins; default 0.
        "start" start: Optional<Duration>,
        /// It is decided this long after `start`, else it fails; default 60 s.
        "within" within: Optional<Duration>,
        /// The expected pair as `from` sees it: local and remote candidate type.
        "path" path: Optional<Path>,
        /// How long it is kept up after set-up.
        "hold" hold: Optional<Duration>,
        /// What is expected at the end of `hold`.
        "after" after: Optional<HoldState>,
        /// A text that goes over a data channel and comes back; both agents have to have channels, as `webrtc` does.
        "channel" channel: Optional<String>,
    }
}

table! { "a send";
    /// A plain UDP datagram, without ICE.
    SendSpec {
        /// The host that sends it.
        "from" from: Spanned<String>,
        /// Its source port; default 49152.
        "from-port" from_port: Optional<Port>,
        /// The node that it goes to, or an address with or without a port.
        "to" to: Spanned<String>,
        /// The port that it goes to; default for a server: 3478.
        "to-port" to_port: Optional<Port>,
        /// When; default 0.
        "at" at: Optional<Duration>,
        /// Octets of its payload, 16 or more; default: as many as its text, `datagram 1` and so on, needs.
        "size" size: Optional<Whole<16, 65_507>>,
        /// Whether it may not be fragmented where a link is too small; default: it may not.
        "dont-fragment" dont_fragment: Optional<bool>,
        /// Its expected fate.
        "expect" expect: Optional<Delivery>,
    }
}

table! { "an event";
    /// A fault, or its end.
    EventSpec {
        /// When.
        "at" at: Spanned<Duration>,
        /// What happens: exactly one of the actions.
        "do" action: Spanned<ActionSpec>,
    }
}

table! { "what an event does";
    /// What an event does: exactly one of these.
    ActionSpec {
        /// The NAT forgets every mapping.
        "reboot-nat" reboot_nat: Optional<String>,
        /// The node's uplink loses everything.
        "link-down" link_down: Optional<String>,
        /// The node's uplink works again.
        "link-up" link_up: Optional<String>,
        /// The node's uplink gets new values.
        "set-link" set_link: Optional<SetLinkConfig>,
        /// One address of a node is replaced.
        "change-address" change_address: Optional<ChangeAddressSpec>,
        /// The server answers nothing any more.
        "stop-server" stop_server: Optional<String>,
        /// The server answers again.
        "start-server" start_server: Optional<String>,
    }
}

link_table! { "`set-link`";
    /// New values for an uplink; what is left out stays as it is.
    SetLinkConfig {
        /// The node.
        "node" node: Spanned<String>,
    }
}

table! { "`change-address`";
    /// A new address for a node, on the same network.
    ChangeAddressSpec {
        /// The node.
        "node" node: Spanned<String>,
        /// The new address.
        "address" address: Spanned<IpAddr>,
    }
}
