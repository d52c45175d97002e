//! Data channels between WebRTC peers, and the scenarios that need adapters.

use natbed_lab::diagnose::plain;
use natbed_lab::matrix::pair_scenario;
use natbed_lab::peer::{ChannelEvent, PeerEvent};
use natbed_lab::run::{Options, Outcome, Run, run_with};
use natbed_lab::scenario::{Scenario, parse_with};
use natbed_net::trace::Event;

const CLASSIC: [&str; 4] = ["one-to-one", "address-restricted", "port-restricted", "symmetric"];

fn run(scenario: &Scenario, log: bool) -> Run {
    run_with(scenario, &Options { log, ..Options::default() }, &natbed_adapters::registry()).unwrap()
}

fn read(text: &str) -> Scenario {
    parse_with(text.as_bytes(), &natbed_adapters::registry())
        .unwrap_or_else(|problems| panic!("{}", problems.render("x.toml", &plain)))
}

/// Two WebRTC peers behind NATs of these types, with a channel.
fn with_channel(a: &str, b: &str) -> String {
    let text = pair_scenario(a, b, &[], 1);
    let text = text.replace("behind = \"a\"", "behind = \"a\"\nagent = \"webrtc\"");
    text.replace("behind = \"b\"", "behind = \"b\"\nagent = \"webrtc\"") + "channel = \"hello\"\n"
}

#[test]
fn a_channel_echoes_across_every_classic_pair() {
    for a in CLASSIC {
        for b in CLASSIC {
            let run = run(&read(&with_channel(a, b)), false);
            let connection = &run.connections[0];
            let channel = connection.channel.expect("a channel");
            assert!(run.met() && channel.echoed(), "{a} to {b}: {connection:?}");
            let least = std::time::Duration::from_millis(80);
            assert!(channel.round_trip >= Some(least), "{a} to {b}: two links each way: {channel:?}");
            if a == "symmetric" && b == "symmetric" {
                assert_eq!(connection.outcome, Outcome::Relay);
            }
        }
    }
}

#[test]
fn the_log_tells_what_goes_over_the_channel() {
    let run = run(&read(&with_channel("symmetric", "symmetric")), true);
    let told = |record: &natbed_net::Record<PeerEvent>| match &record.event {
        Event::Program { event: PeerEvent::Channel(event), .. } => {
            Some((run.place(record.place).to_owned(), event.clone()))
        }
        _ => None,
    };
    let told: Vec<(String, ChannelEvent)> = run.log().iter().filter_map(told).collect();
    let text = || "hello".to_owned();
    let wanted = [
        ("alice", ChannelEvent::Sent { text: text() }),
        ("bob", ChannelEvent::Received { text: text() }),
        ("bob", ChannelEvent::Sent { text: text() }),
        ("alice", ChannelEvent::Echoed { text: text() }),
    ];
    let mut rest = told.iter();
    for (who, event) in wanted {
        assert!(rest.any(|(at, told)| at == who && *told == event), "{who} {event:?} in order in {told:?}");
    }
}

#[test]
fn a_channel_that_does_not_echo_is_not_met() {
    // The TURN server stops after the pair is selected and before DTLS is through.
    let text = with_channel("symmetric", "symmetric");
    let stop = "\n[[event]]\nat = \"600 ms\"\ndo = { stop-server = \"turn1\" }\n";
    let run = run(&read(&(text + "within = \"20 s\"\n" + stop)), false);
    let channel = run.connections[0].channel.expect("a channel");
    assert!(!channel.echoed() && channel.round_trip.is_none());
    assert!(!run.met());
}

#[test]
fn channels_need_agents_that_have_them() {
    let text = with_channel("symmetric", "symmetric").replacen("webrtc", "is", 1);
    let problems = parse_with(text.as_bytes(), &natbed_adapters::registry()).unwrap_err();
    let report = problems.render("x.toml", &plain);
    assert!(
        report.contains("error[no-channel]: a channel ends at host `alice`, whose agent `is` has none"),
        "{report}"
    );
    assert!(report.contains("channel = \"hello\"\n"), "the line is shown: {report}");
}

#[test]
fn scenarios_meet_their_expectations() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/adapters");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let scenario = read(&std::fs::read_to_string(&path).unwrap());
        assert!(!scenario.name.is_empty() && !scenario.about.is_empty(), "{}", path.display());
        let run = run(&scenario, false);
        assert!(run.met(), "{}: {:?}", path.display(), run.connections);
        count += 1;
    }
    assert!(count >= 5);
}
