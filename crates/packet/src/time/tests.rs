use std::time::Duration;

use super::Timestamp;

#[test]
fn sums_saturate_at_the_last_instant() {
    assert_eq!(Timestamp::MAX + Duration::from_nanos(1), Timestamp::MAX);
    assert_eq!(Timestamp::ZERO + Duration::MAX, Timestamp::MAX);
    assert_eq!(Timestamp::from_secs(u64::MAX), Timestamp::MAX);
    assert_eq!(Timestamp::from_millis(u64::MAX), Timestamp::MAX);
}

#[test]
fn differences_stop_at_zero() {
    let (early, late) = (Timestamp::from_secs(1), Timestamp::from_millis(1_500));
    assert_eq!(late - early, Duration::from_millis(500));
    assert_eq!(early - late, Duration::ZERO);
}

#[test]
fn prints_milliseconds() {
    assert_eq!(Timestamp::from_nanos(2_412_999_999).to_string(), "2.412 s");
    assert_eq!(Timestamp::ZERO.to_string(), "0.000 s");
    assert_eq!(Timestamp::from_millis(1_005).to_string(), "1.005 s");
}
