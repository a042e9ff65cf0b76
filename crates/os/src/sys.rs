//! The edge to the system calls that no safe wrapper covers: the only `unsafe` code, one function a call.
//!
//! Calls that change a thread's identity change the calling thread alone, which the C library's wrappers would not.

pub(crate) mod descriptor;
pub(crate) mod listener;
pub(crate) mod namespace;
pub(crate) mod process;
pub(crate) mod signal;
pub(crate) mod tun;
pub(crate) mod usage;

use rustix::fd::{AsFd, AsRawFd};
use rustix::io::Errno;
use std::io;

/// `NETLINK_GET_STRICT_CHK`: the kernel honours the filters of a dump request.
pub(crate) fn set_netlink_strict_check(socket: &impl AsFd) -> io::Result<()> {
    set_option(socket, libc::SOL_NETLINK, libc::NETLINK_GET_STRICT_CHK, &1_i32.to_ne_bytes())
}

/// `SO_BINDTOIFINDEX`.
pub(crate) fn bind_to_interface(socket: &impl AsFd, index: u32) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_BINDTOIFINDEX, &index.to_ne_bytes())
}

/// `SO_BINDTOIFINDEX`: the interface a socket is bound to, 0 when it is bound to none.
pub(crate) fn bound_interface(socket: &impl AsFd) -> io::Result<u32> {
    let mut index = [0; size_of::<u32>()];
    option(socket, libc::SOL_SOCKET, libc::SO_BINDTOIFINDEX, &mut index)?;
    Ok(u32::from_ne_bytes(index))
}

/// `TCP_INFO`, as much of it as there is room for.
pub(crate) fn tcp_info(socket: &impl AsFd, info: &mut [u8]) -> io::Result<()> {
    option(socket, libc::IPPROTO_TCP, libc::TCP_INFO, info)
}

/// `SO_PEERCRED`: pid, uid and gid of the other end. The pid is 0 where it lives in a PID namespace that is not seen from
/// here, which the safe wrapper has no value for.
pub(crate) fn peer_credentials(socket: &impl AsFd) -> io::Result<[u32; 3]> {
    let mut value = [0; 12];
    option(socket, libc::SOL_SOCKET, libc::SO_PEERCRED, &mut value)?;
    let mut numbers = [0; 3];
    for (number, bytes) in numbers.iter_mut().zip(value.as_chunks().0) {
        *number = u32::from_ne_bytes(*bytes);
    }
    Ok(numbers)
}

/// `SIOCOUTQ`.
pub(crate) fn unacknowledged(socket: &impl AsFd) -> io::Result<u32> {
    // SAFETY: this operation writes one integer, whatever it is asked of; the descriptor is borrowed open.
    #[expect(unsafe_code, reason = "this operation has no safe wrapper")]
    let count = unsafe {
        let count =
            rustix::ioctl::Getter::<{ libc::TIOCOUTQ as rustix::ioctl::Opcode }, i32>::new();
        rustix::ioctl::ioctl(socket, count)?
    };
    Ok(count.cast_unsigned())
}

/// Sets the calling thread's real, effective, saved and filesystem user.
pub(crate) fn set_thread_user(uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: plain system calls on integers; a null list of length 0 clears the groups.
    #[expect(unsafe_code, reason = "per-thread identity has no safe wrapper")]
    unsafe {
        checked(libc::syscall(libc::SYS_setgroups, 0_usize, std::ptr::null::<u32>()))?;
        checked(libc::syscall(libc::SYS_setresgid, gid, gid, gid))?;
        checked(libc::syscall(libc::SYS_setresuid, uid, uid, uid))
    }
}

/// Sets the calling thread's filesystem user, the one that new sockets carry. Capabilities of the filesystem kind
/// follow; those of the network kind stay.
pub(crate) fn set_thread_filesystem_user(uid: u32) -> io::Result<()> {
    // SAFETY: a plain system call on an integer.
    #[expect(unsafe_code, reason = "setfsuid has no safe wrapper")]
    let now = unsafe {
        libc::syscall(libc::SYS_setfsuid, uid);
        libc::syscall(libc::SYS_setfsuid, u32::MAX)
    };
    if now == i64::from(uid) { Ok(()) } else { Err(Errno::PERM.into()) }
}

/// Moves the calling thread, and no other, into a new network namespace.
pub(crate) fn unshare_network() -> io::Result<()> {
    // SAFETY: only the network namespace is unshared; the table of descriptors stays shared, which is the one thing
    // that makes this call unsafe.
    #[expect(unsafe_code, reason = "unshare is unsafe for the sake of other flags")]
    unsafe {
        rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET)?;
    }
    Ok(())
}

/// `TCP_DEFER_ACCEPT`: a handshake stays a request until data comes.
pub(crate) fn set_defer_accept(socket: &impl AsFd, seconds: i32) -> io::Result<()> {
    set_option(socket, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, &seconds.to_ne_bytes())
}

/// `SO_ATTACH_FILTER`: lets a socket receive only what a classic BPF program returns more than 0 for.
pub(crate) fn attach_filter(
    socket: &impl AsFd,
    program: &mut [libc::sock_filter],
) -> io::Result<()> {
    attach_program(socket, libc::SO_ATTACH_FILTER, program)
}

/// Sets an option that takes a classic BPF program.
fn attach_program(
    socket: &impl AsFd,
    option: i32,
    program: &mut [libc::sock_filter],
) -> io::Result<()> {
    let program =
        libc::sock_fprog { len: program.len() as libc::c_ushort, filter: program.as_mut_ptr() };
    // SAFETY: the kernel copies the program, which outlives the call; the descriptor is borrowed open.
    #[expect(unsafe_code, reason = "these options have no safe wrapper")]
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw const program).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    checked(i64::from(result))
}

/// Sets an option that is a whole number.
pub(crate) fn set_number(
    socket: &impl AsFd,
    (level, name): (i32, i32),
    value: i32,
) -> io::Result<()> {
    set_option(socket, level, name, &value.to_ne_bytes())
}

/// An option that is a whole number.
pub(crate) fn number(socket: &impl AsFd, (level, name): (i32, i32)) -> io::Result<i32> {
    let mut value = [0; size_of::<i32>()];
    option(socket, level, name, &mut value)?;
    Ok(i32::from_ne_bytes(value))
}

/// `SO_LINGER` for this many seconds.
pub(crate) fn set_linger(socket: &impl AsFd, on: bool, seconds: i32) -> io::Result<()> {
    let linger = [i32::from(on).to_ne_bytes(), seconds.to_ne_bytes()].concat();
    set_option(socket, libc::SOL_SOCKET, libc::SO_LINGER, &linger)
}

/// `NETLINK_ADD_MEMBERSHIP`.
pub(crate) fn join_netlink_group(socket: &impl AsFd, group: u32) -> io::Result<()> {
    set_option(socket, libc::SOL_NETLINK, libc::NETLINK_ADD_MEMBERSHIP, &group.to_ne_bytes())
}

fn option(socket: &impl AsFd, level: i32, name: i32, value: &mut [u8]) -> io::Result<()> {
    let mut length = value.len() as libc::socklen_t;
    // SAFETY: the pointers describe `value` and its length, which outlive the call; the descriptor is borrowed open.
    #[expect(unsafe_code, reason = "these options have no safe wrapper")]
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            value.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    checked(i64::from(result))
}

fn set_option(socket: &impl AsFd, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
    // SAFETY: the pointer and length describe `value`, which outlives the call; the descriptor is borrowed open.
    #[expect(unsafe_code, reason = "these options have no safe wrapper")]
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            value.as_ptr().cast(),
            value.len() as libc::socklen_t,
        )
    };
    checked(i64::from(result))
}

fn checked(result: i64) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
