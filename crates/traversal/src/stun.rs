//! STUN (RFC 8489): codec, integrity, transactions, and the Binding server with RFC 5780 behaviour discovery.

pub mod attribute;
pub mod builder;
pub mod client;
pub mod describe;
pub mod discovery;
pub mod integrity;
mod kind;
mod lookup;
pub mod message;
pub mod nonce;
pub mod server;

pub use attribute::{Attribute, AttributeType, ErrorCode};
pub use builder::Builder;
pub use client::{BindingClient, BindingEvent, BindingFailure, Schedule, Transactions};
pub use describe::{describe, is_channel_data, is_stun};
pub use integrity::{IntegrityError, Key, PasswordAlgorithm, userhash};
pub use message::{Class, Message, Method, ParseError, TransactionId};
pub use nonce::SecurityFeatures;
pub use server::BindingServer;

/// The value of every message's second word (RFC 8489 section 5).
pub const MAGIC_COOKIE: u32 = 0x2112_A442;
/// Length of the message header in octets (RFC 8489 section 5).
pub const HEADER_LEN: usize = 20;
/// The port of STUN and TURN servers over UDP and TCP (RFC 8489 section 18.6, RFC 8656 section 21).
pub const DEFAULT_PORT: u16 = 3478;

#[cfg(test)]
mod vectors;
