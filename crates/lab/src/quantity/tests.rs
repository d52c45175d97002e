use super::*;

#[test]
fn durations_are_read_in_every_unit() {
    let cases = [
        ("0 s", Duration::ZERO),
        ("7ns", Duration::from_nanos(7)),
        ("3 us", Duration::from_micros(3)),
        (" 20 ms ", Duration::from_millis(20)),
        ("1.5 s", Duration::from_millis(1500)),
        ("0.25min", Duration::from_secs(15)),
        ("8760 h", LONGEST),
    ];
    for (text, expected) in cases {
        assert_eq!(parse_duration(text), Ok(expected), "{text}");
    }
}

#[test]
fn sizes_and_rates_know_decimal_from_binary() {
    assert_eq!(parse_size("64 KiB"), Ok(65_536));
    assert_eq!(parse_size("64 kB"), Ok(64_000));
    assert_eq!(parse_size("1.5MiB"), Ok(1_572_864));
    assert_eq!(parse_rate("10 Mbit/s"), Ok(10_000_000));
    assert_eq!(parse_rate("0.001 kbit/s"), Ok(1));
}

#[test]
fn what_is_wrong_is_named() {
    use QuantityError as E;
    for text in ["", "ms", ". s", "1. s", "1.2.3 s", ".5 s", "NaN s", "inf s", "+1 s"] {
        assert_eq!(parse_duration(text), Err(E::Number), "{text}");
    }
    assert_eq!(parse_duration("-5 ms"), Err(E::Negative));
    assert!(matches!(parse_duration("5"), Err(E::NoUnit(_))));
    assert!(matches!(parse_duration("5 secs"), Err(E::Unit(_))));
    assert!(matches!(parse_duration("1e3 s"), Err(E::Unit(_))));
    assert_eq!(parse_duration("0.5 ns"), Err(E::Fraction("nanoseconds")));
    assert_eq!(parse_size("1.5 B"), Err(E::Fraction("octets")));
    for text in ["8761 h", "99999999999999999999999999999999999999999999 h"] {
        assert_eq!(parse_duration(text), Err(E::TooMuch("8760 h".to_owned())), "{text}");
    }
    assert_eq!(parse_size("1048577 MiB"), Err(E::TooMuch("1048576 MiB".to_owned())));
    assert_eq!(parse_rate("1000.1 Gbit/s"), Err(E::TooMuch("1000 Gbit/s".to_owned())));
}

#[test]
fn what_is_printed_is_read_back() {
    for nanos in [0, 1, 999, 1_000, 1_500_000_000, 60_000_000_000, 7_440_000_000_000, 31_536_000_000_000_000]
    {
        let duration = Duration::from_nanos(nanos);
        assert_eq!(parse_duration(&print_duration(duration)), Ok(duration));
    }
    for bits in [0, 1, 1_000, 1_001, 1_230, 56_000, 10_000_000, FASTEST] {
        assert_eq!(parse_rate(&print_rate(bits)), Ok(bits), "{}", print_rate(bits));
    }
    for octets in [0, 1, 1_000, 1_024, 65_536, 1_000_000, LARGEST] {
        assert_eq!(parse_size(&print_size(octets)), Ok(octets), "{}", print_size(octets));
    }
    assert_eq!(print_duration(Duration::from_secs(300)), "5 min");
    assert_eq!(print_rate(10_000_000), "10 Mbit/s");
}
