//! A description from text (RFC 8866 section 9), each mistake with its place.

mod value;
mod words;

use super::description::{Description, Line, Media};
use super::error::{ParseError, Parsed, Wrong};
use value::{attribute, connection, media, origin, timing};

impl<'a> Description<'a> {
    /// Reads an offer or an answer. Lines may end without CR, and the last one without either.
    ///
    /// # Errors
    ///
    /// What breaks the grammar, with its place. Attributes that are not known are no error, nor are candidates that an
    /// agent has to ignore.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        Reader::new(text, Form::Whole).read().map_err(|wrong| wrong.locate(text))
    }

    /// Reads a body of type `application/trickle-ice-sdpfrag` (RFC 8840 section 9.2): attributes, and pseudo media
    /// sections.
    ///
    /// # Errors
    ///
    /// As [`Description::parse`].
    pub fn parse_fragment(text: &'a str) -> Result<Self, ParseError> {
        Reader::new(text, Form::Fragment).read().map_err(|wrong| wrong.locate(text))
    }
}

/// What kind of text it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Whole,
    Fragment,
}

struct Reader<'a> {
    text: &'a str,
    form: Form,
    description: Description<'a>,
    /// Where the last line stands in the order of the grammar.
    rank: u8,
}

/// Where a line of this type stands in the session (RFC 8866 section 9); those with the same rank may alternate.
const fn session_rank(letter: u8) -> Option<u8> {
    Some(match letter {
        b'v' => 1,
        b'o' => 2,
        b's' => 3,
        b'i' => 4,
        b'u' => 5,
        b'e' => 6,
        b'p' => 7,
        b'c' => 8,
        b'b' => 9,
        b't' | b'r' | b'z' => 10,
        b'k' => 11,
        b'a' => 12,
        _ => return None,
    })
}

/// Where it stands in a media section.
const fn section_rank(letter: u8) -> Option<u8> {
    Some(match letter {
        b'i' => 1,
        b'c' => 2,
        b'b' => 3,
        b'k' => 4,
        b'a' => 5,
        _ => return None,
    })
}

/// Whether there may be several of it.
const fn may_repeat(letter: u8, in_section: bool) -> bool {
    matches!(letter, b'e' | b'p' | b'b' | b't' | b'r' | b'z' | b'a') || (in_section && letter == b'c')
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, form: Form) -> Self {
        Self { text, form, description: Description::default(), rank: 0 }
    }

    fn read(mut self) -> Parsed<'a, Description<'a>> {
        if self.form == Form::Whole {
            self.description.lines.reserve(8);
        }
        let (mut rest, clean) = (self.text, is_clean(self.text));
        while !rest.is_empty() {
            let (line, next) = split_line(rest);
            if !clean {
                check_line(line)?;
            }
            self.line(line)?;
            rest = next;
        }
        self.check()?;
        Ok(self.description)
    }

    fn line(&mut self, line: &'a str) -> Parsed<'a, ()> {
        let (letter, value) = match line.as_bytes() {
            [letter, b'=', ..] if letter.is_ascii_lowercase() => (*letter, &line[2..]),
            [letter, ..] if session_rank(*letter).is_some() || *letter == b'm' => {
                return Err(Wrong::new(&line[1..], "`=` right after the line's letter"));
            }
            _ => return Err(Wrong::new(line, A_LINE)),
        };
        if letter == b'm' {
            return self.heading(line, value);
        }
        let in_section = !self.description.media.is_empty();
        self.order(line, letter, in_section)?;
        let line = match letter {
            b'a' => Line::Attribute(attribute(value, in_section)?),
            b'v' if value == "0" => Line::Version,
            b'v' => return Err(Wrong::new(value, "version 0")),
            b'o' => Line::Origin(origin(value)?),
            b's' => Line::Name(value),
            b'c' => Line::Connection(connection(value)?),
            b't' => timing(value)?,
            other => Line::Other(char::from(other), value),
        };
        match self.description.media.last_mut() {
            Some(section) => section.lines.push(line),
            None => self.description.lines.push(line),
        }
        Ok(())
    }

    fn heading(&mut self, line: &'a str, value: &'a str) -> Parsed<'a, ()> {
        if self.description.media.is_empty() {
            self.check_session(line)?;
        }
        self.rank = 0;
        self.description.media.push(media(value)?);
        Ok(())
    }

    /// The `m=` line of a section, to point at.
    fn heading_of(&self, section: &Media<'a>) -> &'a str {
        let before = section.kind.as_ptr() as usize - self.text.as_ptr() as usize - "m=".len();
        self.text[before..].lines().next().unwrap_or_default()
    }

    /// Lines come in the order of the grammar.
    fn order(&mut self, line: &'a str, letter: u8, in_section: bool) -> Parsed<'a, ()> {
        let whole = self.form == Form::Whole;
        let rank = match (whole, in_section) {
            (true, false) => session_rank(letter),
            (true, true) => section_rank(letter),
            (false, _) => (letter == b'a').then_some(1),
        };
        let Some(rank) = rank.filter(|rank| *rank >= self.rank) else {
            let expected = match (whole, in_section) {
                _ if session_rank(letter).is_none() => A_LINE,
                (true, false) => "a line in the order v o s i u e p c b t r z k a m",
                (true, true) => "a line in the order m i c b k a",
                (false, _) => "an `a=` or `m=` line, as there are no others in a fragment",
            };
            return Err(Wrong::new(line, expected));
        };
        if whole && !in_section && self.rank < 3 && rank != self.rank + 1 {
            return Err(Wrong::new(line, FIRST[usize::from(self.rank)]));
        }
        if rank == self.rank && !may_repeat(letter, in_section) {
            return Err(Wrong::new(line, "one line of this type"));
        }
        self.rank = rank;
        Ok(())
    }

    /// What the session needs before its first media section, which `next` begins.
    fn check_session(&self, next: &'a str) -> Parsed<'a, ()> {
        if self.form == Form::Fragment {
            return Ok(());
        }
        let timed = self.description.lines.iter().any(|line| matches!(line, Line::Timing { .. }));
        match FIRST.get(usize::from(self.rank)) {
            Some(missing) => Err(Wrong::new(next, missing)),
            None if !timed => Err(Wrong::new(next, "a `t=` line before")),
            None => Ok(()),
        }
    }

    /// What can be said when all has been read.
    fn check(&self) -> Parsed<'a, ()> {
        let Description { lines, media } = &self.description;
        if media.is_empty() {
            self.check_session(&self.text[self.text.len()..])?;
        }
        let general = super::description::connection(lines).is_some() || self.form == Form::Fragment;
        for (place, section) in media.iter().enumerate() {
            // "a connection field must be present in every media description or at the session level"
            if section.port != 0 && section.connection().is_none() && !general {
                let expected = "a `c=` line in this section or in the session";
                return Err(Wrong::new(self.heading_of(section), expected));
            }
            if let Some(mid) = section.mid()
                && media[..place].iter().any(|other| other.mid() == Some(mid))
            {
                return Err(Wrong::new(mid, "a `mid` that no other section has"));
            }
        }
        Ok(())
    }
}

const A_LINE: &str = "a line such as `a=…` or `m=…`";

/// The lines that every description begins with.
const FIRST: [&str; 3] = ["the line `v=0`", "an `o=` line", "an `s=` line"];

/// The first line of a text without its end, and what follows.
fn split_line(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|byte| byte == b'\n');
    let (line, rest) = end.map_or((text, ""), |end| (&text[..end], &text[end + 1..]));
    (line.strip_suffix('\r').unwrap_or(line), rest)
}

/// Whether a text has no character that no line may have. No way out at the first that it has, so that many octets are
/// looked at in one step.
fn is_clean(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some((last, next)) = bytes.last().zip(bytes.get(1..)) else { return true };
    let wrong =
        |byte: u8, next: u8| u8::from(byte == 0) | (u8::from(byte == b'\r') & u8::from(next != b'\n'));
    let any = bytes.iter().zip(next).fold(0, |any, (byte, next)| any | wrong(*byte, *next));
    any == 0 && *last != 0
}

fn check_line(line: &str) -> Parsed<'_, ()> {
    match line.bytes().position(|byte| byte == 0 || byte == b'\r') {
        Some(at) => Err(Wrong::new(&line[at..=at], "a character other than NUL and CR")),
        None => Ok(()),
    }
}
