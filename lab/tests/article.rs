//! Claims of docs/article.md that no other test is about, each shown on the running kernel.

use lastack_lab::link::{HERE, OtherHost, THERE};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::{lastack, undisturbed};
use lastack_lab::sockets;
use lastack_lab::states::{self, on_port, wait_for};
use lastack_model::bind::{Options, Request};
use lastack_model::errno::Errno;
use lastack_model::facts::{TimerKind, Transport};
use lastack_model::ids::{Port, Uid};
use lastack_model::state::State;
use rustix::fd::OwnedFd;
use rustix::net::sockopt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A request of root's that sets `SO_REUSEADDR`.
fn reusing(address: impl Into<IpAddr>, port: u16) -> Request {
    Request {
        transport: Transport::Tcp,
        address: address.into(),
        port: Port(port),
        options: Options { reuse_address: true, ..Options::default() },
        uid: Uid(0),
        may_bind_reserved: true,
    }
}

fn client(from: Ipv4Addr, port: u16, to: SocketAddr) -> OwnedFd {
    let socket = states::bound(&reusing(from, port));
    sockets::connect(&socket, to).expect("a connection");
    wait_for(port, |socket| socket.state == State::Established && socket.remote == Some(to));
    socket
}

#[test]
fn an_idle_connection_to_a_dead_peer_has_no_timer_and_lasts_while_it_is_held() {
    let namespace = Namespace::enter();
    let host = OtherHost::joined_to(&namespace);
    let _listener = host.run(|_| states::listening(&reusing(THERE, 300)));
    let _client = client(HERE, 1010, (THERE, 300).into());
    host.cut_off();
    let timers: Vec<TimerKind> = on_port(1010).iter().map(|socket| socket.timer.kind).collect();
    assert_eq!(timers, [TimerKind::Off]);
    let answer = lastack(&["why", "10.77.0.1:1010", "--json"]).json();
    assert_eq!(answer["conflicts"][0]["sockets"]["example"]["state"], "ESTABLISHED");
    assert_eq!(answer["conflicts"][0]["lifetime"], "while_held", "{answer}");
}

#[test]
fn a_port_whose_last_connection_waits_is_good_for_any_other_destination() {
    let namespace = Namespace::enter();
    namespace.set("ipv4/tcp_timestamps", "0");
    let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = states::listening(&reusing(Ipv4Addr::LOCALHOST, 300));
    let _other = states::listening(&reusing(Ipv4Addr::LOCALHOST, 301));
    let first = client(Ipv4Addr::LOCALHOST, 1010, local(300));
    let accepted = sockets::accept(&listener, Uid(0)).expect("a connection in the queue");
    undisturbed(|| drop(first));
    wait_for(1010, |socket| socket.state == State::FinWait2);
    undisturbed(|| drop(accepted));
    wait_for(1010, |socket| socket.state == State::TimeWait);
    let again = states::bound(&reusing(Ipv4Addr::LOCALHOST, 1010));
    assert_eq!(sockets::connect(&again, local(300)), Err(Errno::AddressNotAvailable));
    undisturbed(|| drop(again));
    let asked = lastack(&[
        "why",
        "--connect",
        "127.0.0.1:301",
        "--from",
        "127.0.0.1:1010",
        "--reuse-address",
    ]);
    assert_eq!(asked.code, Some(0), "{}", asked.stdout);
    let _second = client(Ipv4Addr::LOCALHOST, 1010, local(301));
}

#[test]
fn who_closes_second_holds_the_port_until_its_end_is_acknowledged() {
    let _namespace = Namespace::enter();
    let listener = states::listening(&reusing(Ipv4Addr::LOCALHOST, 300));
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, 300));
    let _peer = states::orphan_last_ack(states::established(&listener, to));
    undisturbed(|| drop(listener));
    let answer = lastack(&["why", "127.0.0.1:300", "--json"]);
    assert_eq!(answer.code, Some(1), "{}", answer.stdout);
    let conflicts = answer.json()["conflicts"].clone();
    assert_eq!(conflicts[0]["sockets"]["example"]["state"], "LAST_ACK", "{conflicts}");
    assert_eq!(conflicts[0]["holders"], serde_json::json!([]), "its program has closed it");
}

#[test]
fn a_listener_that_is_closed_is_gone_at_once_and_resets_the_connections_in_its_queue() {
    let _namespace = Namespace::enter();
    let listener = states::listening(&reusing(Ipv4Addr::LOCALHOST, 300));
    let peer = states::queued(&listener, SocketAddr::from((Ipv4Addr::LOCALHOST, 300)));
    undisturbed(|| drop(listener));
    assert!(
        on_port(300).is_empty(),
        "neither the listener nor the connection is left: {:?}",
        on_port(300)
    );
    assert_eq!(sockopt::socket_error(&peer).expect("SO_ERROR"), Err(rustix::io::Errno::CONNRESET));
}
