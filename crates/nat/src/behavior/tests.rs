use super::*;

#[test]
fn every_axis_reads_back_what_it_prints() {
    fn check<T: FromStr<Err = UnknownValue> + fmt::Display + Copy + PartialEq + fmt::Debug>(
        all: &[T],
        names: &[&str],
    ) {
        assert_eq!(all.iter().map(ToString::to_string).collect::<Vec<_>>(), names);
        assert!(all.iter().all(|value| value.to_string().parse() == Ok(*value)));
        assert!("Nonsense".parse::<T>().is_err());
    }
    check(Kind::ALL, Kind::NAMES);
    check(Mapping::ALL, Mapping::NAMES);
    check(Filtering::ALL, Filtering::NAMES);
    check(FilterScope::ALL, FilterScope::NAMES);
    check(ReplyMapping::ALL, ReplyMapping::NAMES);
    check(PortAssignment::ALL, PortAssignment::NAMES);
    check(OnConflict::ALL, OnConflict::NAMES);
    check(Pooling::ALL, Pooling::NAMES);
    check(Hairpinning::ALL, Hairpinning::NAMES);
    check(Unsolicited::ALL, Unsolicited::NAMES);
    check(Fragments::ALL, Fragments::NAMES);
    check(Refresh::ALL, Refresh::NAMES);
    check(OnFull::ALL, OnFull::NAMES);
}

#[test]
fn axes_set_what_they_get_and_nothing_else() {
    let mut names = Vec::new();
    for axis in Behavior::AXES {
        assert!(!axis.about.trim().is_empty() && !names.contains(&axis.name), "{}", axis.name);
        names.push(axis.name);
        let (value, wrong) = match axis.values {
            Values::Words(words) => (Value::Word(words[words.len() - 1]), Value::Word("nonsense")),
            Values::Switch => (Value::Switch(true), Value::Number(1)),
            Values::Duration => (Value::Duration(Duration::from_secs(7)), Value::Number(7)),
            Values::Number(most) => (Value::Number(most), Value::Switch(true)),
            Values::Destinations => {
                let all = ["198.51.100.1", "10.0.0.0/8:53"].map(|text| text.parse().unwrap());
                (Value::Destinations(all.to_vec()), Value::Word("198.51.100.1"))
            }
            Values::Ports => (Value::Ports(PortRange::new(7, 9)), Value::Word("7-9")),
        };
        let mut changed = Behavior::default();
        axis.set(&mut changed, &value).unwrap();
        assert_eq!(axis.get(&changed), Some(value), "{}", axis.name);
        let error = axis.set(&mut changed, &wrong).unwrap_err();
        assert_eq!(error, WrongValue { axis: axis.name, value: wrong });
        axis.copy(&Behavior::default(), &mut changed);
        assert_eq!(changed, Behavior::default(), "{}", axis.name);
    }
    let too_many = Behavior::axis("step").unwrap().set(&mut Behavior::default(), &Value::Number(65_536));
    assert!(too_many.is_err());
}

#[test]
fn port_ranges_read_back_what_they_print() {
    assert_eq!("1024-65535".parse(), Ok(PortRange::new(1024, 65535)));
    assert_eq!(PortRange::new(1, 2).to_string(), "1-2");
    for text in ["", "1", "1-", "-2", "1-65536", "a-b", "1-2-3"] {
        assert_eq!(text.parse::<PortRange>(), Err(PortRangeSyntax), "{text}");
    }
}

#[test]
fn destinations_read_back_what_they_print() {
    let read = |text: &str| text.parse::<Destination>().map(|read| read.to_string());
    for text in ["198.51.100.0/24", "0.0.0.0/0:53", "198.51.100.7/32", "2001:db8::/32", "2001:db8::/32:53"] {
        assert_eq!(read(text), Ok(text.to_owned()));
    }
    assert_eq!(read("198.51.100.7"), Ok("198.51.100.7/32".to_owned()));
    assert_eq!(read("198.51.100.7:80"), Ok("198.51.100.7/32:80".to_owned()));
    assert_eq!(read("[2001:db8::1]:80"), Ok("2001:db8::1/128:80".to_owned()));
    for text in ["", "stun1", "stun1:80", "10.0.0.1-10.0.0.9", "2001:db8::1:", "10.0.0.1:80:90"] {
        assert_eq!(read(text), Err(DestinationSyntax::Form), "{text}");
    }
    for text in ["10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:", "10.0.0.0/8:0", "10.0.0.0/8:", "[::1]:0"] {
        assert_eq!(read(text), Err(DestinationSyntax::Port), "{text}");
    }
    for text in ["10.0.0.0/33", "10.0.0.1/8", "10.0.0/8", "10.0.0.0/"] {
        assert!(matches!(read(text), Err(DestinationSyntax::Subnet(_))), "{text}");
    }
}

#[test]
fn contradictions_name_their_field() {
    let field = |behavior: Behavior| behavior.validate().map_err(BehaviorError::field);
    let base = Behavior::default;
    assert_eq!(field(base()), Ok(()));
    assert_eq!(field(Behavior { port_range: PortRange::new(9, 8), ..base() }), Err("port-range"));
    assert_eq!(field(Behavior { port_range: PortRange::new(0, 8), ..base() }), Err("port-range"));
    let one_port = Behavior { port_range: PortRange::new(8, 8), ..base() };
    assert_eq!(field(one_port.clone()), Ok(()));
    assert_eq!(field(Behavior { port_parity: true, ..one_port }), Err("port-range"));
    let halves = |first, last, port_block| {
        let port_range = PortRange::new(first, last);
        field(Behavior { port_range, port_block, port_range_preservation: true, ..base() })
    };
    assert_eq!(halves(1023, 1024, None), Ok(()));
    assert_eq!(halves(1, 1023, None), Err("port-range"));
    assert_eq!(halves(1024, 65535, None), Err("port-range"));
    assert_eq!(halves(1, 65535, Some(64)), Err("port-block"));
    assert_eq!(field(Behavior { step: 0, ..base() }), Err("step"));
    assert_eq!(field(Behavior { udp_timeout: Duration::ZERO, ..base() }), Err("udp-timeout"));
    assert_eq!(field(Behavior { udp_timeout_new: Some(Duration::ZERO), ..base() }), Err("udp-timeout-new"));
    assert_eq!(field(Behavior { filter_timeout: Some(Duration::ZERO), ..base() }), Err("filter-timeout"));
    assert_eq!(field(Behavior { tcp_established: Duration::ZERO, ..base() }), Err("tcp-established"));
    assert_eq!(field(Behavior { tcp_transitory: Duration::ZERO, ..base() }), Err("tcp-transitory"));
    assert_eq!(field(Behavior { tcp_closing: Some(Duration::ZERO), ..base() }), Err("tcp-closing"));
    assert_eq!(field(Behavior { icmp_timeout: Duration::ZERO, ..base() }), Err("icmp-timeout"));
    assert_eq!(field(Behavior { port_hold: Duration::ZERO, ..base() }), Ok(()));
    assert_eq!(field(Behavior { max_mappings: Some(0), ..base() }), Err("max-mappings"));
    assert_eq!(field(Behavior { max_mappings_per_host: Some(0), ..base() }), Err("max-mappings-per-host"));
    assert_eq!(
        field(Behavior { max_mappings_per_host: Some(65000), ..base() }),
        Err("max-mappings-per-host")
    );
    assert_eq!(field(Behavior { mapping_rate_per_host: Some(0), ..base() }), Err("mapping-rate-per-host"));
    assert_eq!(field(Behavior { port_block: Some(0), ..base() }), Err("port-block"));
    let narrow = Behavior { port_range: PortRange::new(5000, 5099), ..base() };
    assert_eq!(field(Behavior { port_block: Some(101), ..narrow }), Err("port-block"));
    assert_eq!(field(Behavior { port_overloading: true, ..base() }), Err("port-overloading"));
    let exempt = |kind| Behavior { kind, exempt: vec!["10.0.0.1".parse().unwrap()], ..base() };
    for (kind, expected) in [
        (Kind::Nat, Ok(())),
        (Kind::Static, Ok(())),
        (Kind::Firewall, Err("exempt")),
        (Kind::None, Err("exempt")),
    ] {
        assert_eq!(field(exempt(kind)), expected, "{kind}");
    }
}

#[test]
fn all_contradictions_are_told_at_once() {
    let wrong = Behavior {
        port_range: PortRange::new(9, 8),
        port_block: Some(5),
        udp_timeout: Duration::ZERO,
        icmp_timeout: Duration::ZERO,
        max_mappings: Some(0),
        max_mappings_per_host: Some(7),
        ..Behavior::default()
    };
    let fields: Vec<_> = wrong.contradictions().into_iter().map(BehaviorError::field).collect();
    assert_eq!(fields, ["port-range", "udp-timeout", "icmp-timeout", "max-mappings"]);
}
