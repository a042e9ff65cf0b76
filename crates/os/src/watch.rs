//! Waiting for the first of several things: an interrupt, the end of a process, news of a destroyed socket, the time.

use crate::interrupt::Interrupt;
use crate::process::{Ended, Handle};
use crate::sock_diag::{Destroyed, News};
use crate::{Error, Result};
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use std::time::Duration;

/// What is watched beside the clock.
#[derive(Debug, Default)]
pub struct Watch<'a> {
    /// Ends the wait.
    pub interrupt: Option<&'a Interrupt>,
    /// Processes whose end is worth knowing; those that ended are taken out.
    pub holders: Vec<Handle>,
    /// News of destroyed sockets.
    pub destroyed: Option<Destroyed>,
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Woken {
    /// The time is over.
    ByTime,
    /// A process ended, or a socket on the port was destroyed.
    ByNews,
    /// Somebody wants it to stop.
    ByInterrupt,
}

/// Whether destroyed sockets are heeded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ears {
    /// They are.
    Open,
    /// They are not: a busy port has news of them all the time.
    Shut,
}

impl Watch<'_> {
    /// Waits at most so long.
    pub fn wait(&mut self, at_most: Duration, ears: Ears) -> Result<Woken> {
        let timeout = Timespec {
            tv_sec: at_most.as_secs().cast_signed(),
            tv_nsec: i64::from(at_most.subsec_nanos()),
        };
        let watched = self.descriptors(ears);
        let mut watched: Vec<PollFd<'_>> =
            watched.map(|it| PollFd::from_borrowed_fd(it, PollFlags::IN)).collect();
        match poll(&mut watched, Some(&timeout)) {
            Ok(0) | Err(Errno::INTR) => return Ok(Woken::ByTime),
            Ok(_) => {}
            Err(cause) => return Err(Error::new("wait for", "news", cause)),
        }
        if let Some(interrupt) = self.interrupt.filter(|interrupt| interrupt.descriptor().is_some())
            && !watched[0].revents().is_empty()
        {
            interrupt.take_in();
            return Ok(Woken::ByInterrupt);
        }
        self.take_in()
    }

    /// One descriptor that is readable as soon as a wait would end, for whoever cannot block: then wait no time at all.
    pub fn together(&self, ears: Ears) -> Result<OwnedFd> {
        let failed = |cause: Errno| Error::new("watch", "several things at once", cause);
        let all = epoll::create(CreateFlags::CLOEXEC).map_err(failed)?;
        for descriptor in self.descriptors(ears) {
            let nameless = EventData::new_u64(0);
            epoll::add(&all, descriptor, nameless, EventFlags::IN).map_err(failed)?;
        }
        Ok(all)
    }

    fn descriptors(&self, ears: Ears) -> impl Iterator<Item = BorrowedFd<'_>> {
        let interrupt = self.interrupt.and_then(Interrupt::descriptor);
        interrupt
            .into_iter()
            .chain(self.destroyed.iter().filter(move |_| ears == Ears::Open).map(AsFd::as_fd))
            .chain(self.holders.iter().map(AsFd::as_fd))
    }

    /// Something came: takes it in, so that the next wait does not end of the same.
    fn take_in(&mut self) -> Result<Woken> {
        let before = self.holders.len();
        self.holders.retain(|holder| holder.ended() == Ended::No);
        let news = match &mut self.destroyed {
            Some(destroyed) => destroyed.take_in()?,
            None => News::None,
        };
        let any = self.holders.len() < before || news == News::Some;
        Ok(if any { Woken::ByNews } else { Woken::ByTime })
    }
}
