//! Clients that do what a server's author does not think of, within the protocol.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// What a client met.
#[derive(Debug)]
pub struct Heard {
    /// What it received.
    pub received: Vec<u8>,
    /// Whether all could be sent, or what came instead: naive servers reset who still sends.
    pub sent: io::Result<()>,
    /// Whether the stream had an end. An answer that is cut may look like one that ended: compare
    /// [`received`](Self::received).
    pub ended: io::Result<()>,
}

/// Sends everything before it reads anything, as many clients do with uploads. A server that answers early and closes
/// resets it, and one that does not read until its answer is written may wait for it for ever (RFC 9112 §9.6).
///
/// ```
/// use lastack_graceful::close::{CloseOrderly as _, ClosePolicy};
/// use lastack_graceful::testing::send_then_read;
/// use std::io::Write as _;
/// use std::time::Duration;
///
/// # fn main() -> std::io::Result<()> {
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let to = listener.local_addr()?;
/// let client = std::thread::spawn(move || send_then_read(to, &[0; 1 << 20], Duration::from_secs(5)));
///
/// let (mut server, _) = listener.accept()?;
/// server.write_all(b"too large")?;
/// let report = server.close_orderly(&ClosePolicy::server())?;
///
/// let heard = client.join().unwrap()?;
/// assert_eq!(heard.received, b"too large");
/// assert!(heard.sent.is_ok() && heard.ended.is_ok() && report.discarded == 1 << 20);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// When it cannot connect. `limit` is for each single read or write; one that takes longer ends with `WouldBlock`.
pub fn send_then_read(to: SocketAddr, octets: &[u8], limit: Duration) -> io::Result<Heard> {
    let mut stream = connected(to, limit)?;
    let sent = stream.write_all(octets);
    let mut received = Vec::new();
    let ended = stream.read_to_end(&mut received).map(drop);
    Ok(Heard { received, sent, ended })
}

/// Sends without an end and reads nothing, until the server puts an end to it or `most` octets were taken. How many were
/// taken.
///
/// ```
/// use lastack_graceful::close::{CloseOrderly as _, ClosePolicy, Outcome};
/// use lastack_graceful::testing::send_for_ever;
/// use std::time::Duration;
///
/// # fn main() -> std::io::Result<()> {
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let to = listener.local_addr()?;
/// let client = std::thread::spawn(move || send_for_ever(to, 1 << 30, Duration::from_secs(5)));
///
/// let (server, _) = listener.accept()?;
/// let report = server.close_orderly(&ClosePolicy::server().discard_limit(1 << 20))?;
/// assert_eq!(report.outcome, Outcome::DiscardLimit);
/// assert!(client.join().unwrap()? < 1 << 30);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// When it cannot connect. A write that takes longer than `limit` ends it as a reset does.
pub fn send_for_ever(to: SocketAddr, most: u64, limit: Duration) -> io::Result<u64> {
    let mut stream = connected(to, limit)?;
    let mut taken = 0;
    while taken < most {
        match stream.write(&[0; ROOM]) {
            Ok(octets @ 1..) => taken += octets as u64,
            Ok(0) | Err(_) => break,
        }
    }
    Ok(taken)
}

fn connected(to: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    Ok(stream)
}

const ROOM: usize = 16 << 10;
