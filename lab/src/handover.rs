//! One listener after another on the same address while clients come without a pause, by several ways of closing the old
//! one; and the clients, who count what fails.

use crate::program::NOBODY;
use crate::sockets;
use crate::states::wait_until;
use lastack_graceful::listener::{Successor, close_draining, stop_steering};
use lastack_model::bind::Options;
use lastack_model::facts::{Family, Transport};
use lastack_os::connection;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::{Gid, Uid, set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How the old listener is closed, with the new one of its group listening.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    /// `close`.
    Plain,
    /// `select` until nobody is there, then `close`.
    SelectThenClose,
    /// Accept until there is nothing, then `close`.
    AcceptThenClose,
    /// `close`; the caller has set `tcp_migrate_req`.
    Migrate,
    /// `close_draining`, steering the group.
    Steered,
    /// `close_draining`, the new one being a duplicate of the old.
    Shared,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Plain,
        Self::SelectThenClose,
        Self::AcceptThenClose,
        Self::Migrate,
        Self::Steered,
        Self::Shared,
    ];

    /// Its name in a table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "close",
            Self::SelectThenClose => "select until nobody, close",
            Self::AcceptThenClose => "accept until EAGAIN, close",
            Self::Migrate => "close, tcp_migrate_req=1",
            Self::Steered => "close_draining, steered",
            Self::Shared => "close_draining, shared socket",
        }
    }
}

/// A listener with a thread that accepts and answers.
#[derive(Debug)]
pub struct Server {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<TcpListener>,
}

/// Hands the address over this often, whenever as many more have been answered, then serves until `is_over`. How many
/// were answered.
///
/// # Panics
///
/// When our way of closing cannot be had or reports a loss, and as everything here when the kernel refuses.
pub fn serve(
    first: TcpListener,
    way: Way,
    hand_overs: u64,
    every: u64,
    is_over: impl FnOnce(),
) -> u64 {
    let answered = Arc::new(AtomicU64::new(0));
    let mut current = Server::start(first, &answered);
    for number in 1..=hand_overs {
        wait_until("enough were answered for another hand-over", || {
            answered.load(Relaxed) >= number * every
        });
        current = current.hand_over(way, &answered);
    }
    is_over();
    drop(current.stop());
    answered.load(Relaxed)
}

impl Server {
    /// Accepts and answers from now on, and counts.
    ///
    /// # Panics
    ///
    /// When the listener cannot be made non-blocking.
    pub fn start(listener: TcpListener, answered: &Arc<AtomicU64>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (asked, answered) = (stop.clone(), answered.clone());
        let thread = thread::spawn(move || {
            listener.set_nonblocking(true).expect("O_NONBLOCK");
            while !asked.load(Relaxed) {
                if is_ready(&listener, PAUSE)
                    && let Ok((stream, _)) = listener.accept()
                {
                    answer(stream, &answered);
                }
            }
            listener
        });
        Self { stop, thread }
    }

    /// Stops accepting.
    ///
    /// # Panics
    ///
    /// When the thread did.
    pub fn stop(self) -> TcpListener {
        self.stop.store(true, Relaxed);
        self.thread.join().expect("a server that answered")
    }

    fn hand_over(self, way: Way, answered: &Arc<AtomicU64>) -> Self {
        if way == Way::Shared {
            let old = self.stop();
            let new = old.try_clone().expect("a second descriptor");
            drain(old, Successor::SharedSocket, answered);
            return Self::start(new, answered);
        }
        let new = listening();
        let group = new.try_clone().expect("a second descriptor");
        let new = Self::start(new, answered);
        let old = self.stop();
        match way {
            Way::Plain | Way::Migrate => drop(old),
            Way::SelectThenClose => {
                while is_ready(&old, Timespec::default()) {
                    accept(&old, answered);
                }
            }
            Way::AcceptThenClose => while accept(&old, answered) {},
            Way::Steered | Way::Shared => {
                drain(old, Successor::SameGroup { index: 1 }, answered);
                stop_steering(&group).expect("the group's rule is dropped");
            }
        }
        new
    }
}

/// Closes it our way.
///
/// # Panics
///
/// When that reports a loss.
pub fn drain(old: TcpListener, successor: Successor, answered: &AtomicU64) {
    let deadline = Instant::now() + PATIENCE;
    let report = close_draining(old, successor, deadline, |stream| answer(stream, answered));
    let report = report.expect("a report");
    assert!(report.lost_nobody(), "{report:?}");
}

/// Whether there was somebody to accept.
fn accept(listener: &TcpListener, answered: &AtomicU64) -> bool {
    listener.accept().map(|(stream, _)| answer(stream, answered)).is_ok()
}

fn answer(mut stream: TcpStream, answered: &AtomicU64) {
    let mut question = [0; QUESTION.len()];
    stream.set_read_timeout(Some(PATIENCE)).expect("SO_RCVTIMEO");
    if stream.read_exact(&mut question).and_then(|()| stream.write_all(ANSWER)).is_ok() {
        answered.fetch_add(1, Relaxed);
    }
}

fn is_ready(listener: &TcpListener, limit: Timespec) -> bool {
    poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&limit)).is_ok_and(|ready| ready > 0)
}

/// Asks this many times, each on a connection of its own, in several threads; how long each answer took, and how many
/// did not come.
///
/// # Panics
///
/// When a thread does.
pub fn clients(requests: u64, threads: usize) -> (Vec<Duration>, u64) {
    let asked = AtomicU64::new(0);
    let results: Vec<(Vec<Duration>, u64)> = thread::scope(|scope| {
        let client = || {
            let (mut times, mut failed) = (Vec::new(), 0);
            while asked.fetch_add(1, Relaxed) < requests {
                let began = Instant::now();
                match ask() {
                    Ok(()) => times.push(began.elapsed()),
                    Err(_) => failed += 1,
                }
            }
            (times, failed)
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(client)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a client that ends")).collect()
    });
    let failed = results.iter().map(|(_, failed)| failed).sum();
    (results.into_iter().flat_map(|(times, _)| times).collect(), failed)
}

/// One request. The client resets in the end, so that no `TIME_WAIT` uses up its ports.
fn ask() -> io::Result<()> {
    let mut client = TcpStream::connect_timeout(&SERVER, PATIENCE)?;
    client.set_read_timeout(Some(PATIENCE))?;
    connection::reset_on_close(&client)?;
    client.write_all(QUESTION)?;
    let mut heard = Vec::new();
    client.read_to_end(&mut heard)?;
    if heard == ANSWER { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// A listener of the group.
///
/// # Panics
///
/// When the kernel refuses.
pub fn listening() -> TcpListener {
    let options = Options { reuse_port: true, ..Options::default() };
    let socket = sockets::open(Transport::Tcp, Family::V4);
    sockets::set_options(&socket, Family::V4, options);
    sockets::bind(&socket, SERVER).expect("a free address");
    sockets::listen(&socket, 4096).expect("a listener");
    socket.into()
}

/// From now on this thread, and those that it starts, are an ordinary user.
///
/// # Panics
///
/// When not root.
pub fn become_nobody() {
    set_thread_groups(&[]).expect("no groups: run as root");
    let (gid, uid) = (Gid::from_raw(NOBODY), Uid::from_raw(NOBODY));
    set_thread_res_gid(gid, gid, gid).expect("the group of nobody");
    set_thread_res_uid(uid, uid, uid).expect("nobody");
    let capabilities = rustix::thread::capabilities(None).expect("this thread's capabilities");
    assert!(capabilities.effective.is_empty(), "an ordinary user has none");
}

/// Where everybody serves.
pub const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
const QUESTION: &[u8] = b"question";
const ANSWER: &[u8] = b"answer";
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon a server that nobody asks notices that it is to stop.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
