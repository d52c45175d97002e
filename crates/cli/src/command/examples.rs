//! `natbed examples`.

use std::path::Path;

use natbed_lab::diagnose::{did_you_mean, quoted};
use natbed_lab::scenario;
use natbed_lab::scenario::population::{Population, is_population};

use crate::exit::{Failure, Status};
use crate::render::columns::{Cell, lines};
use crate::render::style::BOLD;
use crate::screen::Screen;

macro_rules! examples {
    ($folder:literal: $($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../../../", $folder, "/", $name, ".toml")))),*]
    };
}

/// The scenarios of the repository, by name.
const EXAMPLES: &[(&str, &str)] = examples![
    "scenarios":
    "address-changed"
    "address-restricted-vs-address-restricted"
    "address-restricted-vs-port-restricted"
    "address-restricted-vs-symmetric"
    "carrier-fail"
    "carrier-hairpin"
    "carrier-relay"
    "carrier-server"
    "default-route"
    "double-nat"
    "firewall-vs-symmetric"
    "first-packet"
    "fragments"
    "ipv6"
    "lenient-symmetric"
    "lite"
    "lossy-link"
    "mapping-expires"
    "multi-homed"
    "no-turn"
    "one-to-one-vs-address-restricted"
    "one-to-one-vs-one-to-one"
    "one-to-one-vs-port-restricted"
    "one-to-one-vs-symmetric"
    "open-filter-relay"
    "port-prediction"
    "port-restricted-vs-port-restricted"
    "port-restricted-vs-symmetric"
    "quota"
    "reboot-preserve"
    "reboot-symmetric"
    "relay-only"
    "same-addresses"
    "same-lan"
    "server-stopped"
    "slow-signaling"
    "symmetric-vs-symmetric"
    "turn-redirects"
    "turn-stops"
    "udp-blocked"
];

/// The populations of the repository, by name.
const POPULATIONS: &[(&str, &str)] = examples![
    "scenarios/populations":
    "ford-2005"
    "guha-2005"
    "halkes-2011"
    "hatonen-2010"
    "mobile-quarter"
    "richter-2016"
    "trautwein-2025"
];

/// Both, populations last.
fn all() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    EXAMPLES.iter().chain(POPULATIONS)
}

pub(super) fn run(name: Option<&str>, screen: &Screen) -> Result<Status, Failure> {
    let text = match name {
        None => list(),
        Some(name) => find(name)?.to_owned(),
    };
    screen.print(&text)?;
    Ok(Status::Met)
}

fn list() -> String {
    let row = |(name, text): &(&str, &str)| {
        let title = if is_population(text.as_bytes()) {
            Population::parse(text.as_bytes()).map(|population| population.name)
        } else {
            scenario::parse(text.as_bytes()).map(|scenario| scenario.name)
        };
        let title = title.unwrap_or_default();
        vec![Cell::new(*name, BOLD), Cell::plain(title)]
    };
    let rows: Vec<Vec<Cell>> = all().map(row).collect();
    lines(&rows, 2).join("\n") + "\n\nSave one with: natbed examples symmetric-vs-symmetric > mine.toml\n"
}

/// The text of the example called `name`, which may end in `.toml`.
fn find(name: &str) -> Result<&'static str, Failure> {
    let stem = Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or(name);
    if let Some((_, text)) = all().find(|(example, _)| *example == stem) {
        return Ok(text);
    }
    let similar = did_you_mean(stem, all().map(|(example, _)| *example));
    let help = similar.map_or_else(
        || "`natbed examples` lists them".to_owned(),
        |similar| format!("did you mean `{similar}`?"),
    );
    Err(Failure::usage(format_args!("no example is called {}", quoted(name)), Some(help)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{EXAMPLES, POPULATIONS};

    #[test]
    fn every_scenario_of_the_repository_is_an_example() {
        has_all_of("scenarios", EXAMPLES);
        has_all_of("scenarios/populations", POPULATIONS);
    }

    fn has_all_of(folder: &str, examples: &[(&str, &str)]) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut names: Vec<String> = files
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        names.sort();
        assert_eq!(names, examples.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }
}
