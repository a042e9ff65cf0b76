//! Where new connections go: to another listener of the group, or nowhere.

use crate::sys;
use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::net::getsockname;
use rustix::thread::{MembarrierCommand, membarrier};
use std::io;
use std::net::SocketAddr;

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

/// From now on this listener begins no handshake with anybody whose segments arrive with a TTL (hop limit) below 255: a
/// SYN is dropped as silently as by [`refuse_handshakes`], and that needs no privilege (`IP_MINTTL`, `IPV6_MINHOPCOUNT`;
/// `tcp_v4_rcv`, `tcp_v6_rcv`).
///
/// Handshakes that had begun go on: the kernel does not compare TTLs for their segments (`TCP_NEW_SYN_RECV`). Only those by
/// SYN cookies do not, of which there is no record: their last segment meets the listener. Systems
/// begin at 64 or 128; one that begins at 255 (RFC 5082 §3) and is in the same network comes through. Accepted
/// connections inherit the floor (`sk_clone`) and hear nothing before [`lower_ttl_floor`].
///
/// # Errors
///
/// Where the kernel does not know the option.
pub fn raise_ttl_floor(listener: &impl AsFd) -> io::Result<()> {
    set_ttl_floor(listener, i32::from(u8::MAX))
}

/// Lets a socket hear everybody again, a connection that was accepted after [`raise_ttl_floor`].
pub fn lower_ttl_floor(socket: &impl AsFd) -> io::Result<()> {
    set_ttl_floor(socket, 0)
}

/// Whether the socket has a floor already, one of the program's own (RFC 5082).
pub fn has_ttl_floor(socket: &impl AsFd) -> io::Result<bool> {
    for &option in floors(socket)? {
        if sys::number(socket, option)? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

fn set_ttl_floor(socket: &impl AsFd, least: i32) -> io::Result<()> {
    floors(socket)?.iter().try_for_each(|&option| sys::set_number(socket, option, least))
}

/// A socket of IPv6 may have peers of IPv4.
fn floors(socket: &impl AsFd) -> io::Result<&'static [(i32, i32)]> {
    let v4 = matches!(SocketAddr::try_from(getsockname(socket)?)?, SocketAddr::V4(_));
    Ok(if v4 { &FLOORS[..1] } else { &FLOORS })
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

/// The least TTL of IPv4 and the least hop limit of IPv6.
const FLOORS: [(i32, i32); 2] =
    [(libc::IPPROTO_IP, libc::IP_MINTTL), (libc::IPPROTO_IPV6, libc::IPV6_MINHOPCOUNT)];
/// Where a TCP header has its flags; a filter on a TCP socket sees the segment from its header on.
const TCP_FLAGS_AT: u32 = 13;
const SYN: u32 = 0x02;
const ACK: u32 = 0x10;
