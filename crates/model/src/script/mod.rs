//! Scripts: a connection's story in the language of packetdrill, as data.
//!
//! [`parse`] reads the part of that language in which connections open and end, and keeps the place of every step. What
//! stands in a shell's or Python's quotes is recognised where it is one of a few known shapes and is never run. What
//! is well written and beyond this subset becomes an [`Unsupported`] step, so that a script is skipped for a reason and
//! never passes by accident. [`replay`] plays a script against a profile.

mod call;
pub mod cells;
mod conditions;
mod cursor;
mod file;
pub mod replay;
mod segment;
mod shell;
mod time;

pub use call::{Call, Value};
pub use file::parse;
pub use segment::{Acknowledged, Icmp, Options, Pattern, Sequence};
pub use shell::{Assertion, Shell};
pub use time::When;

use std::fmt;

/// A script.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Script {
    /// The `--name=value` lines at its head.
    pub options: Vec<(String, String)>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// One thing that happens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step {
    /// Where it stands.
    pub place: Place,
    /// When it happens.
    pub when: When,
    /// What happens.
    pub body: Body,
}

/// What happens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Body {
    /// A segment arrives.
    Arrives(Pattern),
    /// A segment must be sent.
    Sent(Pattern),
    /// An ICMP message arrives.
    Icmp(Icmp),
    /// The program calls.
    Call(Call),
    /// Commands of a shell, one shape a line.
    Shell(Vec<Shell>),
    /// Something is asserted.
    Assert(Assertion),
    /// Well written, and beyond this subset.
    Unsupported(Unsupported),
}

/// Something beyond the subset, and where it stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unsupported {
    /// What it is.
    pub what: String,
    /// Where it stands.
    pub place: Place,
}

/// A line and a column, counted from 1; columns count bytes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// A script that cannot be read: what is wrong, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Error {
    /// Where.
    pub place: Place,
    /// What.
    pub what: String,
}

impl Script {
    /// The first step beyond the subset.
    pub fn unsupported(&self) -> Option<&Unsupported> {
        self.steps.iter().find_map(|step| match &step.body {
            Body::Unsupported(unsupported) => Some(unsupported),
            _ => None,
        })
    }

    /// The value of an option at its head.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.what, self.place)
    }
}

#[cfg(test)]
mod tests;
