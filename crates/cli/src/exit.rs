//! Exit status, and what stands on stderr when a command cannot do its work.

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use natbed_lab::diagnose::Part;

use crate::render::style::paint_part;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    /// All expectations were met.
    Met = 0,
    /// One was not.
    NotMet = 1,
    /// Bad usage or a bad scenario.
    Invalid = 2,
    /// A file could not be read or written.
    Inaccessible = 3,
    /// The user stopped it.
    Interrupted = 130,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status as u8)
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: Status,
    /// The text for stderr.
    pub(crate) report: String,
}

impl Failure {
    /// Bad usage, with a line of help if there is one.
    pub(crate) fn usage(message: impl Display, help: Option<String>) -> Self {
        let help = help.map(help_line);
        Self { status: Status::Invalid, report: error_line(message) + &help.unwrap_or_default() }
    }

    /// A file that is there and shall not be replaced.
    pub(crate) fn exists(path: &Path) -> Self {
        let report = error_line(format_args!("cannot write {}: it is there already", path.display()));
        Self { status: Status::Inaccessible, report: report + &help_line("--force replaces it") }
    }

    /// A file that could not be read or written, as `verb` says.
    pub(crate) fn file(verb: &str, path: &Path, why: &io::Error) -> Self {
        let report = error_line(format_args!("cannot {verb} {}: {}", path.display(), reason(why)));
        Self { status: Status::Inaccessible, report }
    }
}

/// `error: message`.
pub(crate) fn error_line(message: impl Display) -> String {
    format!("{}: {message}\n", paint_part(Part::Error, "error"))
}

/// A line of help under an error.
pub(crate) fn help_line(help: impl Display) -> String {
    format!("  {} {help}\n", paint_part(Part::Help, "= help:"))
}

/// What the system says, without its error number.
fn reason(why: &io::Error) -> String {
    let text = why.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    text[..end].to_lowercase()
}
