//! A classification as versioned JSON.

use std::time::Duration;

use natbed_nat::behavior::{Filtering, Mapping};
use natbed_traversal::stun::discovery::{Lifetime, Verdict};
use serde::Serialize;

use super::{Classification, Classified, Difference, filtering, mapping};

/// What `natbed classify --json` prints. Unknown is null.
#[derive(Serialize)]
pub struct ClassifyReport<'a> {
    schema: &'static str,
    seed: u64,
    nats: Vec<NatReport<'a>>,
}

#[derive(Serialize)]
struct NatReport<'a> {
    r#type: &'a str,
    configured: BehaviorReport,
    rfc5780: BehaviorReport,
    rfc3489: Option<&'static str>,
    /// The fields of `rfc5780` that are not as configured.
    differences: Vec<&'static str>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct BehaviorReport {
    mapping: Option<&'static str>,
    filtering: Option<&'static str>,
    lifetime_seconds: Option<serde_json::Number>,
    hairpinning: Option<bool>,
}

impl<'a> ClassifyReport<'a> {
    /// The report of `classification`.
    pub fn new(classification: &'a Classification) -> Self {
        let nats = classification.nats.iter().map(NatReport::new).collect();
        Self { schema: "natbed.classify/1", seed: classification.seed, nats }
    }
}

impl<'a> NatReport<'a> {
    fn new(nat: &'a Classified) -> Self {
        let (configured, found) = (&nat.configured, &nat.discovered.rfc5780);
        let lifetime = match found.lifetime {
            Some(Lifetime::Expires(lifetime)) => Some(lifetime),
            Some(Lifetime::Outlasts(_)) | None => None,
        };
        Self {
            r#type: &nat.type_name,
            configured: BehaviorReport {
                mapping: configured.mapping.map(Mapping::as_str),
                filtering: configured.filtering.map(Filtering::as_str),
                lifetime_seconds: configured.lifetime.and_then(seconds),
                hairpinning: configured.hairpinning,
            },
            rfc5780: BehaviorReport {
                mapping: found.mapping.map(|found| mapping(found).as_str()),
                filtering: found.filtering.map(|found| filtering(found).as_str()),
                lifetime_seconds: lifetime.and_then(seconds),
                hairpinning: found.hairpinning,
            },
            rfc3489: nat.discovered.rfc3489.map(Verdict::as_str),
            differences: nat.differences().into_iter().map(Difference::as_str).collect(),
            notes: nat.notes(),
        }
    }
}

impl Difference {
    /// The name of its field in the report.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mapping => "mapping",
            Self::Filtering => "filtering",
            Self::Lifetime => "lifetime_seconds",
            Self::Hairpinning => "hairpinning",
        }
    }
}

/// Whole seconds without a fraction.
fn seconds(duration: Duration) -> Option<serde_json::Number> {
    if duration.subsec_nanos() == 0 {
        Some(duration.as_secs().into())
    } else {
        serde_json::Number::from_f64(duration.as_secs_f64())
    }
}
