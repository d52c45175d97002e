//! TCP connections (RFC 5382, RFC 7857).

use natbed_packet::{Icmp, IcmpError, Quoted};

use super::*;
use crate::LateReply;

mod many;

const ESTABLISHED: u64 = 2 * 3600 + 4 * 60;
const TRANSITORY: u64 = 4 * 60;

const SYN: TcpFlags = TcpFlags { syn: true, ack: false, fin: false, rst: false, psh: false };
const ACK: TcpFlags = TcpFlags { ack: true, syn: false, ..SYN };
const SYN_ACK: TcpFlags = TcpFlags { ack: true, ..SYN };
const FIN: TcpFlags = TcpFlags { fin: true, ..ACK };
const RST: TcpFlags = TcpFlags { rst: true, syn: false, ..SYN };

/// The sequence numbers that each end starts with.
const INSIDE: u32 = 1000;
const OUTSIDE: u32 = u32::MAX;

/// A segment after the handshake, as the end whose next number is `sequence` would send it.
fn segment(from: Endpoint, to: Endpoint, flags: TcpFlags, sequence: u32, acknowledgment: u32) -> Datagram {
    let transport = Transport::Tcp(TcpSegment {
        source_port: from.port,
        destination_port: to.port,
        sequence,
        acknowledgment,
        flags,
        window: 500,
        payload: Bytes::new(),
    });
    Datagram::new(from.ip, to.ip, transport)
}

impl Bench {
    fn out_segment(&mut self, from: Endpoint, to: Endpoint, flags: TcpFlags) -> Result<Endpoint, DropReason> {
        let sequence = if flags.syn { INSIDE } else { INSIDE + 1 };
        let mut packet = segment(from, to, flags, sequence, OUTSIDE.wrapping_add(1));
        reason(self.nat.outbound(self.now, &mut packet)).map(|_| packet.source_endpoint().expect("ports"))
    }

    fn back_segment(
        &mut self,
        from: Endpoint,
        to: Endpoint,
        flags: TcpFlags,
    ) -> Result<Endpoint, DropReason> {
        let sequence = if flags.syn { OUTSIDE } else { OUTSIDE.wrapping_add(1) };
        self.back_exact(from, to, flags, sequence)
    }

    fn back_exact(
        &mut self,
        from: Endpoint,
        to: Endpoint,
        flags: TcpFlags,
        sequence: u32,
    ) -> Result<Endpoint, DropReason> {
        let mut packet = segment(from, to, flags, sequence, INSIDE + 1);
        reason(self.nat.inbound(self.now, &mut packet)).map(|_| packet.destination_endpoint().expect("ports"))
    }

    /// Opens a connection from inside and returns its external endpoint.
    fn connect(&mut self, from: Endpoint, to: Endpoint) -> Endpoint {
        let external = self.out_segment(from, to, SYN).expect("a mapping");
        assert_eq!(self.back_segment(to, external, SYN_ACK), Ok(from));
        assert_eq!(self.out_segment(from, to, ACK), Ok(external));
        external
    }

    /// How many seconds the only mapping lives without a packet.
    fn remaining(&self) -> u64 {
        let views = self.nat.snapshot(self.now);
        let [view] = views.as_slice() else { panic!("one mapping") };
        view.expires.since(self.now).as_secs()
    }
}

#[test]
fn rfc5382_req1_endpoint_independent_mapping() {
    let mut nat = Bench::new(base());
    let external = nat.connect(ALICE, SERVER);
    assert_eq!(nat.connect(ALICE, STRANGER), external);
}

#[test]
fn rfc5382_req2_three_way_handshake_and_close() {
    for name in ["port-restricted", "symmetric", "firewall", "EIM/EIF"] {
        let mut nat = Bench::new(preset(name));
        let external = nat.out_segment(ALICE, SERVER, SYN).expect("a mapping");
        assert_eq!(nat.remaining(), TRANSITORY);
        assert_eq!(nat.back_segment(SERVER, external, SYN_ACK), Ok(ALICE), "{name}");
        assert_eq!(nat.remaining(), ESTABLISHED);
        assert_eq!(nat.out_segment(ALICE, SERVER, ACK), Ok(external));
        assert_eq!(nat.wait(7000).back_segment(SERVER, external, ACK), Ok(ALICE));
        assert_eq!(nat.out_segment(ALICE, SERVER, FIN), Ok(external));
        assert_eq!(nat.remaining(), ESTABLISHED, "half closed");
        assert_eq!(nat.wait(7000).back_segment(SERVER, external, FIN), Ok(ALICE));
        assert_eq!(nat.remaining(), TRANSITORY);
        assert_eq!(nat.wait(239).out_segment(ALICE, SERVER, ACK), Ok(external));
        assert_eq!(nat.remaining(), 1, "a last acknowledgment changes nothing");
        assert!(nat.wait(1).back_segment(SERVER, external, ACK).is_err());
    }
}

#[test]
fn rfc5382_req2_simultaneous_open() {
    for name in ["port-restricted", "symmetric", "firewall"] {
        let mut nat = Bench::new(preset(name));
        let external = nat.out_segment(ALICE, SERVER, SYN).expect("a mapping");
        assert_eq!(nat.back_segment(SERVER, external, SYN), Ok(ALICE), "{name}");
        assert_eq!(nat.out_segment(ALICE, SERVER, SYN_ACK), Ok(external));
        assert_eq!(nat.back_segment(SERVER, external, SYN_ACK), Ok(ALICE));
        assert_eq!(nat.wait(ESTABLISHED - 1).back_segment(SERVER, external, ACK), Ok(ALICE));
    }
}

#[test]
fn rfc5382_req2_connections_from_outside_answer_through_the_mapping_they_came_by() {
    for name in ["EIM/EIF", "APDM/EIF"] {
        let mut nat = Bench::new(preset(name));
        let external = nat.connect(ALICE, SERVER);
        assert_eq!(nat.back_segment(STRANGER, external, SYN), Ok(ALICE), "{name}");
        assert_eq!(nat.out_segment(ALICE, STRANGER, SYN_ACK), Ok(external), "{name}");
        assert_eq!(nat.back_segment(STRANGER, external, ACK), Ok(ALICE));
        assert_eq!(nat.wait(TRANSITORY).out_segment(ALICE, STRANGER, ACK), Ok(external));
    }
}

#[test]
fn rfc5382_req2_a_connection_follows_another_between_the_same_ends() {
    let mut nat = Bench::new(base());
    let external = nat.connect(ALICE, SERVER);
    nat.out_segment(ALICE, SERVER, FIN).expect("passes");
    nat.back_segment(SERVER, external, FIN).expect("passes");
    assert_eq!(nat.wait(10).back_segment(SERVER, external, SYN), Ok(ALICE), "in TIME-WAIT");
    assert_eq!(nat.out_segment(ALICE, SERVER, SYN_ACK), Ok(external));
    assert_eq!(nat.remaining(), ESTABLISHED);
}

#[test]
fn rfc5382_req2_segments_of_no_connection_open_nothing() {
    let mut nat = Bench::new(base());
    for flags in [ACK, SYN_ACK, FIN, RST] {
        assert_eq!(nat.out_segment(ALICE, SERVER, flags), Err(DropReason::Stray));
    }
    let external = nat.connect(ALICE, SERVER);
    assert_eq!(nat.out_segment(ALICE, STRANGER, ACK), Ok(external), "the mapping is there, and passes it");
    assert_eq!(nat.back_segment(STRANGER, external, SYN), Err(DropReason::Filtered), "but nothing is opened");
}

#[test]
fn rfc5382_req3_filtering_is_that_of_udp() {
    let gets_in = |filtering| {
        let mut nat = Bench::new(Behavior { filtering, ..base() });
        let external = nat.connect(ALICE, SERVER);
        [OTHER_PORT, STRANGER].map(|from| nat.back_segment(from, external, SYN) == Ok(ALICE))
    };
    assert_eq!(gets_in(Filtering::EndpointIndependent), [true, true]);
    assert_eq!(gets_in(Filtering::AddressDependent), [true, false]);
    assert_eq!(gets_in(Filtering::AddressAndPortDependent), [false, false]);
}

#[test]
fn a_connection_outlives_its_permission() {
    let filter_timeout = Some(Duration::from_secs(100));
    let mut nat = Bench::new(Behavior { filter_timeout, ..base() });
    let external = nat.connect(ALICE, SERVER);
    assert_eq!(nat.wait(200).back_segment(SERVER, external, ACK), Ok(ALICE));
    nat.out_segment(ALICE, SERVER, FIN).expect("passes");
    nat.back_segment(SERVER, external, FIN).expect("passes");
    assert_eq!(nat.wait(200).back_segment(SERVER, external, SYN), Err(DropReason::Filtered));
}

/// What an unsolicited SYN is answered with at once, after 5.999 and after 6 seconds; between them `meanwhile`
/// happens.
fn answers(behavior: Behavior, meanwhile: impl FnOnce(&mut Bench)) -> [Option<IcmpErrorKind>; 3] {
    let mut nat = Bench::new(behavior);
    let mut syn = segment(SERVER, Endpoint { port: 5000, ..EXTERNAL }, SYN, OUTSIDE, 0);
    let before = syn.clone();
    let Outcome::Drop(drop) = nat.nat.inbound(nat.now, &mut syn) else { panic!("nothing to let it in") };
    assert_eq!(drop.reason, DropReason::NoMapping);
    let again = nat.nat.inbound(nat.now + Duration::from_secs(1), &mut before.clone());
    assert!(matches!(again, Outcome::Drop(_)));
    nat.now += Duration::from_secs(2);
    meanwhile(&mut nat);
    let mut late = |millis| {
        let now = Timestamp::ZERO + Duration::from_millis(millis);
        nat.nat.handle_timeout(now);
        assert!(nat.nat.poll_timeout().is_none_or(|next| next > now));
        let reply = nat.nat.poll_reply();
        assert_eq!(nat.nat.poll_reply(), None);
        reply.map(|LateReply { about, kind }| {
            assert_eq!(about, before);
            kind
        })
    };
    [drop.reply, late(5999), late(6000)]
}

#[test]
fn rfc5382_req4_an_unsolicited_syn_is_answered_after_six_seconds() {
    let icmp = || Behavior { unsolicited: Unsolicited::Icmp, ..base() };
    assert_eq!(answers(icmp(), |_| {}), [None, None, Some(IcmpErrorKind::PortUnreachable)]);
    assert_eq!(answers(base(), |_| {}), [None; 3], "REQ-4 a: policy may keep it silent");
    let elsewhere = |nat: &mut Bench| {
        nat.out_segment(ALICE, STRANGER, SYN).expect("a mapping");
        nat.out_segment(ALICE, SERVER, ACK).expect("the mapping");
    };
    assert_eq!(answers(icmp(), elsewhere), [None, None, Some(IcmpErrorKind::PortUnreachable)]);
}

#[test]
fn rfc5382_req4_a_syn_from_inside_silences_the_answer() {
    let icmp = Behavior { unsolicited: Unsolicited::Icmp, ..base() };
    let met = |nat: &mut Bench| {
        let external = nat.out_segment(ALICE, SERVER, SYN).expect("a mapping");
        assert_eq!(external.port, 5000);
    };
    assert_eq!(answers(icmp, met), [None; 3]);
}

#[test]
fn rfc5382_req4_a_flood_of_syns_is_answered_within_bounds() {
    let mut nat = Bench::new(Behavior { unsolicited: Unsolicited::Icmp, ..base() });
    for port in 1..2000 {
        let to = Endpoint { port: 5000, ..EXTERNAL };
        assert!(nat.back_segment(Endpoint { port, ..STRANGER }, to, SYN).is_err());
        assert!(nat.back_segment(Endpoint { port, ..STRANGER }, to, ACK).is_err());
    }
    assert_eq!(nat.nat.poll_timeout(), Some(Timestamp::from_secs(6)));
    nat.nat.handle_timeout(Timestamp::from_secs(6));
    assert_eq!(std::iter::from_fn(|| nat.nat.poll_reply()).count(), 256);
    assert_eq!(nat.nat.poll_timeout(), None);
}

#[test]
fn rfc5382_req4_unsolicited_state_is_the_race_that_silence_avoids() {
    let port = |unsolicited| {
        let mut nat = Bench::new(Behavior { unsolicited, ..base() });
        let early = Endpoint { port: 5000, ..EXTERNAL };
        assert!(nat.back_segment(SERVER, early, ACK).is_err());
        assert!(nat.back_segment(SERVER, early, SYN).is_err());
        nat.out_segment(ALICE, SERVER, SYN).expect("a port").port
    };
    assert_eq!(port(Unsolicited::Drop), 5000);
    assert_ne!(port(Unsolicited::CreatesState), 5000);
}

#[test]
fn rfc5382_req5_tcp_established_bounds_an_idle_connection() {
    let lives = |secs| {
        let mut nat = Bench::new(Behavior { tcp_established: Duration::from_secs(secs), ..base() });
        let external = nat.connect(ALICE, SERVER);
        nat.wait(ESTABLISHED - 1).back_segment(SERVER, external, ACK)
    };
    assert_eq!(lives(ESTABLISHED), Ok(ALICE));
    assert_eq!(lives(ESTABLISHED - 1), Err(DropReason::NoMapping));
}

#[test]
fn rfc5382_req5_tcp_transitory_bounds_a_connection_half_open() {
    let lives = |secs| {
        let mut nat = Bench::new(Behavior { tcp_transitory: Duration::from_secs(secs), ..base() });
        let external = nat.out_segment(ALICE, SERVER, SYN).expect("a mapping");
        nat.wait(TRANSITORY - 1).back_segment(SERVER, external, SYN_ACK)
    };
    assert_eq!(lives(TRANSITORY), Ok(ALICE));
    assert_eq!(lives(TRANSITORY - 1), Err(DropReason::NoMapping));
}

#[test]
fn rfc7857_2_1_tcp_closing_has_a_timer_of_its_own() {
    let lives = |closing: Option<u64>| {
        let mut nat = Bench::new(Behavior { tcp_closing: closing.map(Duration::from_secs), ..base() });
        nat.out_segment(ALICE, SERVER, SYN).expect("a mapping");
        let opening = nat.remaining();
        let external = nat.connect(ALICE, SERVER);
        nat.out_segment(ALICE, SERVER, FIN).expect("passes");
        nat.back_segment(SERVER, external, FIN).expect("passes");
        (opening, nat.remaining())
    };
    assert_eq!(lives(None), (TRANSITORY, TRANSITORY));
    assert_eq!(lives(Some(10)), (TRANSITORY, 10));
}

#[test]
fn rfc7857_2_2_a_reset_is_translated_and_waits() {
    let mut nat = Bench::new(base());
    let external = nat.connect(ALICE, SERVER);
    assert_eq!(nat.back_segment(SERVER, external, RST), Ok(ALICE));
    assert_eq!(nat.remaining(), TRANSITORY);
    assert_eq!(nat.wait(100).back_segment(SERVER, external, RST), Ok(ALICE), "and may be sent again");
    assert_eq!(nat.remaining(), TRANSITORY - 100);
    assert_eq!(nat.out_segment(ALICE, SERVER, ACK), Ok(external), "nobody heeded it");
    assert_eq!(nat.remaining(), ESTABLISHED);
}

#[test]
fn rfc7857_2_2_a_reset_outside_the_window_changes_nothing() {
    let remaining = |ahead: u32| {
        let mut nat = Bench::new(base());
        let external = nat.connect(ALICE, SERVER);
        let sequence = OUTSIDE.wrapping_add(1).wrapping_add(ahead);
        assert_eq!(nat.back_exact(SERVER, external, RST, sequence), Ok(ALICE));
        nat.remaining()
    };
    assert_eq!(remaining(0), TRANSITORY);
    assert_eq!(remaining(500), TRANSITORY);
    assert_eq!(remaining(501), ESTABLISHED);
    assert_eq!(remaining(u32::MAX), ESTABLISHED);
}

#[test]
fn rfc7857_2_2_a_refused_connection_stays_half_open() {
    let mut nat = Bench::new(base());
    let external = nat.out_segment(ALICE, SERVER, SYN).expect("a mapping");
    assert_eq!(nat.wait(100).back_segment(SERVER, external, RST), Ok(ALICE));
    assert_eq!(nat.remaining(), TRANSITORY - 100);
}

#[test]
fn rfc7857_7_filtered_segments_do_not_refresh() {
    let mut nat = Bench::new(Behavior { refresh: Refresh::Both, ..base() });
    let external = nat.out_segment(ALICE, SERVER, SYN).expect("a mapping");
    assert_eq!(nat.wait(200).back_segment(STRANGER, external, SYN), Err(DropReason::Filtered));
    assert_eq!(nat.remaining(), TRANSITORY - 200);
}

#[test]
fn rfc7857_7_1_an_outbound_reset_does_not_refresh() {
    let mut nat = Bench::new(Behavior { filtering: Filtering::EndpointIndependent, ..base() });
    let external = nat.connect(ALICE, SERVER);
    nat.wait(ESTABLISHED - 10);
    assert_eq!(nat.back_segment(STRANGER, external, SYN), Ok(ALICE));
    let before = nat.remaining();
    assert_eq!(nat.wait(5).out_segment(ALICE, STRANGER, RST), Ok(external));
    assert_eq!(nat.out_segment(ALICE, SERVER, RST), Ok(external));
    assert_eq!(nat.remaining(), before - 5);
}

#[test]
fn a_mapping_lives_as_long_as_the_longest_of_its_connections() {
    let mut nat = Bench::new(base());
    let external = nat.connect(ALICE, SERVER);
    nat.wait(10).connect(ALICE, STRANGER);
    nat.out_segment(ALICE, STRANGER, RST).expect("passes");
    assert_eq!(nat.remaining(), ESTABLISHED - 10, "the other");
    nat.out_segment(ALICE, SERVER, RST).expect("passes");
    assert_eq!(nat.remaining(), TRANSITORY);
    assert_eq!(nat.wait(TRANSITORY).back_segment(SERVER, external, ACK), Err(DropReason::NoMapping));
}

#[test]
fn connections_that_are_over_do_not_pile_up() {
    let mut nat = Bench::new(Behavior { filtering: Filtering::EndpointIndependent, ..base() });
    let external = nat.connect(ALICE, SERVER);
    for n in 0..20_000_u16 {
        let from = Endpoint { port: 1 + n, ..STRANGER };
        assert_eq!(nat.wait(10).back_segment(from, external, SYN), Ok(ALICE));
        nat.back_segment(SERVER, external, ACK).expect("the connection");
    }
    let octets = nat.nat.allocated_bytes();
    assert!(octets < 30_000, "{octets} octets");
}

#[test]
fn rfc5382_req7_no_port_overloading_unless_asked_for() {
    let mut nat = Bench::new(Behavior { mapping: Mapping::AddressAndPortDependent, ..base() });
    let first = nat.out_segment(ALICE, SERVER, SYN).expect("a port");
    assert_ne!(nat.out_segment(ALICE, STRANGER, SYN).expect("a port"), first);
    assert_ne!(nat.out_segment(BOB, STRANGER, SYN).expect("a port"), first);
}

#[test]
fn rfc7857_3_ports_may_overlap_towards_different_destinations() {
    let mut nat =
        Bench::new(Behavior { mapping: Mapping::AddressAndPortDependent, port_overloading: true, ..base() });
    let alice = nat.connect(ALICE, SERVER);
    assert_eq!(nat.connect(BOB, STRANGER), alice);
    assert_eq!(nat.back_segment(SERVER, alice, ACK), Ok(ALICE));
    assert_eq!(nat.back_segment(STRANGER, alice, ACK), Ok(BOB));
}

#[test]
fn rfc5382_req8_hairpinning_with_the_external_source() {
    let behavior = Behavior {
        hairpinning: Hairpinning::ExternalSource,
        filtering: Filtering::EndpointIndependent,
        ..base()
    };
    let mut nat = Bench::new(behavior);
    let bob = nat.connect(BOB, SERVER);
    let alice = nat.out_segment(ALICE, bob, SYN).expect("hairpinned");
    assert_eq!(alice.ip, EXTERNAL.ip);
    assert_eq!(nat.out_segment(BOB, alice, SYN_ACK), Ok(bob));
    assert_eq!(nat.out_segment(ALICE, bob, ACK), Ok(alice));
    let lives = |nat: &Bench| nat.nat.snapshot(nat.now).iter().map(|view| view.internal).collect::<Vec<_>>();
    nat.wait(ESTABLISHED - 1);
    assert_eq!(lives(&nat), [ALICE, BOB]);
}

#[test]
fn rfc5382_req4_a_hairpinned_syn_is_answered_late_too() {
    let behavior =
        || Behavior { hairpinning: Hairpinning::ExternalSource, unsolicited: Unsolicited::Icmp, ..base() };
    let answered = |met: bool| {
        let mut nat = Bench::new(behavior());
        let bob = nat.connect(BOB, SERVER);
        assert_eq!(nat.out_segment(ALICE, bob, SYN), Err(DropReason::Filtered));
        if met {
            let alice = nat.nat.snapshot(nat.now)[0].external;
            nat.out_segment(BOB, alice, SYN).expect("opens");
        }
        nat.nat.handle_timeout(Timestamp::from_secs(6));
        nat.nat.poll_reply().map(|reply| reply.about.source)
    };
    assert_eq!(answered(false), Some(ALICE.ip));
    assert_eq!(answered(true), None);
}

fn error_about(packet: &Datagram, from: IpAddr, to: IpAddr) -> Datagram {
    let error = IcmpError { kind: IcmpErrorKind::HostUnreachable, quoted: Quoted::of(packet) };
    Datagram::new(from, to, Transport::Icmp(Icmp::Error(error)))
}

#[test]
fn rfc5382_req9_req10_icmp_errors_are_translated_and_end_nothing() {
    for name in ["port-restricted", "symmetric", "firewall"] {
        let mut nat = Bench::new(preset(name));
        let external = nat.connect(ALICE, SERVER);
        let before = nat.nat.snapshot(nat.now);

        let mut error = error_about(&segment(external, SERVER, ACK, 1, 1), STRANGER.ip, external.ip);
        assert!(matches!(nat.nat.inbound(nat.now, &mut error), Outcome::Inside(_)), "{name}");
        let Transport::Icmp(Icmp::Error(inner)) = &error.transport else { panic!("an error") };
        assert_eq!((error.destination, inner.quoted.source_endpoint()), (ALICE.ip, Some(ALICE)));

        let mut error = error_about(&segment(SERVER, ALICE, ACK, 1, 1), ALICE.ip, SERVER.ip);
        assert!(matches!(nat.nat.outbound(nat.now, &mut error), Outcome::Outside(_)), "{name}");
        let Transport::Icmp(Icmp::Error(inner)) = &error.transport else { panic!("an error") };
        assert_eq!((error.source, inner.quoted.destination_endpoint()), (external.ip, Some(external)));

        let udp = Datagram::udp(external, SERVER, Bytes::new());
        let mut error = error_about(&udp, STRANGER.ip, external.ip);
        assert!(matches!(nat.nat.inbound(nat.now, &mut error), Outcome::Drop(_)), "no UDP mapping");
        assert_eq!(nat.nat.snapshot(nat.now), before, "{name}");
    }
}

#[test]
fn rfc7857_5_6_mappings_and_filters_depend_on_the_protocol() {
    let mut nat = Bench::new(Behavior { filtering: Filtering::EndpointIndependent, ..base() });
    let external = nat.connect(ALICE, SERVER);
    assert_eq!(nat.back(SERVER, external), Err(DropReason::NoMapping), "a TCP mapping lets in no UDP");
    assert_eq!(nat.out(BOB, SERVER), Ok(external), "the same port, of another protocol");
    assert_eq!(nat.back_segment(SERVER, external, ACK), Ok(ALICE));
    assert_eq!(nat.back(SERVER, external), Ok(BOB));
}

#[test]
fn connections_of_ten_thousand_ports_end_on_time() {
    let mut nat = Bench::new(preset("symmetric"));
    nat.nat.observe(true);
    let client = |port| Endpoint { port, ..ALICE };
    for port in 1..=10_000 {
        let external = nat.connect(client(port), SERVER);
        if port % 2 == 0 {
            nat.back_segment(SERVER, external, RST).expect("passes");
        }
    }
    for due in [TRANSITORY, ESTABLISHED] {
        let mut next = nat.nat.poll_timeout().expect("something is due");
        let mut ended = 0;
        while next <= Timestamp::from_secs(due) {
            nat.nat.handle_timeout(next);
            while let Some(Event::Expired(view)) = nat.nat.poll_event() {
                assert_eq!((view.expires, next), (Timestamp::from_secs(due), Timestamp::from_secs(due)));
                ended += 1;
            }
            next = nat.nat.poll_timeout().unwrap_or(Timestamp::MAX);
        }
        assert_eq!(ended, 5000);
    }
}
