//! The live pool: `model::ports` with a clock, a lock, and queues of those who wait.

use super::builder::PortsBuilder;
use super::error::{ConnectError, Obstacle, Step};
use super::lease::Lease;
use super::listening::Shelf;
use super::outgoing::{self, Outgoing, is_taken};
use super::queue::{Place, Purpose, Queues, Turn};
use super::sharing::Shares;
use super::steward::Bell;
use lastack_model::ids::{Inode, Port};
use lastack_model::ports::{Afterwards, Choice, Local, Pool, Standing};
use lastack_model::tcp::moment::Moment;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// A pool of local ports for outgoing connections: it lends a port only toward a destination where nothing of the port's
/// last connection is left, as far as it was told. Handles to one are cheap to clone and may be used by any thread.
///
/// It is about its own connections. Where another program has a port, or an earlier run of this one left a `TIME_WAIT`,
/// the kernel says so; that port is then left alone for 2 s and the next one is tried, unseen by the caller.
#[derive(Clone, Debug)]
pub struct Ports(Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    came_free: Condvar,
    #[cfg(feature = "tokio")]
    came_free_async: ::tokio::sync::Notify,
    began: Instant,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) pool: Pool,
    pub(super) queues: Queues,
    pub(super) counts: PortsCounts,
    pub(super) shelf: Shelf,
    /// Of the thread that shares the ports, where there is one.
    pub(super) bell: Option<Arc<Bell>>,
    /// Somebody found no port since the steward looked.
    pub(super) more_wanted: bool,
    /// The kernel refused a port since the steward looked.
    pub(super) look_wanted: bool,
    /// Ports that could not be bound, and why was not seen yet or is not over.
    pub(super) stuck: BTreeSet<Port>,
    /// Sockets of others that hold ports.
    pub(super) held_by: Vec<(Port, Inode)>,
    pub(super) shares: Option<Shares>,
    /// What failed when the steward last shared and looked.
    pub(super) troubles: Vec<String>,
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

impl Ports {
    /// The ports 512 to 1023, which only the privileged may bind and which `rshd` asks for. Needs `CAP_NET_BIND_SERVICE`.
    pub fn reserved() -> Self {
        Self::of(512..=1023)
    }

    /// These ports, from whatever local address the kernel chooses.
    pub fn of(ports: impl IntoIterator<Item = u16>) -> Self {
        Self::builder().ports(ports).build()
    }

    /// These ports of this address. A second address doubles what a host can do: the four-tuple is another.
    pub fn of_address(address: IpAddr, ports: impl IntoIterator<Item = u16>) -> Self {
        Self::builder().ports(ports).address(address).build()
    }

    /// Chooses ports and addresses.
    pub fn builder() -> PortsBuilder {
        PortsBuilder::default()
    }

    pub(super) fn new(pool: Pool) -> Self {
        let state = State {
            pool,
            queues: Queues::default(),
            counts: PortsCounts::default(),
            shelf: Shelf::default(),
            bell: None,
            more_wanted: false,
            look_wanted: false,
            stuck: BTreeSet::new(),
            held_by: Vec::new(),
            shares: None,
            troubles: Vec::new(),
        };
        Self(Arc::new(Shared {
            state: Mutex::new(state),
            came_free: Condvar::new(),
            #[cfg(feature = "tokio")]
            came_free_async: ::tokio::sync::Notify::new(),
            began: Instant::now(),
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
        loop {
            let lease = self.wait_for_port(destination, deadline)?;
            let (outgoing, port) = (outgoing(destination, lease.local()), lease.port());
            let made = outgoing.bound_to(port).and_then(|socket| {
                outgoing::connect(&socket, destination, Some(deadline))
                    .map_err(|errno| outgoing.failed(Step::Connect, outgoing.local(port), errno))?;
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

    pub(super) fn count(&self, change: impl FnOnce(&mut PortsCounts)) {
        change(&mut self.state().counts);
    }

    /// Gives the port back after a failure: to be tried again soon when somebody else has it, which is nobody's business.
    pub(super) fn settle(&self, lease: Lease, error: ConnectError) -> Result<(), ConnectError> {
        if is_taken(&error) {
            self.state().refused(lease.local().port, error.step);
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

    pub(super) fn give_back(&self, destination: SocketAddr, local: Local, afterwards: Afterwards) {
        let now = self.now();
        let mut state = self.state();
        state.pool.give_back(destination, local, afterwards, now);
        if state.pool.destinations() > DESTINATIONS_KEPT {
            state.pool.forget_idle(now);
        }
        drop(state);
        self.announce();
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
        let mut place = Place::in_queue(self, Purpose::Connect(destination));
        let mut state = self.state();
        loop {
            match place.ask_of(&mut state, destination) {
                Turn::Have(lease) => {
                    drop(state);
                    return Ok(lease);
                }
                Turn::Wait(next) if Instant::now() >= deadline => {
                    drop(state);
                    return Err(place.too_late(destination, next));
                }
                Turn::Wait(next) => {
                    let until = next.map_or(deadline, |next| next.min(deadline));
                    state = self.wait(state, until);
                }
            }
        }
    }

    /// Waits until something comes free, or until then.
    pub(super) fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        until: Instant,
    ) -> MutexGuard<'a, State> {
        let pause = until.saturating_duration_since(Instant::now());
        let waited = self.0.came_free.wait_timeout(state, pause);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Whether somebody found no port since this was asked, or waits for one.
    pub(super) fn wants_more(&self) -> bool {
        let mut state = self.state();
        std::mem::take(&mut state.more_wanted) || state.is_waited_for(self.now())
    }

    pub(super) fn is_waited_for(&self) -> bool {
        self.state().is_waited_for(self.now())
    }

    /// The sharing came to this.
    pub(super) fn tell(&self, shares: Shares) {
        let shares = Some(shares);
        let mut state = self.state();
        if state.shares != shares {
            state.shares = shares;
            drop(state);
            self.announce();
        }
    }

    pub(super) fn downgrade(&self) -> Weak<Shared> {
        Arc::downgrade(&self.0)
    }

    pub(super) fn upgrade(shared: &Weak<Shared>) -> Option<Self> {
        shared.upgrade().map(Self)
    }

    pub(super) fn announce(&self) {
        self.0.came_free.notify_all();
        #[cfg(feature = "tokio")]
        self.0.came_free_async.notify_waiters();
    }

    pub(super) fn now(&self) -> Moment {
        self.moment(Instant::now())
    }

    pub(super) fn moment(&self, instant: Instant) -> Moment {
        let since = instant.saturating_duration_since(self.0.began);
        Moment(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    pub(super) fn instant(&self, moment: Moment) -> Instant {
        self.0.began + Duration::from_micros(moment.0)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A port toward this destination, at the price of a listener that nobody uses at present.
    pub(super) fn take(&mut self, ports: &Ports, destination: SocketAddr) -> Choice {
        loop {
            let now = ports.now();
            let choice = self.pool.take(destination, now);
            if let Choice::DryUntil(_) = choice
                && let Some(port) = self.shelf.close_one()
            {
                self.pool.end_listening(port, now);
                continue;
            }
            if let Choice::DryUntil(_) = choice {
                self.want_more();
            }
            return choice;
        }
    }

    /// Somebody found no port.
    pub(super) fn want_more(&mut self) {
        if !std::mem::replace(&mut self.more_wanted, true) {
            self.ring();
        }
    }

    /// Whether somebody waits for a port that the pool does not have at present.
    pub(super) fn is_waited_for(&self, now: Moment) -> bool {
        self.queues.purposes().any(|purpose| match purpose {
            Purpose::Connect(_) => true,
            // A queue for listeners may be one for those of whom enough listen already.
            Purpose::Listen { .. } => !self.pool.may_listen(now),
        })
    }

    /// The kernel refused a port.
    pub(super) fn refused(&mut self, port: Port, step: Step) {
        self.counts.refused += 1;
        if step == Step::Bind {
            self.stuck.insert(port);
        }
        self.look_wanted = true;
        self.ring();
    }

    /// Closes the listeners that nobody uses.
    pub(super) fn close_shelf(&mut self, now: Moment) {
        while let Some(port) = self.shelf.close_one() {
            self.pool.end_listening(port, now);
        }
    }

    fn ring(&self) {
        if let Some(bell) = &self.bell {
            bell.ring();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The steward finds nobody, and ends.
        self.state.get_mut().unwrap_or_else(PoisonError::into_inner).ring();
    }
}

/// How a connection leaves from there.
pub(super) fn outgoing(destination: SocketAddr, local: Local) -> Outgoing {
    let outgoing = Outgoing::to(destination);
    match local.address {
        Some(address) => outgoing.from_ip(address),
        None => outgoing,
    }
}

/// More are forgotten as soon as nothing is lent nor in quarantine toward them; each costs a few octets a port.
const DESTINATIONS_KEPT: usize = 1024;
