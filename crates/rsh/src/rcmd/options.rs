//! What a carrier over rsh is told once, for all its commands.

use super::course::Errors;
use std::io;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// How commands are carried over rsh.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// The user here, whom the server is asked to trust.
    pub local_user: Arc<str>,
    /// The server's port; 514 is the one of the service `shell`.
    pub port: u16,
    /// What becomes of the standard error. [`Errors::Acknowledged`] unless told otherwise: it is separate, and signals can be sent.
    pub errors: Errors,
    /// This side's FIN ends the command's input, and `TIME_WAIT` stays on its port; otherwise the remote side closes first.
    pub half_close: bool,
    /// A server that gives no sign of life for so long, though it is asked for one, is taken for gone.
    pub silence: Duration,
    /// At so many ports at most call-backs are awaited at once.
    pub call_backs: usize,
}

impl Options {
    /// As a rule: port 514, the standard error separate with signals, the remote side closes first, 60 s of silence, 64
    /// ports for call-backs.
    pub fn new(local_user: impl Into<Arc<str>>) -> Self {
        Self {
            local_user: local_user.into(),
            port: 514,
            errors: Errors::Acknowledged,
            half_close: false,
            silence: Duration::from_secs(60),
            call_backs: 64,
        }
    }
}

/// The name of the user who runs this process, as `id -un` has it.
///
/// # Errors
///
/// When `id` cannot be run, or does not know the user.
pub fn local_user() -> io::Result<String> {
    let output = Command::new("id").arg("-un").output()?;
    let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && !name.is_empty() {
        return Ok(name);
    }
    Err(io::Error::other("`id -un` does not know this user's name"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn whoever_runs_this_has_a_name() {
        assert!(!super::local_user().unwrap().is_empty());
    }
}
