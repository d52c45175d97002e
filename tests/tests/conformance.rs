//! Every row of the conformance page names tests that exist, or says why there is none.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn every_requirement_has_a_test_or_a_reason() {
    let page = fs::read_to_string(root().join("docs/reference/conformance.md")).unwrap();
    let tests = tests();
    let mut wrong = Vec::new();
    let mut count = 0;
    for (heading, row) in requirements(&page) {
        count += 1;
        let [requirement, _, shown] = cells(row)[..] else {
            wrong.push(format!("not three cells: {row}"));
            continue;
        };
        let requirement = format!("{heading}, {requirement}");
        let named: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
        if named.is_empty() && !has_reason(shown) {
            wrong.push(format!("{requirement}: neither a test nor a reason"));
        }
        let unknown = named.iter().filter(|name| !is_known(&tests, name));
        wrong.extend(unknown.map(|name| format!("{requirement}: `{name}` is no test")));
    }
    assert!(wrong.is_empty(), "docs/reference/conformance.md\n{}", wrong.join("\n"));
    assert!(count >= 100, "only {count} requirements found");
}

/// The rows of every table but for its head and the rule below that, each with the heading above the table.
fn requirements(page: &str) -> impl Iterator<Item = (&str, &str)> {
    page.split("\n## ").skip(1).flat_map(|section| {
        let mut lines = section.lines();
        let heading = lines.next().unwrap_or_default();
        lines.filter(|line| line.starts_with('|')).skip(2).map(move |row| (heading, row))
    })
}

fn cells(row: &str) -> Vec<&str> {
    row.trim().trim_matches('|').split('|').map(str::trim).collect()
}

fn has_reason(cell: &str) -> bool {
    cell.split_once("Not shown: ").is_some_and(|(_, reason)| !reason.trim().is_empty())
}

/// Whether `name`, alone or behind the path of modules `tests` gives it, is a test.
fn is_known(tests: &BTreeSet<String>, name: &str) -> bool {
    let behind = format!("::{name}");
    tests.iter().any(|test| test == name || test.ends_with(&behind))
}

/// Every test of the workspace that runs unasked, as `crate::path::to::file::name`.
fn tests() -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    let mut folders = vec![root().join("crates"), root().join("tests")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = fs::read_to_string(&path).unwrap();
                let module = module(path.strip_prefix(root()).unwrap());
                tests.extend(functions(&source).map(|name| format!("{module}::{name}")));
            }
        }
    }
    tests
}

/// The path of a source file as one of modules: `crates/nat/src/engine/tests.rs` is `nat::engine::tests`.
fn module(file: &Path) -> String {
    let file = file.with_extension("");
    let parts = file.iter().map(|part| part.to_str().unwrap());
    parts.skip_while(|part| *part == "crates").filter(|part| *part != "src").collect::<Vec<_>>().join("::")
}

/// The names of the functions below `#[test]`, but for those marked `#[ignore]`.
fn functions(source: &str) -> impl Iterator<Item = &str> {
    source.split("#[test]\n").skip(1).filter_map(|rest| {
        let (attributes, function) = rest.split_once("fn ")?;
        let (name, _) = function.split_once('(')?;
        (!attributes.contains("#[ignore")).then_some(name)
    })
}
