//! What natbed is built from by default: nothing of other people's ICE stacks, which are heavy.

use std::process::Command;

use serde_json::Value;

/// Crates that only `natbed-adapters` and what is behind it need.
const HEAVY: [&str; 8] =
    ["natbed-adapters", "aws-lc-rs", "aws-lc-sys", "fastrand", "is", "rice-proto", "sctp-proto", "str0m"];

fn cargo(arguments: &[&str]) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(arguments).args(["--offline", "--manifest-path"]);
    let output = cargo.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The names of the crates that the binary is made of.
fn tree(features: &[&str]) -> Vec<String> {
    let arguments =
        ["tree", "--package", "natbed", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"];
    let tree = cargo(&[&arguments, features].concat());
    tree.lines().filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect()
}

#[test]
fn the_default_binary_has_nothing_of_the_adapters() {
    let default = tree(&[]);
    assert!(default.iter().any(|name| name == "natbed-lab"), "{default:?}");
    let heavy: Vec<&String> = default.iter().filter(|name| HEAVY.contains(&name.as_str())).collect();
    assert!(heavy.is_empty(), "the default binary needs {heavy:?}");
}

#[test]
fn the_default_members_leave_out_what_is_heavy() {
    let metadata = cargo(&["metadata", "--format-version", "1", "--no-deps"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let ids = |key: &str| -> Vec<String> {
        metadata[key].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
    };
    let default = ids("workspace_default_members");
    let left_out: Vec<String> =
        ids("workspace_members").into_iter().filter(|member| !default.contains(member)).collect();
    let names = ["adapters", "benches"];
    assert!(left_out.iter().all(|id| names.iter().any(|name| id.contains(name))), "left out: {left_out:?}");
    assert_eq!(left_out.len(), names.len(), "left out: {left_out:?}");
    let adapters = metadata["packages"].as_array().unwrap().iter().find(|p| p["name"] == "natbed-adapters");
    let default = &adapters.expect("the crate")["features"]["default"];
    assert!(default.is_null(), "each stack is asked for by name: {default}");
}
