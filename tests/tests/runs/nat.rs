//! What holds of every NAT's table at any instant of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use natbed_lab::kit::{Case, Links};
use natbed_lab::lower::lower;
use natbed_nat::MappingView;
use natbed_nat::behavior::{Behavior, Hairpinning, Kind, Refresh};
use natbed_net::trace::{Direction, Event, Place};
use natbed_net::{NodeId, Record};
use natbed_packet::{Datagram, Timestamp, Transport};
use proptest::prelude::*;
use proptest::sample::select;

use crate::generate::{case, holding};
use crate::{cases, parsed, run, scenario};

/// Whether no two live mappings share an external port, or, where ports are overloaded and in firewalls, a port and a
/// destination.
fn shares_no_port(table: &[MappingView], behavior: &Behavior) -> Result<(), TestCaseError> {
    let mut seen = BTreeMap::new();
    for view in table {
        let shares = behavior.port_overloading || behavior.kind != Kind::Nat;
        let key = (view.external, shares.then_some((view.destination, view.internal)));
        if let Some(other) = seen.insert(key, view) {
            prop_assert!(false, "one port for two: {other:?} and {view:?}");
        }
    }
    Ok(())
}

/// When a NAT of this behaviour is to forget each of its mappings, by the packets that went through.
struct Timers<'a> {
    behavior: &'a Behavior,
    /// By the mapping's identity as text.
    due: BTreeMap<String, Timestamp>,
}

impl Timers<'_> {
    fn read(&mut self, record: &Record<natbed_lab::peer::PeerEvent>) -> Result<(), TestCaseError> {
        let (mapping, outbound) = match &record.event {
            Event::MappingCreated { mapping, .. } => {
                self.due.insert(format!("{:?}", mapping.id), record.time + self.behavior.udp_timeout);
                return Ok(());
            }
            // What an unsolicited packet took has no packets of its own.
            Event::MappingExpired { mapping, .. } if mapping.unsolicited => return Ok(()),
            Event::MappingExpired { mapping, forgotten } => {
                let due = self.due.remove(&format!("{:?}", mapping.id));
                prop_assert_eq!(due, Some(mapping.expires), "{:?} ends on time", mapping);
                prop_assert!(*forgotten || record.time >= mapping.expires, "{mapping:?} ends early");
                return Ok(());
            }
            Event::Translated { mapping: Some(mapping), direction, after, .. } if is_udp(after) => {
                (mapping, *direction == Direction::Outbound)
            }
            Event::Forwarded { mapping: Some(mapping), datagram, .. } if is_udp(datagram) => {
                (mapping, datagram.source_endpoint() == Some(mapping.internal))
            }
            _ => return Ok(()),
        };
        let due = self.due.get_mut(&format!("{:?}", mapping.id));
        let Some(due) = due else { return Err(TestCaseError::fail(format!("{mapping:?} is not there"))) };
        prop_assert!(
            record.time < *due,
            "at {} a packet went through {mapping:?}, which ended at {due}",
            record.time
        );
        let refreshed = match self.behavior.refresh {
            Refresh::Both => true,
            Refresh::Outbound => outbound,
            Refresh::Inbound => !outbound,
        };
        if refreshed {
            *due = record.time + self.behavior.udp_timeout;
        }
        prop_assert_eq!(mapping.expires, *due, "{:?} at {}", mapping, record.time);
        Ok(())
    }
}

fn is_udp(datagram: &Datagram) -> bool {
    matches!(datagram.transport, Transport::Udp(_))
}

fn timed(cases: impl Strategy<Value = Case>) -> impl Strategy<Value = Case> {
    (cases, 3..30_u64, select(Refresh::ALL)).prop_map(|(mut case, timeout, refresh)| {
        for nat in &mut case.nats {
            nat.behavior.udp_timeout = Duration::from_secs(timeout);
            nat.behavior.refresh = refresh;
            nat.behavior.hairpinning = Hairpinning::Off;
        }
        holding(case, 40)
    })
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn no_port_serves_two_live_mappings(
        case in case(Links::Bad, 2, 2),
        times in prop::collection::vec(0..20_000_u64, 1..20),
    ) {
        let scenario = scenario(&holding(case, 10));
        let mut lowered = lower(&scenario, scenario.seed).unwrap();
        let mut times = times;
        times.sort_unstable();
        for time in times {
            lowered.simulator.run_until(Timestamp::from_millis(time));
            while lowered.simulator.poll_event().is_some() {}
            for (spec, node) in scenario.nats.iter().zip(&lowered.nats) {
                let now = lowered.simulator.now();
                let table = lowered.simulator.nat(*node).unwrap().snapshot(now);
                shares_no_port(&table, &spec.behavior)?;
                prop_assert!(table.iter().all(|view| view.created <= now && now < view.expires));
            }
        }
    }

    #[test]
    fn no_mapping_outlives_its_timer(case in timed(case(Links::Sound, 0, 2))) {
        let scenario = scenario(&case);
        let run = run(&scenario, true);
        let nodes = run.lowered.nats.iter().zip(&scenario.nats);
        let mut timers: BTreeMap<NodeId, Timers<'_>> = nodes
            .map(|(node, nat)| (*node, Timers { behavior: &nat.behavior, due: BTreeMap::new() }))
            .collect();
        for record in run.log() {
            if let Place::Node(node) = record.place
                && let Some(timers) = timers.get_mut(&node)
            {
                timers.read(record)?;
            }
        }
    }
}

#[test]
fn a_mapping_that_nothing_refreshes_is_gone_when_its_time_is_over() {
    let text = "format = 1\n[stun.s]\n[nat-type.short]\nudp-timeout = \"3 s\"\n[nat.n]\ntype = \"short\"\n\
                [host.h]\nbehind = \"n\"\n[[send]]\nfrom = \"h\"\nfrom-port = 5000\nto = \"s\"\nto-port = 3478\n";
    let scenario = parsed(text);
    let mut lowered = lower(&scenario, 1).unwrap();
    let node = lowered.nats[0];
    let mut table_at = |time: Duration| {
        lowered.simulator.run_until(Timestamp::ZERO + time);
        lowered.simulator.nat(node).unwrap().snapshot(lowered.simulator.now())
    };
    // The packet reaches the NAT after the host's link of 10 ms.
    assert_eq!(table_at(Duration::from_millis(9)).len(), 0);
    assert_eq!(table_at(Duration::from_millis(10)).len(), 1);
    assert_eq!(table_at(Duration::from_nanos(3_009_999_999)).len(), 1);
    assert_eq!(table_at(Duration::from_millis(3010)).len(), 0);
}
