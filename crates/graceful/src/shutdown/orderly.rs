//! A listener that ends well: it hands out connections, and when the server's end begins, those that still wait in it.

use super::handle::Shutdown;
use super::tracked::Tracked;
use crate::listener::tokio::{Drained, Draining};
use crate::listener::{Failure, SHORTAGE};
use ::tokio::net::{TcpListener, TcpStream};
use ::tokio::time::sleep;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;

/// A listener of a server that can end. It must be asked for connections until there are none: that is what empties it.
///
/// ```
/// use lastack_graceful::shutdown::{Orderly, Shutdown, ShutdownPlan};
/// use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
/// use tokio::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let shutdown = Shutdown::new(ShutdownPlan::new());
/// let mut listener = Orderly::new(TcpListener::bind("127.0.0.1:0").await?, &shutdown)?;
/// let address = listener.local_addr();
///
/// let client = tokio::spawn(async move {
///     let mut client = TcpStream::connect(address).await?;
///     client.write_all(b"?").await?;
///     let mut answer = String::new();
///     client.read_to_string(&mut answer).await.map(|_| answer)
/// });
/// let mut clients = 0;
/// while let Some((mut stream, _)) = listener.accept().await? {
///     clients += 1;
///     tokio::spawn(async move {
///         let mut question = [0];
///         if stream.read_exact(&mut question).await.is_ok() {
///             let _ = stream.write_all(b"the last answer").await;
///         }
///     });
///     shutdown.begin();
/// }
/// let report = shutdown.report().await;
/// assert_eq!((report.finished, report.cut), (clients, 0));
/// assert_eq!(client.await??, "the last answer");
/// # Ok(()) })
/// # }
/// ```
#[derive(Debug)]
pub struct Orderly {
    shutdown: Shutdown,
    local: SocketAddr,
    state: State,
}

#[derive(Debug)]
enum State {
    Listening(TcpListener),
    Draining(Box<Draining>),
    Closed,
}

/// What came while listening.
enum Came {
    Connection(io::Result<(TcpStream, SocketAddr)>),
    /// The end begins.
    End,
}

impl Orderly {
    /// Listens for this server. One that is dropped before it was empty resets who waits in it, which the report tells.
    ///
    /// # Errors
    ///
    /// Where the listener's address cannot be read.
    pub fn new(listener: TcpListener, shutdown: &Shutdown) -> io::Result<Self> {
        let local = listener.local_addr()?;
        shutdown.listens();
        Ok(Self { shutdown: shutdown.clone(), local, state: State::Listening(listener) })
    }

    /// The address that it listens on.
    pub const fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The next connection and where it came from; `None` when the end of the server has begun, everybody who waited was
    /// accepted, and the listener is closed. Cancel-safe.
    ///
    /// A connection that failed before it was accepted is passed over. Where descriptors or memory have run out, this
    /// waits until there are some.
    ///
    /// # Errors
    ///
    /// When the listener is of no use any more. It is closed, and the end of the server begins.
    pub async fn accept(&mut self) -> io::Result<Option<(Tracked, SocketAddr)>> {
        loop {
            match &mut self.state {
                State::Listening(listener) => match next(listener, &self.shutdown).await {
                    Came::Connection(Ok((stream, from))) => {
                        return Ok(Some(self.track(stream, from)));
                    }
                    Came::Connection(Err(error)) => match Failure::from(error) {
                        Failure::Nothing | Failure::OfOne => {}
                        Failure::Exhausted => sleep(SHORTAGE).await,
                        Failure::Lasting(error) => return Err(self.fail(error)),
                    },
                    Came::End => self.drain()?,
                },
                State::Draining(draining) => match draining.next().await {
                    Ok(Drained::Connection(stream, from)) => {
                        return Ok(Some(self.track(stream, from)));
                    }
                    Ok(Drained::Closed(report)) => {
                        self.state = State::Closed;
                        self.shutdown.listener_closed(Some(report));
                    }
                    Err(error) => return Err(self.fail(error)),
                },
                State::Closed => return Ok(None),
            }
        }
    }

    fn drain(&mut self) -> io::Result<()> {
        if let State::Listening(listener) = std::mem::replace(&mut self.state, State::Closed) {
            // Counted from when the end began, however late the server comes here.
            let deadline = self.shutdown.queues_end().unwrap_or_else(|| Instant::now() + FOR_EVER);
            match Draining::new(listener, self.shutdown.plan().successor, deadline) {
                Ok(draining) => self.state = State::Draining(Box::new(draining)),
                Err(error) => return Err(self.fail(error)),
            }
        }
        Ok(())
    }

    fn track(&self, stream: TcpStream, from: SocketAddr) -> (Tracked, SocketAddr) {
        (Tracked::new(stream, &self.shutdown), from)
    }

    fn fail(&mut self, error: io::Error) -> io::Error {
        self.state = State::Closed;
        self.shutdown.listener_closed(None);
        self.shutdown.begin();
        error
    }
}

impl Drop for Orderly {
    fn drop(&mut self) {
        if !matches!(self.state, State::Closed) {
            self.state = State::Closed;
            self.shutdown.listener_closed(None);
        }
    }
}

/// The next connection, or the beginning of the end, whichever comes first; the end if both are there.
async fn next(listener: &TcpListener, shutdown: &Shutdown) -> Came {
    let mut asked = pin!(shutdown.asked());
    poll_fn(|context| {
        if asked.as_mut().poll(context).is_ready() {
            return Poll::Ready(Came::End);
        }
        listener.poll_accept(context).map(Came::Connection)
    })
    .await
}

/// As good as any longer one.
const FOR_EVER: std::time::Duration = std::time::Duration::from_secs(365 * 24 * 60 * 60);
