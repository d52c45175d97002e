//! Where output goes: data to stdout, everything else to stderr, colour only where it is wanted.

use std::io::{self, Write};
use std::path::Path;

use anstream::{AutoStream, ColorChoice};

use crate::exit::Failure;

/// Columns where no terminal says how many there are.
const COLUMNS: usize = 80;
/// Columns that output is never squeezed below.
const FEWEST: usize = 40;

/// Stdout and stderr.
pub(crate) struct Screen {
    color: ColorChoice,
    /// Whether data goes to stderr, since stdout carries a trace or capture.
    divert: bool,
}

impl Screen {
    pub(crate) const fn new(color: ColorChoice) -> Self {
        Self { color, divert: false }
    }

    /// Sends data to stderr from now on.
    pub(crate) fn divert(&mut self) {
        self.divert = true;
    }

    /// Writes data. A reader that has gone away wants no more of it, and is no failure.
    pub(crate) fn print(&self, text: &str) -> Result<(), Failure> {
        if self.divert {
            self.report(text);
            return Ok(());
        }
        let mut out = AutoStream::new(io::stdout().lock(), self.color);
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(why) if why.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::file("write", Path::new("standard output"), &why))
            }
            _ => Ok(()),
        }
    }

    /// Writes errors and hints; nothing can be done where even that fails.
    pub(crate) fn report(&self, text: &str) {
        let _ = AutoStream::new(io::stderr().lock(), self.color).write_all(text.as_bytes());
    }
}

/// Columns to fill: `COLUMNS`, else those of the terminal if stdout is one, else 80.
pub(crate) fn width() -> usize {
    let given = std::env::var_os("COLUMNS").and_then(|columns| columns.to_str()?.parse().ok());
    let asked = || terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
    given.or_else(asked).unwrap_or(COLUMNS).max(FEWEST)
}
