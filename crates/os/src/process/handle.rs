//! A process held fast by a pidfd: while the handle lives, it means this process and never one that took its pid since.

use crate::{Error, Result};
use lastack_model::facts::Process;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::time::{Duration, Instant};

/// A process, held.
#[derive(Debug)]
pub struct Handle {
    pidfd: OwnedFd,
    name: String,
}

/// Whether a process has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    /// It has.
    Yes,
    /// It runs, or is stopped.
    No,
}

impl Handle {
    /// Holds this very process: the one with its pid that was started when it was. `None` when it is gone.
    pub fn of(process: &Process) -> Result<Option<Self>> {
        let Some(handle) = Self::by_pid(process.pid)? else { return Ok(None) };
        let started = super::stat(process.pid).map(|stat| stat.start_ticks);
        let is_same = started == Some(process.start_ticks) && handle.ended() == Ended::No;
        Ok(is_same
            .then(|| Self { name: format!("{} (pid {})", process.name, process.pid), ..handle }))
    }

    /// Holds whatever process has this pid now. `None` when there is none.
    pub fn by_pid(pid: lastack_model::ids::Pid) -> Result<Option<Self>> {
        let number = i32::try_from(pid.0).ok().and_then(rustix::process::Pid::from_raw);
        let Some(number) = number else { return Ok(None) };
        match pidfd_open(number, PidfdFlags::empty()) {
            Ok(pidfd) => Ok(Some(Self { pidfd, name: format!("pid {pid}") })),
            Err(Errno::SRCH | Errno::INVAL) => Ok(None),
            Err(cause) => Err(Error::new("hold", format!("pid {pid}"), cause)),
        }
    }

    /// Whether it could be signalled now, without doing it: `Ended::Yes` when it has ended, an error when its user is
    /// another one (`kill_ok_by_cred`).
    pub fn test_signal(&self) -> Result<Ended> {
        match crate::sys::process::test_pidfd_signal(&self.pidfd) {
            Ok(()) => Ok(Ended::No),
            Err(cause) => self.not_signalled(&cause),
        }
    }

    /// Sends it a signal. A process that has ended since is no error: what the signal is for has happened.
    pub fn signal(&self, signal: Signal) -> Result<Ended> {
        match pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) => Ok(Ended::No),
            Err(cause) => self.not_signalled(&cause.into()),
        }
    }

    fn not_signalled(&self, cause: &std::io::Error) -> Result<Ended> {
        match cause.raw_os_error() {
            Some(libc::ESRCH) => Ok(Ended::Yes),
            Some(number) => {
                let cause = std::io::Error::from_raw_os_error(number);
                Err(Error::new("signal", &self.name, cause)
                    .with_remedy("needs its user's rights or CAP_KILL: run as its user or as root"))
            }
            None => Ok(Ended::No),
        }
    }

    /// Whether it has ended, now.
    pub fn ended(&self) -> Ended {
        self.wait(Duration::ZERO)
    }

    /// Waits for its end, at most so long. A pidfd becomes readable when its process ends (`pidfd_poll`).
    pub fn wait(&self, at_most: Duration) -> Ended {
        let deadline = Instant::now() + at_most;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec {
                tv_sec: left.as_secs().cast_signed(),
                tv_nsec: i64::from(left.subsec_nanos()),
            };
            match poll(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], Some(&timeout)) {
                Ok(0) => return Ended::No,
                Ok(_) => return Ended::Yes,
                Err(_) if left.is_zero() => return Ended::No,
                Err(_) => {}
            }
        }
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::describe;
    use lastack_model::ids::Pid;
    use std::process::{Child, Command};

    fn sleeper() -> (Child, Process) {
        let child = Command::new("sleep").arg("60").spawn().expect("sleep runs");
        let process = describe(Pid(child.id())).expect("its description");
        (child, process)
    }

    #[test]
    fn the_end_of_a_process_is_waited_for_and_seen() {
        let (mut child, process) = sleeper();
        let handle = Handle::of(&process).expect("held").expect("alive");
        assert_eq!(handle.wait(Duration::from_millis(1)), Ended::No);
        assert_eq!(handle.signal(Signal::TERM).expect("signalled"), Ended::No);
        assert_eq!(handle.wait(Duration::from_secs(10)), Ended::Yes);
        child.wait().expect("reaped");
        assert_eq!(handle.signal(Signal::TERM).expect("no error"), Ended::Yes);
        assert!(Handle::of(&process).expect("asked").is_none());
    }

    #[test]
    fn a_process_that_took_the_pid_since_is_not_the_one_that_was_meant() {
        let (mut child, process) = sleeper();
        let earlier = Process { start_ticks: process.start_ticks - 1, ..process };
        assert!(Handle::of(&earlier).expect("asked").is_none());
        child.kill().expect("killed");
        child.wait().expect("reaped");
    }

    #[test]
    fn pids_that_cannot_be_are_nobody() {
        for pid in [0, u32::MAX, i32::MAX.unsigned_abs()] {
            assert!(Handle::by_pid(Pid(pid)).expect("asked").is_none(), "{pid}");
        }
    }
}
