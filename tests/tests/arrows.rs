//! What may use what: `cargo metadata` against the crates' arrows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// For each crate, the crates of the workspace that it may use. An arrow allows everything behind it too.
const ARROWS: [(&str, &[&str]); 11] = [
    ("natbed-packet", &[]),
    ("natbed-nat", &["natbed-packet"]),
    ("natbed-traversal", &["natbed-packet"]),
    ("natbed-net", &["natbed-nat", "natbed-packet"]),
    ("natbed-lab", &["natbed-net", "natbed-nat", "natbed-packet", "natbed-traversal"]),
    ("natbed-io", &["natbed-net", "natbed-nat", "natbed-packet", "natbed-traversal"]),
    ("natbed-adapters", &["natbed-lab", "natbed-net", "natbed-nat", "natbed-packet", "natbed-traversal"]),
    ("natbed-tokio", &["natbed-lab", "natbed-net", "natbed-nat", "natbed-packet", "natbed-traversal"]),
    (
        "natbed",
        &[
            "natbed-io",
            "natbed-adapters",
            "natbed-lab",
            "natbed-net",
            "natbed-nat",
            "natbed-packet",
            "natbed-traversal",
        ],
    ),
    ("natbed-tests", &[]),
    ("natbed-benches", &[]),
];

/// Crates that stay at home.
const UNPUBLISHED: [&str; 3] = ["natbed-adapters", "natbed-tests", "natbed-benches"];

/// Crates of other people that only these may use, and why.
const RESERVED: [(&str, &[&str], &str); 4] = [
    ("serde", &["natbed-lab", "natbed"], "engine types stay free to change"),
    ("serde_json", &["natbed-lab", "natbed"], "engine types stay free to change"),
    ("petgraph", &["natbed-net"], "the graph stays private to the topology"),
    ("rayon", &["natbed-lab"], "nothing else uses threads"),
];

struct Package {
    name: String,
    folder: String,
    published: bool,
    dependencies: Vec<Dependency>,
}

struct Dependency {
    name: String,
    /// Needed to build the crate itself, not its tests.
    normal: bool,
    default_features: bool,
}

impl Package {
    fn read(package: &Value) -> Self {
        let manifest = Path::new(text(&package["manifest_path"]));
        let dependencies = package["dependencies"].as_array().unwrap();
        Self {
            name: text(&package["name"]).to_owned(),
            folder: manifest.parent().unwrap().to_str().unwrap().to_owned(),
            published: package["publish"].is_null(),
            dependencies: dependencies
                .iter()
                .map(|dependency| Dependency {
                    name: text(&dependency["name"]).to_owned(),
                    normal: dependency["kind"] != "dev",
                    default_features: dependency["uses_default_features"] == true,
                })
                .collect(),
        }
    }

    fn needs(&self) -> impl Iterator<Item = &Dependency> {
        self.dependencies.iter().filter(|dependency| dependency.normal)
    }

    /// The crates of the workspace that one may use in tests: those behind it, and for whole-project tests all.
    fn is_whole_project(&self) -> bool {
        matches!(self.name.as_str(), "natbed-tests" | "natbed-benches")
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn workspace() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().iter().map(Package::read).collect()
}

#[test]
fn arrows_point_only_where_the_architecture_allows() {
    let packages = workspace();
    let members: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    let mut wrong = Vec::new();
    for package in &packages {
        let Some(allowed) = arrows.get(package.name.as_str()) else {
            wrong.push(format!("{} is in no row of the architecture's table of crates", package.name));
            continue;
        };
        for dependency in &package.dependencies {
            let free = !dependency.normal && package.is_whole_project();
            let name = dependency.name.as_str();
            if members.contains(name) && !free && !allowed.contains(&name) {
                wrong.push(format!("{} must not use {name}: it may use {allowed:?}", package.name));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that the architecture does not allow:\n{}", wrong.join("\n"));
}

#[test]
fn crates_of_others_stay_where_they_belong() {
    for package in workspace() {
        for dependency in package.needs() {
            for (name, users, why) in RESERVED {
                let allowed = dependency.name != name || users.contains(&package.name.as_str());
                assert!(allowed, "{} must not use {name}: {why}", package.name);
            }
        }
    }
}

#[test]
fn random_numbers_never_come_from_the_system() {
    for package in workspace().iter().filter(|package| !package.is_whole_project()) {
        for dependency in package.needs().filter(|dependency| dependency.name == "rand") {
            assert!(!dependency.default_features, "{} must use rand without default features", package.name);
        }
    }
}

#[test]
fn only_what_is_useful_alone_is_published() {
    for package in workspace() {
        let expected = !UNPUBLISHED.contains(&package.name.as_str());
        assert_eq!(package.published, expected, "whether {} is published", package.name);
    }
}

#[test]
fn every_crate_inherits_the_lints() {
    for package in workspace() {
        let manifest = std::fs::read_to_string(Path::new(&package.folder).join("Cargo.toml")).unwrap();
        let lines: Vec<&str> = manifest.lines().map(str::trim).collect();
        let inherits = lines.windows(2).any(|pair| pair == ["[lints]", "workspace = true"]);
        assert!(inherits, "{} must have `[lints]` with `workspace = true`", package.name);
    }
}
