use rand::SeedableRng;

use super::*;

fn rng() -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(7)
}

#[test]
fn rfc7675_5_1_checks_every_4_to_6_seconds_and_expires_after_30() {
    let mut rng = rng();
    let mut consent = Consent::new(Timestamp::ZERO, true, &mut rng);
    let mut last = Timestamp::ZERO;
    let mut checks = 0;
    loop {
        let now = consent.poll_timeout().unwrap();
        match consent.handle_timeout(now, &mut rng) {
            Some(Due::Check) => {
                let gap = now - last;
                assert!(gap >= Duration::from_secs(4) && gap <= Duration::from_secs(6), "{gap:?}");
                consent.note_sent(now);
                (last, checks) = (now, checks + 1);
            }
            Some(Due::Expired) => {
                assert_eq!(now, Timestamp::from_secs(30));
                break;
            }
            other => panic!("{other:?} at {now}"),
        }
    }
    assert!((5..=7).contains(&checks), "{checks}");
    assert!(!consent.is_given());
    assert_eq!(consent.poll_timeout(), None);
}

#[test]
fn rfc7675_5_1_a_response_renews_even_for_an_earlier_check() {
    let mut rng = rng();
    let mut consent = Consent::new(Timestamp::ZERO, true, &mut rng);
    let (first, second) = (TransactionId([1; 12]), TransactionId([2; 12]));
    consent.note_check(first);
    consent.note_check(second);
    assert!(consent.is_outstanding(first));
    consent.renew(Timestamp::from_secs(20), first);
    assert!(!consent.is_outstanding(first) && consent.is_outstanding(second));
    while consent.handle_timeout(Timestamp::from_secs(40), &mut rng).is_some_and(|due| due == Due::Check) {}
    assert!(consent.is_given());
}

#[test]
fn rfc8445_11_keepalive_after_15_silent_seconds() {
    let mut rng = rng();
    let mut consent = Consent::new(Timestamp::ZERO, false, &mut rng);
    assert_eq!(consent.poll_timeout(), Some(Timestamp::from_secs(15)));
    consent.note_sent(Timestamp::from_secs(3));
    assert_eq!(consent.handle_timeout(Timestamp::from_secs(15), &mut rng), None);
    assert_eq!(consent.handle_timeout(Timestamp::from_secs(18), &mut rng), Some(Due::Keepalive));
}
