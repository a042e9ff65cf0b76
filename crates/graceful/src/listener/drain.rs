//! The plan on a listener of the standard library, in the calling thread.

use super::plan::{Plan, Want};
use super::report::{DrainReport, Successor};
use super::step::{Closing, Failure, SHORTAGE, half_open, settle};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

/// Closes a listener so that nobody who was connected to it, or about to be, is lost, and tells how it went.
///
/// New connections are sent to the successor or held off; whatever the listener has, half-open handshakes included, is
/// accepted and handed to `serve`, one after the other in the calling thread. A `serve` that takes its time (it may rather
/// hand the stream to a thread) delays the rest. The listener is closed when the kernel has nothing more for it, at the
/// deadline at the latest; only a `serve` that runs then may make it later. Only
/// [`Method::SynFilter`](super::Method::SynFilter) may need a privilege. With
/// [`Method::TtlFloor`](super::Method::TtlFloor) all that wait are accepted before the first of them is served: all of these
/// may be served after the deadline, and the listener is closed after them.
///
/// The caller must have stopped accepting elsewhere, or be content that others get some of it. The socket is made
/// non-blocking, for every copy of its descriptor, unless it is [`Successor::SharedSocket`].
///
/// After [`Method::Steered`](super::Method::Steered) the successor should call
/// [`stop_steering`](super::stop_steering) once this listener is closed: the rule belongs to the group and would name a
/// place that somebody else takes.
///
/// ```
/// use lastack_graceful::bind::Bind;
/// use lastack_graceful::listener::{Method, Successor, close_draining, stop_steering};
/// use std::net::TcpStream;
/// use std::time::{Duration, Instant};
///
/// # fn main() -> std::io::Result<()> {
/// let old = Bind::to("127.0.0.1:0").group().listen()?;
/// let address = old.local_addr()?;
/// // As a rule in another process of the same user.
/// let new = Bind::to(address).group().listen()?;
///
/// let deadline = Instant::now() + Duration::from_secs(5);
/// let report = close_draining(old, Successor::SameGroup { index: 1 }, deadline, drop)?;
/// if report.method == Method::Steered {
///     stop_steering(&new)?;
/// }
/// let _client = TcpStream::connect(address)?;
/// new.accept()?;
/// # Ok(())
/// # }
/// ```
///
/// What waits is seen in the calling thread's network namespace. For a listener of another one (inherited, or received)
/// [`DrainReport::half_open_left`] is `None`, and half-open handshakes are given some time instead.
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
    let mut closing = Closing::new(listener, successor)?;
    let mut plan = Plan::new(successor, Instant::now(), deadline);
    loop {
        match plan.want() {
            Want::Begin(method) => match closing.begin(method) {
                Ok(()) => plan.handle_begun(),
                Err(_) => plan.handle_refused(),
            },
            Want::Settle => {
                settle();
                plan.handle_settled();
            }
            Want::Look => {
                let waiting = closing.waiting(half_open(closing.place));
                plan.handle_waiting(Instant::now(), waiting);
            }
            Want::Accept(until) => accept(&closing, &mut plan, until, &mut serve)?,
            Want::Sweep => accept(&closing, &mut plan, Instant::now(), &mut serve)?,
            Want::Close => return Ok(closing.close(&plan)),
        }
    }
}

/// Accepts what is there, and goes on until that moment or until the plan wants something else.
fn accept(
    closing: &Closing<TcpListener>,
    plan: &mut Plan,
    until: Instant,
    serve: &mut impl FnMut(TcpStream),
) -> io::Result<()> {
    let before = std::mem::discriminant(&plan.want());
    while std::mem::discriminant(&plan.want()) == before {
        let (streams, failure) = accept_at_once(closing, plan);
        streams.into_iter().for_each(&mut *serve);
        match failure {
            None | Some(Failure::OfOne) => {}
            Some(Failure::Nothing) if is_ready(&closing.listener, until)? => {}
            Some(Failure::Nothing) => plan.handle_quiet(Instant::now()),
            Some(Failure::Exhausted) => {
                std::thread::sleep(SHORTAGE);
                plan.handle_exhausted(Instant::now());
            }
            Some(Failure::Lasting(error)) => return Err(error),
        }
    }
    Ok(())
}

/// Accepts those that are to be accepted before the first of them is served, as long as the plan wants it.
fn accept_at_once(
    closing: &Closing<TcpListener>,
    plan: &mut Plan,
) -> (Vec<TcpStream>, Option<Failure>) {
    let before = std::mem::discriminant(&plan.want());
    let mut streams = Vec::new();
    for _ in 0..closing.at_once() {
        match closing.accept() {
            Ok((stream, _)) => {
                plan.handle_accepted(Instant::now());
                streams.push(stream);
            }
            Err(Failure::OfOne) => {}
            Err(failure) => return (streams, Some(failure)),
        }
        if std::mem::discriminant(&plan.want()) != before {
            break;
        }
    }
    (streams, None)
}

fn is_ready(listener: &TcpListener, until: Instant) -> io::Result<bool> {
    let left = until.saturating_duration_since(Instant::now());
    let left = Timespec::try_from(left).map_err(io::Error::other)?;
    let mut sockets = [PollFd::new(listener, PollFlags::IN)];
    match poll(&mut sockets, Some(&left)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(true),
        Err(error) => Err(error.into()),
    }
}
