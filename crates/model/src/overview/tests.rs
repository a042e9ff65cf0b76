//! What the overview makes of a host's sockets.

use super::*;
use crate::facts::{KernelVersion, Sysctls, Timer, TimerKind, Transport};
use crate::ids::{Cookie, Uid};

fn host() -> Host {
    Host { ipv6: true, kernel: KernelVersion::new(6, 18), ..Host::default() }
}

fn listener(local: &str, uid: u32) -> Socket {
    let local: SocketAddr = local.parse().expect("an address");
    let mut socket = Socket::closed(Transport::Tcp, local);
    socket.state = State::Listen;
    socket.uid = Some(Uid(uid));
    socket.cookie = Cookie(u64::from(uid));
    socket.v6only = Truth::No;
    socket
}

fn connection(local: &str, remote: &str, state: State) -> Socket {
    let mut socket = Socket::closed(Transport::Tcp, local.parse().expect("an address"));
    socket.remote = Some(remote.parse().expect("an address"));
    socket.state = state;
    if state == State::TimeWait {
        socket.kind = Kind::Minisock;
        socket.timer = Timer { kind: TimerKind::TimeWait, remaining_ms: 1, retransmits: 0 };
    } else {
        socket.inode = Some(Inode(7));
    }
    socket
}

fn overview(sockets: Vec<Socket>, host: &Host) -> Overview {
    let mut tally = Tally::default();
    for socket in sockets {
        tally.add(socket, host.sysctls.local_port_range);
    }
    tally.overview(host)
}

#[test]
fn time_waits_are_told_apart_by_who_closed_first() {
    let sockets = vec![
        listener("[::]:8080", 0),
        connection("10.0.0.1:8080", "10.0.0.9:40000", State::TimeWait),
        connection("10.0.0.1:9000", "10.0.0.9:40001", State::TimeWait),
        connection("10.0.0.1:50000", "10.0.0.9:443", State::TimeWait),
        connection("10.0.0.1:50001", "10.0.0.9:443", State::Established),
    ];
    let overview = overview(sockets, &host());
    assert_eq!(overview.served, [(Port(8080), 1), (Port(9000), 1)]);
    let [destination] = overview.destinations.as_slice() else { panic!("{overview:#?}") };
    assert_eq!((destination.time_waits, destination.connections), (1, 2));
    assert_eq!(destination.live, [Inode(7)], "the live connection tells who makes them");
    assert!(overview.problems.is_empty());
}

#[test]
fn leaks_and_spent_budgets_are_problems() {
    let range = PortRange { low: Port(50000), high: Port(50001) };
    let sysctls = Sysctls { local_port_range: range, ..Sysctls::default() };
    let host = Host { sysctls, ..host() };
    let sockets = vec![
        connection("10.0.0.1:50000", "10.0.0.9:443", State::TimeWait),
        connection("10.0.0.1:50001", "10.0.0.9:443", State::CloseWait),
    ];
    let overview = overview(sockets, &host);
    let leak = Problem::CloseWaits { count: 1, inodes: vec![Inode(7)] };
    assert!(overview.problems.contains(&leak));
    assert_eq!(overview.destinations[0].strain, Strain::Spent);
    assert!(overview.problems.contains(&Problem::Ports(overview.destinations[0].clone())));
}

#[test]
fn a_listener_on_one_family_leaves_the_other_to_anybody_unless_the_port_is_reserved() {
    let problems = |local: &str| overview(vec![listener(local, 0)], &host()).problems.len();
    assert_eq!(problems("0.0.0.0:8080"), 1);
    assert_eq!(problems("[::]:8080"), 0, "dual stack covers both");
    assert_eq!(problems("0.0.0.0:80"), 0, "nobody without privilege may take port 80");
}

#[test]
fn listeners_of_different_users_on_one_address_are_an_alarm() {
    let sockets = vec![listener("[::]:8080", 0), listener("[::]:8080", 1000)];
    let address = "[::]:8080".parse().expect("an address");
    assert_eq!(overview(sockets, &host()).problems, [Problem::Overlap { address }]);
}
