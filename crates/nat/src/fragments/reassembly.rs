//! A NAT that reassembles: the fragments of a datagram wait until it is whole.

use natbed_packet::{Datagram, Transport, fragment};

use super::{Bounds, Held, Key, Known, follow};
use crate::address::Address;
use crate::outcome::{Drop, DropReason, Outcome, ReleasedFragment};
use crate::translator::Translator;

/// For those that wait for all: the 30 s and the 4 MiB, two kilobytes each, that Linux has (`ipv4_frags_init_net` in
/// `net/ipv4/ip_fragment.c`).
const ALL: Bounds = Bounds { most: 2048, most_of_source: 2048, patience: 30_000_000_000 };

/// What a fragment is to those of its datagram that are held.
enum Fit {
    /// Others are still missing.
    Missing,
    /// It was the last one missing.
    Last,
    /// Its octets are there already.
    Known,
    /// It overlaps another, one reaches past the end, or it can be part of no datagram.
    Contradiction,
}

/// Octets of the largest datagram's data.
const MOST: usize = 65_535;

/// The octets that a fragment has of the data of its datagram.
#[derive(Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
    is_last: bool,
}

impl Span {
    fn of(fragment: &Datagram) -> Self {
        let start = usize::from(fragment.fragment_offset) * fragment::UNIT;
        let octets = match &fragment.transport {
            Transport::Fragment { payload, .. } => payload.len(),
            _ => 0,
        };
        Self { start, end: start + octets, is_last: !fragment.more_fragments }
    }

    /// Whether there is a datagram that it can be of.
    fn is_possible(self) -> bool {
        let octets = self.end - self.start;
        octets > 0 && self.end <= MOST && (self.is_last || octets.is_multiple_of(fragment::UNIT))
    }
}

impl<A: Address> Translator<A> {
    /// Holds a fragment until it is the last one missing. Then all go where the first one does.
    pub(super) fn reassemble(&mut self, key: Key, datagram: &mut Datagram) -> Result<Outcome, Drop> {
        let now = self.latest();
        let known = self.fragments.get_or_insert_default();
        match known.fit(key, datagram) {
            Fit::Missing => {
                return known.hold(key, datagram, now, &ALL).map(Outcome::Held).map_err(Drop::from);
            }
            Fit::Known => return Err(DropReason::FragmentOverlap.into()),
            Fit::Contradiction => {
                known.release(key, |_| Outcome::Drop(DropReason::FragmentOverlap.into()));
                return Err(DropReason::FragmentOverlap.into());
            }
            Fit::Last => {}
        }
        let Some(mut first) = known.take_first(key) else {
            let passed = self.translate_first(key.origin, datagram);
            let followed = follow(datagram, &passed);
            self.fragments.get_or_insert_default().release_after(key, &followed);
            return passed;
        };
        let passed = self.translate_first(key.origin, &mut first.fragment);
        let followed = follow(&first.fragment, &passed);
        let known = self.fragments.get_or_insert_default();
        let outcome = passed.unwrap_or_else(Outcome::Drop);
        known.released.push_back(ReleasedFragment { held: first.number, fragment: first.fragment, outcome });
        known.release_after(key, &followed);
        followed.map(|way| way.send(datagram))
    }
}

impl Known {
    /// What a fragment is to those that are held of its datagram.
    fn fit(&self, key: Key, fragment: &Datagram) -> Fit {
        let new = Span::of(fragment);
        let mut spans: Vec<Span> = self.of(key).map(|held| Span::of(&held.fragment)).collect();
        let is_short = new.is_last && spans.iter().any(|span| span.end > new.end);
        if is_short || !new.is_possible() {
            return Fit::Contradiction;
        }
        if runs(&spans).iter().any(|run| run.start <= new.start && new.end <= run.end) {
            return Fit::Known;
        }
        spans.push(new);
        spans.sort_unstable_by_key(|span| span.start);
        let joins = |pair: &[Span]| pair[0].end <= pair[1].start && !pair[0].is_last;
        if !spans.windows(2).all(joins) {
            return Fit::Contradiction;
        }
        let whole = spans[0].start == 0
            && spans[spans.len() - 1].is_last
            && spans.windows(2).all(|pair| pair[0].end == pair[1].start);
        if whole { Fit::Last } else { Fit::Missing }
    }

    fn of(&self, key: Key) -> impl Iterator<Item = &Held> {
        self.held.iter().filter(move |held| held.key == key)
    }

    /// Takes the first fragment of a datagram out of those held.
    fn take_first(&mut self, key: Key) -> Option<Held> {
        let place =
            self.held.iter().position(|held| held.key == key && held.fragment.fragment_offset == 0)?;
        self.held.remove(place)
    }
}

/// The runs that spans make in the order in which they came. Only one right behind all before it continues a run, as in
/// Linux (`inet_frag_queue_insert` in `net/ipv4/inet_fragment.c`).
fn runs(spans: &[Span]) -> Vec<Span> {
    let mut runs: Vec<Span> = Vec::new();
    let mut furthest = 0;
    for span in spans {
        match runs.get_mut(furthest) {
            Some(run) if run.end == span.start => run.end = span.end,
            run => {
                if run.is_none_or(|run| run.end < span.start) {
                    furthest = runs.len();
                }
                runs.push(*span);
            }
        }
    }
    runs
}
