use std::io::Cursor;

use natbed_net::trace::{Event, Place};
use natbed_packet::wire;
use pcap_file::DataLink;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::{Block, PcapNgReader};

use crate::run::{Options, Run, run};
use crate::scenario::parse;

/// Everything that a packet can meet: a filter, private addresses, loss and second copies.
const EVENTFUL: &str = r#"
format = 1
[stun.stun1]
[turn.turn1]
[nat.a]
type = "symmetric"
link = { loss = 0.1, duplicate = 0.2 }
[nat.b]
type = "port-restricted"
[host.alice]
behind = "a"
[host.bob]
behind = "b"
[host.web]
link = { duplicate = 0.2 }
[[connect]]
from = "alice"
to = "bob"
[[send]]
from = "alice"
to = "web"
to-port = 80
[[send]]
from = "web"
to = "alice"
to-port = 80
"#;

fn eventful() -> Run {
    let scenario = parse(EVENTFUL.as_bytes()).unwrap();
    run(&scenario, &Options { log: true, ..Options::default() }).unwrap()
}

/// The interfaces and the packets of a capture.
fn read(bytes: Vec<u8>) -> (Vec<InterfaceDescriptionBlock<'static>>, Vec<EnhancedPacketBlock<'static>>) {
    let mut reader = PcapNgReader::new(Cursor::new(bytes)).unwrap();
    let mut packets = Vec::new();
    while let Some(block) = reader.next_block() {
        if let Block::EnhancedPacket(packet) = block.unwrap() {
            packets.push(packet.into_owned());
        }
    }
    (reader.interfaces().to_vec(), packets)
}

fn capture(run: &Run) -> Vec<u8> {
    let mut bytes = Vec::new();
    super::write(run, &mut bytes).unwrap();
    bytes
}

fn comment(packet: &EnhancedPacketBlock<'_>) -> String {
    let comment = packet.options.iter().find_map(|option| match option {
        EnhancedPacketOption::Comment(comment) => Some(comment.to_string()),
        _ => None,
    });
    comment.unwrap()
}

#[test]
fn every_node_is_an_interface_with_nanoseconds_and_raw_ip() {
    let run = eventful();
    let (interfaces, _) = read(capture(&run));
    let nodes: Vec<_> = run.lowered.simulator.node_ids().map(|node| run.place(Place::Node(node))).collect();
    assert_eq!(interfaces.len(), nodes.len());
    for (interface, node) in interfaces.iter().zip(nodes) {
        assert_eq!(interface.linktype, DataLink::RAW);
        assert!(interface.options.contains(&InterfaceDescriptionOption::IfName(node.into())));
        assert!(interface.options.contains(&InterfaceDescriptionOption::IfTsResol(9)));
    }
}

#[test]
fn packets_are_what_the_log_says_in_its_order() {
    let run = eventful();
    let (_, packets) = read(capture(&run));
    let mut packets = packets.iter();
    for record in run.log() {
        let Place::Node(node) = record.place else { continue };
        let expected = match &record.event {
            Event::Sent { datagram, .. }
            | Event::Delivered { datagram, .. }
            | Event::Duplicated { datagram, .. } => vec![datagram],
            Event::Forwarded { datagram, .. } => vec![datagram, datagram],
            Event::Translated { before, after, .. } => vec![before, after],
            _ => continue,
        };
        for datagram in expected {
            let packet = packets.find(|packet| !comment(packet).contains(": dropped [")).unwrap();
            assert_eq!(packet.interface_id as usize, node.index());
            assert_eq!(packet.timestamp.as_nanos(), u128::from(record.time.as_nanos()));
            assert_eq!(packet.data, wire::encode(datagram).unwrap());
        }
    }
    assert!(packets.all(|packet| comment(packet).contains(": dropped [")));
}

#[test]
fn every_drop_is_told_once_with_its_reason_and_entry() {
    let run = eventful();
    let (_, packets) = read(capture(&run));
    let comments: Vec<String> = packets.iter().map(comment).collect();
    let mut reasons = Vec::new();
    for record in run.log() {
        let Event::Dropped { reason, mapping, .. } = &record.event else { continue };
        reasons.push(reason.as_str());
        if let Some(mapping) = mapping {
            let entry = format!("entry {} = {}", mapping.internal, mapping.external);
            assert!(comments.iter().any(|comment| comment.contains("dropped [") && comment.contains(&entry)));
        }
    }
    for reason in &reasons {
        let text = format!("dropped [{reason}]");
        let told: usize = comments.iter().map(|comment| comment.matches(&text).count()).sum();
        assert_eq!(told, reasons.iter().filter(|other| *other == reason).count(), "{reason}");
    }
    for reason in ["filtered", "no-route", "loss"] {
        assert!(reasons.contains(&reason), "{reason}");
    }
}

#[test]
fn a_broken_sink_is_an_error() {
    let mut full: [u8; 100] = [0; 100];
    assert!(super::write(&eventful(), &mut full[..]).is_err());
}
