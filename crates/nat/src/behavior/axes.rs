//! The axes of a behaviour as a list, for what treats them all alike: readers of files, printers, generators.

use std::time::Duration;

use thiserror::Error;

use super::{Behavior, Destination, PortRange};

/// One axis of a NAT's behaviour.
///
/// ```
/// use natbed_nat::Behavior;
/// use natbed_nat::behavior::{Filtering, Value};
///
/// let axis = Behavior::axis("filtering").unwrap();
/// let mut behavior = Behavior::default();
/// axis.set(&mut behavior, &Value::Word("address-dependent")).unwrap();
/// assert_eq!(behavior.filtering, Filtering::AddressDependent);
/// assert_eq!(axis.get(&behavior), Some(Value::Word("address-dependent")));
/// ```
#[derive(Debug)]
pub struct Axis {
    /// Its name, in scenario spelling.
    pub name: &'static str,
    /// What it decides, in Markdown.
    pub about: &'static str,
    /// The values that it can have.
    pub values: Values,
    pub(super) get: fn(&Behavior) -> Option<Value>,
    pub(super) set: fn(&mut Behavior, &Value) -> Option<()>,
    pub(super) copy: fn(&Behavior, &mut Behavior),
}

/// The values that an axis can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// One of these words.
    Words(&'static [&'static str]),
    /// Yes or no.
    Switch,
    /// A duration.
    Duration,
    /// A number from 1 to this one.
    Number(u32),
    /// A range of ports.
    Ports,
    /// Any number of destinations.
    Destinations,
}

/// A value of an axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// For [`Values::Words`].
    Word(&'static str),
    /// For [`Values::Switch`].
    Switch(bool),
    /// For [`Values::Duration`].
    Duration(Duration),
    /// For [`Values::Number`].
    Number(u32),
    /// For [`Values::Ports`].
    Ports(PortRange),
    /// For [`Values::Destinations`].
    Destinations(Vec<Destination>),
}

/// A value is none that an axis can have.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{axis}` cannot be {value:?}")]
pub struct WrongValue {
    /// The axis, in scenario spelling.
    pub axis: &'static str,
    /// The value.
    pub value: Value,
}

impl Axis {
    /// Its value in `behavior`; `None` where it is left open, as a limit is that there is not.
    pub fn get(&self, behavior: &Behavior) -> Option<Value> {
        (self.get)(behavior)
    }

    /// Gives it `value` in `behavior`; whether that agrees with the other axes, [`Behavior::contradictions`] says.
    pub fn set(&self, behavior: &mut Behavior, value: &Value) -> Result<(), WrongValue> {
        (self.set)(behavior, value).ok_or_else(|| WrongValue { axis: self.name, value: value.clone() })
    }

    /// Makes it what it is in `other`.
    pub fn copy(&self, other: &Behavior, behavior: &mut Behavior) {
        (self.copy)(other, behavior);
    }
}

impl Behavior {
    /// The axis with this name in scenario spelling.
    pub fn axis(name: &str) -> Option<&'static Axis> {
        Self::AXES.iter().find(|axis| axis.name == name)
    }
}

/// A type that a field of [`Behavior`] may have.
pub(super) trait AxisType: Sized {
    /// The values of such a field.
    const VALUES: Values;

    /// The field as a value.
    fn value(&self) -> Option<Value>;

    /// The field with `value`, if it can have it.
    fn of(value: &Value) -> Option<Self>;
}

/// Makes a type the one that a variant of [`Values`] and [`Value`] stands for.
macro_rules! axis_types {
    ($($type:ty => $variant:ident $(($most:expr))?;)*) => {$(
        impl AxisType for $type {
            const VALUES: Values = Values::$variant $(($most))?;

            fn value(&self) -> Option<Value> {
                Some(Value::$variant((*self).into()))
            }

            fn of(value: &Value) -> Option<Self> {
                if let Value::$variant(value) = value { (*value).try_into().ok() } else { None }
            }
        }
    )*};
}

axis_types! {
    bool => Switch;
    Duration => Duration;
    u16 => Number(65_535);
    u32 => Number(u32::MAX);
    PortRange => Ports;
}

impl AxisType for Vec<Destination> {
    const VALUES: Values = Values::Destinations;

    fn value(&self) -> Option<Value> {
        Some(Value::Destinations(self.clone()))
    }

    fn of(value: &Value) -> Option<Self> {
        if let Value::Destinations(destinations) = value { Some(destinations.clone()) } else { None }
    }
}

impl<T: AxisType> AxisType for Option<T> {
    const VALUES: Values = T::VALUES;

    fn value(&self) -> Option<Value> {
        self.as_ref().and_then(T::value)
    }

    fn of(value: &Value) -> Option<Self> {
        T::of(value).map(Some)
    }
}

/// Declares the behaviour: its fields, what they are by default, and for each axis its name and what it decides.
macro_rules! axes {
    (
        $(#[doc = $doc:literal])* $name:ident { $(#[doc = $kind_doc:literal])* $kind:ident: $kind_type:ty = $kind_default:expr, }
        $($(#[doc = $about:literal])* $axis:literal $field:ident: $type:ty = $default:expr,)*
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $name {
            $(#[doc = $kind_doc])*
            pub $kind: $kind_type,
            $($(#[doc = $about])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $kind: $kind_default, $($field: $default,)* }
            }
        }

        impl $name {
            /// Every axis, in the order of the fields.
            pub const AXES: &[Axis] = &[$(Axis {
                name: $axis,
                about: concat!($($about),*),
                values: <$type as AxisType>::VALUES,
                get: |behavior| AxisType::value(&behavior.$field),
                set: |behavior, value| {
                    behavior.$field = AxisType::of(value)?;
                    Some(())
                },
                copy: |other, behavior| behavior.$field = other.$field.clone(),
            },)*];
        }
    };
}
pub(super) use axes;
