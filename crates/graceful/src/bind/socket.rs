//! One socket: made, given its options, bound, listening. Each step answers with the kernel's error.

use super::families::Planned;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};
use std::net::SocketAddr;

/// Which of the sharing options a socket has when it binds, and when it listens.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Sharing {
    /// `SO_REUSEADDR`.
    pub(super) address: bool,
    /// `SO_REUSEPORT`.
    pub(super) port: bool,
}

/// What was done when it failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Operation {
    Resolve,
    Open,
    Set(&'static str),
    Bind,
    Listen,
    /// Seeing who else listens.
    Look,
    /// Making one socket of several.
    Choose,
}

/// A step that the kernel refused.
pub(super) type Refusal = (Operation, Errno);

/// A socket with its options, not bound.
pub(super) fn open(planned: Planned, sharing: Sharing) -> Result<OwnedFd, Refusal> {
    let family = match planned.address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .map_err(|errno| (Operation::Open, errno))?;
    sockopt::set_socket_reuseaddr(&socket, sharing.address)
        .map_err(|errno| (Operation::Set("SO_REUSEADDR"), errno))?;
    if sharing.port {
        sockopt::set_socket_reuseport(&socket, true)
            .map_err(|errno| (Operation::Set("SO_REUSEPORT"), errno))?;
    }
    if planned.address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, planned.v6only)
            .map_err(|errno| (Operation::Set("IPV6_V6ONLY"), errno))?;
    }
    Ok(socket)
}

/// Made and bound: the socket and the address it has now.
pub(super) fn bound(planned: Planned, sharing: Sharing) -> Result<(OwnedFd, SocketAddr), Refusal> {
    let socket = open(planned, sharing)?;
    let at_bind = |errno| (Operation::Bind, errno);
    net::bind(&socket, &planned.address).map_err(at_bind)?;
    let address = net::getsockname(&socket).map_err(at_bind)?;
    let address = SocketAddr::try_from(address).map_err(at_bind)?;
    Ok((socket, address))
}

/// Lets it listen. The kernel cuts the backlog to `net.core.somaxconn`.
pub(super) fn listen(socket: &OwnedFd, backlog: u32) -> Result<(), Refusal> {
    let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
    net::listen(socket, backlog).map_err(|errno| (Operation::Listen, errno))
}
