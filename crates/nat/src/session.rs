//! Which mapping answers whom, for `reply-mapping = "inbound-session"`.

use hashbrown::HashMap;
use natbed_packet::Protocol;
use rustc_hash::FxBuildHasher;

use crate::address::{Address, Socket};

/// A protocol, an internal endpoint and a remote.
type Session<A> = (Protocol, Socket<A>, Socket<A>);

/// For an internal endpoint and a remote, the mapping that first let a packet from that remote in.
#[derive(Clone, Debug)]
pub(crate) struct Sessions<A> {
    slots: HashMap<Session<A>, u32, FxBuildHasher>,
    /// The sessions of each mapping, which end with it.
    of_slot: HashMap<u32, Vec<Session<A>>, FxBuildHasher>,
}

impl<A> Default for Sessions<A> {
    fn default() -> Self {
        Self { slots: HashMap::default(), of_slot: HashMap::default() }
    }
}

impl<A: Address> Sessions<A> {
    #[inline]
    pub(crate) fn get(&self, protocol: Protocol, internal: Socket<A>, remote: Socket<A>) -> Option<u32> {
        if self.slots.is_empty() { None } else { self.slots.get(&(protocol, internal, remote)).copied() }
    }

    pub(crate) fn note(&mut self, slot: u32, session: Session<A>) {
        if self.slots.try_insert(session, slot).is_ok() {
            self.of_slot.entry(slot).or_default().push(session);
        }
    }

    pub(crate) fn forget(&mut self, slot: u32) {
        if self.of_slot.is_empty() {
            return;
        }
        for session in self.of_slot.remove(&slot).unwrap_or_default() {
            self.slots.remove(&session);
        }
    }

    pub(crate) fn allocated(&self) -> usize {
        let lists = self.of_slot.values().map(|list| list.capacity() * size_of::<Session<A>>());
        self.slots.allocation_size() + self.of_slot.allocation_size() + lists.sum::<usize>()
    }
}
