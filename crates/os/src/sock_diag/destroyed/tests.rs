//! What ends with news, and whether one socket is still there, on the running kernel.

use super::*;
use crate::sock_diag::{Filter, Presence, Sentry, fold};
use crate::sys::namespace::enter_fresh_network;
use crate::watch::{Ears, Watch, Woken};
use lastack_model::facts::Socket;
use lastack_model::state::State;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// Whether an act is heard of on this port.
fn heard(transport: Transport, port: u16, act: impl FnOnce()) -> bool {
    let destroyed = Destroyed::on_port(transport, Port(port)).expect("news");
    let mut watch = Watch { destroyed: Some(destroyed), ..Watch::default() };
    act();
    watch.wait(Duration::from_secs(10), Ears::Open).expect("a wait") == Woken::ByNews
}

fn sockets(transport: Transport, port: u16) -> Vec<Socket> {
    fold(&Filter::on_port(transport, Port(port)), Vec::push).expect("a dump").folded
}

fn connection() -> (TcpListener, TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connect");
    let (server, _) = listener.accept().expect("accept");
    (listener, client, server)
}

#[test]
fn the_end_of_a_connection_and_of_a_udp_socket_is_heard_of_without_privilege() {
    enter_fresh_network();
    sys::set_thread_user(65534, 65534).expect("nobody");
    let (listener, client, server) = connection();
    let port = listener.local_addr().expect("bound").port();
    assert!(heard(Transport::Tcp, port, || drop(server)), "an active close");
    let own = client.local_addr().expect("bound").port();
    assert!(heard(Transport::Tcp, own, || drop(client)), "a passive close");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("bind");
    let port = udp.local_addr().expect("bound").port();
    assert!(heard(Transport::Udp, port, || drop(udp)));
}

#[test]
fn other_ports_are_not_heard_of() {
    enter_fresh_network();
    let (listener, client, server) = connection();
    let port = listener.local_addr().expect("bound").port();
    let other = Destroyed::on_port(Transport::Tcp, Port(port ^ 1)).expect("news");
    let mut watch = Watch { destroyed: Some(other), ..Watch::default() };
    assert!(heard(Transport::Tcp, port, || drop((client, server))));
    assert_eq!(watch.wait(Duration::ZERO, Ears::Open).expect("a wait"), Woken::ByTime);
}

#[test]
fn one_socket_is_looked_up_until_it_is_gone() {
    enter_fresh_network();
    let (listener, client, server) = connection();
    let port = listener.local_addr().expect("bound").port();
    let udp = UdpSocket::bind("[::]:0").expect("bind");
    let own = udp.local_addr().expect("bound").port();
    let known = [sockets(Transport::Tcp, port), sockets(Transport::Udp, own)].concat();
    assert_eq!(known.len(), 3, "a listener, its connection, and one of UDP");
    let mut sentries: Vec<(State, Sentry)> = known
        .iter()
        .map(|socket| (socket.state, Sentry::over(socket).expect("a sentry")))
        .collect();
    for (state, sentry) in &mut sentries {
        assert_eq!(sentry.look().expect("a look"), Presence::Here, "{state}");
    }
    // Until its exec a child that another test has just forked has copies of what is closed here, so that either end may
    // be first; by a reset neither waits.
    for end in [&client, &server] {
        crate::connection::reset_on_close(end).expect("set");
    }
    drop((client, server, listener, udp));
    let limit = Instant::now() + Duration::from_secs(10);
    for (state, sentry) in &mut sentries {
        while sentry.look().expect("a look") == Presence::Here {
            assert!(Instant::now() < limit, "{state} is still there");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
