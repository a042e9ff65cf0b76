//! One error type: which operation failed, on which object, why, and what to do about it.

use std::fmt;
use std::io;

/// A failed operation. Displays as a fragment that fits after "failed to".
#[derive(Debug)]
pub struct Error {
    operation: &'static str,
    object: String,
    cause: io::Error,
    remedy: Option<String>,
}

/// The result of asking the operating system.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The operation (`read`, `dump`), the object it failed on, and the system's error.
    pub fn new(
        operation: &'static str,
        object: impl Into<String>,
        cause: impl Into<io::Error>,
    ) -> Self {
        Self { operation, object: object.into(), cause: cause.into(), remedy: None }
    }

    /// The same with what would help.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The system's error.
    pub const fn cause(&self) -> &io::Error {
        &self.cause
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.operation, self.object, self.cause)?;
        match &self.remedy {
            Some(remedy) => write!(f, " ({remedy})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}
