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
/// Columns that a tab takes.
const TAB: &str = "    ";

pub(super) fn report(diagnostic: &Diagnostic, file: &str, source: &str, paint: Paint<'_>) -> String {
    let Diagnostic { code, message, span, label, help } = diagnostic;
    let (line, column) = position(source, span.start);
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    let (excerpt, indent, carets) = excerpt(source, span);
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
pub(super) fn position(source: &str, offset: usize) -> (usize, usize) {
    let before = &source[..floor(source, offset)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// The source line of `span` as it is shown, the blanks in front of the caret, and how many carets.
fn excerpt(source: &str, span: &Range<usize>) -> (String, String, usize) {
    let start = floor(source, span.start);
    let line_start = source[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = source[start..].find('\n').map_or(source.len(), |newline| start + newline);
    let line_end = line_start + source[line_start..line_end].trim_end_matches('\r').len();
    let start = start.min(line_end);
    let end = floor(source, span.end).clamp(start, line_end);

    let before = shown(&source[line_start..start]);
    let marked = shown(&source[start..end]);
    let after = shown(&source[end..line_end]);
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

/// `text` as a terminal can show it on one line.
fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
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
