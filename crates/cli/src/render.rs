//! How results look on a terminal: symbol and word, colour only on top, no wider than the terminal where that is
//! possible.

pub(crate) mod classify;
pub(crate) mod columns;
pub(crate) mod explanation;
pub(crate) mod matrix;
pub(crate) mod run;
pub(crate) mod style;
pub(crate) mod sweep;
pub(crate) mod tables;
pub(crate) mod what_if;
pub(crate) mod wrap;
