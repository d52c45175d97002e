//! The Linux kernel as judge: the same packets through nftables NAT and through the behaviour that claims to be it.
//!
//! Each rule gets a router in a network namespace, with hosts on one side and remotes on the other. One packet at a
//! time goes through the kernel and through [`Nat`](natbed_nat::Nat), and who receives it from where must be the same,
//! up to the naming of ports that either chose at random. Some go in fragments, in and out of order, and not all of
//! those whole. All this needs Linux, root, iproute2, nftables and taskset;
//! without them the tests say so and pass, unless `NATBED_KERNEL_PACKETS`, the number of packets for each rule, is
//! set.

mod episode;
mod names;
mod pieces;
mod testbed;
mod worker;

use natbed_nat::behavior::{Behavior, PortRange, Unsolicited};
use natbed_nat::presets;

use crate::episode::{Episode, Tally};
use crate::testbed::Testbed;

/// A way to set up the kernel's NAT, and what should behave like it.
struct Rule {
    /// The statement of the rule in the postrouting chain.
    statement: &'static str,
    /// What becomes of packets from outside to the router itself.
    input: Input,
    behavior: Behavior,
    ports: Ports,
}

/// Verdicts of the router's input chain on new flows from outside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Input {
    Accept,
    Drop,
    Reject,
}

/// Which ports a rule hands out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ports {
    /// Any: a port drawn at random is hardly ever one that is known already.
    Wide,
    /// Those of a range with many.
    Range(PortRange),
    /// Those of a range with so few that they run out.
    Few(PortRange),
}

const RANGE: PortRange = PortRange::new(40_000, 49_999);
const FEW: PortRange = PortRange::new(40_000, 40_003);

/// Packets through one network, before the kernel's table gets crowded.
const PACKETS_IN_ONE: u64 = 20_000;
const PACKETS_BY_DEFAULT: u64 = 600;

macro_rules! rules {
    ($($name:ident: $statement:literal, $input:ident, $preset:literal, $ports:expr;)+) => {$(
        #[test]
        fn $name() {
            judge($statement, Input::$input, $preset, $ports);
        }
    )+};
}

rules! {
    masquerade_and_input_accepted: "masquerade", Accept, "linux-masquerade", Ports::Wide;
    masquerade_and_input_dropped: "masquerade", Drop, "openwrt", Ports::Wide;
    masquerade_and_input_rejected: "masquerade", Reject, "openwrt", Ports::Wide;
    random_and_input_accepted: "masquerade random", Accept, "linux-random-fully", Ports::Wide;
    random_and_input_dropped: "masquerade random", Drop, "linux-random-fully", Ports::Wide;
    fully_random_and_input_accepted: "masquerade fully-random", Accept, "linux-random-fully", Ports::Wide;
    fully_random_and_input_dropped: "masquerade fully-random", Drop, "linux-random-fully", Ports::Wide;
    range_and_input_accepted:
        "meta l4proto udp snat to 203.0.113.1:40000-49999", Accept, "linux-masquerade", Ports::Range(RANGE);
    range_and_input_dropped: "meta l4proto udp snat to 203.0.113.1:40000-49999", Drop, "openwrt", Ports::Range(RANGE);
    few_ports_and_input_accepted: "meta l4proto udp snat to 203.0.113.1:40000-40003", Accept, "linux-masquerade", Ports::Few(FEW);
    few_ports_and_input_dropped: "meta l4proto udp snat to 203.0.113.1:40000-40003", Drop, "openwrt", Ports::Few(FEW);
}

/// The program of the [workers](worker); among the tests it does nothing.
#[test]
fn worker_program() {
    worker::serve_if_worker();
}

fn judge(statement: &'static str, input: Input, preset: &str, ports: Ports) {
    let mut behavior = presets::lookup(preset).unwrap().behavior;
    behavior.unsolicited = match input {
        Input::Accept => Unsolicited::CreatesState,
        Input::Drop => Unsolicited::Drop,
        Input::Reject => Unsolicited::Icmp,
    };
    if let Ports::Range(range) | Ports::Few(range) = ports {
        behavior.port_range = range;
    }
    judge_rule(&Rule { statement, input, behavior, ports });
}

fn judge_rule(rule: &Rule) {
    let wanted = packets_wanted();
    let packets = wanted.unwrap_or(PACKETS_BY_DEFAULT);
    let mut tally = Tally::default();
    while tally.packets < packets {
        let end = packets.min(tally.packets + PACKETS_IN_ONE);
        let mut testbed = match Testbed::new(&rule.ruleset()) {
            Ok(testbed) => testbed,
            Err(why) if wanted.is_none() => return println!("skipped: {why}"),
            Err(why) => panic!("{why}"),
        };
        while tally.packets < end {
            Episode::new(rule, &mut testbed, tally.episodes).run(&mut tally);
        }
    }
    println!("{}, input {}: {tally}", rule.statement, rule.input.verdict());
    tally.check();
}

#[expect(clippy::disallowed_methods, reason = "its arguments belong to the test harness")]
fn packets_wanted() -> Option<u64> {
    std::env::var("NATBED_KERNEL_PACKETS").ok().map(|number| number.parse().unwrap())
}

impl Rule {
    fn ruleset(&self) -> String {
        let (statement, verdict) = (self.statement, self.input.verdict());
        format!(
            "table ip natbed {{
                chain postrouting {{
                    type nat hook postrouting priority srcnat; policy accept;
                    oifname \"wan\" {statement}
                }}
                chain input {{
                    type filter hook input priority filter; policy accept;
                    iifname \"wan\" ct state new {verdict}
                }}
            }}"
        )
    }
}

impl Input {
    const fn verdict(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Drop => "drop",
            Self::Reject => "reject",
        }
    }
}
