//! Links: what happens to a datagram between a node and its network, each direction by itself.

use std::time::Duration;

use natbed_packet::Timestamp;
use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::trace::DropReason;

/// A link's properties, the same in both directions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkConfig {
    /// Time from one end to the other.
    pub delay: Duration,
    /// The delay varies uniformly by up to this much either way (not below zero); packets may overtake each other.
    pub jitter: Duration,
    /// Probability that a datagram is lost, 0 to 1.
    pub loss: f64,
    /// Capacity in bits a second; unlimited if `None`.
    pub rate: Option<u64>,
    /// Octets that may wait where `rate` is exceeded; unlimited if `None`.
    pub queue: Option<u64>,
    /// Largest datagram in octets, IP header included.
    pub mtu: u16,
    /// Probability that a datagram arrives twice, 0 to 1.
    pub duplicate: f64,
    /// Probability that a datagram skips the delay and overtakes those before it, 0 to 1.
    pub reorder: f64,
}

impl Default for LinkConfig {
    /// 10 ms, 1500 octets, nothing else.
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(10),
            jitter: Duration::ZERO,
            loss: 0.0,
            rate: None,
            queue: None,
            mtu: 1500,
            duplicate: 0.0,
            reorder: 0.0,
        }
    }
}

/// What a link does with one datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It arrives then, and a copy of it too where there is one.
    Deliver { at: Timestamp, copy: Option<Timestamp> },
    /// It does not.
    Drop(DropReason),
}

/// Which way over a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the node to its network.
    Up,
    /// From the network to the node.
    Down,
}

/// A link: what a plain one needs, and the rest.
pub(crate) struct Link {
    /// In nanoseconds.
    delay: u64,
    /// What a link has that is not plain, or was not once: apart, so that plain ones take little room in the cache.
    rest: Option<Box<Rest>>,
    mtu: u16,
    /// Nothing but delay and MTU: no draw, no queue.
    plain: bool,
    up: bool,
}

struct Rest {
    config: LinkConfig,
    ways: [Direction; 2],
}

/// What is under way on one direction of a link, and its dice.
struct Direction {
    idle_at: Timestamp,
    rng: Xoshiro256PlusPlus,
}

impl Link {
    /// A link. `rngs` makes the random streams of both its directions, up and down, if it is to draw anything.
    pub(crate) fn new(config: LinkConfig, rngs: impl FnOnce() -> [Xoshiro256PlusPlus; 2]) -> Self {
        let mut link = Self { delay: 0, rest: None, mtu: 0, plain: true, up: true };
        link.configure(config, rngs);
        link
    }

    #[inline]
    pub(crate) fn mtu(&self) -> u16 {
        self.mtu
    }

    pub(crate) fn set_up(&mut self, up: bool) {
        self.up = up;
    }

    /// Gives it other properties; as [`Link::new`], unless it has its streams already.
    pub(crate) fn configure(&mut self, config: LinkConfig, rngs: impl FnOnce() -> [Xoshiro256PlusPlus; 2]) {
        (self.delay, self.mtu) = (nanos(config.delay), config.mtu);
        self.plain = is_plain(&config);
        match &mut self.rest {
            Some(rest) => rest.config = config,
            None if self.plain => {}
            None => {
                let ways = rngs().map(|rng| Direction { idle_at: Timestamp::ZERO, rng });
                self.rest = Some(Box::new(Rest { config, ways }));
            }
        }
    }

    /// When a datagram of `size` octets arrives that is put on the link at `now`; `None` where that takes more than a sum
    /// to say, or it does not.
    #[inline]
    pub(crate) fn arrival(&self, now: Timestamp, size: usize) -> Option<Timestamp> {
        let fits = size <= usize::from(self.mtu);
        (self.plain & self.up & fits)
            .then(|| Timestamp::from_nanos(now.as_nanos().saturating_add(self.delay)))
    }

    /// Decides about a datagram of `size` octets that is put on the link at `now`.
    pub(crate) fn transmit(&mut self, way: Way, now: Timestamp, size: usize) -> Verdict {
        if !self.up {
            return Verdict::Drop(DropReason::LinkDown);
        }
        if size > usize::from(self.mtu) {
            return Verdict::Drop(DropReason::TooBig);
        }
        match self.rest.as_deref_mut().filter(|_| !self.plain) {
            Some(Rest { config, ways }) => ways[way as usize].transmit(config, now, size as u64),
            None => Verdict::Deliver { at: now + Duration::from_nanos(self.delay), copy: None },
        }
    }
}

impl Direction {
    fn transmit(&mut self, config: &LinkConfig, now: Timestamp, size: u64) -> Verdict {
        let Some(sent) = self.serialise(config, now, size) else {
            return Verdict::Drop(DropReason::QueueFull);
        };
        if self.chance(config.loss) {
            return Verdict::Drop(DropReason::Loss);
        }
        let copy = self.chance(config.duplicate).then(|| self.arrival(config, sent));
        Verdict::Deliver { at: self.arrival(config, sent), copy }
    }

    /// When the last bit has left, or `None` where the queue has no room.
    fn serialise(&mut self, config: &LinkConfig, now: Timestamp, size: u64) -> Option<Timestamp> {
        let Some(rate) = config.rate else { return Some(now) };
        let start = self.idle_at.max(now);
        let waiting = (start - now).as_nanos() * u128::from(rate) / 8_000_000_000;
        let fits = |queue: u64| waiting == 0 || waiting + u128::from(size) <= u128::from(queue);
        if !config.queue.is_none_or(fits) {
            return None;
        }
        let nanos = u128::from(size) * 8_000_000_000 / u128::from(rate.max(1));
        self.idle_at = start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        Some(self.idle_at)
    }

    fn arrival(&mut self, config: &LinkConfig, sent: Timestamp) -> Timestamp {
        if self.chance(config.reorder) {
            return sent;
        }
        let LinkConfig { delay, jitter, .. } = *config;
        if jitter.is_zero() {
            return sent + delay;
        }
        let span = u64::try_from(2 * jitter.as_nanos()).unwrap_or(u64::MAX);
        let extra = Duration::from_nanos(self.rng.random_range(0..=span));
        sent + (delay + extra).saturating_sub(jitter)
    }

    fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.rng.random_bool(probability.min(1.0))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn is_plain(config: &LinkConfig) -> bool {
    config.jitter.is_zero()
        && config.loss <= 0.0
        && config.rate.is_none()
        && config.duplicate <= 0.0
        && config.reorder <= 0.0
}
