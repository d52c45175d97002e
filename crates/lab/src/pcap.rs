//! The event log as a packet capture, pcapng with raw IP: one interface for each host, NAT and server, and a packet
//! wherever one sent, received, passed on or dropped it. What became of it stands in the packet's comment.
//!
//! A datagram that comes to its end between two nodes, on a network, carries the reason where it was last seen.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::time::Duration;

use natbed_nat::MappingView;
use natbed_net::trace::{Event, Place};
use natbed_net::{DropReason, NodeId, PacketId, Record};
use natbed_packet::{Datagram, Timestamp, wire};
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::pcapng::{PcapNgBlock, PcapNgWriter};
use pcap_file::{DataLink, Endianness, PcapError};

use crate::log;
use crate::run::Run;

/// Timestamps count units of 10^-9 s (`if_tsresol`).
const NANOSECONDS: u8 = 9;

/// Writes what every node of `run` sent and received; it must have kept its log.
///
/// # Errors
/// When `out` cannot be written to, or a datagram has no byte form.
pub fn write(run: &Run, out: impl Write) -> io::Result<()> {
    let section = SectionHeaderBlock {
        endianness: Endianness::Little,
        options: vec![SectionHeaderOption::UserApplication("natbed".into())],
        ..SectionHeaderBlock::default()
    };
    let mut file = PcapNgWriter::with_section_header(out, section).map_err(io_error)?;
    for node in run.lowered.simulator.node_ids() {
        let name = run.place(Place::Node(node)).to_owned();
        let options = vec![
            InterfaceDescriptionOption::IfName(name.into()),
            InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
        ];
        let interface = InterfaceDescriptionBlock { linktype: DataLink::RAW, snaplen: 0, options };
        file.write_block(&interface.into_block()).map_err(io_error)?;
    }
    for sighting in sightings(run) {
        file.write_block(&sighting.block()?.into_block()).map_err(io_error)?;
    }
    Ok(())
}

/// Which way a datagram crosses a node's interface.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    In,
    Out,
}

/// A datagram at a node.
struct Sighting<'a> {
    time: Timestamp,
    node: NodeId,
    datagram: &'a Datagram,
    way: Way,
    comment: String,
}

/// Every datagram wherever a node saw it, in order.
fn sightings(run: &Run) -> Vec<Sighting<'_>> {
    let mut list: Vec<Sighting<'_>> = Vec::new();
    // Where in the list a datagram was last seen.
    let mut last: BTreeMap<PacketId, usize> = BTreeMap::new();
    // Fragments that have arrived and wait, and what was put together from such.
    let mut waiting: BTreeSet<PacketId> = BTreeSet::new();
    for Record { time, place, event } in run.log() {
        match event {
            Event::Dropped { packet, reason, mapping, .. } => {
                let index = last.get(packet).copied();
                let index = index
                    .filter(|index| waiting.contains(packet) || list[*index].is_lost_after(*time, *place));
                if let Some(index) = index {
                    let what = dropped(*reason, mapping.as_ref());
                    list[index].comment += &format!("; at {time} {what}, at {}", run.place(*place));
                    continue;
                }
            }
            Event::Duplicated { packet, copy, .. } => {
                last.get(packet).copied().map(|index| last.insert(*copy, index));
            }
            Event::Fragmented { packet, fragments } => {
                let index = last.get(packet).copied();
                // What is cut before it leaves is never on the link in one piece.
                let whole = index.filter(|index| {
                    *index + 1 == list.len()
                        && matches!(place, Place::Node(node) if list[*index].left(*time, *node))
                });
                if whole.is_some() {
                    list.pop();
                } else if let (Some(index), Place::Network(_)) = (index, place) {
                    last.extend(fragments.iter().map(|(piece, _)| (*piece, index)));
                }
            }
            Event::Held { packet, .. } => {
                waiting.insert(*packet);
            }
            Event::Reassembled { packet, fragments, .. } => {
                let index = fragments.last().and_then(|piece| last.get(piece)).copied();
                if let Some(index) = index {
                    list[index].comment += &format!("; at {time} put together as packet #{}", packet.0);
                    last.insert(*packet, index);
                }
                waiting.insert(*packet);
            }
            // It was seen when its fragments came.
            Event::Delivered { packet, .. } if waiting.contains(packet) => continue,
            _ => {}
        }
        let Place::Node(node) = *place else { continue };
        for (packet, datagram, way, comment) in seen(event) {
            let held = way == Way::In && !matches!(event, Event::Held { .. }) && waiting.remove(&packet);
            if held {
                continue;
            }
            last.insert(packet, list.len());
            let comment = format!("packet #{}: {comment}", packet.0);
            list.push(Sighting { time: *time, node, datagram, way, comment });
        }
    }
    list
}

impl Sighting<'_> {
    /// Whether it is something that just left `node`.
    fn left(&self, time: Timestamp, node: NodeId) -> bool {
        self.way == Way::Out && self.node == node && self.time == time
    }

    /// Whether a drop at `place` is the end of what left here: on a network, or on this node's own uplink.
    fn is_lost_after(&self, time: Timestamp, place: Place) -> bool {
        match place {
            Place::Network(_) => true,
            Place::Node(node) => self.left(time, node),
        }
    }
}

/// What a node sees of `event`, with what there is to say about it.
fn seen<V>(event: &Event<V>) -> Vec<(PacketId, &Datagram, Way, String)> {
    match event {
        Event::Sent { packet, datagram, relays, .. } => {
            let carries = log::carries(datagram);
            let relays = relays.map_or_else(String::new, |id| format!(", carries on #{}", id.0));
            vec![(*packet, datagram, Way::Out, format!("{carries}{relays}"))]
        }
        Event::Forwarded { packet, datagram, mapping } => vec![
            (*packet, datagram, Way::In, "arrived".to_owned()),
            (*packet, datagram, Way::Out, format!("forwarded{}", entry(mapping.as_ref()))),
        ],
        Event::Translated { packet, before, after, direction, mapping } => vec![
            (*packet, before, Way::In, "arrived".to_owned()),
            (
                *packet,
                after,
                Way::Out,
                format!("translated {}{}", direction.as_str(), entry(mapping.as_ref())),
            ),
        ],
        Event::Duplicated { packet, copy, datagram } => {
            vec![(*copy, datagram, Way::Out, format!("copy of #{}, made by the link", packet.0))]
        }
        Event::Fragmented { packet, fragments } => {
            let piece = |(id, datagram): &'_ (PacketId, Datagram)| (*id, log::carries(datagram));
            let pieces = fragments.iter().map(|entry| {
                let (id, carries) = piece(entry);
                (id, &entry.1, Way::Out, format!("{carries} of #{}", packet.0))
            });
            pieces.collect()
        }
        Event::Held { packet, datagram } => {
            vec![(*packet, datagram, Way::In, format!("{}, waits for others", log::carries(datagram)))]
        }
        Event::Delivered { packet, datagram, .. } => {
            vec![(*packet, datagram, Way::In, "received".to_owned())]
        }
        Event::Dropped { packet, datagram, reason, mapping } => {
            vec![(*packet, datagram, Way::In, dropped(*reason, mapping.as_ref()))]
        }
        _ => Vec::new(),
    }
}

/// `dropped [filtered]: why; entry …`.
fn dropped(reason: DropReason, mapping: Option<&MappingView>) -> String {
    format!("dropped [{}]: {}{}", reason.as_str(), reason.explanation(), entry(mapping))
}

/// `; entry 192.168.1.2:5000 = 203.0.113.1:5000 for any, lets in 198.51.100.1:3478`.
fn entry(mapping: Option<&MappingView>) -> String {
    let Some(mapping) = mapping else { return String::new() };
    let permitted: Vec<String> =
        mapping.permitted.iter().map(|permitted| log::remote(permitted.remote)).collect();
    let permitted = if permitted.is_empty() { "nobody".to_owned() } else { permitted.join(", ") };
    let destination = log::remote(mapping.destination);
    format!("; entry {} = {} for {destination}, lets in {permitted}", mapping.internal, mapping.external)
}

impl Sighting<'_> {
    fn block(&self) -> io::Result<EnhancedPacketBlock<'static>> {
        let bytes =
            wire::encode(self.datagram).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
        // Bits 0 and 1 of the flags: 1 inbound, 2 outbound (pcapng section 4.3.1).
        let direction = match self.way {
            Way::In => 1,
            Way::Out => 2,
        };
        Ok(EnhancedPacketBlock {
            interface_id: u32::try_from(self.node.index()).unwrap_or(u32::MAX),
            timestamp: Duration::from_nanos(self.time.as_nanos()),
            original_len: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            data: Cow::Owned(bytes),
            options: vec![
                EnhancedPacketOption::Comment(clipped(&self.comment).into()),
                EnhancedPacketOption::Flags(direction),
            ],
        })
    }
}

/// `comment` as far as an option's 16-bit length allows.
fn clipped(comment: &str) -> String {
    let end = (0..=comment.len().min(usize::from(u16::MAX))).rev().find(|&at| comment.is_char_boundary(at));
    comment[..end.unwrap_or(0)].to_owned()
}

fn io_error(why: PcapError) -> io::Error {
    match why {
        PcapError::IoError(why) => why,
        why => io::Error::other(why),
    }
}

#[cfg(test)]
mod tests;
