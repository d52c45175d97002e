//! NAT types on the command line.

use natbed_lab::diagnose::{did_you_mean, quoted};
use natbed_nat::presets;

use crate::exit::Failure;

/// Names of sets of types.
const SETS: [&str; 3] = ["classic", "rfc4787", "all"];

/// The types that `--types` names: a set, or a list with commas.
pub(super) fn parse_set(text: &str) -> Result<Vec<String>, Failure> {
    let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    match text {
        "classic" => Ok(owned(&presets::CLASSIC)),
        "rfc4787" => Ok(owned(&presets::GRID)),
        "all" => {
            Ok(presets::all().map(|preset| preset.name).chain(presets::GRID).map(str::to_owned).collect())
        }
        list => list.split(',').map(|name| check(name.trim(), &SETS)).collect(),
    }
}

/// The two types that `--pair` names.
pub(super) fn parse_pair(text: &str) -> Result<[String; 2], Failure> {
    let Some((a, b)) = text.split_once(',') else {
        let help = "for example `--pair symmetric,port-restricted`".to_owned();
        return Err(Failure::usage("--pair takes two NAT types with a comma between them", Some(help)));
    };
    Ok([check(a.trim(), &[])?, check(b.trim(), &[])?])
}

fn check(name: &str, sets: &[&str]) -> Result<String, Failure> {
    if presets::lookup(name).is_some() {
        return Ok(name.to_owned());
    }
    let known = presets::all_names();
    let similar = did_you_mean(name, known.iter().copied().chain(sets.iter().copied()));
    let help = similar.map_or_else(
        || format!("the types are {}", known.join(", ")),
        |similar| format!("did you mean `{similar}`?"),
    );
    Err(Failure::usage(format_args!("no NAT type is called {}", quoted(name)), Some(help)))
}
