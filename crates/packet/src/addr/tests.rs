use std::net::IpAddr;

use super::{Endpoint, Family, Prefix, PrefixError};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

#[test]
fn endpoints_read_and_print_as_socket_addresses_do() {
    for text in ["192.0.2.1:80", "[2001:db8::1]:3478"] {
        let endpoint: Endpoint = text.parse().unwrap();
        assert_eq!(endpoint.to_string(), text);
        assert_eq!(Endpoint::from(std::net::SocketAddr::from(endpoint)), endpoint);
    }
    assert_eq!("192.0.2.1:80".parse(), Ok(Endpoint::v4(192, 0, 2, 1, 80)));
    assert!("192.0.2.1".parse::<Endpoint>().is_err());
}

#[test]
fn a_prefix_holds_its_block_and_nothing_else() {
    let lan = prefix("192.168.1.0/24");
    assert!(lan.contains(ip("192.168.1.0")) && lan.contains(ip("192.168.1.255")));
    assert!(!lan.contains(ip("192.168.2.0")) && !lan.contains(ip("::1")));
    assert!(prefix("0.0.0.0/0").contains(ip("255.255.255.255")));
    assert!(!prefix("0.0.0.0/0").contains(ip("::")));
    assert!(prefix("::/0").contains(ip("ffff::")));
    assert_eq!(Prefix::host(ip("10.0.0.1")), prefix("10.0.0.1/32"));
}

#[test]
fn host_bits_are_refused_with_the_network_that_was_meant() {
    assert_eq!("192.168.1.7/24".parse::<Prefix>(), Err(PrefixError::HostBits(prefix("192.168.1.0/24"))));
    assert_eq!("10.0.0.0/33".parse::<Prefix>(), Err(PrefixError::Length(32)));
    assert_eq!("10.0.0.0/999".parse::<Prefix>(), Err(PrefixError::Length(32)));
    for text in ["10.0.0.0", "10.0.0.0/", "10.0.0.0/+8", "10.0.0/8", "/8"] {
        assert_eq!(text.parse::<Prefix>(), Err(PrefixError::Syntax), "{text}");
    }
}

#[test]
fn addresses_are_counted_from_the_network() {
    let lan = prefix("192.168.1.0/30");
    assert_eq!(lan.size(), 4);
    assert_eq!(lan.nth(3), Some(ip("192.168.1.3")));
    assert_eq!(lan.nth(4), None);
    assert_eq!(prefix("::/0").size(), u64::MAX);
    assert_eq!(prefix("0.0.0.0/0").nth(u64::from(u32::MAX)), Some(ip("255.255.255.255")));
    assert_eq!(prefix("ffff::/64").nth(u64::MAX - 1), Some(ip("ffff::ffff:ffff:ffff:fffe")));
}

#[test]
fn blocks_overlap_when_one_holds_the_other() {
    assert!(prefix("10.0.0.0/8").overlaps(prefix("10.1.0.0/16")));
    assert!(prefix("10.1.0.0/16").overlaps(prefix("10.0.0.0/8")));
    assert!(!prefix("10.0.0.0/16").overlaps(prefix("10.1.0.0/16")));
    assert!(!prefix("0.0.0.0/0").overlaps(prefix("::/0")));
}

#[test]
fn a_mask_never_exceeds_the_address() {
    assert_eq!(Prefix::masked(ip("10.1.2.3"), 200), prefix("10.1.2.3/32"));
    assert_eq!(Prefix::masked(ip("2001:db8::1"), 32), prefix("2001:db8::/32"));
    assert_eq!(Prefix::masked(ip("2001:db8::1"), 32).family(), Family::V6);
}
