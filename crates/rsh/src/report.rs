//! How a task went.

use crate::Signal;
use lastack_model::truth::Truth;
use std::fmt;
use std::time::Duration;

/// How a task went.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
pub struct Report {
    /// The exit status of the remote command; 128 and more is a signal's number and 128, as shells have it.
    pub result: Result<u8, Failure>,
    /// How long it took.
    pub elapsed: Duration,
    /// What else is worth saying: a connection that something left behind held open, a port that was waited for.
    pub notes: Vec<String>,
}

/// Why there is no exit status.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// What was being done.
    pub stage: Stage,
    /// What came in between.
    pub cause: Cause,
    /// Whether the command ran.
    pub ran: Ran,
}

/// What was being done.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Stage {
    /// Finding the host's address.
    Resolve,
    /// Getting a local port.
    Port,
    /// Connecting.
    Connect,
    /// Agreeing with the server: who, what, and where the standard error goes.
    SetUp,
    /// Running the command.
    Command,
}

/// What came in between.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Cause {
    /// The time for it was over.
    TimedOut(Duration),
    /// The server said no, in these words.
    Refused(String),
    /// The server closed the connection.
    Closed,
    /// The server, or something on the way, reset the connection.
    Reset,
    /// What came is not the protocol; its beginning, made printable.
    NotTheProtocol(String),
    /// The command's shell ended without saying how: killed, as a rule.
    NoStatus,
    /// It was told to stop.
    Stopped(Signal),
    /// The system's words.
    System(String),
}

/// Whether the command ran, as far as is known.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Ran {
    /// It did not: the task may be tried again.
    No,
    /// It may have.
    Perhaps,
    /// It did; and whether it has ended.
    Yes {
        /// Whether it has ended.
        ended: Truth,
    },
}

impl Failure {
    /// Whether trying again cannot run the command twice.
    pub const fn may_be_retried(&self) -> bool {
        matches!(self.ran, Ran::No)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::Resolve => "finding its address",
            Stage::Port => "getting a local port",
            Stage::Connect => "connecting",
            Stage::SetUp => "setting up",
            Stage::Command => "running the command",
        };
        write!(f, "{stage}: {}", self.cause)?;
        match self.ran {
            Ran::No | Ran::Yes { ended: Truth::Yes } => Ok(()),
            Ran::Perhaps => write!(f, " (whether the command ran is not known)"),
            Ran::Yes { ended: Truth::No } => write!(f, " (the command still runs there)"),
            Ran::Yes { ended: Truth::Unknown } => {
                write!(f, " (the command may still run there)")
            }
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut(after) => write!(f, "not done within {:.1} s", after.as_secs_f64()),
            Self::Refused(words) => write!(f, "refused: {words}"),
            Self::Closed => write!(f, "the server closed the connection"),
            Self::Reset => write!(f, "the connection was reset"),
            Self::NotTheProtocol(seen) => write!(f, "not the protocol: \"{seen}\""),
            Self::NoStatus => write!(f, "it ended without a status: killed, as a rule"),
            Self::Stopped(signal) => write!(f, "stopped with signal {}", signal.number()),
            Self::System(words) => write!(f, "{words}"),
        }
    }
}

impl std::error::Error for Failure {}
