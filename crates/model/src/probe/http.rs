//! An HTTP/1 answer as it comes in, octet by octet: how much of it is there, and whether that is all.
//!
//! Only what tells an answer's end is read (RFC 9112 §6.3), and the few fields a report names. It keeps the head, at
//! most 64 KiB, and counts the rest. Whatever a server sends, reading it ends in a word for it.

mod chunks;
mod head;

use chunks::Chunks;
use head::Head;

/// An answer, as far as it came.
///
/// ```
/// use lastack_model::probe::http::{Answer, Extent};
///
/// let mut answer = Answer::default();
/// answer.take(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
/// assert_eq!(answer.extent(), Extent::Part { body: 3, of: Some(5) });
/// answer.take(b"lo");
/// assert_eq!(answer.extent(), Extent::Whole { body: 5 });
/// ```
#[derive(Clone, Debug, Default)]
pub struct Answer {
    raw: Vec<u8>,
    head: Head,
    phase: Phase,
    body: u64,
}

/// How much of an answer is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Extent {
    /// Nothing.
    Nothing,
    /// Part of its head.
    Head,
    /// Its head, and so many octets of its body; of how many, where the head says.
    Part {
        /// Octets of the body.
        body: u64,
        /// How many there are to be.
        of: Option<u64>,
    },
    /// All of it, with so many octets of body.
    Whole {
        /// Octets of the body.
        body: u64,
    },
    /// So much, up to the close, which is what ends it: whether that is all, nobody can tell (RFC 9112 §6.3, rule 8).
    ToTheClose {
        /// Octets of the body.
        body: u64,
    },
    /// It is no answer that HTTP/1 knows.
    Malformed(Flaw),
}

/// Why something is no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Flaw {
    /// It does not begin as one.
    NoStatusLine,
    /// It is a record of TLS.
    Tls,
    /// Its head is longer than 64 KiB.
    LongHead,
    /// Its length is no number, or several.
    Length,
    /// A chunk does not begin with its size, or does not end where it should.
    Chunk,
}

#[derive(Clone, Debug, Default)]
enum Phase {
    #[default]
    Head,
    Counted {
        left: u64,
    },
    Chunked(Chunks),
    ToTheClose,
    Done,
    Ended,
    Malformed(Flaw),
}

impl Answer {
    /// More of it. What comes after its end is passed over.
    pub fn take(&mut self, mut octets: &[u8]) {
        while !octets.is_empty() {
            let used = match &mut self.phase {
                Phase::Head => self.take_head(octets),
                Phase::Counted { left } => {
                    let used = octets.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= used as u64;
                    self.body += used as u64;
                    if *left == 0 {
                        self.phase = Phase::Done;
                    }
                    used
                }
                Phase::Chunked(chunks) => {
                    let (used, data) = chunks.take(octets);
                    self.body = self.body.saturating_add(data);
                    match chunks.state() {
                        chunks::State::More => {}
                        chunks::State::Done => self.phase = Phase::Done,
                        chunks::State::Broken => self.phase = Phase::Malformed(Flaw::Chunk),
                    }
                    used
                }
                Phase::ToTheClose => {
                    self.body = self.body.saturating_add(octets.len() as u64);
                    octets.len()
                }
                Phase::Done | Phase::Ended | Phase::Malformed(_) => return,
            };
            octets = &octets[used..];
        }
    }

    /// The stream ended in good order.
    pub fn end(&mut self) {
        if matches!(self.phase, Phase::ToTheClose) {
            self.phase = Phase::Ended;
        }
    }

    /// How much of it is there.
    pub const fn extent(&self) -> Extent {
        let body = self.body;
        match &self.phase {
            Phase::Head if self.raw.is_empty() => Extent::Nothing,
            Phase::Head => Extent::Head,
            Phase::Counted { left } => Extent::Part { body, of: Some(body.saturating_add(*left)) },
            Phase::Chunked(_) | Phase::ToTheClose => Extent::Part { body, of: None },
            Phase::Done => Extent::Whole { body },
            Phase::Ended => Extent::ToTheClose { body },
            Phase::Malformed(flaw) => Extent::Malformed(*flaw),
        }
    }

    /// True when no more of it is to be expected.
    pub const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Done | Phase::Ended | Phase::Malformed(_))
    }

    /// Its status.
    pub const fn status(&self) -> Option<u16> {
        self.head.status
    }

    /// What the server calls itself, without anything that is not printable.
    pub fn server(&self) -> Option<&str> {
        self.head.server.as_deref()
    }

    /// True when it says that the connection ends with it (RFC 9112 §9.3), and so does one of HTTP/1.0 that does not
    /// say otherwise.
    pub const fn announces_close(&self) -> bool {
        self.head.announces_close
    }

    /// Reads the head to its end, which is an empty line (RFC 9112 §2.1).
    fn take_head(&mut self, octets: &[u8]) -> usize {
        for (at, octet) in octets.iter().enumerate() {
            self.raw.push(*octet);
            if let Some(flaw) = head::flaw_at_start(&self.raw) {
                self.phase = Phase::Malformed(flaw);
            } else if self.raw.ends_with(b"\n\r\n") || self.raw.ends_with(b"\n\n") {
                self.begin_body();
            } else if self.raw.len() > LONGEST_HEAD {
                self.phase = Phase::Malformed(Flaw::LongHead);
            } else {
                continue;
            }
            return at + 1;
        }
        octets.len()
    }

    /// What follows the head, by the rules of RFC 9112 §6.3. An interim answer is followed by another head.
    fn begin_body(&mut self) {
        let head = match Head::parse(&self.raw) {
            Ok(head) => head,
            Err(flaw) => {
                self.phase = Phase::Malformed(flaw);
                return;
            }
        };
        if head.is_interim() {
            self.raw.clear();
            return;
        }
        self.phase = match head.length {
            _ if head.has_no_body() => Phase::Done,
            head::Length::Counted(0) => Phase::Done,
            head::Length::Counted(left) => Phase::Counted { left },
            head::Length::Chunked => Phase::Chunked(Chunks::default()),
            head::Length::ToTheClose => Phase::ToTheClose,
        };
        self.head = head;
    }
}

/// The longest head that is read, in octets.
pub const LONGEST_HEAD: usize = 64 << 10;

#[cfg(test)]
mod tests;
