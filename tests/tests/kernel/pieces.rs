//! Datagrams in fragments, for the kernel and for us.

use bytes::Bytes;
use natbed_nat::{Nat, Outcome};
use natbed_packet::fragment::{Added, Parts, UNIT, cut};
use natbed_packet::{Datagram, Endpoint, Timestamp, Transport, wire};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::names::Port;

/// Which way a datagram goes: between an internal socket and a remote, by their places, or a remote and an external port.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Out(usize, usize),
    In(usize, Port),
}

/// The fragments of a datagram in the order in which they are sent, and one that is kept back.
#[derive(Clone, Debug)]
pub(crate) struct Pieces {
    sent: Vec<Datagram>,
    missing: Option<Datagram>,
}

/// What becomes of a datagram's fragments on their way to the NAT.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Octets of the payload.
    size: usize,
    mtu: u16,
    trouble: Trouble,
    /// Decides which fragment it is about, or the order.
    seed: u64,
}

#[derive(Clone, Copy, Debug)]
enum Trouble {
    InOrder,
    Shuffled,
    /// One comes twice.
    Twice,
    /// One does not come.
    Missing,
    /// One comes that overlaps two others, of which one has come.
    Overlapped,
    /// One comes that overlaps two others, after them.
    Within,
    /// The same, and of the two the later came first.
    Across,
    /// A last one comes that ends before one that has come.
    Ended,
    /// One comes that has no octets.
    Empty,
}

impl Shape {
    pub(crate) fn draw(rng: &mut Xoshiro256PlusPlus) -> Self {
        let (size, mtu) = match rng.random_range(0..4) {
            // Larger than the MTU of the network; the others as from links that are smaller.
            0 => (rng.random_range(3100..6000), 1500),
            _ => (rng.random_range(600..1400), [276, 300][rng.random_range(0..2)]),
        };
        let trouble = match rng.random_range(0..16) {
            0..4 => Trouble::InOrder,
            4..8 => Trouble::Shuffled,
            8 => Trouble::Twice,
            9 => Trouble::Missing,
            10 => Trouble::Overlapped,
            11..13 => Trouble::Within,
            13 => Trouble::Across,
            14 => Trouble::Ended,
            _ => Trouble::Empty,
        };
        Self { size, mtu, trouble, seed: rng.random_range(0..1000) }
    }

    /// The fragments of a datagram that carries `number`, which no other between the two has yet.
    pub(crate) fn pieces(self, source: Endpoint, destination: Endpoint, number: u64) -> Pieces {
        let payload = format!("{:size$}", number.to_string() + " ", size = self.size);
        let whole = Datagram {
            dont_fragment: false,
            identification: u16::try_from(1 + number % 65_535).unwrap(),
            ..Datagram::udp(source, destination, payload.into())
        };
        let mut sent = cut(&whole, self.mtu).unwrap();
        let place = usize::try_from(self.seed).unwrap() % sent.len();
        let mut missing = None;
        match self.trouble {
            Trouble::InOrder => {}
            Trouble::Shuffled => sent.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(self.seed)),
            Trouble::Twice => sent.insert(place, sent[place].clone()),
            Trouble::Missing => missing = Some(sent.remove(place)),
            Trouble::Overlapped => sent.insert(1, overlapping(&sent[0], &sent[1])),
            Trouble::Within => sent.insert(2, overlapping(&sent[0], &sent[1])),
            Trouble::Across => {
                sent.insert(2, overlapping(&sent[0], &sent[1]));
                sent.swap(0, 1);
            }
            Trouble::Ended => {
                let octets = octets(&sent[1]);
                let ended = with(&sent[1], octets.slice(..octets.len() - UNIT));
                sent.insert(2, Datagram { more_fragments: false, ..ended });
            }
            Trouble::Empty => sent.insert(place, with(&sent[place], Bytes::new())),
        }
        Pieces { sent, missing }
    }
}

impl Pieces {
    /// The fragment that was kept back, if any.
    pub(crate) fn rest(&self) -> Option<Self> {
        self.missing.clone().map(|missing| Self { sent: vec![missing], missing: None })
    }

    pub(crate) fn octets(&self) -> Vec<Vec<u8>> {
        self.sent.iter().map(|piece| wire::encode(piece).unwrap()).collect()
    }

    /// What comes out of the NAT, put together.
    pub(crate) fn pass(self, nat: &mut Nat, way: Way) -> Option<Datagram> {
        let mut passed = Vec::new();
        for mut piece in self.sent {
            let outcome = match way {
                Way::Out(..) => nat.outbound(Timestamp::ZERO, &mut piece),
                Way::In(..) => nat.inbound(Timestamp::ZERO, &mut piece),
            };
            passed.push((outcome, piece));
            passed.extend(
                std::iter::from_fn(|| nat.poll_fragment())
                    .map(|released| (released.outcome, released.fragment)),
            );
        }
        let mut parts = Parts::default();
        passed.into_iter().find_map(|(outcome, piece)| match (way, outcome) {
            (Way::Out(..), Outcome::Outside(_)) | (Way::In(..), Outcome::Inside(_)) => {
                match parts.add(&piece) {
                    Added::Complete(whole) => Some(whole.unwrap()),
                    Added::Incomplete => None,
                    Added::Known | Added::Contradiction => unreachable!("{piece:?}"),
                }
            }
            _ => None,
        })
    }
}

/// A fragment that has the end of one and the beginning of the next.
fn overlapping(one: &Datagram, next: &Datagram) -> Datagram {
    let (before, after) = (octets(one), octets(next));
    let payload = [&before[before.len() - UNIT..], &after[..after.len() - UNIT]].concat().into();
    Datagram { fragment_offset: next.fragment_offset - 1, ..with(next, payload) }
}

fn octets(piece: &Datagram) -> Bytes {
    match &piece.transport {
        Transport::Fragment { payload, .. } => payload.clone(),
        transport => unreachable!("{transport:?}"),
    }
}

/// A fragment with other octets.
fn with(piece: &Datagram, payload: Bytes) -> Datagram {
    Datagram { transport: Transport::Fragment { protocol: 17, payload }, ..piece.clone() }
}
