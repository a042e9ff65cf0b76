//! The options of a listener that no safe wrapper covers.

use super::{attach_program, checked, set_option};
use rustix::fd::{AsFd, AsRawFd};
use std::io;

/// `SO_ATTACH_REUSEPORT_CBPF`: the program names the member of the group that a new connection goes to.
pub(crate) fn attach_selector(
    socket: &impl AsFd,
    program: &mut [libc::sock_filter],
) -> io::Result<()> {
    attach_program(socket, libc::SO_ATTACH_REUSEPORT_CBPF, program)
}

/// `SO_DETACH_REUSEPORT_BPF`.
pub(crate) fn detach_selector(socket: &impl AsFd) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_DETACH_REUSEPORT_BPF, &0_i32.to_ne_bytes())
}

/// `SO_DETACH_FILTER`.
pub(crate) fn detach_filter(socket: &impl AsFd) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_DETACH_FILTER, &0_i32.to_ne_bytes())
}

/// `SO_GET_FILTER` without room for it: how many instructions the socket's filter has, 0 without one.
pub(crate) fn filter_length(socket: &impl AsFd) -> io::Result<u32> {
    let mut length: libc::socklen_t = 0;
    // SAFETY: a length of 0 lets the kernel write nothing but the length; the descriptor is borrowed open.
    #[expect(unsafe_code, reason = "this option has no safe wrapper")]
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_GET_FILTER,
            std::ptr::null_mut(),
            &raw mut length,
        )
    };
    checked(i64::from(result)).map(|()| length)
}
