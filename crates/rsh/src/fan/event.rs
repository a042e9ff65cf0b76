//! What is told of a fan-out while it goes on.

use crate::{Failure, Piece, Report};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, UnboundedReceiver};

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
    news: UnboundedReceiver<Event>,
    pieces: Receiver<Piece>,
    /// News that waits until so many pieces that were written before it are told.
    held: Option<(usize, Event)>,
}

impl Events {
    pub(super) const fn new(news: UnboundedReceiver<Event>, pieces: Receiver<Piece>) -> Self {
        Self { news, pieces, held: None }
    }

    /// The next event; `None` when it is over. What a task wrote comes before its end. Dropping the future loses none.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((before, event)) = self.held.take() {
                if before > 0
                    && let Ok(piece) = self.pieces.try_recv()
                {
                    self.held = Some((before - 1, event));
                    return Some(Event::Wrote(piece));
                }
                return Some(event);
            }
            let event = tokio::select! {
                biased;
                Some(piece) = self.pieces.recv() => return Some(Event::Wrote(piece)),
                event = self.news.recv() => event,
            };
            match event {
                Some(event) => self.held = Some((self.pieces.len(), event)),
                None => return self.pieces.try_recv().ok().map(Event::Wrote),
            }
        }
    }
}
