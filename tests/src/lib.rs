//! Whole-project tests live in `tests/`.

/// The code of the book.
#[cfg(doctest)]
#[doc = include_str!("../../docs/how-to/crates.md")]
pub mod book {}

/// The code about async programs.
#[cfg(doctest)]
#[doc = include_str!("../../docs/how-to/async.md")]
pub mod book_async {}
