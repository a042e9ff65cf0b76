//! The pool under tokio: the same queue, and waiting blocks no thread.
//!
//! Needs a runtime with I/O and time enabled, and panics without as tokio's own types do.

use super::error::{ConnectError, Step};
use super::lease::Lease;
use super::pool::{Ports, Turn};
use ::tokio::net::{TcpSocket, TcpStream};
use ::tokio::time::timeout_at;
use rustix::io::Errno;
use std::net::SocketAddr;
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
        match connect_from(ports, lease.port(), destination, deadline).await {
            Ok(stream) => {
                ports.count(|counts| counts.connected += 1);
                return Ok((stream, lease));
            }
            Err(error) => ports.settle(lease, error)?,
        }
    }
}

async fn connect_from(
    ports: &Ports,
    port: u16,
    destination: SocketAddr,
    deadline: Instant,
) -> Result<TcpStream, ConnectError> {
    let outgoing = ports.outgoing(destination);
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
    let mut place = ports.queue_up(destination);
    loop {
        let mut came_free = pin!(ports.came_free());
        // From here on nothing that comes free is missed, also before the first poll.
        came_free.as_mut().enable();
        match place.ask() {
            Turn::Have(lease) => return Ok(lease),
            Turn::Wait(next) if Instant::now() >= deadline => return Err(place.too_late(next)),
            Turn::Wait(next) => {
                let until = next.map_or(deadline, |next| next.min(deadline));
                // Why it woke does not matter: it asks again.
                let _ = timeout_at(until.into(), came_free).await;
            }
        }
    }
}
