//! The program at one end: the calls of a story on real sockets, none of which blocks, and what it is told.
//!
//! Nothing is read to find out what a program would be told, but for the pending error, which the kernel gives once.

use super::host::{Host, address};
use crate::act::destroy::Destroyer;
use crate::{Error, Result, sys};
use lastack_model::ladder::Call;
use lastack_model::tcp::tcb::Report;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType};
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::{PoisonError, RwLock};

/// A program's sockets.
#[derive(Debug, Default)]
pub(super) struct Program {
    listener: Option<OwnedFd>,
    connection: Option<OwnedFd>,
    /// What it has been told of its connection.
    told: Told,
    /// That a connection is in the listener's queue was told.
    queue_told: bool,
}

/// How far a program's knowledge goes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Told {
    /// There is no connection, or nothing more will come.
    #[default]
    Nothing,
    /// It waits to be connected.
    Connecting,
    /// It is connected and reads.
    Open,
}

impl Program {
    /// Makes a call on a host. What it returns shows in what the program is told.
    pub(super) fn call(&mut self, call: Call, host: &Host) -> Result<()> {
        match call {
            Call::Connect => return self.connect(host),
            Call::Listen => return self.listen(host),
            Call::Destroy => {
                let socket = host.connection(&host.sockets()?);
                let socket = socket.ok_or_else(|| failed("destroy", Errno::NOTCONN))?;
                return Destroyer::open()?.destroy(&socket).map(drop);
            }
            Call::CloseListener => {
                close(self.listener.take());
                return Ok(());
            }
            Call::Close if self.connection.is_none() && !self.queue_told => {
                close(self.listener.take());
                return Ok(());
            }
            _ => self.accept()?,
        }
        let socket = self.connection.as_ref().ok_or_else(|| failed("use", Errno::NOTCONN))?;
        match call {
            Call::Write(octets) => write(socket, octets as usize)?,
            Call::Read => read(socket)?,
            Call::Shutdown => shut(socket, Shutdown::Write)?,
            Call::ShutdownBoth => {
                shut(socket, Shutdown::Both)?;
                // The end of the file is the program's own doing from now on.
                self.told = Told::Nothing;
            }
            Call::Disconnect => {
                net::connect_unspec(socket).map_err(|cause| failed("disconnect", cause))?;
            }
            Call::KeepAlive => set(socket, &KEEPALIVE)?,
            Call::UserTimeout => set(socket, &USER_TIMEOUT)?,
            Call::NoFinWait2 => set(socket, &NO_FIN_WAIT_2)?,
            Call::Abort => {
                sys::set_linger(socket, true, 0)
                    .map_err(|cause| Error::new("set", "SO_LINGER", cause))?;
                self.leave();
            }
            Call::Close => self.leave(),
            Call::Die => self.in_a_process(Ending::Killed)?,
            Call::Exit => self.in_a_process(Ending::Exits)?,
            Call::Accept | Call::Connect | Call::Listen | Call::Destroy | Call::CloseListener => {}
        }
        Ok(())
    }

    /// What the program would be told now and has not been.
    pub(super) fn news(&mut self) -> Result<Option<Report>> {
        let is_free = self.connection.is_none() || self.told == Told::Nothing;
        if !self.queue_told && is_free && self.is_queued()? {
            self.queue_told = true;
            return Ok(Some(Report::Connected));
        }
        let Some(socket) = &self.connection else { return Ok(None) };
        let error = net::sockopt::socket_error(socket).and_then(std::convert::identity);
        if let Err(error) = error {
            self.told = Told::Nothing;
            return report(error).map(Some);
        }
        let ready = ready(socket, PollFlags::OUT | PollFlags::RDHUP)?;
        match self.told {
            Told::Connecting if ready.contains(PollFlags::OUT) && is_connected(socket) => {
                self.told = Told::Open;
                Ok(Some(Report::Connected))
            }
            Told::Open if ready.contains(PollFlags::RDHUP) => {
                self.told = Told::Nothing;
                Ok(Some(Report::EndOfFile))
            }
            Told::Nothing | Told::Connecting | Told::Open => Ok(None),
        }
    }

    /// Takes the connection out of the listener's queue, if it is there still.
    pub(super) fn accept(&mut self) -> Result<()> {
        if self.connection.is_some() && !self.queue_told {
            return Ok(());
        }
        let Some(listener) = &self.listener else { return Ok(()) };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let accepted =
            net::accept_with(listener, flags).map_err(|cause| failed("accept", cause))?;
        self.connection = Some(accepted);
        self.told = Told::Open;
        self.queue_told = false;
        Ok(())
    }

    /// Nobody listens any more, whatever was accepted.
    pub(super) fn forget_listener(&mut self) {
        close(self.listener.take());
    }

    fn connect(&mut self, host: &Host) -> Result<()> {
        let socket = bound(host)?;
        match net::connect(&socket, &address(host.side.other())) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(cause) => return Err(failed("connect", cause)),
        }
        self.connection = Some(socket);
        self.told = Told::Connecting;
        Ok(())
    }

    fn listen(&mut self, host: &Host) -> Result<()> {
        let socket = bound(host)?;
        net::listen(&socket, 8).map_err(|cause| failed("listen on", cause))?;
        self.listener = Some(socket);
        Ok(())
    }

    fn is_queued(&self) -> Result<bool> {
        let Some(listener) = &self.listener else { return Ok(false) };
        Ok(ready(listener, PollFlags::IN)?.contains(PollFlags::IN))
    }

    fn leave(&mut self) {
        self.told = Told::Nothing;
        close(self.connection.take());
    }

    /// Gives the connection to a process that does nothing but hold it, and lets that one end.
    fn in_a_process(&mut self, ending: Ending) -> Result<()> {
        let Some(socket) = self.connection.take() else { return Ok(()) };
        self.told = Told::Nothing;
        let of_process = |cause| Error::new("run", "sh, which holds a connection", cause);
        let alone = SPAWNING.write().unwrap_or_else(PoisonError::into_inner);
        let mut process = Command::new("sh")
            .args(["-c", "echo >&2; read line"])
            .stdin(Stdio::piped())
            .stdout(socket)
            .stderr(Stdio::piped())
            .spawn()
            .map_err(of_process)?;
        // Descriptors are closed at `exec` only after the parent goes on (`begin_new_exec`): a word from the process
        // shows that it has none but its own.
        let mut word = [0];
        if let Some(mut said) = process.stderr.take() {
            said.read_exact(&mut word).map_err(of_process)?;
        }
        drop(alone);
        match ending {
            Ending::Killed => process.kill().map_err(of_process)?,
            // It reads the end of its input, and ends without having closed anything.
            Ending::Exits => drop(process.stdin.take()),
        }
        process.wait().map_err(of_process).map(drop)
    }
}

/// How a process ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ending {
    Killed,
    Exits,
}

/// A socket with the end's own address, as often as one asks.
fn bound(host: &Host) -> Result<OwnedFd> {
    host.enter()?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)
        .map_err(|cause| failed("make", cause))?;
    set(&socket, &[(libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)])?;
    net::bind(&socket, &address(host.side)).map_err(|cause| failed("bind", cause))?;
    Ok(socket)
}

/// Closes while no process is being started: one that is, holds a copy of every descriptor for a moment.
fn close(socket: Option<OwnedFd>) {
    let _no_child = SPAWNING.read().unwrap_or_else(PoisonError::into_inner);
    drop(socket);
}

fn set(socket: &OwnedFd, options: &[(i32, i32, i32)]) -> Result<()> {
    options.iter().try_for_each(|(level, name, value)| {
        sys::set_number(socket, (*level, *name), *value)
            .map_err(|cause| Error::new("set", "an option of a story's socket", cause))
    })
}

fn shut(socket: &OwnedFd, how: Shutdown) -> Result<()> {
    net::shutdown(socket, how).map_err(|cause| failed("shut down", cause))
}

/// The peer may be gone by then: what comes of that is told.
fn write(socket: &OwnedFd, octets: usize) -> Result<()> {
    match net::send(socket, &vec![b'x'; octets], SendFlags::NOSIGNAL) {
        Ok(_) | Err(Errno::PIPE | Errno::CONNRESET) => Ok(()),
        Err(cause) => Err(failed("write to", cause)),
    }
}

fn read(socket: &OwnedFd) -> Result<()> {
    let mut buffer = vec![0; 0x1_0000];
    loop {
        match net::recv(socket, buffer.as_mut_slice(), RecvFlags::empty()) {
            Ok((0, _)) | Err(Errno::AGAIN) => return Ok(()),
            Ok(_) => {}
            Err(cause) => return Err(failed("read from", cause)),
        }
    }
}

fn is_connected(socket: &OwnedFd) -> bool {
    net::getpeername(socket).is_ok()
}

fn ready(socket: &OwnedFd, wanted: PollFlags) -> Result<PollFlags> {
    let mut asked = [PollFd::new(socket, wanted)];
    poll(&mut asked, Some(&Timespec::default())).map_err(|cause| failed("poll", cause))?;
    Ok(asked[0].revents())
}

fn report(error: Errno) -> Result<Report> {
    Ok(match error {
        Errno::CONNREFUSED => Report::Refused,
        Errno::CONNRESET => Report::Reset,
        Errno::PIPE => Report::BrokenPipe,
        Errno::TIMEDOUT => Report::TimedOut,
        Errno::CONNABORTED => Report::Aborted,
        other => return Err(failed("understand the error of", other)),
    })
}

fn failed(operation: &'static str, cause: Errno) -> Error {
    Error::new(operation, "a story's socket", cause)
}

/// A second of silence, then a question a second, two at most.
const KEEPALIVE: [(i32, i32, i32); 4] = [
    (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, 1),
    (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, 1),
    (libc::IPPROTO_TCP, libc::TCP_KEEPCNT, 2),
    (libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1),
];
const USER_TIMEOUT: [(i32, i32, i32); 1] = [(libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, 500)];
const NO_FIN_WAIT_2: [(i32, i32, i32); 1] = [(libc::IPPROTO_TCP, libc::TCP_LINGER2, -1)];

/// Held for writing while a process is started.
static SPAWNING: RwLock<()> = RwLock::new(());
