//! Keeping other users out: which options leave no gap, and whether somebody listens already.
//!
//! Of two sockets that overlap, `SO_REUSEADDR` on both lets any user in beside one that does not listen; `SO_REUSEPORT`
//! lets in only the same user (`inet_bind_conflict`). So with the latter alone nobody else gets between `bind()` and
//! `listen()`, and old connections still let their own user's new server in. What it would let in besides, a second
//! server of the same user, is looked for.

use super::error::BindError;
use super::families::Planned;
use super::socket::{Operation, Sharing};
use lastack_model::bind::{Options, Request, Rules, relation};
use lastack_model::facts::{Socket, Transport};
use lastack_model::ids::{Cookie, InterfaceIndex, Port, Uid};
use lastack_model::truth::Truth;
use lastack_os::host;
use lastack_os::sock_diag::{self, Filter, States};
use rustix::io::Errno;
use std::net::SocketAddr;

/// The options for a port. Where other users may not bind it at all, `SO_REUSEADDR` is enough, and does not depend on
/// which user accepts (servers that give up root do so under another).
pub(super) fn sharing(port: u16) -> Sharing {
    let start = host::sysctls().map(|settings| settings.unprivileged_port_start);
    let is_reserved = port != 0 && start.is_ok_and(|start| port < start);
    Sharing { address: is_reserved, port: !is_reserved }
}

/// Whether a listener other than those of `own` overlaps this address: the first such.
pub(super) fn other_listener(
    planned: Planned,
    own: &[Cookie],
) -> Result<Option<Socket>, BindError> {
    let port = planned.address.port();
    let filter = Filter::on_port(Transport::Tcp, Port(port)).in_states(States::LISTENING);
    let add = |found: &mut Vec<Socket>, socket: Socket| found.push(socket);
    let listeners = sock_diag::fold(&filter, add).map_err(|error| {
        BindError::new(Operation::Look, Some(planned.address), std::io::Error::other(error))
    })?;
    let (request, rules) =
        (request(planned, Sharing::default()), Rules::of(host::kernel_version()));
    let is_other = |socket: &Socket| {
        !own.contains(&socket.cookie) && relation(&request, socket, rules).overlaps != Truth::No
    };
    Ok(listeners.folded.into_iter().find(is_other))
}

/// The error of whoever finds one.
pub(super) fn in_use(planned: Planned) -> BindError {
    BindError::new(Operation::Bind, Some(planned.address), Errno::ADDRINUSE)
}

/// This bind as the rules see it, by a user that may do everything.
pub(super) fn request(planned: Planned, sharing: Sharing) -> Request {
    Request {
        transport: Transport::Tcp,
        address: planned.address.ip(),
        port: Port(planned.address.port()),
        options: Options {
            reuse_address: sharing.address,
            reuse_port: sharing.port,
            v6only: planned.v6only,
            device: scope(planned.address),
            ..Options::default()
        },
        uid: Uid(0),
        may_bind_reserved: true,
    }
}

/// The interface of a link-local address.
fn scope(address: SocketAddr) -> Option<InterfaceIndex> {
    match address {
        SocketAddr::V6(v6) if v6.scope_id() != 0 => Some(InterfaceIndex(v6.scope_id())),
        SocketAddr::V4(_) | SocketAddr::V6(_) => None,
    }
}
