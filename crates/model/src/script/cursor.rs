//! A position in a script's text, with the few moves that the readers are made of. It never goes back further than a
//! reader asked for, and never past the end.

use super::{Error, Place};

/// A position in a text.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    lines: &'a Lines,
    at: usize,
}

/// Where each line of a text begins.
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect())
    }
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(text: &'a str, lines: &'a Lines) -> Self {
        Self { text, lines, at: 0 }
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Where it stands.
    pub(super) fn place(&self) -> Place {
        let line = self.lines.0.partition_point(|start| *start <= self.at);
        let start = line.checked_sub(1).and_then(|at| self.lines.0.get(at)).copied().unwrap_or(0);
        let column = self.at - start + 1;
        Place { line: line as u32, column: column as u32 }
    }

    /// An error here.
    pub(super) fn error(&self, what: impl Into<String>) -> Error {
        Error { place: self.place(), what: what.into() }
    }

    /// An error here that says what should stand here and what does.
    pub(super) fn expected(&self, wanted: &str) -> Error {
        let found = match self.peek() {
            None => "the script ends".to_owned(),
            Some('\n') => "the line ends".to_owned(),
            Some(_) => {
                let shown: String =
                    self.rest().chars().take_while(|c| !c.is_whitespace()).take(20).collect();
                format!("there is '{}'", shown.escape_debug())
            }
        };
        self.error(format!("expected {wanted}, but {found}"))
    }

    /// Skips blanks and comments.
    pub(super) fn skip(&mut self) -> Result<(), Error> {
        loop {
            let rest = self.rest();
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                let end = rest.find("*/").ok_or_else(|| self.error("this comment has no end"))?;
                self.at += end + 2;
            } else {
                let blank = rest.len() - rest.trim_start().len();
                if blank == 0 {
                    return Ok(());
                }
                self.at += blank;
            }
        }
    }

    /// Skips blanks on this line.
    pub(super) fn skip_on_line(&mut self) {
        while self.peek().is_some_and(|c| c.is_whitespace() && c != '\n') {
            self.bump();
        }
    }

    /// Moves past this, if it is next.
    pub(super) fn eat(&mut self, wanted: &str) -> bool {
        let there = self.rest().starts_with(wanted);
        if there {
            self.at += wanted.len();
        }
        there
    }

    /// Moves past this, which must come next after blanks.
    pub(super) fn must(&mut self, wanted: &str) -> Result<(), Error> {
        self.skip()?;
        if self.eat(wanted) { Ok(()) } else { Err(self.expected(&format!("'{wanted}'"))) }
    }

    /// Takes all that fit.
    pub(super) fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Takes everything before the mark, and the mark too.
    pub(super) fn take_until(&mut self, mark: &str, whole: &str) -> Result<&'a str, Error> {
        let rest = self.rest();
        let end = rest.find(mark).ok_or_else(|| self.error(format!("{whole} has no end")))?;
        self.at += end + mark.len();
        Ok(&rest[..end])
    }

    /// A word: letters, digits and `_`.
    pub(super) fn word(&mut self) -> &'a str {
        self.take_while(|c| c.is_ascii_alphanumeric() || c == '_')
    }

    /// The word that comes next after blanks, without moving.
    pub(super) fn next_word(&self) -> &'a str {
        let mut ahead = self.clone();
        ahead.skip_on_line();
        ahead.word()
    }

    /// A whole number of 32 bits, as sequence numbers are.
    pub(super) fn number(&mut self, what: &str) -> Result<u32, Error> {
        self.skip_on_line();
        let start = self.clone();
        let digits = self.take_while(|c| c.is_ascii_digit());
        if digits.is_empty() {
            return Err(start.expected(what));
        }
        digits.parse().map_err(|_| start.error(format!("{digits} is more than 32 bits hold")))
    }
}
