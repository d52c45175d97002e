//! Hosts, names and sockets.

use natbed_tokio::{lookup_host, spawn};

use super::*;

fn assert_shareable<T: Send + Sync + 'static>() {}

#[test]
fn sockets_and_handles_go_anywhere() {
    assert_shareable::<UdpSocket>();
    assert_shareable::<Host>();
    assert_shareable::<Harness>();
}

#[test]
fn tasks_know_their_host_if_it_spawned_them() {
    let harness = harness(HOMES);
    let alice = harness.host("alice").unwrap();
    harness.block_on(async {
        let nested = alice.spawn(async {
            let socket = spawn(async { UdpSocket::bind("192.168.1.2:0").await }).await.unwrap().unwrap();
            assert_eq!(socket.host().name(), "alice");
            let lost = tokio::spawn(async { UdpSocket::bind("0.0.0.0:0").await }).await.unwrap();
            lost.unwrap_err().to_string()
        });
        let text = "not on a host: use Host::run, Host::spawn or natbed_tokio::spawn";
        assert_eq!(nested.await.unwrap(), text);
        assert!(Host::current().is_err());
    });
}

#[test]
fn names_are_addresses() {
    let harness = harness(HOMES);
    let alice = harness.host("alice").unwrap();
    harness.block_on(alice.run(async {
        for (name, addresses) in [
            ("web:80", "203.0.113.80:80"),
            ("stun1:3478", "198.51.100.1:3478 198.51.100.2:3478"),
            ("bob:1", "192.168.2.2:1"),
            ("b:1", "203.0.113.2:1"),
            ("localhost:1", "127.0.0.1:1 [::1]:1"),
            ("192.0.2.1:5", "192.0.2.1:5"),
        ] {
            let found: Vec<_> = lookup_host(name).await.unwrap().map(|addr| addr.to_string()).collect();
            assert_eq!(found.join(" "), addresses, "{name}");
        }
        assert!(lookup_host(("web", 80)).await.unwrap().eq(["203.0.113.80:80".parse().unwrap()]));
        let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        let unknown = socket.send_to(b"?", "wep:80").await.unwrap_err();
        assert_eq!(unknown.kind(), io::ErrorKind::NotFound);
        assert_eq!(unknown.to_string(), "no node of the network is called `wep`; did you mean `web`?");
    }));
    assert!(harness.host("a").is_err(), "a NAT is no host");
    let wrong = harness.host("alic").unwrap_err().to_string();
    assert_eq!(wrong, "no host of the network is called `alic`; did you mean `alice`?");
}

#[test]
fn the_servers_of_the_scenario_run() {
    let harness = harness(HOMES);
    let alice = harness.host("alice").unwrap();
    harness.block_on(alice.run(async {
        let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        let mut request = [0; 20];
        request[1] = 1;
        request[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
        socket.send_to(&request, "stun1:3478").await.unwrap();
        let mut buf = [0; 200];
        let (length, from) = socket.recv_from(&mut buf).await.unwrap();
        assert_eq!((&buf[..2], from.to_string().as_str()), (&[1, 1][..], "198.51.100.1:3478"));
        assert!(length > 20);
    }));
}

#[test]
fn a_refusal_comes_back_through_the_nat() {
    let harness = harness(HOMES);
    let alice = harness.host("alice").unwrap();
    harness.block_on(alice.run(async {
        let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        socket.connect("web:9").await.unwrap();
        assert_eq!(socket.local_addr().unwrap().ip().to_string(), "192.168.1.2");
        socket.send(b"anyone?").await.unwrap();
        assert_eq!(received(&socket).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }));
}

#[test]
fn a_link_too_small_far_away_tells_the_connected_socket() {
    let text = HOMES.replace("address = \"203.0.113.80\"", "address = '203.0.113.80'\nlink = { mtu = 1280 }");
    let harness = harness(&text);
    start_mirror(&harness);
    let alice = harness.host("alice").unwrap();
    harness.block_on(alice.run(async {
        let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        socket.connect("web:7").await.unwrap();
        socket.send(&[0; 1_400]).await.unwrap();
        let told = received(&socket).await.unwrap_err();
        assert_eq!(told.raw_os_error(), Some(libc::EMSGSIZE));
        socket.send(&[0; 1_200]).await.unwrap();
        assert!(received(&socket).await.is_ok());
    }));
}

#[test]
fn a_hop_limit_runs_out_at_the_nat() {
    let harness = harness(HOMES);
    let alice = harness.host("alice").unwrap();
    harness.block_on(alice.run(async {
        let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        socket.set_ttl(1).unwrap();
        socket.set_tos_v4(0xb8).unwrap();
        socket.send_to(b"near", "web:7").await.unwrap();
    }));
    harness.run_for(ms(100));
    let drops = harness.network().drops();
    assert_eq!((drops[0].place.as_str(), drops[0].reason.as_str()), ("a", "hop-limit"));
    assert_eq!(drops[0].datagram.traffic_class, 0xb8);
}

/// A host with both families, and one with each.
const FAMILIES: &str = r#"
format = 1
[host.both]
address = ["203.0.113.1", "2001:db8::1"]
[host.four]
address = "203.0.113.4"
[host.six]
address = "2001:db8::6"
"#;

#[test]
fn a_socket_on_all_addresses_of_ipv6_takes_ipv4_too() {
    let harness = harness(FAMILIES);
    let [both, four, six] = ["both", "four", "six"].map(|name| harness.host(name).unwrap());
    harness.block_on(async {
        let socket = both.bind("[::]:7").unwrap();
        let taken = both.bind("0.0.0.0:7").unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        let (a, b) = (four.bind("0.0.0.0:4").unwrap(), six.bind("[2001:db8::6]:6").unwrap());
        a.send_to(b"four", "203.0.113.1:7").await.unwrap();
        b.send_to(b"six", "[2001:db8::1]:7").await.unwrap();
        let mut buf = [0; 8];
        let mut from = Vec::new();
        for _ in 0..2 {
            let (_, sender) = socket.recv_from(&mut buf).await.unwrap();
            socket.send_to(b"back", sender).await.unwrap();
            from.push(sender.to_string());
        }
        assert_eq!(from, ["[::ffff:203.0.113.4]:4", "[2001:db8::6]:6"]);
        assert_eq!(
            (received(&a).await.unwrap(), received(&b).await.unwrap()),
            ("back".into(), "back".into())
        );
        socket.connect("four:4").await.unwrap();
        assert_eq!(socket.local_addr().unwrap().to_string(), "[::ffff:203.0.113.1]:7");
        drop(socket);
        both.bind("0.0.0.0:7").unwrap();
    });
}

#[test]
fn there_is_no_way_to_a_family_that_the_host_lacks() {
    let harness = harness(FAMILIES);
    let four = harness.host("four").unwrap();
    harness.block_on(four.run(async {
        let socket = UdpSocket::bind("[::]:0").await.unwrap();
        let error = socket.send_to(b"?", "six:1").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NetworkUnreachable);
        let one = UdpSocket::bind("203.0.113.4:0").await.unwrap();
        let error = one.connect("[2001:db8::6]:1").await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EAFNOSUPPORT));
        let local = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let error = local.send_to(b"?", "203.0.113.1:1").await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    }));
}
