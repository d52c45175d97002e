//! What relays carry when some calls of many go through them.

/// Of which the peak is the quantile: it is exceeded one time in a thousand.
pub(super) const PEAK: f64 = 0.999;

/// The seconds of a month of 30 days.
const MONTH: f64 = 2_592_000.0;

/// Calls that stand at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// How many calls.
    pub calls: u64,
    /// What each side of a call sends, in bits per second.
    pub bitrate: u64,
}

impl Traffic {
    /// The most calls that a load is computed for.
    pub const MOST_CALLS: u64 = 1_000_000_000;
}

impl Default for Traffic {
    /// A thousand calls of 1 Mbit/s.
    fn default() -> Self {
        Self { calls: 1000, bitrate: 1_000_000 }
    }
}

/// What the relays have to carry, and send on: they receive as much as they send.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// The share of the calls that stand which are relayed; `None` if none stands.
    pub share: Option<f64>,
    /// Relayed calls, on average.
    pub mean_calls: f64,
    /// Relayed calls that are exceeded one time in a thousand.
    pub peak_calls: u64,
    /// What relays send for the average number of calls, in bits per second.
    pub mean_bits_per_second: f64,
    /// The same for the peak number.
    pub peak_bits_per_second: f64,
    /// What they send in 30 days, in octets.
    pub monthly_bytes: f64,
}

impl Load {
    /// The load of `traffic` where `relayed` of `connected` calls go through `hops` relays in all: one each, or two where
    /// both sides have one in the path.
    ///
    /// Every relay of a call receives what each of the two sides sends, and sends it on: twice the bitrate.
    pub fn new(traffic: Traffic, relayed: u64, connected: u64, hops: u64) -> Self {
        let share = (connected > 0).then(|| relayed as f64 / connected as f64);
        let per_call = match relayed {
            0 => 0.0,
            relayed => 2.0 * traffic.bitrate as f64 * (hops as f64 / relayed as f64),
        };
        let mean_calls = share.unwrap_or(0.0) * traffic.calls as f64;
        let peak_calls = binomial_quantile(traffic.calls, share.unwrap_or(0.0), PEAK);
        Self {
            share,
            mean_calls,
            peak_calls,
            mean_bits_per_second: mean_calls * per_call,
            peak_bits_per_second: peak_calls as f64 * per_call,
            monthly_bytes: mean_calls * per_call * MONTH / 8.0,
        }
    }
}

/// The smallest `k` that at least `quantile` of a binomial distribution of `trials` with probability `p` is at or below.
///
/// The weights are those of the distribution relative to its mode, each from its neighbour by a product and a quotient: no
/// logarithm, no factorial, and so the same on every machine.
fn binomial_quantile(trials: u64, p: f64, quantile: f64) -> u64 {
    if p <= 0.0 || trials == 0 {
        return 0;
    }
    if p >= 1.0 {
        return trials;
    }
    let odds = p / (1.0 - p);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to `trials`")]
    let mode = (((trials as f64 + 1.0) * p) as u64).min(trials);
    let up = |k: u64| (trials - k) as f64 / (k + 1) as f64 * odds;
    let down = |k: u64| k as f64 / (trials - k + 1) as f64 / odds;
    let (mut lowest, mut weight, mut below) = (mode, 1.0, 0.0);
    while lowest > 0 && weight > NEGLIGIBLE {
        weight *= down(lowest);
        lowest -= 1;
        below += weight;
    }
    let (mut k, mut weight, mut above) = (mode, 1.0, 0.0);
    while k < trials && weight > NEGLIGIBLE {
        weight *= up(k);
        k += 1;
        above += weight;
    }
    let wanted = quantile * (below + 1.0 + above);
    let (mut k, mut weight, mut sum) = (mode, 1.0, below + 1.0);
    if sum < wanted {
        while k < trials && sum < wanted {
            weight *= up(k);
            k += 1;
            sum += weight;
        }
        return k;
    }
    while k > 0 && sum - weight >= wanted {
        sum -= weight;
        weight *= down(k);
        k -= 1;
    }
    k
}

/// Weights below this part of the largest change no sum.
const NEGLIGIBLE: f64 = 1e-20;

#[cfg(test)]
mod tests {
    use super::*;

    /// By the definition, for few trials.
    fn by_definition(trials: u64, p: f64, quantile: f64) -> u64 {
        let choose = |k: u64| (0..k).fold(1.0, |product, i| product * (trials - i) as f64 / (i + 1) as f64);
        let mut sum = 0.0;
        for k in 0..=trials {
            let power = |base: f64, times: u64| (0..times).fold(1.0, |product, _| product * base);
            sum += choose(k) * power(p, k) * power(1.0 - p, trials - k);
            if sum >= quantile {
                return k;
            }
        }
        trials
    }

    #[test]
    fn quantiles_are_those_of_the_definition() {
        for trials in [1, 2, 7, 40] {
            for p in [0.001, 0.1, 0.217, 0.5, 0.9, 0.999] {
                for quantile in [0.01, 0.5, 0.999] {
                    let found = binomial_quantile(trials, p, quantile);
                    assert_eq!(found, by_definition(trials, p, quantile), "{trials} {p} {quantile}");
                }
            }
        }
    }

    #[test]
    fn many_trials_are_near_the_normal_distribution() {
        // Mean 250,000, standard deviation 433.01, and the 99.9th percentile is 3.0902 of them away.
        let found = binomial_quantile(1_000_000, 0.25, 0.999);
        assert!(found.abs_diff(251_338) <= 2, "{found}");
        assert_eq!(binomial_quantile(10, 0.0, 0.999), 0);
        assert_eq!(binomial_quantile(10, 1.0, 0.999), 10);
    }

    #[test]
    fn a_relay_sends_what_both_sides_send() {
        let traffic = Traffic { calls: 100, bitrate: 1_000_000 };
        let load = Load::new(traffic, 20, 100, 20);
        assert_eq!((load.share, load.mean_calls), (Some(0.2), 20.0));
        assert_eq!(load.mean_bits_per_second, 40e6);
        assert_eq!(load.monthly_bytes, 40e6 * 2_592_000.0 / 8.0);
        assert!(load.peak_calls > 30 && load.peak_calls < 36, "{load:?}");
        let double = Load::new(traffic, 20, 100, 40);
        assert_eq!(double.mean_bits_per_second, 80e6);
        let none = Load::new(traffic, 0, 0, 0);
        assert_eq!((none.share, none.peak_calls, none.monthly_bytes), (None, 0, 0.0));
    }
}
