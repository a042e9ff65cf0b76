//! How the end of a server went.

use crate::close::Outcome;
use crate::listener::DrainReport;
use std::fmt;
use std::time::Duration;

/// How the end of a server went.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[must_use = "the report is the only place that tells whether clients were lost"]
#[non_exhaustive]
pub struct ShutdownReport {
    /// How each listener was closed.
    pub listeners: Vec<DrainReport>,
    /// Listeners that were dropped, failed, or were not served until they were empty: who waited in them was reset.
    pub undrained: usize,
    /// Connections on which nothing had been read when the server was told to finish.
    pub let_go: u64,
    /// Connections that the server finished in time, those among them that were let go.
    pub finished: u64,
    /// Connections that were open at the deadline and were ended then.
    pub cut: u64,
    /// Connections that were not closed in the time of their policy; a [`Reaper`](crate::close::Reaper) has them.
    pub left: u64,
    /// How connections were closed from the beginning of the end on; not those that were reset at the deadline, nor
    /// those that somebody else closed.
    pub closes: CloseCounts,
    /// How long each phase took.
    pub elapsed: Elapsed,
}

/// How many connections ended in which way.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CloseCounts([u64; Outcome::ALL.len()]);

/// How long each phase of a server's end took.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Elapsed {
    /// Closing the listeners, and accepting who waited in them.
    pub queue: Duration,
    /// Waiting for first octets.
    pub first_byte: Duration,
    /// Finishing what had begun.
    pub finish: Duration,
    /// Closing what was left.
    pub linger: Duration,
}

impl ShutdownReport {
    /// How many connections were accepted while the listeners were emptied.
    pub fn accepted(&self) -> u64 {
        self.listeners.iter().map(|listener| listener.accepted).sum()
    }

    /// Whether it is known that no client was lost: no listener left one behind, and none was cut. Whoever had sent
    /// nothing within its grace is not counted as a client.
    pub fn lost_nobody(&self) -> bool {
        self.undrained == 0 && self.cut == 0 && self.listeners.iter().all(DrainReport::lost_nobody)
    }
}

impl CloseCounts {
    /// How many ended like this.
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.iter().find_map(|(this, count)| (this == outcome).then_some(count)).unwrap_or(0)
    }

    /// Every outcome with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Outcome, u64)> {
        Outcome::ALL.into_iter().zip(self.0)
    }

    pub(super) fn count(&mut self, outcome: Outcome) {
        let counters = Outcome::ALL.into_iter().zip(&mut self.0);
        for (_, counter) in counters.filter(|(this, _)| *this == outcome) {
            *counter += 1;
        }
    }
}

impl Elapsed {
    /// All phases.
    pub const fn total(&self) -> Duration {
        let first = self.queue.saturating_add(self.first_byte);
        first.saturating_add(self.finish).saturating_add(self.linger)
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ended in {:?}: ", self.elapsed.total())?;
        for listener in &self.listeners {
            write!(f, "{} accepted from the queue ({}), ", listener.accepted, listener.method)?;
        }
        write!(f, "{} finished, {} cut", self.finished, self.cut)?;
        for (count, what) in [
            (self.let_go, "let go without a first octet"),
            (self.left, "left to the reaper"),
            (self.undrained as u64, "listeners not emptied"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}
