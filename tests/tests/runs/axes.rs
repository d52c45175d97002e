//! Axes of NATs that take a network to show.

use natbed_lab::run::{Outcome, Run};
use natbed_lab::scenario::Delivery;
use natbed_net::DropReason;

use crate::{parsed, run};

/// The fate of each plain datagram, and the source that its receiver saw.
fn sends(run: &Run) -> Vec<(Delivery, Option<String>)> {
    run.sends.iter().map(|send| (send.outcome, send.source_seen.map(|source| source.to_string()))).collect()
}

/// A home behind a carrier that translates nothing towards its own server.
const CARRIER: &str = "format = 1
    [nat-type.carrier]\nbase = 'symmetric'\nexempt = '198.51.100.80'
    [nat.cgn]\ntype = 'carrier'\nlan = '100.64.0.0/24'\naddress = '203.0.113.7'
    [nat.home]\nbehind = 'cgn'\naddress = '100.64.0.9'\nlan = '192.168.1.0/24'
    [host.alice]\nbehind = 'home'\n[host.mast]\nbehind = 'cgn'\naddress = '100.64.0.20'
    [host.portal]\naddress = '198.51.100.80'\n[host.web]\naddress = '198.51.100.90'\n";

#[test]
fn a_server_of_the_carrier_is_reached_without_translation() {
    let text = format!(
        "{CARRIER}[[send]]\nfrom = 'alice'\nfrom-port = 8992\nto = 'portal'\nto-port = 80
        [[send]]\nfrom = 'portal'\nfrom-port = 80\nto = '100.64.0.9:8992'\nat = '1 s'
        [[send]]\nfrom = 'portal'\nfrom-port = 5000\nto = '100.64.0.20:7000'\nat = '1 s'
        [[send]]\nfrom = 'alice'\nfrom-port = 8992\nto = 'web'\nto-port = 80\nat = '2 s'
        [[send]]\nfrom = 'web'\nfrom-port = 80\nto = '100.64.0.9:8992'\nat = '3 s'\n"
    );
    let run = run(&parsed(&text), true);
    let [out, back, unasked, other, stranger] = &sends(&run)[..] else { panic!("five datagrams") };
    assert_eq!(*out, (Delivery::Delivered, Some("100.64.0.9:8992".to_owned())), "the home NAT's address");
    assert_eq!(back.0, Delivery::Delivered, "the way back is known");
    assert_eq!(unasked.0, Delivery::Delivered, "a plain router filters nothing");
    assert_eq!(other.0, Delivery::Delivered);
    assert!(other.1.as_ref().is_some_and(|seen| seen.starts_with("203.0.113.7:")), "{other:?}");
    assert_eq!(stranger.0, Delivery::Dropped);
    assert_eq!(run.sends[4].reason.map(DropReason::as_str), Some("not-for-us"));
}

#[test]
fn a_stun_server_that_is_exempt_tells_an_address_of_no_use() {
    let outcome = |exempt: &str| {
        let text = format!(
            "format = 1\n[stun.s]\naddress = '198.51.100.5'\n[nat-type.x]\n{exempt}\n[nat.a]\ntype = 'x'
            [nat.b]\ntype = 'x'\n[host.alice]\nbehind = 'a'\n[host.bob]\nbehind = 'b'
            [[connect]]\nfrom = 'alice'\nto = 'bob'\n"
        );
        run(&parsed(&text), false).connections[0].outcome
    };
    assert_eq!(outcome(""), Outcome::Direct);
    assert_eq!(outcome("exempt = '198.51.100.5'"), Outcome::Fail);
    assert_eq!(outcome("exempt = '198.51.100.5:9'"), Outcome::Direct);
}
