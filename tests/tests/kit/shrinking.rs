//! Failing cases become as small as they can be.

use std::time::Duration;

use natbed_lab::kit::{Case, FaultKind, Links, networks};
use natbed_lab::run::Outcome;
use natbed_nat::behavior::Unsolicited;
use natbed_nat::presets;
use natbed_net::LinkConfig;

use crate::{outcome, shrunk};

/// A NAT on either side, a relay, two hosts.
fn pair(a: &str, b: &str) -> String {
    format!(
        "format = 1\n\n[turn.turn1]\n\n[nat.a]\ntype = \"{a}\"\n\n[nat.b]\ntype = \"{b}\"\n\n[host.alice]\nbehind = \
         \"a\"\n\n[host.bob]\nbehind = \"b\"\n\n[[connect]]\nfrom = \"alice\"\nto = \"bob\"\n"
    )
}

/// Or it is a server that is exempt from translation, and so tells an address of no use.
#[test]
fn what_needs_a_relay_is_symmetric_against_port_restricted_and_nothing_else() {
    let expected = [pair("symmetric", "port-restricted"), pair("port-restricted", "symmetric")];
    let (mut classic, mut exempting) = (0, 0);
    for seed in 0..12 {
        let cases =
            networks().hosts(2..=4).shared_nats(0..=0).links(Links::Sound).missing_servers().faults(3);
        let case = shrunk(seed, cases, |case| outcome(case) == Outcome::Relay);
        let exempts = case.nats.iter().filter(|nat| !nat.behavior.exempt.is_empty()).count();
        let smallest = (case.nats.len(), case.hosts.len(), case.faults.len()) == (2, 2, 0);
        classic += usize::from(expected.contains(&case.text()));
        exempting += usize::from(exempts == 1 && smallest);
        assert_eq!(classic + exempting, usize::try_from(seed).unwrap() + 1, "seed {seed}: {}", case.text());
    }
    assert!(classic > exempting, "{exempting} with a server that is exempt");
}

#[test]
fn what_needs_a_relay_behind_open_nats_is_a_carrier_nat_that_does_not_hairpin() {
    let open = presets::lookup("one-to-one").unwrap().behavior;
    let cases = networks().own_nats(0..=2).shared_nats(0..=2).types([open]).missing_servers();
    let case = shrunk(1, cases, |case| outcome(case) == Outcome::Relay);
    let nat = |name: &str, behind: &str| format!("\n[nat.{name}]\ntype = \"one-to-one\"\n{behind}");
    let nats = [nat("shared", ""), nat("a", "behind = \"shared\"\n"), nat("b", "behind = \"shared\"\n")];
    let (head, rest) = (pair("", ""), pair("", ""));
    let (head, rest) = (head.split_once("\n[nat.a]").unwrap().0, rest.split_once("\n[host.").unwrap().1);
    assert_eq!(case.text(), format!("{head}{}\n[host.{rest}", nats.concat()));
}

#[test]
fn one_axis_remains_of_a_nat_that_fails_by_one() {
    let creates =
        |case: &Case| case.nats.iter().any(|nat| nat.behavior.unsolicited == Unsolicited::CreatesState);
    let case = shrunk(3, networks().links(Links::Bad), creates);
    assert!(
        case.text().contains("-type]\nbase = \"EIM/APDF\"\nunsolicited = \"creates-state\"\n\n"),
        "{case:?}"
    );
    assert_eq!((case.nats.len(), case.hosts.len()), (1, 2));
}

#[test]
fn one_value_remains_of_a_link_that_fails_by_one() {
    let lossy = |case: &Case| case.hosts.iter().any(|host| host.link.loss >= 0.02);
    let case = shrunk(4, networks().links(Links::Bad), lossy);
    let links: Vec<LinkConfig> = case.hosts.iter().map(|host| host.link).collect();
    let loss = links.iter().map(|link| link.loss).fold(0.0, f64::max);
    assert!((0.02..0.04).contains(&loss), "half of it would not fail: {case:?}");
    assert_eq!(links.iter().filter(|link| **link == LinkConfig::default()).count(), 1);
    assert!(links.contains(&LinkConfig { loss, ..LinkConfig::default() }), "{case:?}");
    assert!(case.nats.is_empty());
}

#[test]
fn one_fault_remains_at_a_whole_second() {
    let reboots = |case: &Case| case.faults.iter().any(|fault| fault.kind == FaultKind::RebootNat);
    let case = shrunk(5, networks().faults(8), reboots);
    assert_eq!((case.nats.len(), case.faults.len()), (1, 1));
    assert_eq!(case.faults[0].at, Duration::from_secs(case.faults[0].at.as_secs()));
}
