//! A connection over which messages with descriptors pass.

use super::MOST_DESCRIPTORS;
use crate::{Error, Result, sys};
use lastack_model::ids::{Pid, Uid};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{
    self, AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
    sockopt,
};
use std::fmt;
use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::path::Path;
use std::time::{Duration, Instant};

/// A connection to another process on this host.
#[derive(Debug)]
pub struct Channel {
    socket: OwnedFd,
    peer: Peer,
}

/// Who is at the other end, as the kernel noted it when the connection, or the socket it was made to, came to be
/// (`SO_PEERCRED`). The program at the other end may have changed since, by `exec` or by passing the socket on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Peer {
    /// Its pid; 0 where it lives in a PID namespace that is not seen from here.
    pub pid: Pid,
    /// Its effective user.
    pub uid: Uid,
}

/// What arrived in one message.
#[derive(Debug)]
pub struct Message {
    /// The octets.
    pub octets: Vec<u8>,
    /// The descriptors, closed on `exec`.
    pub descriptors: Vec<OwnedFd>,
}

impl Channel {
    /// Connects to a [`Rendezvous`](super::Rendezvous), waiting at most until that moment for its turn.
    ///
    /// # Errors
    ///
    /// When nobody waits there (`ECONNREFUSED`, `ENOENT`), or this user may not write to the file (`EACCES`).
    pub fn connect(path: &Path, until: Instant) -> Result<Self> {
        let failed = |cause: Errno| Error::new("reach", path.display().to_string(), cause);
        let address = SocketAddrUnix::new(path).map_err(failed)?;
        let socket = open().map_err(failed)?;
        // A full queue makes connecting wait (`unix_stream_connect`), which poll does not tell the end of.
        let patience = until.saturating_duration_since(Instant::now()).max(SHORTEST);
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(patience))
            .map_err(failed)?;
        loop {
            match net::connect(&socket, &address) {
                Ok(()) => break,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Err(failed(Errno::TIMEDOUT)),
                Err(cause) => return Err(failed(cause)),
            }
        }
        Self::of(socket).map_err(|cause| Error::new("reach", path.display().to_string(), cause))
    }

    pub(super) fn of(socket: OwnedFd) -> std::io::Result<Self> {
        let [pid, uid, _] = sys::peer_credentials(&socket)?;
        Ok(Self { socket, peer: Peer { pid: Pid(pid), uid: Uid(uid) } })
    }

    /// Who is at the other end.
    pub const fn peer(&self) -> Peer {
        self.peer
    }

    /// Sends one message with these descriptors, which stay open here as well.
    ///
    /// # Errors
    ///
    /// `TimedOut` when the other end has not taken what was sent before; `ETOOMANYREFS` when this user has more
    /// descriptors on the way than it may have open.
    ///
    /// # Panics
    ///
    /// With more than [`MOST_DESCRIPTORS`].
    pub fn send(
        &self,
        octets: &[u8],
        descriptors: &[BorrowedFd<'_>],
        until: Instant,
    ) -> Result<()> {
        assert!(descriptors.len() <= MOST_DESCRIPTORS, "{} are too many", descriptors.len());
        let failed = |cause: Errno| Error::new("send to", self.peer.to_string(), cause);
        loop {
            let mut room = [MaybeUninit::uninit(); ROOM];
            let mut control = SendAncillaryBuffer::new(&mut room);
            if !descriptors.is_empty() {
                control.push(SendAncillaryMessage::ScmRights(descriptors));
            }
            let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
            match net::sendmsg(&self.socket, &[IoSlice::new(octets)], &mut control, flags) {
                Ok(_) => return Ok(()),
                Err(Errno::AGAIN) => self.wait(PollFlags::OUT, until).map_err(failed)?,
                Err(Errno::INTR) => {}
                Err(cause) => return Err(failed(cause)),
            }
        }
    }

    /// Receives one message of at most so many octets.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` when the other end is gone; `TimedOut`; `InvalidData` when the message is longer, or not all of
    /// its descriptors could be had. Those that came are closed then.
    pub fn receive(&self, at_most: usize, until: Instant) -> Result<Message> {
        let failed =
            |cause: std::io::Error| Error::new("receive from", self.peer.to_string(), cause);
        let mut octets = vec![0; at_most];
        let mut has_ended = false;
        loop {
            let mut room = [MaybeUninit::uninit(); ROOM];
            let mut control = RecvAncillaryBuffer::new(&mut room);
            let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
            let parts = &mut [IoSliceMut::new(&mut octets)];
            let received = match net::recvmsg(&self.socket, parts, &mut control, flags) {
                Ok(received) => received,
                Err(Errno::AGAIN) if !has_ended => {
                    self.wait(PollFlags::IN, until).map_err(|cause| failed(cause.into()))?;
                    continue;
                }
                Err(Errno::AGAIN) => return Err(failed(gone())),
                Err(Errno::INTR) => continue,
                Err(cause) => return Err(failed(cause.into())),
            };
            let descriptors = taken(&mut control);
            if received.flags.contains(ReturnFlags::CTRUNC) {
                let cause = "descriptors were cut off: too many, or more than may be open here";
                let error = failed(std::io::Error::new(ErrorKind::InvalidData, cause));
                return Err(error.with_remedy("raise RLIMIT_NOFILE"));
            }
            if received.flags.contains(ReturnFlags::TRUNC) {
                let cause = format!("the message is longer than {at_most} octets");
                return Err(failed(std::io::Error::new(ErrorKind::InvalidData, cause)));
            }
            // The kernel looks for a message first and for the end then: one that was sent in between, before the other
            // end closed, is still to be had (`__unix_dgram_recvmsg`).
            if received.bytes == 0 && !has_ended {
                has_ended = true;
                continue;
            }
            if received.bytes == 0 {
                return Err(failed(gone()));
            }
            octets.truncate(received.bytes);
            return Ok(Message { octets, descriptors });
        }
    }

    fn wait(&self, wanted: PollFlags, until: Instant) -> rustix::io::Result<()> {
        wait(&self.socket, wanted, until)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Pid(0) => write!(f, "a process of uid {} outside this PID namespace", self.uid),
            pid => write!(f, "pid {pid} of uid {}", self.uid),
        }
    }
}

fn gone() -> std::io::Error {
    std::io::Error::new(ErrorKind::UnexpectedEof, "it is gone")
}

/// Every descriptor that came, owned, so that none stays open by mistake.
fn taken(control: &mut RecvAncillaryBuffer<'_>) -> Vec<OwnedFd> {
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(passed) = message {
            descriptors.extend(passed);
        }
    }
    descriptors
}

pub(super) fn open() -> rustix::io::Result<OwnedFd> {
    net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
}

/// Waits until the socket is ready, or fails with `ETIMEDOUT`.
pub(super) fn wait(
    socket: &impl AsFd,
    wanted: PollFlags,
    until: Instant,
) -> rustix::io::Result<()> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(|_| Errno::INVAL)?;
        match poll(&mut [PollFd::new(socket, wanted)], Some(&left)) {
            Ok(0) if Instant::now() >= until => return Err(Errno::TIMEDOUT),
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(cause) => return Err(cause),
        }
    }
}

const ROOM: usize = rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS));
/// A limit of zero would mean none.
const SHORTEST: Duration = Duration::from_millis(1);
