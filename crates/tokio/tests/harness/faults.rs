//! What goes wrong on the way.

use natbed_net::Fault;
use natbed_packet::Timestamp;
use tokio::time::timeout;

use super::*;

#[test]
fn faults_of_the_scenario_happen() {
    let harness = harness(&format!("{HOMES}[[event]]\nat = '1 s'\ndo = {{ reboot-nat = 'a' }}\n"));
    start_mirror(&harness);
    let alice = harness.host("alice").unwrap();
    harness.block_on(alice.run(async {
        let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        socket.send_to(b"?", "web:7").await.unwrap();
        received(&socket).await.unwrap();
        tokio::time::sleep(ms(1_000)).await;
        socket.send_to(b"?", "web:7").await.unwrap();
        received(&socket).await.unwrap();
    }));
    let mut trace = Vec::new();
    harness.network().trace(&mut trace).unwrap();
    let trace = String::from_utf8(trace).unwrap();
    assert_eq!(trace.matches(r#""event":"fault","node":"a""#).count(), 1);
    assert_eq!(trace.matches(r#""event":"mapping-created""#).count(), 2, "a new one after the reboot");
}

#[test]
fn faults_may_be_injected() {
    let harness = harness(HOMES);
    start_mirror(&harness);
    let (alice, network) = (harness.host("alice").unwrap(), harness.network());
    let nat = network.node("a").unwrap();
    network.schedule(Timestamp::from_secs(5), Fault::LinkUp(nat));
    harness.block_on(alice.run(async {
        let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        socket.connect("web:7").await.unwrap();
        network.inject(&Fault::LinkDown(nat));
        let mut sent = 0;
        loop {
            socket.send(b"?").await.unwrap();
            sent += 1;
            if timeout(ms(500), received(&socket)).await.is_ok() {
                break;
            }
        }
        assert_eq!(sent, 11);
        assert_eq!(network.now(), Timestamp::from_millis(5_060));
    }));
    let drops = harness.network().drops();
    assert!(drops.iter().all(|drop| drop.reason.as_str() == "link-down"));
    assert_eq!(drops.len(), 10);
}

#[test]
fn a_stopped_host_ends_its_tasks_and_answers_nothing() {
    let harness = harness(HOMES);
    let (alice, web) = (harness.host("alice").unwrap(), harness.host("web").unwrap());
    harness.block_on(alice.run(async {
        let task = web.spawn(async { mirror(UdpSocket::bind("0.0.0.0:7").await?).await });
        let left = web.bind("0.0.0.0:8").unwrap();
        let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        socket.connect("web:7").await.unwrap();
        socket.send(b"?").await.unwrap();
        received(&socket).await.unwrap();
        web.stop();
        assert!(task.await.unwrap_err().is_cancelled());
        for error in [left.try_send_to(b"?", "203.0.113.1:1".parse().unwrap()), left.try_recv(&mut [0; 8])] {
            assert_eq!(error.unwrap_err().kind(), io::ErrorKind::NetworkDown);
        }
        assert_eq!(received(&left).await.unwrap_err().kind(), io::ErrorKind::NetworkDown);
        assert_eq!(web.bind("0.0.0.0:9").unwrap_err().kind(), io::ErrorKind::NetworkDown);
        socket.send(b"?").await.unwrap();
        assert!(timeout(ms(1_000), received(&socket)).await.is_err(), "not even refused");
        web.start();
        socket.send(b"?").await.unwrap();
        assert_eq!(received(&socket).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        let again = web.bind("0.0.0.0:7").unwrap();
        web.spawn(mirror(again));
        socket.send(b"?").await.unwrap();
        received(&socket).await.unwrap();
    }));
    let drops: Vec<_> = harness.network().drops().iter().map(|drop| drop.reason.as_str()).collect();
    assert_eq!(drops, ["host-stopped", "no-listener"]);
}

#[test]
fn a_new_address_is_that_of_sockets_on_all_and_leaves_others_behind() {
    let harness = harness(HOMES);
    let (alice, web) = (harness.host("alice").unwrap(), harness.host("web").unwrap());
    let network = harness.network().clone();
    harness.block_on(async {
        let (all, one) = (web.bind("0.0.0.0:7").unwrap(), web.bind("203.0.113.80:8").unwrap());
        let socket = alice.bind("0.0.0.0:0").unwrap();
        let move_to = |old: &str, new: &str| {
            let (old, new) = (old.parse().unwrap(), new.parse().unwrap());
            network.inject(&Fault::ChangeAddress { node: network.node("web").unwrap(), old, new });
        };
        move_to("203.0.113.80", "203.0.113.81");
        socket.send_to(b"seven", "web:7").await.unwrap();
        assert_eq!(received(&all).await.unwrap(), "seven");
        socket.send_to(b"eight", "web:8").await.unwrap();
        let error = one.send_to(b"?", "203.0.113.1:1").await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        tokio::time::sleep(ms(100)).await;
        assert!(one.try_recv(&mut [0; 8]).is_err());
        move_to("203.0.113.81", "203.0.113.80");
        socket.send_to(b"eight", "web:8").await.unwrap();
        assert_eq!(received(&one).await.unwrap(), "eight");
    });
}
