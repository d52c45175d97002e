use super::*;
use crate::ice::candidate::Foundation;

const RTT: Duration = Duration::from_millis(100);

fn pair(base: usize, priority: u64, state: PairState) -> Pair {
    let foundation = (Foundation::number(1), Foundation::number(1));
    Pair {
        base,
        remote: 0,
        priority,
        state,
        foundation,
        tries: 0,
        first_try: None,
        third_try: None,
        queued: false,
        nominated_by_peer: false,
    }
}

fn tried(mut pair: Pair, times: &[u64]) -> Pair {
    for &at in times {
        pair.note_try(Timestamp::from_millis(at));
    }
    pair
}

fn valid(pair: usize, priority: u64) -> Valid {
    Valid { pair, local: 0, priority, rtt: RTT }
}

/// Pairs with base 1 are relayed, those with base 2 perhaps.
fn ask(now: u64, pairs: &[Pair], valid: &[Valid], relay_wait_over: u64) -> Decision {
    let relayed = |pair: &Pair| [Relayed::No, Relayed::Yes, Relayed::Perhaps][pair.base];
    decide(Timestamp::from_millis(now), pairs, valid, Timestamp::from_millis(relay_wait_over), relayed)
}

#[test]
fn nothing_valid_nothing_nominated() {
    assert_eq!(ask(9, &[pair(0, 1, PairState::Waiting)], &[], 0), Decision::NoValidPair);
}

#[test]
fn rfc8445_8_1_1_highest_priority_valid_pair_is_nominated() {
    let pairs = [pair(0, 5, PairState::Succeeded), pair(0, 9, PairState::Succeeded)];
    assert_eq!(ask(9, &pairs, &[valid(0, 5), valid(1, 9)], 0), Decision::Nominate(1));
}

#[test]
fn direct_pair_waits_for_better_ones_to_have_their_chance() {
    let best = pair(0, 5, PairState::Succeeded);
    let unchecked = [best.clone(), pair(0, 9, PairState::Waiting)];
    assert_eq!(ask(9, &unchecked, &[valid(0, 5)], 0), Decision::WaitForChecks);
    let checked = [best.clone(), tried(pair(0, 9, PairState::InProgress), &[20])];
    assert_eq!(ask(50, &checked, &[valid(0, 5)], 0), Decision::WaitUntil(Timestamp::from_millis(120)));
    assert_eq!(ask(120, &checked, &[valid(0, 5)], 0), Decision::Nominate(0));
    let failed = [best, pair(0, 9, PairState::Failed), pair(0, 1, PairState::Waiting)];
    assert_eq!(ask(50, &failed, &[valid(0, 5)], 0), Decision::Nominate(0));
}

#[test]
fn relay_wait_is_never_over_before_three_tries_of_every_open_pair_without_relay() {
    let relayed = pair(1, 5, PairState::Succeeded);
    let twice = [relayed.clone(), tried(pair(0, 1, PairState::InProgress), &[0, 500])];
    assert_eq!(ask(9000, &twice, &[valid(0, 5)], 2000), Decision::WaitForChecks);
    let thrice = [relayed.clone(), tried(pair(0, 1, PairState::InProgress), &[0, 500, 1500])];
    assert_eq!(ask(1600, &thrice, &[valid(0, 5)], 2000), Decision::WaitUntil(Timestamp::from_millis(2000)));
    assert_eq!(ask(2000, &thrice, &[valid(0, 5)], 2000), Decision::Nominate(0));
    assert_eq!(ask(1590, &thrice, &[valid(0, 5)], 0), Decision::WaitUntil(Timestamp::from_millis(1600)));
    let failed = [relayed, pair(0, 1, PairState::Failed), pair(1, 9, PairState::Waiting)];
    assert_eq!(ask(2000, &failed, &[valid(0, 5)], 2000), Decision::Nominate(0));
}

#[test]
fn unsignalled_remote_counts_as_relayed_until_the_peer_has_told_all() {
    let alone = [pair(2, 9, PairState::Succeeded)];
    assert_eq!(ask(0, &alone, &[valid(0, 9)], 2000), Decision::WaitUntil(Timestamp::from_millis(2000)));
    let pairs = [alone[0].clone(), pair(0, 5, PairState::InProgress)];
    assert_eq!(ask(2000, &pairs, &[valid(0, 9)], 2000), Decision::WaitForChecks);
    // It does not stand in the way of one that is known to be direct.
    assert_eq!(ask(0, &pairs, &[valid(0, 9), valid(1, 5)], 2000), Decision::Nominate(1));
}
