//! Changes in words.

use std::time::Duration;

use natbed_nat::Behavior;
use natbed_nat::behavior::{
    FilterScope, Filtering, Hairpinning, Mapping, OnFull, Pooling, PortAssignment, Refresh, ReplyMapping,
    Unsolicited,
};

use super::axis::Axis;
use super::change::{Change, LinkSetting, Setting, fault_node, server_name};
use super::remedy::Changed;
use crate::quantity::print_duration;
use crate::scenario::show::{axes, ice_fields, link_fields, print_instant};
use crate::scenario::{Action, Event, HostId, NatId, NodeId, Scenario};

/// Each of `changes` to connection `index` of `scenario`, in words.
pub(super) fn changed(scenario: &Scenario, index: usize, changes: &[Change]) -> Vec<Changed> {
    changes.iter().map(|change| one(scenario, index, change)).collect()
}

fn one(scenario: &Scenario, index: usize, change: &Change) -> Changed {
    let connect = &scenario.connects[index];
    let [from, to] = [connect.from, connect.to].map(|host| scenario[host].name.as_str());
    let words = |key: &str, was: String, is: String, text: String| Changed {
        node: change.node().map(|node| scenario.node_name(node).to_owned()),
        key: key.to_owned(),
        was,
        is,
        text,
    };
    let ice = |host: HostId, key: &str, is: String, text: String| {
        let fields = ice_fields(scenario, &scenario[host]);
        let was = fields.into_iter().find(|(name, _)| *name == key).map(|(_, value)| bare(&value));
        words(&format!("ice.{key}"), was.unwrap_or_default(), is, format!("{} {text}", scenario[host].name))
    };
    let every = |items: &[String]| items.join(", ");
    match &change.setting {
        Setting::Nat(nat, axis) => nat_axis(scenario, *nat, *axis),
        Setting::Box(nat, kind) => {
            let nat = &scenario[*nat];
            let text =
                format!("a firewall that lets out UDP, and its answers in, stands in place of {}", nat.name);
            words("type", nat.type_name.clone(), kind.as_str().to_owned(), text)
        }
        Setting::Link(node, setting) => link(scenario, *node, *setting),
        Setting::Policy(host, policy) => ice(
            *host,
            "policy",
            policy.as_str().to_owned(),
            "offers all of its addresses, not relayed ones alone".into(),
        ),
        Setting::FullAgent(host) => {
            ice(*host, "lite", "false".into(), "sends checks of its own, not answers alone".into())
        }
        Setting::EveryAddress(host) => {
            ice(*host, "addresses", "all".into(), "uses and tells every address that it has".into())
        }
        Setting::NoIcmpErrors(host) => {
            ice(*host, "icmp-errors", "false".into(), "goes on with a pair after an ICMP error".into())
        }
        Setting::MaxPairs(host, pairs) => {
            ice(*host, "max-pairs", pairs.to_string(), format!("tries up to {pairs} pairs"))
        }
        Setting::EveryServer(host) => {
            let all: Vec<String> = scenario.servers.iter().map(|server| server.name.clone()).collect();
            ice(*host, "servers", every(&all), format!("asks every server: {}", every(&all)))
        }
        Setting::EveryInterface(host) => {
            ice(*host, "interfaces", "all".into(), "uses all of its interfaces".into())
        }
        Setting::RelayWait(host, wait) => {
            let wait = print_duration(*wait);
            ice(*host, "relay-wait", wait.clone(), format!("waits {wait} for a path without a relay"))
        }
        Setting::Retransmission(host, _) => {
            ice(*host, "rto", "500 ms".into(), "repeats a check after 500 ms".into())
        }
        Setting::Within(within) => {
            let (was, is) = (print_duration(connect.within), print_duration(*within));
            words("within", was, is.clone(), format!("{from} and {to} have {is} to connect"))
        }
        Setting::OtherSideStarts => {
            words("from", from.to_owned(), to.to_owned(), format!("{to} starts, not {from}"))
        }
        Setting::Start(start) => {
            let (was, is) = (print_instant(connect.start), print_instant(*start));
            let how = if *start < connect.start { "earlier" } else { "later" };
            words("start", was, is.clone(), format!("{from} and {to} start {how}, at {is}"))
        }
        Setting::Signaling(delay) => {
            let (was, is) = (print_duration(scenario.signaling_delay), print_duration(*delay));
            let how = if *delay < scenario.signaling_delay { "faster" } else { "slower" };
            words("signaling.delay", was, is.clone(), format!("signaling is {how}: {is} one way"))
        }
        Setting::StunServer => words(
            "stun",
            "none".into(),
            "one".into(),
            "a STUN server tells both sides their addresses".into(),
        ),
        Setting::TurnServer => words(
            "turn",
            "none".into(),
            server_name(scenario, "turn"),
            "a TURN server relays for both sides".into(),
        ),
        Setting::WithoutFault(fault) => {
            let event = &scenario.events[*fault];
            let (node, what) = (scenario.node_name(fault_node(event)), fault_words(event));
            let at = print_instant(event.at);
            let text = format!("{node} never {what} (at {at})");
            words("event", format!("{node} {what}"), "none".into(), text)
        }
    }
}

fn nat_axis(scenario: &Scenario, id: NatId, axis: Axis) -> Changed {
    let nat = &scenario[id];
    let (key, was, is) = axis_value(&nat.behavior, axis);
    Changed { node: Some(nat.name.clone()), key, was, is, text: format!("{} {}", nat.name, axis_words(axis)) }
}

/// The key of an axis, and the values that it has in `behavior` and is set to.
pub(crate) fn axis_value(behavior: &Behavior, axis: Axis) -> (String, String, String) {
    let mut changed = behavior.clone();
    axis.set(&mut changed);
    let before = axes(behavior);
    let after = axes(&changed).into_iter().find(|field| !before.contains(field));
    let (key, is) = after.map_or_else(Default::default, |(key, value)| (key, bare(&value)));
    let was = before.iter().find(|(name, _)| *name == key);
    let was = was.map_or_else(|| "none".to_owned(), |(_, value)| bare(value));
    (key.to_owned(), was, is)
}

/// What a NAT with this value does, after its name.
pub(crate) fn axis_words(axis: Axis) -> String {
    let text = match axis {
        Axis::Filtering(Filtering::EndpointIndependent) => "lets in anyone",
        Axis::Filtering(Filtering::AddressDependent) => {
            "lets in any port of the addresses it has been sent to"
        }
        Axis::Filtering(Filtering::AddressAndPortDependent) => {
            "lets in the address and port it has been sent to"
        }
        Axis::Mapping(Mapping::EndpointIndependent) => "uses one port for all destinations",
        Axis::Mapping(Mapping::AddressDependent) => "uses one port for all ports of a destination address",
        Axis::Mapping(Mapping::AddressAndPortDependent) => "uses a new port for every destination",
        Axis::Hairpinning(Hairpinning::Off) => "drops packets from inside for its own outside",
        Axis::Hairpinning(Hairpinning::ExternalSource) => {
            "turns packets from inside for its own outside around (hairpins)"
        }
        Axis::Hairpinning(Hairpinning::InternalSource) => {
            "turns packets from inside for its own outside around (hairpins), with the sender's private address"
        }
        Axis::FilterScope(FilterScope::Endpoint) => {
            "lets in at any port of a socket whom the socket has sent to"
        }
        Axis::FilterScope(FilterScope::Mapping) => {
            "lets in at a port whom the socket has sent to from that port"
        }
        Axis::ReplyMapping(ReplyMapping::InboundSession) => {
            "sends answers out through the port that was asked"
        }
        Axis::ReplyMapping(ReplyMapping::Outbound) => {
            "sends everything out through the port its destination calls for"
        }
        Axis::Ports(PortAssignment::Preserve) => "keeps the port of the socket inside where it is free",
        Axis::Ports(PortAssignment::Sequential) => "takes one port after the other",
        Axis::Ports(PortAssignment::Random) => "draws ports at random",
        Axis::PortOverloading(true) => "uses a port for several destinations at once",
        Axis::PortOverloading(false) => "uses a port for one mapping at a time",
        Axis::Unsolicited(Unsolicited::Drop) => "drops what nobody asked for, and remembers nothing of it",
        Axis::Unsolicited(Unsolicited::Icmp) => "answers what nobody asked for with an error",
        Axis::Unsolicited(Unsolicited::CreatesState) => "remembers what nobody asked for",
        Axis::Pooling(Pooling::Paired) => "uses one external address for all mappings of a host",
        Axis::NothingExempt => "translates whatever the destination",
        Axis::Pooling(Pooling::Arbitrary) => "uses any of its external addresses",
        Axis::Refresh(Refresh::Both) => "keeps a mapping for as long as packets pass in either direction",
        Axis::Refresh(Refresh::Outbound) => "keeps a mapping for as long as packets go out",
        Axis::Refresh(Refresh::Inbound) => "keeps a mapping for as long as packets come in",
        Axis::UdpTimeout(time) => return remembers("a mapping", time),
        Axis::UdpTimeoutNew(time) => return remembers("a mapping that has let nothing in yet", time),
        Axis::FilterTimeout(time) => return remembers("whom it has been sent to", time),
        Axis::PortRange(range) => return format!("has the ports {range}"),
        Axis::PortParity(true) => "gives even ports for even ones, and odd ports for odd ones",
        Axis::PortParity(false) => "gives even ports for odd ones too, and odd ports for even ones",
        Axis::PortRangePreservation(true) => "gives ports below 1024 for ports below 1024 alone",
        Axis::PortRangePreservation(false) => "gives ports on either side of 1024, whatever the port inside",
        Axis::PortHold(Duration::ZERO) => "gives a port away again as soon as its mapping has ended",
        Axis::PortHold(time) => {
            return format!("keeps a port for {} after its mapping", print_duration(time));
        }
        Axis::OnFull(OnFull::Drop) => "says nothing when it has no room for a mapping",
        Axis::OnFull(OnFull::Icmp | OnFull::IcmpProhibited) => "says so when it has no room for a mapping",
        Axis::PortBlock(ports) => return format!("gives a host {ports} ports"),
        Axis::MaxMappingsPerHost(most) => return format!("gives a host {most} mappings"),
        Axis::MappingRatePerHost(rate) => return format!("lets a host open {rate} mappings in a second"),
        Axis::MaxMappings(most) => return format!("has {most} mappings"),
    };
    text.to_owned()
}

fn remembers(what: &str, time: Duration) -> String {
    format!("remembers {what} for {}", print_duration(time))
}

fn link(scenario: &Scenario, node: NodeId, setting: LinkSetting) -> Changed {
    let (name, link) = match node {
        NodeId::Nat(id) => (&scenario[id].name, scenario[id].link),
        NodeId::Host(id) => (&scenario[id].name, scenario[id].link),
        NodeId::Server(id) => (&scenario[id].name, scenario[id].link),
    };
    let (key, is, text) = match setting {
        LinkSetting::Delay(delay) => {
            let is = print_duration(delay);
            let how = if delay < link.delay { "faster" } else { "slower" };
            ("delay", is.clone(), format!("the link of {name} is {how}: {is} one way"))
        }
        LinkSetting::Loss(loss) => ("loss", loss.to_string(), format!("the link of {name} loses nothing")),
        LinkSetting::Mtu(mtu) => {
            ("mtu", mtu.to_string(), format!("the link of {name} carries {mtu} octets at once"))
        }
    };
    let fields = link_fields(&link);
    let was = fields.into_iter().find(|(name, _)| *name == key).map(|(_, value)| bare(&value));
    let (node, key) = (Some(name.clone()), format!("link.{key}"));
    Changed { node, key, was: was.unwrap_or_default(), is, text }
}

fn fault_words(event: &Event) -> &'static str {
    match event.action {
        Action::RebootNat(_) => "restarts",
        Action::LinkDown(_) => "loses its link",
        Action::LinkUp(_) => "has its link back",
        Action::SetLink { .. } => "gets another link",
        Action::ChangeAddress { .. } => "gets another address",
        Action::StopServer(_) => "stops",
        Action::StartServer(_) => "starts again",
    }
}

/// A value without the quotes of a string.
fn bare(value: &str) -> String {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value).to_owned()
}
