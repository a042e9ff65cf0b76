//! The calls on one connection: how it is watched, read and written, and how it is left.

use super::course::Parting;
use super::setup::Broken;
use lastack_graceful::close::ClosePolicy;
use lastack_graceful::close::tokio::close_orderly;
use lastack_graceful::ports::Lease;
use lastack_os::connection;
use rustix::io::Errno;
use rustix::net::sockopt;
use std::future::pending;
use std::io;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::sleep_until;

/// Has the kernel notice a peer that is gone: it is asked for a sign of life after half of this time of silence, and given
/// up when there was none for all of it.
///
/// `TCP_USER_TIMEOUT` is for when octets wait to be acknowledged, which keeps the questions from being asked
/// (`tcp_keepalive_timer`). It also ends a connection whose peer answers but takes nothing for so long
/// (`tcp_probe_timer`), which a command that does not read its input may: where there is input it is left out, and
/// [`is_gone`] is asked instead.
pub(super) fn watch(stream: &TcpStream, silence: Duration, has_input: bool) -> io::Result<()> {
    let whole = |part: Duration| part.max(Duration::from_secs(1));
    sockopt::set_tcp_nodelay(stream, true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, whole(silence / 2))?;
    sockopt::set_tcp_keepintvl(stream, whole(silence / 6))?;
    sockopt::set_tcp_keepcnt(stream, 3)?;
    if !has_input {
        sockopt::set_tcp_user_timeout(stream, u32::try_from(silence.as_millis()).unwrap_or(0))?;
    }
    Ok(())
}

/// Whether a peer for which octets wait has given no answer for so long, though it was asked twice and more.
pub(super) fn is_gone(stream: &TcpStream, silence: Duration) -> bool {
    connection::info(stream)
        .is_ok_and(|info| info.unanswered >= 2 && info.last_acknowledged >= silence)
}

/// Reads what is there, or waits for it; 0 octets at the end. Nothing is lost if it is dropped.
///
/// The server writes the last line of output and the mark apart, and Nagle's algorithm holds the second back until the
/// first is acknowledged (RFC 9293 §3.7.4): so it is, at once.
pub(super) async fn read(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        sockopt::set_tcp_quickack(stream, true)?;
        stream.readable().await?;
        match stream.try_read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
    }
}

/// Writes what there is room for. Nothing is lost if it is dropped.
pub(super) async fn write(stream: &TcpStream, octets: &[u8]) -> io::Result<usize> {
    loop {
        stream.writable().await?;
        match stream.try_write(octets) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
    }
}

/// Until this moment, or for ever.
pub(super) async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment.into()).await,
        None => pending().await,
    }
}

/// What this error says of the connection.
pub(super) fn broken(error: &io::Error, silence: Duration) -> Broken {
    match Errno::from_io_error(error) {
        Some(Errno::CONNRESET | Errno::PIPE) => Broken::Reset,
        Some(Errno::TIMEDOUT) => gone(silence),
        _ => Broken::Lost(error.to_string()),
    }
}

/// A peer that has given no sign of life for so long.
pub(super) fn gone(silence: Duration) -> Broken {
    Broken::Lost(format!("no sign of life for {} s", silence.as_secs_f64()))
}

/// Leaves the main connection, and gives its port back as it was left.
pub(super) async fn leave(stream: TcpStream, lease: Lease, parting: Parting, grace: Duration) {
    match parting {
        Parting::Orderly => {
            let policy = ClosePolicy::client().remote_first(grace).within(grace);
            // On an error the lease is dropped and its port kept for as long as it may take.
            if let Ok(report) = close_orderly(stream, &policy).await {
                lease.ended(&report);
            }
        }
        Parting::Reset | Parting::Gone => {
            reset(stream);
            lease.was_reset();
        }
    }
}

/// Leaves the connection for the standard error. It holds no port of this side but one that is listened on.
pub(super) fn leave_errors(stream: TcpStream, parting: Parting) {
    match parting {
        Parting::Orderly => drop(stream),
        Parting::Reset | Parting::Gone => reset(stream),
    }
}

/// Resets a connection, if it is still there.
pub(super) fn reset(stream: TcpStream) {
    // Every TCP socket takes it (`sock_set_linger`).
    let _ = connection::reset_on_close(&stream);
    drop(stream);
}
