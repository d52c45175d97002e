//! Which mapping answers whom, for `reply-mapping = "inbound-session"`.

use hashbrown::HashMap;
use natbed_packet::Protocol;
use rustc_hash::FxBuildHasher;

use crate::address::{Address, Socket};

/// A protocol, an internal endpoint and a remote.
type Session<A> = (Protocol, Socket<A>, Socket<A>);

/// For an internal endpoint and a remote, the mapping that first let a packet from that remote in. Nearly all NATs have
/// none, and then there is nothing.
#[derive(Clone, Debug)]
pub(crate) struct Sessions<A>(Option<Box<Known<A>>>);

#[derive(Clone, Debug)]
struct Known<A> {
    slots: HashMap<Session<A>, u32, FxBuildHasher>,
    /// The sessions of each mapping, which end with it.
    of_slot: HashMap<u32, Vec<Session<A>>, FxBuildHasher>,
}

impl<A> Default for Sessions<A> {
    fn default() -> Self {
        Self(None)
    }
}

impl<A> Default for Known<A> {
    fn default() -> Self {
        Self { slots: HashMap::default(), of_slot: HashMap::default() }
    }
}

impl<A: Address> Sessions<A> {
    #[inline]
    pub(crate) fn get(&self, protocol: Protocol, internal: Socket<A>, remote: Socket<A>) -> Option<u32> {
        self.0.as_ref()?.slots.get(&(protocol, internal, remote)).copied()
    }

    pub(crate) fn note(&mut self, slot: u32, session: Session<A>) {
        let known = self.0.get_or_insert_default();
        if known.slots.try_insert(session, slot).is_ok() {
            known.of_slot.entry(slot).or_default().push(session);
        }
    }

    pub(crate) fn forget(&mut self, slot: u32) {
        let Some(known) = &mut self.0 else { return };
        for session in known.of_slot.remove(&slot).unwrap_or_default() {
            known.slots.remove(&session);
        }
    }

    /// Follows the mappings to the slots that `slots` gives for each.
    pub(crate) fn follow(&mut self, slots: &[u32]) {
        let Some(known) = &mut self.0 else { return };
        known.slots.values_mut().for_each(|slot| *slot = slots[*slot as usize]);
        let lists = std::mem::take(&mut known.of_slot);
        known.of_slot = lists.into_iter().map(|(slot, list)| (slots[slot as usize], list)).collect();
    }

    /// Octets on the heap.
    pub(crate) fn allocated(&self) -> usize {
        let Some(known) = &self.0 else { return 0 };
        let lists = known.of_slot.values().map(|list| list.capacity() * size_of::<Session<A>>());
        size_of::<Known<A>>()
            + known.slots.allocation_size()
            + known.of_slot.allocation_size()
            + lists.sum::<usize>()
    }
}
