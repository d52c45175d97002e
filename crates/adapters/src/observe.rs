//! Reads the Binding messages that go by, so that the event log tells of a stack's checks what it tells of `native`'s.

use std::collections::BTreeMap;

use natbed_packet::{Endpoint, Timestamp};
use natbed_traversal::ice::{CheckAnswer, CheckFailure, Config, Event, PairAddresses};
use natbed_traversal::stun::{Class, Message, Method, is_stun};

use crate::stack::Packet;
use crate::tunnel::Tunnels;

/// Remembers what was asked, to know the answers.
#[derive(Debug, Default)]
pub(crate) struct Observer {
    /// What is asked of these is no check.
    servers: Vec<Endpoint>,
    tunnels: Tunnels,
    asked: BTreeMap<[u8; 12], Asked>,
    /// The requests that came: where, and whether they nominate.
    heard: BTreeMap<[u8; 12], (PairAddresses, bool)>,
    /// What the other side sees this one as, for each pair that works.
    mapped: BTreeMap<(Endpoint, Endpoint), Endpoint>,
    nominated: Vec<PairAddresses>,
}

#[derive(Debug)]
struct Asked {
    pair: PairAddresses,
    first: Timestamp,
    sent: u32,
    done: bool,
}

/// What one message says: one event, and a nomination if it is the first on its pair.
pub(crate) type Seen = (Option<Event>, Option<Event>);

impl Observer {
    pub(crate) fn new(config: &Config) -> Self {
        let turn = config.turn_servers.iter().map(|server| server.address);
        Self { servers: config.stun_servers.iter().copied().chain(turn).collect(), ..Self::default() }
    }

    /// What the other side sees checks from `base` to `remote` as.
    pub(crate) fn mapped(&self, base: Endpoint, remote: Endpoint) -> Option<Endpoint> {
        self.mapped.get(&(base, remote)).copied()
    }

    /// A datagram that the stack sends.
    pub(crate) fn sent(&mut self, now: Timestamp, packet: &Packet) -> Seen {
        let packet = &self.tunnels.look_inside(packet);
        let Some(message) = self.binding(packet) else { return (None, None) };
        let pair = PairAddresses { base: packet.local, remote: packet.remote };
        let transaction = message.transaction_id();
        match message.class() {
            Class::Request => {
                let asked = Asked { pair, first: now, sent: 0, done: false };
                let asked = self.asked.entry(transaction.0).or_insert(asked);
                let retransmission = asked.sent;
                asked.sent += 1;
                let use_candidate = message.use_candidate();
                let check = Event::CheckSent { pair, transaction, retransmission, use_candidate };
                (Some(check), self.nomination(pair, use_candidate))
            }
            Class::Success | Class::Error => {
                let Some((pair, use_candidate)) = self.heard.remove(&transaction.0) else {
                    return (None, None);
                };
                let answer = match message.error_code() {
                    Some(error) => CheckAnswer::Error(error.code),
                    None => CheckAnswer::Success,
                };
                let nominates = use_candidate && answer == CheckAnswer::Success;
                let received = Event::CheckReceived { pair, transaction, use_candidate, answer };
                (Some(received), self.nomination(pair, nominates))
            }
            Class::Indication => (None, None),
        }
    }

    /// A datagram that came for the stack.
    pub(crate) fn received(&mut self, now: Timestamp, packet: &Packet) -> Option<Event> {
        let packet = &self.tunnels.look_inside(packet);
        let message = self.binding(packet)?;
        let here = PairAddresses { base: packet.local, remote: packet.remote };
        let transaction = message.transaction_id();
        if message.class() == Class::Request {
            self.heard.insert(transaction.0, (here, message.use_candidate()));
            return None;
        }
        let asked = self.asked.get_mut(&transaction.0).filter(|asked| !asked.done)?;
        let pair = asked.pair;
        if message.class() == Class::Indication {
            return None;
        }
        asked.done = true;
        let failed = |why| Some(Event::CheckFailed { pair, transaction, why });
        if here != pair {
            return failed(CheckFailure::NonSymmetric { response: here });
        }
        match (message.error_code().map(|error| error.code), message.xor_mapped_address()) {
            (Some(487), _) => failed(CheckFailure::RoleConflict),
            (Some(code), _) => failed(CheckFailure::Rejected(code)),
            (None, None) => failed(CheckFailure::Malformed),
            (None, Some(mapped)) => {
                let rtt = now - asked.first;
                self.mapped.insert((pair.base, pair.remote), mapped);
                Some(Event::CheckSucceeded { pair, transaction, mapped, rtt })
            }
        }
    }

    /// The message in a packet, if it belongs to a check.
    fn binding<'p>(&self, packet: &'p Packet) -> Option<Message<'p>> {
        let message = is_stun(&packet.payload).then(|| Message::parse(&packet.payload).ok())??;
        let check = message.method() == Method::Binding && !self.servers.contains(&packet.remote);
        check.then_some(message)
    }

    fn nomination(&mut self, pair: PairAddresses, use_candidate: bool) -> Option<Event> {
        if !use_candidate || self.nominated.contains(&pair) {
            return None;
        }
        self.nominated.push(pair);
        Some(Event::Nominated { pair })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use natbed_traversal::ice::Role;
    use natbed_traversal::stun::{Attribute, Builder, ErrorCode, TransactionId};

    use super::*;

    const HERE: Endpoint = Endpoint::v4(192, 168, 1, 2, 5000);
    const THERE: Endpoint = Endpoint::v4(203, 0, 113, 9, 6000);
    const MAPPED: Endpoint = Endpoint::v4(203, 0, 113, 1, 7000);
    const PAIR: PairAddresses = PairAddresses { base: HERE, remote: THERE };

    fn packet(remote: Endpoint, class: Class, id: u8, attributes: &[Attribute<'_>]) -> Packet {
        let mut bytes = Vec::new();
        let mut builder = Builder::new(&mut bytes, class, Method::Binding, TransactionId([id; 12]));
        for attribute in attributes {
            builder.attribute(*attribute);
        }
        Packet { local: HERE, remote, payload: Bytes::from(bytes) }
    }

    #[test]
    fn a_check_and_its_answer_are_told_with_the_time_between() {
        let mut observer = Observer::default();
        let request = packet(THERE, Class::Request, 1, &[]);
        for retransmission in [0, 1] {
            let (check, nominated) = observer.sent(Timestamp::ZERO, &request);
            let transaction = TransactionId([1; 12]);
            let use_candidate = false;
            assert_eq!(
                check,
                Some(Event::CheckSent { pair: PAIR, transaction, retransmission, use_candidate })
            );
            assert_eq!(nominated, None);
        }
        let answer = packet(THERE, Class::Success, 1, &[Attribute::XorMappedAddress(MAPPED)]);
        let later = Timestamp::ZERO + Duration::from_millis(80);
        let seen = observer.received(later, &answer);
        assert!(
            matches!(seen, Some(Event::CheckSucceeded { rtt, .. }) if rtt == Duration::from_millis(80)),
            "{seen:?}"
        );
        assert_eq!(observer.mapped(HERE, THERE), Some(MAPPED));
        assert_eq!(observer.received(later, &answer), None, "a second copy says nothing new");
    }

    #[test]
    fn answers_that_do_not_count_say_why() {
        let mut observer = Observer::default();
        let mut answer = |id, class, remote, attributes: &[Attribute<'_>]| {
            observer.sent(Timestamp::ZERO, &packet(THERE, Class::Request, id, &[]));
            match observer.received(Timestamp::ZERO, &packet(remote, class, id, attributes)) {
                Some(Event::CheckFailed { why, .. }) => why,
                other => panic!("{other:?}"),
            }
        };
        let error = |code| Attribute::ErrorCode(ErrorCode { code, reason: "" });
        assert_eq!(answer(1, Class::Error, THERE, &[error(487)]), CheckFailure::RoleConflict);
        assert_eq!(answer(2, Class::Error, THERE, &[error(400)]), CheckFailure::Rejected(400));
        assert_eq!(answer(3, Class::Success, THERE, &[]), CheckFailure::Malformed);
        let elsewhere = answer(4, Class::Success, MAPPED, &[Attribute::XorMappedAddress(MAPPED)]);
        assert!(matches!(elsewhere, CheckFailure::NonSymmetric { response } if response.remote == MAPPED));
    }

    #[test]
    fn a_nomination_is_told_once_when_it_is_sent_or_answered() {
        let mut observer = Observer::default();
        let nominating = packet(THERE, Class::Request, 1, &[Attribute::UseCandidate]);
        assert_eq!(observer.sent(Timestamp::ZERO, &nominating).1, Some(Event::Nominated { pair: PAIR }));
        assert_eq!(observer.sent(Timestamp::ZERO, &nominating).1, None);

        let mut observer = Observer::default();
        assert_eq!(observer.received(Timestamp::ZERO, &nominating), None);
        let (received, nominated) = observer.sent(Timestamp::ZERO, &packet(THERE, Class::Success, 1, &[]));
        assert!(matches!(received, Some(Event::CheckReceived { use_candidate: true, .. })));
        assert_eq!(nominated, Some(Event::Nominated { pair: PAIR }));
    }

    #[test]
    fn other_traffic_is_passed_over() {
        let mut config = Config::new(Role::Controlled);
        config.stun_servers.push(MAPPED);
        let mut observer = Observer::new(&config);
        let question = packet(MAPPED, Class::Request, 1, &[]);
        assert_eq!(observer.sent(Timestamp::ZERO, &question), (None, None), "servers are not checked");
        let data = Packet { local: HERE, remote: THERE, payload: Bytes::from_static(&[0; 40]) };
        assert_eq!(observer.sent(Timestamp::ZERO, &data), (None, None));
        assert_eq!(observer.received(Timestamp::ZERO, &data), None);
    }
}
