//! Closing a listener under tokio, by the same plan: a future for all of it, or one connection after another.
//!
//! Barriers and walks through the kernel's tables take milliseconds; they run in tokio's blocking threads, as long as the
//! deadline allows. Only counting the members of a group and the last look, right before the close, do not. Everything here
//! needs a runtime with I/O and time enabled, and panics without as tokio's own types do.

use super::plan::{Plan, Want};
use super::report::{DrainReport, Successor};
use super::step::{Closing, Failure, Place, SHORTAGE, half_open, settle};
use ::tokio::net::{TcpListener, TcpStream};
use ::tokio::task::{JoinHandle, spawn_blocking, yield_now};
use ::tokio::time::{sleep, timeout_at};
use lastack_model::ids::Cookie;
use std::collections::HashSet;
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
    /// What a blocking thread does for the plan. A call that is dropped leaves it to the next.
    errand: Option<JoinHandle<Done>>,
    /// There was no time to wait until the kernel has dealt with every segment in hand.
    is_unsettled: bool,
    /// How many connections were given without a turn for others.
    given: u32,
}

#[derive(Debug)]
enum Done {
    Settled,
    Seen(Option<HashSet<Cookie>>),
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
        let plan = Plan::new(successor, Instant::now(), deadline);
        Ok(Self { closing: Some(closing), plan, errand: None, is_unsettled: false, given: 0 })
    }

    /// The next connection, or the report when the listener is closed. Cancel-safe: a call that is dropped has taken
    /// nothing, and the next one goes on where it was.
    ///
    /// Each connection is best served in a task of its own. With [`Method::TtlFloor`](super::Method::TtlFloor) the others
    /// hear nothing before they are given, and their clients repeat themselves ever more rarely.
    ///
    /// # Errors
    ///
    /// Where waiting for the listener fails, and after the report; it is then closed plainly.
    pub async fn next(&mut self) -> io::Result<Drained> {
        // Nothing below waits while the queue is full, and others may want a turn.
        self.given += 1;
        if self.given > TURN {
            self.given = 0;
            yield_now().await;
        }
        loop {
            let Some(closing) = &mut self.closing else {
                return Err(io::Error::other("this listener was closed before"));
            };
            match self.plan.want() {
                Want::Begin(method) => match closing.begin(method) {
                    Ok(()) => self.plan.handle_begun(),
                    Err(_) => self.plan.handle_refused(),
                },
                Want::Settle | Want::Look => {
                    let (wanted, place) = (self.plan.want(), closing.place);
                    let errand = self
                        .errand
                        .get_or_insert_with(|| spawn_blocking(move || run(wanted, place)));
                    let done = timeout_at(self.plan.deadline().into(), errand).await;
                    self.errand = None;
                    self.is_unsettled |= done.is_err() && wanted == Want::Settle;
                    match done.unwrap_or_else(|_| Ok(unseen(wanted)))? {
                        Done::Settled => self.plan.handle_settled(),
                        Done::Seen(half_open) => {
                            self.plan.handle_waiting(Instant::now(), closing.waiting(half_open));
                        }
                    }
                }
                Want::Accept(_) | Want::Sweep => {
                    if let Some(connection) = accept(closing, &mut self.plan).await? {
                        return Ok(connection);
                    }
                }
                Want::Close => {
                    if let Some(closing) = self.closing.take() {
                        let mut report = closing.close(&self.plan);
                        if self.is_unsettled {
                            report.half_open_left = None;
                        }
                        return Ok(Drained::Closed(report));
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

/// What comes of an errand for which there was no time.
fn unseen(wanted: Want) -> Done {
    if wanted == Want::Look { Done::Seen(None) } else { Done::Settled }
}

/// What takes milliseconds of the plan's wants.
fn run(wanted: Want, place: Place) -> Done {
    if wanted == Want::Look {
        return Done::Seen(half_open(place));
    }
    settle();
    Done::Settled
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

/// How many connections may be given before others have their turn.
const TURN: u32 = 16;
