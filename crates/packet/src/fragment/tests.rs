use proptest::prelude::*;

use super::*;
use crate::Endpoint;
use crate::wire::DecodeError;

const ALICE: Endpoint = Endpoint::v4(192, 168, 1, 10, 5000);
const WEB: Endpoint = Endpoint::v4(198, 51, 100, 1, 80);

fn udp(octets: usize) -> Datagram {
    let payload: Vec<u8> = (0..octets).map(|at| u8::try_from(at % 251).unwrap()).collect();
    Datagram { identification: 7, dont_fragment: false, ..Datagram::udp(ALICE, WEB, payload.into()) }
}

fn assembled<'a>(pieces: impl IntoIterator<Item = &'a Datagram>) -> Added {
    let mut parts = Parts::default();
    let mut last = Added::Incomplete;
    for piece in pieces {
        last = parts.add(piece);
    }
    last
}

#[test]
fn rfc791_3_2_pieces_fit_and_lie_end_to_end() {
    let whole = udp(3000);
    let pieces = cut(&whole, 1500).unwrap();
    let shape: Vec<_> =
        pieces.iter().map(|it| (it.fragment_offset, it.wire_len(), it.more_fragments)).collect();
    assert_eq!(shape, [(0, 1500, true), (185, 1500, true), (370, 68, false)]);
    assert!(pieces.iter().all(|piece| (piece.identification, piece.hop_limit) == (7, 64)));
    assert_eq!(assembled(&pieces), Added::Complete(Ok(whole)));
}

#[test]
fn rfc791_3_2_a_fragment_is_cut_again() {
    let whole = udp(4001);
    let again: Vec<Datagram> =
        cut(&whole, 1500).unwrap().iter().flat_map(|piece| cut(piece, 577).unwrap()).collect();
    assert!(again.iter().all(|piece| piece.wire_len() <= 577));
    assert_eq!(again.iter().filter(|piece| !piece.more_fragments).count(), 1);
    assert_eq!(assembled(again.iter().rev()), Added::Complete(Ok(whole)));
    assert!(cut(&udp(100), 27).is_err(), "no room");
}

#[test]
fn rfc8200_4_5_ipv6_is_cut_behind_a_header_of_its_own() {
    let ends = ["2001:db8::1", "2001:db8::2"].map(|ip| Endpoint::new(ip.parse().unwrap(), 9));
    let whole = Datagram::udp(ends[0], ends[1], vec![1; 2000].into());
    let pieces = cut(&whole, 1280).unwrap();
    assert_eq!(pieces.iter().map(Datagram::wire_len).collect::<Vec<_>>(), [1280, 824]);
    assert_eq!(assembled(&pieces), Added::Complete(Ok(whole)));
}

#[test]
fn rfc5722_overlaps_are_contradictions() {
    let pieces = cut(&udp(3000), 1500).unwrap();
    let mut shifted = pieces[1].clone();
    shifted.fragment_offset -= 1;
    assert_eq!(assembled([&pieces[0], &shifted]), Added::Contradiction);
    assert_eq!(assembled([&shifted, &pieces[0]]), Added::Contradiction);
    let mut other = pieces[1].clone();
    other.transport = Transport::Fragment { protocol: 17, payload: vec![9; 1480].into() };
    assert_eq!(assembled([&pieces[1], &other]), Added::Contradiction, "the same place, other octets");
    assert_eq!(assembled([&pieces[1], &pieces[1]]), Added::Known);
    let mut end = pieces[0].clone();
    end.more_fragments = false;
    assert_eq!(assembled([&pieces[1], &end]), Added::Contradiction, "past the end");
    let mut odd = pieces[2].clone();
    odd.more_fragments = true;
    odd.transport = Transport::Fragment { protocol: 17, payload: vec![1; 9].into() };
    assert_eq!(assembled([&odd]), Added::Contradiction, "no multiple of eight");
    let mut far = pieces[2].clone();
    far.fragment_offset = 8191;
    assert_eq!(assembled([&far]), Added::Contradiction, "too long");
}

#[test]
fn the_first_fragment_shows_the_header() {
    let pieces = cut(&udp(3000), 1500).unwrap();
    let Some(Transport::Udp(shown)) = header(&pieces[0]) else { panic!("UDP") };
    assert_eq!((shown.source_port, shown.destination_port, shown.payload.len()), (5000, 80, 1472));
    assert_eq!(header(&pieces[1]), None);
    let segment = TcpSegment {
        source_port: 5000,
        destination_port: 80,
        sequence: 0x0102_0304,
        acknowledgment: 0x0506_0708,
        flags: TcpFlags { ack: true, psh: true, ..TcpFlags::default() },
        window: 999,
        payload: vec![3; 100].into(),
    };
    let whole = Datagram::new(ALICE.ip, WEB.ip, Transport::Tcp(segment.clone()));
    let pieces = cut(&whole, 68).unwrap();
    let seen = TcpSegment { payload: vec![3; 28].into(), ..segment };
    assert_eq!(header(&pieces[0]), Some(Transport::Tcp(seen)));
    assert_eq!(header(&cut(&whole, 36).unwrap()[0]), None, "16 octets are no TCP header");
}

#[test]
fn a_damaged_octet_makes_no_datagram() {
    let mut pieces = cut(&udp(3000), 1500).unwrap();
    pieces[1].transport = Transport::Fragment { protocol: 17, payload: vec![0; 1480].into() };
    assert!(matches!(assembled(&pieces), Added::Complete(Err(DecodeError::Checksum(_)))));
}

#[test]
fn rfc1624_other_addresses_keep_the_checksum() {
    let (from, to) = (Endpoint::v4(203, 0, 113, 1, 61_234), Endpoint::v4(10, 0, 0, 7, 1));
    let mut pieces = cut(&udp(2000), 1500).unwrap();
    for piece in &mut pieces {
        set_addresses(piece, from.ip, to.ip);
        set_ports(piece, from.port, to.port);
    }
    let Added::Complete(Ok(whole)) = assembled(&pieces) else { panic!("{:?}", assembled(&pieces)) };
    assert_eq!((whole.source_endpoint(), whole.destination_endpoint()), (Some(from), Some(to)));

    let query = IcmpQuery { reply: false, identifier: 3, sequence: 1, payload: vec![5; 2000].into() };
    let mut ping = Datagram::new(ALICE.ip, WEB.ip, Transport::Icmp(Icmp::Query(query)));
    ping.dont_fragment = false;
    let mut pieces = cut(&ping, 1500).unwrap();
    set_identifier(&mut pieces[0], 0xbeef);
    let Added::Complete(Ok(whole)) = assembled(&pieces) else { panic!("{:?}", assembled(&pieces)) };
    assert!(matches!(whole.transport, Transport::Icmp(Icmp::Query(IcmpQuery { identifier: 0xbeef, .. }))));
}

proptest! {
    /// Fragments in any order, repeated, missing and moved make the datagram that was cut, or none.
    #[test]
    fn fragments_make_the_same_datagram_or_none(
        octets in 0usize..6000,
        mtus in proptest::collection::vec(68u16..1600, 1..3),
        order in proptest::collection::vec((any::<proptest::sample::Index>(), 0u8..20), 1..60),
    ) {
        let whole = udp(octets);
        let mut pieces = vec![whole.clone()];
        for mtu in mtus {
            pieces = pieces
                .iter()
                .flat_map(|piece| {
                    if piece.wire_len() > usize::from(mtu) { cut(piece, mtu).unwrap() } else { vec![piece.clone()] }
                })
                .collect();
        }
        prop_assume!(pieces.len() > 1);
        let mut parts = Parts::default();
        let mut complete = 0;
        for (index, change) in order {
            let mut piece = index.get(&pieces).clone();
            match change {
                0 => piece.fragment_offset = piece.fragment_offset.wrapping_add(1) & 0x1fff,
                1 => piece.more_fragments = !piece.more_fragments,
                _ => {}
            }
            if let Added::Complete(Ok(made)) = parts.add(&piece) {
                prop_assert_eq!(&made, &whole);
                complete += 1;
            }
        }
        prop_assert!(complete <= 1);
    }

    /// All of them in any order do make it.
    #[test]
    fn all_fragments_in_any_order_make_the_datagram(
        octets in 1500usize..6000,
        mtu in 68u16..1400,
        seed in proptest::collection::vec(any::<u32>(), 128),
    ) {
        let whole = udp(octets);
        let mut pieces = cut(&whole, mtu).unwrap();
        let mut order: Vec<usize> = (0..pieces.len()).collect();
        order.sort_by_key(|at| seed[at % 128]);
        pieces = order.into_iter().map(|at| pieces[at].clone()).collect();
        prop_assert_eq!(assembled(&pieces), Added::Complete(Ok(whole)));
    }
}
