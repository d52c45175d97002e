//! Other people's ICE stacks as agents on the virtual network, behind one feature each.
//!
//! | Feature and agent | Stack | Gathers |
//! | --- | --- | --- |
//! | `is` | [`is`](https://docs.rs/is), the ICE crate of str0m | through `natbed-traversal` |
//! | `rice` | [`rice-proto`](https://docs.rs/rice-proto) | itself |
//! | `webrtc` | [`str0m`](https://docs.rs/str0m): SDP, ICE, DTLS, SCTP, data channels | through `natbed-traversal` |
//!
//! Put [`registry`] where `natbed-lab` reads, runs or tabulates scenarios, and `agent = "is"` is an agent:
//!
//! ```
//! # #[cfg(feature = "is")] {
//! use natbed_lab::matrix::Matrix;
//! use natbed_lab::run::Outcome;
//!
//! let registry = natbed_adapters::registry();
//! let matrix = Matrix::run_with(&["symmetric".to_owned()], &[], 1, ["native", "is"], &registry).unwrap();
//! assert!(matrix.cells().all(|(_, _, cell)| cell.outcome == Outcome::Relay));
//! # }
//! ```
//!
//! A stack is left as it is: what it finds out and decides is its own. Around it stands the same [`guest`](self) for
//! all: it hands datagrams, messages and time in and out, gathers where the stack does not, and reads the checks that go
//! by, so that the event log tells of them in the words it has for `native`.
//!
//! It does not: change the servers or the role of a stack while it runs, or move its sockets, when the host's address
//! changes, for stacks that cannot be told.

#[cfg(any(feature = "is", feature = "rice", feature = "webrtc"))]
mod book;
#[cfg(any(feature = "is", feature = "webrtc"))]
mod clock;
#[cfg(any(feature = "is", feature = "rice", feature = "webrtc"))]
mod gather;
#[cfg(any(feature = "is", feature = "rice", feature = "webrtc"))]
mod guest;
#[cfg(feature = "is")]
mod is_ice;
#[cfg(any(feature = "is", feature = "rice", feature = "webrtc"))]
mod observe;
#[cfg(feature = "rice")]
mod rice;
#[cfg(any(feature = "is", feature = "rice", feature = "webrtc"))]
mod stack;
#[cfg(any(feature = "is", feature = "rice", feature = "webrtc"))]
mod tunnel;
#[cfg(feature = "webrtc")]
mod webrtc;

use natbed_lab::peer::Registry;

/// The agents that this crate was built with.
pub fn registry() -> Registry {
    #[cfg_attr(
        not(any(feature = "is", feature = "rice", feature = "webrtc")),
        expect(unused_mut, reason = "no stack")
    )]
    let mut registry = Registry::new();
    #[cfg(feature = "is")]
    registry.add("is", is_ice::agent);
    #[cfg(feature = "rice")]
    registry.add("rice", rice::agent);
    #[cfg(feature = "webrtc")]
    registry.add_with_channels("webrtc", webrtc::agent);
    registry
}
