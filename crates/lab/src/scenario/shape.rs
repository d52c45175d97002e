//! The shape of a scenario file: tables declared once, from which come both the reader and the JSON Schema.

use std::ops::Range;

use serde_json::{Value as Json, json};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::spec::{IceSpec, LinkFields, NatTypeSpec, ScenarioSpec};
use crate::diagnose::{Diagnostic, did_you_mean, quoted};

/// A TOML value and its place.
pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// A type that a TOML value can be read as.
pub(super) trait Shape: Sized {
    /// Reads `value`; on `None` at least one problem has been reported.
    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self>;

    /// The JSON Schema of such a value.
    fn schema() -> Json;
}

/// A type that a key of a table can have: what may be absent, and what an absent one means.
pub(super) trait Field: Sized {
    /// Whether the key has to be there.
    const REQUIRED: bool = false;

    /// Reads the key's value.
    fn read(value: Option<&Value<'_>>, reader: &mut Reader) -> Option<Self>;

    /// The JSON Schema of the key's value.
    fn schema() -> Json;
}

/// What collects the problems of the pass.
#[derive(Default)]
pub(super) struct Reader {
    /// What is wrong so far.
    pub(super) problems: Vec<Diagnostic>,
    key: &'static str,
}

impl Reader {
    /// The key whose value is being read, in backquotes.
    pub(super) fn key(&self) -> String {
        quoted(self.key)
    }

    /// Reports that `value` is of another type than expected.
    pub(super) fn wrong_type(&mut self, value: &Value<'_>, expected: &str, help: Option<String>) {
        let found = match value.get_ref() {
            DeValue::Integer(_) => "an integer",
            DeValue::Array(_) => "an array",
            DeValue::String(_) => "a string",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Table(_) => "a table",
        };
        let message = format!("{} is {found}, not {expected}", self.key());
        let problem = Diagnostic::new("wrong-type", value.span(), message);
        self.problems.push(problem.label(format!("expected {expected}")).help(help));
    }

    /// The string in `value`; anything else is reported.
    pub(super) fn text<'v>(&mut self, value: &'v Value<'_>, expected: &str) -> Option<&'v str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(value, expected, None);
        }
        text
    }

    /// Reads the keys of `table` that `keys` does not list as problems. `noun` is what the table describes.
    pub(super) fn unknown_keys(&mut self, table: &DeTable<'_>, noun: &str, keys: &[&'static str]) {
        for key in table.keys().filter(|key| !keys.iter().any(|known| known == key.get_ref())) {
            let message = format!("{} is not a key of {noun}", quoted(key.get_ref()));
            let near = did_you_mean(key.get_ref(), keys.iter().copied());
            let help = if let Some(home) = home_of(key.get_ref(), noun) {
                format!("it is a key of {home}")
            } else if let Some(near) = near {
                format!("did you mean `{near}`?")
            } else {
                format!("the keys here are `{}`", keys.join("`, `"))
            };
            self.problems
                .push(Diagnostic::new("unknown-key", key.span(), message).label("unknown key").help(help));
        }
    }

    /// Reads the value of `key` in `table` as a `T`.
    pub(super) fn field<T: Field>(
        &mut self,
        table: &DeTable<'_>,
        span: Range<usize>,
        noun: &str,
        key: &'static str,
    ) -> Option<T> {
        let value = table.get(key);
        if value.is_none() && T::REQUIRED {
            let problem = Diagnostic::new("missing-key", span, format!("{noun} needs the key `{key}`"));
            let help = (key == "format").then(|| "begin the file with `format = 1`".to_owned());
            self.problems.push(problem.label(format!("`{key}` is missing")).help(help));
            return None;
        }
        self.under(key, |reader| T::read(value, reader))
    }

    /// What `read` makes of the value of `key`.
    pub(super) fn under<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.key, key);
        let read = read(self);
        self.key = outer;
        read
    }
}

/// Declares a table: its keys, their types, and what they mean.
macro_rules! table {
    ($noun:literal; $(#[doc = $doc:literal])* $name:ident {
        $($(#[doc = $about:literal])* $key:literal $field:ident: $type:ty,)*
    }) => {
        $(#[doc = $doc])*
        pub(super) struct $name {
            $($(#[doc = $about])* pub(super) $field: $type,)*
        }

        impl $name {
            pub(super) const KEYS: &[&'static str] = &[$($key),*];
        }

        impl $crate::scenario::shape::Shape for $name {
            fn read(
                value: &$crate::scenario::shape::Value<'_>,
                reader: &mut $crate::scenario::shape::Reader,
            ) -> Option<Self> {
                let Some(table) = value.get_ref().as_table() else {
                    reader.wrong_type(value, "a table", None);
                    return None;
                };
                reader.unknown_keys(table, $noun, Self::KEYS);
                $(let $field = reader.field(table, value.span(), $noun, $key);)*
                Some(Self { $($field: $field?),* })
            }

            fn schema() -> serde_json::Value {
                let about = [$($doc),*].concat();
                let mut object = $crate::scenario::shape::Object::new(&about);
                $(object.key($key, &[$($about),*].concat(), <$type as Field>::REQUIRED, <$type as Field>::schema());)*
                object.into_schema()
            }
        }
    };
}
pub(super) use table;

/// The table that `key` belongs to, where people look for it in `noun`.
fn home_of(key: &str, noun: &str) -> Option<&'static str> {
    match noun {
        "a scenario" if key == "group" => return Some("a population, which `natbed sweep` runs"),
        "a population" if ScenarioSpec::KEYS.contains(&key) => {
            return Some("a scenario, which `natbed run` runs");
        }
        _ => {}
    }
    let homes =
        [("a `[nat-type.NAME]`", NatTypeSpec::KEYS), ("`link`", LinkFields::KEYS), ("`ice`", IceSpec::KEYS)];
    homes.into_iter().find(|(_, keys)| keys.contains(&key)).map(|(home, _)| home)
}

/// The JSON Schema of a table, key by key.
pub(super) struct Object {
    about: String,
    properties: serde_json::Map<String, Json>,
    required: Vec<&'static str>,
}

impl Object {
    pub(super) fn new(about: &str) -> Self {
        Self { about: about.trim().to_owned(), properties: serde_json::Map::new(), required: Vec::new() }
    }

    pub(super) fn key(&mut self, key: &'static str, about: &str, required: bool, mut schema: Json) {
        if let Some(object) = schema.as_object_mut() {
            object.insert("description".to_owned(), about.trim().into());
        }
        self.properties.insert(key.to_owned(), schema);
        if required {
            self.required.push(key);
        }
    }

    pub(super) fn into_schema(self) -> Json {
        json!({
            "type": "object",
            "description": self.about,
            "properties": self.properties,
            "required": self.required,
            "additionalProperties": false,
        })
    }
}

impl<T: Shape> Field for Option<Spanned<T>> {
    fn read(value: Option<&Value<'_>>, reader: &mut Reader) -> Option<Self> {
        match value {
            Some(value) => Some(Some(Spanned::new(value.span(), T::read(value, reader)?))),
            None => Some(None),
        }
    }

    fn schema() -> Json {
        T::schema()
    }
}

impl<T: Shape> Field for Spanned<T> {
    const REQUIRED: bool = true;

    fn read(value: Option<&Value<'_>>, reader: &mut Reader) -> Option<Self> {
        let value = value?;
        Some(Self::new(value.span(), T::read(value, reader)?))
    }

    fn schema() -> Json {
        T::schema()
    }
}

/// The tables of one family, such as every `[host.NAME]`, in file order.
pub(super) type Family<T> = Vec<(Spanned<String>, Spanned<T>)>;

impl<T: Shape> Field for Family<T> {
    fn read(value: Option<&Value<'_>>, reader: &mut Reader) -> Option<Self> {
        let Some(value) = value else { return Some(Self::new()) };
        let Some(table) = value.get_ref().as_table() else {
            reader.wrong_type(value, "a table of tables", Some(format!("write `[{}.NAME]`", reader.key)));
            return None;
        };
        let mut family = Self::new();
        for (name, value) in table {
            let named = name_of(name, reader);
            let read = T::read(value, reader);
            family.extend(named.zip(read.map(|read| Spanned::new(value.span(), read))));
        }
        family.sort_by_key(|(name, _)| name.span().start);
        Some(family)
    }

    fn schema() -> Json {
        json!({
            "type": "object",
            "propertyNames": { "pattern": "^[\\p{L}\\p{N}_-]{1,64}$" },
            "additionalProperties": T::schema(),
        })
    }
}

/// The name of a node or type; one that could not be told from an address or a list is reported.
fn name_of(name: &Spanned<DeString<'_>>, reader: &mut Reader) -> Option<Spanned<String>> {
    let text = name.get_ref();
    let allowed = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    if !text.is_empty() && text.chars().count() <= 64 && text.chars().all(allowed) {
        return Some(Spanned::new(name.span(), text.clone().into_owned()));
    }
    let problem = Diagnostic::new("invalid-name", name.span(), format!("{} cannot be a name", quoted(text)));
    reader.problems.push(problem.label("a name is 1 to 64 letters, digits, `-` and `_`"));
    None
}

/// The elements of an array of tables, such as every `[[connect]]`, in file order.
pub(super) type List<T> = Vec<Spanned<T>>;

impl<T: Shape> Field for List<T> {
    fn read(value: Option<&Value<'_>>, reader: &mut Reader) -> Option<Self> {
        let Some(value) = value else { return Some(Self::new()) };
        let Some(array) = value.get_ref().as_array() else {
            reader.wrong_type(value, "an array of tables", Some(format!("write `[[{}]]`", reader.key)));
            return None;
        };
        let read = |value: &Value<'_>| Some(Spanned::new(value.span(), T::read(value, reader)?));
        Some(array.iter().filter_map(read).collect())
    }

    fn schema() -> Json {
        json!({ "type": "array", "items": T::schema() })
    }
}
