//! The pool under tokio: the same queue, and waiting blocks no thread.
//!
//! Needs a runtime with I/O and time enabled, and panics without as tokio's own types do.

use super::error::{ConnectError, Step};
use super::lease::Lease;
use super::listening::{self, ListenError, Seat};
use super::pool::{self, Ports};
use super::queue::{Place, Purpose, Turn};
use ::tokio::net::{TcpListener, TcpSocket, TcpStream};
use ::tokio::time::timeout_at;
use rustix::io::Errno;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Instant;

/// As [`Ports::connect`]. It may be dropped at any time: the port goes back to the pool.
///
/// ```
/// use lastack_graceful::close::{ClosePolicy, tokio::close_orderly};
/// use lastack_graceful::ports::{self, Ports};
/// use std::time::{Duration, Instant};
/// use tokio::net::TcpListener;
///
/// # fn main() -> std::io::Result<()> {
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let server = TcpListener::bind("127.0.0.1:0").await?;
/// let pool = Ports::of(21_000..=21_499);
/// let deadline = Instant::now() + Duration::from_secs(10);
/// let (stream, lease) = ports::tokio::connect(&pool, server.local_addr()?, deadline).await?;
///
/// drop(server.accept().await?);
/// let report = close_orderly(stream, &ClosePolicy::client()).await?;
/// lease.ended(&report);
/// # Ok(()) })
/// # }
/// ```
///
/// # Errors
///
/// As [`Ports::connect`].
pub async fn connect(
    ports: &Ports,
    destination: SocketAddr,
    deadline: Instant,
) -> Result<(TcpStream, Lease), ConnectError> {
    loop {
        let lease = wait_for_port(ports, destination, deadline).await?;
        match connect_from(&lease, destination, deadline).await {
            Ok(stream) => {
                ports.count(|counts| counts.connected += 1);
                return Ok((stream, lease));
            }
            Err(error) => ports.settle(lease, error)?,
        }
    }
}

/// A port on loan to listen on, as [`Listening`](super::Listening), under tokio.
#[derive(Debug)]
#[must_use = "dropped, its port is not listened on for two minutes"]
pub struct Listening {
    /// Closed before its seat is given up.
    listener: TcpListener,
    seat: Seat,
}

/// As [`Ports::listen`]. It may be dropped at any time: the port goes back to the pool.
///
/// ```
/// use lastack_graceful::ports::{self, Ports};
/// use std::net::Ipv4Addr;
/// use std::time::{Duration, Instant};
/// use tokio::net::TcpStream;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let pool = Ports::of(22_000..=22_099);
/// let deadline = Instant::now() + Duration::from_secs(10);
/// let at = Ipv4Addr::LOCALHOST.into();
/// let listening = ports::tokio::listen(&pool, at, 8, deadline).await?;
///
/// let peer = TcpStream::connect(listening.local()).await?;
/// let (_call_back, from) = listening.accept(deadline).await?;
/// assert_eq!(from, peer.local_addr()?);
/// listening.done();
/// # Ok(()) })
/// # }
/// ```
///
/// # Errors
///
/// As [`Ports::listen`].
pub async fn listen(
    ports: &Ports,
    at: IpAddr,
    most: usize,
    deadline: Instant,
) -> Result<Listening, ListenError> {
    let mut place = Place::in_queue(ports, Purpose::Listen { at_most: most });
    loop {
        let mut came_free = pin!(ports.came_free());
        came_free.as_mut().enable();
        match listening::ask(&mut place, at, most)? {
            Turn::Have(held) => {
                let (seat, listener) = held.into_parts();
                let failed = |cause| ListenError::of(seat.local(), cause);
                let listener = TcpListener::from_std(listener).map_err(failed)?;
                return Ok(Listening { listener, seat });
            }
            Turn::Wait(next) if Instant::now() >= deadline => {
                return Err(ListenError::too_late(at, most, next));
            }
            Turn::Wait(next) => {
                let until = next.map_or(deadline, |next| next.min(deadline));
                // Why it woke does not matter: it asks again.
                let _ = timeout_at(until.into(), came_free).await;
            }
        }
    }
}

impl Listening {
    /// Where it listens.
    pub const fn local(&self) -> SocketAddr {
        self.seat.local()
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.seat.local().port()
    }

    /// The next connection, whoever makes it: the caller judges whether it is the one that he waits for.
    ///
    /// # Errors
    ///
    /// `TimedOut` at the deadline; otherwise as `accept()`.
    pub async fn accept(&self, deadline: Instant) -> io::Result<(TcpStream, SocketAddr)> {
        match timeout_at(deadline.into(), self.listener.accept()).await {
            Ok(accepted) => accepted,
            Err(_) => Err(Errno::TIMEDOUT.into()),
        }
    }

    /// As [`Listening::done`](super::Listening::done).
    pub fn done(self) {
        // One that cannot be taken out of the runtime is closed, and its port kept from listening.
        if let Ok(listener) = self.listener.into_std() {
            self.seat.shelve(listener);
        }
    }
}

async fn connect_from(
    lease: &Lease,
    destination: SocketAddr,
    deadline: Instant,
) -> Result<TcpStream, ConnectError> {
    let (outgoing, port) = (pool::outgoing(destination, lease.local()), lease.port());
    let socket = outgoing.bound_to(port)?;
    let socket = TcpSocket::from_std_stream(std::net::TcpStream::from(socket));
    let local = outgoing.local(port);
    let failed = |cause| ConnectError { step: Step::Connect, local, destination, cause };
    match timeout_at(deadline.into(), socket.connect(destination)).await {
        Ok(connected) => connected.map_err(failed),
        Err(_) => Err(failed(Errno::TIMEDOUT.into())),
    }
}

async fn wait_for_port(
    ports: &Ports,
    destination: SocketAddr,
    deadline: Instant,
) -> Result<Lease, ConnectError> {
    let mut place = Place::in_queue(ports, Purpose::Connect(destination));
    loop {
        let mut came_free = pin!(ports.came_free());
        // From here on nothing that comes free is missed, also before the first poll.
        came_free.as_mut().enable();
        match place.ask(destination) {
            Turn::Have(lease) => return Ok(lease),
            Turn::Wait(next) if Instant::now() >= deadline => {
                return Err(place.too_late(destination, next));
            }
            Turn::Wait(next) => {
                let until = next.map_or(deadline, |next| next.min(deadline));
                // Why it woke does not matter: it asks again.
                let _ = timeout_at(until.into(), came_free).await;
            }
        }
    }
}
