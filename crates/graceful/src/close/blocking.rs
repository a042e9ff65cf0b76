//! The closing plan on a socket of the standard library, in the calling thread. The socket's own blocking mode and time
//! limits do not matter; its limit for reading is changed.

use super::half_close::HalfClose;
use super::policy::ClosePolicy;
use super::report::CloseReport;
use super::step::{Course, Discard, Step, advance, discard, reset};
use lastack_os::connection;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::Errno;
use rustix::net::RecvFlags;
use rustix::net::sockopt::{self, Timeout};
use std::cell::Cell;
use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Closing with a report.
pub trait CloseOrderly: Sized {
    /// Closes by this policy and tells how it went. Takes no longer than [`ClosePolicy::total`].
    ///
    /// What the program has not handed to the stream yet (a `BufWriter`'s contents) must be flushed before. What a layer
    /// above TCP keeps, and the end it puts to the message, is sent within the policy's bounds too. The stream's limit for
    /// reading is changed, also for its clones ([`TcpStream::try_clone`]).
    ///
    /// # Errors
    ///
    /// Only where the kernel refuses what every connection can do; the connection is closed all the same. That the peer
    /// resets or keeps silent is no error but an outcome.
    fn close_orderly(self, policy: &ClosePolicy) -> io::Result<CloseReport>;
}

impl<T: HalfClose<Below = TcpStream>> CloseOrderly for T {
    fn close_orderly(self, policy: &ClosePolicy) -> io::Result<CloseReport> {
        let (stream, words) = self.half_close();
        let mut course = Course::new(*policy, words);
        let socket = Watched::new(stream);
        loop {
            match advance(&socket, &mut course)? {
                Step::Readable(until) => socket.wait_to_read(until)?,
                Step::ReadableOrWritable(until) => {
                    socket.wait_for(PollFlags::IN | PollFlags::OUT, until)?;
                }
                Step::Writable(until) => socket.wait_for(PollFlags::OUT, until)?,
                Step::Pause(until) => {
                    std::thread::sleep(until.saturating_duration_since(Instant::now()));
                }
                Step::Again => {}
                Step::Over(report) => return Ok(report),
            }
        }
    }
}

/// A stream, and what the last wait found.
struct Watched {
    stream: TcpStream,
    found: Cell<Found>,
    was_awaited: Cell<bool>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Found {
    /// Nothing to read. So it is as a rule at first, and asking costs as much as reading.
    Nothing,
    /// There may be something.
    Something,
    /// It was read by the wait.
    Read(Result<u64, Errno>),
}

impl Watched {
    const fn new(stream: TcpStream) -> Self {
        Self { stream, found: Cell::new(Found::Nothing), was_awaited: Cell::new(false) }
    }

    /// The first wait, with which a well-behaved peer ends, is a read: that costs less than `poll()` and a read. It may take
    /// two ticks of the kernel's longer than it should (`sock_set_timeout`, `calc_wheel_index`), so any other is `poll()`, and
    /// this one ends before it must.
    fn wait_to_read(&self, until: Instant) -> io::Result<()> {
        let left = until.saturating_duration_since(Instant::now());
        if self.was_awaited.replace(true) || left < FIRST_WAIT + TICKS {
            return self.wait_for(PollFlags::IN, until);
        }
        sockopt::set_socket_timeout(&self.stream, Timeout::Recv, Some(FIRST_WAIT))?;
        let found = match discard(&self.stream, RecvFlags::empty()) {
            Ok(None) => Found::Nothing,
            Ok(Some(octets)) => Found::Read(Ok(octets)),
            Err(error) => Found::Read(Err(error)),
        };
        self.found.set(found);
        Ok(())
    }

    fn wait_for(&self, wanted: PollFlags, until: Instant) -> io::Result<()> {
        let ready = wait_for(&self.stream, wanted, until)?;
        if !ready.difference(PollFlags::OUT).is_empty() {
            self.found.set(Found::Something);
        }
        Ok(())
    }
}

impl AsFd for Watched {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Discard for Watched {
    fn discard(&self) -> Result<Option<u64>, Errno> {
        match self.found.get() {
            Found::Nothing => Ok(None),
            Found::Something => self.discard_now(),
            Found::Read(read) => {
                self.found.set(Found::Something);
                read.map(Some)
            }
        }
    }

    fn discard_now(&self) -> Result<Option<u64>, Errno> {
        let read = self.stream.discard_now();
        self.found.set(if read == Ok(None) { Found::Nothing } else { Found::Something });
        read
    }
}

/// Ends a connection by a reset, on purpose: what the peer has not read yet may be lost, and nobody keeps `TIME_WAIT`
/// (RFC 9293 §3.10.5).
///
/// ```
/// use lastack_graceful::close::abort;
/// use std::io::{ErrorKind, Read as _};
/// use std::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut client = TcpStream::connect(listener.local_addr()?)?;
/// let (server, _) = listener.accept()?;
///
/// abort(server)?;
/// assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Where the kernel refuses the option; the connection is then closed plainly.
pub fn abort(stream: TcpStream) -> io::Result<()> {
    reset(stream)
}

/// Waits until one of these is there, or until that moment.
pub(super) fn wait_for(
    stream: &TcpStream,
    wanted: PollFlags,
    until: Instant,
) -> io::Result<PollFlags> {
    loop {
        let mut sockets = [PollFd::new(stream, wanted)];
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut sockets, Some(&left)) {
            Ok(_) => {
                let found = sockets[0].revents();
                if found.contains(PollFlags::ERR) {
                    // Otherwise it would be said at once every time.
                    connection::clear_error_queue(stream)?;
                }
                return Ok(found);
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A peer nearby has closed by then.
const FIRST_WAIT: Duration = Duration::from_millis(25);
/// Two, where the kernel counts a hundred a second.
const TICKS: Duration = Duration::from_millis(20);
