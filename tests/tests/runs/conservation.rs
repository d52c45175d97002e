//! Nothing is lost without a trace, and nobody notices being watched.

use std::collections::BTreeSet;

use natbed_lab::kit::{Case, Links};
use natbed_lab::lower::lower;
use natbed_lab::peer::PeerEvent;
use natbed_net::trace::Event;
use natbed_net::{Counts, PacketId, Record};
use natbed_packet::Timestamp;
use proptest::prelude::*;

use crate::generate::{holding, with_faults};
use crate::{cases, run, scenario};

/// What the event log says of the datagrams of a run.
#[derive(Default)]
struct Tally {
    counts: Counts,
    under_way: BTreeSet<PacketId>,
}

impl Tally {
    /// Follows every datagram from where it was sent or copied to its one end.
    fn read(log: &[Record<PeerEvent>]) -> Result<Self, TestCaseError> {
        let mut tally = Self::default();
        for Record { event, .. } in log {
            match event {
                Event::Sent { packet, .. } => {
                    tally.counts.sent += 1;
                    prop_assert!(tally.under_way.insert(*packet), "{packet:?} is sent twice");
                }
                Event::Duplicated { packet, copy, .. } => {
                    tally.counts.duplicated += 1;
                    prop_assert!(tally.under_way.contains(packet), "{packet:?} is copied after its end");
                    prop_assert!(tally.under_way.insert(*copy), "{copy:?} is there already");
                }
                Event::Forwarded { packet, .. } | Event::Translated { packet, .. } => {
                    prop_assert!(tally.under_way.contains(packet), "{packet:?} goes on after its end");
                }
                Event::Delivered { packet, .. } => {
                    tally.counts.delivered += 1;
                    prop_assert!(tally.under_way.remove(packet), "{packet:?} is delivered after its end");
                }
                Event::Dropped { packet, reason, .. } => {
                    tally.counts.dropped += 1;
                    prop_assert!(tally.under_way.remove(packet), "{packet:?} is dropped after its end");
                    prop_assert!(!reason.as_str().is_empty() && !reason.explanation().is_empty());
                }
                _ => {}
            }
        }
        tally.counts.in_flight = tally.under_way.len() as u64;
        Ok(tally)
    }
}

/// At every step, what was sent or copied is delivered, dropped or under way, and the log says the same.
fn conserve(case: &Case) -> Result<(), TestCaseError> {
    let scenario = scenario(case);
    let mut simulator = lower(&scenario, scenario.seed).unwrap().simulator;
    simulator.record();
    while simulator.step_until(Timestamp::from_secs(45)) {
        while simulator.poll_event().is_some() {}
        let Counts { sent, duplicated, delivered, dropped, in_flight } = simulator.totals();
        let now = simulator.now();
        prop_assert_eq!(sent + duplicated, delivered + dropped + in_flight, "at {}", now);
    }
    prop_assert_eq!(Tally::read(simulator.log())?.counts, simulator.totals());
    Ok(())
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn every_datagram_is_delivered_dropped_or_under_way(case in with_faults(Links::Bad, 2, 2)) {
        conserve(&case)?;
    }

    #[test]
    fn watching_changes_nothing(case in with_faults(Links::Bad, 1, 2)) {
        let scenario = scenario(&holding(case, 10));
        let (watched, alone) = (run(&scenario, true), run(&scenario, false));
        prop_assert!(!watched.log().is_empty() && alone.log().is_empty());
        prop_assert_eq!(format!("{:?}", watched.connections), format!("{:?}", alone.connections));
        prop_assert_eq!(&watched.tables, &alone.tables);
        prop_assert_eq!(watched.lowered.simulator.totals(), alone.lowered.simulator.totals());
        prop_assert_eq!(watched.lowered.simulator.now(), alone.lowered.simulator.now());
    }

    #[test]
    fn every_dropped_line_of_the_log_says_where_and_why(case in with_faults(Links::Bad, 1, 2)) {
        let run = run(&scenario(&case), true);
        let mut dropped = 0;
        for (seq, record) in run.log().iter().enumerate() {
            let line = natbed_lab::log::line(&run, seq as u64, record);
            if line["event"] == "dropped" {
                dropped += 1;
                for key in ["node", "reason", "rule"] {
                    prop_assert!(line[key].as_str().is_some_and(|text| !text.is_empty()), "{key} of {line}");
                }
                for key in ["source", "destination"] {
                    prop_assert!(line["packet"][key].is_string(), "{key} of {line}");
                }
            }
        }
        prop_assert_eq!(dropped, run.lowered.simulator.totals().dropped);
    }
}
