//! What every driver does between two waits: as much of the plan as can be done at once, on any socket.

use super::plan::{Finish, Plan, Seen, Want};
use super::report::CloseReport;
use lastack_os::connection;
use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::net::{self, RecvFlags, Shutdown, sockopt};
use std::io;
use std::time::Instant;

/// What a driver does next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Wait until something can be read, or until this moment.
    Readable(Instant),
    /// Wait until this moment.
    Pause(Instant),
    /// Nothing: the peer keeps sending, and others may want a turn.
    Again,
    /// Drop the socket, which ends the connection as planned.
    Over(CloseReport),
}

/// Does what can be done without waiting.
pub(super) fn advance(socket: &impl AsFd, plan: &mut Plan) -> io::Result<Step> {
    for _ in 0..TURN {
        match plan.want() {
            Want::Shutdown => shut_down(socket, plan)?,
            Want::Read(until) => match discard(socket) {
                Ok(None) if Instant::now() < until => return Ok(Step::Readable(until)),
                read => take(read, socket, plan)?,
            },
            Want::Pause(until) if Instant::now() < until => return Ok(Step::Pause(until)),
            Want::Pause(_) => look_again(socket, plan)?,
            Want::Finish(finish) => {
                if finish == Finish::Reset {
                    connection::reset_on_close(socket)?;
                }
                let report = plan.report(Instant::now());
                let report = report.ok_or_else(|| io::Error::other("a close without an outcome"));
                return report.map(Step::Over);
            }
        }
    }
    Ok(Step::Again)
}

fn shut_down(socket: &impl AsFd, plan: &mut Plan) -> io::Result<()> {
    let before = seen(socket)?;
    match net::shutdown(socket, Shutdown::Write) {
        Ok(()) => plan.handle_shutdown(before.state, seen(socket)?),
        // The connection is gone already. Why is said once, to whoever asks first.
        Err(Errno::NOTCONN) => match sockopt::socket_error(socket)? {
            Err(error) => over(error, socket, plan)?,
            Ok(()) => plan.handle_gone(before),
        },
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn take(read: Result<Option<u64>, Errno>, socket: &impl AsFd, plan: &mut Plan) -> io::Result<()> {
    match read {
        Ok(Some(0)) => plan.handle_end(seen(socket)?),
        Ok(Some(octets)) => plan.handle_octets(octets, seen(socket)?),
        Ok(None) => plan.handle_timeout(seen(socket)?),
        Err(error) => over(error, socket, plan)?,
    }
    Ok(())
}

/// After both FINs a reset is no longer seen by reading, only as the socket's error.
fn look_again(socket: &impl AsFd, plan: &mut Plan) -> io::Result<()> {
    match sockopt::socket_error(socket)? {
        Err(error) => over(error, socket, plan)?,
        Ok(()) => plan.handle_timeout(seen(socket)?),
    }
    Ok(())
}

/// Tells the plan of an error that ends the connection: a reset (`tcp_reset`), or the kernel's giving up
/// (`tcp_write_err`). Any other is the caller's.
fn over(error: Errno, socket: &impl AsFd, plan: &mut Plan) -> io::Result<()> {
    match error {
        Errno::CONNRESET | Errno::PIPE | Errno::CONNREFUSED => plan.handle_reset(seen(socket)?),
        Errno::TIMEDOUT | Errno::HOSTUNREACH | Errno::NETUNREACH | Errno::CONNABORTED => {
            plan.handle_lost(seen(socket)?);
        }
        Errno::NOTCONN => plan.handle_gone(seen(socket)?),
        _ => return Err(error.into()),
    }
    Ok(())
}

fn seen(socket: &impl AsFd) -> io::Result<Seen> {
    let unacked = Some(connection::unacknowledged(socket)?);
    Ok(Seen { now: Instant::now(), state: Some(connection::info(socket)?.state), unacked })
}

/// Throws away what is there: how many octets, 0 at the end of the stream, `None` when there is nothing yet.
///
/// `MSG_TRUNC` lets the kernel drop them without a copy (`tcp_recvmsg_locked`).
pub(super) fn discard(socket: &impl AsFd) -> Result<Option<u64>, Errno> {
    let mut room = [0; ROOM];
    match net::recv(socket, &mut room[..], RecvFlags::DONTWAIT | RecvFlags::TRUNC) {
        Ok((_, length)) => Ok(Some(length as u64)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(error) => Err(error),
    }
}

/// How much is thrown away at once.
const ROOM: usize = 16 << 10;
/// How many calls one connection may make before the others have their turn.
const TURN: u32 = 64;
