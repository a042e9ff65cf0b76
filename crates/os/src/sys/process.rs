//! Signals that no safe wrapper sends.

use rustix::fd::{AsFd, AsRawFd};
use std::io;

/// `pidfd_send_signal` with signal 0: whether the process could be signalled, without doing it.
pub(crate) fn test_pidfd_signal(pidfd: &impl AsFd) -> io::Result<()> {
    // SAFETY: integers and a null `siginfo`, which the kernel then fills itself; the descriptor is borrowed open.
    #[expect(unsafe_code, reason = "the safe wrapper takes no signal 0")]
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_fd().as_raw_fd(),
            0_i32,
            std::ptr::null::<libc::siginfo_t>(),
            0_u32,
        )
    };
    super::checked(result)
}
