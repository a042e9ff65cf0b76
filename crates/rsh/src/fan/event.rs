//! What is told of a fan-out while it goes on.

use crate::{Failure, Piece, Report};
use std::collections::VecDeque;
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
    /// The next piece to be told, as soon as no news comes before it.
    piece: Option<Piece>,
    /// How many pieces were told.
    told: u64,
    /// News of what came after pieces, and how many pieces are to be told before.
    held: VecDeque<(u64, Event)>,
}

impl Events {
    pub(super) const fn new(news: UnboundedReceiver<Event>, pieces: Receiver<Piece>) -> Self {
        Self { news, pieces, piece: None, told: 0, held: VecDeque::new() }
    }

    /// The next event; `None` when it is over. What a task wrote comes after its start and before its end; an end waits for
    /// nothing that was written after it, and a start for nothing. Dropping the future loses none.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            // A start is told before its task can write: having a piece, one has the news that come before it.
            while let Ok(event) = self.news.try_recv() {
                if let Some(event) = self.heard(event) {
                    return Some(event);
                }
            }
            if self.held.front().is_some_and(|(due, _)| *due <= self.told) {
                return self.held.pop_front().map(|(_, event)| event);
            }
            if let Some(piece) = self.piece.take() {
                self.told += 1;
                return Some(Event::Wrote(piece));
            }
            tokio::select! {
                biased;
                event = self.news.recv() => match event {
                    Some(event) => {
                        if let Some(event) = self.heard(event) {
                            return Some(event);
                        }
                    }
                    None => match self.pieces.try_recv() {
                        Ok(piece) => self.piece = Some(piece),
                        Err(_) => return self.held.pop_front().map(|(_, event)| event),
                    },
                },
                Some(piece) = self.pieces.recv() => self.piece = Some(piece),
            }
        }
    }

    /// News to be told at once; ends are kept until the pieces that were written before them are told.
    fn heard(&mut self, event: Event) -> Option<Event> {
        match event {
            Event::Started { .. } | Event::Again { .. } | Event::Stopping(_) => Some(event),
            Event::Ended { .. } | Event::NotRun { .. } | Event::Wrote(_) => {
                let before = self.pieces.len() + usize::from(self.piece.is_some());
                self.held.push_back((self.told + before as u64, event));
                None
            }
        }
    }
}
