//! Where new connections go: to another listener of the group, or nowhere.

use crate::sys;
use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::thread::{MembarrierCommand, membarrier};
use std::io;

/// From now on every new handshake with this listener's `SO_REUSEPORT` group goes to the member of this index
/// (`SO_ATTACH_REUSEPORT_CBPF` with the program "return `index`"; `reuseport_select_sock`).
///
/// Members count from 0 in the order of their `listen()`. When one closes, the last takes its index
/// (`__reuseport_detach_sock`). An index that no member has is ignored: the kernel spreads by hash as if there were no
/// program. The program belongs to the group and stays when this listener closes; a later call, through any member,
/// replaces it.
///
/// Handshakes that had begun stay where they are. A segment may be on its way through the old choice; [`settle`] waits
/// that out.
///
/// # Errors
///
/// `InvalidInput` (`EINVAL`) when the listener has no `SO_REUSEPORT`.
pub fn steer(listener: &impl AsFd, index: u32) -> io::Result<()> {
    sys::listener::attach_selector(listener, &mut [ret(index)])
}

/// The group spreads by hash again (`SO_DETACH_REUSEPORT_BPF`, Linux 5.3). No program is no error.
pub fn stop_steering(listener: &impl AsFd) -> io::Result<()> {
    unless_absent(sys::listener::detach_selector(listener))
}

/// From now on this listener begins no handshake: a SYN without ACK is dropped, so a client tries again after a second
/// (`SO_ATTACH_FILTER`; `tcp_filter`). Handshakes that had begun go on.
///
/// It replaces a filter that the socket has; [`has_filter`] tells. Accepted connections inherit it, see
/// [`detach_filter`].
///
/// # Errors
///
/// `PermissionDenied` without `CAP_NET_ADMIN`, which kernels of 2026 want for a filter on a TCP socket, and not before;
/// also when the program has locked its filter (`SO_LOCK_FILTER`).
pub fn refuse_handshakes(listener: &impl AsFd) -> io::Result<()> {
    let op = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut program = [
        op(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, 0, 0, TCP_FLAGS_AT),
        op(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 0, 0, SYN | ACK),
        op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, SYN),
        ret(0),
        // As many octets as a segment may have: a filter cuts what is longer.
        ret(u32::MAX),
    ];
    sys::attach_filter(listener, &mut program)
}

/// Takes the filter off a socket: a connection accepted after [`refuse_handshakes`] has inherited it (`sk_clone`), and
/// would answer no stray SYN with a challenge (RFC 9293 §3.10.7.4). No filter is no error.
pub fn detach_filter(socket: &impl AsFd) -> io::Result<()> {
    unless_absent(sys::listener::detach_filter(socket))
}

/// Whether the socket has a filter already (`SO_GET_FILTER`). One that cannot be read counts.
pub fn has_filter(socket: &impl AsFd) -> io::Result<bool> {
    match sys::listener::filter_length(socket) {
        Ok(length) => Ok(length > 0),
        // An extended BPF program has no classic form to show (`sk_get_filter`).
        Err(cause) if Errno::from_io_error(&cause) == Some(Errno::ACCESS) => Ok(true),
        Err(cause) => Err(cause),
    }
}

/// Waits until every segment that the kernel had in hand is dealt with, some milliseconds as a rule.
///
/// A processor may have chosen a listener by the old rule and not yet recorded the handshake, or taken a finished
/// handshake from the table and not yet queued the connection. Both happen within one read section of RCU, and
/// `MEMBARRIER_CMD_GLOBAL` returns after all that had begun (`synchronize_rcu`).
///
/// # Errors
///
/// Where the kernel has no such call (`ENOSYS`), or runs processors without a tick (`EINVAL`).
pub fn settle() -> io::Result<()> {
    Ok(membarrier(MembarrierCommand::Global)?)
}

/// A handshake becomes a connection to accept only when data comes, or after about this many seconds
/// (`TCP_DEFER_ACCEPT`); until then it stays half open.
pub fn defer_accept(listener: &impl AsFd, seconds: u16) -> io::Result<()> {
    sys::set_defer_accept(listener, seconds.into())
}

fn ret(value: u32) -> libc::sock_filter {
    libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: value }
}

fn unless_absent(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(cause) if Errno::from_io_error(&cause) == Some(Errno::NOENT) => Ok(()),
        other => other,
    }
}

/// Where a TCP header has its flags; a filter on a TCP socket sees the segment from its header on.
const TCP_FLAGS_AT: u32 = 13;
const SYN: u32 = 0x02;
const ACK: u32 = 0x10;
