//! Durations, sizes and rates as scenario files spell them: a decimal number, an optional space, a unit.

use std::time::Duration;

use thiserror::Error;

/// The longest duration that a scenario may name: a year.
pub const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// The largest size that a scenario may name, in octets: 1 TiB.
pub const LARGEST: u64 = 1 << 40;
/// The highest rate that a scenario may name, in bits per second: 1 Tbit/s.
pub const FASTEST: u64 = 1_000_000_000_000;

/// A unit and how many of the smallest one it is.
type Unit = (&'static str, u64);

const DURATIONS: &[Unit] = &[
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
];
const SIZES: &[Unit] = &[("B", 1), ("kB", 1_000), ("KiB", 1 << 10), ("MB", 1_000_000), ("MiB", 1 << 20)];
const RATES: &[Unit] = &[("kbit/s", 1_000), ("Mbit/s", 1_000_000), ("Gbit/s", 1_000_000_000)];

/// Why a text is not a quantity.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QuantityError {
    /// There is no number at the start.
    #[error("no number in front of a unit")]
    Number,
    /// The number is negative.
    #[error("it cannot be negative")]
    Negative,
    /// There is a number and nothing else.
    #[error("the unit is missing; it is one of {0}")]
    NoUnit(String),
    /// The unit is not one of the listed.
    #[error("the unit is one of {0}")]
    Unit(String),
    /// The quantity is not a whole number of the smallest unit.
    #[error("it is not a whole number of {0}")]
    Fraction(&'static str),
    /// The quantity is more than fits.
    #[error("it is more than {0}")]
    TooMuch(String),
}

/// Reads a duration: `20 ms`, `1.5 s`, `2min`. Units: ns us ms s min h.
///
/// # Errors
/// A [`QuantityError`] for any other text, and for more than [`LONGEST`].
pub fn parse_duration(text: &str) -> Result<Duration, QuantityError> {
    let nanos = parse(text, DURATIONS, "nanoseconds")?;
    let duration = nanos.map(Duration::from_nanos).filter(|&duration| duration <= LONGEST);
    duration.ok_or_else(|| QuantityError::TooMuch(print_duration(LONGEST)))
}

/// Reads a size in octets: `64 KiB`. Units: B kB KiB MB MiB.
///
/// # Errors
/// A [`QuantityError`] for any other text, and for more than [`LARGEST`].
pub fn parse_size(text: &str) -> Result<u64, QuantityError> {
    let size = parse(text, SIZES, "octets")?.filter(|&size| size <= LARGEST);
    size.ok_or_else(|| QuantityError::TooMuch(print_size(LARGEST)))
}

/// Reads a rate in bits per second: `10 Mbit/s`. Units: kbit/s Mbit/s Gbit/s.
///
/// # Errors
/// A [`QuantityError`] for any other text, and for more than [`FASTEST`].
pub fn parse_rate(text: &str) -> Result<u64, QuantityError> {
    let rate = parse(text, RATES, "bits per second")?.filter(|&rate| rate <= FASTEST);
    rate.ok_or_else(|| QuantityError::TooMuch(print_rate(FASTEST)))
}

/// Writes a duration in the largest unit that needs no fraction, zero as `0 s`.
pub fn print_duration(duration: Duration) -> String {
    match u64::try_from(duration.as_nanos()) {
        Ok(0) => "0 s".to_owned(),
        Ok(nanos) => print(nanos, DURATIONS),
        Err(_) => format!("{} s", duration.as_secs()),
    }
}

/// Writes a size in the largest unit that needs no fraction.
pub fn print_size(octets: u64) -> String {
    print(octets, SIZES)
}

/// Writes a rate in the largest unit that needs no fraction; one that none fits gets a fraction of kbit/s.
pub fn print_rate(bits: u64) -> String {
    if bits.is_multiple_of(1_000) {
        return print(bits, RATES);
    }
    let fraction = format!("{:03}", bits % 1_000);
    format!("{}.{} kbit/s", bits / 1_000, fraction.trim_end_matches('0'))
}

fn print(value: u64, units: &[Unit]) -> String {
    let fits = |&&(_, factor): &&Unit| value >= factor && value.is_multiple_of(factor);
    let &(unit, factor) = units.iter().rev().find(fits).unwrap_or(&units[0]);
    format!("{} {unit}", value / factor)
}

/// The quantity in the smallest unit; `Ok(None)` when it does not fit.
fn parse(text: &str, units: &[Unit], smallest: &'static str) -> Result<Option<u64>, QuantityError> {
    let text = text.trim();
    let positive = text.strip_prefix(['-', '\u{2212}']);
    let rest = positive.unwrap_or(text);
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let (number, unit) = (&rest[..end], rest[end..].trim_start());
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return Err(QuantityError::Number);
    }
    if positive.is_some() {
        return Err(QuantityError::Negative);
    }
    let list = || units.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    if unit.is_empty() {
        return Err(QuantityError::NoUnit(list()));
    }
    let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
        return Err(QuantityError::Unit(list()));
    };
    scale(whole, fraction, *factor).ok_or(QuantityError::Fraction(smallest))
}

/// `whole.fraction * factor`: `None` when that is not an integer, `Some(None)` when it does not fit.
fn scale(whole: &str, fraction: &str, factor: u64) -> Option<Option<u64>> {
    let fraction = fraction.trim_end_matches('0');
    let digits = u32::try_from(fraction.len()).ok().filter(|&digits| digits <= 18)?;
    let fraction: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let (product, unit) = (fraction * u128::from(factor), 10u128.pow(digits));
    if !product.is_multiple_of(unit) {
        return None;
    }
    let whole = whole.parse::<u128>().ok().and_then(|whole| whole.checked_mul(u128::from(factor)));
    let sum = whole.and_then(|whole| whole.checked_add(product / unit));
    Some(sum.and_then(|sum| u64::try_from(sum).ok()))
}

#[cfg(test)]
mod tests;
