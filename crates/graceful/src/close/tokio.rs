//! Closing under tokio: a future that can be dropped at any time, and a stream whose shutdown lingers.
//!
//! A connection is never closed plainly: what a dropped future or stream leaves, a [`Reaper`] ends by the same policy.
//! Both need a runtime with I/O and time enabled, and panic without as tokio's own types do.

use super::half_close::HalfClose;
use super::policy::ClosePolicy;
use super::reaper::Reaper;
use super::report::CloseReport;
use super::step::{Course, Discard, Step, advance, reset};
use ::tokio::io::Interest;
use ::tokio::net::TcpStream;
use ::tokio::time::{Sleep, sleep_until};
use lastack_os::connection;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

#[cfg(feature = "hyper")]
mod hyper;
mod lingering;
pub(crate) mod waiting;
mod writing;

pub use lingering::Lingering;
pub use writing::write_all_draining;

/// Closes by this policy and tells how it went: a TCP stream, or a layer above one that has an end of its own, such as
/// TLS by tokio-rustls with the feature of that name.
///
/// If the future is dropped before its end, even before it was first polled, [`Reaper::global`] goes on with it;
/// [`Closing::left_to`] names another.
///
/// ```
/// use lastack_graceful::close::{ClosePolicy, Outcome};
/// use tokio::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let client = TcpStream::connect(listener.local_addr()?).await?;
/// let (server, _) = listener.accept().await?;
///
/// drop(client);
/// let report = lastack_graceful::close::tokio::close_orderly(server, &ClosePolicy::server()).await?;
/// assert_eq!(report.outcome, Outcome::Orderly);
/// # Ok(()) })
/// # }
/// ```
///
/// # Errors
///
/// Only where the kernel or the runtime refuses what every connection can do; the reaper then ends the connection. That
/// the peer resets or keeps silent is no error but an outcome.
pub fn close_orderly<T: HalfClose<Below = TcpStream>>(stream: T, policy: &ClosePolicy) -> Closing {
    let (stream, words) = stream.half_close();
    let course = Box::new(Course::new(*policy, words));
    Closing { stream: Some(stream), course, sleep: None, reaper: None }
}

/// A connection being closed: the future of [`close_orderly`].
#[derive(Debug)]
#[must_use = "nobody learns how it ended unless it is awaited"]
pub struct Closing {
    /// Gone at the end.
    stream: Option<TcpStream>,
    course: Box<Course>,
    sleep: Option<Pin<Box<Sleep>>>,
    reaper: Option<Reaper>,
}

impl Closing {
    /// If dropped, it is left to this reaper.
    ///
    /// ```
    /// use lastack_graceful::close::{ClosePolicy, Reaper, tokio::close_orderly};
    /// use std::time::Duration;
    /// use tokio::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let client = TcpStream::connect(listener.local_addr()?).await?;
    /// let (server, _) = listener.accept().await?;
    ///
    /// let reaper = Reaper::new(100)?;
    /// drop(close_orderly(server, &ClosePolicy::server()).left_to(&reaper));
    /// drop(client);
    /// assert_eq!(reaper.wait(Duration::from_secs(10)), 0);
    /// assert_eq!(reaper.counts().orderly, 1);
    /// # Ok(()) })
    /// # }
    /// ```
    pub fn left_to(mut self, reaper: &Reaper) -> Self {
        self.reaper = Some(reaper.clone());
        self
    }

    fn poll_sleep(&mut self, until: Instant, context: &mut Context<'_>) -> Poll<()> {
        let until = until.into();
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if sleep.deadline() != until {
            sleep.as_mut().reset(until);
        }
        sleep.as_mut().poll(context)
    }
}

impl Future for Closing {
    type Output = io::Result<CloseReport>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            let Some(stream) = &this.stream else {
                return Poll::Ready(Err(io::Error::other("this close has ended before")));
            };
            match advance(stream, &mut this.course)? {
                Step::Readable(until) => {
                    if stream.poll_read_ready(context)?.is_pending() {
                        ready!(this.poll_sleep(until, context));
                    }
                }
                Step::ReadableOrWritable(until) => {
                    let readable = stream.poll_read_ready(context)?;
                    let until = room(stream, context)?.awaited(until);
                    if let (Poll::Pending, Some(until)) = (readable, until) {
                        ready!(this.poll_sleep(until, context));
                    }
                }
                Step::Writable(until) => {
                    if let Some(until) = room(stream, context)?.awaited(until) {
                        ready!(this.poll_sleep(until, context));
                    }
                }
                Step::Pause(until) => ready!(this.poll_sleep(until, context)),
                Step::Again => {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Step::Over(report) => {
                    this.stream = None;
                    return Poll::Ready(Ok(report));
                }
            }
        }
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            hand_over(stream, Course::clone(&self.course), self.reaper.as_ref());
        }
    }
}

/// Ends a connection by a reset, on purpose, as [`close::abort`](super::abort) does.
///
/// ```
/// use tokio::io::AsyncReadExt as _;
/// use tokio::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let mut client = TcpStream::connect(listener.local_addr()?).await?;
/// let (server, _) = listener.accept().await?;
///
/// lastack_graceful::close::tokio::abort(server)?;
/// let error = client.read(&mut [0]).await.unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
/// # Ok(()) })
/// # }
/// ```
///
/// # Errors
///
/// Where the kernel refuses the option; the connection is then closed plainly.
pub fn abort(stream: TcpStream) -> io::Result<()> {
    reset(stream)
}

impl Discard for TcpStream {
    /// The runtime remembers readiness until a try fails: without any there is nothing to ask the kernel.
    fn discard(&self) -> Result<Option<u64>, Errno> {
        let tried = self.try_io(Interest::READABLE, || {
            self.discard_now()?.ok_or_else(|| io::ErrorKind::WouldBlock.into())
        });
        match tried {
            Ok(octets) => Ok(Some(octets)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
        }
    }

    /// The runtime remembers that one side was shut (`EPOLLRDHUP`), and that both were (`EPOLLHUP`; `tcp_poll`).
    fn is_only_receiving_shut(&self) -> bool {
        let ready = pin!(self.ready(Interest::READABLE | Interest::WRITABLE));
        match ready.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(ready)) => ready.is_read_closed() && !ready.is_write_closed(),
            Poll::Ready(Err(_)) | Poll::Pending => false,
        }
    }
}

/// Whether there is room to send something, or sending would tell of an error.
enum Room {
    Some,
    /// None, and whoever asked is woken when there is.
    None,
    /// None, and nobody is woken: the runtime once heard of an error that was none of the connection's, and remembers it.
    NoneUntold,
}

impl Room {
    /// Until when it is waited for, at most.
    fn awaited(self, until: Instant) -> Option<Instant> {
        match self {
            Self::Some => None,
            Self::None => Some(until),
            Self::NoneUntold => Some(until.min(Instant::now() + LOOK_AGAIN)),
        }
    }
}

fn room(stream: &TcpStream, context: &mut Context<'_>) -> io::Result<Room> {
    // What the runtime remembers may be over; it forgets that when a try fails, as with reading.
    for _ in 0..2 {
        if stream.poll_write_ready(context)?.is_pending() {
            return Ok(Room::None);
        }
        let tried = stream.try_io(Interest::WRITABLE, || {
            let mut sockets = [PollFd::new(stream, PollFlags::OUT)];
            poll(&mut sockets, Some(&Timespec::default()))?;
            let found = sockets[0].revents();
            if found.contains(PollFlags::ERR) {
                connection::clear_error_queue(stream)?;
            }
            let is_ready = !found.is_empty();
            is_ready.then_some(()).ok_or_else(|| io::ErrorKind::WouldBlock.into())
        });
        match tried {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => return Ok(Room::Some),
        }
    }
    Ok(Room::NoneUntold)
}

/// Leaves a connection to a reaper. Where there is none, because no thread can be started, it is reset: its peer shall
/// not take a part for the whole.
fn hand_over(stream: TcpStream, course: Course, reaper: Option<&Reaper>) {
    let global = || Reaper::global().ok();
    match reaper.or_else(global) {
        // Every TCP socket takes it (`sock_set_linger`).
        None => drop(connection::reset_on_close(&stream)),
        Some(reaper) => {
            if let Ok(stream) = stream.into_std() {
                reaper.take(stream.into(), course);
            }
        }
    }
}

/// How soon one looks again whom nobody wakes.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
