use bytes::Bytes;

use crate::{Datagram, Endpoint, Icmp, IcmpQuery, Quoted, QuotedTransport, Transport};

fn datagram() -> Datagram {
    Datagram::udp(Endpoint::v4(10, 0, 0, 1, 5), Endpoint::v4(192, 0, 2, 1, 80), Bytes::from_static(b"abc"))
}

#[test]
fn endpoints_are_replaced_address_and_port() {
    let mut datagram = datagram();
    let external = Endpoint::v4(203, 0, 113, 1, 40_000);
    datagram.set_source(external);
    assert_eq!(datagram.source_endpoint(), Some(external));
    let server = Endpoint::v4(198, 51, 100, 1, 3478);
    datagram.set_destination(server);
    assert_eq!(datagram.destination_endpoint(), Some(server));
}

#[test]
fn icmp_keeps_its_message_when_addresses_change() {
    let query = IcmpQuery { reply: false, identifier: 7, sequence: 1, payload: Bytes::new() };
    let mut datagram = datagram();
    datagram.transport = Transport::Icmp(Icmp::Query(query.clone()));
    datagram.set_source(Endpoint::v4(203, 0, 113, 1, 9));
    assert_eq!(datagram.source_endpoint(), None);
    assert_eq!(datagram.transport, Transport::Icmp(Icmp::Query(query)));
}

#[test]
fn a_quote_names_the_offender() {
    let mut quoted = Quoted::of(&datagram());
    assert_eq!(quoted.total_length, 31);
    assert_eq!(quoted.transport, QuotedTransport::Udp { source_port: 5, destination_port: 80 });
    let inside = Endpoint::v4(10, 0, 0, 9, 99);
    quoted.set_source(inside);
    assert_eq!(quoted.source_endpoint(), Some(inside));
    quoted.set_destination(inside);
    assert_eq!(quoted.destination_endpoint(), Some(inside));
}
