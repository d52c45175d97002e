use natbed_nat::behavior::{
    Behavior, FilterScope, Filtering, Hairpinning, Kind, Mapping, PortAssignment, ReplyMapping, Unsolicited,
};
use natbed_nat::presets;
use proptest::prelude::*;

use super::checks::{MAX_DEPTH, Order, Run};
use super::{Fate, Ip, Loss, NatId, Outcome, Pair, Side, Site, grid, predict};

fn nat(name: &str) -> Behavior {
    presets::lookup(name).unwrap_or_else(|| panic!("no preset {name}")).behavior
}

fn pair<const A: usize, const B: usize>(a: [Behavior; A], b: [Behavior; B]) -> Pair {
    Pair { a: Site::behind(a), b: Site::behind(b), ..Pair::default() }
}

fn between(a: &str, b: &str) -> Pair {
    pair([nat(a)], [nat(b)])
}

/// The outcome, which must not depend on the order of packets.
fn outcome(pair: &Pair) -> Outcome {
    let prediction = predict(pair);
    assert_eq!(prediction.raced, None, "{pair:?}");
    prediction.outcome
}

fn direct(direct: bool) -> Outcome {
    if direct { Outcome::Direct } else { Outcome::Relay }
}

/// Linux's masquerade: ports preserved and overloaded.
fn masquerade(unsolicited: Unsolicited) -> Behavior {
    Behavior { ports: PortAssignment::Preserve, port_overloading: true, unsolicited, ..nat("APDM/APDF") }
}

#[test]
fn the_classic_table() {
    let table = ["dddd", "dddd", "dddr", "ddrr"];
    for (a, row) in presets::CLASSIC.iter().zip(table) {
        for (b, cell) in presets::CLASSIC.iter().zip(row.chars()) {
            assert_eq!(outcome(&between(a, b)), direct(cell == 'd'), "{a} and {b}");
            let behavior = |name| (nat(name).mapping, nat(name).filtering);
            assert_eq!(grid::is_direct(behavior(a), behavior(b)), cell == 'd', "{a} and {b}");
        }
    }
}

#[test]
fn the_grid_in_closed_form_is_what_the_interpreter_finds() {
    for a in presets::GRID {
        for b in presets::GRID {
            let behavior = |name| (nat(name).mapping, nat(name).filtering);
            let closed = grid::is_direct(behavior(a), behavior(b));
            assert_eq!(outcome(&between(a, b)), direct(closed), "{a} and {b}");
        }
    }
}

/// Every way to set the two axes that change what 'has sent to' and 'leaves through' mean.
fn variants() -> impl Iterator<Item = (FilterScope, ReplyMapping)> {
    FilterScope::ALL.iter().flat_map(|scope| ReplyMapping::ALL.iter().map(|reply| (*scope, *reply)))
}

fn varied(name: &str, (filter_scope, reply_mapping): (FilterScope, ReplyMapping)) -> Behavior {
    Behavior { filter_scope, reply_mapping, ..nat(name) }
}

#[test]
fn sides_orders_and_depths_change_no_cell() {
    for variant in variants() {
        for a in presets::GRID {
            for b in presets::GRID {
                let pair = pair([varied(a, variant)], [varied(b, variant)]);
                let swapped = Pair { a: pair.b.clone(), b: pair.a.clone(), ..Pair::default() };
                let found = outcome(&pair);
                assert_eq!(found, outcome(&swapped), "{a} and {b}, {variant:?}");
                let run = Run::new(&pair, Order::Together);
                assert_eq!(run.outcome_for(Side::B), found, "{a} and {b}, {variant:?}: the sides disagree");
                for depth in [2, MAX_DEPTH - 1, MAX_DEPTH + 1] {
                    let deeper = Run::with_depth(&pair, Order::Together, depth).outcome();
                    assert_eq!(deeper, found, "{a} and {b}, {variant:?}, depth {depth}");
                }
            }
        }
    }
}

/// The outcomes of the grid against itself, rows and columns in the order of [`presets::GRID`].
fn table(variant: (FilterScope, ReplyMapping)) -> Vec<String> {
    let cell = |a, b| match outcome(&pair([varied(a, variant)], [varied(b, variant)])) {
        Outcome::Direct => 'd',
        Outcome::Relay => 'r',
        Outcome::Fail => 'f',
    };
    presets::GRID.iter().map(|a| presets::GRID.iter().map(|b| cell(a, b)).collect()).collect()
}

/// Worked out by hand for the cells that differ from the default (see the comments), and kept whole.
#[test]
fn the_grid_under_each_filter_scope_and_reply_mapping() {
    use {FilterScope as Scope, ReplyMapping as Reply};
    assert_eq!(
        table((Scope::Mapping, Reply::Outbound)),
        [
            "ddddddddd",
            "ddddddddd",
            "dddrrrrrr",
            "ddrddrddr",
            "ddrdrrdrr",
            "ddrrrrrrr",
            "ddrddrrrr",
            "ddrdrrrrr",
            "ddrrrrrrr",
        ]
    );
    // Kept per endpoint, the filter of a signalled port lets in an address that another port has sent to: two
    // address-dependent filters connect as soon as one mapping holds still for all ports of an address.
    assert_eq!(
        table((Scope::Endpoint, Reply::Outbound)),
        [
            "ddddddddd",
            "ddddddddd",
            "dddrrrrrr",
            "ddrddrddr",
            "ddrddrddr",
            "ddrrrrrrr",
            "ddrddrrrr",
            "ddrddrrrr",
            "ddrrrrrrr",
        ]
    );
    // Answered from the port that the check went to, an open filter suffices, whatever the other side does.
    assert_eq!(
        table((Scope::Mapping, Reply::InboundSession)),
        [
            "ddddddddd",
            "ddddddddd",
            "ddddrrdrr",
            "ddddddddd",
            "ddrdrrdrr",
            "ddrdrrdrr",
            "ddddddddd",
            "ddrdrrdrr",
            "ddrdrrdrr",
        ]
    );
    // Both together: a check is let in at the signalled port and answered from there, unless neither side's ports
    // are known to the other and both filters look at them.
    assert_eq!(
        table((Scope::Endpoint, Reply::InboundSession)),
        [
            "ddddddddd",
            "ddddddddd",
            "ddddddddd",
            "ddddddddd",
            "ddddddddd",
            "dddddrddr",
            "ddddddddd",
            "ddddddddd",
            "dddddrddr",
        ]
    );
}

#[test]
fn a_more_open_filter_loses_no_direct_pair() {
    for variant in variants() {
        let table = table(variant);
        for row in &table {
            for filters in row.as_bytes().chunks(3) {
                assert!(filters.is_sorted(), "{row}: d before r, from open to strict");
            }
        }
    }
}

#[test]
fn two_restless_open_nats_answer_from_elsewhere() {
    let prediction = predict(&between("APDM/EIF", "APDM/EIF"));
    assert_eq!(prediction.outcome, Outcome::Relay);
    assert!(prediction.why.iter().any(|finding| matches!(finding.fate, Fate::AnsweredFrom(_))));
}

#[test]
fn a_relay_is_explained_by_the_filters_that_forbid_more() {
    let why = predict(&between("port-restricted", "symmetric")).why;
    for nat in [NatId::Of(Side::A, 0), NatId::Of(Side::B, 0)] {
        let filtered = Fate::RequestLost(Loss::Filtered(nat));
        assert_eq!(why.iter().filter(|finding| finding.fate == filtered).count(), 1, "{nat}");
    }
    assert_eq!(
        why.last().unwrap().to_string(),
        "check of a from (a) to (b's relayed address): answered from where it went"
    );
}

#[test]
fn firewalls_and_public_hosts() {
    let open = |filtering| Behavior { filtering, ..nat("firewall") };
    for (kind, peer, expected) in [
        (nat("firewall"), "symmetric", Outcome::Relay),
        (nat("firewall"), "port-restricted", Outcome::Direct),
        (open(Filtering::AddressDependent), "symmetric", Outcome::Direct),
        (open(Filtering::EndpointIndependent), "symmetric", Outcome::Direct),
        (nat("none"), "symmetric", Outcome::Direct),
        (nat("static"), "symmetric", Outcome::Direct),
        (nat("udp-blocked"), "one-to-one", Outcome::Fail),
        (nat("tcp-only"), "none", Outcome::Fail),
    ] {
        assert_eq!(outcome(&pair([kind.clone()], [nat(peer)])), expected, "{:?} and {peer}", kind.kind);
        assert_eq!(outcome(&pair([nat(peer)], [kind.clone()])), expected, "{peer} and {:?}", kind.kind);
    }
    assert_eq!(outcome(&pair([], [nat("symmetric")])), Outcome::Direct);
    assert_eq!(outcome(&pair([nat("firewall")], [nat("firewall")])), Outcome::Direct);
}

/// A firewall before a host is a port-restricted NAT that needs no STUN; `static` is a one-to-one NAT.
#[test]
fn boxes_that_keep_ports_equal_their_cells() {
    for peer in presets::GRID {
        for (kind, cell) in [("firewall", "EIM/APDF"), ("static", "EIM/EIF"), ("none", "EIM/EIF")] {
            assert_eq!(outcome(&between(kind, peer)), outcome(&between(cell, peer)), "{kind} and {peer}");
        }
    }
}

/// The same as the outer and as the inner layer of two.
#[test]
fn boxes_that_keep_ports_equal_their_cells_as_a_layer() {
    for (kind, cell) in [("firewall", "EIM/APDF"), ("static", "EIM/EIF"), ("none", "EIM/EIF")] {
        for other in presets::GRID {
            for peer in presets::GRID {
                let double = |outer, inner| outcome(&pair([nat(outer), nat(inner)], [nat(peer)]));
                assert_eq!(double(kind, other), double(cell, other), "{kind} over {other} against {peer}");
                assert_eq!(double(other, kind), double(other, cell), "{other} over {kind} against {peer}");
            }
        }
    }
}

/// Mapping and filtering are each the stricter of the two layers. An inner filter with one mapping for all sees what
/// the endpoint has sent to through every mapping of the outer layer: there the filter's scope is the endpoint.
#[test]
fn the_stricter_layer_of_a_double_nat_decides() {
    for (outer, inner) in presets::GRID.iter().flat_map(|outer| presets::GRID.map(|inner| (*outer, inner))) {
        let (outside, inside) = (nat(outer), nat(inner));
        let sees_all = inside.mapping == Mapping::EndpointIndependent && inside.filtering > outside.filtering;
        let stricter = Behavior {
            mapping: outside.mapping.max(inside.mapping),
            filtering: outside.filtering.max(inside.filtering),
            filter_scope: if sees_all { FilterScope::Endpoint } else { FilterScope::Mapping },
            ..Behavior::default()
        };
        for peer in presets::GRID {
            let double = outcome(&pair([outside.clone(), inside.clone()], [nat(peer)]));
            let single = outcome(&pair([stricter.clone()], [nat(peer)]));
            assert_eq!(double, single, "{outer} over {inner} against {peer}");
        }
    }
}

fn homes(carrier: Behavior, home: &str) -> Pair {
    Pair {
        shared: vec![carrier],
        a: Site::behind([nat(home)]),
        b: Site::behind([nat(home)]),
        ..Pair::default()
    }
}

#[test]
fn two_homes_behind_one_carrier_need_its_hairpin() {
    let carrier = |hairpinning| Behavior { hairpinning, ..nat("EIM/APDF") };
    let off = homes(carrier(Hairpinning::Off), "port-restricted");
    assert_eq!(outcome(&off), Outcome::Relay);
    let no_hairpin = Fate::RequestLost(Loss::NoHairpin(NatId::Shared(0)));
    assert!(predict(&off).why.iter().any(|finding| finding.fate == no_hairpin));
    assert_eq!(outcome(&homes(carrier(Hairpinning::ExternalSource), "port-restricted")), Outcome::Direct);
    // From its internal source the check comes from a stranger, who is let in only where ports and addresses do not
    // matter.
    assert_eq!(outcome(&homes(carrier(Hairpinning::InternalSource), "port-restricted")), Outcome::Relay);
    assert_eq!(outcome(&homes(carrier(Hairpinning::InternalSource), "one-to-one")), Outcome::Direct);
    let symmetric = Behavior { hairpinning: Hairpinning::ExternalSource, ..nat("symmetric") };
    assert_eq!(outcome(&homes(symmetric, "one-to-one")), Outcome::Relay);
}

/// Where NAT `a` exempts destinations; nobody has a relay.
fn exempting(exempt: &str, b: &str) -> Outcome {
    let a = Behavior { exempt: vec![exempt.parse().unwrap()], ..nat("EIM/APDF") };
    let site = |behavior| Site { turn: false, ..Site::behind([behavior]) };
    let address = |ip: &str| ip.parse().unwrap();
    let known = [
        (Ip::Stun, address("198.51.100.5")),
        (Ip::Host(Side::A), address("192.168.1.2")),
        (Ip::Host(Side::B), address("192.168.2.2")),
        (Ip::Nat(NatId::Of(Side::A, 0)), address("203.0.113.1")),
        (Ip::Nat(NatId::Of(Side::B, 0)), address("203.0.113.2")),
    ];
    outcome(&Pair { a: site(a), b: site(nat(b)), addresses: known.into(), ..Pair::default() })
}

#[test]
fn a_server_that_is_exempt_tells_an_address_of_no_use() {
    assert_eq!(exempting("198.51.100.5", "EIM/APDF"), Outcome::Fail);
    assert_eq!(exempting("0.0.0.0/0:3478", "EIM/APDF"), Outcome::Fail);
    assert_eq!(exempting("198.51.100.5:9", "EIM/APDF"), Outcome::Direct);
    assert_eq!(exempting("198.51.100.6", "EIM/APDF"), Outcome::Direct);
    // What is filtered by nobody needs no address that was told.
    assert_eq!(exempting("198.51.100.5", "EIM/EIF"), Outcome::Direct);
}

#[test]
fn a_peer_that_is_exempt_is_met_as_by_a_plain_router() {
    assert_eq!(outcome(&between("EIM/APDF", "APDM/APDF")), Outcome::Relay);
    assert_eq!(exempting("203.0.113.2", "APDM/APDF"), Outcome::Direct);
    assert_eq!(exempting("203.0.113.3", "APDM/APDF"), Outcome::Fail);
}

/// A carrier turns a packet around with its internal source, which lies inside the firewall that it has to pass.
#[test]
fn a_firewall_takes_no_packet_from_outside_whose_source_is_inside() {
    let carrier = Behavior { hairpinning: Hairpinning::InternalSource, ..nat("one-to-one") };
    let behind = |firewall| Pair {
        shared: vec![carrier.clone(), firewall],
        a: Site::behind([nat("one-to-one")]),
        b: Site::behind([nat("one-to-one")]),
        ..Pair::default()
    };
    let firewall = behind(Behavior { filtering: Filtering::EndpointIndependent, ..nat("firewall") });
    assert_eq!(outcome(&firewall), Outcome::Relay);
    let spoofed = Fate::RequestLost(Loss::Spoofed(NatId::Shared(1)));
    assert!(predict(&firewall).why.iter().any(|finding| finding.fate == spoofed));
    assert_eq!(outcome(&behind(nat("none"))), Outcome::Direct);
}

#[test]
fn hosts_behind_one_nat_use_their_host_candidates() {
    for shared in presets::GRID.into_iter().chain(["udp-blocked", "none", "static"]) {
        let pair = Pair { shared: vec![nat(shared)], ..Pair::default() };
        assert_eq!(outcome(&pair), Outcome::Direct, "{shared}");
    }
    // One on the carrier's network, one in a home on it: the home's NAT sees a public host.
    let pair =
        Pair { shared: vec![nat("symmetric")], a: Site::behind([nat("symmetric")]), ..Pair::default() };
    assert_eq!(outcome(&pair), Outcome::Direct);
}

#[test]
fn what_is_left_without_servers() {
    let with = |a: &str, b: &str, stun, turn| {
        let site = |name| Site { stun, turn, ..Site::behind([nat(name)]) };
        outcome(&Pair { a: site(a), b: site(b), ..Pair::default() })
    };
    assert_eq!(with("one-to-one", "one-to-one", false, false), Outcome::Fail);
    assert_eq!(with("symmetric", "none", false, false), Outcome::Direct);
    assert_eq!(with("port-restricted", "port-restricted", true, false), Outcome::Direct);
    assert_eq!(with("port-restricted", "symmetric", true, false), Outcome::Fail);
    // An allocation tells the server-reflexive address too (RFC 8445 section 5.1.1.2).
    assert_eq!(with("port-restricted", "port-restricted", false, true), Outcome::Direct);
}

#[test]
fn one_relay_serves_both_sides_if_it_can_know_the_other() {
    let without = |stun| Site { stun, turn: false, ..Site::behind([nat("symmetric")]) };
    let both = Site::behind([nat("symmetric")]);
    assert_eq!(outcome(&Pair { a: without(true), b: both.clone(), ..Pair::default() }), Outcome::Relay);
    assert_eq!(outcome(&Pair { a: both.clone(), b: without(true), ..Pair::default() }), Outcome::Relay);
    // Nobody can name the public address of a host that has asked no server, so that there is no permission for it.
    assert_eq!(outcome(&Pair { a: without(false), b: both, ..Pair::default() }), Outcome::Fail);
}

#[test]
fn overloaded_ports_look_endpoint_independent() {
    for peer in presets::GRID {
        let masquerade = pair([masquerade(Unsolicited::Drop)], [nat(peer)]);
        assert_eq!(outcome(&masquerade), outcome(&between("port-restricted", peer)), "{peer}");
    }
}

#[test]
fn an_early_packet_moves_the_mapping_of_connection_tracking() {
    let tracking = masquerade(Unsolicited::CreatesState);
    let raced = |peer: Behavior| {
        let prediction = predict(&pair([tracking.clone()], [peer]));
        (prediction.outcome, prediction.raced)
    };
    assert_eq!(raced(nat("port-restricted")), (Outcome::Direct, Some(Outcome::Relay)));
    assert_eq!(raced(tracking.clone()), (Outcome::Direct, Some(Outcome::Relay)));
    // Whoever does not look at ports follows the mapping to where it moved.
    assert_eq!(raced(nat("address-restricted")), (Outcome::Direct, None));
    assert_eq!(raced(nat("symmetric")), (Outcome::Relay, None));
}

fn behavior() -> impl Strategy<Value = Behavior> {
    use prop::sample::select;
    let axes = (
        select(&[Kind::Nat, Kind::Nat, Kind::Nat, Kind::Static, Kind::Firewall, Kind::None][..]),
        select(Mapping::ALL),
        select(Filtering::ALL),
        select(FilterScope::ALL),
        select(ReplyMapping::ALL),
        select(Hairpinning::ALL),
        any::<bool>(),
    );
    axes.prop_map(|(kind, mapping, filtering, filter_scope, reply_mapping, hairpinning, overload)| Behavior {
        kind,
        mapping,
        filtering,
        filter_scope,
        reply_mapping,
        hairpinning,
        ports: PortAssignment::Preserve,
        port_overloading: overload && mapping != Mapping::EndpointIndependent,
        ..Behavior::default()
    })
}

fn site() -> impl Strategy<Value = Site> {
    (prop::collection::vec(behavior(), 0..3), any::<(bool, bool)>()).prop_map(|(nats, (stun, turn))| Site {
        nats,
        stun,
        turn,
    })
}

fn any_pair() -> impl Strategy<Value = Pair> {
    (prop::collection::vec(behavior(), 0..3), site(), site()).prop_map(|(shared, a, b)| Pair {
        shared,
        a,
        b,
        ..Pair::default()
    })
}

proptest! {
    /// On networks of every shape the outcome depends on neither the side that one looks from nor the order of
    /// packets nor the depth at which the agents stop learning.
    #[test]
    fn the_outcome_is_one(pair in any_pair()) {
        let found = outcome(&pair);
        let swapped = Pair { a: pair.b.clone(), b: pair.a.clone(), ..pair.clone() };
        prop_assert_eq!(outcome(&swapped), found);
        prop_assert_eq!(Run::new(&pair, Order::Together).outcome_for(Side::B), found);
        prop_assert_eq!(Run::with_depth(&pair, Order::Together, MAX_DEPTH + 1).outcome(), found);
    }

    /// A TURN server more never loses a pair, and a direct pair needs none.
    #[test]
    fn relays_only_help(pair in any_pair()) {
        let with = |turn| {
            let site = |site: &Site| Site { turn, stun: true, ..site.clone() };
            outcome(&Pair { a: site(&pair.a), b: site(&pair.b), ..pair.clone() })
        };
        let (with, without) = (with(true), with(false));
        prop_assert_eq!(with == Outcome::Direct, without == Outcome::Direct);
        prop_assert!(with != Outcome::Fail);
    }
}
