//! Every single change that is tried.

use std::time::Duration;

use natbed_nat::behavior::Kind;
use natbed_packet::Timestamp;

use super::axis;
use super::change::{Change, LinkSetting, Setting, is_turn, nats_of, nodes_of};
use crate::scenario::{Addresses, HostId, LinkConfig, NatId, NodeId, Policy, Retransmission, Scenario};

/// Patience to try: a little more than any pair takes, and as much as anybody has.
const RELAY_WAITS: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(30)];
/// The time that a connection has by default.
const WITHIN: Duration = Duration::from_secs(60);
/// The default retransmission timeout of checks.
const RTO: Duration = Duration::from_millis(500);
/// The default limit on pairs (RFC 8445 section 6.1.2.5).
const MAX_PAIRS: u32 = 100;
/// Signaling that overtakes packets, the default, and signaling that is slower than they are.
const SIGNALING: [Duration; 3] =
    [Duration::from_millis(1), Duration::from_millis(50), Duration::from_millis(500)];
/// How much longer a host's link is tried with: one side's packets come after the other's.
const LATER: Duration = Duration::from_millis(100);

/// The single changes to connection `index` of `scenario`, in no particular order.
pub(super) fn singles(scenario: &Scenario, index: usize) -> Vec<Change> {
    let mut all = Vec::new();
    let connect = &scenario.connects[index];
    let sides = [connect.from, connect.to];
    for host in sides {
        agent(scenario, host, host == connect.from, &mut all);
    }
    servers(scenario, sides, &mut all);
    timing(scenario, index, &mut all);
    for nat in nats(scenario, sides) {
        let shared = sides.iter().all(|host| nats_of(scenario, *host).contains(&nat));
        let alternatives = axis::alternatives(&scenario[nat].behavior, shared).into_iter();
        all.extend(alternatives.map(|(axis, steps)| Change { setting: Setting::Nat(nat, axis), steps }));
    }
    for node in nodes_of(scenario, index) {
        link(scenario, node, &mut all);
    }
    all.extend((0..scenario.events.len()).map(|fault| one(Setting::WithoutFault(fault))));
    all
}

/// Another kind of box for each that lets no UDP through.
pub(super) fn boxes(scenario: &Scenario, index: usize) -> Vec<Change> {
    let connect = &scenario.connects[index];
    let blocking =
        nats(scenario, [connect.from, connect.to]).into_iter().filter(|nat| blocks_udp(scenario, *nat));
    blocking.map(|nat| one(Setting::Box(nat, Kind::Firewall))).collect()
}

/// Whether a box lets no UDP through, whatever its axes say.
pub(super) fn blocks_udp(scenario: &Scenario, nat: NatId) -> bool {
    matches!(scenario[nat].behavior.kind, Kind::UdpBlocked | Kind::TcpOnly)
}

/// The NATs of both sides, each once.
pub(super) fn nats(scenario: &Scenario, sides: [HostId; 2]) -> Vec<NatId> {
    let mut nats: Vec<NatId> = Vec::new();
    for nat in sides.into_iter().flat_map(|host| nats_of(scenario, host)) {
        if !nats.contains(&nat) {
            nats.push(nat);
        }
    }
    nats
}

const fn one(setting: Setting) -> Change {
    Change { setting, steps: 1 }
}

/// What a host's owner can set.
fn agent(scenario: &Scenario, id: HostId, controls: bool, all: &mut Vec<Change>) {
    let host = &scenario[id];
    if host.ice.policy == Policy::Relay {
        all.push(one(Setting::Policy(id, Policy::All)));
    }
    if host.ice.lite {
        all.push(one(Setting::FullAgent(id)));
    }
    if host.ice.addresses != Addresses::All {
        all.push(one(Setting::EveryAddress(id)));
    }
    if host.ice.icmp_errors {
        all.push(one(Setting::NoIcmpErrors(id)));
    }
    if host.ice.max_pairs < MAX_PAIRS {
        all.push(one(Setting::MaxPairs(id, MAX_PAIRS)));
    }
    if host.ice.servers.len() < scenario.servers.len() {
        all.push(one(Setting::EveryServer(id)));
    }
    if host.ice.interfaces.len() < host.interfaces.len() {
        all.push(one(Setting::EveryInterface(id)));
    }
    if controls {
        let longer = RELAY_WAITS.into_iter().filter(|wait| *wait > host.ice.relay_wait).zip(1..);
        all.extend(longer.map(|(wait, steps)| Change { setting: Setting::RelayWait(id, wait), steps }));
    }
    if host.ice.retransmission != Retransmission::Fixed(RTO) {
        all.push(one(Setting::Retransmission(id, Retransmission::Fixed(RTO))));
    }
}

/// A server more of a kind that a side lacks; a TURN server answers STUN too.
fn servers(scenario: &Scenario, sides: [HostId; 2], all: &mut Vec<Change>) {
    let lacks = |wanted: fn(&crate::scenario::Server) -> bool| {
        sides.iter().any(|host| !scenario[*host].ice.servers.iter().any(|server| wanted(&scenario[*server])))
    };
    if lacks(|_| true) {
        all.push(one(Setting::StunServer));
    }
    if lacks(is_turn) {
        all.push(one(Setting::TurnServer));
    }
}

fn timing(scenario: &Scenario, index: usize, all: &mut Vec<Change>) {
    let connect = &scenario.connects[index];
    all.push(one(Setting::OtherSideStarts));
    if connect.within < WITHIN {
        all.push(one(Setting::Within(WITHIN)));
    }
    if connect.start > Timestamp::ZERO {
        all.push(one(Setting::Start(Timestamp::ZERO)));
    }
    let after_faults = scenario.events.last().map(|event| event.at + Duration::from_secs(1));
    all.extend(after_faults.filter(|start| *start > connect.start).map(|start| one(Setting::Start(start))));
    let delays = SIGNALING.into_iter().filter(|delay| *delay != scenario.signaling_delay);
    all.extend(delays.map(|delay| one(Setting::Signaling(delay))));
}

/// A link without what it loses, and one that takes longer or no longer than most.
fn link(scenario: &Scenario, node: NodeId, all: &mut Vec<Change>) {
    let usual = LinkConfig::default();
    let link = match node {
        NodeId::Nat(id) => scenario[id].link,
        NodeId::Host(id) => scenario[id].link,
        NodeId::Server(id) => scenario[id].link,
    };
    let mut set = |setting| all.push(one(Setting::Link(node, setting)));
    if link.loss > 0.0 {
        set(LinkSetting::Loss(0.0));
    }
    if link.mtu < usual.mtu {
        set(LinkSetting::Mtu(usual.mtu));
    }
    if link.delay > usual.delay {
        set(LinkSetting::Delay(usual.delay));
    }
    if matches!(node, NodeId::Host(_)) {
        set(LinkSetting::Delay(link.delay + LATER));
    }
}
