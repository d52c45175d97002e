use std::ops::Range;

use unicode_width::UnicodeWidthChar;

use super::Diagnostic;

/// A part of a report, so that a caller can colour it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `error[code]`.
    Error,
    /// The sentence after it.
    Message,
    /// Line number, bars and arrow.
    Gutter,
    /// The carets and what stands beside them.
    Caret,
    /// `help:`.
    Help,
}

/// Puts colour around a piece of a report.
pub type Paint<'a> = &'a dyn Fn(Part, &str) -> String;

/// A [`Paint`] without colour.
pub fn plain(_: Part, text: &str) -> String {
    text.to_owned()
}

/// Columns of source that a report shows at most.
const WIDEST: usize = 100;
/// Columns shown in front of the caret where a long line is clipped.
const LEAD: usize = 40;
/// Characters of a line that are looked at on each side; more cannot be shown.
const WINDOW: usize = 1_000;
/// Columns that a tab takes.
const TAB: &str = "    ";

/// The text of a file, and where its lines begin.
pub(super) struct Source<'s> {
    text: &'s str,
    lines: Vec<usize>,
}

impl<'s> Source<'s> {
    pub(super) fn new(text: &'s str) -> Self {
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { text, lines: std::iter::once(0).chain(breaks).collect() }
    }

    /// `diagnostic` as text.
    pub(super) fn report(&self, diagnostic: &Diagnostic, file: &str, paint: Paint<'_>) -> String {
        let Diagnostic { code, message, span, label, help } = diagnostic;
        let (line, column) = self.position(span.start);
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        let (excerpt, indent, carets) = self.excerpt(span);
        let bar = paint(Part::Gutter, &format!("{margin} |"));
        let caret = format!("{} {label}", "^".repeat(carets));
        let mut out = format!(
            "{}{}\n{margin}{} {file}:{line}:{column}\n{bar}\n{}{}\n{bar} {indent}{}\n",
            paint(Part::Error, &format!("error[{code}]")),
            paint(Part::Message, &format!(": {message}")),
            paint(Part::Gutter, "-->"),
            paint(Part::Gutter, &format!("{number} |")),
            if excerpt.is_empty() { String::new() } else { format!(" {excerpt}") },
            paint(Part::Caret, caret.trim_end()),
        );
        if let Some(help) = help {
            out += &format!("{margin} {} {help}\n", paint(Part::Help, "= help:"));
        }
        out
    }

    /// Line and column of an octet, both from 1, the column in characters.
    pub(super) fn position(&self, offset: usize) -> (usize, usize) {
        let offset = floor(self.text, offset);
        let line = self.line(offset);
        (line + 1, self.text[self.lines[line]..offset].chars().count() + 1)
    }

    /// The index of the line that holds an octet.
    fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset) - 1
    }

    /// The source line of `span` as it is shown, the blanks in front of the caret, and how many carets.
    fn excerpt(&self, span: &Range<usize>) -> (String, String, usize) {
        let start = floor(self.text, span.start);
        let line = self.line(start);
        let line_start = self.lines[line];
        let line_end = self.lines.get(line + 1).map_or(self.text.len(), |next| next - 1);
        let line_end = line_start + self.text[line_start..line_end].trim_end_matches('\r').len();
        let start = start.min(line_end);
        let end = floor(self.text, span.end).clamp(start, line_end);

        let before = shown(last_chars(&self.text[line_start..start]).chars());
        let marked = shown(self.text[start..end].chars().take(WINDOW));
        let after = shown(self.text[end..line_end].chars().take(WINDOW));
        if width(&before) + width(&marked) + width(&after) <= WIDEST {
            let line = format!("{before}{marked}{after}").trim_end().to_owned();
            return (line, " ".repeat(width(&before)), width(&marked).max(1));
        }
        let before = clip_front(&before, LEAD);
        let marked = clip_back(&marked, WIDEST - width(&before));
        let after = clip_back(&after, WIDEST.saturating_sub(width(&before) + width(&marked)));
        let line = format!("{before}{marked}{after}").trim_end().to_owned();
        (line, " ".repeat(width(&before)), width(&marked).max(1))
    }
}

/// The last [`WINDOW`] characters of `text`.
fn last_chars(text: &str) -> &str {
    text.char_indices().rev().nth(WINDOW - 1).map_or(text, |(at, _)| &text[at..])
}

/// `text` as a terminal can show it on one line.
fn shown(text: impl Iterator<Item = char>) -> String {
    let mut out = String::new();
    for c in text {
        match c {
            '\t' => out.push_str(TAB),
            c if is_unprintable(c) => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out
}

/// Whether `c` would move the cursor or reorder the line: controls, line separators, bidirectional marks.
pub(super) fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// The last `columns` columns of `text`, with an ellipsis in front if it is longer.
fn clip_front(text: &str, columns: usize) -> String {
    let mut excess = width(text).saturating_sub(columns);
    if excess == 0 {
        return text.to_owned();
    }
    excess += 1;
    let mut rest = text.chars();
    while excess > 0 {
        let Some(c) = rest.next() else { break };
        excess = excess.saturating_sub(c.width().unwrap_or(0));
    }
    format!("…{}", rest.as_str())
}

/// The first `columns` columns of `text`, with an ellipsis behind if it is longer.
fn clip_back(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let Some(mut room) = columns.checked_sub(1) else { return out };
    for c in text.chars() {
        let columns = c.width().unwrap_or(0);
        if columns > room {
            break;
        }
        room -= columns;
        out.push(c);
    }
    out.push('…');
    out
}

fn floor(text: &str, offset: usize) -> usize {
    (0..=offset.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}
