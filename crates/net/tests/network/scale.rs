use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::*;

/// State is per node, never per pair: a hundred thousand homes are a hundred thousand times one home.
#[test]
fn a_hundred_thousand_hosts_behind_as_many_nats_each_reach_the_server() {
    const HOMES: u32 = 100_000;
    let mut topology = Topology::new();
    let internet = topology.internet();
    let server = host(&mut topology, internet, "198.51.100.9");
    let prefix = ["192.168.1.0/24".parse().unwrap()];
    let hosts: Vec<NodeId> = (0..HOMES)
        .map(|home| {
            let lan = topology.add_network("lan", &prefix, &[ip("192.168.1.1")]);
            let outside = IpAddr::V4(Ipv4Addr::from(0xf000_0000 + home));
            topology.add_nat(&format!("nat {home}"), internet, &[outside], &[lan], LinkConfig::default());
            host(&mut topology, lan, "192.168.1.10")
        })
        .collect();
    let mut network = Simulator::new(&topology, 1).unwrap();
    let web = echo(&mut network, server, SERVER);
    let programs: Vec<ProgramId> = hosts.iter().map(|host| listen(&mut network, *host, HOST)).collect();
    for program in &programs {
        network.send(*program, udp(HOST, SERVER));
    }
    network.run_until(ms(1000));
    let seen: BTreeSet<IpAddr> = network.program(web).sources().iter().map(|source| source.ip).collect();
    assert_eq!(seen.len(), HOMES as usize);
    let answered = programs.iter().filter(|program| network.program(**program).datagrams().len() == 1);
    assert_eq!(answered.count(), HOMES as usize);
}
