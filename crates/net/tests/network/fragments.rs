//! Datagrams cut where a link is too small, and put together where they arrive (RFC 791 section 3.2).

use natbed_nat::behavior::Fragments;
use natbed_packet::fragment;

use super::*;

/// A datagram of `size` octets that may be fragmented.
fn loose(from: &str, to: &str, size: usize, identification: u16) -> Datagram {
    Datagram { dont_fragment: false, identification, ..sized(from, to, size) }
}

/// The sizes of the pieces that each datagram was cut into, with where.
fn cuts(network: &Simulator<Probe>) -> Vec<(&str, Vec<usize>)> {
    let cuts = network.log().iter().filter_map(|record| match (&record.event, record.place) {
        (Event::Fragmented { fragments, .. }, place) => {
            let name = match place {
                Place::Node(node) => network.node_name(node),
                Place::Network(id) => network.network_name(id),
            };
            Some((name, fragments.iter().map(|(_, piece)| piece.wire_len()).collect()))
        }
        _ => None,
    });
    cuts.collect()
}

fn link(mtu: u16) -> LinkConfig {
    LinkConfig { mtu, ..LinkConfig::default() }
}

/// Two hosts on the internet, the second over this link.
fn two(link: LinkConfig) -> (Simulator<Probe>, ProgramId, ProgramId) {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let (from, to) = (
        host(&mut topology, internet, "203.0.113.10"),
        host_over(&mut topology, internet, "203.0.113.11", link),
    );
    let mut network = build(&topology);
    let (from, to) =
        (listen(&mut network, from, "203.0.113.10:1000"), listen(&mut network, to, "203.0.113.11:80"));
    (network, from, to)
}

const FROM: &str = "203.0.113.10:1000";
const TO: &str = "203.0.113.11:80";

#[test]
fn rfc791_datagrams_are_cut_by_host_and_router_and_put_together() {
    let (mut network, from, to) = two(link(577));
    let sent = loose(FROM, TO, 3000, 7);
    network.send(from, sent.clone());
    network.run_until(ms(1000));
    let expected = [
        ("203.0.113.10", vec![1500, 1500, 40]),
        ("internet", vec![572, 572, 396]),
        ("internet", vec![572, 572, 396]),
    ];
    assert_eq!(cuts(&network), expected);
    let heard = network.program(to).datagrams();
    assert_eq!(heard, [(ms(20), &sent)]);
    let counts = network.counts(from);
    assert_eq!((counts.sent, counts.fragmented, counts.reassembled, counts.delivered), (1, 6, 6, 1));
    assert!(network.is_idle(), "no timer is left to wait for");
}

#[test]
fn dont_fragment_is_heeded() {
    let (mut network, from, to) = two(link(577));
    network.send(from, sized(FROM, TO, 578));
    network.run_until(ms(1000));
    assert!(cuts(&network).is_empty() && network.program(to).datagrams().is_empty());
    assert_eq!(drops(&network), [("internet", DropReason::TooBig)]);
    assert_eq!(network.program(from).errors().len(), 1);
}

#[test]
fn rfc8200_4_5_ipv6_is_cut_at_its_source_alone() {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let small = host_over(&mut topology, internet, "2001:db8::10", link(1280));
    let large = host(&mut topology, internet, "2001:db8::11");
    let mut network = build(&topology);
    let (small, large) = (
        listen(&mut network, small, "[2001:db8::10]:1000"),
        listen(&mut network, large, "[2001:db8::11]:80"),
    );
    let ends = ("[2001:db8::10]:1000", "[2001:db8::11]:80");
    network.send(small, loose(ends.0, ends.1, 1400, 1));
    network.run_until(ms(100));
    assert_eq!(cuts(&network), [("2001:db8::10", vec![1280, 196])]);
    assert_eq!(network.program(large).datagrams().len(), 1);
    network.send(large, loose(ends.1, ends.0, 1400, 1));
    network.run_until(ms(200));
    assert_eq!(cuts(&network).len(), 1, "the router cuts nothing");
    assert_eq!(drops(&network), [("internet", DropReason::TooBig)]);
}

#[test]
fn rfc1122_3_3_2_missing_fragments_are_waited_for_for_a_minute() {
    let (mut network, from, to) = two(LinkConfig::default());
    let pieces = fragment::cut(&loose(FROM, TO, 3000, 7), 1500).unwrap();
    network.send(from, pieces[0].clone());
    network.send(from, pieces[2].clone());
    network.run_until(ms(60_019));
    assert!(drops(&network).is_empty() && !network.is_idle());
    network.run_until(ms(70_000));
    assert_eq!(drops(&network), [("203.0.113.11", DropReason::ReassemblyTimeout); 2]);
    assert!(network.program(to).datagrams().is_empty());
    let errors = network.program(from).errors();
    let [(reporter, error)] = errors[..] else { panic!("{errors:?}") };
    assert_eq!((reporter, error.quoted.source_endpoint()), (ip("203.0.113.11"), Some(at(FROM))));
    assert_eq!(error.kind, natbed_packet::IcmpErrorKind::Other { icmp_type: 11, code: 1 });

    // Without the first one nobody says so (RFC 792).
    network.send(from, pieces[1].clone());
    network.run_until(ms(200_000));
    assert_eq!((drops(&network).len(), network.program(from).errors().len()), (3, 1));
}

#[test]
fn fragments_that_contradict_each_other_make_no_datagram() {
    let (mut network, from, to) = two(LinkConfig::default());
    let pieces = fragment::cut(&loose(FROM, TO, 3000, 7), 1500).unwrap();
    let mut shifted = pieces[1].clone();
    shifted.fragment_offset -= 1;
    for piece in [&pieces[0], &pieces[0], &shifted] {
        network.send(from, piece.clone());
    }
    network.run_until(ms(100));
    let host = "203.0.113.11";
    let failed = (host, DropReason::ReassemblyFailed);
    assert_eq!(drops(&network), [(host, DropReason::FragmentKnown), failed, failed]);
    network.run_until_idle(ms(100_000));
    assert!(network.program(to).datagrams().is_empty() && network.totals().in_flight == 0);
}

#[test]
fn a_host_puts_no_more_than_64_datagrams_together() {
    let (mut network, from, to) = two(LinkConfig::default());
    let first =
        |identification| fragment::cut(&loose(FROM, TO, 3000, identification), 1500).unwrap().remove(0);
    for identification in 0..70 {
        network.send(from, first(identification));
    }
    network.run_until(ms(100));
    assert_eq!(drops(&network), [("203.0.113.11", DropReason::ReassemblyFull); 6]);
    for piece in &fragment::cut(&loose(FROM, TO, 3000, 69), 1500).unwrap()[1..] {
        network.send(from, piece.clone());
    }
    network.run_until(ms(200));
    assert_eq!(network.program(to).datagrams().len(), 1, "the newest are still there");
}

/// The home with a NAT that takes fragments so, and whose uplink is of `mtu` octets.
fn home(fragments: Fragments) -> (Home, Simulator<Probe>, ProgramId, ProgramId) {
    let mut home = Home::behind("port-restricted");
    home.topology.set_behavior(home.nat, Behavior { fragments, ..nat_type("port-restricted") });
    let mut network = build(&home.topology);
    let (alice, web) = (listen(&mut network, home.host, HOST), echo(&mut network, home.server, SERVER));
    (home, network, alice, web)
}

#[test]
fn rfc4787_req14_datagrams_in_pieces_pass_nats_that_take_them() {
    for fragments in Fragments::ALL {
        let (_, mut network, alice, web) = home(*fragments);
        network.send(alice, loose(HOST, SERVER, 4000, 3));
        network.run_until(ms(1000));
        let heard = network.program(web).datagrams().len();
        if *fragments == Fragments::Drop {
            let dropped = ("port-restricted", DropReason::Nat(natbed_nat::DropReason::Fragment));
            assert_eq!((heard, drops(&network)), (0, vec![dropped; 3]));
        } else {
            assert_eq!((heard, network.program(alice).datagrams().len()), (1, 1), "{fragments}");
            assert_eq!(network.program(web).sources(), [at("203.0.113.1:5000")]);
        }
    }
}

#[test]
fn rfc4787_req14_fragments_out_of_order_wait_for_the_first() {
    for (fragments, heard, dropped) in
        [(Fragments::InOrder, 0, 2), (Fragments::OutOfOrder, 1, 0), (Fragments::Reassemble, 1, 0)]
    {
        let (_, mut network, alice, web) = home(fragments);
        let mut pieces = fragment::cut(&loose(HOST, SERVER, 4000, 3), 1500).unwrap();
        pieces.reverse();
        for piece in pieces {
            network.send(alice, piece);
        }
        network.run_until(ms(1000));
        assert_eq!(network.program(web).datagrams().len(), heard, "{fragments}");
        assert_eq!(drops(&network).len(), dropped, "{fragments}");
    }
    // In vain: it ends after 15 seconds, and the run waits for that.
    let (home, mut network, alice, _) = home(Fragments::OutOfOrder);
    let last = fragment::cut(&loose(HOST, SERVER, 4000, 3), 1500).unwrap().remove(2);
    network.send(alice, last.clone());
    network.run_until_idle(ms(100_000));
    let timeout = ("port-restricted", DropReason::Nat(natbed_nat::DropReason::FragmentTimeout));
    assert_eq!((drops(&network), network.now()), (vec![timeout], ms(15_010)));
    network.send(alice, last);
    network.run_until(ms(16_000));
    network.inject(&natbed_net::Fault::RebootNat(home.nat));
    assert_eq!((drops(&network), network.totals().in_flight), (vec![timeout; 2], 0));
}

#[test]
fn the_log_has_a_mapping_before_the_fragments_that_pass_by_it() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        for fragments in [Fragments::OutOfOrder, Fragments::Reassemble] {
            let (_, mut network, alice, _) = home(fragments);
            let pieces = fragment::cut(&loose(HOST, SERVER, 4000, 3), 1500).unwrap();
            for place in order {
                network.send(alice, pieces[place].clone());
            }
            network.run_until(ms(15));
            let events = network.log().iter().filter_map(|record| match &record.event {
                Event::MappingCreated { .. } => Some("mapping"),
                Event::FilterOpened { .. } => Some("filter"),
                Event::Translated { after, .. } if after.fragment_offset == 0 => Some("first"),
                Event::Translated { .. } => Some("other"),
                _ => None,
            });
            let events: Vec<_> = events.collect();
            assert_eq!(events, ["mapping", "filter", "first", "other", "other"], "{fragments} {order:?}");
        }
    }
}
