//! What is wrong with a list of hosts.

use super::MOST_HOSTS;
use super::list::{DEEPEST, MOST_OCTETS};
use std::fmt;

/// What is wrong, and where. Displays with the part of the list that is meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Error {
    at: String,
    fault: Fault,
}

/// What is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fault {
    /// A bracket that is never closed, or closed without having been opened.
    Bracket,
    /// Brackets with something else than numbers and ranges.
    Numbers(String),
    /// A range that ends before it begins.
    Backwards(String),
    /// A host's or a user's name that cannot be one.
    Name(&'static str),
    /// More hosts than a list may name.
    TooMany,
    /// Files that name files that name files.
    TooDeep,
    /// A file longer than a list may be.
    TooLong,
    /// A file where none may be named.
    NoFileHere,
    /// A file that cannot be read, in the system's words.
    Unreadable(String),
}

impl Error {
    /// This part of the list has this fault.
    pub(super) fn new(at: impl Into<String>, fault: Fault) -> Self {
        let mut at: String = at.into().escape_debug().collect();
        if at.chars().count() > SHOWN {
            at = at.chars().take(SHOWN).collect::<String>() + "...";
        }
        Self { at, fault }
    }

    /// What is wrong.
    pub const fn fault(&self) -> &Fault {
        &self.fault
    }
}

/// As much of a list as an error repeats.
const SHOWN: usize = 60;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\": {}", self.at, self.fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bracket => write!(f, "brackets do not match (write node[1-9,12])"),
            Self::Numbers(part) => {
                let part = part.escape_debug();
                write!(f, "\"{part}\" is no number and no range (write node[1-9,12])")
            }
            Self::Backwards(range) => write!(f, "the range {range} ends before it begins"),
            Self::Name(why) => write!(f, "{why}"),
            Self::TooMany => write!(f, "more than {MOST_HOSTS} hosts, which is the limit"),
            Self::TooDeep => write!(f, "files that name files, more than {DEEPEST} deep"),
            Self::TooLong => write!(f, "longer than {} MiB, which is the limit", MOST_OCTETS >> 20),
            Self::NoFileHere => write!(f, "no file can be named here"),
            Self::Unreadable(cause) => write!(f, "cannot be read: {cause}"),
        }
    }
}

impl std::error::Error for Error {}
