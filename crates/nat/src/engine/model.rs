//! The engine against a reference that is too simple to be wrong: a list, scanned from end to end.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use natbed_packet::{Endpoint, Icmp, Protocol, Quoted};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rand::SeedableRng;

use super::*;
use crate::behavior::Fragments;
use crate::table::Limits;
use crate::{Flow, ReleasedFragment, Verdict};

mod bench;
mod choice;
mod connection;
mod draw;
mod errors;
mod fragments;
mod kind;
mod reference;
mod syns;
mod untabled;

use bench::Bench;
use draw::{behaviors, one_of, ops};
use fragments::Key;
use kind::{Kind, Packet, Piece, ends};
use reference::Model;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Op {
    /// A packet from an inside endpoint, or a fragment of one.
    Out {
        from: (u8, u16),
        to: Target,
        kind: Kind,
        cut: Option<Cut>,
    },
    /// A packet from a remote, or a fragment of one.
    In {
        from: (u8, u16),
        to: Target,
        kind: Kind,
        cut: Option<Cut>,
    },
    /// Another fragment of a datagram.
    Rest {
        which: usize,
        piece: Piece,
    },
    /// One fragment each of very many datagrams from inside.
    Flood {
        piece: Piece,
        count: u16,
    },
    /// A router outside reports an error about a packet from inside, or one inside about a packet from outside.
    Error {
        about: About,
        out: bool,
    },
    /// A segment between the ends of a TCP connection.
    Converse {
        which: usize,
        out: bool,
        kind: Kind,
    },
    Wait {
        millis: u64,
    },
    Timeout,
    Reboot,
    /// One external address goes or comes back.
    Repool {
        count: usize,
    },
}

#[derive(Clone, Debug)]
enum Target {
    Remote(u8, u16),
    /// The external endpoint of an entry.
    Entry(usize),
    /// Any port of the pool.
    Port(u8, u16),
    /// An endpoint inside.
    Host(u8, u16),
}

/// An identification and a piece: a fragment.
type Cut = (u16, Piece);

/// What an error is about.
#[derive(Clone, Debug)]
enum About {
    /// A packet that passed an entry's mapping, from or to its first remote.
    Entry(usize),
    /// A packet between an inside endpoint and a remote that was not translated.
    Flow((u8, u16), (u8, u16), Kind),
}

/// The ports of internal hosts: in most ranges and not, on either side of 1024.
const INTERNAL: [u16; 6] = [1014, 1021, 1023, 1024, 1027, 1033];

/// Datagrams in pieces that are remembered.
const CUT: usize = 8;

fn remote((host, port): (u8, u16)) -> Endpoint {
    Endpoint::v4(198, 51, 100, host, 3000 + port)
}

fn internal((host, port): (u8, u16)) -> Endpoint {
    Endpoint::v4(10, 0, 0, host, INTERNAL[usize::from(port)])
}

fn is_inside(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(ip) if ip.octets()[0] == 10)
}

fn pool(count: usize) -> Vec<IpAddr> {
    (1..=2).take(count).map(|host| Endpoint::v4(203, 0, 113, host, 0).ip).collect()
}

/// Why the random packets below are to be dropped: all that a NAT or firewall may find wrong with a packet whose
/// addresses are possible.
const REASONS: [DropReason; 15] = [
    DropReason::NoMapping,
    DropReason::Filtered,
    DropReason::Stray,
    DropReason::HairpinOff,
    DropReason::PortsExhausted,
    DropReason::TableFull,
    DropReason::Quota,
    DropReason::Rate,
    DropReason::SpoofedSource,
    DropReason::NotForUs,
    DropReason::Fragment,
    DropReason::FragmentTooEarly,
    DropReason::FragmentOverlap,
    DropReason::FragmentTimeout,
    DropReason::FragmentsFull,
];

/// Whatever a NAT does and whatever happens to it, the engine does what the reference does.
#[test]
fn the_engine_agrees_with_the_reference() {
    let config = ProptestConfig { cases: 20_000, ..ProptestConfig::with_source_file(file!()) };
    let cases = (behaviors(), any::<u64>(), proptest::collection::vec(ops(), 1..120));
    let reasons = RefCell::new(BTreeSet::new());
    let found = TestRunner::new(config).run(&cases, |(behavior, seed, ops)| {
        let mut bench = Bench::new(&behavior, seed);
        for op in &ops {
            bench.apply(op);
        }
        reasons.borrow_mut().append(&mut bench.reasons);
        Ok(())
    });
    if let Err(found) = found {
        panic!("{found}");
    }
    assert_eq!(reasons.into_inner(), BTreeSet::from(REASONS));
}
