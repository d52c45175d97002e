use super::*;
use crate::stun::{Builder, Method};

const ID: TransactionId = TransactionId([9; 12]);
const LOCAL: Endpoint = Endpoint::v4(192, 168, 1, 10, 5000);
const SERVER: Endpoint = Endpoint::v4(198, 51, 100, 1, 3478);

fn started() -> Transactions<&'static str> {
    let mut transactions = Transactions::default();
    let request = Transmit::new(LOCAL, SERVER, b"request");
    transactions.start(Timestamp::ZERO, ID, request, Schedule::default(), "tag");
    transactions
}

fn response(class: Class, id: TransactionId) -> Vec<u8> {
    let mut buffer = Vec::new();
    Builder::new(&mut buffer, class, Method::Binding, id);
    buffer
}

#[test]
fn rfc8489_6_2_1_sends_at_0_500_1500_3500_7500_15500_31500_and_fails_at_39500_ms() {
    let mut transactions = started();
    let mut sent = vec![0];
    assert!(transactions.poll_transmit().is_some());
    while let Some(now) = transactions.poll_timeout() {
        transactions.handle_timeout(now);
        if transactions.poll_transmit().is_some() {
            sent.push(now.as_nanos() / 1_000_000);
        } else {
            assert_eq!(now, Timestamp::from_millis(39_500));
            assert_eq!(transactions.poll_expired(), Some("tag"));
        }
    }
    assert_eq!(sent, [0, 500, 1500, 3500, 7500, 15_500, 31_500]);
}

#[test]
fn a_single_transmission_waits_rm_times_rto() {
    let schedule = Schedule { rto: Duration::from_millis(500), rc: 1, rm: 3 };
    let mut timer = RetransmitTimer::new(Timestamp::ZERO, schedule);
    assert_eq!(timer.deadline(), Timestamp::from_millis(1500));
    assert_eq!(timer.handle_timeout(Timestamp::from_millis(1499)), None);
    assert_eq!(timer.handle_timeout(Timestamp::from_millis(1500)), Some(RetransmitStep::GiveUp));
}

#[test]
fn being_late_makes_up_for_every_step() {
    let mut transactions = started();
    transactions.handle_timeout(Timestamp::from_secs(60));
    assert_eq!(std::iter::from_fn(|| transactions.poll_transmit()).count(), 7);
    assert_eq!(transactions.poll_expired(), Some("tag"));
    assert_eq!(transactions.poll_timeout(), None);
}

#[test]
fn a_response_needs_class_transaction_id_and_source() {
    let mut transactions = started();
    let find = |transactions: &mut Transactions<&str>, from, bytes: &[u8]| {
        transactions.find(from, &Message::parse(bytes).unwrap()).is_some()
    };
    assert!(!find(&mut transactions, SERVER, &response(Class::Request, ID)));
    assert!(!find(&mut transactions, SERVER, &response(Class::Success, TransactionId([8; 12]))));
    assert!(!find(&mut transactions, LOCAL, &response(Class::Success, ID)));
    assert!(find(&mut transactions, SERVER, &response(Class::Success, ID)));
    assert_eq!(transactions.complete(ID), Some("tag"));
    assert!(
        !find(&mut transactions, SERVER, &response(Class::Success, ID)),
        "only the first response counts"
    );
    assert_eq!(transactions.poll_timeout(), None);
}
