//! Virtual time for stacks that count in `std::time::Instant`, and seeded randomness for those that draw from
//! fastrand's generator of the thread.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use natbed_packet::Timestamp;

/// Time zero of every run. Only differences from it are ever looked at.
#[expect(
    clippy::disallowed_methods,
    reason = "an Instant cannot be made otherwise; results hold no trace of it"
)]
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Times beyond this are never.
const HORIZON: Duration = Duration::from_secs(10 * 365 * 86_400);

/// `now` as the stacks have it.
pub(crate) fn instant(now: Timestamp) -> Instant {
    *EPOCH + Duration::from_nanos(now.as_nanos())
}

/// The virtual time of `instant`; `None` where it stands for never.
pub(crate) fn timestamp(instant: Instant) -> Option<Timestamp> {
    let since = instant.saturating_duration_since(*EPOCH);
    (since < HORIZON).then(|| Timestamp::ZERO + since)
}

/// A stack's own state of the thread's generator, in place while the stack is called.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Calls `act`; whatever it draws comes from here, and nothing else is disturbed.
    pub(crate) fn around<R>(&mut self, act: impl FnOnce() -> R) -> R {
        let outside = fastrand::get_seed();
        fastrand::seed(self.0);
        let result = act();
        self.0 = fastrand::get_seed();
        fastrand::seed(outside);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_there_and_back() {
        for nanos in [0, 1, 39_500_000_000] {
            let time = Timestamp::ZERO + Duration::from_nanos(nanos);
            assert_eq!(timestamp(instant(time)), Some(time));
        }
        assert_eq!(timestamp(instant(Timestamp::ZERO) + 2 * HORIZON), None);
    }

    #[test]
    fn dice_follow_their_seed_and_leave_the_thread_alone() {
        let roll = |dice: &mut Dice| dice.around(|| fastrand::u64(..));
        let (mut one, mut other) = (Dice::new(7), Dice::new(7));
        fastrand::seed(1);
        let first = roll(&mut one);
        assert_eq!(first, roll(&mut other));
        assert_ne!(first, roll(&mut one), "a second roll goes on where the first ended");
        let after = fastrand::u64(..);
        fastrand::seed(1);
        assert_eq!(after, fastrand::u64(..));
    }
}
