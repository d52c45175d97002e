//! Batches from inside.

use natbed_packet::{Protocol, Timestamp};

use super::steps::{STEP, Stage, in_steps, room};
use super::usual::Usual;
use super::{Flow, Verdict};
use crate::address::Tagged;
use crate::behavior::ReplyMapping;
use crate::expiry::NONE;
use crate::packet::UdpPacket;
use crate::translator::{Translator, check};

/// Flows after which a batch lets the table be laid out anew.
const SETTLED: usize = 4096;

impl Translator<u32> {
    pub(crate) fn outbound_batch(&mut self, now: Timestamp, flows: &[Flow], verdicts: &mut Vec<Verdict>) {
        self.advance(now);
        for flows in flows.chunks(SETTLED) {
            self.settle();
            self.send_settled(flows, verdicts);
        }
    }

    fn send_settled(&mut self, flows: &[Flow], verdicts: &mut Vec<Verdict>) {
        if self.behavior.reply_mapping != ReplyMapping::Outbound {
            return verdicts.extend(flows.iter().map(|flow| self.send_flow(NONE, flow)));
        }
        let usual = Usual::outbound(self);
        let usual = usual.as_ref();
        if !self.table.is_indexed() {
            return verdicts.extend(flows.iter().map(|flow| {
                let slot =
                    self.table.find_outbound(Protocol::Udp, flow.source.socket(), flow.destination.socket());
                self.send_one(usual, slot.unwrap_or(NONE), flow)
            }));
        }
        let (is_far, nothing) = (self.table.is_far_outbound(), ([0; STEP], [NONE; STEP]));
        let verdicts = room(verdicts, flows.len());
        in_steps(is_far, flows, verdicts, nothing, |stage, (aims, slots), flows, verdicts| {
            let (aims, slots) = (&mut aims[..flows.len()], &mut slots[..flows.len()]);
            match stage {
                Stage::Aim => self.aim_outbound(is_far, flows, aims),
                Stage::Find => self.find_outbound(is_far, aims, slots),
                Stage::Decide => self.send_all(usual, slots, flows, verdicts),
            }
        });
    }

    /// Where the table is to look for the mappings of flows from inside, which is fetched if it is far.
    #[inline(never)]
    fn aim_outbound(&self, is_far: bool, flows: &[Flow], aims: &mut [u64]) {
        for (flow, aim) in flows.iter().zip(aims) {
            *aim = self.table.aim_outbound(Protocol::Udp, flow.source, flow.destination);
            if is_far {
                self.table.fetch_aim(*aim);
            }
        }
    }

    /// Finds most likely slots of mappings, and fetches them if they are far.
    #[inline(never)]
    fn find_outbound(&self, is_far: bool, aims: &[u64], slots: &mut [u32]) {
        if is_far {
            self.table.find_likely_outbound(aims, slots, |slot| self.table.prefetch(slot));
        } else {
            self.table.find_likely_outbound(aims, slots, |_| {});
        }
    }

    /// Sends flows whose mappings are most likely in `slots`.
    fn send_all(&mut self, usual: Option<&Usual>, slots: &[u32], flows: &[Flow], verdicts: &mut [Verdict]) {
        let mut done = 0;
        while done < flows.len() {
            if let Some(usual) = usual {
                let (records, pool) = (self.table.records_mut(), &self.pool);
                done += usual.send_all(records, pool, &slots[done..], &flows[done..], &mut verdicts[done..]);
            }
            if let Some(flow) = flows.get(done) {
                verdicts[done] = self.send_flow(slots[done], flow);
                done += 1;
            }
        }
    }

    #[inline(always)]
    fn send_one(&mut self, usual: Option<&Usual>, slot: u32, flow: &Flow) -> Verdict {
        let sent = usual.and_then(|usual| usual.send(slot, self.table.records_mut(), &self.pool, flow));
        sent.unwrap_or_else(|| self.send_flow(slot, flow))
    }

    /// Sends any flow; one whose mapping is in `slot` needs no search.
    #[inline(never)]
    fn send_flow(&mut self, slot: u32, flow: &Flow) -> Verdict {
        let (from, to) = (flow.source.socket(), flow.destination.socket());
        let found = self.table.is_outbound(slot, Protocol::Udp, flow.source, flow.destination);
        if !found || check::<UdpPacket, _>(from, to).is_err() || self.pool.place(to.ip).is_some() {
            return Verdict::from(self.outbound(UdpPacket, from, to));
        }
        self.send_through(UdpPacket, slot, to);
        Verdict::Outside(Flow { source: Tagged::new(self.external(slot), 0), ..*flow })
    }
}
