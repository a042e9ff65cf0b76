//! For the tests of one's own servers: who closed first and keeps `TIME_WAIT`, and clients that do not play along.
//!
//! Whatever is said of sockets is said of the calling thread's network namespace. The waits here end within seconds; what
//! did not come by then fails the test with what was there instead.
//!
//! ```
//! use lastack_graceful::testing::{assert_closed_first, time_waits, time_waits_toward};
//! use std::io::Read as _;
//! use std::net::{TcpListener, TcpStream};
//!
//! # fn main() -> std::io::Result<()> {
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let mut client = TcpStream::connect(listener.local_addr()?)?;
//! let (server, _) = listener.accept()?;
//!
//! let (here, there) = (server.local_addr()?, client.local_addr()?);
//! drop(server);
//! assert_eq!(client.read(&mut [0])?, 0);
//! drop(client);
//! assert_closed_first(here, there);
//! assert_eq!(time_waits(here)?, 1);
//! assert_eq!(time_waits_toward(there)?, 1);
//! # Ok(())
//! # }
//! ```

mod clients;

pub use clients::{Heard, send_for_ever, send_then_read};

use lastack_model::facts::{Socket, Transport};
use lastack_model::ids::Port;
use lastack_model::state::State;
use lastack_os::sock_diag::{Filter, States, fold};
use std::io;
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How many connections of this local address are in `TIME_WAIT`: those that this end closed first (RFC 9293 §3.6.1).
/// The port of a server counts its clients.
///
/// # Errors
///
/// Where the system does not tell.
pub fn time_waits(at: SocketAddr) -> io::Result<usize> {
    let sockets = on_port(at.port())?;
    let ours = |socket: &&Socket| socket.state == State::TimeWait && same(socket.local, at);
    Ok(sockets.iter().filter(ours).count())
}

/// How many connections toward this remote address are in `TIME_WAIT`. Each keeps a local port from the next connection
/// there, for 60 s on Linux.
///
/// # Errors
///
/// Where the system does not tell.
pub fn time_waits_toward(to: SocketAddr) -> io::Result<usize> {
    let filter = Filter::all(Transport::Tcp).in_states(States::of(&[State::TimeWait]));
    let add = |count: &mut usize, socket: Socket| {
        *count += usize::from(socket.remote.is_some_and(|remote| same(remote, to)));
    };
    Ok(fold(&filter, add).map_err(io::Error::other)?.folded)
}

/// Asserts that of a connection's two ends it was `first` that closed first: it is in `TIME_WAIT`, and the other is not.
/// Waits until one of them is, for some seconds.
///
/// Where only one of the ends is in this network namespace, it can be `first` or `second`.
///
/// # Panics
///
/// When the other closed first, or both did; when the connection was reset, or has not ended; and where the system does
/// not tell.
#[track_caller]
pub fn assert_closed_first(first: SocketAddr, second: SocketAddr) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (ours, theirs) = (end(first, second), end(second, first));
        match (ours, theirs) {
            (Some(State::TimeWait), Some(State::TimeWait)) => {
                panic!("{first} and {second} closed at the same time: both are in TIME_WAIT")
            }
            (Some(State::TimeWait), None) => return,
            (None, Some(State::TimeWait)) => {
                panic!("{second} closed before {first} did: it is in TIME_WAIT")
            }
            _ if Instant::now() < deadline => sleep(PAUSE),
            (None, None) => panic!(
                "neither {first} nor {second} is in TIME_WAIT: their connection was reset, or is long over"
            ),
            _ => {
                panic!("the connection has not ended: {first} is {ours:?}, {second} is {theirs:?}")
            }
        }
    }
}

/// The state of one end of a connection.
#[track_caller]
fn end(local: SocketAddr, remote: SocketAddr) -> Option<State> {
    let sockets = on_port(local.port())
        .unwrap_or_else(|error| panic!("failed to look for the sockets of {local}: {error}"));
    let mut ends = sockets.iter().filter(|socket| {
        same(socket.local, local) && socket.remote.is_some_and(|there| same(there, remote))
    });
    ends.next().map(|socket| socket.state)
}

fn on_port(port: u16) -> io::Result<Vec<Socket>> {
    let filter = Filter::on_port(Transport::Tcp, Port(port));
    Ok(fold(&filter, Vec::push).map_err(io::Error::other)?.folded)
}

/// A socket of IPv6 may have a peer of IPv4.
fn same(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && one.ip().to_canonical() == other.ip().to_canonical()
}

const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(1);
