//! Closing a listener under tokio, by the same plan: a future for all of it, or one connection after another.
//!
//! Barriers and walks through the kernel's tables take milliseconds; they run in tokio's blocking threads. Everything here
//! needs a runtime with I/O and time enabled, and panics without as tokio's own types do.

use super::plan::{Plan, Want};
use super::report::{DrainReport, Successor};
use super::step::{Closing, Failure, SHORTAGE, half_open, settle};
use ::tokio::net::{TcpListener, TcpStream};
use ::tokio::task::{spawn_blocking, yield_now};
use ::tokio::time::{sleep, timeout_at};
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

/// Closes a listener so that nobody who was connected to it, or about to be, is lost, and tells how it went:
/// [`super::close_draining`] as a future. `serve` gets each connection and is not waited for; as a rule it spawns a task.
///
/// If the future is dropped before its end, the listener is closed plainly, and who waits in it is reset.
///
/// ```
/// use lastack_graceful::listener::{Successor, tokio::close_draining};
/// use std::time::{Duration, Instant};
/// use tokio::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// // Connected, as far as the client can tell, but not accepted yet.
/// let client = TcpStream::connect(listener.local_addr()?).await?;
///
/// let deadline = Instant::now() + Duration::from_secs(5);
/// let mut served = Vec::new();
/// let report = close_draining(listener, Successor::None, deadline, |stream| served.push(stream)).await?;
/// assert_eq!((report.accepted, served.len()), (1, 1));
/// # drop(client);
/// # Ok(()) })
/// # }
/// ```
///
/// # Errors
///
/// As [`super::close_draining`].
pub async fn close_draining(
    listener: TcpListener,
    successor: Successor,
    deadline: Instant,
    mut serve: impl FnMut(TcpStream),
) -> io::Result<DrainReport> {
    let mut draining = Draining::new(listener, successor, deadline)?;
    loop {
        match draining.next().await? {
            Drained::Connection(stream, _) => serve(stream),
            Drained::Closed(report) => return Ok(report),
        }
    }
}

/// A listener that is being emptied, one connection after another.
#[derive(Debug)]
pub struct Draining {
    /// Gone at the end.
    closing: Option<Closing<TcpListener>>,
    plan: Plan,
}

/// What an emptied listener gives.
#[derive(Debug)]
pub enum Drained {
    /// A connection, and where it came from.
    Connection(TcpStream, SocketAddr),
    /// Nothing more: the listener is closed.
    Closed(DrainReport),
}

impl Draining {
    /// Begins with the next call of [`Draining::next`]; the deadline is for all of it.
    ///
    /// ```
    /// use lastack_graceful::listener::{Successor, tokio::{Drained, Draining}};
    /// use std::time::{Duration, Instant};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// let deadline = Instant::now() + Duration::from_secs(5);
    /// let mut draining = Draining::new(listener, Successor::None, deadline)?;
    /// let report = loop {
    ///     match draining.next().await? {
    ///         Drained::Connection(stream, peer) => println!("{peer} had waited: {stream:?}"),
    ///         Drained::Closed(report) => break report,
    ///     }
    /// };
    /// assert_eq!((report.accepted, report.stranded), (0, 0));
    /// # Ok(()) })
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Where the listener's address cannot be read; it is then closed plainly.
    pub fn new(listener: TcpListener, successor: Successor, deadline: Instant) -> io::Result<Self> {
        let closing = Closing::new(listener, successor)?;
        Ok(Self { closing: Some(closing), plan: Plan::new(successor, Instant::now(), deadline) })
    }

    /// The next connection, or the report when the listener is closed. Cancel-safe: a call that is dropped has taken
    /// nothing, and the next one goes on where it was.
    ///
    /// # Errors
    ///
    /// Where waiting for the listener fails, and after the report; it is then closed plainly.
    pub async fn next(&mut self) -> io::Result<Drained> {
        // Nothing below waits while the queue is full, and others may want a turn.
        yield_now().await;
        loop {
            let Some(closing) = &mut self.closing else {
                return Err(io::Error::other("this listener was closed before"));
            };
            match self.plan.want() {
                Want::Begin(method) => match closing.begin(method) {
                    Ok(()) => self.plan.handle_begun(),
                    Err(_) => self.plan.handle_refused(),
                },
                Want::Settle => {
                    spawn_blocking(settle).await?;
                    self.plan.handle_settled();
                }
                Want::Look => {
                    let local = closing.local;
                    let half_open = spawn_blocking(move || half_open(local)).await?;
                    self.plan.handle_waiting(Instant::now(), closing.waiting(half_open));
                }
                Want::Accept(_) | Want::Sweep => {
                    if let Some(connection) = accept(closing, &mut self.plan).await? {
                        return Ok(connection);
                    }
                }
                Want::Close => {
                    if let Some(closing) = self.closing.take() {
                        return Ok(Drained::Closed(closing.close(&self.plan)));
                    }
                }
            }
        }
    }

    /// How many it has given so far.
    pub const fn accepted(&self) -> u64 {
        self.plan.accepted()
    }
}

/// One connection that is there, or comes while the plan waits for more.
async fn accept(closing: &Closing<TcpListener>, plan: &mut Plan) -> io::Result<Option<Drained>> {
    let until = match plan.want() {
        Want::Accept(until) => Some(until),
        _ => None,
    };
    let mut tried = closing.accept().and_then(|(stream, from)| {
        let registered = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
        registered.map(|stream| (stream, from)).map_err(Failure::Lasting)
    });
    if matches!(tried, Err(Failure::Nothing))
        && let Some(until) = until.filter(|&until| Instant::now() < until)
        && let Ok(accepted) = timeout_at(until.into(), closing.listener.accept()).await
    {
        tried = accepted.map_err(Failure::from).and_then(|(stream, from)| {
            closing.free(&stream)?;
            Ok((stream, from))
        });
    }
    match tried {
        Ok((stream, from)) => {
            plan.handle_accepted(Instant::now());
            return Ok(Some(Drained::Connection(stream, from)));
        }
        Err(Failure::Nothing) => plan.handle_quiet(Instant::now()),
        Err(Failure::OfOne) => {}
        Err(Failure::Exhausted) => {
            sleep(SHORTAGE).await;
            plan.handle_exhausted(Instant::now());
        }
        Err(Failure::Lasting(error)) => return Err(error),
    }
    Ok(None)
}
