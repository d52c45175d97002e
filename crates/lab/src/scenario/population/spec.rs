//! The tables of a population file, as written.

use serde_json::{Value as Json, json};
use toml::Spanned;
use toml::de::DeValue;

use crate::scenario::leaf::{Format, OneOrMany, Probability};
use crate::scenario::shape::{Family, Field, Reader, Shape, Value, table};
use crate::scenario::spec::{LinkFields, NatTypeSpec, Optional, SignalingSpec, StunSpec, TurnSpec};

table! { "a population";
    /// A natbed population: groups of users, and the servers that they have.
    PopulationSpec {
        /// Version of the format.
        "format" _format: Spanned<Format>,
        /// The title.
        "name" name: Optional<String>,
        /// What the population is meant to show.
        "about" about: Optional<String>,
        /// Where its figures come from.
        "source" source: Optional<String>,
        /// NAT types of one's own.
        "nat-type" nat_type: Family<NatTypeSpec>,
        /// Groups of users.
        "group" group: Family<GroupSpec>,
        /// STUN servers on the internet.
        "stun" stun: Family<StunSpec>,
        /// TURN servers on the internet; they answer STUN too.
        "turn" turn: Family<TurnSpec>,
        /// The channel that candidates travel over.
        "signaling" signaling: Optional<SignalingSpec>,
    }
}

table! { "a group";
    /// A group of users.
    GroupSpec {
        /// Its share of all users; default: the same for every group.
        "share" share: Optional<Probability>,
        /// What its users are behind: a NAT type, or a list; default: port-restricted.
        "types" types: Optional<OneOrMany<TypeEntry>>,
        /// The uplink of each user's own NAT.
        "link" link: Optional<LinkFields>,
        /// Whether its users have the file's TURN servers; default: true.
        "turn" turn: Optional<bool>,
        /// The share of the pairs within the group that are behind one outermost NAT; default 0.
        "same-network" same_network: Optional<Probability>,
        /// Where its figures come from.
        "source" source: Optional<String>,
    }
}

table! { "a type of users";
    /// What some users of a group are behind.
    TypeSpec {
        /// Their own NAT: a preset, a grid code such as `EIM/APDF`, or a nat-type; default: port-restricted.
        "type" kind: Optional<String>,
        /// The NAT type that theirs is behind; default: on the internet.
        "behind" behind: Optional<String>,
        /// Their share of the group; default: the same for every type.
        "share" share: Optional<Probability>,
        /// Where that figure comes from.
        "source" source: Optional<String>,
    }
}

/// A type of users: the name of a NAT type alone, or a table.
pub(super) struct TypeEntry(pub(super) TypeSpec);

impl Shape for TypeEntry {
    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(name) => {
                let kind = Some(Spanned::new(value.span(), name.clone().into_owned()));
                Some(Self(TypeSpec { kind, behind: None, share: None, source: None }))
            }
            DeValue::Table(_) => TypeSpec::read(value, reader).map(Self),
            _ => {
                let help = "write `\"symmetric\"` or `{ type = \"symmetric\", share = 0.4 }`".to_owned();
                reader.wrong_type(value, "a NAT type", Some(help));
                None
            }
        }
    }

    fn schema() -> Json {
        json!({ "anyOf": [{ "type": "string" }, TypeSpec::schema()] })
    }
}
