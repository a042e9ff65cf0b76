//! One answer of a server, closed in a certain way under a client that goes on sending: what of it arrives.
//!
//! The server reads a head, answers, and closes; whatever else the client sends is nothing that it waits for, as with
//! an upload that is refused early.

use crate::driver::Driver;
use crate::link::OtherHost;
use lastack_graceful::close::{self, ClosePolicy, CloseReport};
use lastack_os::connection;
use rustix::net::{RecvFlags, recv, sockopt};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

/// What the client does beside reading the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Client {
    /// It sends two octets too many with its head, and then only reads.
    Extra,
    /// It uploads in one thread and reads in another.
    Duplex,
    /// It uploads first, and reads after that or after a failure to send.
    SendThenRead,
}

/// How the server closes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Strategy {
    /// `close`.
    Naive,
    /// `shutdown` for writing, then `close`.
    HalfThenClose,
    /// `shutdown` of both sides, then `close`.
    ShutDownThenClose,
    /// `SO_LINGER` of 5 s, then `close`.
    Linger,
    /// `SO_LINGER` of 0 s, then `close`, which resets the connection.
    Abort,
    /// `shutdown` for writing, read what has arrived, then `close`.
    DrainQueued,
    /// `shutdown` for writing, wait until everything is acknowledged, then `close`.
    WaitForAcknowledgement,
    /// `close_orderly`, after `write_all_draining` where the client reads only after it has sent.
    Orderly(Driver),
}

/// One answer to one client.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    /// What the client does.
    pub client: Client,
    /// How the server closes.
    pub strategy: Strategy,
    /// Octets of the answer.
    pub answer: usize,
    /// Octets that the client uploads, if it does: whole blocks of 64 KiB.
    pub upload: usize,
    /// The client's receive buffer, where the kernel is not to choose. What a small one does not take waits in the server,
    /// as it does for clients that are far away.
    pub receive_buffer: Option<usize>,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// How much of the answer did not arrive.
    pub lost: usize,
    /// Whether a call of the client's that sends failed.
    pub send_error: bool,
    /// Whether the client met an error when reading; if not, it saw a proper end.
    pub read_error: bool,
    /// The report of [`Strategy::Orderly`].
    pub report: Option<CloseReport>,
}

impl Client {
    /// Every client.
    pub const ALL: [Self; 3] = [Self::Extra, Self::Duplex, Self::SendThenRead];

    /// How long the answer is.
    pub const fn answer(self) -> usize {
        match self {
            Self::Extra | Self::Duplex => 1 << 20,
            // What fits into the buffers, or a server that does not read while it writes would wait for ever.
            Self::SendThenRead => 16 << 10,
        }
    }
}

impl Strategy {
    /// Every strategy.
    pub const ALL: [Self; 9] = [
        Self::Naive,
        Self::HalfThenClose,
        Self::ShutDownThenClose,
        Self::Linger,
        Self::Abort,
        Self::DrainQueued,
        Self::WaitForAcknowledgement,
        Self::Orderly(Driver::Blocking),
        Self::Orderly(Driver::Tokio),
    ];

    /// Whether it loses nothing.
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::Orderly(_))
    }

    fn answer(self, mut stream: TcpStream, answer: &[u8], client: Client) -> Option<CloseReport> {
        match self {
            Self::Orderly(driver) if client == Client::SendThenRead => {
                let written = driver.write_all_draining(&stream, answer, PATIENCE, u64::MAX);
                let _ = written.expect("the answer is written");
            }
            // A client that is gone does not hinder the close.
            _ => drop(stream.write_all(answer)),
        }
        match self {
            Self::Naive => drop(stream),
            Self::HalfThenClose => drop(half_closed(stream)),
            // Refused where the connection is gone, as with the half of it.
            Self::ShutDownThenClose => drop(stream.shutdown(Shutdown::Both)),
            Self::Linger => {
                sockopt::set_socket_linger(&stream, Some(Duration::from_secs(5)))
                    .expect("SO_LINGER");
            }
            Self::Abort => close::abort(stream).expect("a reset"),
            Self::DrainQueued => drain_queued(&half_closed(stream)),
            Self::WaitForAcknowledgement => {
                let stream = half_closed(stream);
                while connection::unacknowledged(&stream).expect("SIOCOUTQ") > 0
                    && stream.take_error().expect("SO_ERROR").is_none()
                {
                    std::thread::yield_now();
                }
            }
            Self::Orderly(driver) => return Some(driver.close(stream, &POLICY)),
        }
        None
    }
}

impl Exchange {
    /// An answer as long as the client's kind allows, under an upload of 8 MiB.
    pub const fn of(client: Client, strategy: Strategy) -> Self {
        Self { client, strategy, answer: client.answer(), upload: 8 << 20, receive_buffer: None }
    }

    /// One connection to this listener by a client on this host.
    ///
    /// # Panics
    ///
    /// When a step fails that the close does not decide about.
    pub fn run(self, listener: &TcpListener) -> Trial {
        let to = listener.local_addr().expect("an address");
        self.serve(listener, std::thread::spawn(move || self.ask(to)))
    }

    /// One by a client on the other host.
    ///
    /// # Panics
    ///
    /// When a step fails that the close does not decide about.
    pub fn run_from(self, far: &OtherHost, listener: &TcpListener) -> Trial {
        let to = listener.local_addr().expect("an address");
        // A thread begins in the namespace of the one that starts it.
        self.serve(listener, far.run(move |_| std::thread::spawn(move || self.ask(to))))
    }

    fn serve(self, listener: &TcpListener, peer: JoinHandle<Got>) -> Trial {
        let (stream, _) = listener.accept().expect("a connection");
        (&stream).read_exact(&mut [0; HEAD]).expect("a head");
        let report = self.strategy.answer(stream, &vec![b'a'; self.answer], self.client);
        let Got { received, send_error, read_error } = peer.join().expect("the client ends");
        Trial { lost: self.answer - received, send_error, read_error, report }
    }

    fn ask(self, to: SocketAddr) -> Got {
        let stream = connect(to);
        if let Some(size) = self.receive_buffer {
            sockopt::set_socket_recv_buffer_size(&stream, size).expect("SO_RCVBUF");
        }
        let second = stream.try_clone().expect("a second handle");
        let send_error = match self.client {
            Client::Extra => (&stream).write_all(b"\r\n").is_err(),
            Client::Duplex => {
                let uploader = std::thread::spawn(move || self.upload(second));
                let (received, read_error) = read_all(stream);
                let send_error = uploader.join().expect("the upload ends");
                return Got { received, send_error, read_error };
            }
            Client::SendThenRead => self.upload(second),
        };
        let (received, read_error) = read_all(stream);
        Got { received, send_error, read_error }
    }

    /// Whether it failed.
    fn upload(self, mut stream: TcpStream) -> bool {
        let block = vec![b'u'; 64 << 10];
        let sent = (0..self.upload / block.len()).try_for_each(|_| stream.write_all(&block));
        sent.is_err()
    }
}

/// What the client had.
#[derive(Clone, Copy, Debug)]
struct Got {
    received: usize,
    send_error: bool,
    read_error: bool,
}

fn connect(to: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(to).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    stream.set_write_timeout(Some(PATIENCE)).expect("a time limit");
    stream.write_all(&[b'h'; HEAD]).expect("a head is sent");
    stream
}

/// How much there was to read, and whether it ended in an error.
fn read_all(mut stream: TcpStream) -> (usize, bool) {
    let mut room = vec![0; 64 << 10];
    let mut received = 0;
    loop {
        match stream.read(&mut room) {
            Ok(0) => return (received, false),
            Ok(length) => received += length,
            Err(_) => return (received, true),
        }
    }
}

fn half_closed(stream: TcpStream) -> TcpStream {
    // Refused only where the connection is gone, which is what the trial shows anyway.
    let _ = stream.shutdown(Shutdown::Write);
    stream
}

fn drain_queued(stream: &TcpStream) {
    let mut room = vec![0; 64 << 10];
    while matches!(recv(stream, &mut room[..], RecvFlags::DONTWAIT), Ok((_, 1..))) {}
}

/// How much the client sends first.
const HEAD: usize = 64;
/// Far longer than anything takes here.
const PATIENCE: Duration = Duration::from_secs(20);
const POLICY: ClosePolicy = ClosePolicy::server().within(PATIENCE).idle(PATIENCE);
