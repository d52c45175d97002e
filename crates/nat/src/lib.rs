//! A NAT engine with every behaviour of RFC 4787, sans-IO and deterministic.
//!
//! A [`Nat`] stands between an inside and an outside interface. It owns no socket and reads no clock: packets and the
//! time come in as arguments, and each packet comes back rewritten, or dropped with a reason. The same calls with the
//! same seed give the same result anywhere.
//!
//! ```
//! use natbed_nat::{Config, DropReason, Nat, Outcome, presets};
//! use natbed_packet::{Datagram, Endpoint, Timestamp};
//! use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};
//!
//! let config = Config {
//!     behavior: presets::lookup("port-restricted").unwrap().behavior,
//!     external: vec!["203.0.113.1".parse().unwrap()],
//!     internal: vec!["192.168.1.0/24".parse().unwrap()],
//! };
//! let mut nat = Nat::new(config, Xoshiro256PlusPlus::seed_from_u64(1)).unwrap();
//! let now = Timestamp::ZERO;
//!
//! // Alice sends to a server, which sees her from the NAT's external address.
//! let alice = Endpoint::v4(192, 168, 1, 10, 5000);
//! let server = Endpoint::v4(198, 51, 100, 1, 3478);
//! let mut request = Datagram::udp(alice, server, b"hello"[..].into());
//! assert!(matches!(nat.outbound(now, &mut request), Outcome::Outside(forward) if forward.created));
//! let seen = request.source_endpoint().unwrap();
//! assert_eq!(seen, Endpoint::v4(203, 0, 113, 1, 5000));
//!
//! // The server's answer gets in; a stranger's packet to the same external endpoint does not.
//! let mut answer = Datagram::udp(server, seen, b"hi"[..].into());
//! assert!(matches!(nat.inbound(now, &mut answer), Outcome::Inside(_)));
//! assert_eq!(answer.destination_endpoint(), Some(alice));
//! let mut knock = Datagram::udp(Endpoint::v4(198, 51, 100, 2, 3478), seen, b"knock"[..].into());
//! let Outcome::Drop(drop) = nat.inbound(now, &mut knock) else { panic!() };
//! assert_eq!(drop.reason, DropReason::Filtered);
//! println!("{}", drop.reason.explanation());
//! ```
//!
//! # What it does
//!
//! [`Behavior`] has a field for each axis of RFC 4787 and its neighbours; [`presets`] names the usual combinations.
//! UDP, TCP and ICMP echo are translated, each in a port space of its own, by the same mapping and filtering. A TCP
//! mapping lives as long as its connections, which are followed through opening, closing and reset (RFC 7857 section
//! 2). ICMP errors follow the mapping of the packet that they quote (RFC 5508). Mappings end exactly at their
//! deadline, with or without [`Nat::handle_timeout`]. [`Nat::snapshot`] shows the table.
//!
//! Fragments are dropped, follow the first one of their datagram, which alone shows its ports, or are held until that or
//! all are there, as [`behavior::Fragments`] says. Those held come out of [`Nat::poll_fragment`], which is to be asked
//! after every call.
//!
//! A NAT with a handful of mappings takes less than a kilobyte, one with millions about 60 octets for each. For large
//! tables [`Nat::outbound_batch`] and [`Nat::inbound_batch`] overlap the cache misses of many packets.
//!
//! # What it does not do
//!
//! It sends nothing: [`Drop::reply`] and
//! [`Nat::poll_reply`] say which ICMP error the caller should send, and a TCP connection that has been idle for too
//! long is not probed before it is forgotten. It does not count hop limits or route: the caller does, and calls it
//! for what crosses from one side to the other. TCP windows are taken as they stand in the segment, without scaling.

mod address;
mod basic;
mod batch;
pub mod behavior;
mod datagram;
mod engine;
mod exempt;
mod expiry;
mod filter;
mod fragments;
mod hairpin;
mod icmp;
mod nat_type;
mod outcome;
mod packet;
mod pool;
mod ports;
#[doc(hidden)]
pub mod prefetch;
pub mod presets;
mod rate;
mod session;
mod slots;
mod table;
mod tcp;
mod timers;
mod translator;
mod view;

pub use batch::{Flow, Verdict};
pub use behavior::{Behavior, BehaviorError};
pub use engine::{Config, ConfigError, Nat};
pub use nat_type::NatType;
pub use outcome::{Drop, DropReason, Forward, HeldFragment, LateReply, MappingId, Outcome, ReleasedFragment};
pub use view::{Event, MappingView, Permitted, Remote};
