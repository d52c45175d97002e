//! Every broken file gets exactly the report that stands beside it.

use std::fs;
use std::path::PathBuf;

use natbed_lab::scenario::population::Population;
use natbed_lab::{diagnose, scenario};

/// Broken scenarios, then broken populations.
fn broken_files() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/broken");
    [files(folder.into()), files(PathBuf::from(folder).join("populations"))].concat()
}

fn files(folder: PathBuf) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("readable").path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    files.sort();
    files
}

fn report(path: &PathBuf) -> String {
    let bytes = fs::read(path).expect("readable");
    let name = path.file_name().expect("a file").to_string_lossy();
    let of_population = path.parent().is_some_and(|folder| folder.ends_with("populations"));
    let parsed =
        if of_population { Population::parse(&bytes).map(drop) } else { scenario::parse(&bytes).map(drop) };
    match parsed {
        Ok(()) => panic!("{name} is valid"),
        Err(problems) => problems.render(&name, &diagnose::plain),
    }
}

#[test]
fn reports_are_as_written_down() {
    let files = broken_files();
    assert!(files.len() > 20, "only {} files", files.len());
    for path in files {
        let expected = fs::read_to_string(path.with_extension("stderr")).unwrap_or_default();
        let report = report(&path);
        for (line, (given, wanted)) in report.lines().zip(expected.lines()).enumerate() {
            assert_eq!(given, wanted, "{} line {}", path.with_extension("stderr").display(), line + 1);
        }
        assert_eq!(report.len(), expected.len(), "{}", path.display());
    }
}

#[test]
#[ignore = "writes the reports down anew"]
fn write_reports_down() {
    for path in broken_files() {
        fs::write(path.with_extension("stderr"), report(&path)).expect("writable");
    }
}
