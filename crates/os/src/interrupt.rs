//! An interrupt from the keyboard as something to wait for beside everything else, so that a wait can end tidily.
//!
//! Make it before any other thread: a thread that does not block the signal dies of it, with all the others. Where the
//! process was started with the signal ignored, it stays so.

use crate::sys::signal::{self, Mask};
use crate::{Error, Result};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

/// Whether the process was started with a signal ignored, as `nohup` and shells do for what runs in the background. Then
/// it is to stay so.
pub fn is_ignored(signal: rustix::process::Signal) -> bool {
    signal::is_ignored(signal.as_raw())
}

/// While it lives, an interrupt (`SIGINT`) does not end the calling thread, nor those that it starts.
#[derive(Debug)]
pub struct Interrupt {
    caught: Option<(OwnedFd, Mask)>,
}

impl Interrupt {
    /// Takes the signal over.
    pub fn catch() -> Result<Self> {
        if signal::is_ignored(libc::SIGINT) {
            return Ok(Self { caught: None });
        }
        let caught = signal::catch(&[libc::SIGINT])
            .map_err(|cause| Error::new("wait for", "an interrupt", cause))?;
        Ok(Self { caught: Some(caught) })
    }

    /// A descriptor that is readable once it has come.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.caught.as_ref().map(|(descriptor, _)| descriptor.as_fd())
    }

    /// Takes it in, when it has come. One that was not taken in has its usual effect once this value is gone.
    pub(crate) fn take_in(&self) {
        let mut record = [0; size_of::<libc::signalfd_siginfo>()];
        if let Some((descriptor, _)) = &self.caught {
            let _ = rustix::io::read(descriptor, &mut record);
        }
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        if let Some((_, before)) = self.caught {
            signal::restore(before);
        }
    }
}
