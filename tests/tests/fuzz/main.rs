//! No bytes, file or packet makes anything panic: what is real is mutated and fed to everything that reads.
//!
//! Every round has a seed of its own, one above the last, and is the same on every machine. `NATBED_FUZZ_SEED` is the
//! first (a failure names its own: replay it as the first), and `NATBED_FUZZ_SECONDS` goes on for so long instead of
//! for a fixed number of rounds.

mod config;
mod descriptions;
mod messages;
mod mutate;
mod packets;
mod texts;

use std::time::{Duration, Instant};

use natbed_packet::Timestamp;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus as Generator;

/// Does the rounds and tells how many there were. A round says whether it got deep: past what only reads.
#[expect(clippy::disallowed_methods, reason = "a fuzzer is told by its environment how long to go on")]
fn fuzz(name: &str, rounds: u64, mut round: impl FnMut(&mut Generator) -> bool) {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("NATBED_FUZZ_SEED").unwrap_or(1);
    let limit = number("NATBED_FUZZ_SECONDS").map(Duration::from_secs);
    let start = Instant::now();
    let (mut done, mut deep) = (0, 0);
    while limit.map_or(done < rounds, |limit| start.elapsed() < limit) {
        let seed = first.wrapping_add(done);
        let _told = Replay { name, seed };
        deep += u64::from(round(&mut Generator::seed_from_u64(seed)));
        done += 1;
    }
    let elapsed = start.elapsed().as_secs_f64();
    println!("{name}: {done} rounds ({deep} deep) in {elapsed:.1} s, {:.0} a second", done as f64 / elapsed);
    assert!(done < 100 || deep > done / 50, "{name}: {deep} of {done} rounds are deep");
}

/// Tells how to replay a round that panics.
struct Replay<'a> {
    name: &'a str,
    seed: u64,
}

impl Drop for Replay<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { name, seed } = self;
            eprintln!("{name}: replay with NATBED_FUZZ_SEED={seed} cargo test -p natbed-tests --test fuzz");
        }
    }
}

fn below(rng: &mut Generator, limit: usize) -> usize {
    rng.random_range(0..u32::try_from(limit).unwrap_or(u32::MAX).max(1)) as usize
}

fn pick<'a, T>(rng: &mut Generator, from: &'a [T]) -> &'a T {
    &from[below(rng, from.len())]
}

fn some<T>(rng: &mut Generator, value: T) -> Option<T> {
    rng.random_ratio(1, 3).then_some(value)
}

/// Mostly a little later, at times much later, at times earlier.
fn moved(rng: &mut Generator, now: Timestamp) -> Timestamp {
    let step = match rng.random_range(0..16) {
        0 => return Timestamp::from_nanos(now.as_nanos() / 2),
        1 => rng.random_range(0..1 << 43),
        _ => rng.random_range(0..1_000_000_000),
    };
    Timestamp::from_nanos(now.as_nanos().saturating_add(step))
}
