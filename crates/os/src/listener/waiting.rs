//! What waits in a listener, and whether the kernel would hand it on.

use crate::sock_diag::{self, Filter, States};
use crate::{Error, Result, sys};
use lastack_model::facts::{Socket, Transport};
use lastack_model::ids::{Cookie, Port};
use lastack_model::state::State;
use rustix::fd::AsFd;
use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr};

/// The accept queue of a listener.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Queue {
    /// Connections in it.
    pub length: u32,
    /// How many it takes: one more than this, in fact (`sk_acceptq_is_full`).
    pub limit: u32,
}

/// The accept queue (`tcp_get_info` of a listener: `tcpi_unacked` and `tcpi_sacked` are its length and limit).
///
/// # Errors
///
/// `InvalidInput` when the socket does not listen.
pub fn accept_queue(listener: &impl AsFd) -> io::Result<Queue> {
    let mut info = [0; QUEUE_AT + 8];
    sys::tcp_info(listener, &mut info)?;
    if crate::connection::state(info[0]) != Some(State::Listen) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the socket does not listen"));
    }
    let number = |at: usize| {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&info[at..at + 4]);
        u32::from_ne_bytes(bytes)
    };
    Ok(Queue { length: number(QUEUE_AT), limit: number(QUEUE_AT + 4) })
}

/// The handshakes half open with a listener of this address, in the calling thread's network namespace: begun, or
/// finished and waiting for data (`TCP_DEFER_ACCEPT`).
///
/// The kernel does not tell which listener of a `SO_REUSEPORT` group a handshake belongs to, so those of the whole group
/// are listed; for a wildcard, those of every address of the port. SYN cookies leave no trace.
pub fn half_open(local: SocketAddr) -> Result<HashSet<Cookie>> {
    let filter = Filter::on_port(Transport::Tcp, Port(local.port()))
        .in_states(States::of(&[State::SynReceived]));
    let add = |found: &mut HashSet<Cookie>, socket: Socket| {
        if concerns(local.ip(), socket.local.ip()) {
            found.insert(socket.cookie);
        }
    };
    sock_diag::fold(&filter, add).map(|dump| dump.folded)
}

/// How many sockets listen on exactly this address and port, in the calling thread's network namespace. More than one
/// are a `SO_REUSEPORT` group, unless interfaces keep them apart.
pub fn group_size(local: SocketAddr) -> Result<u32> {
    // The port is the filter's; of a link-local address the kernel does not list the scope here.
    listeners(local.port(), |socket| socket.local.ip() == local.ip())
}

/// Whether the listener of this identity (`SO_COOKIE`) still listens on this port: somebody else holds it too.
pub fn is_listening(port: u16, cookie: Cookie) -> Result<bool> {
    listeners(port, |socket| socket.cookie == cookie).map(|count| count > 0)
}

/// Whether the kernel hands what waits in a closing listener to another of its group (`tcp_migrate_req`, Linux 5.14), in
/// the calling thread's network namespace.
pub fn migrates() -> Result<bool> {
    match std::fs::read_to_string(MIGRATE) {
        Ok(text) => Ok(text.trim() != "0"),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(Error::new("read", MIGRATE, cause)),
    }
}

fn listeners(port: u16, wanted: impl Fn(&Socket) -> bool) -> Result<u32> {
    let filter = Filter::on_port(Transport::Tcp, Port(port)).in_states(States::LISTENING);
    let add = |count: &mut u32, socket: Socket| *count += u32::from(wanted(&socket));
    sock_diag::fold(&filter, add).map(|dump| dump.folded)
}

/// Whether a handshake at this address may be the listener's. The request of an IPv4 client of an IPv6 listener shows no
/// address that could be relied on.
fn concerns(listener: IpAddr, handshake: IpAddr) -> bool {
    let (listener, handshake) = (listener.to_canonical(), handshake.to_canonical());
    listener.is_unspecified() || handshake.is_unspecified() || listener == handshake
}

/// Where `struct tcp_info` has `tcpi_unacked` (`include/uapi/linux/tcp.h`).
const QUEUE_AT: usize = 24;
const MIGRATE: &str = "/proc/sys/net/ipv4/tcp_migrate_req";
