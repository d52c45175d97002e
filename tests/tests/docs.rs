//! The reference says all that the code knows, and the links of every page lead somewhere.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use natbed_lab::scenario;
use natbed_nat::behavior::{Filtering, Mapping, Values};
use natbed_nat::{Behavior, DropReason, presets};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// The sections of a page by heading.
fn sections(page: &str) -> BTreeMap<&str, &str> {
    page.split("\n## ").filter_map(|section| section.split_once('\n')).collect()
}

#[test]
fn every_drop_reason_is_explained_in_its_own_words() {
    let page = read("docs/reference/event-log.md");
    for reason in DropReason::ALL {
        let row = format!("| `{reason}` | {} |", reason.explanation());
        assert!(page.contains(&row), "docs/reference/event-log.md lacks\n{row}");
    }
    let source = read("crates/net/src/trace.rs");
    let (_, reasons) = source.split_once("impl DropReason").expect("the reasons of the network");
    let words: Vec<&str> =
        literals(reasons).filter(|(before, _, _)| before.ends_with("=> ")).map(|w| w.1).collect();
    assert!(words.len() >= 20, "only {} words found", words.len());
    for word in words {
        let found = page.contains(&format!("| `{word}` | ")) || page.contains(&format!(" | {word} |"));
        assert!(found, "docs/reference/event-log.md lacks '{word}'");
    }
}

#[test]
fn every_event_is_in_the_reference() {
    let page = read("docs/reference/event-log.md");
    let mut count = 0;
    for source in ["crates/lab/src/log.rs", "crates/lab/src/log/agent.rs"] {
        let source = read(source);
        let names = literals(&source).filter(|(before, word, after)| {
            let is_name = word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
            is_name && before.trim_end().ends_with('(') && after.starts_with(',')
        });
        for (_, name, _) in names {
            assert!(page.contains(&format!("| `{name}` | ")), "docs/reference/event-log.md lacks `{name}`");
            count += 1;
        }
    }
    assert!(count >= 30, "only {count} events found");
}

/// Each string literal of `source`, with the text before and after it. No literal here has an escaped quote.
fn literals(source: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    let parts: Vec<&str> = source.split('"').collect();
    let literals: Vec<_> = parts.windows(3).step_by(2).map(|three| (three[0], three[1], three[2])).collect();
    literals.into_iter()
}

#[test]
fn every_key_of_a_scenario_is_in_the_reference() {
    let page = read("docs/reference/scenario.md");
    let sections = sections(&page);
    let schema = scenario::schema();
    let mut count = 0;
    for (family, value) in schema["properties"].as_object().expect("tables") {
        let section = match family.as_str() {
            "stun" | "turn" => "stun and turn",
            family if sections.contains_key(family) => family,
            _ => "Top level",
        };
        let text = [sections[section], sections["link"]].concat();
        for key in keys(value).into_iter().chain((section == "Top level").then_some(family.as_str())) {
            let found = text.contains(&format!("`{key}`")) || text.contains(&format!("`{key} = "));
            let found = found || text.contains(&format!("{{ {key} = "));
            assert!(found || text.contains(&format!(", {key} = ")), "`{family}`: no word on `{key}`");
            count += 1;
        }
    }
    assert!(count >= 80, "only {count} keys found");
}

/// The keys of every table in `schema`.
fn keys(schema: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                found.extend(properties.keys().map(String::as_str));
            }
            found.extend(object.values().flat_map(keys));
        }
        Value::Array(values) => found.extend(values.iter().flat_map(keys)),
        _ => {}
    }
    found
}

#[test]
fn every_axis_is_in_the_reference_with_its_values() {
    let page = read("docs/reference/scenario.md");
    let section = sections(&page)["nat-type"];
    for axis in Behavior::AXES {
        let row = section.lines().find(|line| line.starts_with(&format!("| `{}` |", axis.name)));
        let row = row.unwrap_or_else(|| panic!("no row for `{}`", axis.name));
        let Values::Words(words) = axis.values else { continue };
        assert!(words.iter().all(|word| row.contains(&format!("`{word}`"))), "{row} lacks one of {words:?}");
    }
}

#[test]
fn every_nat_type_is_in_the_reference_in_its_own_words() {
    let page = read("docs/reference/scenario.md");
    for preset in presets::all() {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", preset.name)));
        let row = row.unwrap_or_else(|| panic!("no row for `{}`", preset.name));
        assert!(row.ends_with(&format!("| {} |", preset.summary)), "{row}");
        for alias in preset.aliases {
            assert!(row.contains(&format!("`{alias}`")), "{row} lacks `{alias}`");
        }
    }
    for code in Mapping::ALL.iter().map(|it| it.code()).chain(Filtering::ALL.iter().map(|it| it.code())) {
        assert!(page.contains(&format!("`{code}`")), "no word on {code}");
    }
}

#[test]
fn every_dependency_has_its_line() {
    let page = read("docs/dependencies.md");
    for crate_folder in fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().path()) {
        let manifest = fs::read_to_string(crate_folder.join("Cargo.toml")).unwrap();
        let tables = manifest
            .split("\n[")
            .filter(|table| table.starts_with("dependencies]") || table.starts_with("dev-dependencies]"));
        let names =
            tables.flat_map(str::lines).filter_map(|line| line.split_once(" = ")).map(|(name, _)| name);
        for name in names.filter(|name| !name.starts_with("natbed-")) {
            assert!(page.contains(&format!("`{name}`")), "docs/dependencies.md has no word on {name}");
        }
    }
}

#[test]
fn every_page_is_in_the_book() {
    let summary = read("docs/SUMMARY.md");
    for page in pages().iter().filter_map(|page| page.strip_prefix(root().join("docs")).ok()) {
        let link = page.to_string_lossy().replace('\\', "/");
        assert!(link == "SUMMARY.md" || summary.contains(&format!("]({link})")), "SUMMARY.md lacks {link}");
    }
}

#[test]
fn every_link_leads_somewhere() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text).filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.with_file_name(file) };
            assert!(target.exists(), "{}: {link} leads nowhere", page.display());
            let known = anchor.is_empty()
                || anchors(&fs::read_to_string(target).unwrap()).contains(&anchor.to_owned());
            assert!(known, "{}: {link} has no such heading", page.display());
        }
    }
}

fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link)
}

/// The anchors that headings get: lower case, no punctuation, hyphens for spaces.
fn anchors(text: &str) -> Vec<String> {
    let headings =
        text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let plain = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
    headings
        .map(|heading| heading.to_lowercase().chars().filter(plain).collect::<String>().replace(' ', "-"))
        .collect()
}

fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() && !path.ends_with("book") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages.extend(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|page| root().join(page)));
    pages
}
