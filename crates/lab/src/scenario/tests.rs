use std::net::IpAddr;

use natbed_nat::presets;
use proptest::prelude::*;

use super::templates::TEMPLATES;
use super::*;
use crate::diagnose::plain;

/// The longest example of the format, with every table and key.
const EVERYTHING: &str = include_str!("tests/everything.toml");

fn ok(text: &str) -> Scenario {
    parse(text.as_bytes()).unwrap_or_else(|problems| panic!("{}", problems.render("x.toml", &plain)))
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| ip(text)).collect()
}

/// The scenario but for the names of its NAT types.
fn without_type_names(mut scenario: Scenario) -> Scenario {
    for nat in &mut scenario.nats {
        nat.type_name.clear();
    }
    scenario
}

fn survives_being_shown(text: &str) {
    let scenario = ok(text);
    let shown = show(&scenario);
    let again = ok(&shown);
    assert_eq!(without_type_names(again.clone()), without_type_names(scenario), "{shown}");
    assert_eq!(show(&again), shown);
}

#[test]
fn templates_are_valid_and_survive_being_shown() {
    for template in TEMPLATES {
        if population::is_population(template.text.as_bytes()) {
            assert!(population::Population::parse(template.text.as_bytes()).is_ok(), "{}", template.name);
        } else {
            survives_being_shown(template.text);
        }
        assert_eq!(templates::find(template.name), Some(*template));
    }
}

#[test]
fn everything_survives_being_shown() {
    survives_being_shown(EVERYTHING);
}

#[test]
fn every_preset_survives_being_shown() {
    for name in presets::all_names() {
        survives_being_shown(&format!("format = 1\n[nat.a]\ntype = \"{name}\"\n[host.h]\nbehind = \"a\"\n"));
    }
}

#[test]
fn taken_words_survive_being_shown() {
    survives_being_shown("format = 1\n[network.internet]\n[host.a]\n[host.b]\non = \"internet\"\n");
    survives_being_shown(
        "format = 1\n[nat.all]\n[nat.b]\n[host.a]\nbehind = [\"all\", \"b\"]\nice = { interfaces = \"all\" }\n",
    );
    survives_being_shown(
        "format = 1\n[nat-type.symmetric-axes]\n[nat.a]\ntype = \"symmetric-axes\"\n[nat.b]\ntype = \"symmetric\"\n",
    );
    survives_being_shown("format = 1\nname = \"a\\u0007\\\"\\\\\\n\\u007f\"\n[host.\"é\"]\n");
}

#[test]
fn automatic_addresses_come_from_the_pools_in_file_order() {
    let scenario = ok("format = 1
[stun.s]
[nat.b]
[turn.t]
[nat.a]
[host.public]
[network.office]
[host.h1]
behind = 'a'
[host.h2]
behind = 'a'
");
    assert_eq!(scenario.servers[0].addresses, ips(&["198.51.100.1", "198.51.100.2"]));
    assert_eq!(scenario.servers[0].ports, [3478, 3479]);
    assert_eq!(scenario.servers[1].addresses, ips(&["198.51.100.3"]));
    assert_eq!(scenario.servers[1].ports, [3478]);
    assert_eq!(scenario.nats[0].addresses, ips(&["203.0.113.1"]));
    assert_eq!(scenario.nats[1].addresses, ips(&["203.0.113.2"]));
    assert_eq!(scenario.hosts[0].interfaces[0].addresses, ips(&["203.0.113.3"]));
    assert_eq!(scenario.nats[0].lan.prefix.to_string(), "192.168.1.0/24");
    assert_eq!(scenario.nats[1].lan.prefix.to_string(), "192.168.2.0/24");
    assert_eq!(scenario.networks[0].subnet.to_string(), "192.168.3.0/24");
    assert_eq!(scenario.nats[1].lan.gateway, ip("192.168.2.1"));
    assert_eq!(scenario.hosts[1].interfaces[0].addresses, ips(&["192.168.2.2"]));
    assert_eq!(scenario.hosts[2].interfaces[0].addresses, ips(&["192.168.2.3"]));
}

#[test]
fn addresses_that_the_file_gives_are_not_dealt_out() {
    let scenario = ok("format = 1
[nat.a]
[nat.b]
lan = '192.168.1.0/24'
[nat.c]
address = '203.0.113.1'
[host.x]
behind = 'b'
[host.y]
behind = 'b'
address = '192.168.1.1'
");
    assert_eq!(scenario.nats[0].addresses, ips(&["203.0.113.2"]));
    assert_eq!(scenario.nats[0].lan.prefix.to_string(), "192.168.2.0/24");
    assert_eq!(scenario.nats[1].lan.gateway, ip("192.168.1.2"));
    assert_eq!(scenario.hosts[0].interfaces[0].addresses, ips(&["192.168.1.3"]));
}

#[test]
fn pools_go_on_where_one_ends() {
    let mut text = "format = 1\n".to_owned();
    for at in 0..260 {
        text += &format!("[nat.n{at}]\n[host.h{at}]\n[stun.s{at}]\n");
    }
    let scenario = ok(&text);
    assert_eq!(scenario.nats[126].addresses, ips(&["203.0.113.253"]));
    assert_eq!(scenario.servers[126].addresses, ips(&["198.51.100.253", "198.51.100.254"]));
    let last = scenario.hosts[259].interfaces[0].addresses[0];
    assert!(last.to_string().starts_with("198.18."), "{last}");
    assert_eq!(scenario.nats[254].lan.prefix.to_string(), "192.168.255.0/24");
    assert_eq!(scenario.nats[255].lan.prefix.to_string(), "10.0.0.0/24");
    survives_being_shown(&text);
}

#[test]
fn a_large_lan_gets_a_subnet_that_holds_it() {
    let hosts: String = (0..600).map(|at| format!("[host.h{at}]\nbehind = 'a'\n")).collect();
    let scenario = ok(&format!("format = 1\n[nat.a]\n[nat.b]\n{hosts}"));
    assert_eq!(scenario.nats[0].lan.prefix.to_string(), "192.168.4.0/22");
    assert_eq!(scenario.nats[1].lan.prefix.to_string(), "192.168.8.0/24");
}

#[test]
fn carriers_and_firewalls_have_lans_of_their_own_kind() {
    let scenario = ok("format = 1
[nat.cgn]
[nat.home]
behind = 'cgn'
[nat.fw]
type = 'firewall'
[nat.inner]
type = 'none'
behind = 'home'
[host.h]
behind = 'fw'
");
    assert_eq!(scenario.nats[0].lan.prefix.to_string(), "100.64.0.0/24");
    assert_eq!(scenario.nats[1].addresses, ips(&["100.64.0.2"]));
    assert_eq!(scenario.nats[2].lan.prefix.to_string(), "198.18.0.0/24");
    assert_eq!(scenario.hosts[0].interfaces[0].addresses, ips(&["198.18.0.2"]));
    assert_eq!(scenario.nats[3].lan.prefix.to_string(), "192.168.1.0/24");
}

#[test]
fn a_static_nat_has_an_address_for_each_internal_host() {
    let scenario = ok("format = 1
[nat.cloud]
type = 'static'
[nat.fw]
type = 'firewall'
behind = 'cloud'
[nat.home]
behind = 'cloud'
[host.a]
behind = 'cloud'
[host.b]
behind = 'fw'
[host.c]
behind = 'home'
");
    let cloud = &scenario.nats[0];
    let home = scenario.nats[2].addresses[0];
    let (a, b) = (scenario.hosts[0].interfaces[0].addresses[0], scenario.hosts[1].interfaces[0].addresses[0]);
    let mut inside = vec![a, b, home];
    inside.sort_unstable();
    assert_eq!(cloud.one_to_one.iter().map(|(inside, _)| *inside).collect::<Vec<_>>(), inside);
    assert_eq!(cloud.addresses, ips(&["203.0.113.1", "203.0.113.2", "203.0.113.3"]));
}

#[test]
fn ipv6_reaches_those_behind_a_router_and_the_public_nodes() {
    let scenario = ok("format = 1
[turn.t]
[nat.six]
ipv6 = 'firewalled'
[nat.four]
[host.a]
behind = 'six'
[host.b]
behind = 'four'
[host.c]
[host.d]
address = '203.0.113.99'
");
    let addresses = |at: usize| scenario.hosts[at].interfaces[0].addresses.clone();
    assert_eq!(scenario.servers[0].addresses, ips(&["198.51.100.1", "2001:db8::1"]));
    assert_eq!(addresses(0), ips(&["192.168.1.2", "2001:db8:1::2"]));
    assert_eq!(addresses(1), ips(&["192.168.2.2"]));
    assert_eq!(addresses(2), ips(&["203.0.113.3", "2001:db8::2"]));
    assert_eq!(addresses(3), ips(&["203.0.113.99"]));
    assert_eq!(ok("format = 1\n[turn.t]").servers[0].addresses, ips(&["198.51.100.1"]));
}

#[test]
fn one_address_makes_a_stun_server_without_discovery() {
    let scenario = ok("format = 1\n[stun.s]\naddress = '198.51.100.9'\n");
    assert_eq!(scenario.servers[0].addresses, ips(&["198.51.100.9"]));
    assert_eq!(scenario.servers[0].ports, [3478]);
}

#[test]
fn links_and_addresses_are_followed_through_the_events() {
    let scenario = ok("format = 1
[host.a]
address = '203.0.113.7'
link = { delay = '1 ms' }
[[event]]
at = '2 s'
do = { set-link = { node = 'a', loss = 0.5 } }
[[event]]
at = '1 s'
do = { set-link = { node = 'a', delay = '3 ms', rate = '1 Mbit/s' } }
[[event]]
at = '3 s'
do = { change-address = { node = 'a', address = '203.0.113.9' } }
[[event]]
at = '4 s'
do = { change-address = { node = 'a', address = '203.0.113.7' } }
");
    let node = NodeId::Host(HostId(0));
    let delay = std::time::Duration::from_millis(3);
    let slow = LinkConfig { delay, rate: Some(1_000_000), ..LinkConfig::default() };
    let lossy = LinkConfig { loss: 0.5, ..slow };
    let (old, new) = (ip("203.0.113.7"), ip("203.0.113.9"));
    let actions: Vec<Action> = scenario.events.into_iter().map(|event| event.action).collect();
    assert_eq!(
        actions,
        [
            Action::SetLink { node, link: slow },
            Action::SetLink { node, link: lossy },
            Action::ChangeAddress { node, old, new },
            Action::ChangeAddress { node, old: new, new: old },
        ]
    );
}

#[test]
fn later_addresses_are_reserved_from_the_start() {
    let text = "format = 1
[host.a]
address = '203.0.113.7'
[host.b]
[[event]]
at = '3 s'
do = { change-address = { node = 'a', address = '203.0.113.1' } }
";
    assert_eq!(ok(text).hosts[1].interfaces[0].addresses, ips(&["203.0.113.2"]));
}

#[test]
fn sends_say_where_they_go() {
    let scenario = ok("format = 1
[stun.s]
[nat.n]
[host.a]
[[send]]
from = 'a'
to = 's'
[[send]]
from = 'a'
to = 's:80'
[[send]]
from = 'a'
to = '[2001:db8::9]:7'
[[send]]
from = 'a'
to = 'n'
to-port = 9
");
    let shown: Vec<String> = scenario.sends.iter().map(|send| send.to.to_string()).collect();
    assert_eq!(shown, ["198.51.100.1:3478", "198.51.100.1:80", "[2001:db8::9]:7", "203.0.113.1:9"]);
}

#[test]
fn bases_are_followed_and_overridden() {
    let scenario = ok("format = 1
[nat-type.outer]
base = 'inner'
udp-timeout = '30 s'
[nat-type.inner]
base = 'firewall'
filtering = 'address-dependent'
udp-timeout = '10 s'
[nat.a]
type = 'outer'
");
    let behavior = &scenario.nats[0].behavior;
    assert_eq!(behavior.kind, natbed_nat::behavior::Kind::Firewall);
    assert_eq!(behavior.filtering, natbed_nat::behavior::Filtering::AddressDependent);
    assert_eq!(behavior.udp_timeout, std::time::Duration::from_secs(30));
}

#[test]
fn long_chains_neither_overflow_nor_take_for_ever() {
    let mut text = "format = 1\n[nat.n0]\n[nat-type.t0]\n".to_owned();
    for at in 1..2_000 {
        text += &format!("[nat.n{at}]\nbehind = 'n{}'\n[nat-type.t{at}]\nbase = 't{}'\n", at - 1, at - 1);
    }
    assert_eq!(ok(&text).nats.len(), 2_000);
    assert!(parse(format!("{text}[nat.x]\nbehind = 'x'\n").as_bytes()).is_err());
}

#[test]
fn a_byte_order_mark_is_no_problem() {
    assert_eq!(ok("\u{feff}format = 1\n"), ok("format = 1\n"));
}

#[test]
fn the_schema_lists_every_key() {
    let schema = schema();
    let object = schema["properties"].as_object().expect("an object");
    assert!(object.contains_key("nat-type") && object.contains_key("connect"));
    assert_eq!(schema["required"], serde_json::json!(["format"]));
    let host = &schema["properties"]["host"]["additionalProperties"];
    assert_eq!(host["additionalProperties"], false);
    assert_eq!(host["properties"]["link"]["properties"]["loss"]["maximum"], 1);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Err(problems) = parse(&bytes) {
            prop_assert!(!problems.render("x", &plain).is_empty());
        }
    }

    #[test]
    fn no_change_to_a_valid_file_makes_it_panic(
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0..12usize, ".{0,6}"), 1..6),
    ) {
        let mut bytes = EVERYTHING.as_bytes().to_vec();
        for (at, length, text) in cuts {
            let at = at.index(bytes.len());
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, text.bytes());
        }
        check_any(&bytes);
    }

    #[test]
    fn no_exchange_of_words_makes_it_panic(
        swaps in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..4),
    ) {
        let mut words: Vec<&str> = EVERYTHING.split_inclusive([' ', '\n', '"', '.']).collect();
        for (a, b) in swaps {
            let (a, b) = (a.index(words.len()), b.index(words.len()));
            words[a] = words[b];
        }
        check_any(words.concat().as_bytes());
    }
}

/// Whatever `bytes` are: a report, or a scenario that survives being shown.
fn check_any(bytes: &[u8]) {
    match parse(bytes) {
        Ok(scenario) => {
            let again = ok(&show(&scenario));
            assert_eq!(without_type_names(again), without_type_names(scenario));
        }
        Err(problems) => assert!(problems.render("x", &plain).starts_with("error[")),
    }
}
