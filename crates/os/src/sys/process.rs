//! Signals that no safe wrapper sends.

use rustix::fd::{AsFd, AsRawFd};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

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

/// `PR_SET_PDEATHSIG`: lets the command be sent this signal when the thread that starts it is gone. One that starts after
/// that ends at once.
pub(crate) fn die_with_parent(command: &mut Command, signal: i32) {
    let parent = std::process::id();
    let in_the_child = move || {
        // SAFETY: plain system calls on integers, which a child may make between fork and exec.
        #[expect(unsafe_code, reason = "prctl has no safe wrapper that may be called here")]
        let (result, now) = unsafe {
            (libc::prctl(libc::PR_SET_PDEATHSIG, signal.cast_unsigned(), 0, 0, 0), libc::getppid())
        };
        super::checked(i64::from(result))?;
        if now.cast_unsigned() == parent { Ok(()) } else { Err(rustix::io::Errno::SRCH.into()) }
    };
    // SAFETY: the closure makes system calls alone: it takes no lock and no memory.
    #[expect(unsafe_code, reason = "what runs between fork and exec cannot be checked")]
    unsafe {
        command.pre_exec(in_the_child);
    }
}
