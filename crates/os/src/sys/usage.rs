//! What an ended child used.

use std::io;

/// `wait4`: reaps the child and says what it and the children it waited for used.
pub(crate) fn wait4(pid: libc::pid_t) -> io::Result<(i32, libc::rusage)> {
    loop {
        let mut status = 0;
        // SAFETY: `rusage` is plain numbers, so all zeroes is one; both pointers are to live locals of the right type.
        #[expect(unsafe_code, reason = "wait4 has no safe wrapper")]
        let (reaped, usage) = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            (libc::wait4(pid, &raw mut status, 0, &raw mut usage), usage)
        };
        if reaped == pid {
            return Ok((status, usage));
        }
        let cause = io::Error::last_os_error();
        if cause.kind() != io::ErrorKind::Interrupted {
            return Err(cause);
        }
    }
}
