//! Sockets by the hundred thousand, for benchmarks.

use crate::namespace::Namespace;
use crate::sockets;
use rustix::fd::OwnedFd;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread;

/// So many connections that a server on the port has ended. They live for a minute, so every processor makes its
/// share, on an address of its own.
///
/// # Panics
///
/// When the kernel refuses.
pub fn time_waits(namespace: &Namespace, port: u16, count: u32) {
    namespace.set("ipv4/tcp_max_tw_buckets", "1000000");
    let workers = thread::available_parallelism().map_or(1, |n| n.get() as u32);
    thread::scope(|scope| {
        for worker in 0..workers {
            let share = count / workers + u32::from(worker < count % workers);
            scope.spawn(move || end_connections(worker as u8, port, share));
        }
    });
}

/// Opens and ends connections one after the other. The server closes first, so its end is the one that waits.
fn end_connections(worker: u8, port: u16, count: u32) {
    let server = SocketAddr::from((Ipv4Addr::new(127, 0, 0, worker + 1), port));
    let listener = blocking_socket();
    net::sockopt::set_socket_reuseaddr(&listener, true).expect("SO_REUSEADDR");
    sockets::bind(&listener, server).expect("a free address");
    sockets::listen(&listener, 8).expect("a listener");
    for number in 0..count {
        let client = blocking_socket();
        net::sockopt::set_socket_reuseaddr(&client, true).expect("SO_REUSEADDR");
        sockets::bind(&client, client_address(worker, number)).expect("a client's address");
        net::connect(&client, &server).expect("a connection");
        let accepted = net::accept(&listener).expect("its server's end");
        drop(accepted);
        drop(client);
    }
}

/// Never the same twice: a second connection from one address and port would take the place of the first one's rest.
fn client_address(worker: u8, number: u32) -> SocketAddr {
    let address = Ipv4Addr::new(127, 1, worker, (number / PORTS_EACH) as u8 + 1);
    SocketAddr::new(IpAddr::V4(address), (number % PORTS_EACH + FIRST_PORT) as u16)
}

/// A TCP socket whose calls wait.
///
/// # Panics
///
/// When the kernel has none left.
pub fn blocking_socket() -> OwnedFd {
    net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .expect("a socket")
}

const FIRST_PORT: u32 = 10_000;
const PORTS_EACH: u32 = 50_000;
