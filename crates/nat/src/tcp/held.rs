//! SYNs from outside that nothing let in, and that are answered late or never (RFC 5382 REQ-4).

use std::collections::VecDeque;

use natbed_packet::Datagram;

use crate::address::Socket;

/// How long no answer is given.
const SILENCE: u64 = 6_000_000_000;

/// The most SYNs that are held; beyond them, one is never answered.
const MOST: usize = 256;

/// Nearly all NATs never hold one, and then there is nothing.
#[derive(Clone, Debug)]
pub(crate) struct HeldSyns<A>(Option<Box<Queue<A>>>);

/// In the order in which they came.
#[derive(Clone, Debug)]
struct Queue<A>(VecDeque<Held<A>>);

#[derive(Clone, Debug)]
struct Held<A> {
    answer_at: u64,
    remote: Socket<A>,
    external: Socket<A>,
    syn: Datagram,
}

impl<A> Default for HeldSyns<A> {
    fn default() -> Self {
        Self(None)
    }
}

impl<A: PartialEq> HeldSyns<A> {
    /// Holds a SYN; one that was sent again is answered once.
    pub(crate) fn hold(&mut self, now: u64, remote: Socket<A>, external: Socket<A>, syn: &Datagram) {
        let Queue(syns) = &mut **self.0.get_or_insert_with(|| Box::new(Queue(VecDeque::new())));
        let known = syns.iter().any(|held| held.remote == remote && held.external == external);
        if !known && syns.len() < MOST {
            let (answer_at, syn) = (now.saturating_add(SILENCE), syn.clone());
            syns.push_back(Held { answer_at, remote, external, syn });
        }
    }

    /// Forgets the SYN of a connection for which one has come from inside.
    pub(crate) fn forget(&mut self, remote: &Socket<A>, external: &Socket<A>) {
        if let Some(Queue(syns)) = self.0.as_deref_mut() {
            syns.retain(|held| held.remote != *remote || held.external != *external);
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.as_deref().is_none_or(|Queue(syns)| syns.is_empty())
    }

    /// The next SYN whose silence is over.
    pub(crate) fn pop(&mut self, now: u64) -> Option<Datagram> {
        let Queue(syns) = self.0.as_deref_mut()?;
        syns.front().filter(|held| held.answer_at <= now)?;
        syns.pop_front().map(|held| held.syn)
    }

    /// When the next silence after `now` is over.
    #[inline]
    pub(crate) fn next_due(&self, now: u64) -> Option<u64> {
        self.0.as_ref()?.0.iter().map(|held| held.answer_at).find(|due| now < *due)
    }

    /// Octets on the heap.
    pub(crate) fn allocated(&self) -> usize {
        self.0
            .as_deref()
            .map_or(0, |Queue(syns)| size_of::<Queue<A>>() + syns.capacity() * size_of::<Held<A>>())
    }
}
