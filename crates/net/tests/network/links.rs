use natbed_net::DropReason;

use super::*;

const A: &str = "203.0.113.10:1";
const B: &str = "203.0.113.20:1";

/// Two hosts on the internet: one over `link`, the other over one that takes no time.
struct Wire {
    network: Simulator<Probe>,
    a: ProgramId,
    b: ProgramId,
}

impl Wire {
    fn over(link: LinkConfig) -> Self {
        let mut topology = Topology::new();
        let internet = topology.internet();
        let a = host_over(&mut topology, internet, "203.0.113.10", link);
        let b = host_over(&mut topology, internet, "203.0.113.20", delay(0));
        let mut network = build(&topology);
        let (a, b) = (listen(&mut network, a, A), listen(&mut network, b, B));
        Self { network, a, b }
    }

    /// Sends `count` datagrams of 1250 octets from A to B at once; when they arrive.
    fn burst(&mut self, count: usize) -> Vec<Timestamp> {
        for _ in 0..count {
            self.network.send(self.a, sized(A, B, 1250));
        }
        self.network.run_until_idle(Timestamp::MAX);
        self.arrivals(self.b)
    }

    fn arrivals(&self, program: ProgramId) -> Vec<Timestamp> {
        self.network.program(program).datagrams().iter().map(|(time, _)| *time).collect()
    }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn delay_is_the_time_from_end_to_end() {
    assert_eq!(Wire::over(delay(37)).burst(2), [ms(37), ms(37)]);
}

#[test]
fn jitter_stays_within_its_bounds_and_uses_them() {
    let link = LinkConfig { delay: millis(10), jitter: millis(4), ..LinkConfig::default() };
    let arrivals = Wire::over(link).burst(2000);
    assert_eq!(arrivals.len(), 2000);
    assert!(arrivals.iter().all(|time| (ms(6)..=ms(14)).contains(time)));
    assert!(
        arrivals[0] < ms(6) + Duration::from_micros(100)
            && arrivals[1999] > ms(13) + Duration::from_micros(900)
    );
    let early = arrivals.iter().filter(|time| **time < ms(10)).count();
    assert!((900..1100).contains(&early), "{early} of 2000 before the mean");
}

#[test]
fn jitter_larger_than_the_delay_never_arrives_before_it_was_sent() {
    let link = LinkConfig { delay: millis(1), jitter: millis(50), ..LinkConfig::default() };
    let arrivals = Wire::over(link).burst(1000);
    assert!(arrivals.iter().all(|time| *time <= ms(51)));
    assert!(arrivals.contains(&Timestamp::ZERO));
}

#[test]
fn loss_takes_its_share() {
    for (loss, expected) in [(0.0, 10_000..=10_000), (0.2, 7_800..=8_200), (1.0, 0..=0)] {
        let mut wire = Wire::over(LinkConfig { loss, ..LinkConfig::default() });
        let arrived = wire.burst(10_000).len();
        assert!(expected.contains(&arrived), "{arrived} of 10,000 at a loss of {loss}");
        let lost = drops(&wire.network);
        assert_eq!(lost.len(), 10_000 - arrived);
        assert!(lost.iter().all(|drop| *drop == ("203.0.113.10", DropReason::Loss)));
    }
}

#[test]
fn a_rate_sends_one_datagram_after_the_other() {
    // 1250 octets are 10,000 bits: 10 ms at 1 Mbit/s.
    let link = LinkConfig { delay: millis(5), rate: Some(1_000_000), ..LinkConfig::default() };
    assert_eq!(Wire::over(link).burst(4), [ms(15), ms(25), ms(35), ms(45)]);
}

#[test]
fn a_rate_counts_from_when_the_link_is_idle() {
    let mut wire =
        Wire::over(LinkConfig { delay: millis(0), rate: Some(1_000_000), ..LinkConfig::default() });
    wire.burst(1);
    wire.network.run_until(ms(100));
    assert_eq!(wire.burst(2), [ms(10), ms(110), ms(120)]);
}

#[test]
fn a_full_queue_drops_what_comes_last() {
    let link =
        LinkConfig { delay: millis(0), rate: Some(1_000_000), queue: Some(2500), ..LinkConfig::default() };
    let mut wire = Wire::over(link);
    assert_eq!(wire.burst(5), [ms(10), ms(20)]);
    assert_eq!(drops(&wire.network), [("203.0.113.10", DropReason::QueueFull); 3]);
    wire.network.run_until(ms(20));
    assert_eq!(wire.burst(1), [ms(10), ms(20), ms(30)], "the queue is empty again");
}

#[test]
fn an_idle_link_needs_no_queue() {
    let link =
        LinkConfig { delay: millis(0), rate: Some(1_000_000), queue: Some(100), ..LinkConfig::default() };
    assert_eq!(Wire::over(link).burst(3), [ms(10)]);
}

#[test]
fn a_duplicate_is_a_datagram_of_its_own() {
    let link = LinkConfig { duplicate: 1.0, ..delay(10) };
    let mut wire = Wire::over(link);
    assert_eq!(wire.burst(3).len(), 6);
    let totals = wire.network.totals();
    assert_eq!((totals.sent, totals.duplicated, totals.delivered), (3, 3, 6));
    let delivered = wire.network.log().iter().filter_map(|record| match record.event {
        Event::Delivered { packet, .. } => Some(packet),
        _ => None,
    });
    assert_eq!(delivered.collect::<std::collections::BTreeSet<_>>().len(), 6);
}

#[test]
fn a_reordered_datagram_overtakes_those_before_it() {
    let link = LinkConfig { reorder: 0.5, ..delay(10) };
    let mut wire = Wire::over(link);
    for second in 0..400_u64 {
        wire.network.run_until(ms(second));
        wire.network.send(wire.a, udp(A, &format!("203.0.113.20:{}", 1 + second)));
    }
    wire.network.run_until(ms(1000));
    let order: Vec<u16> = wire
        .network
        .log()
        .iter()
        .filter_map(|record| match &record.event {
            Event::Delivered { datagram, .. } | Event::Dropped { datagram, .. } => {
                datagram.destination_endpoint().filter(|to| to.ip == ip("203.0.113.20")).map(|to| to.port)
            }
            _ => None,
        })
        .collect();
    assert_eq!(order.len(), 400, "none is lost");
    let overtaken = order.windows(2).filter(|pair| pair[0] > pair[1]).count();
    assert!((50..200).contains(&overtaken), "{overtaken} times a later one came first");
}

#[test]
fn each_direction_is_a_link_of_its_own() {
    let mut wire =
        Wire::over(LinkConfig { delay: millis(0), rate: Some(1_000_000), ..LinkConfig::default() });
    for _ in 0..10 {
        wire.network.send(wire.a, sized(A, B, 1250));
    }
    wire.network.send(wire.b, sized(B, A, 1250));
    wire.network.run_until(ms(1000));
    assert_eq!(wire.arrivals(wire.a), [ms(10)], "it does not wait for what goes the other way");
    assert_eq!(wire.arrivals(wire.b).last(), Some(&ms(100)));
}

#[test]
fn a_datagram_larger_than_the_mtu_never_leaves() {
    let mut wire = Wire::over(LinkConfig { mtu: 1249, ..LinkConfig::default() });
    assert_eq!(wire.burst(1), []);
    assert_eq!(drops(&wire.network), [("203.0.113.10", DropReason::TooBig)]);
}

#[test]
fn what_happens_at_one_time_happens_in_the_order_in_which_it_was_caused() {
    let mut wire = Wire::over(delay(10));
    for port in [9, 3, 7, 1, 5] {
        wire.network.send(wire.a, udp(A, &format!("203.0.113.20:{port}")));
    }
    wire.network.run_until(ms(1000));
    let ends = wire.network.log().iter().filter_map(|record| match &record.event {
        Event::Delivered { datagram, .. } | Event::Dropped { datagram, .. } => {
            datagram.destination_endpoint()
        }
        _ => None,
    });
    assert!(ends.map(|to| to.port).eq([9, 3, 7, 1, 5]));
    assert!(wire.network.log().windows(2).all(|pair| pair[0].time <= pair[1].time));
}
