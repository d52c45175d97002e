//! What is wrong with a file: diagnostics with a place in the source, and their rendering.

mod render;
mod suggest;

use std::error::Error;
use std::fmt::{self, Debug, Display, Formatter};
use std::ops::Range;

use serde::Serialize;

pub use render::{Paint, Part, plain};
pub use suggest::did_you_mean;

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of thing, in kebab case, such as `unknown-node`.
    pub code: &'static str,
    /// The sentence that says it.
    pub message: String,
    /// Where, in octets of the source.
    pub span: Range<usize>,
    /// What stands beside the caret; may be empty.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A diagnostic without label and help.
    pub fn new(code: &'static str, span: Range<usize>, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), span, label: String::new(), help: None }
    }

    /// With `label` beside the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// With a line of help, if there is one.
    #[must_use]
    pub fn help(mut self, help: impl Into<Option<String>>) -> Self {
        self.help = help.into();
        self
    }
}

/// Everything that is wrong with one file, in the order of the file. As an error it reads as on the command line, where
/// the file is called `scenario`; so does what `unwrap` says.
#[derive(Clone, PartialEq, Eq)]
pub struct Problems {
    source: String,
    diagnostics: Vec<Diagnostic>,
}

impl Problems {
    /// The problems of `source`; sorted here, by place.
    pub fn new(source: impl Into<String>, mut diagnostics: Vec<Diagnostic>) -> Self {
        diagnostics.sort_by_key(|diagnostic| (diagnostic.span.start, diagnostic.span.end));
        diagnostics.dedup();
        Self { source: source.into(), diagnostics }
    }

    /// The diagnostics.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// All diagnostics as text, a blank line between two; `file` is named as given, `paint` may add colour.
    pub fn render(&self, file: &str, paint: Paint<'_>) -> String {
        let source = render::Source::new(&self.source);
        let reports = self.diagnostics.iter().map(|diagnostic| source.report(diagnostic, file, paint));
        reports.collect::<Vec<String>>().join("\n")
    }

    /// All diagnostics as values that serialise, for `--json`.
    pub fn located(&self, file: &str) -> Vec<Located> {
        let source = render::Source::new(&self.source);
        let locate = |diagnostic: &Diagnostic| {
            let (line, column) = source.position(diagnostic.span.start);
            Located {
                code: diagnostic.code,
                message: diagnostic.message.clone(),
                file: file.to_owned(),
                line,
                column,
                label: diagnostic.label.clone(),
                help: diagnostic.help.clone(),
            }
        };
        self.diagnostics.iter().map(locate).collect()
    }
}

impl Display for Problems {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.render("scenario", &plain).trim_end())
    }
}

impl Debug for Problems {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}")
    }
}

impl Error for Problems {}

/// A diagnostic with its place in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Located {
    /// What kind of thing is wrong.
    pub code: &'static str,
    /// The sentence that says it.
    pub message: String,
    /// The file as it was named.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What stands beside the caret.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// `text` as it may stand in a message: in backquotes, clipped, without characters that move a terminal's cursor.
pub fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut out = String::from("`");
    for (index, c) in text.chars().enumerate() {
        if index == LONGEST {
            out.push('…');
            break;
        }
        if render::is_unprintable(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out.push('`');
    out
}

#[cfg(test)]
mod tests;
