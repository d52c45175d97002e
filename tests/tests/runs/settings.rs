//! Every setting of an agent changes what happens.

use natbed_lab::peer::PeerEvent;
use natbed_lab::run::{Options, Outcome, Run};
use natbed_net::trace::Event;
use natbed_traversal::ice;

use crate::parsed;

fn logged(text: &str) -> Run {
    let scenario = parsed(text);
    natbed_lab::run::run(&scenario, &Options { log: true, ..Options::default() }).unwrap()
}

/// The events of all agents.
fn told(run: &Run) -> impl Iterator<Item = &ice::Event> {
    run.log().iter().filter_map(|record| match &record.event {
        Event::Program { event: PeerEvent::Ice(event), .. } => Some(event),
        _ => None,
    })
}

/// Alice on two networks, each behind a NAT, and Bob behind a third.
fn addresses(setting: &str) -> Run {
    logged(&format!(
        "format = 1\n[stun.s]\n[turn.t]\n[nat.office]\n[nat.phone]\n[nat.b]\n\
         [host.alice]\nbehind = ['office', 'phone']\nice = {{ addresses = '{setting}' }}\n[host.bob]\nbehind = 'b'\n\
         [[connect]]\nfrom = 'alice'\nto = 'bob'\n"
    ))
}

/// Of each type how many candidates Alice tells, and whether any text of hers has an address of her own in it.
fn signalled(run: &Run) -> ([usize; 3], bool) {
    let (from, _) = run.lowered.agents[0];
    let messages = run.log().iter().filter_map(|record| match &record.event {
        Event::Signaled { from: sender, message, .. } if *sender == from => {
            Some(String::from_utf8_lossy(message).into_owned())
        }
        _ => None,
    });
    let messages: Vec<_> = messages.collect();
    let lines = || messages.iter().flat_map(|message| message.lines());
    let candidates: Vec<_> = lines().filter(|line| line.starts_with("a=candidate:")).collect();
    let of = |kind: &str| candidates.iter().filter(|line| line.contains(&format!("typ {kind}"))).count();
    let own = lines().any(|line| line.contains(" 192.168."));
    ([of("host"), of("srflx"), of("relay")], own)
}

#[test]
fn rfc8828_5_2_addresses_choose_what_is_used_and_told() {
    // Two servers and two ways out; the TURN server's reflexive candidates are the STUN server's again.
    let [all, lan, route, proxy] = ["all", "default-route-and-lan", "default-route", "proxy"].map(addresses);
    assert_eq!(signalled(&all), ([2, 2, 2], true));
    assert_eq!(signalled(&lan), ([1, 1, 1], true));
    assert_eq!(signalled(&route), ([0, 1, 1], false));
    assert_eq!(signalled(&proxy), ([0, 0, 1], false));
    for run in [&all, &lan, &route] {
        assert_eq!(run.connections[0].outcome, Outcome::Direct);
    }
    assert_eq!(proxy.connections[0].outcome, Outcome::Relay);
}

#[test]
fn rfc8421_4_dual_stack_agents_prefer_ipv6() {
    let text = "format = 1\n[host.alice]\naddress = ['203.0.113.1', '2001:db8::1']\n\
                [host.bob]\naddress = ['203.0.113.2', '2001:db8::2']\n[[connect]]\nfrom = 'alice'\nto = 'bob'\n";
    let run = logged(text);
    let pair = run.connections[0].pair.unwrap();
    assert!(pair.base.ip.is_ipv6() && pair.remote.address.ip.is_ipv6(), "{pair:?}");
}

/// Alice behind a symmetric NAT, and Bob behind one that answers what it keeps out with an ICMP error.
fn rejecting(setting: &str) -> Run {
    logged(&format!(
        "format = 1\n[stun.s]\n[nat-type.rejecting]\nbase = 'port-restricted'\nunsolicited = 'icmp'\n\
         [nat.a]\ntype = 'symmetric'\n[nat.b]\ntype = 'rejecting'\n\
         [host.alice]\nbehind = 'a'\nice = {{ {setting} }}\n[host.bob]\nbehind = 'b'\n\
         [[connect]]\nfrom = 'alice'\nto = 'bob'\n"
    ))
}

#[test]
fn rfc8445_7_2_5_2_2_icmp_errors_fail_pairs_where_the_host_says_so() {
    let unreachable = |run: &Run| {
        let failed = |event: &&ice::Event| {
            matches!(event, ice::Event::CheckFailed { why: ice::CheckFailure::Unreachable, .. })
        };
        told(run).filter(failed).count()
    };
    let (ignoring, heeding) = (rejecting("icmp-errors = false"), rejecting("icmp-errors = true"));
    assert_eq!(unreachable(&ignoring), 0);
    assert!(unreachable(&heeding) > 0);
    assert!(heeding.connections[0].packets_sent < ignoring.connections[0].packets_sent);
}

#[test]
fn rfc8445_6_1_2_5_max_pairs_bounds_the_check_list() {
    let pairs = |most: u32| {
        let run = logged(&format!(
            "format = 1\n[stun.s]\n[turn.t]\n[nat.a]\ntype = 'symmetric'\n[nat.b]\ntype = 'symmetric'\n\
             [host.alice]\nbehind = 'a'\nice = {{ max-pairs = {most} }}\n[host.bob]\nbehind = 'b'\n\
             [[connect]]\nfrom = 'alice'\nto = 'bob'\n"
        ));
        told(&run).filter(|event| matches!(event, ice::Event::PairDiscarded { .. })).count()
    };
    assert_eq!(pairs(100), 0);
    assert!(pairs(2) > 0);
}

/// Alice uses nothing but the relay of the TURN server `first`, which sends its clients on to `second`.
fn redirected(first: &str, second: &str) -> Run {
    logged(&format!(
        "format = 1\n[turn.first]\nalternate = 'second'\n{first}\n[turn.second]\n{second}\n\
         [nat.a]\n[host.alice]\nbehind = 'a'\nice = {{ servers = ['first'], policy = 'relay' }}\n\
         [host.bob]\nice = {{ servers = [] }}\n\
         [[connect]]\nfrom = 'alice'\nto = 'bob'\n"
    ))
}

#[test]
fn rfc8489_10_a_turn_server_sends_its_clients_on_to_its_alternate() {
    let run = redirected("", "");
    assert_eq!(run.connections[0].outcome, Outcome::Relay);
    let pair = run.connections[0].pair.unwrap();
    assert_eq!(pair.local.kind, ice::CandidateType::Relayed);
    assert_eq!(pair.local.address.ip.to_string(), "198.51.100.2", "that is the second's");
    assert!(told(&run).any(|event| matches!(event, ice::Event::Redirected { .. })));
    // The same user is known at both, or the second does not take the client.
    let known = "user = 'u'\npassword = 'p'";
    assert_eq!(redirected(known, known).connections[0].outcome, Outcome::Relay);
    let refused = redirected(known, "user = 'u'\npassword = 'q'");
    assert_eq!(refused.connections[0].outcome, Outcome::Fail);
    let why = |event: &ice::Event| match event {
        ice::Event::GatherFailed { why, .. } => Some(*why),
        _ => None,
    };
    assert_eq!(told(&refused).find_map(why), Some(ice::GatherFailure::Rejected(401)));
    // Round and round does not go on for ever.
    let circle = redirected("", "alternate = 'first'");
    assert_eq!(told(&circle).find_map(why), Some(ice::GatherFailure::Rejected(300)));
}
