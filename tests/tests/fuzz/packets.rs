//! Packets as bytes, through NATs.

use bytes::Bytes;
use natbed_nat::{Nat, Outcome};
use natbed_packet::{
    Datagram, Endpoint, Family, Icmp, IcmpError, IcmpErrorKind, IcmpQuery, Quoted, TcpFlags, TcpSegment,
    Timestamp, Transport, wire,
};
use rand::{RngExt, SeedableRng};

use crate::config::{address, config};
use crate::mutate::{mend, mutate};
use crate::{Generator, fuzz, moved, pick};

#[test]
fn no_packet_panics() {
    fuzz("packets", 60_000, |rng| {
        let Ok(mut nat) = Nat::new(config(rng), Generator::seed_from_u64(rng.random())) else { return false };
        let mut clock = Timestamp::from_secs(1000);
        let mut passed = Vec::new();
        for _ in 0..48 {
            clock = moved(rng, clock);
            let before = packet(rng, &passed);
            let Ok(mut datagram) = wire::decode(&before) else { continue };
            let outcome = if rng.random() {
                nat.outbound(clock, &mut datagram)
            } else {
                nat.inbound(clock, &mut datagram)
            };
            if !matches!(outcome, Outcome::Drop(_)) {
                let after = wire::encode(&datagram).expect("what passes has a byte form");
                assert_eq!(wire::decode(&after).as_ref(), Ok(&datagram), "it comes back");
                passed.push(datagram);
            }
            upset(rng, &mut nat, clock);
        }
        !passed.is_empty()
    });
}

/// What else may happen to a NAT.
fn upset(rng: &mut Generator, nat: &mut Nat, now: Timestamp) {
    match rng.random_range(0..24) {
        0 => nat.handle_timeout(now),
        1 => drop(nat.snapshot(now)),
        2 => nat.observe(rng.random()),
        3 => nat.reboot(now),
        4 => {
            let external = config(rng).external;
            let _ = nat.set_external(now, &external);
        }
        5 => *nat = nat.clone(),
        _ => {}
    }
    while nat.poll_event().is_some() {}
    while let Some(reply) = nat.poll_reply() {
        assert!(wire::encode(&reply.about).is_ok(), "it came as bytes");
    }
    while let Some(released) = nat.poll_fragment() {
        assert!(wire::encode(&released.fragment).is_ok(), "it came as bytes");
    }
    let _ = nat.poll_timeout();
}

/// The bytes of a packet, new or the answer to one that passed, valid or not.
fn packet(rng: &mut Generator, passed: &[Datagram]) -> Vec<u8> {
    let datagram = if passed.is_empty() || rng.random_ratio(1, 3) {
        datagram(rng)
    } else {
        let passed = pick(rng, passed).clone();
        match rng.random_range(0..4) {
            0 => passed,
            1 => error_about(rng, &passed),
            _ => answer(passed),
        }
    };
    let mut bytes = wire::encode(&datagram).expect("it was made from parts that fit");
    if rng.random_ratio(1, 3) {
        mutate(rng, &mut bytes);
        if rng.random_ratio(3, 4) {
            mend(&mut bytes);
        }
    }
    bytes
}

fn datagram(rng: &mut Generator) -> Datagram {
    let v6 = rng.random_ratio(1, 3);
    let mut end = || {
        let port = if rng.random_ratio(1, 8) { rng.random() } else { rng.random_range(0..40) };
        Endpoint::new(address(v6, rng.random_range(0..3), rng.random_range(1..4)), port)
    };
    let (source, destination) = (end(), end());
    let payload: Bytes = (0..rng.random_range(0..24)).map(|_| rng.random::<u8>()).collect::<Vec<_>>().into();
    let transport = match rng.random_range(0..8) {
        0..4 => return Datagram::udp(source, destination, payload),
        4 | 5 => Transport::Tcp(TcpSegment {
            source_port: source.port,
            destination_port: destination.port,
            sequence: rng.random(),
            acknowledgment: rng.random(),
            flags: TcpFlags {
                syn: rng.random(),
                ack: rng.random(),
                fin: rng.random_ratio(1, 4),
                rst: rng.random_ratio(1, 8),
                psh: rng.random(),
            },
            window: rng.random(),
            payload,
        }),
        6 => Transport::Icmp(Icmp::Query(IcmpQuery {
            reply: rng.random(),
            identifier: source.port,
            sequence: rng.random(),
            payload,
        })),
        _ => Transport::Fragment { protocol: *pick(rng, &[1, 6, 17, 58, 255]), payload },
    };
    let mut datagram = Datagram::new(source.ip, destination.ip, transport);
    datagram.hop_limit = rng.random();
    if matches!(datagram.transport, Transport::Fragment { .. }) {
        datagram.dont_fragment = false;
        datagram.identification = rng.random();
        datagram.fragment_offset = rng.random_range(0..0x2000);
        datagram.more_fragments = datagram.fragment_offset == 0 || rng.random();
    }
    datagram
}

fn answer(mut datagram: Datagram) -> Datagram {
    std::mem::swap(&mut datagram.source, &mut datagram.destination);
    match &mut datagram.transport {
        Transport::Udp(udp) => std::mem::swap(&mut udp.source_port, &mut udp.destination_port),
        Transport::Tcp(tcp) => std::mem::swap(&mut tcp.source_port, &mut tcp.destination_port),
        Transport::Icmp(Icmp::Query(query)) => query.reply = !query.reply,
        Transport::Icmp(Icmp::Error(_)) | Transport::Fragment { .. } => {}
    }
    datagram
}

fn error_about(rng: &mut Generator, datagram: &Datagram) -> Datagram {
    use IcmpErrorKind::{HostUnreachable, PortUnreachable, TimeExceeded, TooBig};
    let kind = *pick(rng, &[HostUnreachable, PortUnreachable, TimeExceeded, TooBig { mtu: 576 }]);
    let from = address(datagram.family() == Family::V6, rng.random_range(0..3), rng.random_range(1..4));
    let error = Icmp::Error(IcmpError { kind, quoted: Quoted::of(datagram) });
    Datagram::new(from, datagram.source, Transport::Icmp(error))
}
