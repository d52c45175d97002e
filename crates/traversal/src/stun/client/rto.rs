//! The retransmission timeout, estimated from round trips (RFC 8489 section 6.2.1, RFC 6298).

use std::net::IpAddr;
use std::time::Duration;

use natbed_packet::Timestamp;

/// "The value SHOULD be considered stale and discarded if no transactions have occurred to the same server in the last 10
/// minutes" (RFC 8489 section 6.2.1).
const STALE: Duration = Duration::from_secs(600);
/// "a 1 ms accuracy SHOULD be maintained" (RFC 8489 section 6.2.1).
const ACCURACY: Duration = Duration::from_millis(1);

/// What is known of the round trips to servers, "based on equality of IP address" (RFC 8489 section 6.2.1).
#[derive(Clone, Debug, Default)]
pub struct RtoCache {
    /// A client has few.
    servers: Vec<(IpAddr, Estimate)>,
}

/// The state of RFC 6298 section 2 for one server.
#[derive(Clone, Copy, Debug)]
struct Estimate {
    smoothed: Duration,
    variation: Duration,
    /// When the last transaction ended.
    used: Timestamp,
}

impl RtoCache {
    /// The timeout to begin a transaction with `server` with: what the round trips tell, and `least` at the least.
    pub fn rto(&self, now: Timestamp, server: IpAddr, least: Duration) -> Duration {
        let known = self.servers.iter().find(|known| known.0 == server).map(|known| &known.1);
        let fresh = known.filter(|estimate| now.since(estimate.used) <= STALE);
        fresh.map_or(least, |estimate| estimate.rto().max(least))
    }

    /// Takes note that a transaction with `server` has ended. `round_trip` is `None` where there was no response or the
    /// request was sent more than once: "RTT estimates SHOULD NOT be computed from STUN transactions that result in the
    /// retransmission of a request" (Karn's algorithm).
    pub fn note(&mut self, now: Timestamp, server: IpAddr, round_trip: Option<Duration>) {
        self.servers.retain(|(known, estimate)| *known != server || now.since(estimate.used) <= STALE);
        let known = self.servers.iter_mut().find(|known| known.0 == server).map(|known| &mut known.1);
        match (known, round_trip) {
            (Some(estimate), Some(round_trip)) => {
                estimate.take(round_trip);
                estimate.used = now;
            }
            (Some(estimate), None) => estimate.used = now,
            (None, Some(round_trip)) => {
                self.servers.push((server, Estimate::first(now, round_trip)));
            }
            (None, None) => {}
        }
    }
}

impl Estimate {
    /// "SRTT <- R, RTTVAR <- R/2" (RFC 6298 section 2.2).
    fn first(now: Timestamp, round_trip: Duration) -> Self {
        Self { smoothed: round_trip, variation: round_trip / 2, used: now }
    }

    /// "RTTVAR <- 3/4 * RTTVAR + 1/4 * |SRTT - R'|, SRTT <- 7/8 * SRTT + 1/8 * R'" (RFC 6298 section 2.3).
    fn take(&mut self, round_trip: Duration) {
        self.variation = (self.variation * 3 + self.smoothed.abs_diff(round_trip)) / 4;
        self.smoothed = (self.smoothed * 7 + round_trip) / 8;
    }

    /// "RTO <- SRTT + max (G, K*RTTVAR) where K = 4" (RFC 6298 section 2.2), in whole milliseconds.
    fn rto(&self) -> Duration {
        let rto = self.smoothed + (self.variation * 4).max(ACCURACY);
        Duration::from_millis(u64::try_from(rto.as_nanos().div_ceil(ACCURACY.as_nanos())).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));
    const LEAST: Duration = Duration::from_millis(500);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn rfc8489_6_2_1_rto_is_estimated_from_round_trips_and_never_below_the_least() {
        let (mut cache, now) = (RtoCache::default(), Timestamp::ZERO);
        assert_eq!(cache.rto(now, SERVER, LEAST), LEAST);
        cache.note(now, SERVER, Some(ms(50)));
        assert_eq!(cache.rto(now, SERVER, LEAST), LEAST, "150 ms is too little");
        // The first: R + 4 * R/2. Then SRTT 400 - 50 + 100, RTTVAR (600 + 400) / 4: 450 + 4 * 250.
        let mut cache = RtoCache::default();
        cache.note(now, SERVER, Some(ms(400)));
        assert_eq!(cache.rto(now, SERVER, LEAST), ms(1200));
        cache.note(now, SERVER, Some(ms(800)));
        assert_eq!(cache.rto(now, SERVER, LEAST), ms(1450));
        // The same address on another port is the same server, another address is not.
        assert_eq!(cache.rto(now, IpAddr::from([198, 51, 100, 2]), LEAST), LEAST);
        // A path that never varies still has the accuracy of the clock above it, rounded up.
        for _ in 0..200 {
            cache.note(now, SERVER, Some(Duration::from_micros(700_100)));
        }
        assert_eq!(cache.rto(now, SERVER, LEAST), ms(702));
    }

    #[test]
    fn rfc8489_6_2_1_retransmitted_requests_give_no_estimate() {
        let (mut cache, now) = (RtoCache::default(), Timestamp::ZERO);
        cache.note(now, SERVER, None);
        assert_eq!(cache.rto(now, SERVER, LEAST), LEAST);
        cache.note(now, SERVER, Some(ms(400)));
        cache.note(now, SERVER, None);
        assert_eq!(cache.rto(now, SERVER, LEAST), ms(1200));
    }

    #[test]
    fn rfc8489_6_2_1_rto_is_stale_ten_minutes_after_the_last_transaction() {
        let mut cache = RtoCache::default();
        let at = Timestamp::from_secs;
        cache.note(at(0), SERVER, Some(ms(400)));
        assert_eq!(cache.rto(at(600), SERVER, LEAST), ms(1200));
        assert_eq!(cache.rto(at(601), SERVER, LEAST), LEAST);
        // A transaction keeps it fresh even if it tells nothing.
        cache.note(at(600), SERVER, None);
        assert_eq!(cache.rto(at(1200), SERVER, LEAST), ms(1200));
        // What is stale has no part in the next estimate.
        cache.note(at(1801), SERVER, Some(ms(1000)));
        assert_eq!(cache.rto(at(1801), SERVER, LEAST), ms(3000));
    }
}
