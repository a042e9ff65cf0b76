//! One connection from a local end of one's choice, and what is said when it cannot be had.

use crate::scene::{LOCAL, LOCAL_V6};
use lastack_graceful::ports::{Obstacle, Outgoing};
use lastack_lab::namespace::Namespace;
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};

fn from_127(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, last).into()
}

fn port_of(stream: &TcpStream) -> u16 {
    stream.local_addr().expect("an address").port()
}

#[test]
fn it_leaves_from_the_address_and_port_that_were_named() {
    let _namespace = Namespace::enter();
    let _server = TcpListener::bind(LOCAL).expect("a server");
    let local = SocketAddr::new(from_127(5), 1010);
    let stream = Outgoing::to(LOCAL).from(local).connect().expect("connected");
    assert_eq!(stream.local_addr().expect("an address"), local);
    let error = Outgoing::to(LOCAL).from(local).connect().expect_err("twice");
    assert_eq!(error.obstacle(), Obstacle::FourTupleTaken);
    let says = "connect to 127.0.0.1:8080 from 127.0.0.5:1010: an earlier connection between these \
                two ends is not over (leave from another port, or let the other side close first)";
    assert_eq!(error.to_string(), says);
    let _v6 = TcpListener::bind(LOCAL_V6).expect("a server");
    Outgoing::to(LOCAL_V6).from_ip(LOCAL_V6.ip()).connect().expect("the same over IPv6");
}

#[test]
fn an_address_alone_does_not_cost_a_port_of_its_own() {
    let namespace = Namespace::enter();
    namespace.set("ipv4/ip_local_port_range", "20000 20001");
    let servers = [8080, 8081, 8082]
        .map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("a server"));
    let connections: Vec<TcpStream> = servers
        .iter()
        .flat_map(|server| {
            let to = server.local_addr().expect("an address");
            (0..2).map(move |_| Outgoing::to(to).from_ip(from_127(5)).connect().expect("a port"))
        })
        .collect();
    assert_eq!(connections.len(), 6, "from two ports");
    let error = Outgoing::to(LOCAL).from_ip(from_127(5)).connect().expect_err("none is left");
    assert_eq!(error.obstacle(), Obstacle::NoPortLeft { next: None });
}

#[test]
fn a_range_is_used_to_its_last_port_within_the_systems_and_outside() {
    let _namespace = Namespace::enter();
    let _server = TcpListener::bind(LOCAL).expect("a server");
    for range in [40_000..=40_019, 1000..=1019] {
        let wanted = Outgoing::to(LOCAL).from_ports(range.clone());
        let connections: Vec<TcpStream> =
            range.clone().map(|_| wanted.connect().expect("a port")).collect();
        let ports: HashSet<u16> = connections.iter().map(port_of).collect();
        assert_eq!(ports, range.clone().collect());
        let error = wanted.connect().expect_err("none is left");
        assert_eq!(error.obstacle(), Obstacle::NoPortLeft { next: None }, "{range:?}: {error}");
    }
}

#[test]
fn what_stands_against_it_is_told_apart() {
    let _namespace = Namespace::enter();
    let _server = TcpListener::bind(LOCAL).expect("a server");
    let _taken = TcpListener::bind((from_127(1), 1010)).expect("taken");
    let to = |local: SocketAddr| Outgoing::to(LOCAL).from(local).connect().expect_err("refused");
    let in_use = to(SocketAddr::new(from_127(1), 1010));
    assert_eq!(in_use.obstacle(), Obstacle::PortInUse);
    assert!(in_use.to_string().contains("`lastack why 1010`"), "{in_use}");
    let elsewhere = to(SocketAddr::from(([192, 0, 2, 1], 1011)));
    assert_eq!(elsewhere.obstacle(), Obstacle::AddressNotAvailable);
    let refused = Outgoing::to(LOCAL_V6).connect().expect_err("nobody listens");
    assert_eq!(refused.obstacle(), Obstacle::Refused);
}
