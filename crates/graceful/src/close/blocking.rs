//! The closing plan on a socket of the standard library, in the calling thread. The socket's own blocking mode and time
//! limits do not matter and are left alone.

use super::plan::{Finish, Plan, Seen, Want};
use super::policy::ClosePolicy;
use super::report::CloseReport;
use lastack_os::connection;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendFlags, Shutdown};
use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Closing with a report.
pub trait CloseOrderly: Sized {
    /// Closes by this policy and tells how it went. Takes no longer than [`ClosePolicy::total`].
    ///
    /// What the program has not handed to the kernel yet (a `BufWriter`'s contents) must be flushed before.
    ///
    /// # Errors
    ///
    /// Only where the kernel refuses what every connection can do; the connection is closed all the same. That the peer
    /// resets or keeps silent is no error but an outcome.
    fn close_orderly(self, policy: &ClosePolicy) -> io::Result<CloseReport>;
}

impl CloseOrderly for TcpStream {
    fn close_orderly(self, policy: &ClosePolicy) -> io::Result<CloseReport> {
        let mut plan = Plan::new(*policy, Instant::now());
        loop {
            match plan.want() {
                Want::Shutdown => shut_down(&self, &mut plan)?,
                Want::Read(until) if is_readable(&self, until)? => read(&self, &mut plan)?,
                Want::Read(_) => plan.handle_timeout(seen(&self)?),
                Want::Pause(until) => {
                    std::thread::sleep(until.saturating_duration_since(Instant::now()));
                    look_again(&self, &mut plan)?;
                }
                Want::Finish(finish) => {
                    if finish == Finish::Reset {
                        connection::reset_on_close(&self)?;
                    }
                    let report = plan.report(Instant::now());
                    return report.ok_or_else(|| io::Error::other("a close without an outcome"));
                }
            }
        }
    }
}

/// Ends a connection by a reset, on purpose: what the peer has not read yet may be lost, and nobody keeps `TIME_WAIT`
/// (RFC 9293 §3.10.5).
///
/// # Errors
///
/// Where the kernel refuses the option; the connection is then closed plainly.
pub fn abort(stream: TcpStream) -> io::Result<()> {
    let set = connection::reset_on_close(&stream);
    drop(stream);
    set
}

/// Writes everything while throwing away what comes in, for a peer that reads only after it has sent all of its own: if
/// neither side reads, both wait for ever. Returns how many octets were thrown away.
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
    let until = Instant::now() + limit;
    let mut discarded = 0;
    let mut may_read = true;
    while !octets.is_empty() {
        let input = if may_read { PollFlags::IN } else { PollFlags::empty() };
        let ready = wait_for(stream, PollFlags::OUT | input, until)?;
        if ready.is_empty() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not read"));
        }
        if may_read && ready.intersects(PollFlags::IN) {
            match discard(stream)? {
                Some(0) => may_read = false,
                read => discarded += read.unwrap_or(0),
            }
            if discarded > discard_limit {
                let cause = "the peer sends more than is thrown away";
                return Err(io::Error::new(io::ErrorKind::InvalidData, cause));
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

fn shut_down(stream: &TcpStream, plan: &mut Plan) -> io::Result<()> {
    let before = seen(stream)?;
    match net::shutdown(stream, Shutdown::Write) {
        Ok(()) => plan.handle_shutdown(before.state, seen(stream)?),
        // The connection is gone already.
        Err(Errno::NOTCONN) => plan.handle_reset(before),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn read(stream: &TcpStream, plan: &mut Plan) -> io::Result<()> {
    match discard(stream) {
        Ok(Some(0)) => plan.handle_end(seen(stream)?),
        Ok(Some(octets)) => plan.handle_octets(octets, seen(stream)?),
        Ok(None) => plan.handle_timeout(seen(stream)?),
        Err(error) if is_end(&error) => plan.handle_reset(seen(stream)?),
        Err(error) => return Err(error),
    }
    Ok(())
}

/// After both FINs a reset is no longer seen by reading, only as the socket's error.
fn look_again(stream: &TcpStream, plan: &mut Plan) -> io::Result<()> {
    match stream.take_error()? {
        Some(_) => plan.handle_reset(seen(stream)?),
        None => plan.handle_timeout(seen(stream)?),
    }
    Ok(())
}

fn seen(stream: &TcpStream) -> io::Result<Seen> {
    let unacked = Some(connection::unacknowledged(stream)?);
    Ok(Seen { now: Instant::now(), state: Some(connection::info(stream)?.state), unacked })
}

fn is_readable(stream: &TcpStream, until: Instant) -> io::Result<bool> {
    Ok(!wait_for(stream, PollFlags::IN, until)?.is_empty())
}

/// Waits until one of these is there, or until that moment.
fn wait_for(stream: &TcpStream, wanted: PollFlags, until: Instant) -> io::Result<PollFlags> {
    loop {
        let mut sockets = [PollFd::new(stream, wanted)];
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut sockets, Some(&left)) {
            Ok(_) => return Ok(sockets[0].revents()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Throws away what is there: how many octets, 0 at the end of the stream, `None` when there is nothing yet.
///
/// `MSG_TRUNC` lets the kernel drop them without a copy (`tcp_recvmsg_locked`).
fn discard(stream: &TcpStream) -> io::Result<Option<u64>> {
    let mut room = [0; ROOM];
    match net::recv(stream, &mut room[..], RecvFlags::DONTWAIT | RecvFlags::TRUNC) {
        Ok((_, length)) => Ok(Some(length as u64)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether the error says that the connection is over: reset by the peer, or given up by the kernel.
fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind as E;
    matches!(
        error.kind(),
        E::ConnectionReset
            | E::ConnectionAborted
            | E::BrokenPipe
            | E::NotConnected
            | E::TimedOut
            | E::HostUnreachable
            | E::NetworkUnreachable
    )
}

/// How much is thrown away at once.
const ROOM: usize = 16 << 10;
