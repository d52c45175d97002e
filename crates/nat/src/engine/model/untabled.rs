//! Boxes that keep no table, against what they do in a line or two.

use super::draw::{exemptions, one_of};
use super::kind::{Packet, Piece, kinds, pieces};
use super::*;
use crate::behavior::{self, Fragments, Hairpinning};

/// Kinds of box that keep no table.
pub(super) const KINDS: [behavior::Kind; 4] =
    [behavior::Kind::Static, behavior::Kind::None, behavior::Kind::UdpBlocked, behavior::Kind::TcpOnly];

/// The last octets of the addresses of hosts inside; the static NAT's external addresses have the same.
const HOSTS: std::ops::Range<u8> = 1..4;

fn host(host: u8) -> IpAddr {
    Endpoint::v4(10, 0, 0, host, 0).ip
}

fn external(host: u8) -> IpAddr {
    Endpoint::v4(203, 0, 113, host, 0).ip
}

fn behaviors() -> impl Strategy<Value = Behavior> {
    let axes = (one_of(&KINDS), one_of(Hairpinning::ALL), one_of(Fragments::ALL), exemptions());
    axes.prop_map(|(kind, hairpinning, fragments, exempt)| {
        let exempt = if kind == behavior::Kind::Static { exempt } else { Vec::new() };
        Behavior { kind, hairpinning, fragments, exempt, ..Behavior::default() }
    })
}

fn packets() -> impl Strategy<Value = (Packet, Option<Piece>)> {
    let remote = (1u8..4, 3000u16..3003).prop_map(|(host, port)| Endpoint::v4(198, 51, 100, host, port));
    let inside = HOSTS.prop_map(host);
    let destination =
        prop_oneof![2 => remote.clone(), 1 => HOSTS.prop_map(|host| Endpoint::new(external(host), 5000))];
    let target = prop_oneof![HOSTS.prop_map(external), HOSTS.prop_map(host)];
    let out = (inside, destination, kinds())
        .prop_map(|(ip, to, kind)| (kind, Endpoint::new(ip, 5000), kind.remote(to), true));
    let back = (remote, target, kinds())
        .prop_map(|(from, ip, kind)| (kind, kind.remote(from), Endpoint::new(ip, 5000), false));
    let piece = proptest::option::of(pieces());
    (prop_oneof![out, back], piece).prop_map(|((kind, from, to, out), piece)| {
        (Packet { kind, from, to, out, whole: piece.is_none() }, piece)
    })
}

/// What becomes of a packet: its addresses, and whether it goes inside.
fn expected(behavior: &Behavior, packet: Packet) -> Result<(IpAddr, IpAddr, bool), DropReason> {
    let Packet { kind, from, to, out, whole } = packet;
    let as_it_is = Ok((from.ip, to.ip, !out));
    let protocol = kind.protocol();
    let (internal, remote) = if out { (from, to) } else { (to, from) };
    let at = |ip: fn(u8) -> IpAddr, other: IpAddr| HOSTS.into_iter().find(|host| ip(*host) == other);
    let exempt = behavior.exempt.iter().any(|exempt| {
        exempt.prefix.contains(remote.ip) && exempt.port.is_none_or(|port| whole && port == remote.port)
    });
    match behavior.kind {
        behavior::Kind::UdpBlocked if protocol == Protocol::Udp => Err(DropReason::UdpBlocked),
        behavior::Kind::TcpOnly if protocol != Protocol::Tcp => Err(DropReason::TcpOnly),
        behavior::Kind::Static => {
            let own = at(external, to.ip);
            match (own, at(host, from.ip)) {
                (None, _) if exempt && at(host, internal.ip).is_some() => as_it_is,
                (None, Some(sender)) => Ok((external(sender), to.ip, false)),
                (None, None) => Err(DropReason::NotForUs),
                (Some(receiver), None) => Ok((from.ip, host(receiver), true)),
                (Some(receiver), Some(sender)) => match behavior.hairpinning {
                    Hairpinning::Off => Err(DropReason::HairpinOff),
                    Hairpinning::ExternalSource => Ok((external(sender), host(receiver), true)),
                    Hairpinning::InternalSource => Ok((from.ip, host(receiver), true)),
                },
            }
        }
        _ => as_it_is,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// Fragments pass as whole packets do, and nobody's port is touched.
    #[test]
    fn boxes_without_a_table_do_what_they_do_at_once(
        behavior in behaviors(),
        packets in proptest::collection::vec(packets(), 1..20),
    ) {
        let translates = behavior.kind == behavior::Kind::Static;
        let config = Config {
            behavior: behavior.clone(),
            external: HOSTS.filter(|_| translates).map(external).collect(),
            internal: HOSTS.map(host).map(Prefix::host).collect(),
        };
        let mut nat = Nat::new(config, Xoshiro256PlusPlus::seed_from_u64(0)).expect("a valid configuration");
        for (packet, piece) in packets {
            let sent = piece.map_or_else(|| packet.datagram(), |piece| packet.cut(1, piece));
            let mut passed = sent.clone();
            let pass = if packet.out { Nat::outbound } else { Nat::inbound };
            let outcome = pass(&mut nat, Timestamp::ZERO, &mut passed);
            let (expected, inside) = match expected(&behavior, packet) {
                Ok((source, destination, inside)) => (Ok((source, destination)), inside),
                Err(reason) => (Err(reason), false),
            };
            match expected {
                Err(reason) => prop_assert_eq!(outcome, Outcome::Drop(reason.into()), "{:?}", packet),
                Ok(ends) => {
                    prop_assert_eq!((passed.source, passed.destination), ends, "{:?}", packet);
                    let goes = if inside { Outcome::Inside } else { Outcome::Outside };
                    prop_assert_eq!(outcome, goes(Forward::default()));
                    prop_assert_eq!(passed.shown_ports(), sent.shown_ports());
                }
            }
            prop_assert_eq!(nat.poll_fragment(), None);
        }
    }
}
