//! Descriptors known by their number alone.

use rustix::fd::{BorrowedFd, FromRawFd, OwnedFd};
use rustix::io::{Errno, FdFlags, fcntl_getfd, fcntl_setfd};
use std::io;
use std::sync::{Mutex, PoisonError};

/// Looks at the descriptor of this number, if there is one.
pub(crate) fn look_at<T>(number: i32, look: impl FnOnce(BorrowedFd<'_>) -> T) -> io::Result<T> {
    if number < 0 {
        return Err(Errno::BADF.into());
    }
    // SAFETY: it is not -1. Whether it is open the kernel says at every call; should another thread close it meanwhile,
    // the calls fail or see its next file, and none of them reads or writes memory by it.
    #[expect(unsafe_code, reason = "what was passed to a process is known by its number")]
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl_getfd(descriptor)?;
    Ok(look(descriptor))
}

/// Takes over a descriptor that came through `exec`. One that is closed on `exec` cannot have: `EBUSY`, it has an owner
/// in this process.
pub(crate) fn take_over(number: i32) -> io::Result<OwnedFd> {
    // Two threads must not both see it unowned.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    look_at(number, |descriptor| {
        if fcntl_getfd(descriptor)?.contains(FdFlags::CLOEXEC) {
            return Err(Errno::BUSY);
        }
        fcntl_setfd(descriptor, FdFlags::CLOEXEC)
    })??;
    // SAFETY: it is open, and it came through `exec`, before which nothing of this program ran that could own it. The
    // mark just made keeps a second call from owning it again.
    #[expect(unsafe_code, reason = "what was passed to a process is known by its number")]
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
