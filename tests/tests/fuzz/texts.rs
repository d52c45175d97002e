//! Scenario files, signaling and small texts.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use natbed_lab::diagnose::plain;
use natbed_lab::peer::{Message, Negotiation, NegotiationOutput, SignalingState};
use natbed_lab::quantity::{parse_duration, parse_rate, parse_size};
use natbed_lab::run::{Options, run};
use natbed_lab::scenario::{self, Scenario};
use natbed_nat::behavior::{Kind, PortRange};
use natbed_packet::{Endpoint, Prefix, Timestamp};
use natbed_traversal::ice::{Candidate, Credentials, Foundation};
use rand::{RngExt, SeedableRng};

use crate::mutate::{mutate, mutate_text};
use crate::{Generator, fuzz, pick};

#[test]
fn no_scenario_panics() {
    let files = scenario_files();
    fuzz("scenarios", 40_000, |rng| {
        let mut file = pick(rng, &files).clone();
        let other = pick(rng, &files);
        mutate_text(rng, &mut file, other);
        if rng.random_ratio(1, 8) {
            mutate(rng, &mut file);
        }
        match scenario::parse(&file) {
            Ok(scenario) => {
                let shown = scenario::show(&scenario);
                assert!(scenario::parse(shown.as_bytes()).is_ok(), "what is shown can be read:\n{shown}");
                if is_short(&scenario) && rng.random_ratio(1, 4) {
                    let log = rng.random();
                    let _ = run(&scenario, &Options { log, ..Options::default() });
                }
                true
            }
            Err(problems) => {
                problems.render("fuzz.toml", &plain);
                problems.located("fuzz.toml");
                false
            }
        }
    });
}

#[test]
fn no_text_panics() {
    let texts = [
        "a=candidate:1 1 udp 2130706431 192.168.1.10 5000 typ host\r\n",
        "candidate:7 1 UDP 1694498815 203.0.113.1 61000 typ srflx raddr 192.168.1.10 rport 5000 generation 0",
        "candidate:a+/ 256 udp 1 2001:db8::1 9 typ relay raddr :: rport 9",
        "a=ice-ufrag:abcdefgh\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n",
        "a=end-of-candidates\r\n",
        "[2001:db8::1]:3478",
        "203.0.113.1:3478",
        "10.0.0.0/8",
        "1024-65535",
        "1.5 h",
        "250 ms",
        "64 KiB",
        "10 Mbit/s",
    ]
    .map(|text| text.as_bytes().to_vec());
    fuzz("texts", 1_000_000, |rng| {
        let mut text = pick(rng, &texts).clone();
        let other = pick(rng, &texts);
        mutate_text(rng, &mut text, other);
        if rng.random() {
            mutate(rng, &mut text);
        }
        let text = String::from_utf8_lossy(&text);
        let candidate = text.parse::<Candidate>();
        if let Ok(candidate) = &candidate {
            assert_eq!(
                candidate.to_string().parse().as_ref().map(Candidate::to_string),
                Ok(candidate.to_string())
            );
        }
        let _ = text.parse::<Foundation>();
        if let Ok(endpoint) = text.parse::<Endpoint>() {
            assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
        }
        if let Ok(prefix) = text.parse::<Prefix>() {
            assert_eq!(prefix.to_string().parse(), Ok(prefix));
        }
        let _ = (text.parse::<PortRange>(), text.parse::<Kind>());
        let _ = (parse_duration(&text), parse_size(&text), parse_rate(&text));
        candidate.is_ok()
    });
}

/// A negotiation takes any message at any time, and what it sends is taken by its like.
#[test]
fn no_message_stops_a_negotiation() {
    let credentials = Credentials::new("8hhY", "asd88fgpdd777uzjYhagZg").unwrap();
    fuzz("negotiations", 20_000, |rng| {
        let mut sides =
            [true, false].map(|first| Negotiation::new(first, Generator::seed_from_u64(rng.random())));
        let mut messages = [VecDeque::new(), VecDeque::new()];
        let mut seen: Vec<Vec<u8>> = Vec::new();
        for _ in 0..20 {
            let place = usize::from(rng.random::<bool>());
            let (side, incoming) = (&mut sides[place], &mut messages[place]);
            match (rng.random_range(0..8), incoming.pop_front()) {
                (0, _) => side.begin(&credentials),
                (1, _) => side.end_of_candidates(),
                (2, Some(message)) if !seen.is_empty() => {
                    let mut text: Vec<u8> = Bytes::into(message);
                    let other = pick::<Vec<u8>>(rng, &seen);
                    mutate_text(rng, &mut text, other);
                    side.handle_message(&text.into());
                }
                (_, Some(message)) => side.handle_message(&message),
                (_, None) => side.flush(),
            }
            while side.poll_heard().is_some() {}
            side.finish();
            while let Some(output) = side.poll_output() {
                let NegotiationOutput::Message(message) = output else { continue };
                let read = Message::read(&message).map(|message| message.write());
                assert_eq!(read.as_ref(), Some(&message));
                seen.push(message.to_vec());
                messages[1 - place].push_back(message);
            }
        }
        sides.iter().all(|side| side.state() == SignalingState::Stable)
    });
}

/// The scenarios that come with the project, in order.
fn scenario_files() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Whether a run is over soon.
fn is_short(scenario: &Scenario) -> bool {
    let end = Timestamp::from_secs(90);
    let connect = |connect: &scenario::Connect| {
        let lasts = connect.within.saturating_add(connect.hold).saturating_add(scenario.signaling_delay);
        lasts < Duration::from_secs(90) && connect.start < end
    };
    scenario.hosts.len() + scenario.servers.len() + scenario.nats.len() <= 12
        && scenario.connects.len() <= 2
        && scenario.connects.iter().all(connect)
        && scenario.sends.iter().all(|send| send.at < end)
        && scenario.events.iter().all(|event| event.at < end)
}
