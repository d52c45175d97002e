use super::*;

fn new(base: usize, remote: usize, priority: u64, foundation: u32) -> NewPair {
    let foundation = (Foundation::number(1), Foundation::number(foundation));
    NewPair { base, remote, priority, foundation }
}

fn list(limit: usize, pairs: &[NewPair]) -> CheckList {
    let mut list = CheckList::new(limit);
    for pair in pairs {
        list.insert(*pair);
    }
    list
}

fn states(list: &CheckList) -> Vec<PairState> {
    list.pairs().iter().map(|pair| pair.state).collect()
}

fn start(list: &mut CheckList) -> Option<usize> {
    let place = list.next(|_| true)?;
    list.get_mut(place).state = PairState::InProgress;
    Some(place)
}

#[test]
fn rfc8445_6_1_2_6_one_waiting_pair_per_foundation() {
    let list = list(10, &[new(0, 0, 9, 1), new(0, 1, 8, 1), new(0, 2, 7, 2)]);
    assert_eq!(states(&list), [PairState::Waiting, PairState::Frozen, PairState::Waiting]);
}

#[test]
fn rfc8838_12_new_pair_waits_if_topmost_or_if_its_foundation_succeeded() {
    let mut list = list(10, &[new(0, 0, 5, 1), new(0, 1, 9, 1)]);
    assert_eq!(states(&list), [PairState::Waiting, PairState::Waiting]);
    list.get_mut(0).state = PairState::Succeeded;
    list.insert(new(0, 2, 1, 1));
    assert_eq!(list.get(2).state, PairState::Waiting);
}

#[test]
fn rfc8445_6_1_4_2_triggered_queue_first_then_highest_waiting() {
    let mut list = list(10, &[new(0, 0, 1, 1), new(0, 1, 9, 2), new(0, 2, 5, 3)]);
    list.trigger(0);
    list.trigger(0);
    let order = std::iter::from_fn(|| start(&mut list)).collect::<Vec<_>>();
    assert_eq!(order, [0, 1, 2]);
}

#[test]
fn rfc8445_6_1_4_2_thaws_a_foundation_without_waiting_or_in_progress_pairs() {
    let mut list = list(10, &[new(0, 0, 9, 1), new(0, 1, 8, 1), new(0, 2, 7, 1)]);
    assert_eq!(start(&mut list), Some(0));
    assert!(list.thawing().is_empty());
    list.get_mut(0).state = PairState::Failed;
    assert_eq!(list.thawing(), [1]);
}

#[test]
fn pairs_without_permission_are_passed_over() {
    let mut list = list(10, &[new(1, 0, 9, 1), new(0, 1, 8, 2)]);
    assert_eq!(list.next(|pair| pair.base == 0), Some(1));
    list.trigger(0);
    assert!(!list.has_next(|pair| pair.base == 2));
    assert_eq!(list.next(|_| true), Some(0));
}

#[test]
fn rfc8445_6_1_2_5_limit_keeps_the_better_pairs() {
    let mut list = list(2, &[new(0, 0, 5, 1), new(0, 1, 4, 2)]);
    assert_eq!(list.insert(new(0, 2, 3, 3)), Insertion::Full);
    assert_eq!(list.insert(new(0, 3, 6, 4)), Insertion::Replaced { place: 1, old: (0, 1) });
    // "the agent SHOULD discard any pairs in the Failed state to make room" (RFC 8838 section 10).
    list.get_mut(0).state = PairState::Failed;
    assert_eq!(list.insert(new(0, 4, 1, 5)), Insertion::Replaced { place: 0, old: (0, 0) });
}

#[test]
fn peer_reflexive_pairs_beyond_the_limit_are_not_formed() {
    let mut list = list(1, &[new(0, 0, 1, 1)]);
    list.get_mut(0).state = PairState::Failed;
    assert_eq!(list.insert_triggered(new(0, 1, 9, 2), false), Insertion::Full);
    assert_eq!(list.insert_triggered(new(0, 1, 9, 2), true), Insertion::Replaced { place: 0, old: (0, 0) });
}

#[test]
fn rfc8445_8_1_2_nomination_removes_the_other_pairs() {
    let mut list = list(10, &[new(0, 0, 9, 1), new(0, 1, 8, 2)]);
    list.trigger(1);
    list.keep_only(1);
    assert_eq!(list.pairs().len(), 1);
    assert_eq!(list.get(0).remote, 1);
    list.get_mut(0).state = PairState::Succeeded;
    assert_eq!(list.next(|_| true), None);
}
