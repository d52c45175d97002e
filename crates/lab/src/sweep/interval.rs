//! How sure a share is.

/// The 97.5th percentile of the normal distribution: two sides of 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// An interval that holds the true share in 95 of 100 sweeps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// Wilson's score interval of 95 % for `count` of `total`, by additions, products, quotients and one square root alone, which are
/// the same on every machine.
pub fn wilson(count: u64, total: u64) -> Interval {
    if total == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let total_f = total as f64;
    let share = count as f64 / total_f;
    let scale = 1.0 + Z * Z / total_f;
    let middle = (share + Z * Z / (2.0 * total_f)) / scale;
    let half = Z * (share * (1.0 - share) / total_f + Z * Z / (4.0 * total_f * total_f)).sqrt() / scale;
    Interval {
        low: if count == 0 { 0.0 } else { (middle - half).max(0.0) },
        high: if count == total { 1.0 } else { (middle + half).min(1.0) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_the_textbook() {
        // Newcombe 1998 (Statistics in Medicine 17), table I, method 3: the score method.
        for (count, total, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0000, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let found = wilson(count, total);
            let near = |a: f64, b: f64| (a - b).abs() < 0.000_06;
            assert!(near(found.low, low) && near(found.high, high), "{count} of {total}: {found:?}");
        }
    }

    #[test]
    fn ends_stay_ends() {
        assert_eq!(wilson(0, 5).low, 0.0);
        assert_eq!(wilson(5, 5).high, 1.0);
        assert_eq!(wilson(0, 0), Interval { low: 0.0, high: 1.0 });
    }
}
