//! The values that keys take: texts, numbers, quantities, addresses and lists of them.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use natbed_nat::behavior::{Destination, DestinationSyntax, PortRange, PortRangeSyntax};
use natbed_packet::{Family, Prefix, PrefixError};
use serde_json::{Value as Json, json};
use toml::Spanned;
use toml::de::DeValue;

use super::resolved::Retransmission;
use super::shape::{Reader, Shape, Value};
use crate::diagnose::{Diagnostic, quoted};
use crate::quantity::{self, QuantityError};

impl Shape for String {
    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        reader.text(value, "a string").map(str::to_owned)
    }

    fn schema() -> Json {
        json!({ "type": "string" })
    }
}

impl Shape for bool {
    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        let read = value.get_ref().as_bool();
        if read.is_none() {
            reader.wrong_type(value, "a boolean", None);
        }
        read
    }

    fn schema() -> Json {
        json!({ "type": "boolean" })
    }
}

/// An integer from `MIN` to `MAX`.
#[derive(Clone, Copy)]
pub(super) struct Whole<const MIN: i64, const MAX: i64>(pub(super) i64);

impl<const MIN: i64, const MAX: i64> Whole<MIN, MAX> {
    /// The number as a type that holds every number from `MIN` to `MAX`.
    pub(super) fn fit<T: TryFrom<i64>>(self) -> T {
        T::try_from(self.0).unwrap_or_else(|_| unreachable!("{MIN} to {MAX} fit into the type"))
    }
}

impl<const MIN: i64, const MAX: i64> Shape for Whole<MIN, MAX> {
    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        read_whole(value, reader, MIN..=MAX).map(Self)
    }

    fn schema() -> Json {
        json!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}

/// The integer of `range` in `value`.
pub(super) fn read_whole(value: &Value<'_>, reader: &mut Reader, range: RangeInclusive<i64>) -> Option<i64> {
    let Some(integer) = value.get_ref().as_integer() else {
        reader.wrong_type(value, "an integer", None);
        return None;
    };
    let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
    let fits = number.filter(|number| range.contains(number));
    if fits.is_none() {
        let (least, most) = range.into_inner();
        let most = if most == i64::MAX { "2^63 - 1".to_owned() } else { most.to_string() };
        out_of_range(value, reader, &integer.to_string(), &format!("an integer from {least} to {most}"));
    }
    fits
}

/// A port number; 0 cannot be sent to.
pub(super) type Port = Whole<1, 65_535>;

/// The largest datagram of a link in octets: at least the 68 that every link takes (RFC 791).
pub(super) type Mtu = Whole<68, 65_535>;

/// A probability.
#[derive(Clone, Copy)]
pub(super) struct Probability(pub(super) f64);

impl Shape for Probability {
    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        let text = match value.get_ref() {
            DeValue::Float(float) => float.as_str().to_owned(),
            DeValue::Integer(integer) => integer.to_string(),
            _ => {
                reader.wrong_type(value, "a number from 0 to 1", None);
                return None;
            }
        };
        let fits = text.parse::<f64>().ok().filter(|number| (0.0..=1.0).contains(number));
        if fits.is_none() {
            out_of_range(value, reader, &text, "a probability from 0 to 1");
        }
        // Adding zero makes a negative zero positive.
        fits.map(|number| Self(number + 0.0))
    }

    fn schema() -> Json {
        json!({ "type": "number", "minimum": 0, "maximum": 1 })
    }
}

fn out_of_range(value: &Value<'_>, reader: &mut Reader, found: &str, expected: &str) {
    let message = format!("{} is {}, which is not {expected}", reader.key(), quoted(found));
    let problem = Diagnostic::new("out-of-range", value.span(), message);
    reader.problems.push(problem.label(format!("expected {expected}")));
}

impl Shape for Duration {
    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        read_quantity(value, reader, ("a duration", "20 ms"), quantity::parse_duration)
    }

    fn schema() -> Json {
        json!({ "type": "string", "pattern": r"^\d+(\.\d+)? *(ns|us|ms|s|min|h)$" })
    }
}

/// A size in octets.
#[derive(Clone, Copy)]
pub(super) struct Size(pub(super) Option<u64>);

impl Shape for Size {
    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        read_quantity(value, reader, ("a size", "64 KiB"), |text| limit(text, quantity::parse_size)).map(Self)
    }

    fn schema() -> Json {
        json!({ "type": "string", "pattern": r"^(\d+(\.\d+)? *(B|kB|KiB|MB|MiB)|unlimited)$" })
    }
}

/// A rate in bits per second.
#[derive(Clone, Copy)]
pub(super) struct Rate(pub(super) Option<u64>);

impl Shape for Rate {
    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        read_quantity(value, reader, ("a rate", "10 Mbit/s"), |text| limit(text, quantity::parse_rate))
            .map(Self)
    }

    fn schema() -> Json {
        json!({ "type": "string", "pattern": r"^(\d+(\.\d+)? *[kMG]bit/s|unlimited)$" })
    }
}

/// The spelling of a limit that does not limit.
pub(super) const UNLIMITED: &str = "unlimited";

fn limit(text: &str, parse: fn(&str) -> Result<u64, QuantityError>) -> Result<Option<u64>, QuantityError> {
    if text == UNLIMITED { Ok(None) } else { parse(text).map(Some) }
}

fn read_quantity<T>(
    value: &Value<'_>,
    reader: &mut Reader,
    (kind, example): (&str, &str),
    parse: impl Fn(&str) -> Result<T, QuantityError>,
) -> Option<T> {
    let help = format!("write a number and a unit, such as `\"{example}\"`");
    let Some(text) = value.get_ref().as_str() else {
        reader.wrong_type(value, kind, Some(help));
        return None;
    };
    parse(text)
        .map_err(|error| {
            let message = format!("{} is {}, which is not {kind}", reader.key(), quoted(text));
            let problem = Diagnostic::new("invalid-quantity", value.span(), message);
            reader.problems.push(problem.label(error.to_string()).help(help));
        })
        .ok()
}

impl Shape for IpAddr {
    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(value, "an IP address")?;
        parsed(text, value, reader, "an IP address", |_: &std::net::AddrParseError| {
            Some("write it as `203.0.113.7` or `2001:db8::7`".to_owned())
        })
    }

    fn schema() -> Json {
        json!({ "type": "string", "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }] })
    }
}

impl Shape for Prefix {
    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(value, "a subnet")?;
        parsed(text, value, reader, "a subnet", |error: &PrefixError| match error {
            PrefixError::HostBits(network) => Some(format!("did you mean `{network}`?")),
            PrefixError::Syntax | PrefixError::Length(_) => None,
        })
    }

    fn schema() -> Json {
        json!({ "type": "string", "pattern": r"^[0-9a-fA-F.:]+/\d{1,3}$" })
    }
}

/// `text` by its `FromStr`; an error is reported with its own words beside the caret.
pub(super) fn parsed<T: FromStr>(
    text: &str,
    value: &Value<'_>,
    reader: &mut Reader,
    kind: &str,
    help: impl Fn(&T::Err) -> Option<String>,
) -> Option<T>
where
    T::Err: std::fmt::Display,
{
    let report = |error: T::Err| {
        let message = format!("{} is {}, which is not {kind}", reader.key(), quoted(text));
        let problem = Diagnostic::new("invalid-value", value.span(), message);
        reader.problems.push(problem.label(error.to_string()).help(help(&error)));
    };
    text.parse().map_err(report).ok()
}

/// One value, or a list of at least `LEAST`.
pub(super) struct Listed<T, const LEAST: usize>(pub(super) Vec<Spanned<T>>);

/// One value or a list of several.
pub(super) type OneOrMany<T> = Listed<T, 1>;
/// One value or a list, which may be empty.
pub(super) type AnyNumber<T> = Listed<T, 0>;

impl<T: Shape, const LEAST: usize> Shape for Listed<T, LEAST> {
    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        let Some(array) = value.get_ref().as_array() else {
            return Some(Self(vec![Spanned::new(value.span(), T::read(value, reader)?)]));
        };
        if array.len() < LEAST {
            let message = format!("{} is an empty list", reader.key());
            let problem = Diagnostic::new("empty-list", value.span(), message);
            reader.problems.push(
                problem.label("expected at least one").help("leave the key out for the default".to_owned()),
            );
            return None;
        }
        let before = reader.problems.len();
        let read = |value: &Value<'_>| Some(Spanned::new(value.span(), T::read(value, reader)?));
        let list = array.iter().filter_map(read).collect();
        (reader.problems.len() == before).then_some(Self(list))
    }

    fn schema() -> Json {
        let one = T::schema();
        json!({ "anyOf": [one, { "type": "array", "minItems": LEAST, "items": one }] })
    }
}

impl Shape for PortRange {
    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(value, "a port range")?;
        parsed(text, value, reader, "a port range", |_: &PortRangeSyntax| None)
    }

    fn schema() -> Json {
        json!({ "type": "string", "pattern": r"^\d{1,5} *- *\d{1,5}$" })
    }
}

impl Shape for Destination {
    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        const KIND: &str = "a destination";
        let text = reader.text(value, KIND)?;
        let hint = |error: &DestinationSyntax| match error {
            DestinationSyntax::Subnet(PrefixError::HostBits(network)) => {
                Some(format!("did you mean `{network}`?"))
            }
            _ => Some("write it as `198.51.100.0/24`, `198.51.100.1` or `198.51.100.1:80`".to_owned()),
        };
        let read: Self = parsed(text, value, reader, KIND, hint)?;
        if read.prefix.family() == Family::V6 {
            let message = format!("{} has {}, which is IPv6", reader.key(), quoted(text));
            let problem = Diagnostic::new("invalid-value", value.span(), message);
            reader.problems.push(problem.label("IPv6 is never translated, and needs no exemption"));
            return None;
        }
        Some(read)
    }

    fn schema() -> Json {
        json!({ "type": "string", "pattern": r"^\d{1,3}(\.\d{1,3}){3}(/\d{1,2})?(:\d{1,5})?$" })
    }
}

/// The version of the format of scenario files.
pub(super) struct Format;

impl Shape for Format {
    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        let Some(integer) = value.get_ref().as_integer() else {
            reader.wrong_type(value, "an integer", Some("write `format = 1`".to_owned()));
            return None;
        };
        if integer.as_str() == "1" {
            return Some(Self);
        }
        let message = format!("the file is of format {}", quoted(&integer.to_string()));
        let problem = Diagnostic::new("unsupported-format", value.span(), message);
        reader.problems.push(problem.label("this natbed reads format 1"));
        None
    }

    fn schema() -> Json {
        json!({ "const": 1 })
    }
}

/// The spelling of [`Retransmission::Rfc8445`].
pub(super) const RFC8445: &str = "rfc8445";

impl Shape for Retransmission {
    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        if value.get_ref().as_str() == Some(RFC8445) {
            return Some(Self::Rfc8445);
        }
        let fixed = Duration::read(value, reader)?;
        if fixed >= Duration::from_millis(500) {
            return Some(Self::Fixed(fixed));
        }
        let found = quantity::print_duration(fixed);
        out_of_range(value, reader, &found, "500 ms or more (RFC 8445 section 14.3)");
        None
    }

    fn schema() -> Json {
        json!({ "anyOf": [{ "const": RFC8445 }, Duration::schema()] })
    }
}
