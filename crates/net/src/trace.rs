//! The event log: what happened, in order, typed. Every view (terminal, pcapng, explanation) is made from it alone.

use bytes::Bytes;
use natbed_nat::MappingView;
use natbed_packet::{Datagram, Endpoint, Timestamp};

use crate::fault::Fault;
use crate::node::{NetworkId, NodeId, ProgramId};

/// One line of the event log; `V` is what programs tell. Lines are ordered by (time, sequence).
#[derive(Clone, Debug)]
pub struct Record<V> {
    /// When it happened.
    pub time: Timestamp,
    /// Where.
    pub place: Place,
    /// What.
    pub event: Event<V>,
}

/// Where something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// On a host or NAT.
    Node(NodeId),
    /// On a network itself.
    Network(NetworkId),
}

/// A datagram's number in a run. It keeps it through NATs; a duplicate, a relayed copy, a fragment and what fragments
/// make have their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketId(pub u64);

/// Where a host sends a datagram first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextHop {
    /// The destination is on the host's own subnet: straight to this node.
    Direct(NodeId),
    /// It is not: to the router.
    Router(NodeId),
    /// To itself.
    Loopback,
    /// Out on the internet, or nowhere.
    Network,
}

/// Which way a datagram went through a NAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From inside to outside.
    Outbound,
    /// From outside to inside.
    Inbound,
    /// From inside back to inside.
    Hairpin,
}

impl Direction {
    /// `outbound`, `inbound` or `hairpin`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Outbound => "outbound",
            Self::Inbound => "inbound",
            Self::Hairpin => "hairpin",
        }
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event<V> {
    /// A host or router sent a datagram of its own.
    Sent {
        /// The datagram's number.
        packet: PacketId,
        /// The datagram.
        datagram: Datagram,
        /// The program that sent it; `None` for errors that hosts and routers report themselves.
        program: Option<ProgramId>,
        /// The datagram that it carries on, where a relay sent it.
        relays: Option<PacketId>,
        /// Where it goes first.
        next: NextHop,
    },
    /// A router passed a datagram on unchanged.
    Forwarded {
        /// The datagram's number.
        packet: PacketId,
        /// The datagram.
        datagram: Datagram,
        /// The firewall's entry that let it pass, if one had to.
        mapping: Option<MappingView>,
    },
    /// A NAT rewrote a datagram and passed it on.
    Translated {
        /// The datagram's number.
        packet: PacketId,
        /// The datagram as it came.
        before: Datagram,
        /// The datagram as it left.
        after: Datagram,
        /// Which way it went.
        direction: Direction,
        /// The table entry; for a hairpinned datagram the sender's. A static NAT has none.
        mapping: Option<MappingView>,
    },
    /// A link made a second copy of a datagram.
    Duplicated {
        /// The datagram's number.
        packet: PacketId,
        /// The copy's number.
        copy: PacketId,
        /// Both.
        datagram: Datagram,
    },
    /// A datagram was too big for the next link and cut into pieces.
    Fragmented {
        /// The datagram's number, whose end this is.
        packet: PacketId,
        /// Each piece with its number.
        fragments: Vec<(PacketId, Datagram)>,
    },
    /// A fragment waits: in a NAT for the first one of its datagram or for all, in a host for the others.
    Held {
        /// The fragment's number.
        packet: PacketId,
        /// The fragment.
        datagram: Datagram,
    },
    /// A host put a datagram together.
    Reassembled {
        /// The datagram's number.
        packet: PacketId,
        /// The datagram.
        datagram: Datagram,
        /// The pieces, whose end this is, in the order in which they came.
        fragments: Vec<PacketId>,
    },
    /// A datagram reached a program.
    Delivered {
        /// The datagram's number.
        packet: PacketId,
        /// The datagram as received.
        datagram: Datagram,
        /// The program.
        program: ProgramId,
    },
    /// A datagram came to its end.
    Dropped {
        /// The datagram's number.
        packet: PacketId,
        /// The datagram as it was then.
        datagram: Datagram,
        /// The rule that decided.
        reason: DropReason,
        /// The table entry that decided, where one did.
        mapping: Option<MappingView>,
    },
    /// A NAT made a table entry.
    MappingCreated {
        /// The entry.
        mapping: MappingView,
        /// The datagram that made it.
        packet: PacketId,
    },
    /// A table entry's time was over.
    MappingExpired {
        /// The entry as it was at its end; `expires` is when that was, which may be before this line.
        mapping: MappingView,
        /// Whether the NAT forgot it before its time: it was rebooted or lost the external address.
        forgotten: bool,
    },
    /// A datagram from inside permitted a remote to send to a mapping.
    FilterOpened {
        /// The entry.
        mapping: MappingView,
        /// The remote.
        remote: Endpoint,
        /// The datagram that opened it.
        packet: PacketId,
    },
    /// A fault struck.
    Fault(Fault),
    /// A program sent a message over the signaling path.
    Signaled {
        /// The message's number.
        number: u64,
        /// Who sent it.
        from: ProgramId,
        /// Who is to have it.
        to: ProgramId,
        /// What it says.
        message: Bytes,
    },
    /// The signaling server passed a message on.
    SignalPassed {
        /// The message's number.
        number: u64,
        /// Who sent it.
        from: ProgramId,
        /// Who is to have it.
        to: ProgramId,
        /// What it says.
        message: Bytes,
    },
    /// A message reached a program.
    SignalReceived {
        /// The message's number.
        number: u64,
        /// Who sent it.
        from: ProgramId,
        /// The program.
        program: ProgramId,
        /// What it says.
        message: Bytes,
    },
    /// A program has something to tell.
    Program {
        /// The program.
        program: ProgramId,
        /// What it tells.
        event: V,
    },
}

/// Why a datagram did not arrive: every reason there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// A NAT or firewall decided.
    Nat(natbed_nat::DropReason),
    /// The link is down.
    LinkDown,
    /// The link lost it.
    Loss,
    /// The link's queue has no room.
    QueueFull,
    /// It is larger than the link's MTU.
    TooBig,
    /// Its hop limit ran out.
    HopLimit,
    /// No way leads to the destination.
    NoRoute,
    /// The destination is on this subnet, and nobody there has it.
    NoSuchHost,
    /// It is addressed to a router, which runs no program.
    RouterItself,
    /// No program on the host listens there.
    NoListener,
    /// The socket that it is for has no room for more.
    ReceiveQueueFull,
    /// Other fragments of the datagram did not come in time.
    ReassemblyTimeout,
    /// The fragments of the datagram contradict each other.
    ReassemblyFailed,
    /// The host puts too many datagrams together.
    ReassemblyFull,
    /// The host has this fragment.
    FragmentKnown,
    /// The host is stopped.
    HostStopped,
    /// The sender has no interface with this source address.
    SourceNotOwn,
}

impl DropReason {
    /// The reason's name in the event log, in kebab case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nat(reason) => reason.as_str(),
            Self::LinkDown => "link-down",
            Self::Loss => "loss",
            Self::QueueFull => "queue-full",
            Self::TooBig => "too-big",
            Self::HopLimit => "hop-limit",
            Self::NoRoute => "no-route",
            Self::NoSuchHost => "no-such-host",
            Self::RouterItself => "router-itself",
            Self::NoListener => "no-listener",
            Self::ReceiveQueueFull => "receive-queue-full",
            Self::ReassemblyTimeout => "reassembly-timeout",
            Self::ReassemblyFailed => "reassembly-failed",
            Self::ReassemblyFull => "reassembly-full",
            Self::FragmentKnown => "fragment-known",
            Self::HostStopped => "host-stopped",
            Self::SourceNotOwn => "source-not-own",
        }
    }

    /// One sentence for people who meet the reason for the first time.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Nat(reason) => reason.explanation(),
            Self::LinkDown => "the link was down",
            Self::Loss => "the link lost it",
            Self::QueueFull => "the link was busy and its queue was full",
            Self::TooBig => "it is larger than the next link takes, and may not be fragmented",
            Self::HopLimit => "it had passed through too many routers",
            Self::NoRoute => "no route leads to its destination: the address is private, or nobody has it",
            Self::NoSuchHost => "nobody on the subnet has the address",
            Self::RouterItself => "it was addressed to the router itself, which runs no program",
            Self::NoListener => "no program on the host listens on the port",
            Self::ReceiveQueueFull => "the program reads too slowly, and its socket has no room for more",
            Self::ReassemblyTimeout => "other fragments of its datagram did not come in time",
            Self::ReassemblyFailed => "the fragments of its datagram do not fit together",
            Self::ReassemblyFull => "the host puts too many datagrams together, and gave up the oldest",
            Self::FragmentKnown => "the host has this fragment already",
            Self::HostStopped => "the host was stopped",
            Self::SourceNotOwn => "the sender no longer has the source address",
        }
    }
}
