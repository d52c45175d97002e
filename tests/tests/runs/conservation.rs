//! Nothing is lost without a trace, and nobody notices being watched.

use std::collections::BTreeSet;

use natbed_lab::kit::{Case, Links};
use natbed_lab::lower::lower;
use natbed_lab::peer::{PeerEvent, send_payload};
use natbed_nat::behavior::Fragments;
use natbed_net::trace::Event;
use natbed_net::{Counts, PacketId, Record};
use natbed_packet::{Timestamp, Transport};
use proptest::prelude::*;
use proptest::sample::select;

use crate::generate::{holding, with_faults};
use crate::{cases, parsed, run, scenario};

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
                Event::Fragmented { packet, fragments } => {
                    tally.counts.fragmented += fragments.len() as u64 - 1;
                    prop_assert!(tally.under_way.remove(packet), "{packet:?} is cut after its end");
                    tally.under_way.extend(fragments.iter().map(|(piece, _)| *piece));
                }
                Event::Reassembled { packet, fragments, .. } => {
                    tally.counts.reassembled += fragments.len() as u64 - 1;
                    for piece in fragments {
                        prop_assert!(tally.under_way.remove(piece), "{piece:?} is used after its end");
                    }
                    prop_assert!(tally.under_way.insert(*packet), "{packet:?} is there already");
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
        let Counts { sent, duplicated, fragmented, reassembled, delivered, dropped, in_flight } =
            simulator.totals();
        let begun = sent + duplicated + fragmented;
        prop_assert_eq!(begun, reassembled + delivered + dropped + in_flight, "at {}", simulator.now());
    }
    prop_assert_eq!(Tally::read(simulator.log())?.counts, simulator.totals());
    Ok(())
}

/// Large datagrams through NATs, over links that are too small and lose, repeat and reorder.
fn fragments() -> impl Strategy<Value = String> {
    let link = (68u16..1600, 0u8..3, 0u8..5, 0u8..8, 0u16..40).prop_map(|(mtu, loss, again, reorder, jitter)| {
        format!(
            "{{ mtu = {mtu}, loss = 0.0{loss}, duplicate = 0.{again}, reorder = 0.{reorder}, jitter = '{jitter} ms' }}"
        )
    });
    let sends = proptest::collection::vec((16u16..9000, any::<bool>(), 0u16..50, any::<bool>()), 1..12);
    let kinds =
        (select(Fragments::ALL), select(&["port-restricted", "symmetric", "firewall", "one-to-one"][..]));
    (any::<u32>(), kinds, link.clone(), link.clone(), link, sends).prop_map(
        |(seed, (fragments, kind), nat, alice, web, sends)| {
            let mut text = format!(
                "format = 1\nseed = {seed}\n[nat-type.x]\nbase = '{kind}'\nfragments = '{fragments}'
                [nat.a]\ntype = 'x'\nlink = {nat}\n[host.alice]\nbehind = 'a'\nlink = {alice}
                [host.web]\nlink = {web}\n"
            );
            for (size, whole, at, out) in sends {
                let ends = if out { ("alice", "web", 80) } else { ("web", "a", 49_152) };
                let (from, to, port) = if kind == "firewall" && !out { ("web", "alice", 49_152) } else { ends };
                let from_port = if out { 49_152 } else { 80 };
                text += &format!(
                    "[[send]]\nfrom = '{from}'\nfrom-port = {from_port}\nto = '{to}'\nto-port = {port}\nsize = {size}
                    at = '{at} ms'\ndont-fragment = {whole}\n"
                );
            }
            text
        },
    )
}

/// Whatever becomes of fragments, a datagram arrives as it was sent or not at all, and none gets lost in silence.
fn arrive_whole(text: &str) -> Result<(), TestCaseError> {
    let scenario = parsed(text);
    let (watched, alone) = (run(&scenario, true), run(&scenario, false));
    let tally = Tally::read(watched.log())?;
    prop_assert_eq!(tally.counts, watched.lowered.simulator.totals());
    prop_assert_eq!(tally.counts, alone.lowered.simulator.totals());
    for sender in &watched.lowered.senders {
        prop_assert_eq!(watched.lowered.simulator.counts(*sender).in_flight, 0, "all have come to an end");
    }
    let sizes: Vec<Option<u16>> = scenario.sends.iter().map(|send| send.size).collect();
    for record in watched.log() {
        let Event::Delivered { datagram, .. } = &record.event else { continue };
        let Transport::Udp(udp) = &datagram.transport else { continue };
        let mut sent = sizes.iter().enumerate().map(|(index, size)| send_payload(index, *size));
        prop_assert!(sent.any(|sent| sent == udp.payload), "nobody sent {:?}", udp);
    }
    let mut capture = Vec::new();
    natbed_lab::pcap::write(&watched, &mut capture).unwrap();
    let told = natbed_lab::explain::explain(&scenario, &watched, None, None);
    prop_assert_eq!(told.len(), scenario.sends.len());
    Ok(())
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn every_datagram_is_delivered_dropped_or_under_way(case in with_faults(Links::Bad, 2, 2)) {
        conserve(&case)?;
    }

    #[test]
    fn fragments_arrive_whole_or_not_at_all(text in fragments()) {
        arrive_whole(&text)?;
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
