use natbed_nat::presets;

use super::*;

fn classify(types: &[&str], overrides: &[(&str, &str)]) -> Classification {
    let types: Vec<String> = types.iter().map(ToString::to_string).collect();
    let overrides: Vec<(String, String)> =
        overrides.iter().map(|(axis, value)| ((*axis).to_owned(), (*value).to_owned())).collect();
    Classification::run(&types, &overrides, 1).expect("valid types and overrides")
}

/// Discovery through the network that `text` describes.
fn discovered(text: &str, seed: u64) -> Discovered {
    let scenario = scenario::parse(text.as_bytes()).unwrap_or_else(|problems| panic!("{problems:?}"));
    discover(&scenario, HostId::at(0), ServerId::at(0), seed).unwrap()
}

fn verdicts(classification: &Classification) -> Vec<&'static str> {
    let verdict = |nat: &Classified| nat.discovered.rfc3489.map_or("unknown", Verdict::as_str);
    classification.nats.iter().map(verdict).collect()
}

fn expires(seconds: u64) -> Option<Lifetime> {
    Some(Lifetime::Expires(Duration::from_secs(seconds)))
}

#[test]
fn rfc5780_4_3_and_4_4_nine_of_nine_grid_types_are_found_as_configured() {
    let classification = classify(&presets::GRID, &[]);
    for nat in &classification.nats {
        assert_eq!(nat.differences(), [], "{nat:?}");
        assert_eq!(nat.discovered.rfc5780.lifetime, expires(300));
        assert_eq!(nat.discovered.rfc5780.hairpinning, Some(false));
    }
}

#[test]
fn rfc3489_10_1_verdicts_on_the_grid_are_those_of_the_flow_chart() {
    let expected = [
        "full-cone",
        "restricted-cone",
        "port-restricted-cone",
        "full-cone",
        "symmetric",
        "symmetric",
        "full-cone",
        "symmetric",
        "symmetric",
    ];
    let classification = classify(&presets::GRID, &[]);
    assert_eq!(verdicts(&classification), expected);
    let misled: Vec<&str> = classification
        .nats
        .iter()
        .filter(|nat| !nat.notes().is_empty())
        .map(|nat| nat.type_name.as_str())
        .collect();
    assert_eq!(misled, ["ADM/EIF", "ADM/ADF", "ADM/APDF", "APDM/EIF", "APDM/ADF"]);
}

#[test]
fn rfc3489_5_the_four_classic_types_have_their_classic_names() {
    let classification = classify(&presets::CLASSIC, &[]);
    assert_eq!(
        verdicts(&classification),
        ["full-cone", "restricted-cone", "port-restricted-cone", "symmetric"]
    );
    assert!(classification.nats.iter().all(|nat| nat.differences().is_empty() && nat.notes().is_empty()));
}

#[test]
fn what_is_no_nat_is_found_for_what_it_is() {
    let classification = classify(&["none", "static", "firewall", "udp-blocked", "tcp-only"], &[]);
    let expected = ["open", "full-cone", "symmetric-udp-firewall", "udp-blocked", "udp-blocked"];
    assert_eq!(verdicts(&classification), expected);
    for nat in &classification.nats {
        assert_eq!((nat.differences(), nat.notes()), (Vec::new(), Vec::new()), "{nat:?}");
    }
    let [none, fixed, firewall, blocked, _] = classification.nats.as_slice() else { panic!("five types") };
    let limit = Some(Lifetime::Outlasts(LIFETIME_LIMIT));
    assert_eq!((none.discovered.rfc5780.lifetime, none.discovered.rfc5780.hairpinning), (limit, None));
    assert_eq!(
        (fixed.discovered.rfc5780.lifetime, fixed.discovered.rfc5780.hairpinning),
        (limit, Some(false))
    );
    assert_eq!(firewall.discovered.rfc5780.lifetime, expires(300));
    assert_eq!(blocked.discovered.rfc5780, discovery::Behavior::default());
}

#[test]
fn a_firewalls_filtering_is_found() {
    for filtering in Filtering::ALL {
        let classification = classify(&["firewall"], &[("filtering", filtering.as_str())]);
        assert_eq!(classification.nats[0].differences(), [], "{classification:?}");
    }
}

#[test]
fn rfc5780_3_4_hairpinning_is_found() {
    for value in ["external-source", "internal-source"] {
        let overrides = [("hairpinning", value)];
        for nat in classify(&["EIM/EIF", "EIM/ADF", "EIM/APDF", "APDM/EIF", "static"], &overrides).nats {
            assert_eq!(nat.discovered.rfc5780.hairpinning, Some(true), "{}", nat.type_name);
            assert_eq!(nat.differences(), [], "{}", nat.type_name);
        }
        let hidden = &classify(&["symmetric"], &overrides).nats[0];
        assert_eq!(hidden.differences(), [Difference::Hairpinning]);
        assert_eq!(hidden.notes().len(), 1);
    }
}

#[test]
fn rfc5780_4_6_lifetimes_are_found_to_the_second_whatever_refreshes() {
    for (timeout, seconds) in [("30 s", 30), ("65 s", 65), ("2 min", 120), ("1 h", 3600)] {
        for refresh in ["outbound", "both", "inbound"] {
            for kind in ["EIM/APDF", "symmetric", "firewall"] {
                let nat = &classify(&[kind], &[("udp-timeout", timeout), ("refresh", refresh)]).nats[0];
                assert_eq!(nat.discovered.rfc5780.lifetime, expires(seconds), "{kind} {timeout} {refresh}");
                assert_eq!(nat.differences(), []);
            }
        }
    }
}

#[test]
fn rfc5780_4_6_the_lifetime_is_that_of_a_binding_that_was_answered() {
    let nat = &classify(&["symmetric"], &[("udp-timeout", "120 s"), ("udp-timeout-new", "30 s")]).nats[0];
    assert_eq!(nat.discovered.rfc5780.lifetime, expires(120));
    assert_eq!(nat.differences(), []);
}

#[test]
fn rfc5780_4_6_a_filter_that_forgets_sooner_ends_the_lifetime() {
    let overrides = [("filter-timeout", "40 s")];
    let [open, strict] = classify(&["EIM/EIF", "EIM/ADF"], &overrides).nats.try_into().expect("two types");
    assert_eq!((open.discovered.rfc5780.lifetime, open.differences()), (expires(300), Vec::new()));
    assert_eq!((strict.discovered.rfc5780.lifetime, strict.differences()), (expires(40), Vec::new()));
}

#[test]
fn every_axis_of_ports_leaves_the_findings_alone() {
    for overrides in [
        [("ports", "preserve"), ("on-conflict", "next")],
        [("ports", "sequential"), ("step", "2")],
        [("port-parity", "true"), ("filter-scope", "endpoint")],
        [("reply-mapping", "inbound-session"), ("unsolicited", "icmp")],
    ] {
        for nat in classify(&presets::GRID, &overrides).nats {
            assert_eq!(nat.differences(), [], "{} {overrides:?}", nat.type_name);
        }
    }
}

#[test]
fn overloaded_ports_look_endpoint_independent_and_a_note_says_so() {
    let overrides = [("ports", "preserve"), ("port-overloading", "true")];
    let nat = &classify(&["symmetric"], &overrides).nats[0];
    assert_eq!(nat.differences(), [Difference::Mapping]);
    assert_eq!(nat.discovered.rfc3489, Some(Verdict::PortRestrictedCone));
    assert_eq!(nat.notes().len(), 2, "{:?}", nat.notes());
}

#[test]
fn rfc5780_6_a_server_with_one_address_leaves_mapping_and_filtering_unknown() {
    let text = scenario_text("symmetric", &[], 1)
        .replace("[stun.server]", "[stun.server]\naddress = \"198.51.100.9\"");
    let found = discovered(&text, 1);
    assert_eq!((found.rfc5780.mapping, found.rfc5780.filtering), (None, None));
    assert_eq!((found.rfc5780.lifetime, found.rfc5780.hairpinning), (expires(300), Some(false)));
    assert_eq!(found.rfc3489, None);
}

#[test]
fn rfc8489_6_2_1_retransmission_makes_up_for_a_lossy_link() {
    for seed in 1..=3 {
        for code in presets::GRID {
            let clean = scenario_text(code, &[], seed);
            let lossy = clean.clone()
                + "link = { delay = \"40 ms\", jitter = \"10 ms\", loss = 0.05, duplicate = 0.05, reorder = 0.05 }\n";
            let (clean, lossy) = (discovered(&clean, seed), discovered(&lossy, seed));
            assert_eq!(clean.rfc3489, lossy.rfc3489, "{code} {seed}");
            let without_address = |found: Discovered| discovery::Behavior { mapped: None, ..found.rfc5780 };
            assert_eq!(without_address(clean), without_address(lossy), "{code} {seed}");
        }
    }
}

#[test]
fn rfc3489_10_1_the_most_restrictive_of_two_nats_is_found() {
    let text = r#"
        format = 1
        [stun.server]
        [nat-type.carrier-type]
        base = "EIM/EIF"
        udp-timeout = "35 s"
        [nat.carrier]
        type = "carrier-type"
        [nat.home]
        type = "symmetric"
        behind = "carrier"
        [host.client]
        behind = "home"
    "#;
    let found = discovered(text, 1);
    assert_eq!(found.rfc3489, Some(Verdict::Symmetric));
    assert_eq!(found.rfc5780.mapping, Some(discovery::Mapping::AddressAndPortDependent));
    assert_eq!(found.rfc5780.filtering, Some(discovery::Filtering::AddressAndPortDependent));
    assert_eq!(found.rfc5780.lifetime, expires(35));
}

#[test]
fn the_same_seed_gives_the_same_report_and_no_seed_changes_a_finding() {
    let report = |seed| {
        let types: Vec<String> =
            presets::all().map(|preset| preset.name).chain(presets::GRID).map(str::to_owned).collect();
        let classification = Classification::run(&types, &[], seed).unwrap();
        let mut report = serde_json::to_value(ClassifyReport::new(&classification)).unwrap();
        report["seed"].take();
        report
    };
    let first = report(1);
    assert_eq!(first, report(1));
    assert_eq!(first, report(2));
}

#[test]
fn the_report_has_the_shape_of_its_schema() {
    let classification = classify(&["EIM/APDF", "udp-blocked"], &[]);
    let behavior = serde_json::json!({
        "mapping": "endpoint-independent",
        "filtering": "address-and-port-dependent",
        "lifetime_seconds": 300,
        "hairpinning": false,
    });
    let unknown = serde_json::json!({
        "mapping": null, "filtering": null, "lifetime_seconds": null, "hairpinning": null,
    });
    let expected = serde_json::json!({
        "schema": "natbed.classify/1",
        "seed": 1,
        "nats": [
            {
                "type": "EIM/APDF", "configured": behavior, "rfc5780": behavior,
                "rfc3489": "port-restricted-cone", "differences": [], "notes": [],
            },
            {
                "type": "udp-blocked", "configured": unknown, "rfc5780": unknown,
                "rfc3489": "udp-blocked", "differences": [], "notes": [],
            },
        ],
    });
    assert_eq!(serde_json::to_value(ClassifyReport::new(&classification)).unwrap(), expected);
}

#[test]
fn a_type_or_axis_that_does_not_exist_is_refused() {
    let run =
        |kind: &str, overrides: &[(String, String)]| Classification::run(&[kind.to_owned()], overrides, 1);
    assert!(matches!(run("nonesuch", &[]), Err(MatrixError::Scenario(_))));
    assert!(matches!(run("symmetric", &[("colour".into(), "red".into())]), Err(MatrixError::Scenario(_))));
}
