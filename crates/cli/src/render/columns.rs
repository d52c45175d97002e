//! Columns of cells, each as wide as its widest cell.

use anstyle::Style;
use tabled::Table;
use tabled::builder::Builder;
use tabled::settings::{Alignment, Padding, Style as Borders};

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

    fn painted(&self) -> String {
        if self.text.is_empty() { String::new() } else { paint(self.style, &self.text) }
    }
}

/// The columns that rows of cells take with `gap` blanks between two.
pub(crate) fn total_width(rows: &[Vec<Cell>], gap: usize) -> usize {
    table(rows, gap).total_width().saturating_sub(gap)
}

/// `rows` as lines, without blanks at their ends.
pub(crate) fn lines(rows: &[Vec<Cell>], gap: usize) -> Vec<String> {
    table(rows, gap).to_string().lines().map(|line| line.trim_end().to_owned()).collect()
}

fn table(rows: &[Vec<Cell>], gap: usize) -> Table {
    let mut table = Builder::from_iter(rows.iter().map(|row| row.iter().map(Cell::painted))).build();
    table.with(Borders::empty()).with(Padding::new(0, gap, 0, 0));
    for (line, row) in rows.iter().enumerate() {
        for (column, _) in row.iter().enumerate().filter(|(_, cell)| cell.right) {
            table.modify((line, column), Alignment::right());
        }
    }
    table
}
