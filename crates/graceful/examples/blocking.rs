//! A server with a thread for each connection that ends well: `cargo run --example blocking -- 127.0.0.1:9999`.
//!
//! It answers a line with the same line. `SIGTERM` or an interrupt ends it. Everybody who is connected by then is served,
//! also who still waits in the listener's queue; each connection is closed so that the answer arrives.

use lastack_graceful::close::{ClosePolicy, Reaper};
use lastack_graceful::listener::{Successor, close_draining};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9999".into());
    let (end, signals) = UnixStream::pair()?;
    for signal in [SIGTERM, SIGINT] {
        signal_hook::low_level::pipe::register(signal, signals.try_clone()?)?;
    }
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    println!("listening on {}", listener.local_addr()?);

    let reaper = Reaper::new(Reaper::GLOBAL_LIMIT)?;
    // Ends when every thread has.
    let report = thread::scope(|scope| {
        let serve = |stream| {
            scope.spawn(|| {
                if let Err(error) = answer(stream, &reaper) {
                    eprintln!("{error}");
                }
            });
        };
        while !is_over(&listener, &end)? {
            if let Ok((stream, _)) = listener.accept() {
                serve(stream);
            }
        }
        close_draining(listener, Successor::None, Instant::now() + PATIENCE, serve)
    })?;
    let left = reaper.wait(PATIENCE);
    println!("{} accepted from the queue ({})", report.accepted, report.method);
    println!("closed: {:?}, left: {left}", reaper.counts());
    Ok(())
}

/// Waits for a client or for a signal; whether it was a signal.
fn is_over(listener: &TcpListener, end: &UnixStream) -> io::Result<bool> {
    let mut watched = [PollFd::new(listener, PollFlags::IN), PollFd::new(end, PollFlags::IN)];
    match poll(&mut watched, None) {
        Ok(_) => Ok(!watched[1].revents().is_empty()),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn answer(stream: TcpStream, reaper: &Reaper) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    let read = BufReader::new(&stream).read_line(&mut line);
    let written = read.and_then(|_| (&stream).write_all(line.as_bytes()));
    // The thread need not wait until the peer is done.
    reaper.close(stream, &ClosePolicy::server());
    written
}

const PATIENCE: Duration = Duration::from_secs(5);
