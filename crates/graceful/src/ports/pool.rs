//! The live pool: `model::ports` with a clock, a lock, and a queue of those who wait.

use super::error::{ConnectError, Obstacle, Step};
use super::lease::Lease;
use super::outgoing::{self, Outgoing, is_taken};
use lastack_model::ids::Port;
use lastack_model::ports::{Afterwards, Choice, Pool, Standing};
use lastack_model::tcp::moment::Moment;
use rustix::io::Errno;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A pool of local ports for outgoing connections: it lends a port only toward a destination where nothing of the port's
/// last connection is left, as far as it was told. Handles to one are cheap to clone and may be used by any thread.
///
/// It is about its own connections. Where another program has a port, or an earlier run of this one left a `TIME_WAIT`,
/// the kernel says so; that port is then left alone for 2 s and the next one is tried, unseen by the caller.
#[derive(Clone, Debug)]
pub struct Ports(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    came_free: Condvar,
    #[cfg(feature = "tokio")]
    came_free_async: ::tokio::sync::Notify,
    began: Instant,
    address: Option<IpAddr>,
}

#[derive(Debug)]
struct State {
    pool: Pool,
    /// Who waits for a port toward a destination, in the order in which they came.
    queues: HashMap<SocketAddr, VecDeque<u64>>,
    last_ticket: u64,
    counts: PortsCounts,
}

/// What a pool has done.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct PortsCounts {
    /// Connections that came about.
    pub connected: u64,
    /// Ports that the kernel refused: somebody else had them, or their four-tuple was taken.
    pub refused: u64,
    /// Callers who had to wait for a port.
    pub waited: u64,
}

/// A place in the queue; given up when dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    ports: &'a Ports,
    destination: SocketAddr,
    ticket: u64,
    has_waited: bool,
}

/// What came of asking for a port.
#[derive(Debug)]
pub(super) enum Turn {
    Have(Lease),
    /// None is free, or others came first: ask again when one comes free, or at this moment.
    Wait(Option<Instant>),
}

impl Ports {
    /// The ports 512 to 1023, which only the privileged may bind and which `rshd` asks for. Needs `CAP_NET_BIND_SERVICE`.
    pub fn reserved() -> Self {
        Self::of(512..=1023)
    }

    /// These ports, from whatever local address the kernel chooses.
    pub fn of(ports: impl IntoIterator<Item = u16>) -> Self {
        Self::new(None, ports)
    }

    /// These ports of this address. A second address doubles what a host can do: the four-tuple is another.
    pub fn of_address(address: IpAddr, ports: impl IntoIterator<Item = u16>) -> Self {
        Self::new(Some(address), ports)
    }

    fn new(address: Option<IpAddr>, ports: impl IntoIterator<Item = u16>) -> Self {
        // Port 0 is none: it would let the kernel choose.
        let ports = ports.into_iter().filter(|port| *port != 0).map(Port);
        let state = State {
            pool: Pool::new(ports),
            queues: HashMap::new(),
            last_ticket: 0,
            counts: PortsCounts::default(),
        };
        Self(Arc::new(Shared {
            state: Mutex::new(state),
            came_free: Condvar::new(),
            #[cfg(feature = "tokio")]
            came_free_async: ::tokio::sync::Notify::new(),
            began: Instant::now(),
            address,
        }))
    }

    /// Connects from the port that has been free for longest. When none is free toward this destination, waits for one
    /// until the deadline; who came first is served first.
    ///
    /// # Errors
    ///
    /// [`Obstacle::NoPortLeft`](super::Obstacle::NoPortLeft) with the time until the next comes back, when the deadline
    /// comes first; [`Obstacle::TimedOut`](super::Obstacle::TimedOut) when the peer has not answered by then; otherwise
    /// what the kernel says. Never that a port is in use or a four-tuple taken.
    pub fn connect(
        &self,
        destination: SocketAddr,
        deadline: Instant,
    ) -> Result<(TcpStream, Lease), ConnectError> {
        let outgoing = self.outgoing(destination);
        loop {
            let lease = self.wait_for_port(destination, deadline)?;
            let made = outgoing.bound_to(lease.port()).and_then(|socket| {
                let local = outgoing.local(lease.port());
                outgoing::connect(&socket, destination, Some(deadline))
                    .map_err(|errno| outgoing.failed(Step::Connect, local, errno))?;
                Ok(TcpStream::from(socket))
            });
            match made {
                Ok(stream) => {
                    self.count(|counts| counts.connected += 1);
                    return Ok((stream, lease));
                }
                Err(error) => self.settle(lease, error)?,
            }
        }
    }

    /// How the pool stands toward this destination: what is free, lent and in quarantine, and how many connections a
    /// second it can bear.
    pub fn standing(&self, destination: SocketAddr) -> Standing {
        let now = self.now();
        self.state().pool.standing(destination, now)
    }

    /// What it has done.
    pub fn counts(&self) -> PortsCounts {
        self.state().counts
    }

    pub(super) fn outgoing(&self, destination: SocketAddr) -> Outgoing {
        let outgoing = Outgoing::to(destination);
        match self.0.address {
            Some(address) => outgoing.from_ip(address),
            None => outgoing,
        }
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut PortsCounts)) {
        change(&mut self.state().counts);
    }

    /// Gives the port back after a failure: to be tried again soon when somebody else has it, which is nobody's business.
    pub(super) fn settle(&self, lease: Lease, error: ConnectError) -> Result<(), ConnectError> {
        if is_taken(&error) {
            self.count(|counts| counts.refused += 1);
            lease.end_as(Afterwards::Refused);
            return Ok(());
        }
        lease.end_as(match error.obstacle() {
            // The answer may have come in the very moment in which the socket was closed.
            Obstacle::TimedOut => Afterwards::StillClosing,
            // Of a socket that was never connected nothing is left (`tcp_close`, `TCP_SYN_SENT`).
            _ => Afterwards::Nothing,
        });
        Err(error)
    }

    pub(super) fn give_back(&self, destination: SocketAddr, port: Port, afterwards: Afterwards) {
        let now = self.now();
        let mut state = self.state();
        state.pool.give_back(destination, port, afterwards, now);
        if state.pool.destinations() > DESTINATIONS_KEPT {
            state.pool.forget_idle(now);
        }
        drop(state);
        self.announce();
    }

    pub(super) fn queue_up(&self, destination: SocketAddr) -> Place<'_> {
        let mut state = self.state();
        state.last_ticket += 1;
        let ticket = state.last_ticket;
        state.queues.entry(destination).or_default().push_back(ticket);
        Place { ports: self, destination, ticket, has_waited: false }
    }

    #[cfg(feature = "tokio")]
    pub(super) fn came_free(&self) -> ::tokio::sync::futures::Notified<'_> {
        self.0.came_free_async.notified()
    }

    fn wait_for_port(
        &self,
        destination: SocketAddr,
        deadline: Instant,
    ) -> Result<Lease, ConnectError> {
        let mut place = self.queue_up(destination);
        let mut state = self.state();
        loop {
            match place.ask_of(&mut state) {
                Turn::Have(lease) => {
                    drop(state);
                    return Ok(lease);
                }
                Turn::Wait(next) => {
                    let now = Instant::now();
                    if now >= deadline {
                        drop(state);
                        return Err(place.too_late(next));
                    }
                    let until = next.map_or(deadline, |next| next.min(deadline));
                    let pause = until.saturating_duration_since(now);
                    let waited = self.0.came_free.wait_timeout(state, pause);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }

    fn announce(&self) {
        self.0.came_free.notify_all();
        #[cfg(feature = "tokio")]
        self.0.came_free_async.notify_waiters();
    }

    fn now(&self) -> Moment {
        Moment(u64::try_from(self.0.began.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn instant(&self, moment: Moment) -> Instant {
        self.0.began + Duration::from_micros(moment.0)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Asks for a port.
    #[cfg(feature = "tokio")]
    pub(super) fn ask(&mut self) -> Turn {
        let ports = self.ports;
        self.ask_of(&mut ports.state())
    }

    fn ask_of(&mut self, state: &mut State) -> Turn {
        let first = state.queues.get(&self.destination).and_then(VecDeque::front);
        let choice = if first == Some(&self.ticket) {
            state.pool.take(self.destination, self.ports.now())
        } else {
            Choice::DryUntil(None)
        };
        match choice {
            Choice::Take(port) => {
                Turn::Have(Lease::new(self.ports.clone(), self.destination, port))
            }
            Choice::DryUntil(next) => {
                state.counts.waited += u64::from(!self.has_waited);
                self.has_waited = true;
                Turn::Wait(next.map(|next| self.ports.instant(next)))
            }
        }
    }

    /// The deadline came first.
    pub(super) fn too_late(&self, next: Option<Instant>) -> ConnectError {
        let next = next.map(|next| next.saturating_duration_since(Instant::now()));
        let size = self.ports.state().pool.size();
        let outgoing = self.ports.outgoing(self.destination);
        outgoing.failed(Step::Choose(size, next), None, Errno::ADDRNOTAVAIL)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.ports.state();
        if let Some(queue) = state.queues.get_mut(&self.destination) {
            queue.retain(|ticket| *ticket != self.ticket);
            if queue.is_empty() {
                state.queues.remove(&self.destination);
            }
        }
        drop(state);
        self.ports.announce();
    }
}

/// More are forgotten as soon as nothing is lent nor in quarantine toward them; each costs two octets a port.
const DESTINATIONS_KEPT: usize = 1024;
