//! The side that has listeners and offers them.

use super::frame::{Frame, LONGEST, MOST_NAMES};
use super::{Listeners, Named, Terms};
use crate::close::plan::after;
use lastack_os::passing::{Channel, Rendezvous};
use lastack_os::{Error, Result};
use rustix::fd::{AsFd, BorrowedFd};
use std::io::{Error as IoError, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Listeners on offer at a path. Dropped, the offer is withdrawn.
///
/// The process may go on accepting on them all the while. It is readable ([`AsFd`]) when somebody is there, so that an
/// event loop can watch it and then [`wait`](Self::wait) in a thread that may block.
#[derive(Debug)]
pub struct Offer {
    path: PathBuf,
    terms: Terms,
    /// Gone once somebody has taken them.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    rendezvous: Rendezvous,
    listeners: Vec<Named>,
}

/// Who has taken the listeners, and accepts on them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Taken {
    /// Its pid; 0 where it lives in a PID namespace that is not seen from here.
    pub pid: u32,
    /// Its effective user.
    pub uid: u32,
    /// How many listeners it has.
    pub listeners: usize,
}

impl Offer {
    pub(super) fn open(listeners: Listeners, path: &Path, terms: &Terms) -> Result<Self> {
        let failed = |cause: IoError| Error::new("offer at", path.display().to_string(), cause);
        let listeners = listeners.held;
        if listeners.is_empty() {
            return Err(failed(IoError::new(ErrorKind::InvalidInput, "there is no listener")));
        }
        for batch in listeners.chunks(MOST_NAMES) {
            frame(batch, listeners.len())
                .encode()
                .map_err(|malformed| failed(IoError::new(ErrorKind::InvalidInput, malformed)))?;
        }
        let open = Open { rendezvous: Rendezvous::open(path)?, listeners };
        Ok(Self { path: path.to_owned(), terms: terms.clone(), open: Some(open) })
    }

    /// Waits at most so long for a successor to come, hands it the listeners, and returns when it says that it is ready:
    /// now stop accepting, and close with
    /// [`Successor::SharedSocket`](crate::listener::Successor::SharedSocket). The descriptors of this offer are closed
    /// by then and the path is free.
    ///
    /// # Errors
    ///
    /// `TimedOut` when nobody came. Otherwise somebody did and it failed: whom the terms do not trust, who does not speak
    /// this protocol or is late, who ended before it was ready. Nothing has changed then, the offer stands, and waiting
    /// again is all there is to do.
    pub fn wait(&mut self, limit: Duration) -> Result<Taken> {
        let Some(open) = &self.open else {
            let cause = IoError::new(ErrorKind::NotFound, "the listeners were taken before");
            return Err(Error::new("offer at", self.path.display().to_string(), cause));
        };
        let channel = open.rendezvous.accept(after(Instant::now(), limit))?;
        let taken = open.serve(&channel, &self.terms)?;
        self.open = None;
        // It has them and accepts: that it does not hear of it changes nothing here.
        let _ = say(&channel, &Frame::Released, &self.terms);
        Ok(taken)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Open {
    fn serve(&self, channel: &Channel, terms: &Terms) -> Result<Taken> {
        let peer = terms.require_trust(channel)?;
        expect(channel, &Frame::Hello, terms.soon())?;
        let mut sent = 0;
        for batch in self.listeners.chunks(MOST_NAMES) {
            let octets = encoded(channel, &frame(batch, self.listeners.len()))?;
            let descriptors: Vec<BorrowedFd<'_>> =
                batch.iter().map(|named| named.listener.as_fd()).collect();
            channel.send(&octets, &descriptors, terms.soon())?;
            sent += batch.len();
            expect(channel, &Frame::Have(sent as u32), terms.soon())?;
        }
        expect(channel, &Frame::Ready, after(Instant::now(), terms.readiness))?;
        Ok(Taken { pid: peer.pid.0, uid: peer.uid.0, listeners: sent })
    }
}

impl AsFd for Offer {
    /// The socket at the path.
    ///
    /// # Panics
    ///
    /// Once the listeners were taken, when there is none any more.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.open.as_ref().expect("an offer that still stands").rendezvous.as_fd()
    }
}

fn frame(batch: &[Named], total: usize) -> Frame {
    let names = batch.iter().map(|named| named.name.clone()).collect();
    Frame::Listeners { total: total as u32, names }
}

/// Receives the next frame with its descriptors, and fails if it is none.
pub(super) fn hear(channel: &Channel, until: Instant) -> Result<(Frame, Vec<rustix::fd::OwnedFd>)> {
    let message = channel.receive(LONGEST, until)?;
    let frame = Frame::parse(&message.octets)
        .map_err(|malformed| refused(channel, IoError::new(ErrorKind::InvalidData, malformed)))?;
    Ok((frame, message.descriptors))
}

/// Receives a frame that must be this one and bring nothing.
pub(super) fn expect(channel: &Channel, wanted: &Frame, until: Instant) -> Result<()> {
    match hear(channel, until)? {
        (frame, descriptors) if frame == *wanted && descriptors.is_empty() => Ok(()),
        (frame, _) => {
            let cause = format!("it said {} when {wanted:?} was due", name(&frame));
            Err(refused(channel, IoError::new(ErrorKind::InvalidData, cause)))
        }
    }
}

pub(super) fn say(channel: &Channel, frame: &Frame, terms: &Terms) -> Result<()> {
    channel.send(&encoded(channel, frame)?, &[], terms.soon())
}

pub(super) fn refused(channel: &Channel, cause: IoError) -> Error {
    Error::new("hand over with", channel.peer().to_string(), cause)
}

fn encoded(channel: &Channel, frame: &Frame) -> Result<Vec<u8>> {
    frame
        .encode()
        .map_err(|malformed| refused(channel, IoError::new(ErrorKind::InvalidInput, malformed)))
}

const fn name(frame: &Frame) -> &'static str {
    match frame {
        Frame::Hello => "Hello",
        Frame::Listeners { .. } => "Listeners",
        Frame::Have(_) => "Have",
        Frame::Ready => "Ready",
        Frame::Released => "Released",
    }
}
