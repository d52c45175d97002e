//! The words of a line, with a space between them.

use super::super::error::{Parsed, Wrong};

/// What is left of a line.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    pub(super) const fn of(line: &'a str) -> Self {
        Self { rest: line }
    }

    /// The next word, which there must be.
    pub(super) fn next(&mut self, expected: &'static str) -> Parsed<'a, &'a str> {
        let (word, rest) = match self.rest.bytes().position(|byte| byte == b' ') {
            Some(end) if end + 1 < self.rest.len() => (&self.rest[..end], &self.rest[end + 1..]),
            Some(end) => return Err(Wrong::new(&self.rest[end + 1..], "no space at the end")),
            None => (self.rest, &self.rest[self.rest.len()..]),
        };
        if word.is_empty() {
            return Err(Wrong::new(&self.rest[..self.rest.len().min(1)], expected));
        }
        self.rest = rest;
        Ok(word)
    }

    /// The next word, checked.
    pub(super) fn word(
        &mut self,
        valid: impl Fn(&str) -> bool,
        expected: &'static str,
    ) -> Parsed<'a, &'a str> {
        let word = self.next(expected)?;
        if valid(word) { Ok(word) } else { Err(Wrong::new(word, expected)) }
    }

    /// Whether there is no more.
    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// All that is left.
    pub(super) const fn rest(self) -> &'a str {
        self.rest
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Parsed<'a, ()> {
        if self.rest.is_empty() { Ok(()) } else { Err(Wrong::new(self.rest, "the end of the line")) }
    }
}

/// A decimal number of digits alone, up to `most`.
pub(super) fn number<'a, T: TryFrom<u64>>(word: &'a str, most: u64, expected: &'static str) -> Parsed<'a, T> {
    // A sign would be read too.
    let value = word.parse::<u64>().ok().filter(|value| *value <= most && !word.starts_with('+'));
    value.and_then(|value| T::try_from(value).ok()).ok_or(Wrong::new(word, expected))
}

/// Whether it is a token (RFC 8866 section 9).
pub(super) fn is_token(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| TOKEN[usize::from(byte)])
}

/// The octets that are token-chars.
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let others = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&'*+-.^_`{|}~";
    let mut place = 0;
    while place < others.len() {
        table[others[place] as usize] = true;
        place += 1;
    }
    table
};
