//! What the drivers of a plan share: each step on the listener's socket that needs no waiting.

use super::plan::{Plan, Waiting};
use super::report::{DrainReport, Method, Successor};
use lastack_model::ids::Cookie;
use lastack_os::listener;
use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::net::{SocketFlags, acceptfrom_with, getsockname, sockopt};
use std::collections::HashSet;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A listener that is being emptied.
#[derive(Debug)]
pub(super) struct Closing<L> {
    pub(super) listener: L,
    /// Where its handshakes are to be looked for.
    pub(super) place: Place,
    port: u16,
    successor: Successor,
    steers: bool,
    held_off_by: Option<HeldOffBy>,
}

/// Where a listener's handshakes are to be looked for, among those of the calling thread's network namespace.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    At(SocketAddr),
    /// Not at all: the listener is of another namespace, of which nothing is seen from here.
    Elsewhere,
}

/// What was set on the listener's socket, and is inherited by those that it accepts.
#[derive(Clone, Copy, Debug)]
enum HeldOffBy {
    Filter,
    Floor,
}

/// Why nothing was accepted.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There is nothing.
    Nothing,
    /// A connection that had failed before it was accepted: the next one may be well (`accept(2)`, "Error handling").
    OfOne,
    /// No descriptor or memory is left; the connection stays in the queue.
    Exhausted,
    /// The listener is of no use any more.
    Lasting(io::Error),
}

impl<L: AsFd> Closing<L> {
    pub(super) fn new(listener: L, successor: Successor) -> io::Result<Self> {
        let local = SocketAddr::try_from(getsockname(&listener)?)?;
        let port = local.port();
        let cookie = sockopt::socket_cookie(&listener);
        let place = match cookie.map(|cookie| listener::is_listening(port, Cookie(cookie))) {
            Ok(Ok(false)) => Place::Elsewhere,
            Ok(Ok(true) | Err(_)) | Err(_) => Place::At(local),
        };
        Ok(Self { listener, place, port, successor, steers: false, held_off_by: None })
    }

    /// Puts a method in force, or says why it cannot be had.
    pub(super) fn begin(&mut self, method: Method) -> io::Result<()> {
        if std::mem::take(&mut self.steers) {
            // A rule that was wrong would keep the others of the group from those who come.
            listener::stop_steering(&self.listener)?;
        }
        match method {
            Method::Shared => return Ok(()),
            Method::Steered => match self.successor {
                Successor::SameGroup { index } => {
                    self.require_members(index.max(1).saturating_add(1))?;
                    listener::steer(&self.listener, index)?;
                    self.steers = true;
                }
                Successor::None | Successor::SharedSocket => return Err(unavailable()),
            },
            Method::Migrated => {
                self.require_members(2)?;
                if matches!(self.place, Place::Elsewhere) {
                    return Err(unavailable());
                }
                if !listener::migrates().map_err(io::Error::other)? {
                    return Err(unavailable());
                }
            }
            // A filter of the program's own keeps somebody out; ours must not take its place. So with a floor.
            Method::SynFilter if listener::has_filter(&self.listener)? => return Err(unavailable()),
            Method::SynFilter => {
                listener::refuse_handshakes(&self.listener)?;
                self.held_off_by = Some(HeldOffBy::Filter);
            }
            Method::TtlFloor if listener::has_ttl_floor(&self.listener)? => {
                return Err(unavailable());
            }
            Method::TtlFloor => {
                listener::raise_ttl_floor(&self.listener)?;
                self.held_off_by = Some(HeldOffBy::Floor);
            }
            Method::AcceptLoop => {}
        }
        rustix::io::ioctl_fionbio(&self.listener, true).map_err(io::Error::from)
    }

    /// Frees an accepted connection from what kept others away.
    pub(super) fn free(&self, socket: &impl AsFd) -> Result<(), Failure> {
        match self.held_off_by {
            // At worst it stays deaf to SYNs, which an established connection has no use for.
            Some(HeldOffBy::Filter) => drop(listener::detach_filter(socket)),
            Some(HeldOffBy::Floor) => {
                listener::lower_ttl_floor(socket).map_err(|_| Failure::OfOne)?;
            }
            None => {}
        }
        Ok(())
    }

    /// What waits, with the handshakes as they were just before: one that ends in between is then counted twice rather
    /// than never.
    pub(super) fn waiting(&self, half_open: Option<HashSet<Cookie>>) -> Waiting {
        Waiting { half_open, queued: self.queued() }
    }

    fn queued(&self) -> u32 {
        listener::accept_queue(&self.listener).map_or(0, |queue| queue.length)
    }

    /// How many are to be accepted before the first of them is served. Under a floor a connection is deaf until it is
    /// accepted, and its client repeats itself at intervals that double (RFC 6298 §5.5): served one after the other, each
    /// would be waited for as long as all before it together.
    pub(super) fn at_once(&self) -> u32 {
        match self.held_off_by {
            Some(HeldOffBy::Floor) => self.queued().max(1),
            Some(HeldOffBy::Filter) | None => 1,
        }
    }

    /// Accepts one that is there.
    pub(super) fn accept(&self) -> Result<(TcpStream, SocketAddr), Failure> {
        let (socket, from) = acceptfrom_with(&self.listener, SocketFlags::CLOEXEC)?;
        let from = from.and_then(|from| SocketAddr::try_from(from).ok()).ok_or(Failure::OfOne)?;
        self.free(&socket)?;
        Ok((socket.into(), from))
    }

    /// Closes it, having seen what that costs.
    pub(super) fn close(self, plan: &Plan) -> DrainReport {
        let left = match plan.method() {
            Method::Migrated => None,
            _ => half_open(self.place).map(|half_open| plan.left(&half_open) as u32),
        };
        let (port, cookie) = (self.port, sockopt::socket_cookie(&self.listener));
        let queued = self.queued();
        drop(self.listener);
        let (half_open_left, stranded) = match plan.method() {
            Method::Steered | Method::SynFilter | Method::TtlFloor | Method::AcceptLoop => {
                (left, queued)
            }
            Method::Migrated => (Some(0), 0),
            Method::Shared if matches!(self.place, Place::Elsewhere) => (None, 0),
            Method::Shared => match cookie.map(|it| listener::is_listening(port, Cookie(it))) {
                Ok(Ok(true)) => (Some(0), 0),
                Ok(Ok(false)) => (left, queued),
                Ok(Err(_)) | Err(_) => (None, 0),
            },
        };
        DrainReport {
            accepted: plan.accepted(),
            half_open_left,
            stranded,
            method: plan.method(),
            elapsed: plan.elapsed(Instant::now()),
        }
    }

    /// Where listeners cannot be counted, the successor is believed to be there.
    fn require_members(&self, count: u32) -> io::Result<()> {
        let Place::At(local) = self.place else { return Ok(()) };
        match listener::group_size(local) {
            Ok(members) if members < count => Err(unavailable()),
            _ => Ok(()),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Errno::from_io_error(&error).map_or(Self::Lasting(error), Self::from)
    }
}

impl From<Errno> for Failure {
    fn from(error: Errno) -> Self {
        match error {
            Errno::AGAIN => Self::Nothing,
            Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM => Self::Exhausted,
            Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::OPNOTSUPP | Errno::FAULT => {
                Self::Lasting(error.into())
            }
            _ => Self::OfOne,
        }
    }
}

/// The handshakes that may be the listener's; `None` where the system does not tell.
pub(super) fn half_open(place: Place) -> Option<HashSet<Cookie>> {
    match place {
        Place::At(local) => listener::half_open(local).ok(),
        Place::Elsewhere => None,
    }
}

/// Where the kernel has no barrier to offer, it gets as long as a segment in hand may take on a busy machine.
pub(super) fn settle() {
    if listener::settle().is_err() {
        std::thread::sleep(SETTLING);
    }
}

fn unavailable() -> io::Error {
    io::ErrorKind::Unsupported.into()
}

/// How soon accepting is tried again when descriptors or memory have run out: nothing tells when they are there again.
pub(crate) const SHORTAGE: Duration = Duration::from_millis(5);
const SETTLING: Duration = Duration::from_millis(30);
