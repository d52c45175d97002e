//! A NAT engine with every behaviour of RFC 4787, sans-IO and deterministic.

mod address;
mod basic;
mod batch;
pub mod behavior;
mod datagram;
mod engine;
mod expiry;
mod filter;
mod hairpin;
mod icmp;
mod outcome;
mod pool;
mod ports;
pub mod presets;
mod session;
mod table;
mod translator;
mod view;

pub use batch::{Flow, Verdict};
pub use behavior::{Behavior, BehaviorError};
pub use engine::{Config, ConfigError, Nat};
pub use outcome::{Drop, DropReason, Forward, MappingId, Outcome};
pub use view::{Event, MappingView, Permitted, Remote};
