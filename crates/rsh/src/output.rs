//! What a remote command writes, on its way to whoever shows it.

use crate::fan::Teller;
use tokio::sync::mpsc;

/// Where a task's output goes: a bounded queue that all tasks share. One that is full slows the remote command down, so
/// that memory stays bounded however fast it writes.
#[derive(Clone, Debug)]
pub struct Output {
    task: usize,
    queue: Queue,
}

#[derive(Clone, Debug)]
enum Queue {
    Pieces(mpsc::Sender<Piece>),
    Events(Teller),
}

/// Some octets that a command wrote, as they came: no line, perhaps half a character.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Piece {
    /// The task's number.
    pub task: usize,
    /// Where the command wrote them.
    pub source: Source,
    /// The octets; never none.
    pub octets: Vec<u8>,
}

/// Where a command wrote.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Source {
    /// Its standard output; with merged streams its standard error too.
    Stdout,
    /// Its standard error.
    Stderr,
}

impl Output {
    /// The output of the task with this number.
    pub const fn new(task: usize, queue: mpsc::Sender<Piece>) -> Self {
        Self { task, queue: Queue::Pieces(queue) }
    }

    /// The same as an event of a fan-out.
    pub(crate) const fn told(task: usize, teller: Teller) -> Self {
        Self { task, queue: Queue::Events(teller) }
    }

    /// Hands on octets, and waits while the queue is full. Where nobody reads the queue any more they are thrown away.
    pub async fn put(&self, source: Source, octets: &[u8]) {
        if octets.is_empty() {
            return;
        }
        let piece = Piece { task: self.task, source, octets: octets.to_vec() };
        match &self.queue {
            // Nobody reads: the task goes on all the same.
            Queue::Pieces(queue) => drop(queue.send(piece).await),
            Queue::Events(teller) => teller.write(piece).await,
        }
    }
}

/// What is noted where a task had to end first.
pub(crate) const NOT_TAKEN: &str = "the last of its output was lost: nobody took it in time";
