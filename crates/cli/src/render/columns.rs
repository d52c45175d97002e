//! Columns of cells, each as wide as its widest cell.

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use super::style::{PLAIN, paint};

/// A piece of text in a column.
#[derive(Clone)]
pub(crate) struct Cell {
    text: String,
    style: Style,
    right: bool,
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style, right: false }
    }

    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self::new(text, PLAIN)
    }

    /// Aligned to the right of its column.
    #[must_use]
    pub(crate) fn right(mut self) -> Self {
        self.right = true;
        self
    }

    fn width(&self) -> usize {
        self.text.width()
    }

    fn padded(&self, width: usize) -> String {
        let blanks = " ".repeat(width.saturating_sub(self.width()));
        let text = if self.text.is_empty() { String::new() } else { paint(self.style, &self.text) };
        if self.right { blanks + &text } else { text + &blanks }
    }
}

/// The columns that rows of cells take with `gap` blanks between two.
pub(crate) fn total_width(rows: &[Vec<Cell>], gap: usize) -> usize {
    let widths = widths(rows);
    widths.iter().sum::<usize>() + gap * widths.len().saturating_sub(1)
}

/// `rows` as lines, without blanks at their ends.
pub(crate) fn lines(rows: &[Vec<Cell>], gap: usize) -> Vec<String> {
    let widths = widths(rows);
    let line = |row: &Vec<Cell>| {
        let last = row.iter().rposition(|cell| !cell.text.is_empty()).map_or(0, |last| last + 1);
        let mut line = String::new();
        for (index, (cell, width)) in row[..last].iter().zip(&widths).enumerate() {
            let is_last = index + 1 == last && !cell.right;
            line += &cell.padded(if is_last { 0 } else { *width });
            if index + 1 < last {
                line += &" ".repeat(gap);
            }
        }
        line
    };
    rows.iter().map(line).collect()
}

fn widths(rows: &[Vec<Cell>]) -> Vec<usize> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(Cell::width).max();
    (0..count).map(|column| width(column).unwrap_or(0)).collect()
}
