//! Paragraphs.

use unicode_width::UnicodeWidthStr;

use super::style::printable;

/// Columns beyond which prose is hard to read.
const WIDEST: usize = 100;

/// `text` in lines of at most `width` columns, the first behind `first`, the others behind as many blanks.
pub(crate) fn wrap(first: &str, text: &str, width: usize) -> String {
    let indent = first.width();
    let room = width.min(WIDEST).saturating_sub(indent);
    let mut out = String::from(first);
    let mut used = 0;
    for word in text.split_whitespace() {
        let columns = word.width();
        if used > 0 && used + 1 + columns > room {
            out += "\n";
            out += &" ".repeat(indent);
            used = 0;
        } else if used > 0 {
            out.push(' ');
            used += 1;
        }
        out += &printable(word);
        used += columns;
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn lines_fit_and_hang() {
        assert_eq!(wrap("  - ", "one two three four", 14), "  - one two\n    three four\n");
    }

    #[test]
    fn a_word_that_is_too_long_stands_alone() {
        assert_eq!(wrap("", "a 2001:db8::1234:5678 b", 10), "a\n2001:db8::1234:5678\nb\n");
    }
}
