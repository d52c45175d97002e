use std::net::IpAddr;

use bytes::Bytes;
use proptest::prelude::*;

use super::{DecodeError, EncodeError, Part, checksum, decode, encode, encode_into};
use crate::{
    Datagram, Endpoint, Family, Icmp, IcmpError, IcmpErrorKind, IcmpQuery, Quoted, QuotedTransport, TcpFlags,
    TcpSegment, Transport, Udp,
};

/// Checksums worked out apart from this crate, after RFC 768 and RFC 791.
#[test]
fn an_ipv4_datagram_worked_out_by_hand() {
    let mut datagram =
        Datagram::udp(Endpoint::v4(192, 168, 0, 31, 0x1234), Endpoint::v4(192, 168, 0, 30, 10), "Hi".into());
    datagram.identification = 0xabcd;
    let bytes = [
        0x45, 0, 0, 30, 0xab, 0xcd, 0x40, 0, 64, 17, 0x0d, 0x74, 192, 168, 0, 31, 192, 168, 0, 30, //
        0x12, 0x34, 0, 10, 0, 10, 0x23, 0xa5, b'H', b'i',
    ];
    assert_eq!(encode(&datagram).unwrap(), bytes);
    assert_eq!(decode(&bytes), Ok(datagram));
}

/// As above, after RFC 8200 section 8.1 and RFC 4443 section 2.3.
#[test]
fn an_ipv6_datagram_worked_out_by_hand() {
    let query = IcmpQuery { reply: false, identifier: 7, sequence: 1, payload: "abc".into() };
    let datagram = Datagram { transport: Transport::Icmp(Icmp::Query(query)), ..v6() };
    let bytes = encode(&datagram).unwrap();
    assert_eq!(bytes[..8], [0x60, 0, 0, 0, 0, 11, 58, 64]);
    assert_eq!(bytes[40..], [128, 0, 0x5f, 0xda, 0, 7, 0, 1, b'a', b'b', b'c']);
}

fn v4() -> Datagram {
    Datagram::udp(
        Endpoint::v4(10, 0, 0, 1, 5),
        Endpoint::v4(192, 0, 2, 1, 80),
        Bytes::from_static(b"payload"),
    )
}

fn v6() -> Datagram {
    Datagram::udp("[2001:db8::1]:5".parse().unwrap(), "[2001:db8::2]:80".parse().unwrap(), "payload".into())
}

#[test]
fn a_missing_udp_checksum_is_fine_in_ipv4_alone() {
    let mut bytes = encode(&v4()).unwrap();
    bytes[26..28].fill(0);
    assert_eq!(decode(&bytes), Ok(v4()));
    let mut bytes = encode(&v6()).unwrap();
    bytes[46..48].fill(0);
    assert_eq!(decode(&bytes), Err(DecodeError::Checksum(Part::Udp)));
}

#[test]
fn a_udp_checksum_that_sums_to_zero_is_sent_as_all_ones() {
    for mut datagram in [v4(), v6()] {
        let Transport::Udp(udp) = &mut datagram.transport else { unreachable!() };
        udp.payload = Bytes::from_static(&[0, 0]);
        let at = datagram.wire_len() - 4;
        let bytes = encode(&datagram).unwrap();
        let sum = Bytes::copy_from_slice(&bytes[at..at + 2]);
        let Transport::Udp(udp) = &mut datagram.transport else { unreachable!() };
        udp.payload = sum;
        let bytes = encode(&datagram).unwrap();
        assert_eq!(bytes[at..at + 2], [0xff, 0xff]);
        assert_eq!(decode(&bytes), Ok(datagram));
    }
}

#[test]
fn every_flipped_bit_under_a_checksum_is_noticed() {
    let tcp = Transport::Tcp(TcpSegment {
        source_port: 1,
        destination_port: 2,
        sequence: 3,
        acknowledgment: 4,
        flags: TcpFlags { syn: true, ..TcpFlags::default() },
        window: 5,
        payload: "x".into(),
    });
    let echo = Transport::Icmp(Icmp::Query(IcmpQuery {
        reply: false,
        identifier: 1,
        sequence: 2,
        payload: "ping".into(),
    }));
    for transport in [v4().transport, tcp, echo] {
        let bytes = encode(&Datagram { transport, ..v4() }).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&damaged).is_err(), "bit {bit}");
        }
    }
}

#[test]
fn lengths_that_contradict_each_other_are_refused() {
    let good = encode(&v6()).unwrap();
    for end in 0..good.len() {
        assert!(matches!(decode(&good[..end]), Err(DecodeError::Truncated(Part::Ip))), "{end}");
    }
    let mut bytes = good.clone();
    bytes[45] += 1;
    assert_eq!(decode(&bytes), Err(DecodeError::Length(Part::Udp)));
    bytes[45] = 7;
    assert_eq!(decode(&bytes), Err(DecodeError::Length(Part::Udp)));
    let mut padded = good;
    padded.extend_from_slice(&[0; 6]);
    assert_eq!(decode(&padded), Ok(v6()));
    assert_eq!(decode(&[0x15]), Err(DecodeError::Version(1)));
    assert_eq!(decode(&[0x44; 40]), Err(DecodeError::Length(Part::Ip)));
}

#[test]
fn options_and_extension_headers_are_skipped() {
    let mut bytes = encode(&v4()).unwrap();
    bytes.splice(20..20, [1, 1, 1, 0]);
    bytes[0] = 0x46;
    bytes[3] += 4;
    bytes[10..12].fill(0);
    let sum = checksum::plain(&bytes[..24]).to_be_bytes();
    bytes[10..12].copy_from_slice(&sum);
    assert_eq!(decode(&bytes), Ok(v4()));

    let mut bytes = encode(&v6()).unwrap();
    let atomic_fragment = [60, 0, 0, 0, 1, 2, 3, 4];
    let options = [17, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes.splice(40..40, [atomic_fragment.as_slice(), &options].concat());
    bytes[6] = 44;
    bytes[5] += 24;
    assert_eq!(decode(&bytes), Ok(v6()));
}

#[test]
fn tcp_options_are_skipped() {
    let segment = TcpSegment {
        source_port: 1,
        destination_port: 2,
        sequence: 3,
        acknowledgment: 4,
        flags: TcpFlags { syn: true, ..TcpFlags::default() },
        window: 5,
        payload: Bytes::new(),
    };
    let datagram = Datagram { transport: Transport::Tcp(segment), ..v6() };
    let mut bytes = encode(&datagram).unwrap();
    bytes.extend_from_slice(&[2, 4, 5, 0xb4]);
    bytes[5] += 4;
    bytes[52] = 0x60;
    bytes[56..58].fill(0);
    let sum = checksum::with_pseudo_header(datagram.source, datagram.destination, 6, &bytes[40..]);
    bytes[56..58].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(decode(&bytes), Ok(datagram));
}

#[test]
fn a_quote_carries_the_ip_header_and_eight_octets() {
    for offender in [v4(), v6()] {
        let error = IcmpError { kind: IcmpErrorKind::PortUnreachable, quoted: Quoted::of(&offender) };
        let datagram =
            Datagram::new(offender.destination, offender.source, Transport::Icmp(Icmp::Error(error)));
        let bytes = encode(&datagram).unwrap();
        let header = if offender.family() == Family::V4 { 20 } else { 40 };
        assert_eq!(bytes.len(), 2 * header + 16);
        // All of the quote but the transport's checksum is what the offender's own bytes are.
        let quoted = &bytes[header + 8..];
        let mut original = encode(&offender).unwrap();
        original[header + 6..header + 8].fill(0);
        assert_eq!(quoted, &original[..header + 8]);
        assert_eq!(decode(&bytes), Ok(datagram));
    }
}

#[test]
fn what_has_no_byte_form_is_refused_and_nothing_is_written() {
    let fragment = Transport::Fragment { protocol: 17, payload: Bytes::new() };
    let icmp = |kind, quoted| Transport::Icmp(Icmp::Error(IcmpError { kind, quoted }));
    let odd = IcmpErrorKind::Other { icmp_type: 8, code: 0 };
    let cases = [
        (Datagram { source: v6().source, ..v4() }, EncodeError::MixedFamilies),
        (
            Datagram { transport: icmp(IcmpErrorKind::TimeExceeded, Quoted::of(&v6())), ..v4() },
            EncodeError::MixedFamilies,
        ),
        (Datagram { transport: icmp(odd, Quoted::of(&v4())), ..v4() }, EncodeError::NotAnIcmpError(8)),
        (Datagram { transport: fragment.clone(), ..v4() }, EncodeError::FragmentFields),
        (Datagram { more_fragments: true, ..v4() }, EncodeError::FragmentFields),
        (
            Datagram { fragment_offset: 0x2000, transport: fragment, ..v4() },
            EncodeError::FragmentOffset(0x2000),
        ),
    ];
    for (datagram, error) in cases {
        let mut out = vec![1];
        assert_eq!(encode_into(&datagram, &mut out), Err(error));
        assert_eq!(out, [1]);
    }
}

#[test]
fn the_largest_payload_fits_and_one_more_octet_does_not() {
    for (mut datagram, largest) in [(v4(), 65_507), (v6(), 65_527)] {
        let with = |length| {
            Transport::Udp(Udp { source_port: 5, destination_port: 80, payload: vec![0xa5; length].into() })
        };
        datagram.transport = with(largest);
        assert_eq!(decode(&encode(&datagram).unwrap()).as_ref(), Ok(&datagram));
        datagram.transport = with(largest + 1);
        assert_eq!(encode(&datagram), Err(EncodeError::TooLong(datagram.wire_len())));
    }
}

fn payload() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..64).prop_map(Bytes::from)
}

fn addresses() -> impl Strategy<Value = (IpAddr, IpAddr)> {
    prop_oneof![
        any::<([u8; 4], [u8; 4])>().prop_map(|(a, b)| (a.into(), b.into())),
        any::<([u8; 16], [u8; 16])>().prop_map(|(a, b)| (a.into(), b.into())),
    ]
}

fn kind() -> impl Strategy<Value = IcmpErrorKind> {
    prop_oneof![
        Just(IcmpErrorKind::NetworkUnreachable),
        Just(IcmpErrorKind::HostUnreachable),
        Just(IcmpErrorKind::PortUnreachable),
        Just(IcmpErrorKind::AdministrativelyProhibited),
        Just(IcmpErrorKind::TimeExceeded),
        any::<u16>().prop_map(|mtu| IcmpErrorKind::TooBig { mtu }),
        // Parameter problem in either version, with codes that have no name of their own.
        (any::<u8>()).prop_map(|code| IcmpErrorKind::Other { icmp_type: 12, code }),
    ]
}

fn quoted(source: IpAddr, destination: IpAddr) -> impl Strategy<Value = Quoted> {
    let transport = prop_oneof![
        any::<(u16, u16)>().prop_map(|(source_port, destination_port)| QuotedTransport::Udp {
            source_port,
            destination_port
        }),
        any::<(u16, u16, u32)>().prop_map(|(source_port, destination_port, sequence)| {
            QuotedTransport::Tcp { source_port, destination_port, sequence }
        }),
        any::<(bool, u16, u16)>().prop_map(|(reply, identifier, sequence)| QuotedTransport::IcmpQuery {
            reply,
            identifier,
            sequence
        }),
        any::<u8>().prop_map(|protocol| QuotedTransport::Other { protocol }),
    ];
    (transport, any::<(u8, u16)>(), 40u16..).prop_map(move |(transport, (hop_limit, id), total_length)| {
        Quoted {
            source,
            destination,
            hop_limit,
            identification: if source.is_ipv4() { id } else { 0 },
            total_length,
            transport,
        }
    })
}

fn transport(source: IpAddr, destination: IpAddr) -> impl Strategy<Value = Transport> {
    prop_oneof![
        (any::<(u16, u16)>(), payload()).prop_map(|((source_port, destination_port), payload)| {
            Transport::Udp(Udp { source_port, destination_port, payload })
        }),
        (any::<(u16, u16, u32, u32, u16)>(), any::<[bool; 5]>(), payload()).prop_map(
            |((source_port, destination_port, sequence, acknowledgment, window), flags, payload)| {
                let [syn, ack, fin, rst, psh] = flags;
                let flags = TcpFlags { syn, ack, fin, rst, psh };
                Transport::Tcp(TcpSegment {
                    source_port,
                    destination_port,
                    sequence,
                    acknowledgment,
                    flags,
                    window,
                    payload,
                })
            }
        ),
        (any::<(bool, u16, u16)>(), payload()).prop_map(|((reply, identifier, sequence), payload)| {
            Transport::Icmp(Icmp::Query(IcmpQuery { reply, identifier, sequence, payload }))
        }),
        (kind(), quoted(source, destination))
            .prop_map(|(kind, quoted)| Transport::Icmp(Icmp::Error(IcmpError { kind, quoted }))),
        (any::<u8>(), payload()).prop_map(|(protocol, payload)| Transport::Fragment { protocol, payload }),
    ]
}

/// Datagrams whose every field has a place in the bytes.
fn datagram() -> impl Strategy<Value = Datagram> {
    let transported =
        addresses().prop_flat_map(|(a, b)| transport(a, b).prop_map(move |transport| (a, b, transport)));
    let fields = (any::<(u8, u8, u16, bool)>(), 0u16..0x2000, any::<bool>());
    (transported, fields).prop_map(|((source, destination, transport), fields)| {
        let ((hop_limit, traffic_class, identification, dont_fragment), offset, more) = fields;
        let fragment = matches!(transport, Transport::Fragment { .. });
        let v4 = source.is_ipv4();
        Datagram {
            source,
            destination,
            hop_limit,
            traffic_class,
            identification: if v4 || fragment { identification } else { 0 },
            dont_fragment: !v4 || dont_fragment,
            more_fragments: fragment && (more || offset == 0),
            fragment_offset: if fragment { offset } else { 0 },
            transport,
        }
    })
}

proptest! {
    #[test]
    fn decoding_undoes_encoding(datagram in datagram()) {
        let bytes = encode(&datagram).unwrap();
        prop_assert_eq!(bytes.len(), datagram.wire_len());
        prop_assert_eq!(decode(&bytes), Ok(datagram));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..128)) {
        let _ = decode(&bytes);
    }

    /// Mutated bytes either are refused or have a normal form that stays what it is.
    #[test]
    fn mutated_bytes_settle(
        datagram in datagram(),
        mutations in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 0..4),
        cut in any::<prop::sample::Index>(),
        shorten in any::<bool>(),
    ) {
        let mut bytes = encode(&datagram).unwrap();
        for (index, value) in mutations {
            *index.get_mut(&mut bytes) = value;
        }
        if shorten {
            bytes.truncate(cut.index(bytes.len()));
        }
        repair_checksums(&mut bytes);
        if let Ok(read) = decode(&bytes) {
            let again = encode(&read).unwrap();
            prop_assert_eq!(decode(&again), Ok(read));
        }
    }
}

/// Makes the IPv4 header checksums right, outer and quoted, so that mutations reach what lies behind them.
fn repair_checksums(bytes: &mut [u8]) {
    for start in [0, 28] {
        if let Some(header) = bytes.get_mut(start..start + 20).filter(|header| header[0] == 0x45) {
            header[10..12].fill(0);
            let sum = checksum::plain(header).to_be_bytes();
            header[10..12].copy_from_slice(&sum);
        }
    }
    if bytes.len() >= 28 && bytes[0] == 0x45 && bytes[9] == 1 {
        let end = usize::from(u16::from_be_bytes([bytes[2], bytes[3]])).clamp(28, bytes.len());
        bytes[22..24].fill(0);
        let sum = checksum::plain(&bytes[20..end]).to_be_bytes();
        bytes[22..24].copy_from_slice(&sum);
    }
}
