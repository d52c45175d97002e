//! The clocks of tokio and of the network are one.

use std::sync::{Arc, Mutex};

use natbed_net::{DropReason, LinkConfig, Topology};
use natbed_tokio::Options;
use tokio::time::{Instant, advance, sleep, sleep_until, timeout};

use super::*;

/// Two hosts whose links take 1.234567 ms and 3 ns.
const ODD: &str = r#"
format = 1
[host.alice]
link = { delay = "1234567 ns" }
[host.bob]
link = { delay = "3 ns" }
"#;

#[test]
fn the_network_is_exact_to_the_nanosecond() {
    let harness = harness(ODD);
    let (alice, bob) = (harness.host("alice").unwrap(), harness.host("bob").unwrap());
    harness.block_on(async {
        let start = Instant::now();
        let (a, b) = (alice.bind("0.0.0.0:1").unwrap(), bob.bind("0.0.0.0:2").unwrap());
        for round in 1..=3 {
            a.send_to(b"ping", "bob:2").await.unwrap();
            received(&b).await.unwrap();
            b.send_to(b"pong", "alice:1").await.unwrap();
            received(&a).await.unwrap();
            assert_eq!(start.elapsed(), Duration::from_nanos(2 * 1_234_570) * round);
        }
    });
}

#[test]
fn timers_and_events_come_in_the_order_of_time() {
    let harness = harness(ODD);
    let (alice, bob) = (harness.host("alice").unwrap(), harness.host("bob").unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    harness.block_on(async {
        let start = Instant::now();
        let b = bob.bind("0.0.0.0:2").unwrap();
        for (name, at) in [("two", 2), ("three", 3), ("four", 4)] {
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                sleep(ms(at)).await;
                seen.lock().unwrap().push((name.to_owned(), start.elapsed()));
            });
        }
        let a = alice.bind("0.0.0.0:1").unwrap();
        tokio::spawn(async move {
            for text in ["1.23", "2.23", "3.23"] {
                a.send_to(text.as_bytes(), "bob:2").await.unwrap();
                sleep(ms(1)).await;
            }
            sleep(ms(60)).await;
        });
        for _ in 0..3 {
            let text = received(&b).await.unwrap();
            seen.lock().unwrap().push((text, start.elapsed()));
        }
        sleep_until(start + ms(5)).await;
        assert_eq!(start.elapsed(), ms(5), "on its millisecond, whatever came before");
    });
    let event = |nanos: u64| Duration::from_nanos(nanos * 1_000_000 + 234_570);
    let expected = [
        ("1.23", event(1)),
        ("two", ms(2)),
        ("2.23", event(2)),
        ("three", ms(3)),
        ("3.23", event(3)),
        ("four", ms(4)),
    ];
    let seen = seen.lock().unwrap();
    assert!(seen.iter().map(|(name, at)| (name.as_str(), *at)).eq(expected), "{seen:?}");
}

#[test]
fn time_stands_while_a_task_has_something_to_do() {
    let harness = harness(HOMES);
    let web = start_mirror(&harness);
    let alice = harness.host("alice").unwrap();
    harness.block_on(async {
        let socket = alice.bind("0.0.0.0:0").unwrap();
        socket.send_to(b"hello", "web:7").await.unwrap();
        let start = Instant::now();
        for _ in 0..10_000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert_eq!(socket.try_recv(&mut [0; 8]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        received(&socket).await.unwrap();
        assert_eq!(start.elapsed(), ms(60), "six links of 10 ms");
    });
    drop(web);
}

#[test]
fn time_may_be_advanced_by_hand() {
    let harness = harness(HOMES);
    let (alice, bob) = (harness.host("alice").unwrap(), harness.host("web").unwrap());
    harness.block_on(async {
        let (a, b) = (alice.bind("0.0.0.0:1").unwrap(), bob.bind("0.0.0.0:2").unwrap());
        a.send_to(b"one", "web:2").await.unwrap();
        advance(ms(500)).await;
        a.send_to(b"two", "web:2").await.unwrap();
        assert_eq!(received(&b).await.unwrap(), "one");
        assert_eq!(received(&b).await.unwrap(), "two");
        assert_eq!(harness.network().now().as_nanos(), 530_000_000);
    });
}

#[test]
fn ten_minutes_of_keepalives_leave_the_mapping_as_it_is() {
    let text = HOMES.replace("[nat.a]", "[nat-type.short]\nudp-timeout = '30 s'\n[nat.a]\ntype = 'short'");
    let harness = harness(&text);
    start_mirror(&harness);
    let alice = harness.host("alice").unwrap();
    harness.block_on(alice.run(async {
        let start = Instant::now();
        let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        socket.connect("web:7").await.unwrap();
        socket.send(b"?").await.unwrap();
        let first = received(&socket).await.unwrap();
        while start.elapsed() < Duration::from_secs(600) {
            sleep(Duration::from_secs(15)).await;
            socket.send(b"?").await.unwrap();
            assert_eq!(received(&socket).await.unwrap(), first);
        }
        sleep(Duration::from_secs(40)).await;
        socket.send(b"?").await.unwrap();
        assert_ne!(received(&socket).await.unwrap(), first, "a new mapping after silence");
    }));
}

/// Hosts behind all kinds of NATs exchange datagrams over lossy, jittery links; the event log as text.
fn lively(seed: u64) -> Vec<u8> {
    let mut text = String::from("format = 1\n[host.web]\naddress = '203.0.113.80'\n");
    let types = ["one-to-one", "address-restricted", "port-restricted", "symmetric"];
    for index in 0..40 {
        let kind = types[index % 4];
        text += &format!("[nat.n{index}]\ntype = '{kind}'\n");
        text += "link = { jitter = '3 ms', loss = 0.1, duplicate = 0.1, rate = '1 Mbit/s' }\n";
        text += &format!("[host.h{index}]\nbehind = 'n{index}'\n");
    }
    let scenario = natbed_lab::scenario::parse(text.as_bytes()).unwrap();
    let harness = Harness::with(&scenario, Options { seed: Some(seed), ..Options::default() }).unwrap();
    start_mirror(&harness);
    harness.block_on(async {
        let mut tasks = Vec::new();
        for index in 0..40 {
            let host = harness.host(&format!("h{index}")).unwrap();
            tasks.push(host.spawn(async {
                let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
                for _ in 0..5 {
                    socket.send_to(b"who am I?", "web:7").await.unwrap();
                    let _ = timeout(ms(50), received(&socket)).await;
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
    let mut log = Vec::new();
    harness.network().trace(&mut log).unwrap();
    log
}

#[test]
fn two_runs_leave_the_same_log() {
    let (first, second, other) = (lively(7), lively(7), lively(8));
    assert!(first.len() > 100_000, "{} octets", first.len());
    assert!(first == second, "a run is a function of program, scenario and seed");
    assert!(first != other);
}

#[test]
fn thousands_of_hosts_fit_in_a_process() {
    let mut text = String::from("format = 1\n[host.web]\naddress = '203.0.113.80'\n");
    for index in 0..3_000 {
        text += &format!("[nat.n{index}]\n[host.h{index}]\nbehind = 'n{index}'\n");
    }
    let scenario = natbed_lab::scenario::parse(text.as_bytes()).unwrap();
    let harness = Harness::with(&scenario, Options { log: false, ..Options::default() }).unwrap();
    start_mirror(&harness);
    harness.block_on(async {
        let tasks: Vec<_> = (0..3_000)
            .map(|index| {
                let host = harness.host(&format!("h{index}")).unwrap();
                host.spawn(async move {
                    sleep(ms(index / 100)).await;
                    let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
                    socket.send_to(b"?", "web:7").await.unwrap();
                    received(&socket).await.unwrap()
                })
            })
            .collect();
        let mut seen = std::collections::BTreeSet::new();
        for task in tasks {
            seen.insert(task.await.unwrap());
        }
        assert_eq!(seen.len(), 3_000, "each from an address and port of its own");
        assert_eq!(harness.network().now().as_nanos(), 89_000_000);
    });
    let mut log = Vec::new();
    harness.network().trace(&mut log).unwrap();
    assert!(log.is_empty(), "none was to be kept");
}

#[test]
fn what_never_ends_is_given_up() {
    let harness = harness(HOMES);
    let alice = harness.host("alice").unwrap();
    let forever = alice.run(async {
        let socket = UdpSocket::bind("0.0.0.0:5000").await.unwrap();
        received(&socket).await
    });
    let stuck = harness.try_block_on(forever).unwrap_err();
    assert_eq!(stuck.waiting, ["alice at 0.0.0.0:5000"]);
    let text =
        "not finished after 3600s of virtual time; these sockets wait to receive: alice at 0.0.0.0:5000";
    assert_eq!(stuck.to_string(), text);
}

#[test]
fn the_limit_holds_for_those_who_are_busy_too() {
    let scenario = natbed_lab::scenario::parse(HOMES.as_bytes()).unwrap();
    let options = Options { limit: Duration::from_secs(2), ..Options::default() };
    let harness = Harness::with(&scenario, options).unwrap();
    let busy = async {
        loop {
            sleep(ms(100)).await;
        }
    };
    let stuck = harness.try_block_on(busy).map(|never: ()| never).unwrap_err();
    assert_eq!((stuck.limit, stuck.waiting.len()), (Duration::from_secs(2), 0));
}

#[test]
fn a_sender_waits_for_its_buffer_and_a_slow_reader_loses() {
    let harness = harness(HOMES);
    let (alice, web) = (harness.host("alice").unwrap(), harness.host("web").unwrap());
    harness.block_on(async {
        let (a, b) = (alice.bind("0.0.0.0:0").unwrap(), web.bind("0.0.0.0:9").unwrap());
        let start = Instant::now();
        for _ in 0..1_000 {
            a.send_to(&[0; 1_000], "web:9").await.unwrap();
        }
        assert_eq!(start.elapsed(), ms(8), "eight times a full buffer of 121");
        assert!(a.try_send_to(&[0], "203.0.113.80:9".parse().unwrap()).is_ok());
        sleep(ms(100)).await;
        drop(b);
    });
    let drops = harness.network().drops();
    assert!(
        drops.iter().all(|drop| (drop.place.as_str(), drop.reason) == ("web", DropReason::ReceiveQueueFull))
    );
    assert_eq!(drops.len(), 1_000 - 120, "the last one is small enough");
}

#[test]
fn a_network_may_be_built_by_hand() {
    let mut topology = Topology::new();
    let internet = topology.internet();
    for (name, address) in [("left", "203.0.113.1"), ("right", "203.0.113.2")] {
        let host = topology.add_host(name);
        topology.attach(host, internet, &[address.parse().unwrap()], LinkConfig::default());
    }
    let harness = Harness::from_topology(&topology, Options::default()).unwrap();
    let (left, right) = (harness.host("left").unwrap(), harness.host("right").unwrap());
    harness.block_on(async {
        let (a, b) = (left.bind("0.0.0.0:1").unwrap(), right.bind("0.0.0.0:2").unwrap());
        a.send_to(b"hello", "right:2").await.unwrap();
        assert_eq!(received(&b).await.unwrap(), "hello");
    });
    assert!(harness.network().explain("left").unwrap().title.starts_with("left: 1 sent, 1 arrived"));
}
