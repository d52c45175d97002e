//! What is seen of a run.

use super::*;

/// Alice and bob behind port-restricted NATs, who tell web where they are, and send to each other at once.
fn punch() -> Harness {
    let harness = harness(HOMES);
    start_mirror(&harness);
    let hosts = ["alice", "bob"].map(|name| harness.host(name).unwrap());
    harness.block_on(async {
        let sockets = hosts.map(|host| host.bind("0.0.0.0:5000").unwrap());
        let mut seen = Vec::new();
        for socket in &sockets {
            socket.send_to(b"where am I?", "web:7").await.unwrap();
            seen.push(received(socket).await.unwrap());
        }
        sockets[0].send_to(b"knock", &seen[1]).await.unwrap();
        tokio::time::sleep(ms(100)).await;
        sockets[1].send_to(b"hello alice", &seen[0]).await.unwrap();
        assert_eq!(received(&sockets[0]).await.unwrap(), "hello alice");
        sockets[0].send_to(b"hello bob", &seen[1]).await.unwrap();
        assert_eq!(received(&sockets[1]).await.unwrap(), "hello bob");
    });
    harness
}

#[test]
fn drops_have_a_place_and_a_reason() {
    let drops = punch().network().drops();
    let [drop] = drops.as_slice() else { panic!("{drops:?}") };
    assert_eq!((drop.place.as_str(), drop.reason.as_str()), ("b", "filtered"));
    assert!(drop.time.as_nanos() > 100_000_000);
}

#[test]
fn tables_show_the_hole() {
    let tables = punch().network().tables();
    let external: Vec<_> = tables.nats.iter().map(|table| table[0].external.ip.to_string()).collect();
    assert_eq!(external, ["203.0.113.1", "203.0.113.2"]);
    assert_eq!(tables.nats[0][0].internal.to_string(), "192.168.1.2:5000");
    assert_eq!(tables.nats[0][0].permitted.len(), 2, "web and bob");
}

#[test]
fn the_trace_is_that_of_a_scenario() {
    let harness = punch();
    let (mut trace, mut capture) = (Vec::new(), Vec::new());
    harness.network().trace(&mut trace).unwrap();
    harness.network().pcap(&mut capture).unwrap();
    let trace = String::from_utf8(trace).unwrap();
    assert!(
        trace.lines().next().unwrap().starts_with(r#"{"time_ns":0,"seq":0,"event":"sent","node":"alice""#)
    );
    for word in ["\"mapping-created\"", "\"translated\"", "\"reason\":\"filtered\"", "text \\\"hello bob\\\""]
    {
        assert!(trace.contains(word), "{word}");
    }
    assert_eq!(capture[..4], [0x0a, 0x0d, 0x0d, 0x0a], "pcapng");
}

#[test]
fn every_datagram_of_a_host_is_explained() {
    let harness = punch();
    let explanation = harness.network().explain("alice").unwrap();
    assert_eq!(explanation.title, "alice: 3 sent, 2 arrived, 1 dropped");
    let text = explanation.to_string();
    for line in [
        "alice, 192.168.1.2, is behind a (port-restricted, outside 203.0.113.1)",
        "alice sends text \"knock\" from 192.168.1.2:5000 to 203.0.113.2:",
        "dropped at b (port-restricted) [filtered]",
        "bob receives it from 203.0.113.1:",
        "did not arrive: dropped at b (port-restricted) [filtered]",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(harness.network().explain("carol").is_err());
}

#[test]
fn an_invalid_scenario_is_refused_with_the_place() {
    let error = Harness::parse("format = 1\n[host.alice]\nbehind = 'nowhere'\n").unwrap_err();
    let text = error.to_string();
    assert!(text.contains("error[unknown-node]") && text.contains("--> scenario:3:10"), "{text}");
}
