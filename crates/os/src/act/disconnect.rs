//! Ending a connection through the descriptor of a process that holds it (`connect` with `AF_UNSPEC`, `tcp_disconnect`).
//!
//! It does what `SOCK_DESTROY` does without `CAP_NET_ADMIN`: the right to trace the holder is enough, which one has over
//! one's own processes. The peer is reset, the holder sees `ECONNRESET`, and a port that was not named in `bind()` is
//! released at once. The holder keeps its descriptor, which means a closed socket from then on.

use super::destroy::Destroyed;
use crate::options::duplicate;
use crate::{Error, Result};
use lastack_model::facts::{Holder, Socket};
use rustix::io::Errno;
use rustix::net::{connect_unspec, getpeername};
use std::net::SocketAddr;

/// Ends the connection if the descriptor still means it; a listener or bound socket has no peer and is left alone.
pub fn disconnect(holder: &Holder, connection: &Socket) -> Result<Destroyed> {
    let socket = duplicate(holder)?;
    let peer = match getpeername(&socket) {
        Ok(peer) => peer.and_then(|peer| SocketAddr::try_from(peer).ok()),
        Err(Errno::NOTCONN) => None,
        Err(cause) => return Err(failed(connection, cause)),
    };
    if peer.is_none() || peer != connection.remote {
        return Ok(Destroyed::Gone);
    }
    connect_unspec(&socket).map(|()| Destroyed::Now).map_err(|cause| failed(connection, cause))
}

fn failed(connection: &Socket, cause: Errno) -> Error {
    let remote = connection.remote.map(|remote| format!(" -> {remote}")).unwrap_or_default();
    Error::new("disconnect", format!("{}{remote}", connection.local), cause)
}
