//! The NAT types that are named after real devices, against the classic ones.

use natbed_lab::matrix::Matrix;
use natbed_lab::oracle::{Outcome, Pair, Site, predict};
use natbed_nat::presets;

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
fn every_device_has_its_source() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/device-presets.md");
    let page = std::fs::read_to_string(page).unwrap();
    for device in presets::DEVICES {
        assert!(page.contains(&format!("\n## {device}\n")), "no section on {device}");
    }
}
