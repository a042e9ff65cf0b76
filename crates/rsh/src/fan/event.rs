//! What is told of a fan-out while it goes on.

use crate::{Failure, Piece, Report};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Something happened to a task, which is known by its number, or to all of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// It was started.
    Started {
        /// Which one.
        task: usize,
        /// 1, and more when it is tried again.
        attempt: u32,
    },
    /// Its command wrote something.
    Wrote(Piece),
    /// It failed before its command ran, and will be tried again.
    Again {
        /// Which one.
        task: usize,
        /// Why it failed.
        failure: Failure,
        /// When it will be tried, from now.
        after: Duration,
    },
    /// It is over.
    Ended {
        /// Which one.
        task: usize,
        /// How often it was tried.
        attempts: u32,
        /// How it went.
        report: Report,
    },
    /// Nothing starts any more, and what runs was told to end.
    Stopping(NotRun),
    /// It is over and was never started, or not started again.
    NotRun {
        /// Which one.
        task: usize,
        /// Why not.
        why: NotRun,
    },
}

/// Why a task was not run.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum NotRun {
    /// The fan-out was stopped first.
    Stopped,
    /// The time for all of it was over first.
    TimedOut,
    /// An earlier task could not be started on the same host.
    After {
        /// That task.
        task: usize,
    },
}

/// The events of a fan-out, to be taken one after the other.
#[derive(Debug)]
pub struct Events {
    queue: UnboundedReceiver<Told>,
    room: Arc<Semaphore>,
}

/// Where events are told, in the order in which they are taken. What tasks write waits until there is room for it, what
/// happens to them does not: there is little of that.
#[derive(Clone, Debug)]
pub(crate) struct Teller {
    queue: UnboundedSender<Told>,
    room: Arc<Semaphore>,
}

#[derive(Debug)]
enum Told {
    Event(Event),
    Over,
}

impl Events {
    /// The next event; `None` when it is over. Dropping the future loses none.
    pub async fn next(&mut self) -> Option<Event> {
        let Some(Told::Event(event)) = self.queue.recv().await else { return None };
        if matches!(event, Event::Wrote(_)) {
            self.room.add_permits(1);
        }
        Some(event)
    }
}

impl Drop for Events {
    /// Nobody waits for room any more.
    fn drop(&mut self) {
        self.room.close();
    }
}

impl Teller {
    /// One with room for so many pieces of output.
    pub(super) fn new(room: usize) -> (Self, Events) {
        let (teller, queue) = unbounded_channel();
        let room = Arc::new(Semaphore::new(room));
        (Self { queue: teller, room: room.clone() }, Events { queue, room })
    }

    /// Tells what happened.
    pub(super) fn tell(&self, event: Event) {
        // Nobody listens any more: the orders will say so.
        let _ = self.queue.send(Told::Event(event));
    }

    /// There is nothing more to tell.
    pub(super) fn end(&self) {
        let _ = self.queue.send(Told::Over);
    }

    /// Until nobody listens any more.
    pub(super) async fn deserted(&self) {
        self.queue.closed().await;
    }

    /// Tells what a task wrote, once there is room for it.
    pub(crate) async fn write(&self, piece: Piece) {
        if let Ok(room) = self.room.acquire().await {
            // It is given back by whoever takes the piece.
            room.forget();
            self.tell(Event::Wrote(piece));
        }
    }
}
