//! Everything that natbed is built, tested or measured with may be used under a licence of the list.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The licences of `deny.toml`.
fn allowed() -> Vec<String> {
    let file = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../deny.toml")).unwrap();
    let (_, list) = file.split_once("allow = [").expect("a list of licences");
    let (list, _) = list.split_once(']').expect("its end");
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
#[ignore = "needs every package of Cargo.lock, for every platform: `.ci/run` runs it"]
fn every_dependency_has_an_allowed_licence() {
    let allowed = allowed();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", "--locked"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().expect("packages");
    assert!(packages.len() > 50);
    for package in packages {
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(permits(licence, &allowed), "{} {}: {licence:?}", package["name"], package["version"]);
    }
}

#[test]
fn licence_expressions_are_read_as_spdx_means_them() {
    let allowed = ["MIT", "Apache-2.0", "Unicode-3.0"].map(str::to_owned);
    for (expression, verdict) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("", false),
        ("GPL-3.0 OR MIT", true),
        ("MIT/GPL-3.0", true),
        ("GPL-3.0 AND MIT", false),
        ("(GPL-3.0 OR MIT) AND Unicode-3.0", true),
        ("(MIT OR Apache-2.0) AND GPL-3.0", false),
        ("MIT OR Apache-2.0 AND GPL-3.0", true),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("(MIT", false),
        ("MIT MIT", false),
    ] {
        assert_eq!(permits(expression, &allowed), verdict, "{expression}");
    }
}

/// Whether a SPDX expression can be met with `allowed` licences alone. `/` is the old spelling of OR.
fn permits(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = &words[..];
    either(&mut rest, allowed) == Some(true) && rest.is_empty()
}

fn either(rest: &mut &[&str], allowed: &[String]) -> Option<bool> {
    let mut verdict = both(rest, allowed)?;
    while next_is(rest, "OR") {
        verdict |= both(rest, allowed)?;
    }
    Some(verdict)
}

fn both(rest: &mut &[&str], allowed: &[String]) -> Option<bool> {
    let mut verdict = one(rest, allowed)?;
    while next_is(rest, "AND") {
        verdict &= one(rest, allowed)?;
    }
    Some(verdict)
}

fn one(rest: &mut &[&str], allowed: &[String]) -> Option<bool> {
    let (word, left) = rest.split_first()?;
    *rest = left;
    if *word == "(" {
        let verdict = either(rest, allowed)?;
        return next_is(rest, ")").then_some(verdict);
    }
    // An exception only ever permits more.
    if next_is(rest, "WITH") {
        *rest = rest.get(1..)?;
    }
    Some(allowed.iter().any(|licence| licence == word))
}

fn next_is(rest: &mut &[&str], word: &str) -> bool {
    let found = rest.first() == Some(&word);
    if found {
        *rest = &rest[1..];
    }
    found
}
