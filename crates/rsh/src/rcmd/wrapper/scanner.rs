//! Finds the mark in what the remote side prints, and hands on everything else.
//!
//! Only what may be the beginning of a mark is held back. A mark with its status is held back too: it is the command's
//! end if no other follows. If one does, the earlier was the command's own output (a shell that traces what it does
//! prints it), and is handed on when the later is complete.

use super::{Mark, status};

/// Takes octets in any pieces.
#[derive(Clone, Debug)]
pub struct Scanner {
    mark: Mark,
    /// What may become a mark, its status and its newline.
    held: Vec<u8>,
    found: Option<Found>,
}

#[derive(Clone, Debug)]
struct Found {
    line: Vec<u8>,
    status: u8,
    /// Whether anything came behind it.
    followed: bool,
}

impl Scanner {
    /// Looks for this mark.
    pub const fn new(mark: Mark) -> Self {
        Self { mark, held: Vec::new(), found: None }
    }

    /// Takes octets, and appends what is certainly output.
    pub fn take(&mut self, octets: &[u8], output: &mut Vec<u8>) {
        for octet in octets {
            self.step(*octet, output);
        }
    }

    /// There will be no more: appends what was held back in vain.
    pub fn finish(&mut self, output: &mut Vec<u8>) {
        self.release(output);
    }

    /// The status behind the last mark so far.
    pub fn status(&self) -> Option<u8> {
        self.found.as_ref().map(|found| found.status)
    }

    /// Whether output came after the last mark: of something that the command left behind.
    pub fn is_followed(&self) -> bool {
        self.found.as_ref().is_some_and(|found| found.followed)
    }

    fn step(&mut self, octet: u8, output: &mut Vec<u8>) {
        let mark = self.mark.octets();
        let position = self.held.len();
        let digits = position.saturating_sub(mark.len());
        let fits = match mark.get(position) {
            Some(expected) => octet == *expected,
            None => octet.is_ascii_digit() && digits < MOST_DIGITS,
        };
        if fits {
            self.held.push(octet);
        } else if octet == b'\n' && digits > 0 {
            self.complete(output);
        } else {
            self.release(output);
            // The first octet of a mark stands nowhere else in it, so a mark can only begin here.
            if self.mark.octets().first() == Some(&octet) {
                self.held.push(octet);
            } else {
                self.hand_on(octet, output);
            }
        }
    }

    fn complete(&mut self, output: &mut Vec<u8>) {
        let mut line = std::mem::take(&mut self.held);
        let digits = &line[self.mark.octets().len()..];
        let number = digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0'));
        line.push(b'\n');
        let found = Found { line, status: status(number), followed: false };
        if let Some(earlier) = self.found.replace(found) {
            output.extend_from_slice(&earlier.line);
        }
    }

    fn release(&mut self, output: &mut Vec<u8>) {
        if !self.held.is_empty() {
            output.append(&mut self.held);
            self.note_followed();
        }
    }

    fn hand_on(&mut self, octet: u8, output: &mut Vec<u8>) {
        output.push(octet);
        self.note_followed();
    }

    const fn note_followed(&mut self) {
        if let Some(found) = &mut self.found {
            found.followed = true;
        }
    }
}

const MOST_DIGITS: usize = 3;
