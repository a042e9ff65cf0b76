//! The plan on a listener of the standard library, in the calling thread.

use super::plan::{Plan, Waiting, Want};
use super::report::{DrainReport, Method, Successor};
use lastack_model::ids::Cookie;
use lastack_os::listener;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Closes a listener so that nobody who was connected to it, or about to be, is lost, and tells how it went.
///
/// New connections are sent to the successor or held off; whatever the listener has, half-open handshakes included, is
/// accepted and handed to `serve`, one after the other in the calling thread. A `serve` that takes its time (it may rather
/// hand the stream to a thread) delays the rest. The listener is closed when the kernel has nothing more for it, at the
/// deadline at the latest; only a `serve` that runs then may make it later. Only
/// [`Method::SynFilter`] may need a privilege.
///
/// The caller must have stopped accepting elsewhere, or be content that others get some of it. The socket is made
/// non-blocking, for every copy of its descriptor, unless it is [`Successor::SharedSocket`].
///
/// After [`Method::Steered`] the successor should call [`stop_steering`](super::stop_steering) once this listener is
/// closed: the rule belongs to the group and would name a place that somebody else takes.
///
/// # Errors
///
/// Where the listener's address cannot be read, or waiting for it fails; it is then closed plainly. A way of closing that
/// the system does not allow is no error: the next best is taken and named in the report.
pub fn close_draining(
    listener: TcpListener,
    successor: Successor,
    deadline: Instant,
    mut serve: impl FnMut(TcpStream),
) -> io::Result<DrainReport> {
    let draining = Draining { local: listener.local_addr()?, successor, listener };
    let mut plan = Plan::new(successor, Instant::now(), deadline);
    loop {
        match plan.want() {
            Want::Begin(method) => match draining.begin(method) {
                Ok(()) => plan.handle_begun(),
                Err(_) => plan.handle_refused(),
            },
            Want::Settle => {
                settle();
                plan.handle_settled();
            }
            Want::Look => {
                let waiting = draining.waiting();
                plan.handle_waiting(Instant::now(), waiting);
            }
            Want::Accept(until) => draining.accept(&mut plan, until, &mut serve)?,
            Want::Sweep => draining.accept(&mut plan, Instant::now(), &mut serve)?,
            Want::Close => return Ok(draining.close(&plan)),
        }
    }
}

struct Draining {
    listener: TcpListener,
    local: SocketAddr,
    successor: Successor,
}

impl Draining {
    /// Puts a method in force, or says why it cannot be had.
    fn begin(&self, method: Method) -> io::Result<()> {
        match method {
            Method::Shared => return Ok(()),
            Method::Steered => match self.successor {
                Successor::SameGroup { index } => {
                    self.require_members(index.max(1).saturating_add(1))?;
                    listener::steer(&self.listener, index)?;
                }
                Successor::None | Successor::SharedSocket => return Err(unavailable()),
            },
            Method::Migrated => {
                self.require_members(2)?;
                if !listener::migrates().map_err(io::Error::other)? {
                    return Err(unavailable());
                }
            }
            // A filter of the program's own keeps somebody out; ours must not take its place.
            Method::SynFilter if listener::has_filter(&self.listener)? => return Err(unavailable()),
            Method::SynFilter => listener::refuse_handshakes(&self.listener)?,
            Method::AcceptLoop => {}
        }
        self.listener.set_nonblocking(true)
    }

    /// Where listeners cannot be counted, the successor is believed to be there.
    fn require_members(&self, count: u32) -> io::Result<()> {
        match listener::group_size(self.local) {
            Ok(members) if members < count => Err(unavailable()),
            _ => Ok(()),
        }
    }

    /// Handshakes first: one that ends in between is then counted twice rather than never.
    fn waiting(&self) -> Waiting {
        let half_open = listener::half_open(self.local).ok();
        Waiting { half_open, queued: self.queued() }
    }

    fn queued(&self) -> u32 {
        listener::accept_queue(&self.listener).map_or(0, |queue| queue.length)
    }

    /// Accepts what is there, and goes on until that moment or until the plan wants something else.
    fn accept(
        &self,
        plan: &mut Plan,
        until: Instant,
        serve: &mut impl FnMut(TcpStream),
    ) -> io::Result<()> {
        let before = std::mem::discriminant(&plan.want());
        while std::mem::discriminant(&plan.want()) == before {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    if plan.method() == Method::SynFilter {
                        // At worst it stays deaf to SYNs, which an established connection has no use for.
                        let _ = listener::detach_filter(&stream);
                    }
                    plan.handle_accepted(Instant::now());
                    serve(stream);
                }
                Err(error) => match Failure::of(&error) {
                    Failure::Nothing if self.is_ready(until)? => {}
                    Failure::Nothing => plan.handle_quiet(Instant::now()),
                    Failure::OfOne => {}
                    // Nothing tells when descriptors or memory are to be had again.
                    Failure::Exhausted => {
                        std::thread::sleep(SHORTAGE);
                        plan.handle_exhausted(Instant::now());
                    }
                    Failure::Lasting => return Err(error),
                },
            }
        }
        Ok(())
    }

    fn is_ready(&self, until: Instant) -> io::Result<bool> {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut sockets = [PollFd::new(&self.listener, PollFlags::IN)];
        match poll(&mut sockets, Some(&left)) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Closes it, having seen what that costs.
    fn close(self, plan: &Plan) -> DrainReport {
        let half_open = listener::half_open(self.local).ok();
        let left = half_open.map(|half_open| plan.left(&half_open) as u32);
        let (port, cookie) = (self.local.port(), sockopt::socket_cookie(&self.listener));
        let queued = self.queued();
        drop(self.listener);
        let (half_open_left, stranded) = match plan.method() {
            Method::Steered | Method::SynFilter | Method::AcceptLoop => (left, queued),
            Method::Migrated => (Some(0), 0),
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
}

/// Why nothing was accepted.
enum Failure {
    /// There is nothing.
    Nothing,
    /// A connection that had failed before it was accepted: the next one may be well (`accept(2)`, "Error handling").
    OfOne,
    /// No descriptor or memory is left; the connection stays in the queue.
    Exhausted,
    Lasting,
}

impl Failure {
    fn of(error: &io::Error) -> Self {
        match Errno::from_io_error(error) {
            Some(Errno::AGAIN) => Self::Nothing,
            Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => Self::Exhausted,
            Some(Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::OPNOTSUPP | Errno::FAULT)
            | None => Self::Lasting,
            Some(_) => Self::OfOne,
        }
    }
}

/// Where the kernel has no barrier to offer, it gets as long as a segment in hand may take on a busy machine.
fn settle() {
    if listener::settle().is_err() {
        std::thread::sleep(SETTLING);
    }
}

fn unavailable() -> io::Error {
    io::ErrorKind::Unsupported.into()
}

const SETTLING: Duration = Duration::from_millis(30);
const SHORTAGE: Duration = Duration::from_millis(5);
