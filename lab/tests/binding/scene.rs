//! What the tests share: ports, remains of connections, and another user who wants the port.

use lastack_graceful::bind::Bind;
use lastack_lab::program::Process;
use lastack_lab::sockets::{self, owned_by};
use lastack_lab::states::{self, on_port};
use lastack_model::bind::{Options, Request};
use lastack_model::errno::Errno;
use lastack_model::facts::Transport;
use lastack_model::ids::{Port, Uid};
use lastack_model::state::State;
use rustix::fd::OwnedFd;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};

pub(crate) const PORT: u16 = 8080;
pub(crate) const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT);
pub(crate) const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), PORT);
pub(crate) const ANY_V6: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), PORT);
pub(crate) const LOCAL_V6: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), PORT);

/// The user whose server it is.
pub(crate) const VICTIM: Uid = Uid(1001);
/// The user `nobody`, who wants it.
pub(crate) const THIEF: Uid = Uid(65534);

/// Does this as that user: sockets made meanwhile are that user's.
pub(crate) fn as_user<T>(uid: Uid, act: impl FnOnce() -> T) -> T {
    owned_by(uid, act)
}

/// Serves one connection that the server closes first, and leaves its `TIME_WAIT` here.
pub(crate) fn leave_time_wait(listener: &TcpListener) {
    let to = listener.local_addr().expect("an address");
    let to = if to.ip().is_unspecified() { SocketAddr::new(LOCAL.ip(), to.port()) } else { to };
    let client = TcpStream::connect(to).expect("connected");
    let (ours, _) = listener.accept().expect("a connection");
    drop(ours);
    drop(client);
    states::wait_for(to.port(), |socket| {
        socket.state == State::TimeWait && socket.local.port() == to.port()
    });
}

/// A server in another process, which listens at this address.
pub(crate) fn python_server(at: SocketAddr) -> Process {
    let (host, port) = (at.ip().to_string(), at.port().to_string());
    let mut command = Command::new("python3");
    let server = Process::start(
        command.args(["-m", "http.server", "--bind", &host, &port]).stdout(Stdio::null()),
    );
    states::wait_until("the server listens", || {
        on_port(at.port()).iter().any(|socket| socket.state == State::Listen)
    });
    server
}

/// Waits until nobody listens on that port: a child that another test starts may have a copy for a moment.
pub(crate) fn silence(port: u16) {
    states::wait_until("nobody listens there", || {
        on_port(port).iter().all(|socket| socket.state != State::Listen)
    });
}

/// A server with these wishes that has served one connection and is gone.
pub(crate) fn gone(wanted: &Bind) {
    let listeners = as_user(VICTIM, || wanted.listen_all()).expect("the old server");
    as_user(VICTIM, || leave_time_wait(&listeners[0]));
    drop(listeners);
    silence(PORT);
}

/// Every way in which the thief could ask for the port.
pub(crate) fn attempts() -> impl Iterator<Item = Request> {
    let addresses = [ANY, LOCAL, ANY_V6, LOCAL_V6];
    let flags = [(false, false), (true, false), (false, true), (true, true)];
    addresses.into_iter().flat_map(move |address| {
        flags.into_iter().flat_map(move |(reuse_address, reuse_port)| {
            [false, true].into_iter().filter(move |v6only| !v6only || address.is_ipv6()).map(
                move |v6only| Request {
                    transport: Transport::Tcp,
                    address: address.ip(),
                    port: Port(PORT),
                    options: Options { reuse_address, reuse_port, v6only, ..Options::default() },
                    uid: THIEF,
                    may_bind_reserved: false,
                },
            )
        })
    })
}

/// Binds as the thief, and keeps it.
pub(crate) fn steal(request: &Request) -> Result<OwnedFd, Errno> {
    let socket = sockets::prepare(request);
    sockets::bind(&socket, sockets::address(request)).map(|()| socket)
}

/// The attempts that succeed, each made alone.
pub(crate) fn ways_in() -> Vec<Request> {
    attempts().filter(|request| steal(request).is_ok()).collect()
}
