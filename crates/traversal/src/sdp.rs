//! SDP (RFC 8866) as WebRTC uses it: offers and answers (RFC 8829), ICE in them (RFC 8839), trickled candidates
//! (RFC 8840) and data channels (RFC 8841).
//!
//! A [`Description`] borrows from its text and keeps every line in order, those that mean nothing here too: what is
//! read can be written again. What is wrong has a place ([`ParseError`]). [`Local::offer`] and [`Local::answer`] make
//! the descriptions of one side; a trickled candidate is a [`Description`] of its own
//! ([`Description::parse_fragment`], [`Local::fragment`]).
//!
//! ```
//! use natbed_traversal::ice::Credentials;
//! use natbed_traversal::sdp::{Description, Local};
//!
//! let credentials = Credentials::new("8hhY", "asd88fgpdd777uzjYhagZg").unwrap();
//! let alice = Local::data_channel(1, &credentials, "sha-256 19:E2:1C:3B:4B:9F");
//! let text = alice.offer().to_string();
//!
//! let offer = Description::parse(&text)?;
//! let credentials = Credentials::new("9uB6", "YH75Fviy6338Vbrhrlp8Yh").unwrap();
//! let bob = Local::data_channel(2, &credentials, "sha-256 6B:8B:F0:65:5F:78");
//! let answer = bob.answer(&offer);
//! assert_eq!(answer.rejected(), 0);
//! assert!(answer.description.to_string().contains("a=setup:active\r\n"));
//! # Ok::<(), natbed_traversal::sdp::ParseError>(())
//! ```
//!
//! What it does not do: multicast and scheduled sessions beyond keeping their lines, SDP that is not UTF-8, several
//! transports (sections outside the first bundle are rejected), simulcast.

mod answer;
mod attribute;
mod codec;
mod description;
mod error;
mod ice;
mod local;
mod parse;
mod write;

pub use answer::{Answer, Rejection};
pub use attribute::{Attribute, Direction, Setup};
pub use codec::{Codec, Format};
pub use description::{Connection, Description, Line, Media, Origin};
pub use error::ParseError;
pub use ice::Options;
pub use local::{DataChannel, Local};

#[cfg(test)]
mod tests;
