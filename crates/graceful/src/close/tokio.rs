//! Closing under tokio: a future that can be dropped at any time, and a stream whose shutdown lingers.
//!
//! A connection is never closed plainly: what a dropped future or stream leaves, a [`Reaper`] ends by the same policy.
//! Both need a runtime with I/O and time enabled, and panic without as tokio's own types do.

use super::plan::Plan;
use super::policy::ClosePolicy;
use super::reaper::Reaper;
use super::report::CloseReport;
use super::step::{Step, advance};
use ::tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use ::tokio::net::TcpStream;
use ::tokio::time::{Sleep, sleep_until};
use lastack_os::connection;
use rustix::net::{RecvFlags, recv};
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

/// Closes by this policy and tells how it went.
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
pub fn close_orderly(stream: TcpStream, policy: &ClosePolicy) -> Closing {
    let plan = Plan::new(*policy, Instant::now());
    Closing { stream: Some(stream), plan, sleep: None, reaper: None }
}

/// A connection being closed: the future of [`close_orderly`].
#[derive(Debug)]
#[must_use = "nobody learns how it ended unless it is awaited"]
pub struct Closing {
    /// Gone at the end.
    stream: Option<TcpStream>,
    plan: Plan,
    sleep: Option<Pin<Box<Sleep>>>,
    reaper: Option<Reaper>,
}

/// A stream whose shutdown lingers by a policy: this side's FIN, everything thrown away until the peer's.
///
/// Servers that shut a stream down at its end, as hyper does, need no other change. One that is dropped without that is
/// left to a reaper, by the same policy.
#[derive(Debug)]
pub struct Lingering {
    state: State,
    policy: ClosePolicy,
    reaper: Option<Reaper>,
}

#[derive(Debug)]
enum State {
    Open(TcpStream),
    Closing(Closing),
    Closed(Option<CloseReport>),
}

impl Closing {
    /// If dropped, it is left to this reaper.
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
            match advance(stream, &mut this.plan)? {
                Step::Readable(until) => {
                    if poll_readable(stream, context)?.is_pending() {
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
            hand_over(stream, self.plan.clone(), self.reaper.as_ref());
        }
    }
}

impl Lingering {
    /// Shuts this stream down by the policy.
    ///
    /// ```
    /// use lastack_graceful::close::{ClosePolicy, tokio::Lingering};
    /// use tokio::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// use std::{future::poll_fn, pin::Pin};
    /// use tokio::io::AsyncWrite;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// drop(TcpStream::connect(listener.local_addr()?).await?);
    /// let (stream, _) = listener.accept().await?;
    /// let mut stream = Lingering::new(stream, ClosePolicy::server());
    /// poll_fn(|context| Pin::new(&mut stream).poll_shutdown(context)).await?;
    /// assert!(stream.report().is_some());
    /// # Ok(()) })
    /// # }
    /// ```
    pub const fn new(stream: TcpStream, policy: ClosePolicy) -> Self {
        Self { state: State::Open(stream), policy, reaper: None }
    }

    /// If dropped before its shutdown has ended, it is left to this reaper instead of [`Reaper::global`].
    #[must_use]
    pub fn left_to(mut self, reaper: &Reaper) -> Self {
        self.reaper = Some(reaper.clone());
        self
    }

    /// The stream, until its shutdown begins.
    pub const fn stream(&self) -> Option<&TcpStream> {
        match &self.state {
            State::Open(stream) => Some(stream),
            State::Closing(_) | State::Closed(_) => None,
        }
    }

    /// How it ended, once its shutdown has.
    pub const fn report(&self) -> Option<CloseReport> {
        match self.state {
            State::Closed(report) => report,
            State::Open(_) | State::Closing(_) => None,
        }
    }

    fn poll_stream<T>(
        &mut self,
        poll: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut self.state {
            State::Open(stream) => poll(Pin::new(stream)),
            State::Closing(_) | State::Closed(_) => {
                Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
            }
        }
    }
}

impl AsyncRead for Lingering {
    /// Once the shutdown has begun there is nothing more to read.
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.state {
            State::Open(stream) => Pin::new(stream).poll_read(context, room),
            State::Closing(_) | State::Closed(_) => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_stream(|stream| stream.poll_write(context, octets))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_stream(|stream| stream.poll_write_vectored(context, octets))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// A TCP stream keeps nothing back.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Lingers. How it ended is told by [`Lingering::report`]; a peer that resets is no error.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            this.state = match std::mem::replace(&mut this.state, State::Closed(None)) {
                State::Open(stream) => {
                    let mut closing = close_orderly(stream, &this.policy);
                    closing.reaper.clone_from(&this.reaper);
                    State::Closing(closing)
                }
                State::Closing(mut closing) => match Pin::new(&mut closing).poll(context) {
                    Poll::Pending => {
                        this.state = State::Closing(closing);
                        return Poll::Pending;
                    }
                    Poll::Ready(report) => State::Closed(Some(report?)),
                },
                State::Closed(report) => {
                    this.state = State::Closed(report);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        if let State::Open(stream) = std::mem::replace(&mut self.state, State::Closed(None)) {
            let plan = Plan::new(self.policy, Instant::now());
            hand_over(stream, plan, self.reaper.as_ref());
        }
    }
}

/// Ready when there is something to take, an end or an error.
fn poll_readable(stream: &TcpStream, context: &mut Context<'_>) -> Poll<io::Result<()>> {
    loop {
        ready!(stream.poll_read_ready(context))?;
        // The runtime remembers readiness until a try fails; this one takes nothing.
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let tried = stream.try_io(Interest::READABLE, || Ok(recv(stream, &mut [0; 1], flags)?.1));
        match tried {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => return Poll::Ready(Ok(())),
        }
    }
}

/// Leaves a connection to a reaper. Where there is none, because no thread can be started, it is reset: its peer shall
/// not take a part for the whole.
fn hand_over(stream: TcpStream, plan: Plan, reaper: Option<&Reaper>) {
    let global = || Reaper::global().ok();
    match reaper.or_else(global) {
        // Every TCP socket takes it (`sock_set_linger`).
        None => drop(connection::reset_on_close(&stream)),
        Some(reaper) => {
            if let Ok(stream) = stream.into_std() {
                reaper.take(stream.into(), plan);
            }
        }
    }
}
