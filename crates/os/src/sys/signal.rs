//! Signals as something to wait for: blocked in the calling thread, and read from a descriptor.

use rustix::fd::{FromRawFd, OwnedFd};
use std::fmt;
use std::io;
use std::mem::MaybeUninit;

/// The signals that a thread had blocked.
#[derive(Clone, Copy)]
pub(crate) struct Mask(libc::sigset_t);

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mask")
    }
}

/// Blocks these signals in the calling thread and gives a descriptor that is readable once one of them has come, and
/// what was blocked before.
pub(crate) fn catch(signals: &[i32]) -> io::Result<(OwnedFd, Mask)> {
    let mut wanted = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` initialises the set it is given; the other calls read that set and fill `before`, which is
    // read only when the call that fills it succeeded. The descriptor is new and owned by nobody else.
    #[expect(unsafe_code, reason = "signal masks have no safe wrapper")]
    unsafe {
        libc::sigemptyset(wanted.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(wanted.as_mut_ptr(), *signal);
        }
        let error = libc::pthread_sigmask(libc::SIG_BLOCK, wanted.as_ptr(), before.as_mut_ptr());
        if error != 0 {
            return Err(io::Error::from_raw_os_error(error));
        }
        let before = Mask(before.assume_init());
        let descriptor =
            libc::signalfd(-1, wanted.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if descriptor < 0 {
            let cause = io::Error::last_os_error();
            restore(before);
            return Err(cause);
        }
        Ok((OwnedFd::from_raw_fd(descriptor), before))
    }
}

/// Blocks in the calling thread what was blocked before, and nothing else.
pub(crate) fn restore(before: Mask) {
    // SAFETY: the set was filled by the kernel; this call cannot fail with it.
    #[expect(unsafe_code, reason = "signal masks have no safe wrapper")]
    unsafe {
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before.0, std::ptr::null_mut());
    }
}

/// Whether the process ignores a signal, as shells make the programs do that they start in the background.
pub(crate) fn is_ignored(signal: i32) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: with no new action the call only fills `action`, which is read only when it succeeded.
    #[expect(unsafe_code, reason = "signal dispositions have no safe wrapper")]
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}
