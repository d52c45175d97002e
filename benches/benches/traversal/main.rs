//! STUN, TURN and ICE by themselves, without a network.
//!
//! - [`stun`]: a connectivity check of 108 octets (USERNAME, PRIORITY, ICE-CONTROLLING, MESSAGE-INTEGRITY, FINGERPRINT)
//!   is parsed; parsed and its integrity and fingerprint verified; built with both. The peers are `stun-types` and
//!   crate `is`; each has its key at hand in the form that it can cache.
//! - [`relay`]: one datagram of 64 octets goes from a client through its channel to a peer, and the next one back, with
//!   1 and with 10,000 allocations on the server that take turns. The peer is `turn-server-proto`.
//! - [`agents`]: two ICE agents with two host candidates each, from nothing until both have a selected pair; every message
//!   arrives at once. The peer is crate `is`.

mod agents;
mod relay;
mod stun;

use natbed_benches::Bench;

fn main() {
    let mut bench = Bench::new();
    stun::measure(&mut bench);
    agents::measure(&mut bench);
    relay::measure(&mut bench);
    bench.finish();
}
