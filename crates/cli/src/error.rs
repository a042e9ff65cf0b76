//! Errors of the program: the user's or the environment's fault, one clear line, exit code 2.

use std::fmt;

/// Something that keeps the question from being answered. Displays after `lastack: `.
#[derive(Debug)]
pub struct Error(String);

impl Error {
    /// An error in the user's words.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl From<lastack_os::Error> for Error {
    fn from(error: lastack_os::Error) -> Self {
        Self(format!("failed to {error}"))
    }
}
