//! Fragments through a NAT (RFC 4787 section 11).
//!
//! Only the first fragment of a datagram shows its ports. It passes as a whole datagram would, and its passage is noted
//! for the others, which go the same way. Those that come before it are dropped or held, by the axis. A NAT that
//! reassembles holds all of them until the datagram is whole.
//!
//! RFC 4787 REQ-14 a wants an attack by fragments to harm neither those in order nor whole packets. What is noted and
//! what is held have bounds of their own: whoever fills the places for those held, keeps out others that come early, and
//! one source does not fill them. A NAT that reassembles has no place but those, and does not comply.

mod reassembly;

use std::collections::VecDeque;
use std::net::IpAddr;

use natbed_packet::{Datagram, Icmp, IcmpQuery, Transport, fragment};

use crate::address::{Address, Socket};
use crate::behavior::Fragments as Axis;
use crate::outcome::{Drop, DropReason, Forward, HeldFragment, Outcome, ReleasedFragment};
use crate::packet::{QueryPacket, UdpPacket};
use crate::tcp::{Origin, Segment};
use crate::translator::{Passage, Translator};

/// How long a passage is known, and a fragment held: what RFC 791 section 3.2 suggests for putting together.
const PATIENCE: u64 = 15_000_000_000;

/// The most passages that are known; the oldest gives way.
const MOST_PASSAGES: usize = 256;

/// What bounds the fragments that are held.
struct Bounds {
    most: usize,
    most_of_source: usize,
    /// How long those of one datagram are, from the first that came; in nanoseconds.
    patience: u64,
}

/// For those that wait for the first one.
const EARLY: Bounds = Bounds { most: 64, most_of_source: 16, patience: PATIENCE };

/// What the fragments of one datagram have in common (RFC 791 section 3.2), and the side that they come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    origin: Origin,
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    identification: u16,
}

/// Where the first fragment went.
#[derive(Clone, Debug)]
struct Noted {
    key: Key,
    until: u64,
    way: Way,
}

/// Which way a first fragment went.
#[derive(Clone, Debug)]
struct Way {
    source: IpAddr,
    destination: IpAddr,
    inside: bool,
    forward: Forward,
}

#[derive(Clone, Debug)]
struct Held {
    key: Key,
    until: u64,
    number: HeldFragment,
    fragment: Datagram,
}

/// What a NAT knows of fragments.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Oldest first.
    noted: VecDeque<Noted>,
    /// Oldest first.
    held: VecDeque<Held>,
    released: VecDeque<ReleasedFragment>,
    next: u64,
}

impl<A: Address> Translator<A> {
    pub(crate) fn translate_fragment(
        &mut self,
        origin: Origin,
        datagram: &mut Datagram,
    ) -> Result<Outcome, Drop> {
        let Transport::Fragment { protocol, .. } = datagram.transport else {
            return Err(DropReason::Fragment.into());
        };
        if self.behavior.fragments == Axis::Drop {
            return Err(DropReason::Fragment.into());
        }
        let (source, destination) = (datagram.source, datagram.destination);
        let key = Key { origin, source, destination, protocol, identification: datagram.identification };
        if self.behavior.fragments == Axis::Reassemble {
            return self.reassemble(key, datagram);
        }
        if datagram.fragment_offset == 0 {
            let passed = self.translate_first(origin, datagram);
            self.note(key, datagram, &passed);
            return passed;
        }
        let (now, early) = (self.latest(), self.behavior.fragments == Axis::OutOfOrder);
        let known = self.fragments.get_or_insert_default();
        match known.noted.iter().find(|noted| noted.key == key) {
            Some(noted) => Ok(noted.way.send(datagram)),
            None if early => known.hold(key, datagram, now, &EARLY).map(Outcome::Held).map_err(Drop::from),
            None => Err(DropReason::FragmentTooEarly.into()),
        }
    }

    /// Translates the first fragment by the header that it begins with.
    fn translate_first(&mut self, origin: Origin, datagram: &mut Datagram) -> Result<Outcome, Drop> {
        let source = A::from_ip(datagram.source).ok_or(DropReason::WrongFamily)?;
        let destination = A::from_ip(datagram.destination).ok_or(DropReason::WrongFamily)?;
        let ends = |from, to| (Socket::new(source, from), Socket::new(destination, to));
        let passage = match fragment::header(datagram).ok_or(DropReason::Fragment)? {
            Transport::Udp(udp) => {
                let (from, to) = ends(udp.source_port, udp.destination_port);
                self.pass(UdpPacket, origin, from, to)?
            }
            Transport::Tcp(tcp) => {
                let (from, to) = ends(tcp.source_port, tcp.destination_port);
                self.pass(Segment::of(&tcp), origin, from, to)?
            }
            Transport::Icmp(Icmp::Query(IcmpQuery { reply, identifier, .. })) => {
                let port = |side| if side == origin { identifier } else { 0 };
                let (from, to) = ends(port(Origin::Inside), port(Origin::Outside));
                let passage = self.pass(QueryPacket { reply }, origin, from, to)?;
                let identifier = if passage.inside { passage.destination.port } else { passage.source.port };
                fragment::set_identifier(datagram, identifier);
                return Ok(readdress(datagram, &passage));
            }
            Transport::Icmp(Icmp::Error(_)) | Transport::Fragment { .. } => {
                return Err(DropReason::Fragment.into());
            }
        };
        fragment::set_ports(datagram, passage.source.port, passage.destination.port);
        Ok(readdress(datagram, &passage))
    }

    /// Notes what became of a first fragment, and has those that waited for it follow.
    fn note(&mut self, key: Key, first: &Datagram, passed: &Result<Outcome, Drop>) {
        let until = self.latest().saturating_add(PATIENCE);
        let known = self.fragments.get_or_insert_default();
        known.noted.retain(|noted| noted.key != key);
        let followed = follow(first, passed);
        known.release_after(key, &followed);
        if let Ok(way) = followed {
            if known.noted.len() == MOST_PASSAGES {
                known.noted.pop_front();
            }
            known.noted.push_back(Noted { key, until, way });
        }
    }

    /// Forgets what was noted; what is held is released, dropped.
    pub(crate) fn forget_fragments(&mut self) {
        if let Some(known) = &mut self.fragments {
            known.noted.clear();
            known.expire(u64::MAX);
        }
    }
}

/// The way of a first fragment for the others, or why they have none.
fn follow(first: &Datagram, passed: &Result<Outcome, Drop>) -> Result<Way, Drop> {
    let (forward, inside) = match passed {
        Ok(Outcome::Outside(forward)) => (forward, false),
        Ok(Outcome::Inside(forward)) => (forward, true),
        Ok(Outcome::Drop(drop)) | Err(drop) => return Err(Drop { reply: None, sent: None, ..*drop }),
        Ok(Outcome::Held(_)) => return Err(DropReason::Fragment.into()),
    };
    let forward = Forward { created: false, opened: false, ..*forward };
    Ok(Way { source: first.source, destination: first.destination, inside, forward })
}

impl Way {
    /// Sends a later fragment the same way.
    fn send(&self, fragment: &mut Datagram) -> Outcome {
        (fragment.source, fragment.destination) = (self.source, self.destination);
        if self.inside { Outcome::Inside(self.forward) } else { Outcome::Outside(self.forward) }
    }
}

impl Known {
    fn hold(
        &mut self,
        key: Key,
        fragment: &Datagram,
        now: u64,
        bounds: &Bounds,
    ) -> Result<HeldFragment, DropReason> {
        let of_source = self.held.iter().filter(|held| held.key.source == key.source).count();
        if self.held.len() >= bounds.most || of_source >= bounds.most_of_source {
            return Err(DropReason::FragmentsFull);
        }
        let number = HeldFragment(self.next);
        self.next += 1;
        let until = now.saturating_add(bounds.patience);
        self.held.push_back(Held { key, until, number, fragment: fragment.clone() });
        Ok(number)
    }

    /// Has those held of one datagram go the way of the first one.
    fn release_after(&mut self, key: Key, followed: &Result<Way, Drop>) {
        self.release(key, |fragment| match followed {
            Ok(way) => way.send(fragment),
            Err(drop) => Outcome::Drop(*drop),
        });
    }

    /// Releases those held of one datagram, in the order in which they came.
    fn release(&mut self, key: Key, decide: impl Fn(&mut Datagram) -> Outcome) {
        let released = &mut self.released;
        self.held.retain_mut(|held| {
            if held.key != key {
                return true;
            }
            let outcome = decide(&mut held.fragment);
            let fragment = held.fragment.clone();
            released.push_back(ReleasedFragment { held: held.number, fragment, outcome });
            false
        });
    }

    /// Ends what has waited or been known for too long.
    pub(crate) fn expire(&mut self, now: u64) {
        while self.noted.front().is_some_and(|noted| noted.until <= now) {
            self.noted.pop_front();
        }
        while let Some(held) = self.held.front().filter(|held| held.until <= now) {
            self.release(held.key, |_| Outcome::Drop(DropReason::FragmentTimeout.into()));
        }
    }

    /// When a fragment has waited for too long.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.held.front().map(|held| held.until)
    }

    pub(crate) fn poll(&mut self) -> Option<ReleasedFragment> {
        self.released.pop_front()
    }

    /// Octets on the heap, but for those of the fragments.
    pub(crate) fn allocated(&self) -> usize {
        size_of::<Self>()
            + self.noted.capacity() * size_of::<Noted>()
            + self.held.capacity() * size_of::<Held>()
            + self.released.capacity() * size_of::<ReleasedFragment>()
    }
}

fn readdress<A: Address>(datagram: &mut Datagram, passage: &Passage<A>) -> Outcome {
    fragment::set_addresses(datagram, passage.source.ip.to_ip(), passage.destination.ip.to_ip());
    if passage.inside { Outcome::Inside(passage.forward) } else { Outcome::Outside(passage.forward) }
}
