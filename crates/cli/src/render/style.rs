//! Colours.

use anstyle::{AnsiColor, Style};
use natbed_lab::diagnose::Part;
use natbed_lab::run::Outcome;

pub(crate) const PLAIN: Style = Style::new();
pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const MIDDLING: Style = AnsiColor::Yellow.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default();

/// `text` in `style`.
pub(crate) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// A part of a diagnostic in its colour.
pub(crate) fn paint_part(part: Part, text: &str) -> String {
    let style = match part {
        Part::Error => BAD.bold(),
        Part::Message => BOLD,
        Part::Gutter => AnsiColor::Blue.on_default(),
        Part::Caret => BAD,
        Part::Help => AnsiColor::Cyan.on_default(),
    };
    paint(style, text)
}

/// The symbol and the colour of an outcome.
pub(crate) const fn mark(outcome: Outcome) -> (&'static str, Style) {
    match outcome {
        Outcome::Direct => ("✓", GOOD),
        Outcome::Relay => ("⇄", MIDDLING),
        Outcome::Fail => ("✗", BAD),
    }
}

/// `text` without characters that would move the cursor or restyle the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
