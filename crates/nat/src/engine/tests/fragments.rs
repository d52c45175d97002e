//! Fragments (RFC 4787 section 11).

use natbed_packet::{Icmp, IcmpQuery};

use super::*;
use crate::behavior::Fragments;
use crate::{HeldFragment, ReleasedFragment};

/// A datagram in pieces of 16 octets and the header, as a link of 36 octets would make them.
fn pieces(from: Endpoint, to: Endpoint, identification: u16) -> Vec<Datagram> {
    let ports = [from.port.to_be_bytes(), to.port.to_be_bytes()].concat();
    let octets = [&ports[..], &[0, 40, 0, 0], &[7; 32]].concat();
    let piece = |at: usize| Datagram {
        identification,
        dont_fragment: false,
        more_fragments: at < 2,
        fragment_offset: 2 * u16::try_from(at).expect("small"),
        ..Datagram::new(
            from.ip,
            to.ip,
            Transport::Fragment {
                protocol: 17,
                payload: Bytes::copy_from_slice(&octets[16 * at..(16 * at + 16).min(octets.len())]),
            },
        )
    };
    (0..3).map(piece).collect()
}

fn with(fragments: Fragments) -> Bench {
    Bench::new(Behavior { fragments, ..base() })
}

impl Bench {
    fn send(&mut self, mut piece: Datagram) -> (Outcome, Datagram) {
        let outcome = self.nat.outbound(self.now, &mut piece);
        (outcome, piece)
    }

    fn receive(&mut self, mut piece: Datagram) -> (Outcome, Datagram) {
        let outcome = self.nat.inbound(self.now, &mut piece);
        (outcome, piece)
    }

    /// What became of fragments in the end, the first one first.
    fn all(&mut self, outcomes: impl IntoIterator<Item = (Outcome, Datagram)>) -> Vec<(Outcome, Datagram)> {
        let released = self.released().into_iter().map(|it| (it.outcome, it.fragment));
        let at_once = outcomes.into_iter().filter(|(outcome, _)| !matches!(outcome, Outcome::Held(_)));
        let mut all: Vec<_> = released.chain(at_once).collect();
        all.sort_by_key(|(_, piece)| piece.fragment_offset);
        assert_eq!(all.len(), 3);
        all
    }

    fn released(&mut self) -> Vec<ReleasedFragment> {
        std::iter::from_fn(|| self.nat.poll_fragment()).collect()
    }
}

fn dropped(outcome: Outcome) -> Option<DropReason> {
    reason(outcome).err()
}

#[test]
fn rfc4787_req14_fragments_decide_what_becomes_of_them() {
    for fragments in Fragments::ALL {
        let mut nat = with(*fragments);
        let [first, second, third] = &pieces(ALICE, SERVER, 1)[..] else { panic!("three") };
        let outcomes = [first, second, third].map(|piece| nat.send(piece.clone()));
        if *fragments == Fragments::Drop {
            assert!(outcomes.iter().all(|(outcome, _)| dropped(*outcome) == Some(DropReason::Fragment)));
            assert!(nat.nat.snapshot(nat.now).is_empty());
            continue;
        }
        let outcomes = nat.all(outcomes);
        for (outcome, piece) in &outcomes {
            assert!(matches!(outcome, Outcome::Outside(forward) if forward.mapping.is_some()), "{outcome:?}");
            assert_eq!((piece.source, piece.destination), (EXTERNAL.ip, SERVER.ip));
        }
        assert_eq!(outcomes[0].1.shown_ports(), Some((5000, SERVER.port)), "preserved");
        // The answer, to which the same goes.
        let external = Endpoint { port: 5000, ..EXTERNAL };
        let answers: Vec<_> =
            pieces(SERVER, external, 9).into_iter().map(|piece| nat.receive(piece)).collect();
        for (outcome, piece) in nat.all(answers) {
            assert!(matches!(outcome, Outcome::Inside(_)), "{outcome:?}");
            assert_eq!(piece.destination, ALICE.ip);
        }
    }
}

#[test]
fn rfc4787_req14_early_fragments_wait_or_not() {
    let [first, second, third] = &pieces(ALICE, SERVER, 1)[..] else { panic!("three") };
    let mut ordered = with(Fragments::InOrder);
    assert_eq!(dropped(ordered.send(third.clone()).0), Some(DropReason::FragmentTooEarly));
    assert!(matches!(ordered.send(first.clone()).0, Outcome::Outside(_)));
    assert!(matches!(ordered.send(third.clone()).0, Outcome::Outside(_)), "the others in any order");
    assert!(ordered.released().is_empty());

    let mut any = with(Fragments::OutOfOrder);
    let held = [third, second].map(|piece| match any.send(piece.clone()).0 {
        Outcome::Held(held) => held,
        outcome => panic!("{outcome:?}"),
    });
    assert!(any.released().is_empty());
    let (Outcome::Outside(sent), _) = any.send(first.clone()) else { panic!("it passes") };
    let released = any.released();
    assert_eq!(released.iter().map(|it| it.held).collect::<Vec<HeldFragment>>(), held);
    for ReleasedFragment { fragment, outcome, .. } in released {
        assert_eq!((fragment.source, fragment.destination), (EXTERNAL.ip, SERVER.ip));
        let Outcome::Outside(forward) = outcome else { panic!("{outcome:?}") };
        assert_eq!((forward.mapping, forward.created), (sent.mapping, false));
    }
    assert_eq!(any.nat.poll_timeout(), None);
}

#[test]
fn fragments_of_other_datagrams_do_not_mix() {
    let mut nat = with(Fragments::InOrder);
    let first = pieces(ALICE, SERVER, 1).remove(0);
    assert!(matches!(nat.send(first).0, Outcome::Outside(_)));
    for (from, to, identification) in [(ALICE, SERVER, 2), (BOB, SERVER, 1), (ALICE, STRANGER, 1)] {
        let other = pieces(from, to, identification).remove(1);
        assert_eq!(dropped(nat.send(other).0), Some(DropReason::FragmentTooEarly), "{from} {to}");
    }
    let mut other = pieces(ALICE, SERVER, 1).remove(1);
    other.transport = Transport::Fragment { protocol: 6, payload: vec![1; 16].into() };
    assert_eq!(dropped(nat.send(other).0), Some(DropReason::FragmentTooEarly), "another protocol");
    let back = pieces(ALICE, SERVER, 1).remove(1);
    assert_eq!(dropped(nat.receive(back).0), Some(DropReason::FragmentTooEarly), "the other way");
}

#[test]
fn fragments_of_a_datagram_that_is_kept_out_are_kept_out() {
    let external = Endpoint { port: 5000, ..EXTERNAL };
    for fragments in [Fragments::InOrder, Fragments::OutOfOrder] {
        let mut nat = with(fragments);
        nat.out(ALICE, SERVER).expect("a mapping");
        let [first, second, third] = &pieces(STRANGER, external, 3)[..] else { panic!("three") };
        let early = nat.receive(second.clone()).0;
        assert_eq!(dropped(nat.receive(first.clone()).0), Some(DropReason::Filtered));
        if let Outcome::Held(held) = early {
            let released = nat.released();
            assert_eq!(released.len(), 1);
            assert_eq!((released[0].held, dropped(released[0].outcome)), (held, Some(DropReason::Filtered)));
            assert!(matches!(nat.receive(third.clone()).0, Outcome::Held(_)));
        } else {
            assert_eq!(dropped(nat.receive(third.clone()).0), Some(DropReason::FragmentTooEarly));
        }
    }
}

#[test]
fn a_fragment_without_a_whole_header_is_dropped() {
    let mut nat = with(Fragments::OutOfOrder);
    let mut tiny = pieces(ALICE, SERVER, 1).remove(0);
    for (protocol, octets) in [(17, 7), (6, 16), (1, 7), (47, 40)] {
        tiny.transport = Transport::Fragment { protocol, payload: vec![8; octets].into() };
        assert_eq!(dropped(nat.send(tiny.clone()).0), Some(DropReason::Fragment), "{protocol}");
    }
}

#[test]
fn early_fragments_wait_for_fifteen_seconds() {
    let mut nat = with(Fragments::OutOfOrder);
    let Outcome::Held(held) = nat.send(pieces(ALICE, SERVER, 1).remove(1)).0 else { panic!("it waits") };
    assert_eq!(nat.nat.poll_timeout(), Some(Timestamp::from_nanos(15_000_000_000)));
    let now = nat.wait(15).now;
    nat.nat.handle_timeout(now);
    assert_eq!(nat.nat.poll_timeout(), None);
    let released = nat.released();
    assert_eq!((released.len(), released[0].held), (1, held));
    assert_eq!(dropped(released[0].outcome), Some(DropReason::FragmentTimeout));

    // What is known of a datagram is forgotten as fast, and at once by a reboot.
    assert!(matches!(nat.send(pieces(ALICE, SERVER, 2).remove(0)).0, Outcome::Outside(_)));
    nat.wait(14);
    assert!(matches!(nat.send(pieces(ALICE, SERVER, 2).remove(1)).0, Outcome::Outside(_)));
    nat.wait(1);
    assert!(matches!(nat.send(pieces(ALICE, SERVER, 2).remove(2)).0, Outcome::Held(_)));
    nat.nat.reboot(nat.now);
    assert_eq!(nat.released().len(), 1);
}

#[test]
fn rfc4787_req14a_an_attack_by_fragments_harms_neither_order_nor_whole_packets() {
    let mut nat = with(Fragments::OutOfOrder);
    let external = nat.out(ALICE, SERVER).expect("a mapping");
    let mut refused = 0;
    for number in 0..2000 {
        let attacker = Endpoint::v4(198, 18, 0, u8::try_from(number % 200).expect("small"), 9);
        let piece = pieces(attacker, external, number).remove(1);
        match nat.receive(piece).0 {
            Outcome::Held(_) => {}
            outcome => {
                assert_eq!(dropped(outcome), Some(DropReason::FragmentsFull));
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 2000 - 64);
    assert!(nat.nat.allocated_bytes() < 32 * 1024, "{} octets", nat.nat.allocated_bytes());
    assert_eq!(nat.back(SERVER, external), Ok(ALICE));
    for piece in pieces(SERVER, external, 1) {
        assert!(matches!(nat.receive(piece).0, Outcome::Inside(_)), "in order");
    }

    // One source alone leaves room for others.
    let mut nat = with(Fragments::OutOfOrder);
    nat.out(ALICE, SERVER).expect("a mapping");
    for number in 0..100 {
        let _ = nat.receive(pieces(STRANGER, external, number).remove(1));
    }
    let mut early = pieces(SERVER, external, 1);
    assert!(matches!(nat.receive(early.remove(1)).0, Outcome::Held(_)));
}

#[test]
fn rfc4787_req14_a_nat_that_reassembles_waits_for_all_fragments() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1]] {
        let mut nat = with(Fragments::Reassemble);
        let pieces = pieces(ALICE, SERVER, 1);
        let [one, other, last] = order.map(|place: usize| pieces[place].clone());
        let held = [one, other].map(|piece| match nat.send(piece).0 {
            Outcome::Held(held) => held,
            outcome => panic!("{outcome:?}"),
        });
        assert!(nat.released().is_empty());
        assert!(nat.nat.snapshot(nat.now).is_empty(), "nothing has passed");
        let (outcome, last) = nat.send(last);
        let released = nat.released();
        let mut numbers: Vec<HeldFragment> = released.iter().map(|it| it.held).collect();
        numbers.sort();
        assert_eq!(numbers, held);
        let passed = released.into_iter().map(|it| (it.outcome, it.fragment)).chain([(outcome, last)]);
        let mut created = 0;
        for (outcome, piece) in passed {
            let Outcome::Outside(forward) = outcome else { panic!("{outcome:?}") };
            created += u32::from(forward.created);
            assert_eq!((piece.source, piece.destination), (EXTERNAL.ip, SERVER.ip));
            if let Some((port, _)) = piece.shown_ports() {
                assert_eq!((piece.fragment_offset, port), (0, 5000), "preserved");
            }
        }
        assert_eq!((created, nat.nat.snapshot(nat.now).len()), (1, 1));
        assert_eq!(nat.nat.poll_timeout(), None);
    }
}

#[test]
fn a_datagram_that_is_kept_out_is_kept_out_whole() {
    let external = Endpoint { port: 5000, ..EXTERNAL };
    for last in 0..3 {
        let mut nat = with(Fragments::Reassemble);
        nat.out(ALICE, SERVER).expect("a mapping");
        let mut pieces = pieces(STRANGER, external, 3);
        let last = pieces.remove(last);
        for piece in pieces {
            assert!(matches!(nat.receive(piece).0, Outcome::Held(_)));
        }
        assert_eq!(dropped(nat.receive(last).0), Some(DropReason::Filtered));
        let released: Vec<_> = nat.released().into_iter().map(|it| dropped(it.outcome)).collect();
        assert_eq!(released, [Some(DropReason::Filtered); 2]);
    }
}

#[test]
fn an_incomplete_datagram_waits_for_thirty_seconds_from_its_first_fragment() {
    let mut nat = with(Fragments::Reassemble);
    let mut pieces = pieces(ALICE, SERVER, 1);
    assert!(matches!(nat.send(pieces.remove(0)).0, Outcome::Held(_)));
    nat.wait(20);
    assert!(matches!(nat.send(pieces.remove(0)).0, Outcome::Held(_)));
    assert_eq!(nat.nat.poll_timeout(), Some(Timestamp::from_nanos(30_000_000_000)));
    let now = nat.wait(10).now;
    nat.nat.handle_timeout(now);
    let released: Vec<_> = nat.released().into_iter().map(|it| dropped(it.outcome)).collect();
    assert_eq!(released, [Some(DropReason::FragmentTimeout); 2]);
    assert!(matches!(nat.send(pieces.remove(0)).0, Outcome::Held(_)), "alone now");
}

#[test]
fn fragments_that_overlap_make_no_datagram() {
    let mut nat = with(Fragments::Reassemble);
    let [first, second, third] = &pieces(ALICE, SERVER, 1)[..] else { panic!("three") };
    let overlap = || Some(DropReason::FragmentOverlap);
    assert!(matches!(nat.send(first.clone()).0, Outcome::Held(_)));
    assert_eq!(dropped(nat.send(first.clone()).0), overlap(), "known");
    assert!(nat.released().is_empty(), "the others go on waiting");
    let askew = Datagram { fragment_offset: 1, ..second.clone() };
    assert_eq!(dropped(nat.send(askew).0), overlap());
    assert_eq!(nat.released().into_iter().map(|it| dropped(it.outcome)).collect::<Vec<_>>(), [overlap()]);

    // One past the end.
    let end = Datagram { more_fragments: false, ..second.clone() };
    assert!(matches!(nat.send(end).0, Outcome::Held(_)));
    assert_eq!(dropped(nat.send(third.clone()).0), overlap());
    assert_eq!(nat.released().len(), 1);
    let [first, second] = [first, second].map(|piece| nat.send(piece.clone()).0);
    assert!(matches!((first, second), (Outcome::Held(_), Outcome::Held(_))), "as if nothing had come");
    assert!(matches!(nat.send(third.clone()).0, Outcome::Outside(_)));
}

/// What becomes of a fragment that comes after others, and how many are dropped with it.
fn after(others: &[Datagram], piece: Datagram) -> (Option<DropReason>, usize) {
    let mut nat = with(Fragments::Reassemble);
    for other in others {
        assert!(matches!(nat.send(other.clone()).0, Outcome::Held(_)), "{other:?}");
    }
    let reason = match nat.send(piece).0 {
        Outcome::Held(_) => None,
        outcome => dropped(outcome),
    };
    let released = nat.released();
    assert!(released.iter().all(|it| dropped(it.outcome) == Some(DropReason::FragmentOverlap)));
    (reason, released.len())
}

#[test]
fn a_fragment_that_can_be_of_no_datagram_discards_its_own() {
    let others = &pieces(ALICE, SERVER, 1)[..1];
    let piece = |fragment_offset, more_fragments, octets| Datagram {
        fragment_offset,
        more_fragments,
        transport: Transport::Fragment { protocol: 17, payload: vec![7; octets].into() },
        ..others[0].clone()
    };
    for (offset, more_fragments, octets, is_possible) in [
        (2, true, 0, false),
        (2, false, 0, false),
        (0, true, 0, false),
        (2, true, 12, false),
        (8190, false, 15, true),
        (8190, false, 16, false),
        (8190, true, 16, false),
        (u16::MAX, false, 8, false),
    ] {
        let overlap = (Some(DropReason::FragmentOverlap), others.len());
        let expected = if is_possible { (None, 0) } else { overlap };
        let found = after(others, piece(offset, more_fragments, octets));
        assert_eq!(found, expected, "{octets} at {offset}");
    }
}

#[test]
fn a_fragment_within_those_that_came_in_order_is_known() {
    let [first, second, _] = &pieces(ALICE, SERVER, 1)[..] else { panic!("three") };
    let askew = Datagram { fragment_offset: 1, ..second.clone() };
    let overlap = Some(DropReason::FragmentOverlap);
    assert_eq!(after(&[first.clone(), second.clone()], askew.clone()), (overlap, 0));
    assert_eq!(after(&[second.clone(), first.clone()], askew), (overlap, 2), "as in Linux");
}

#[test]
fn a_last_fragment_that_ends_before_others_discards_its_datagram() {
    let second = pieces(ALICE, SERVER, 1).remove(1);
    let last = |octets| Datagram {
        more_fragments: false,
        transport: Transport::Fragment { protocol: 17, payload: vec![7; octets].into() },
        ..second.clone()
    };
    let overlap = Some(DropReason::FragmentOverlap);
    assert_eq!(after(std::slice::from_ref(&second), last(8)), (overlap, 1));
    assert_eq!(after(std::slice::from_ref(&second), last(16)), (overlap, 0), "known");
}

#[test]
fn a_large_datagram_is_reassembled_and_a_flood_of_fragments_has_bounds() {
    let mut nat = with(Fragments::Reassemble);
    let [first, second, last] = &pieces(ALICE, SERVER, 1)[..] else { panic!("three") };
    let middle = (1..400).map(|at| Datagram { fragment_offset: 2 * at, ..second.clone() });
    for piece in std::iter::once(first.clone()).chain(middle) {
        assert!(matches!(nat.send(piece).0, Outcome::Held(_)));
    }
    let last = Datagram { fragment_offset: 800, ..last.clone() };
    assert!(matches!(nat.send(last).0, Outcome::Outside(_)));
    assert_eq!(nat.released().len(), 400);

    let held = (0..3000).filter(|number| {
        let piece = pieces(ALICE, SERVER, *number).remove(1);
        matches!(nat.send(piece).0, Outcome::Held(_))
    });
    assert_eq!(held.count(), 2048);
}

#[test]
fn fragments_of_queries_pass_by_their_identifier() {
    let mut nat = with(Fragments::InOrder);
    let payload = [8, 0, 0, 0, 0, 77, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9];
    let first = Datagram {
        dont_fragment: false,
        more_fragments: true,
        ..Datagram::new(
            BOB.ip,
            SERVER.ip,
            Transport::Fragment { protocol: 1, payload: Bytes::copy_from_slice(&payload) },
        )
    };
    let whole = IcmpQuery { reply: false, identifier: 77, sequence: 1, payload: Bytes::new() };
    let (outcome, sent) = nat.send(first);
    assert!(matches!(outcome, Outcome::Outside(_)), "{outcome:?}");
    let Some(Transport::Icmp(Icmp::Query(shown))) = natbed_packet::fragment::header(&sent) else { panic!() };
    let (_, whole) = nat.send(Datagram::new(BOB.ip, SERVER.ip, Transport::Icmp(Icmp::Query(whole))));
    let Transport::Icmp(Icmp::Query(query)) = whole.transport else { panic!() };
    assert_eq!(shown.identifier, query.identifier, "one mapping");
}

#[test]
fn fragments_pass_a_firewall_and_hairpin() {
    let behavior = Behavior { fragments: Fragments::OutOfOrder, ..preset("firewall") };
    let mut firewall = Bench::new(behavior);
    for piece in pieces(ALICE, SERVER, 1) {
        assert!(matches!(firewall.send(piece).0, Outcome::Outside(_)));
    }
    for piece in pieces(SERVER, ALICE, 1) {
        assert!(matches!(firewall.receive(piece).0, Outcome::Inside(_)));
    }
    let hairpinning = Hairpinning::ExternalSource;
    let open = Behavior { filtering: Filtering::EndpointIndependent, hairpinning, ..base() };
    let mut nat = Bench::new(Behavior { fragments: Fragments::InOrder, ..open });
    let external = nat.out(BOB, SERVER).expect("a mapping");
    for piece in pieces(ALICE, external, 1) {
        let (outcome, piece) = nat.send(piece);
        assert!(matches!(outcome, Outcome::Inside(_)), "{outcome:?}");
        assert_eq!((piece.source, piece.destination), (EXTERNAL.ip, BOB.ip));
    }
}
