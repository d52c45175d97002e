//! A NAT engine with every behaviour of RFC 4787, sans-IO and deterministic.

pub mod behavior;
pub mod presets;

pub use behavior::{Behavior, BehaviorError};
