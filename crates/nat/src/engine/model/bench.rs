//! The reference beside the engine.

use super::*;

/// The reference, and three engines that must agree with one another: scanned, indexed, and called in batches.
pub(super) struct Bench {
    pub(super) model: Model,
    pub(super) small: Nat,
    pub(super) large: Nat,
    pub(super) batched: Nat,
    /// The latest datagrams in pieces.
    pub(super) cut: Vec<(Packet, u16)>,
    /// Fragments that the next call must release.
    pub(super) released: Vec<ReleasedFragment>,
    /// Why packets were dropped.
    pub(super) reasons: BTreeSet<DropReason>,
}

/// What a NAT tells when it is woken, with the times.
#[derive(Debug, Default, PartialEq)]
struct Told {
    expired: Vec<u64>,
    released: Vec<(u64, ReleasedFragment)>,
    replies: Vec<(u64, LateReply)>,
}

/// Wakes a NAT whenever it wants to be, until `then`.
fn wake(nat: &mut Nat, then: u64) -> Told {
    let mut told = Told::default();
    while let Some(due) = nat.poll_timeout().filter(|due| due.as_nanos() <= then) {
        let at = due.as_nanos();
        nat.handle_timeout(due);
        while let Some(Event::Expired(view)) = nat.poll_event() {
            assert_eq!(view.expires, due);
            told.expired.push(at);
        }
        told.released.extend(released(nat).into_iter().map(|fragment| (at, fragment)));
        told.replies.extend(std::iter::from_fn(|| nat.poll_reply()).map(|reply| (at, reply)));
    }
    told
}

fn released(nat: &mut Nat) -> Vec<ReleasedFragment> {
    std::iter::from_fn(|| nat.poll_fragment()).collect()
}

impl Bench {
    pub(super) fn new(behavior: &Behavior, seed: u64) -> Self {
        let external = if behavior.kind == crate::behavior::Kind::Firewall { Vec::new() } else { pool(2) };
        let config = || Config {
            behavior: behavior.clone(),
            external: external.clone(),
            internal: vec!["10.0.0.0/8".parse().expect("a prefix")],
        };
        let nat =
            || Nat::new(config(), Xoshiro256PlusPlus::seed_from_u64(seed)).expect("a valid configuration");
        let (mut small, mut large, mut batched) = (nat(), nat(), nat());
        small.observe(true);
        large.set_limits(&Limits { scanned: 0, few: 0, dense: 4, pages: 1, ..Limits::USUAL });
        batched.set_limits(&Limits { scanned: 0, few: 3, dense: 8, pages: 2, near: 0 });
        let model = Model::new(behavior, external);
        let (cut, released, reasons) = Default::default();
        Self { model, small, large, batched, cut, released, reasons }
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.model.now)
    }

    pub(super) fn nats(&mut self) -> [&mut Nat; 3] {
        [&mut self.small, &mut self.large, &mut self.batched]
    }

    pub(super) fn target(&self, target: &Target) -> Endpoint {
        let entries = &self.model.entries;
        match *target {
            Target::Remote(host, port) => remote((host, port)),
            Target::Entry(place) if !entries.is_empty() => entries[place % entries.len()].external,
            Target::Entry(_) => Endpoint::v4(203, 0, 113, 1, 6000),
            Target::Port(host, port) => {
                let range = self.model.behavior.port_range;
                let port = u32::from(port) % range.size();
                let port = range.first + u16::try_from(port).expect("a port of the range");
                Endpoint::v4(203, 0, 113, 1 + host, port)
            }
            Target::Host(host, port) => internal((host, port)),
        }
    }

    pub(super) fn apply(&mut self, op: &Op) {
        let now = self.now();
        match op {
            Op::Out { from, to, kind, cut } => {
                let to = kind.remote(self.target(to));
                let packet =
                    Packet { kind: *kind, from: internal(*from), to, out: true, whole: cut.is_none() };
                self.pass_and_keep(packet, *cut);
            }
            Op::In { from, to, kind, cut } => {
                let from = kind.remote(remote(*from));
                let to = self.target(to);
                self.pass_and_keep(Packet { kind: *kind, from, to, out: false, whole: cut.is_none() }, *cut);
            }
            Op::Rest { which, piece } => {
                let known = self.cut.get(which % self.cut.len().max(1)).copied();
                if let Some((packet, identification)) = known {
                    self.pass(packet, Some((identification, *piece)));
                }
            }
            Op::Flood { piece, count } => self.flood(*piece, *count),
            Op::Converse { which, out, kind } => self.converse(*which, *out, *kind),
            Op::Error { about, out } => self.report(about, *out),
            Op::Wait { millis } => self.wait(self.model.now + millis * 1_000_000),
            Op::Timeout => {
                for nat in self.nats() {
                    nat.handle_timeout(now);
                    assert!(nat.poll_timeout().is_none_or(|due| due > now));
                }
            }
            Op::Reboot => {
                for nat in self.nats() {
                    nat.reboot(now);
                }
                self.model.reboot();
                self.released = self.model.fragments.forget();
            }
            Op::Repool { count } => self.repool(*count, now),
        }
        self.check();
    }

    /// What all that happens leaves behind.
    pub(super) fn check(&mut self) {
        while self.small.poll_event().is_some() {}
        self.check_released();
        self.model.check_snapshot(&self.small);
        let now = self.now();
        for nat in [&self.large, &self.batched] {
            assert_eq!(self.small.snapshot(now), nat.snapshot(now));
        }
    }

    pub(super) fn check_released(&mut self) {
        let expected = std::mem::take(&mut self.released);
        for nat in self.nats() {
            assert_eq!(released(nat), expected);
            assert_eq!(nat.poll_reply(), None);
        }
        let reasons = expected.iter().filter_map(|released| match released.outcome {
            Outcome::Drop(drop) => Some(drop.reason),
            _ => None,
        });
        self.reasons.extend(reasons);
    }

    /// Sends a packet, or a fragment of a datagram that others may follow.
    pub(super) fn pass_and_keep(&mut self, packet: Packet, cut: Option<Cut>) {
        self.pass(packet, cut);
        if let Some((identification, _)) = cut {
            self.cut.insert(0, (packet, identification));
            self.cut.truncate(CUT);
        }
    }

    pub(super) fn flood(&mut self, piece: Piece, count: u16) {
        for number in 0..count {
            let from = Endpoint::v4(10, 0, 0, 1 + number.to_le_bytes()[0] % 7, INTERNAL[0]);
            let packet = Packet { kind: Kind::Udp, from, to: remote((1, 0)), out: true, whole: false };
            self.pass(packet, Some((number, piece)));
            self.check_released();
        }
    }

    pub(super) fn converse(&mut self, which: usize, out: bool, kind: Kind) {
        let all = &self.model.connections;
        let Some(known) = all.get(which % all.len().max(1)) else { return };
        let entry = self.model.entries.iter().find(|entry| entry.serial == known.serial);
        let external = entry.expect("a connection has a mapping").external;
        let (from, to) = if out { (known.internal, known.remote) } else { (known.remote, external) };
        self.pass(Packet { kind, from, to, out, whole: true }, None);
    }

    /// An engine tells of every expiry that is observed, every fragment that waits in vain and every answer that is
    /// due at its time, if it is woken when it wants to be.
    pub(super) fn wait(&mut self, then: u64) {
        let entries = self.model.entries.iter();
        let ending = entries.filter(|entry| !entry.held && entry.deadline <= then);
        let mut expired: Vec<_> = ending.map(|entry| entry.deadline).collect();
        expired.sort_unstable();
        let (released, replies) = (self.model.fragments.expire(then), self.model.syns.answer(then));
        if !released.is_empty() {
            self.reasons.insert(DropReason::FragmentTimeout);
        }
        let mut expected = Told { expired, released, replies };
        assert_eq!(wake(&mut self.small, then), expected);
        expected.expired.clear();
        for nat in [&mut self.large, &mut self.batched] {
            assert_eq!(wake(nat, then), expected);
        }
        self.model.advance(then);
    }

    /// Sends a packet, or a piece of the datagram with this identification.
    pub(super) fn pass(&mut self, packet: Packet, piece: Option<Cut>) {
        let sent = piece
            .map_or_else(|| packet.datagram(), |(identification, piece)| packet.cut(identification, piece));
        let (outcome, passed) = self.engines(packet, &sent);
        if let Outcome::Drop(drop) = outcome {
            self.reasons.insert(drop.reason);
        }
        if self.model.exempts(packet) {
            let goes = if packet.out { Outcome::Outside } else { Outcome::Inside };
            assert_eq!((outcome, passed), (goes(Forward::default()), sent));
            return;
        }
        let fragments = self.model.behavior.fragments;
        let (key, now) = (|identification| Key::of(packet, identification), self.model.now);
        match piece {
            None => self.decide(packet, outcome, &passed),
            Some(_) if fragments == Fragments::Drop => {
                assert_eq!(outcome, Outcome::Drop(DropReason::Fragment.into()));
            }
            Some((identification, _)) if fragments == Fragments::Reassemble => {
                self.join(packet, key(identification), (outcome, passed), &sent);
            }
            Some((identification, Piece::Later(_) | Piece::End | Piece::Askew)) => {
                let waits = fragments == Fragments::OutOfOrder;
                let expected = self.model.fragments.later(key(identification), now, waits, (packet, &sent));
                assert_eq!((outcome, passed), expected);
            }
            Some((identification, first)) => {
                match first {
                    Piece::Short => assert_eq!(outcome, Outcome::Drop(DropReason::Fragment.into())),
                    _ => self.decide(packet, outcome, &passed),
                }
                self.released = self.model.fragments.first(key(identification), now, outcome, &passed);
            }
        }
    }

    /// A fragment where all of a datagram wait for one another. Once all are there, the first one decides.
    pub(super) fn join(
        &mut self,
        packet: Packet,
        key: Key,
        (outcome, passed): (Outcome, Datagram),
        sent: &Datagram,
    ) {
        let held = match self.model.fragments.join(key, self.model.now, (packet, sent)) {
            Ok(held) => held,
            Err((expected, released)) => {
                assert_eq!((outcome, passed), (expected, sent.clone()));
                self.released = released;
                return;
            }
        };
        let mut told = released(&mut self.small);
        for nat in [&mut self.large, &mut self.batched] {
            assert_eq!(released(nat), told);
        }
        let is_first = |fragment: &Datagram| fragment.fragment_offset == 0;
        let (first, others): (Vec<_>, Vec<_>) = held.into_iter().partition(|held| is_first(&held.fragment));
        let (packet, outcome_of_first, first) = match first.first() {
            Some(held) => {
                let first = told.remove(0);
                (held.packet, first.outcome, first.fragment)
            }
            None => (packet, outcome, passed.clone()),
        };
        if fragments::has_header(&first) {
            self.decide(packet, outcome_of_first, &first);
        } else {
            assert_eq!(outcome_of_first, Outcome::Drop(DropReason::Fragment.into()));
        }
        let (goes, ends) = (fragments::followed(outcome_of_first), (first.source, first.destination));
        let expected: Vec<_> = others.into_iter().map(|held| held.release(goes, ends)).collect();
        assert_eq!(told, expected);
        if !is_first(sent) {
            let (source, destination) = ends;
            assert_eq!((outcome, passed), (goes, Datagram { source, destination, ..sent.clone() }));
        }
    }

    /// What the three engines have become of a packet.
    pub(super) fn engines(&mut self, packet: Packet, sent: &Datagram) -> (Outcome, Datagram) {
        let now = self.now();
        let pass = if packet.out { Nat::outbound } else { Nat::inbound };
        let through = |nat: &mut Nat| {
            let mut datagram = sent.clone();
            let outcome = pass(nat, now, &mut datagram);
            (outcome, datagram)
        };
        let (outcome, passed) = through(&mut self.small);
        assert_eq!(through(&mut self.large), (outcome, passed.clone()));
        if matches!(sent.transport, Transport::Udp(_)) {
            self.pass_batch(packet, outcome, &passed);
        } else {
            assert_eq!(through(&mut self.batched), (outcome, passed.clone()));
        }
        (outcome, passed)
    }

    /// Whether what became of a packet with ports is what becomes of it in the reference.
    pub(super) fn decide(&mut self, packet: Packet, outcome: Outcome, passed: &Datagram) {
        let mapping = match outcome {
            Outcome::Outside(forward) | Outcome::Inside(forward) => forward.mapping,
            Outcome::Drop(drop) => drop.sent.and_then(|sent| sent.mapping),
            Outcome::Held(_) => panic!("it shows its ports"),
        };
        let now = self.now();
        let chosen = mapping.and_then(|id| self.small.mapping(id, now)).map(|view| view.external);
        let expected =
            if packet.out { self.model.outbound(packet, chosen) } else { self.model.inbound(packet) };
        let passed = |inside: bool| {
            let (source, destination) = ends(passed, !inside);
            Ok((source, destination, inside))
        };
        let passed = match outcome {
            Outcome::Outside(_) => passed(false),
            Outcome::Inside(_) => passed(true),
            Outcome::Drop(drop) => Err((drop.reason, drop.reply)),
            Outcome::Held(_) => panic!("it shows its ports"),
        };
        assert_eq!(passed, expected, "{packet:?}");
    }

    pub(super) fn pass_batch(&mut self, packet: Packet, outcome: Outcome, passed: &Datagram) {
        let address = |endpoint: Endpoint| endpoint.to_string().parse().expect("IPv4");
        let flow = |from, to| Flow::new(address(from), address(to));
        let now = self.now();
        let mut verdicts = Vec::new();
        let batch = if packet.out { Nat::outbound_batch } else { Nat::inbound_batch };
        batch(&mut self.batched, now, &[flow(packet.from, packet.to)], &mut verdicts);
        let ends =
            || flow(passed.source_endpoint().expect("ports"), passed.destination_endpoint().expect("ports"));
        let expected = match outcome {
            Outcome::Outside(_) => Verdict::Outside(ends()),
            Outcome::Inside(_) => Verdict::Inside(ends()),
            Outcome::Drop(drop) => Verdict::Drop(drop.reason),
            Outcome::Held(_) => panic!("it is whole"),
        };
        assert_eq!(verdicts, [expected]);
    }

    pub(super) fn repool(&mut self, count: usize, now: Timestamp) {
        if self.model.is_firewall() {
            let refused = self.nats().map(|nat| nat.set_external(now, &pool(count)));
            assert!(refused.iter().all(|refused| *refused == Err(ConfigError::ExternalUnused)));
            return;
        }
        for nat in self.nats() {
            nat.set_external(now, &pool(count)).expect("addresses");
        }
        self.released = self.model.fragments.forget();
        self.model.pool = pool(count);
        let pool = pool(count);
        self.model.entries.retain(|entry| pool.contains(&entry.external.ip));
        self.model.advance(self.model.now);
    }
}
