//! Every STUN message and ChannelData of real runs, read by the other side.

use std::collections::BTreeMap;
use std::path::Path;

use natbed_lab::run::{Options, run};
use natbed_lab::scenario::parse;
use natbed_net::trace::Event;
use natbed_packet::Transport;
use natbed_traversal::stun::{Message, is_channel_data, is_stun};
use natbed_traversal::turn::ChannelData;
use stun_types::attribute::Attribute as _;

/// How many messages of each kind they have read.
#[derive(Default)]
struct Seen {
    messages: BTreeMap<u16, u32>,
    channel_data: u32,
}

impl Seen {
    fn read(&mut self, payload: &[u8]) {
        if is_channel_data(payload) {
            let ours = ChannelData::parse(payload).unwrap();
            let theirs = turn_types::channel::ChannelData::parse(payload).unwrap();
            assert_eq!((ours.number, ours.data), (theirs.id(), theirs.data()));
            self.channel_data += 1;
            self.read(ours.data);
        } else if is_stun(payload) {
            let theirs = stun_types::message::Message::from_bytes(payload).unwrap();
            let ours = Message::parse(payload).unwrap();
            assert_eq!(ours.transaction_id().0, u128::from(theirs.transaction_id()).to_be_bytes()[4..]);
            let attributes =
                theirs.iter_attributes().map(|(_, raw)| (raw.get_type().value(), raw.value.to_vec()));
            let own = ours.raw_attributes().map(|(kind, value)| (kind.0, value.to_vec()));
            assert!(own.eq(attributes), "{ours:?} is {theirs}");
            *self.messages.entry(u16::from_be_bytes([payload[0], payload[1]])).or_default() += 1;
        }
    }
}

/// A relayed connection that is held, so that consent goes through its channel.
const HELD: &str = "format = 1\n[turn.t]\n[nat.a]\ntype = \"symmetric\"\n[nat.b]\ntype = \"symmetric\"\n\
                    [host.alice]\nbehind = \"a\"\n[host.bob]\nbehind = \"b\"\n\
                    [[connect]]\nfrom = \"alice\"\nto = \"bob\"\nexpect = \"relay\"\nhold = \"15 min\"\n";

#[test]
fn they_read_every_message_of_every_scenario() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let scenarios = paths.filter(|path| path.extension().is_some_and(|end| end == "toml"));
    let texts = scenarios.map(|path| std::fs::read(path).unwrap()).chain([HELD.as_bytes().to_vec()]);
    let mut seen = Seen::default();
    for text in texts {
        let run = run(&parse(&text).unwrap(), &Options { log: true, ..Options::default() }).unwrap();
        for record in run.log() {
            if let Event::Sent { datagram, .. } = &record.event
                && let Transport::Udp(udp) = &datagram.transport
            {
                seen.read(&udp.payload);
            }
        }
    }
    // Binding, Allocate, Refresh, CreatePermission, ChannelBind with their responses; 401; Send and Data.
    let kinds = [
        0x0001, 0x0101, 0x0003, 0x0103, 0x0113, 0x0004, 0x0104, 0x0008, 0x0108, 0x0009, 0x0109, 0x0016,
        0x0017,
    ];
    for kind in kinds {
        assert!(
            seen.messages.contains_key(&kind),
            "no message of type {kind:#06x} in {:04x?}",
            seen.messages
        );
    }
    assert!(seen.channel_data > 100, "{} ChannelData", seen.channel_data);
}
