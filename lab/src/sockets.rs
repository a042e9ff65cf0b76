//! Sockets as a test wants them: any family, owner and options, each step answering with the kernel's error.

use lastack_model::bind::{Options, Request};
use lastack_model::errno::Errno;
use lastack_model::facts::{Family, SocketOptions, Transport};
use lastack_model::ids::{Cookie, Inode, Uid};
use lastack_model::truth::Truth;
use rustix::fd::{AsFd, OwnedFd};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

/// The kernel's answer to one call.
pub type Answer = Result<(), Errno>;

/// Runs a closure whose new and accepted sockets carry this uid.
pub fn owned_by<T>(uid: Uid, act: impl FnOnce() -> T) -> T {
    let own = |uid| {
        lastack_os::process::own_sockets_as(uid)
            .unwrap_or_else(|error| panic!("failed to {error}"));
    };
    own(uid);
    let result = act();
    own(Uid(0));
    result
}

/// A new socket that does not block.
pub fn open(transport: Transport, family: Family) -> OwnedFd {
    let family = match family {
        Family::V4 => AddressFamily::INET,
        Family::V6 => AddressFamily::INET6,
    };
    let kind = match transport {
        Transport::Tcp => SocketType::STREAM,
        Transport::Udp => SocketType::DGRAM,
    };
    net::socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)
        .expect("a new socket")
}

/// A new socket with the owner and options of the request, not bound.
pub fn prepare(request: &Request) -> OwnedFd {
    let socket = owned_by(request.uid, || open(request.transport, request.family()));
    set_options(&socket, request.family(), request.options);
    socket
}

/// Sets the options; the interface only if the kernel lets it.
pub fn set_options(socket: &OwnedFd, family: Family, options: Options) {
    set_reuse(socket, options);
    if family == Family::V6 {
        sockopt::set_ipv6_v6only(socket, options.v6only).expect("IPV6_V6ONLY");
    }
    if options.free_bind {
        sockopt::set_ip_freebind(socket, true).expect("IP_FREEBIND");
    }
    if let Some(device) = options.device {
        lastack_os::options::bind_to_interface(socket, device)
            .unwrap_or_else(|error| panic!("failed to {error}"));
    }
}

/// Sets `SO_REUSEADDR` and `SO_REUSEPORT`, which may change at any time.
pub fn set_reuse(socket: &impl AsFd, options: Options) {
    sockopt::set_socket_reuseaddr(socket, options.reuse_address).expect("SO_REUSEADDR");
    sockopt::set_socket_reuseport(socket, options.reuse_port).expect("SO_REUSEPORT");
}

/// The address of a request; a link-local one gets its scope from the interface.
pub fn address(request: &Request) -> SocketAddr {
    match request.address {
        IpAddr::V4(_) => SocketAddr::new(request.address, request.port.0),
        IpAddr::V6(ip) => {
            let scope = request.options.device.filter(|_| ip.is_unicast_link_local());
            let scope = scope.map_or(0, |device| device.0);
            SocketAddr::V6(SocketAddrV6::new(ip, request.port.0, 0, scope))
        }
    }
}

/// `bind()`.
pub fn bind(socket: &OwnedFd, address: SocketAddr) -> Answer {
    answer(net::bind(socket, &address))
}

/// `listen()`.
pub fn listen(socket: &OwnedFd, backlog: i32) -> Answer {
    answer(net::listen(socket, backlog))
}

/// `connect()`, which counts as done once it is under way. An IPv6 socket reaches IPv4 by the mapped address.
pub fn connect(socket: &OwnedFd, to: SocketAddr) -> Answer {
    match answer(net::connect(socket, &reachable_by(socket, to))) {
        Err(Errno::Other(libc::EINPROGRESS)) => Ok(()),
        other => other,
    }
}

/// `accept()`; the connection carries this uid.
pub fn accept(listener: &OwnedFd, uid: Uid) -> Option<OwnedFd> {
    owned_by(uid, || net::accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK).ok())
}

/// Ends the connection by a reset instead of a FIN.
pub fn reset(socket: OwnedFd) {
    sockopt::set_socket_linger(&socket, Some(Duration::ZERO)).expect("SO_LINGER");
    drop(socket);
}

/// Sends until nothing more goes.
pub fn fill(socket: &OwnedFd) {
    let block = [0; 1 << 14];
    while net::send(socket, &block, net::SendFlags::NOSIGNAL).is_ok() {}
}

/// Makes the buffers as small as they can be, so that little data fills them.
pub fn shrink_buffers(socket: &OwnedFd) {
    sockopt::set_socket_send_buffer_size(socket, 1).expect("SO_SNDBUF");
    sockopt::set_socket_recv_buffer_size(socket, 1).expect("SO_RCVBUF");
}

/// Reads and drops what has arrived, so that a close is not a reset.
pub fn drain(socket: &OwnedFd) {
    let mut block = [0; 1 << 12];
    while matches!(net::recv(socket, &mut block[..], net::RecvFlags::empty()), Ok((1.., _))) {}
}

/// The address that the socket is connected to.
pub fn remote(socket: &OwnedFd) -> Option<SocketAddr> {
    SocketAddr::try_from(net::getpeername(socket).ok().flatten()?).ok()
}

/// The address that the socket has.
pub fn local(socket: &OwnedFd) -> SocketAddr {
    SocketAddr::try_from(net::getsockname(socket).expect("a local address")).expect("an address")
}

/// The inode of the socket.
pub fn inode(socket: &OwnedFd) -> Inode {
    Inode(rustix::fs::fstat(socket).expect("fstat of a socket").st_ino)
}

/// The cookie of the socket.
pub fn cookie(socket: &OwnedFd) -> Cookie {
    Cookie(sockopt::socket_cookie(socket).expect("SO_COOKIE"))
}

/// The options that no dump shows.
pub fn options(socket: &OwnedFd) -> SocketOptions {
    let is_v6 = sockopt::socket_domain(socket).expect("SO_DOMAIN") == AddressFamily::INET6;
    let v6only = is_v6 && sockopt::ipv6_v6only(socket).expect("IPV6_V6ONLY");
    SocketOptions {
        reuse_address: Truth::from(sockopt::socket_reuseaddr(socket).expect("SO_REUSEADDR")),
        reuse_port: Truth::from(sockopt::socket_reuseport(socket).expect("SO_REUSEPORT")),
        v6only: Truth::from(v6only),
    }
}

fn reachable_by(socket: &OwnedFd, to: SocketAddr) -> SocketAddr {
    let is_v6 = sockopt::socket_domain(socket).expect("SO_DOMAIN") == AddressFamily::INET6;
    match to.ip() {
        IpAddr::V4(ip) if is_v6 => SocketAddr::new(IpAddr::V6(ip.to_ipv6_mapped()), to.port()),
        IpAddr::V4(_) | IpAddr::V6(_) => to,
    }
}

/// A system call's result as an answer.
pub fn answer(result: rustix::io::Result<()>) -> Answer {
    result.map_err(|cause| Errno::from_raw(cause.raw_os_error()))
}

/// `::ffff:0.0.0.0`, the wildcard that an IPv6 socket uses for IPv4 alone.
pub const MAPPED_ANY: Ipv6Addr = Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0);
