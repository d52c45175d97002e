//! NAT types as they are written: a key for each axis of the NAT model.

use std::ops::Range;
use std::time::Duration;

use natbed_nat::Behavior;
use natbed_nat::behavior::{Axis, Destination, PortRange, Value as AxisValue, Values};
use serde_json::{Value as Json, json};
use toml::Spanned;

use super::leaf::{AnyNumber, read_whole};
use super::shape::{Field, Object, Reader, Shape, Value};
use super::spec::Optional;
use super::words::read_word;

/// A NAT type, by the axes of the NAT model.
pub(super) struct NatTypeSpec {
    /// The preset, grid code or nat-type that it starts from.
    pub(super) base: Optional<String>,
    /// The axes that are given, each with its value.
    axes: Vec<(&'static Axis, Spanned<AxisValue>)>,
}

const BASE: &str = "base";

impl NatTypeSpec {
    /// `base`, and the name of every axis.
    pub(super) const KEYS: &[&'static str] = &{
        let mut keys = [BASE; Behavior::AXES.len() + 1];
        let mut at = 0;
        while at < Behavior::AXES.len() {
            keys[at + 1] = Behavior::AXES[at].name;
            at += 1;
        }
        keys
    };

    /// `base` with the axes that are given here.
    pub(super) fn over(&self, base: &Behavior) -> Behavior {
        let mut behavior = base.clone();
        for (axis, value) in &self.axes {
            axis.set(&mut behavior, value.get_ref())
                .unwrap_or_else(|error| unreachable!("read as such: {error}"));
        }
        behavior
    }

    /// Where the key stands that [`natbed_nat::BehaviorError::field`] names.
    pub(super) fn span_of(&self, key: &str) -> Option<Range<usize>> {
        self.axes.iter().find(|(axis, _)| axis.name == key).map(|(_, value)| value.span())
    }
}

impl Shape for NatTypeSpec {
    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        const NOUN: &str = "a nat-type";
        let Some(table) = value.get_ref().as_table() else {
            reader.wrong_type(value, "a table", None);
            return None;
        };
        reader.unknown_keys(table, NOUN, Self::KEYS);
        let base = reader.field(table, value.span(), NOUN, BASE);
        let axes: Vec<_> = Behavior::AXES
            .iter()
            .filter_map(|axis| {
                let value = table.get(axis.name)?;
                let read = reader.under(axis.name, |reader| read_axis(axis, value, reader));
                Some(read.map(|read| (axis, Spanned::new(value.span(), read))))
            })
            .collect();
        Some(Self { base: base?, axes: axes.into_iter().collect::<Option<_>>()? })
    }

    fn schema() -> Json {
        let mut object = Object::new("A NAT type, by the axes of the NAT model.");
        let about = "The preset, grid code or nat-type that it starts from; default: port-restricted with random ports.";
        object.key(BASE, about, false, <Optional<String> as Field>::schema());
        for axis in Behavior::AXES {
            object.key(axis.name, axis.about, false, axis_schema(axis));
        }
        object.into_schema()
    }
}

fn read_axis(axis: &Axis, value: &Value<'_>, reader: &mut Reader) -> Option<AxisValue> {
    match axis.values {
        Values::Words(words) => read_word(value, reader, words, words).map(AxisValue::Word),
        Values::Switch => bool::read(value, reader).map(AxisValue::Switch),
        Values::Duration => Duration::read(value, reader).map(AxisValue::Duration),
        Values::Number(most) => {
            let number = read_whole(value, reader, 1..=most.into())?;
            u32::try_from(number).ok().map(AxisValue::Number)
        }
        Values::Ports => PortRange::read(value, reader).map(AxisValue::Ports),
        Values::Destinations => {
            let list = AnyNumber::<Destination>::read(value, reader)?;
            Some(AxisValue::Destinations(list.0.into_iter().map(Spanned::into_inner).collect()))
        }
    }
}

fn axis_schema(axis: &Axis) -> Json {
    match axis.values {
        Values::Words(words) => json!({ "enum": words }),
        Values::Switch => bool::schema(),
        Values::Duration => Duration::schema(),
        Values::Number(most) => json!({ "type": "integer", "minimum": 1, "maximum": most }),
        Values::Ports => PortRange::schema(),
        Values::Destinations => AnyNumber::<Destination>::schema(),
    }
}
