//! Writing to a peer that may not read before it has sent everything of its own.

use super::{LOOK_AGAIN, Room, room};
use crate::close::step::Discard as _;
use crate::close::writing::{does_not_read, sends_too_much};
use ::tokio::net::TcpStream;
use ::tokio::time::{sleep, timeout};
use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// Writes everything while throwing away what comes in, for a peer that reads only after it has sent all of its own: if
/// neither side reads, both wait for ever. Returns how many octets were thrown away.
///
/// Dropped before its end it has written a part, as `write_all` has.
///
/// ```
/// use lastack_graceful::close::tokio::write_all_draining;
/// use std::time::Duration;
/// use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
/// use tokio::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let mut client = TcpStream::connect(listener.local_addr()?).await?;
/// let (server, _) = listener.accept().await?;
///
/// // More than the buffers of both sides take: it reads only then.
/// let (upload, mut answer) = (vec![b'u'; 32 << 20], vec![0; 32 << 20]);
/// let client = tokio::spawn(async move {
///     client.write_all(&upload).await?;
///     client.read_exact(&mut answer).await.map(|_| answer)
/// });
/// write_all_draining(&server, &vec![b'a'; 32 << 20], Duration::from_secs(20), 64 << 20).await?;
/// assert!(client.await??.iter().all(|&octet| octet == b'a'));
/// # Ok(()) })
/// # }
/// ```
///
/// # Errors
///
/// `TimedOut` when not everything could be handed to the kernel within `limit`, `InvalidData` when the peer sent more
/// than `discard_limit` octets, and whatever the kernel says of a broken connection.
pub async fn write_all_draining(
    stream: &TcpStream,
    octets: &[u8],
    limit: Duration,
    discard_limit: u64,
) -> io::Result<u64> {
    let written = timeout(limit, write_and_discard(stream, octets, discard_limit)).await;
    written.unwrap_or_else(|_| Err(does_not_read()))
}

async fn write_and_discard(
    stream: &TcpStream,
    mut octets: &[u8],
    discard_limit: u64,
) -> io::Result<u64> {
    let mut discarded = 0;
    let mut may_read = true;
    while !octets.is_empty() {
        ready(stream, may_read).await?;
        if may_read {
            match stream.discard()? {
                Some(0) => may_read = false,
                read => discarded += read.unwrap_or(0),
            }
            if discarded > discard_limit {
                return Err(sends_too_much());
            }
        }
        match stream.try_write(octets) {
            Ok(written) => octets = &octets[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(discarded)
}

/// Waits until something can be written, or read where that is wanted. A task that never has to wait loses its turn here
/// now and then, as everywhere in the runtime.
async fn ready(stream: &TcpStream, may_read: bool) -> io::Result<()> {
    let mut pause = pin!(sleep(LOOK_AGAIN));
    poll_fn(|context| {
        let room = room(stream, context)?;
        if matches!(room, Room::Some) {
            return Poll::Ready(Ok(()));
        }
        if may_read && stream.poll_read_ready(context)?.is_ready() {
            return Poll::Ready(Ok(()));
        }
        match room {
            Room::NoneUntold => pause.as_mut().poll(context).map(Ok),
            Room::Some | Room::None => Poll::Pending,
        }
    })
    .await
}
