//! Batches from outside.

use natbed_packet::{Protocol, Timestamp};

use super::steps::{STEP, Stage, in_steps, room};
use super::usual::Usual;
use super::{Flow, Verdict};
use crate::address::{Socket, Tagged};
use crate::expiry::NONE;
use crate::packet::UdpPacket;
use crate::table::Nearby;
use crate::translator::{Translator, check};

impl Translator<u32> {
    pub(crate) fn inbound_batch(&mut self, now: Timestamp, flows: &[Flow], verdicts: &mut Vec<Verdict>) {
        self.advance(now);
        let Some(usual) = Usual::inbound(self) else {
            return verdicts.extend(flows.iter().map(|flow| self.receive_flow(NONE, flow)));
        };
        let Some(ports) = self.table.ports(Protocol::Udp) else {
            return verdicts.extend(flows.iter().map(|flow| {
                let (from, to) = (flow.source.socket(), flow.destination.socket());
                let place = self.pool.place(to.ip);
                let slot =
                    place.and_then(|place| self.table.find_inbound(Protocol::Udp, place, to.port, from));
                self.receive_one(&usual, slot.unwrap_or(NONE), flow)
            }));
        };
        let (is_far, are_far_ports) = (self.table.is_far_inbound(ports), self.table.are_far_ports(ports));
        let verdicts = room(verdicts, flows.len());
        in_steps(is_far, flows, verdicts, [NONE; STEP], |stage, slots, flows, verdicts| {
            let slots = &mut slots[..flows.len()];
            match stage {
                Stage::Aim if are_far_ports => self.fetch_inbound(flows),
                Stage::Aim => {}
                Stage::Find => self.find_inbound(is_far, flows, slots),
                Stage::Decide => self.receive_all(&usual, slots, flows, verdicts),
            }
        });
    }

    /// Fetches what finding the mappings of flows from outside reads.
    #[inline(never)]
    fn fetch_inbound(&self, flows: &[Flow]) {
        let Some(ports) = self.table.ports(Protocol::Udp) else { return };
        for to in flows.iter().map(|flow| flow.destination.socket()) {
            if let Some(place) = self.pool.place(to.ip) {
                ports.prefetch(place, to.port);
            }
        }
    }

    /// Finds the mappings of flows from outside, and fetches them if they are far.
    fn find_inbound(&self, is_far: bool, flows: &[Flow], slots: &mut [u32]) {
        let Some(ports) = self.table.ports(Protocol::Udp) else { return slots.fill(NONE) };
        let nearby = ports.nearby(self.pool.run());
        if !nearby.knows_any() {
            slots.fill(NONE);
            return self.search_inbound(nearby, is_far, flows, slots);
        }
        let mut done = 0;
        while done < flows.len() {
            done += self.find_nearby(nearby, is_far, &flows[done..], &mut slots[done..]);
            if let Some(slot) = slots.get_mut(done) {
                *slot = NONE;
                done += 1;
            }
        }
        if self.pool.len() > self.pool.run() || !nearby.knows_all(self.table.records()) {
            self.search_inbound(nearby, is_far, flows, slots);
        }
    }

    /// Finds those that take no search, up to the first that is out of the pool, and returns how many.
    #[inline(never)]
    fn find_nearby(&self, nearby: Nearby<'_>, is_far: bool, flows: &[Flow], slots: &mut [u32]) -> usize {
        let first: u64 = Tagged::new(Socket::new(self.pool.first(), 0), 0);
        let distances = flows.iter().map(|flow| flow.destination.wrapping_sub(first));
        if is_far {
            nearby.find_while(distances, slots, |slot| self.table.prefetch(slot))
        } else {
            nearby.find_while(distances, slots, |_| {})
        }
    }

    /// Searches for those that have no slot yet.
    #[inline(never)]
    fn search_inbound(&self, nearby: Nearby<'_>, is_far: bool, flows: &[Flow], slots: &mut [u32]) {
        let Some(ports) = self.table.ports(Protocol::Udp) else { return };
        for (flow, slot) in flows.iter().zip(slots) {
            if *slot == NONE || nearby.is_no_slot(*slot) {
                let to = flow.destination.socket();
                let place = self.pool.place(to.ip);
                *slot = place.map_or(NONE, |place| ports.slot(place, to.port, self.table.records()));
                if is_far {
                    self.table.prefetch(*slot);
                }
            }
        }
    }

    /// Lets flows to external endpoints in or not. Their mappings are in `slots`, of which some may lead nowhere.
    fn receive_all(&mut self, usual: &Usual, slots: &[u32], flows: &[Flow], verdicts: &mut [Verdict]) {
        let mut done = 0;
        while done < flows.len() {
            let records = self.table.records_mut();
            done += usual.receive_all(records, &slots[done..], &flows[done..], &mut verdicts[done..]);
            if let Some(flow) = flows.get(done) {
                verdicts[done] = self.receive_flow(slots[done], flow);
                done += 1;
            }
        }
    }

    #[inline(always)]
    fn receive_one(&mut self, usual: &Usual, slot: u32, flow: &Flow) -> Verdict {
        let received = usual.receive(slot, self.table.records_mut(), flow);
        received.unwrap_or_else(|| self.receive_flow(slot, flow))
    }

    /// Lets any flow in or not; one to a mapping in `slot` needs no search.
    #[inline(never)]
    fn receive_flow(&mut self, slot: u32, flow: &Flow) -> Verdict {
        let (from, to) = (flow.source.socket(), flow.destination.socket());
        let plain = self.table.is_mapping(slot)
            && check::<UdpPacket, _>(from, to).is_ok()
            && !self.is_spoofed(from.ip);
        if !plain || !self.permits(slot, from) {
            return Verdict::from(self.inbound(UdpPacket, from, to));
        }
        self.accept(UdpPacket, slot, from);
        Verdict::Inside(Flow { destination: self.table.record(slot).inside(), ..*flow })
    }
}
