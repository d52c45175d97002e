//! Scenario files: read and checked, all of them, before anything runs.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use natbed_lab::diagnose::{Part, Problems};
use natbed_lab::scenario::population::{Population, is_population};
use natbed_lab::scenario::{self, Scenario};

use crate::agents::registry;
use crate::exit::{Failure, Status};
use crate::render::style::paint_part;

/// A file that is a valid scenario.
pub(crate) struct File {
    /// As the user calls it.
    pub(crate) name: String,
    pub(crate) scenario: Scenario,
}

/// What is wrong with a file.
pub(crate) enum Fault {
    Unreadable(Failure),
    Invalid(Problems),
}

impl Fault {
    /// The text for stderr.
    pub(crate) fn report(&self, file: &str) -> String {
        match self {
            Self::Unreadable(failure) => failure.report.clone(),
            Self::Invalid(problems) => {
                let paint = |part: Part, text: &str| paint_part(part, text);
                problems.render(file, &paint)
            }
        }
    }

    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Unreadable(failure) => failure.status,
            Self::Invalid(_) => Status::Invalid,
        }
    }
}

/// Reads and checks all of `paths`; any that cannot be read, or is no scenario, fails them all.
pub(crate) fn load_all(paths: &[PathBuf]) -> Result<Vec<File>, Failure> {
    let mut files = Vec::new();
    let mut faults: Vec<(Status, String)> = Vec::new();
    for path in paths {
        let name = path.display().to_string();
        match load(path) {
            Ok(scenario) => files.push(File { name, scenario }),
            Err(fault) => faults.push((fault.status(), fault.report(&name))),
        }
    }
    let Some(status) = faults.iter().map(|(status, _)| *status).max() else { return Ok(files) };
    let reports: Vec<String> = faults.into_iter().map(|(_, report)| report).collect();
    Err(Failure { status, report: reports.join("\n") })
}

/// Reads and checks one file; `-` is standard input.
fn load(path: &Path) -> Result<Scenario, Fault> {
    scenario::parse_with(&bytes(path)?, &registry()).map_err(Fault::Invalid)
}

/// Reads and checks a population; `-` is standard input.
pub(crate) fn load_population(path: &Path) -> Result<Population, Failure> {
    let loaded = bytes(path).and_then(|bytes| Population::parse(&bytes).map_err(Fault::Invalid));
    loaded.map_err(|fault| Failure {
        status: fault.status(),
        report: fault.report(&path.display().to_string()),
    })
}

/// Checks a scenario or a population; `-` is standard input.
pub(crate) fn check(path: &Path) -> Result<(), Fault> {
    let bytes = bytes(path)?;
    let checked = if is_population(&bytes) {
        Population::parse(&bytes).map(drop)
    } else {
        scenario::parse_with(&bytes, &registry()).map(drop)
    };
    checked.map_err(Fault::Invalid)
}

fn bytes(path: &Path) -> Result<Vec<u8>, Fault> {
    read(path).map_err(|why| Fault::Unreadable(Failure::file("read", path, &why)))
}

/// What is in a file; `-` is standard input.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    if path != Path::new("-") {
        return fs::read(path);
    }
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}
