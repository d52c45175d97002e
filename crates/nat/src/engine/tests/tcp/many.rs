//! More connections than two octets count.

use super::*;
use crate::table::Limits;
use crate::{Flow, Verdict};

/// Slots of more than two octets, while ports of UDP still have short lists: what stands for no slot there is the number of
/// a connection's record.
#[test]
fn more_connections_than_two_octets_count_are_nobodys_datagrams() {
    let mut nat = Bench::with(base(), 2);
    nat.nat.set_limits(&Limits { pages: u32::MAX, ..Limits::USUAL });
    let datagrams = nat.ports(ALICE, 40);
    let hosts = (0..=u16::MAX)
        .map(|n| Endpoint { port: 2000 + n % 16_384, ..ALICE_AND_OTHERS[usize::from(n >> 14)] });
    let connections: Vec<_> = hosts.map(|host| (host, nat.connect(host, SERVER))).collect();
    let address = |endpoint: Endpoint| endpoint.to_string().parse().expect("IPv4");
    let from_server = |port| Flow::new(address(SERVER), address(Endpoint { port, ..EXTERNAL }));
    let (known, unknown) = (from_server(datagrams[39]), from_server(datagrams[39] + 1));
    let mut verdicts = Vec::new();
    nat.nat.inbound_batch(nat.now, &[known, unknown, known], &mut verdicts);
    let inside =
        Verdict::Inside(Flow::new(address(SERVER), address(Endpoint { port: ALICE.port + 39, ..ALICE })));
    assert_eq!(verdicts, [inside, Verdict::Drop(DropReason::NoMapping), inside]);
    for (host, external) in connections.into_iter().step_by(101) {
        assert_eq!(nat.out_segment(host, SERVER, ACK), Ok(external));
        assert_eq!(nat.back_segment(SERVER, external, ACK), Ok(host));
    }
    let late = nat.ports(BOB, 40);
    assert_eq!(nat.ports(BOB, 40), late);
    nat.wait(400);
    assert_eq!(nat.ports(BOB, 40), late);
    assert_eq!(nat.back(SERVER, Endpoint { port: datagrams[0], ..EXTERNAL }), Err(DropReason::NoMapping));
}

const ALICE_AND_OTHERS: [Endpoint; 4] =
    [ALICE, BOB, Endpoint::v4(192, 168, 1, 12, 0), Endpoint::v4(192, 168, 1, 13, 0)];
