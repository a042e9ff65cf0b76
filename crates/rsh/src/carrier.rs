//! What carries a task to its host.

use crate::{Output, Report, Task};
use std::future::Future;
use tokio::sync::watch;

/// Carries tasks to hosts: rsh, a session of it, ssh.
pub trait Carrier: Send + Sync + 'static {
    /// Runs the task to its end, or until it is told to stop. Every wait is bounded by the task's limits, except that a
    /// command without one may run for as long as it likes. Failure is a report like any other.
    fn run(&self, task: Task, output: Output, stop: Stop) -> impl Future<Output = Report> + Send;

    /// What tasks have been waiting for on this host for a while, in words; `None` where nothing holds them up here.
    fn waits_for(&self) -> Option<String> {
        None
    }
}

/// A signal for a remote command, as POSIX names it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Signal {
    /// `SIGINT`.
    Interrupt,
    /// `SIGTERM`.
    Terminate,
    /// `SIGKILL`.
    Kill,
}

impl Signal {
    /// Its number, the same on every system that has `rshd` (POSIX `kill -l`).
    pub const fn number(self) -> u8 {
        match self {
            Self::Interrupt => 2,
            Self::Kill => 9,
            Self::Terminate => 15,
        }
    }
}

/// Tells a task to stop. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<Option<Signal>>);

impl Stop {
    /// One that may be pulled: send a signal into it, and every task that has a clone forwards it and ends.
    pub fn new() -> (watch::Sender<Option<Signal>>, Self) {
        let (sender, receiver) = watch::channel(None);
        (sender, Self(receiver))
    }

    /// Waits until it is pulled; for ever if that cannot happen any more.
    pub async fn pulled(&mut self) -> Signal {
        // The guard must not live across the other wait: it would keep tasks from changing threads.
        let pulled = self.0.wait_for(Option::is_some).await.map(|signal| *signal);
        match pulled {
            Ok(signal) => signal.unwrap_or(Signal::Terminate),
            Err(_) => std::future::pending().await,
        }
    }

    /// The signal, if it was pulled already.
    pub fn signal(&self) -> Option<Signal> {
        *self.0.borrow()
    }
}
