//! A description from text (RFC 8866 section 9), each mistake with its place.

mod value;
mod words;

use super::description::{Description, Line};
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
    /// The `m=` line of each section, to point at.
    headings: Vec<&'a str>,
    /// Where the last line stands in the order of the grammar.
    rank: usize,
}

/// The order of the session's lines; those in one group may alternate (RFC 8866 section 9).
const SESSION: [&str; 12] = ["v", "o", "s", "i", "u", "e", "p", "c", "b", "trz", "k", "a"];
/// The order of a media section's lines.
const SECTION: [&str; 5] = ["i", "c", "b", "k", "a"];
/// The order of a fragment's lines, and of its sections'.
const FRAGMENT: [&str; 1] = ["a"];
/// The lines of which there may be several.
const SEVERAL: &str = "epbtrza";

impl<'a> Reader<'a> {
    fn new(text: &'a str, form: Form) -> Self {
        Self { text, form, description: Description::default(), headings: Vec::new(), rank: 0 }
    }

    fn read(mut self) -> Parsed<'a, Description<'a>> {
        let mut lines = self.text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).peekable();
        if self.form == Form::Whole {
            self.description.lines.reserve(8);
        }
        while let Some(line) = lines.next() {
            if line.is_empty() && lines.peek().is_none() {
                break;
            }
            self.line(line)?;
        }
        self.check()?;
        Ok(self.description)
    }

    fn line(&mut self, line: &'a str) -> Parsed<'a, ()> {
        // A fold, not a search, as the compiler makes wide instructions of it.
        if line.bytes().fold(false, |found, byte| found | (byte == 0) | (byte == b'\r')) {
            let at = line.find(['\0', '\r']).unwrap_or_default();
            return Err(Wrong::new(&line[at..=at], "a character other than NUL and CR"));
        }
        let mut chars = line.chars();
        let letter = chars.next().filter(|letter| "vosiuepcbtrzkam".contains(*letter));
        let letter = letter.ok_or(Wrong::new(line, "a line such as `a=…` or `m=…`"))?;
        let value = chars.as_str().strip_prefix('=');
        let value = value.ok_or(Wrong::new(chars.as_str(), "`=` right after the line's letter"))?;
        if letter == 'm' {
            return self.heading(line, value);
        }
        self.order(line, letter)?;
        let in_section = !self.description.media.is_empty();
        let line = match letter {
            'v' if value == "0" => Line::Version,
            'v' => return Err(Wrong::new(value, "version 0")),
            'o' => Line::Origin(origin(value)?),
            's' => Line::Name(value),
            'c' => Line::Connection(connection(value)?),
            't' => timing(value)?,
            'a' => Line::Attribute(attribute(value, in_section)?),
            other => Line::Other(other, value),
        };
        match self.description.media.last_mut() {
            Some(section) => section.lines.push(line),
            None => self.description.lines.push(line),
        }
        Ok(())
    }

    fn heading(&mut self, line: &'a str, value: &'a str) -> Parsed<'a, ()> {
        if self.headings.is_empty() {
            self.check_session(line)?;
        }
        self.rank = 0;
        self.headings.push(line);
        self.description.media.push(media(value)?);
        Ok(())
    }

    /// Lines come in the order of the grammar.
    fn order(&mut self, line: &'a str, letter: char) -> Parsed<'a, ()> {
        let in_section = !self.headings.is_empty();
        let (order, expected): (&[&str], _) = match (self.form, in_section) {
            (Form::Fragment, _) => (&FRAGMENT, "an `a=` or `m=` line, as there are no others in a fragment"),
            (Form::Whole, true) => (&SECTION, "a line in the order m i c b k a"),
            (Form::Whole, false) => (&SESSION, "a line in the order v o s i u e p c b t r z k a m"),
        };
        let rank = order.iter().position(|group| group.contains(letter));
        let Some(rank) = rank.map(|rank| rank + 1).filter(|rank| *rank >= self.rank) else {
            return Err(Wrong::new(line, expected));
        };
        let first = !in_section && self.form == Form::Whole && self.rank < 3;
        if first && rank != self.rank + 1 {
            return Err(Wrong::new(line, ["the line `v=0`", "an `o=` line", "an `s=` line"][self.rank]));
        }
        let several = SEVERAL.contains(letter) || (in_section && letter == 'c');
        if rank == self.rank && !several {
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
        match self.rank {
            0 => Err(Wrong::new(next, "the line `v=0`")),
            1 => Err(Wrong::new(next, "an `o=` line")),
            2 => Err(Wrong::new(next, "an `s=` line")),
            _ if !timed => Err(Wrong::new(next, "a `t=` line before")),
            _ => Ok(()),
        }
    }

    /// What can be said when all has been read.
    fn check(&self) -> Parsed<'a, ()> {
        let Description { lines, media } = &self.description;
        if media.is_empty() {
            self.check_session(&self.text[self.text.len()..])?;
        }
        let general = super::description::connection(lines).is_some() || self.form == Form::Fragment;
        for (place, (section, heading)) in media.iter().zip(&self.headings).enumerate() {
            // "a connection field must be present in every media description or at the session level"
            if section.port != 0 && section.connection().is_none() && !general {
                return Err(Wrong::new(heading, "a `c=` line in this section or in the session"));
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
