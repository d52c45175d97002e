use proptest::prelude::*;

use super::*;
use crate::stun::TransactionId;

const A1: Endpoint = Endpoint::v4(198, 51, 100, 1, 3478);
const A2: Endpoint = Endpoint::v4(198, 51, 100, 2, 3479);
const CLIENT: Endpoint = Endpoint::v4(203, 0, 113, 1, 40_000);
const ID: TransactionId = TransactionId([3; 12]);

fn request(attributes: &[Attribute<'_>]) -> Vec<u8> {
    let mut buffer = Vec::new();
    let mut builder = Builder::new(&mut buffer, Class::Request, Method::Binding, ID);
    for &attribute in attributes {
        builder.attribute(attribute);
    }
    buffer
}

fn discovery() -> BindingServer {
    BindingServer::with_alternate(A1, A2).unwrap()
}

fn code(response: &Transmit) -> Option<u16> {
    Message::parse(&response.payload).unwrap().error_code().map(|error| error.code)
}

#[test]
fn answers_with_the_source_address_for_both_families() {
    for client in [CLIENT, "[2001:db8::7]:4000".parse().unwrap()] {
        let response = BindingServer::new(A1).handle(A1, client, &request(&[])).unwrap();
        let message = Message::parse(&response.payload).unwrap();
        assert_eq!((response.from, response.to), (A1, client));
        assert_eq!(message.transaction_id(), ID);
        assert_eq!(message.xor_mapped_address(), Some(client));
    }
}

#[test]
fn rfc8489_6_3_1_unknown_required_attribute_is_420_with_the_list() {
    let unknown = [AttributeType(0x7FFF), AttributeType(0x7FFE)];
    let bytes = request(&unknown.map(|kind| Attribute::Other(kind, &[])));
    let response = BindingServer::new(A1).handle(A1, CLIENT, &bytes).unwrap();
    assert_eq!(code(&response), Some(420));
    assert!(Message::parse(&response.payload).unwrap().unknown_attributes().eq(unknown));
}

#[test]
fn rfc8489_6_3_1_a_retransmitted_request_gets_the_same_response() {
    let server = discovery();
    let bytes = request(&[Attribute::ChangeRequest { ip: true, port: true }]);
    assert_eq!(server.handle(A1, CLIENT, &bytes), server.handle(A1, CLIENT, &bytes));
}

#[test]
fn rfc8489_6_3_2_indications_and_responses_are_not_answered() {
    let mut bytes = Vec::new();
    for class in [Class::Indication, Class::Success, Class::Error] {
        Builder::new(&mut bytes, class, Method::Binding, ID)
            .attribute(Attribute::Other(AttributeType(0x7FFF), &[]));
        assert_eq!(discovery().handle(A1, CLIENT, &bytes), None);
    }
    Builder::new(&mut bytes, Class::Request, Method::Allocate, ID);
    assert_eq!(discovery().handle(A1, CLIENT, &bytes), None, "nor other methods");
}

#[test]
fn rfc8489_7_a_wrong_fingerprint_is_discarded_and_a_right_one_returned() {
    let mut bytes = request(&[]);
    Builder::resume(&mut bytes).fingerprint();
    let response = discovery().handle(A1, CLIENT, &bytes).unwrap();
    assert!(Message::parse(&response.payload).unwrap().verify_fingerprint());
    *bytes.last_mut().unwrap() ^= 1;
    assert_eq!(discovery().handle(A1, CLIENT, &bytes), None);
}

#[test]
fn rfc5780_6_one_address_rejects_change_request_with_420_and_has_no_other_address() {
    let server = BindingServer::new(A1);
    assert!(server.endpoints().eq([A1]));
    let change = Attribute::ChangeRequest { ip: false, port: false };
    let response = server.handle(A1, CLIENT, &request(&[change])).unwrap();
    assert_eq!(code(&response), Some(420));
    let listed = Message::parse(&response.payload).unwrap().unknown_attributes().collect::<Vec<_>>();
    assert_eq!(listed, [AttributeType::CHANGE_REQUEST]);
    let response = server.handle(A1, CLIENT, &request(&[])).unwrap();
    let message = Message::parse(&response.payload).unwrap();
    assert_eq!((message.other_address(), message.response_origin()), (None, Some(A1)));
}

#[test]
fn rfc5780_6_alternate_must_differ_in_address_and_port() {
    for alternate in [A1, Endpoint::new(A1.ip, A2.port), Endpoint::new(A2.ip, A1.port)] {
        assert!(BindingServer::with_alternate(A1, alternate).is_err());
    }
    assert!(BindingServer::with_alternate(A1, "[2001:db8::1]:3479".parse().unwrap()).is_err());
}

#[test]
fn rfc5780_6_1_both_mapped_addresses_and_response_origin() {
    let response = discovery().handle(A1, CLIENT, &request(&[])).unwrap();
    let message = Message::parse(&response.payload).unwrap();
    assert_eq!((message.mapped_address(), message.xor_mapped_address()), (Some(CLIENT), Some(CLIENT)));
    assert_eq!((message.response_origin(), message.other_address()), (Some(A1), Some(A2)));
}

#[test]
fn rfc5780_6_1_change_request_selects_the_source_from_every_endpoint() {
    let server = discovery();
    assert_eq!(server.endpoints().count(), 4);
    for local in server.endpoints() {
        let other = Endpoint::new(
            if local.ip == A1.ip { A2.ip } else { A1.ip },
            if local.port == A1.port { A2.port } else { A1.port },
        );
        for (ip, port) in [(false, false), (true, false), (false, true), (true, true)] {
            let bytes = request(&[Attribute::ChangeRequest { ip, port }]);
            let response = server.handle(local, CLIENT, &bytes).unwrap();
            let from = Endpoint::new(
                if ip { other.ip } else { local.ip },
                if port { other.port } else { local.port },
            );
            let message = Message::parse(&response.payload).unwrap();
            assert_eq!((response.from, response.to), (from, CLIENT));
            assert_eq!((message.response_origin(), message.other_address()), (Some(from), Some(other)));
        }
    }
}

#[test]
fn rfc5780_6_1_response_port_redirects_the_response() {
    let response = discovery().handle(A1, CLIENT, &request(&[Attribute::ResponsePort(7)])).unwrap();
    assert_eq!(response.to, Endpoint::new(CLIENT.ip, 7));
    let message = Message::parse(&response.payload).unwrap();
    assert_eq!(message.xor_mapped_address(), Some(CLIENT));
}

#[test]
fn rfc5780_6_1_padding_is_answered_with_padding_of_mtu_length() {
    let response = discovery().handle(A1, CLIENT, &request(&[Attribute::Padding(&[0; 1500])])).unwrap();
    let message = Message::parse(&response.payload).unwrap();
    assert_eq!(message.raw(AttributeType::PADDING).map(<[u8]>::len), Some(1500));
}

#[test]
fn rfc5780_6_1_padding_with_response_port_is_400() {
    let bytes = request(&[Attribute::Padding(&[0; 4]), Attribute::ResponsePort(7)]);
    let response = discovery().handle(A1, CLIENT, &bytes).unwrap();
    assert_eq!((code(&response), response.to), (Some(400), CLIENT));
}

#[test]
fn malformed_discovery_attributes_are_400() {
    for kind in [AttributeType::CHANGE_REQUEST, AttributeType::RESPONSE_PORT] {
        let response = discovery().handle(A1, CLIENT, &request(&[Attribute::Other(kind, &[1])])).unwrap();
        assert_eq!(code(&response), Some(400));
    }
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), flip in 0usize..600) {
        let server = discovery();
        server.handle(A1, CLIENT, &bytes);
        let mut mutated =
            request(&[Attribute::ChangeRequest { ip: true, port: true }, Attribute::ResponsePort(5), Attribute::Padding(&[1])]);
        let at = flip / 8 % mutated.len();
        mutated[at] ^= 1 << (flip % 8);
        server.handle(A1, CLIENT, &mutated);
    }
}
