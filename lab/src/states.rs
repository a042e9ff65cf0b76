//! Connections put into the states they end through, each by the calls that lead there on a real host.
//!
//! "Ours" is the end on the port under test, "peer" the other one. Every function waits until the kernel shows the
//! state, and for a bounded time only.

use crate::sockets;
use lastack_model::bind::Request;
use lastack_model::facts::{Family, Kind, Socket, Transport};
use lastack_model::ids::{Port, Uid};
use lastack_model::state::State;
use lastack_os::sock_diag::{Filter, fold};
use rustix::fd::OwnedFd;
use rustix::net::{self, Shutdown};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Both ends of an established connection.
#[derive(Debug)]
pub struct Pair {
    /// The accepted end.
    pub ours: OwnedFd,
    /// The connecting end.
    pub peer: OwnedFd,
}

/// A listener as requested.
///
/// # Panics
///
/// When the kernel refuses, as do all functions here.
pub fn listening(request: &Request) -> OwnedFd {
    let socket = bound(request);
    sockets::listen(&socket, 64).expect("the socket can listen");
    socket
}

/// A bound socket that does not listen.
pub fn bound(request: &Request) -> OwnedFd {
    let socket = sockets::prepare(request);
    sockets::bind(&socket, sockets::address(request))
        .unwrap_or_else(|error| panic!("failed to bind {}: {error}", request.address));
    socket
}

/// A connection to this listener, accepted.
pub fn established(listener: &OwnedFd, to: SocketAddr) -> Pair {
    let peer = queued(listener, to);
    Pair { ours: sockets::accept(listener, Uid(0)).expect("a connection in the queue"), peer }
}

/// A connection that waits in the listener's queue: the peer's end of it.
pub fn queued(listener: &OwnedFd, to: SocketAddr) -> OwnedFd {
    sockets::shrink_buffers(listener);
    let family = if to.is_ipv4() { Family::V4 } else { Family::V6 };
    let peer = sockets::open(Transport::Tcp, family);
    sockets::shrink_buffers(&peer);
    sockets::connect(&peer, to).unwrap_or_else(|error| panic!("failed to connect {to}: {error}"));
    let remote = sockets::local(&peer);
    wait_for(to.port(), |socket| is_with(socket, remote, State::Established));
    peer
}

/// Our end closed first and the peer closed too: `TIME_WAIT` on our port.
pub fn time_wait(pair: Pair) {
    let remote = sockets::remote(&pair.ours).expect("a connection");
    let port = sockets::local(&pair.ours).port();
    drop(pair.ours);
    drop(pair.peer);
    wait_for(port, |socket| is_with(socket, remote, State::TimeWait));
}

/// Our end closed and acknowledged, the peer's still open: the peer's end of it.
pub fn orphan_fin_wait_2(pair: Pair) -> OwnedFd {
    let remote = sockets::remote(&pair.ours).expect("a connection");
    let port = sockets::local(&pair.ours).port();
    drop(pair.ours);
    wait_for(port, |socket| {
        is_with(socket, remote, State::FinWait2) && socket.kind == Kind::Minisock
    });
    pair.peer
}

/// Our end closed while the peer takes no data: the FIN cannot be sent. The peer's end of it.
pub fn orphan_fin_wait_1(pair: Pair) -> OwnedFd {
    let remote = sockets::remote(&pair.ours).expect("a connection");
    let port = sockets::local(&pair.ours).port();
    sockets::fill(&pair.ours);
    drop(pair.ours);
    wait_for(port, |socket| is_with(socket, remote, State::FinWait1));
    pair.peer
}

/// The peer closed its direction, we closed while it takes no data. The peer's end of it.
pub fn orphan_last_ack(pair: Pair) -> OwnedFd {
    let remote = sockets::remote(&pair.ours).expect("a connection");
    let port = sockets::local(&pair.ours).port();
    net::shutdown(&pair.peer, Shutdown::Write).expect("the peer can half-close");
    sockets::fill(&pair.ours);
    wait_for(port, |socket| is_with(socket, remote, State::CloseWait));
    drop(pair.ours);
    wait_for(port, |socket| is_with(socket, remote, State::LastAck));
    pair.peer
}

/// The TCP sockets on a port of the calling thread's namespace.
pub fn on_port(port: u16) -> Vec<Socket> {
    let filter = Filter::on_port(Transport::Tcp, Port(port));
    fold(&filter, Vec::push).expect("a dump of the port").folded
}

/// Waits until a socket on the port is as wanted.
pub fn wait_for(port: u16, wanted: impl Fn(&Socket) -> bool) {
    wait_until("a socket reaches the wanted state", || on_port(port).iter().any(&wanted));
}

/// Waits until something holds, ten seconds at most.
pub fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn is_with(socket: &Socket, remote: SocketAddr, state: State) -> bool {
    let same = |there: SocketAddr| {
        there.port() == remote.port() && there.ip().to_canonical() == remote.ip().to_canonical()
    };
    socket.state == state && socket.remote.is_some_and(same)
}
