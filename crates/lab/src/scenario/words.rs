//! The words that keys take, and what is written with them.

use serde_json::{Value as Json, json};

use super::resolved::{Addresses, CandidateType, Delivery, Expected, HoldState, Ipv6Mode, Policy, Role};
use super::shape::{Reader, Shape, Value};
use crate::diagnose::{Diagnostic, did_you_mean, quoted};

/// The value of `all` whose word in `words` is the text of `value`.
pub(super) fn read_word<T: Copy>(
    value: &Value<'_>,
    reader: &mut Reader,
    words: &[&'static str],
    all: &[T],
) -> Option<T> {
    let text = reader.text(value, "a string")?;
    let found = words.iter().position(|word| *word == text).and_then(|index| all.get(index));
    if found.is_none() {
        let message = format!("{} cannot be {}", reader.key(), quoted(text));
        let help = did_you_mean(text, words.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        let problem = Diagnostic::new("unknown-word", value.span(), message);
        reader.problems.push(problem.label(format!("expected one of `{}`", words.join("`, `"))).help(help));
    }
    found.copied()
}

/// Makes enums readable by the words that scenario files use for their variants.
macro_rules! word_shapes {
    ($($name:ident)*) => {$(
        impl Shape for $name {
            fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
                read_word(value, reader, Self::NAMES, Self::ALL)
            }

            fn schema() -> Json {
                json!({ "enum": Self::NAMES })
            }
        }
    )*};
}

/// Gives an enum the words that scenario files use for it.
macro_rules! words {
    ($($name:ident { $($word:literal => $variant:ident),* })*) => {$(
        impl $name {
            const ALL: &[Self] = &[$(Self::$variant),*];
            const NAMES: &[&'static str] = &[$($word),*];

            /// The word for it in scenario files.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),*
                }
            }
        }
    )*};
}

words! {
    Expected { "direct" => Direct, "relay" => Relay, "fail" => Fail }
    CandidateType { "host" => Host, "srflx" => Srflx, "prflx" => Prflx, "relay" => Relay }
    HoldState { "alive" => Alive, "restarted" => Restarted, "lost" => Lost }
    Delivery { "delivered" => Delivered, "dropped" => Dropped }
    Ipv6Mode { "off" => Off, "routed" => Routed, "firewalled" => Firewalled }
    Policy { "all" => All, "relay" => Relay }
    Addresses {
        "all" => All, "default-route-and-lan" => DefaultRouteAndLan, "default-route" => DefaultRoute,
        "proxy" => Proxy
    }
    Role { "controlling" => Controlling, "controlled" => Controlled }
}

word_shapes! {
    Expected HoldState Delivery Ipv6Mode Policy Addresses Role
}

/// What a TURN server is reached over.
#[derive(Clone, Copy)]
pub(super) struct Transport;

impl Shape for Transport {
    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        read_word(value, reader, &["udp"], &[Self])
    }

    fn schema() -> Json {
        json!({ "const": "udp" })
    }
}

/// The candidate types of a pair: local and remote.
#[derive(Clone, Copy)]
pub(super) struct Path(pub(super) CandidateType, pub(super) CandidateType);

impl Shape for Path {
    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        let text = reader.text(value, "a pair of candidate types")?;
        let kind = |word: &str| {
            CandidateType::NAMES
                .iter()
                .position(|name| *name == word)
                .and_then(|at| CandidateType::ALL.get(at))
        };
        if let Some((Some(&local), Some(&remote))) = text.split_once('/').map(|(l, r)| (kind(l), kind(r))) {
            return Some(Self(local, remote));
        }
        let message = format!("{} is {}, which is not a pair of candidate types", reader.key(), quoted(text));
        let problem = Diagnostic::new("invalid-value", value.span(), message);
        let problem = problem.label("expected local/remote, each `host`, `srflx`, `prflx` or `relay`");
        reader.problems.push(problem.help("write it as `\"srflx/prflx\"`".to_owned()));
        None
    }

    fn schema() -> Json {
        json!({ "type": "string", "pattern": "^(host|srflx|prflx|relay)/(host|srflx|prflx|relay)$" })
    }
}
