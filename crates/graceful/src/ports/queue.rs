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
pub(super) enum Purpose {
    Connect(SocketAddr),
    Listen,
}

#[derive(Debug, Default)]
pub(super) struct Queues {
    waiting: HashMap<Purpose, VecDeque<u64>>,
    last_ticket: u64,
}

/// A place in a queue; given up when dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) ports: &'a Ports,
    purpose: Purpose,
    ticket: u64,
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
        self.last_ticket += 1;
        self.waiting.entry(purpose).or_default().push_back(self.last_ticket);
        self.last_ticket
    }

    fn leave(&mut self, purpose: Purpose, ticket: u64) {
        if let Some(queue) = self.waiting.get_mut(&purpose) {
            queue.retain(|it| *it != ticket);
            if queue.is_empty() {
                self.waiting.remove(&purpose);
            }
        }
    }

    /// Whether anybody waits for a port toward somewhere.
    pub(super) fn is_waited_for(&self) -> bool {
        self.waiting.keys().any(|purpose| matches!(purpose, Purpose::Connect(_)))
    }

    fn is_first(&self, purpose: Purpose, ticket: u64) -> bool {
        self.waiting.get(&purpose).and_then(VecDeque::front) == Some(&ticket)
    }
}

impl<'a> Place<'a> {
    pub(super) fn in_queue(ports: &'a Ports, purpose: Purpose) -> Self {
        let ticket = ports.state().queues.join(purpose);
        Self { ports, purpose, ticket, has_waited: false }
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
        let choice = if state.queues.is_first(self.purpose, self.ticket) {
            take(state)
        } else {
            Choice::DryUntil(None)
        };
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
        state.queues.is_first(self.purpose, self.ticket)
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
        self.ports.state().queues.leave(self.purpose, self.ticket);
        self.ports.announce();
    }
}
