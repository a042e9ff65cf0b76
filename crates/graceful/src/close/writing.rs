//! Writing to a peer that may not read before it has sent everything of its own.

use super::blocking::wait_for;
use super::plan::after;
use super::step::Discard as _;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{self, SendFlags};
use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Writes everything while throwing away what comes in, for a peer that reads only after it has sent all of its own: if
/// neither side reads, both wait for ever. Returns how many octets were thrown away.
///
/// ```
/// use lastack_graceful::close::write_all_draining;
/// use std::io::{Read as _, Write as _};
/// use std::net::{TcpListener, TcpStream};
/// use std::time::Duration;
///
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut client = TcpStream::connect(listener.local_addr()?)?;
/// let (server, _) = listener.accept()?;
///
/// // More than the buffers of both sides take: it reads only then.
/// let (upload, mut answer) = (vec![b'u'; 32 << 20], vec![0; 32 << 20]);
/// let client = std::thread::spawn(move || {
///     client.write_all(&upload)?;
///     client.read_exact(&mut answer).map(|()| answer)
/// });
/// write_all_draining(&server, &vec![b'a'; 32 << 20], Duration::from_secs(20), 64 << 20)?;
/// assert!(client.join().expect("the client ends")?.iter().all(|&octet| octet == b'a'));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// `TimedOut` when not everything could be handed to the kernel within `limit`, `InvalidData` when the peer sent more
/// than `discard_limit` octets, and whatever the kernel says of a broken connection.
pub fn write_all_draining(
    stream: &TcpStream,
    mut octets: &[u8],
    limit: Duration,
    discard_limit: u64,
) -> io::Result<u64> {
    let until = after(Instant::now(), limit);
    let mut discarded = 0;
    let mut may_read = true;
    while !octets.is_empty() {
        let input = if may_read { PollFlags::IN } else { PollFlags::empty() };
        let ready = wait_for(stream, PollFlags::OUT | input, until)?;
        // One that keeps sending keeps the socket ready, so readiness alone proves nothing.
        if ready.is_empty() || Instant::now() >= until {
            return Err(does_not_read());
        }
        if may_read && ready.intersects(PollFlags::IN) {
            match stream.discard()? {
                Some(0) => may_read = false,
                read => discarded += read.unwrap_or(0),
            }
            if discarded > discard_limit {
                return Err(sends_too_much());
            }
        }
        match net::send(stream, octets, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(sent) => octets = &octets[sent..],
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(discarded)
}

/// Time is up.
pub(super) fn does_not_read() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the peer does not read")
}

/// It sends beyond what is thrown away.
pub(super) fn sends_too_much() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the peer sends more than is thrown away")
}
