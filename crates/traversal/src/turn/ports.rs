//! Relayed ports, drawn at random (RFC 8656 section 7.2, RFC 6056).

use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;

/// "the server SHOULD only allocate ports from the range 49152 - 65535" (RFC 8656 section 7.2).
const FIRST: u16 = 49152;
const WORDS: u16 = 256;
/// Bits of even ports: the first port of the range is even.
const EVEN: u64 = 0x5555_5555_5555_5555;

/// The ports of one relay address that are free.
#[derive(Clone, Debug)]
pub(super) struct Ports {
    free: [u64; WORDS as usize],
}

/// Which port will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// Any.
    Any,
    /// An even one.
    Even,
    /// An even one whose next higher port is free too, which is taken with it.
    EvenPair,
}

impl Ports {
    pub(super) const fn new() -> Self {
        Self { free: [u64::MAX; WORDS as usize] }
    }

    /// Takes the first port that will do from a random one on (RFC 6056 section 3.3.1).
    pub(super) fn take(&mut self, want: Want, rng: &mut Xoshiro256PlusPlus) -> Option<u16> {
        let start = rng.random_range(0..WORDS * 64);
        let (first, offset) = (start / 64, start % 64);
        let from_offset = std::iter::once((first, u64::MAX << offset));
        let rest = (1..=WORDS).map(|step| ((first + step) % WORDS, u64::MAX));
        let (word, bits) = from_offset
            .chain(rest)
            .map(|(word, mask)| (word, self.fitting(word, want) & mask))
            .find(|&(_, bits)| bits != 0)?;
        let bit = bits.trailing_zeros();
        self.free[usize::from(word)] &= !(if want == Want::EvenPair { 0b11 } else { 0b1 } << bit);
        u16::try_from(bit).ok().map(|bit| FIRST + word * 64 + bit)
    }

    /// Gives a taken port back.
    pub(super) fn give_back(&mut self, port: u16) {
        let index = port - FIRST;
        self.free[usize::from(index / 64)] |= 1 << (index % 64);
    }

    /// The bits of `word` whose ports will do.
    fn fitting(&self, word: u16, want: Want) -> u64 {
        let free = self.free[usize::from(word)];
        match want {
            Want::Any => free,
            Want::Even => free & EVEN,
            Want::EvenPair => free & free >> 1 & EVEN,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng;

    use super::*;

    fn rng() -> Xoshiro256PlusPlus {
        Xoshiro256PlusPlus::seed_from_u64(7)
    }

    #[test]
    fn rfc8656_7_2_relayed_ports_are_49152_to_65535_and_each_is_taken_once() {
        let (mut ports, mut rng) = (Ports::new(), rng());
        let taken: BTreeSet<u16> = std::iter::from_fn(|| ports.take(Want::Any, &mut rng)).collect();
        assert_eq!(taken.len(), 16384);
        assert_eq!((taken.first(), taken.last()), (Some(&49152), Some(&65535)));
        ports.give_back(50_000);
        assert_eq!(ports.take(Want::Any, &mut rng), Some(50_000));
    }

    #[test]
    fn rfc8656_7_2_relayed_ports_are_randomised() {
        let (mut ports, mut rng) = (Ports::new(), rng());
        let taken: Vec<_> = (0..10).filter_map(|_| ports.take(Want::Any, &mut rng)).collect();
        assert!(taken.windows(2).filter(|pair| pair[1].abs_diff(pair[0]) > 64).count() > 5, "{taken:?}");
    }

    #[test]
    fn even_ports_and_pairs_run_out_exactly() {
        let (mut ports, mut rng) = (Ports::new(), rng());
        let even: Vec<_> = std::iter::from_fn(|| ports.take(Want::Even, &mut rng)).collect();
        assert_eq!(even.len(), 8192);
        assert!(even.iter().all(|port| port % 2 == 0));
        assert_eq!(ports.take(Want::EvenPair, &mut rng), None, "only odd ports are left");
        let mut ports = Ports::new();
        assert_eq!(std::iter::from_fn(|| ports.take(Want::EvenPair, &mut rng)).count(), 8192);
        assert_eq!(ports.take(Want::Any, &mut rng), None);
    }
}
