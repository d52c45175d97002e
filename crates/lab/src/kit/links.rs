//! Links at random.

use std::time::Duration;

use natbed_net::LinkConfig;
use proptest::prelude::*;
use proptest::strategy::NewTree;
use proptest::test_runner::TestRunner;

use super::draw;
use super::simplify::{Simplify, Steps};

/// What links are like. They shrink towards the default link, field by field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// All of them have the default delay and no more.
    Plain,
    /// Delay and jitter.
    Sound,
    /// They lose up to one in twenty packets too, so that a path through four of them loses up to one in five.
    Lossy,
    /// Everything that a link can do to a packet: loss, duplicates and overtaking up to three in ten, low rates, short
    /// queues, small MTUs.
    Bad,
}

impl Strategy for Links {
    type Tree = Steps<LinkConfig>;
    type Value = LinkConfig;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let mut link = LinkConfig::default();
        if *self == Self::Plain {
            return Ok(Steps::new(link));
        }
        let (delay, jitter) = draw(&(0..=60_u64, 0..=20_u64), runner)?;
        link.delay = Duration::from_millis(delay);
        link.jitter = Duration::from_micros(jitter.min(delay) * 1000 + 500);
        let thousandths = |most: u32| (0..=most).prop_map(|count| f64::from(count) / 1000.0);
        match self {
            Self::Plain | Self::Sound => {}
            Self::Lossy => link.loss = draw(&thousandths(50), runner)?,
            Self::Bad => {
                let chances = (thousandths(299), thousandths(299), thousandths(299));
                (link.loss, link.duplicate, link.reorder) = draw(&chances, runner)?;
                let (rate, queue, mtu) = draw(&(64..2000_u64, 200..4000_u64, 100..1500_u16), runner)?;
                (link.rate, link.queue, link.mtu) = (Some(rate * 1000), Some(queue), mtu);
            }
        }
        Ok(Steps::new(link))
    }
}

impl Simplify for LinkConfig {
    fn simpler(&self) -> Vec<Self> {
        let (link, plain) = (*self, Self::default());
        let steps = [
            plain,
            Self { rate: plain.rate, queue: plain.queue, ..link },
            Self { mtu: plain.mtu, ..link },
            Self { reorder: plain.reorder, ..link },
            Self { duplicate: plain.duplicate, ..link },
            Self { jitter: plain.jitter, ..link },
            Self { delay: plain.delay, ..link },
            Self { loss: plain.loss, ..link },
            Self { reorder: rounder(link.reorder), ..link },
            Self { duplicate: rounder(link.duplicate), ..link },
            Self { loss: rounder(link.loss), ..link },
            Self { jitter: rounder_time(link.jitter), ..link },
            Self { delay: rounder_time(link.delay).max(plain.delay.min(link.delay)), ..link },
        ];
        steps.into_iter().filter(|step| *step != link).collect()
    }
}

/// A smaller probability with fewer digits: half of it, down to the last whole percent.
fn rounder(probability: f64) -> f64 {
    let percent = |value: f64| (value * 100.0).floor() / 100.0;
    if percent(probability) < probability { percent(probability) } else { percent(probability / 2.0) }
}

/// A smaller time with fewer digits: down to whole tens of milliseconds, then about half.
fn rounder_time(time: Duration) -> Duration {
    let tens =
        |time: Duration| Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or_default() / 10 * 10);
    if tens(time) < time { tens(time) } else { tens(time / 2) }
}
