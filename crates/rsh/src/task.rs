//! What is to be run, and how long it may take.

use std::sync::Arc;
use std::time::Duration;

/// One command on one host.
#[derive(Clone, Debug)]
pub struct Task {
    /// The host, by name or address, as it was typed.
    pub host: Arc<str>,
    /// The user there; `None` leaves it to the carrier, which takes the local user's name.
    pub user: Option<Arc<str>>,
    /// The command, for the remote user's shell.
    pub command: Arc<[u8]>,
    /// What the command reads.
    pub stdin: Stdin,
    /// How long each part may take.
    pub limits: Limits,
}

/// What a command reads from its standard input.
#[derive(Clone, Debug, Default)]
pub enum Stdin {
    /// Nothing: the end at once.
    #[default]
    Nothing,
    /// These octets, then the end.
    Octets(Arc<[u8]>),
}

/// How long the parts of a task may take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// To connect and be accepted: until the server has said that it runs the command.
    pub connect: Duration,
    /// From then on to the end of the command; `None` sets no limit.
    pub command: Option<Duration>,
    /// What a command that was told to end is given before it is killed, and the server to close before it is reset.
    pub grace: Duration,
}

impl Default for Limits {
    /// 10 s to connect, no limit for the command, 5 s of grace.
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), command: None, grace: Duration::from_secs(5) }
    }
}
