//! The NAT types that are named after real devices, against the classic ones.

use natbed_lab::matrix::Matrix;
use natbed_lab::oracle::{Outcome, Pair, Site, predict};
use natbed_nat::behavior::{Behavior, PortRange};
use natbed_nat::{Config, Nat, presets};
use natbed_packet::{Datagram, Endpoint, Timestamp};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

#[test]
fn every_device_against_every_classic_type_equals_the_oracle() {
    let site = |name: &str| Site::behind(presets::lookup(name).map(|preset| preset.behavior));
    for device in presets::DEVICES {
        let types: Vec<String> = presets::CLASSIC.iter().chain([&device]).map(ToString::to_string).collect();
        // Out of 64 shared ports, a NAT may draw the same for two remotes and look better than it is, hardly ever twice.
        let matrices = [1, 2, 3].map(|seed| Matrix::run(&types, &[], seed).unwrap());
        for (place, (a, b, _)) in
            matrices[0].cells().enumerate().filter(|(_, (a, b, _))| [*a, *b].contains(&device))
        {
            let predicted = predict(&Pair { a: site(a), b: site(b), ..Pair::default() });
            let outcomes: Vec<Outcome> = matrices
                .iter()
                .filter_map(|matrix| matrix.cells().nth(place))
                .map(|(_, _, cell)| cell.outcome)
                .collect();
            let agrees =
                |outcome: &&Outcome| **outcome == predicted.outcome || predicted.raced == Some(**outcome);
            let agreeing = outcomes.iter().filter(agrees).count();
            assert!(agreeing >= 2, "{a} to {b}: {outcomes:?}, but the oracle says {}", predicted.outcome);
        }
    }
}

#[test]
fn azure_holds_a_port_for_65_seconds_towards_the_same_remote_alone() {
    let azure = presets::lookup("azure-nat-gateway").unwrap().behavior;
    let config = Config {
        behavior: Behavior { port_range: PortRange::new(2000, 2000), ..azure },
        external: vec!["203.0.113.1".parse().unwrap()],
        internal: vec!["192.168.1.0/24".parse().unwrap()],
    };
    let mut nat = Nat::new(config, Xoshiro256PlusPlus::seed_from_u64(1)).unwrap();
    let [alice, bob] = [11, 12].map(|host| Endpoint::v4(192, 168, 1, host, 5000));
    let [one, other] = [1, 2].map(|host| Endpoint::v4(198, 51, 100, host, 443));
    let mut passes = |from, to, second: u64| {
        let now = Timestamp::from_nanos(second * 1_000_000_000);
        let mut datagram = Datagram::udp(from, to, Default::default());
        matches!(nat.outbound(now, &mut datagram), natbed_nat::Outcome::Outside(_))
    };
    assert!(passes(alice, one, 0));
    assert!(!passes(bob, one, 239), "in use");
    assert!(!passes(bob, one, 304), "held");
    assert!(passes(bob, other, 304), "which is nothing to another remote");
    assert!(passes(bob, one, 305));
}

#[test]
fn every_device_has_its_source() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/device-presets.md");
    let page = std::fs::read_to_string(page).unwrap();
    for device in presets::DEVICES {
        assert!(page.contains(&format!("\n## {device}\n")), "no section on {device}");
    }
}
