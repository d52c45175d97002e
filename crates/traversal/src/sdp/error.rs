//! What is wrong with a text, and where.

use std::ops::Range;

use thiserror::Error;

/// Why a text is not a session description.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: expected {expected}, found {}", Found(.found))]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The octets of the text that are wrong; empty where something is missing.
    pub span: Range<usize>,
    /// What belongs there.
    pub expected: &'static str,
    /// What stands there; empty where something is missing.
    pub found: String,
}

struct Found<'a>(&'a str);

impl std::fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            "" => f.write_str("nothing"),
            text => write!(f, "`{text}`"),
        }
    }
}

/// A part of the text that is wrong, and what belongs there.
#[derive(Debug)]
pub(super) struct Wrong<'a> {
    pub(super) at: &'a str,
    pub(super) expected: &'static str,
}

/// What a reader gives.
pub(super) type Parsed<'a, T> = Result<T, Wrong<'a>>;

impl<'a> Wrong<'a> {
    pub(super) const fn new(at: &'a str, expected: &'static str) -> Self {
        Self { at, expected }
    }

    /// Where in `text`, of which `at` is a part, it is.
    pub(super) fn locate(&self, text: &str) -> ParseError {
        /// A longer piece is not repeated in full.
        const LONGEST: usize = 40;
        let start = (self.at.as_ptr() as usize).saturating_sub(text.as_ptr() as usize).min(text.len());
        let before = &text[..start];
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count());
        let found = match self.at.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", &self.at[..end]),
            None => self.at.to_owned(),
        };
        ParseError {
            line: before.matches('\n').count() + 1,
            column: column + 1,
            span: start..start + self.at.len(),
            expected: self.expected,
            found,
        }
    }
}
