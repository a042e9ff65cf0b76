//! The queues of a pool: who waits for a port toward a destination, or to listen on, in the order in which they came.

use super::error::{ConnectError, Step};
use super::lease::Lease;
use super::pool::{Ports, State};
use lastack_model::ports::{Choice, Local};
use rustix::io::Errno;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

/// What a port is wanted for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Purpose {
    /// A connection to there.
    Connect(SocketAddr),
    /// Listening.
    Listen {
        /// How many may be listened on at once.
        at_most: usize,
    },
}

#[derive(Debug, Default)]
pub(super) struct Queues {
    waiting: HashMap<Purpose, VecDeque<Ticket>>,
    last_number: u64,
}

#[derive(Debug)]
struct Ticket {
    number: u64,
    since: Instant,
}

/// A place in a queue; given up when dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) ports: &'a Ports,
    purpose: Purpose,
    number: u64,
    has_waited: bool,
}

/// What came of asking for a port.
#[derive(Debug)]
pub(super) enum Turn<T> {
    Have(T),
    /// None is free, or others came first: ask again when one comes free, or at this moment.
    Wait(Option<Instant>),
}

impl Queues {
    fn join(&mut self, purpose: Purpose) -> u64 {
        self.last_number += 1;
        let ticket = Ticket { number: self.last_number, since: Instant::now() };
        self.waiting.entry(purpose).or_default().push_back(ticket);
        self.last_number
    }

    fn leave(&mut self, purpose: Purpose, number: u64) {
        if let Some(queue) = self.waiting.get_mut(&purpose) {
            queue.retain(|it| it.number != number);
            if queue.is_empty() {
                self.waiting.remove(&purpose);
            }
        }
    }

    /// What ports are waited for, each once.
    pub(super) fn purposes(&self) -> impl Iterator<Item = Purpose> {
        self.waiting.keys().copied()
    }

    /// What somebody has waited for longest, and since when.
    pub(super) fn longest(&self) -> Option<(Purpose, Instant)> {
        let first = self.waiting.iter().filter_map(|(it, queue)| Some((*it, queue.front()?.since)));
        first.min_by_key(|(_, since)| *since)
    }

    fn is_first(&self, purpose: Purpose, number: u64) -> bool {
        let first = self.waiting.get(&purpose).and_then(VecDeque::front);
        first.is_some_and(|ticket| ticket.number == number)
    }
}

impl<'a> Place<'a> {
    pub(super) fn in_queue(ports: &'a Ports, purpose: Purpose) -> Self {
        let number = ports.state().queues.join(purpose);
        Self { ports, purpose, number, has_waited: false }
    }

    /// Asks for a port toward the destination.
    #[cfg(feature = "tokio")]
    pub(super) fn ask(&mut self, destination: SocketAddr) -> Turn<Lease> {
        let ports = self.ports;
        self.ask_of(&mut ports.state(), destination)
    }

    pub(super) fn ask_of(&mut self, state: &mut State, destination: SocketAddr) -> Turn<Lease> {
        let ports = self.ports;
        let turn = self.turn(state, |state| state.take(ports, destination));
        match turn {
            Turn::Have(local) => Turn::Have(Lease::new(ports.clone(), destination, local)),
            Turn::Wait(next) => Turn::Wait(next),
        }
    }

    /// What that gives when it is this one's turn.
    pub(super) fn turn(
        &mut self,
        state: &mut State,
        take: impl FnOnce(&mut State) -> Choice,
    ) -> Turn<Local> {
        let choice = if self.is_first(state) { take(state) } else { Choice::DryUntil(None) };
        match choice {
            Choice::Take(local) => Turn::Have(local),
            Choice::DryUntil(next) => {
                state.counts.waited += u64::from(!self.has_waited);
                self.has_waited = true;
                Turn::Wait(next.map(|next| self.ports.instant(next)))
            }
        }
    }

    pub(super) fn is_first(&self, state: &State) -> bool {
        state.queues.is_first(self.purpose, self.number)
    }

    /// The deadline came first.
    pub(super) fn too_late(&self, destination: SocketAddr, next: Option<Instant>) -> ConnectError {
        let next = next.map(|next| next.saturating_duration_since(Instant::now()));
        let standing = self.ports.standing(destination);
        let step = Step::Choose(standing.size(), next);
        ConnectError { step, local: None, destination, cause: Errno::ADDRNOTAVAIL.into() }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.ports.state().queues.leave(self.purpose, self.number);
        self.ports.announce();
    }
}
