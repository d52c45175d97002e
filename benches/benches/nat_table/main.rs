//! The NAT table beside what a user would write instead.
//!
//! Work: access to a table of n mappings, each with one permitted remote, in an order where all are alike, and for
//! `zipf` in one where the k-th most frequent comes up in proportion to 1/k. Every mapping has let a reply in before.
//! `miss` is a packet from a remote that nobody has sent to. `insert` fills the table, `expiry` ends all its mappings
//! at once. `mixed` is 45 % outbound, 45 % inbound, 5 % that open a mapping and 5 % misses.
//!
//! `natbed` does all that a NAT does (checks, look-up, filter, expiry); `single` rewrites a datagram, `batched` takes
//! 256 flows a call. The peers look up and compare: a table keyed by formatted strings, as the virtual networks of pion
//! and webrtc-rs key theirs, `std`'s map of socket addresses, and hashbrown with a packed key; they are given the
//! external endpoint of a new mapping, and which mappings end. `floor` only reads one line of memory for each packet,
//! that of its mapping: what no table can beat. Where it has no row of its own it is that of `outbound`.
//!
//! Ratios come last, on stderr: of the fastest tenth of all stretches of 16,384 packets, which is what other work on
//! the machine disturbs least. With `NATBED_BENCH_HUGE` in the environment there is a table of ten million mappings
//! too, without the strings. What the tables weigh is measured by `nat_memory`.

mod measure;
mod peers;
mod subjects;
mod work;

use measure::Stopwatch;
use peers::{Packed, Std, Strings};
use work::{Kind, Work};

const SIZES: [u32; 4] = [10, 100, 10_000, 1_000_000];
const HUGE: u32 = 10_000_000;

fn main() {
    let mut stopwatch = Stopwatch::new();
    let huge = std::env::var_os("NATBED_BENCH_HUGE").map(|_| HUGE);
    for size in SIZES.into_iter().chain(huge) {
        for kind in Kind::ALL {
            let work = Work::new(kind, size);
            subjects::natbed(&mut stopwatch, &work);
            subjects::floor(&mut stopwatch, &work);
            if size < HUGE {
                subjects::peer::<Strings>(&mut stopwatch, &work);
            }
            subjects::peer::<Std>(&mut stopwatch, &work);
            subjects::peer::<Packed>(&mut stopwatch, &work);
        }
    }
    stopwatch.finish();
}
