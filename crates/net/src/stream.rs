//! Random streams: one for each node and purpose, so that adding a host, a fault or an observer changes no other draw.

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

/// The generator for `purpose` on the node called `name`, in a run with `seed`.
pub fn stream(seed: u64, name: &str, purpose: &str) -> Xoshiro256PlusPlus {
    let mut state = seed ^ 0xcbf2_9ce4_8422_2325;
    for byte in name.bytes().chain([0xff]).chain(purpose.bytes()) {
        state = mix(state ^ u64::from(byte));
    }
    Xoshiro256PlusPlus::seed_from_u64(state)
}

/// The finaliser of SplitMix64: a bijection in which every input bit reaches every output bit.
pub const fn mix(mut value: u64) -> u64 {
    value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
