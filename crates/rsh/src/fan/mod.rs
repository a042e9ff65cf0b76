//! Many tasks over one carrier: so many at once, each host's tasks one after the other, tried again where that is safe,
//! all of it within a time.
//!
//! What starts when is decided by a plan without I/O and without a clock; the rest is thin. One host that fails never
//! stops the others. What happens is told as [`Event`]s, in the order in which it happened to each task. Memory is
//! bounded: by the tasks, and by room for [`QUEUE`] pieces of output, without which commands are slowed down.

mod drive;
mod event;
mod plan;

pub(crate) use event::Teller;
pub use event::{Event, Events, NotRun};

use crate::{Carrier, Signal, Task};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How a fan-out goes about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Terms {
    /// How many tasks run at once, at most. At least one does.
    pub width: usize,
    /// How often a task is tried again that certainly did not run its command.
    pub retries: u32,
    /// How long all of it may take.
    pub total: Option<Duration>,
}

/// Ends a fan-out early. Dropping it changes nothing.
#[derive(Clone, Debug)]
pub struct Control(mpsc::UnboundedSender<Signal>);

/// Pieces of output on their way, at most.
pub const QUEUE: usize = 256;

/// Starts the tasks: those of one list run one after the other, the lists side by side in their order. Tasks are
/// numbered through, list after list, from 0.
///
/// Needs a runtime of tokio with I/O and time, and panics without one. The fan-out goes on by itself; it is over when
/// there is no event any more. One whose [`Events`] are dropped is ended with SIGTERM.
pub fn start<C: Carrier>(
    carrier: Arc<C>,
    lists: Vec<Vec<Task>>,
    terms: Terms,
) -> (Control, Events) {
    let (control, orders) = mpsc::unbounded_channel();
    let (teller, events) = Teller::new(QUEUE);
    let drive = drive::Drive::new(carrier, lists, terms, teller);
    tokio::spawn(drive.run(orders));
    (Control(control), events)
}

impl Control {
    /// Starts nothing more, and has the tasks that run forward this signal and end.
    pub fn stop(&self, signal: Signal) {
        // One that is over has nobody to stop.
        let _ = self.0.send(signal);
    }
}

impl Default for Terms {
    /// 32 at once, each tried once, no limit.
    fn default() -> Self {
        Self { width: 32, retries: 0, total: None }
    }
}

#[cfg(test)]
mod tests;
