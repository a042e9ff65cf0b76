use super::*;
use crate::sys::namespace::enter_fresh_network;
use lastack_model::facts::{Family, PortRange, Sockets, TimerKind, Traffic};
use lastack_model::ids::{Port, Uid};
use proptest::prelude::*;
use rustix::net::{AddressFamily, SocketType, bind, socket, sockopt};
use std::io::Read;
use std::net::{
    IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream,
    UdpSocket,
};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[test]
fn a_listener_is_shown_with_its_owner_and_backlog() {
    enter_fresh_network();
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let [found] = &seen(&on(port_of(&listener)))[..] else { panic!("one socket") };
    assert_eq!((found.state, found.kind), (State::Listen, Kind::Full));
    assert_eq!(found.local, listener.local_addr().expect("bound"));
    assert_eq!(found.remote, None);
    assert_eq!(found.uid, Some(Uid(rustix::process::geteuid().as_raw())));
    assert!(found.inode.is_some() && found.cookie.0 != 0);
    assert_eq!((found.receive_queue, found.send_queue > 0), (0, true));
    assert_eq!(found.v6only, Truth::No);
}

#[test]
fn a_socket_that_is_bound_and_does_not_listen_is_shown_as_closed_on_linux_6_8() {
    enter_fresh_network();
    let (_bound, port) = bound_only();
    let (_other, _) = bound_only();
    let dump = fold(&on(port), Vec::push).expect("dump");
    if dump.bound == BoundSockets::Hidden {
        assert!(dump.folded.is_empty() && dump.unseen.len() == 1);
        return;
    }
    let [found] = &dump.folded[..] else { panic!("one socket, not {:?}", dump.folded) };
    assert_eq!((found.state, found.port(), found.remote), (State::Closed, port, None));
    let elsewhere = on(port).in_states(States::LISTENING);
    assert_eq!(seen(&elsewhere).len(), 0);
    assert_eq!(seen(&on(port).in_states(States::BOUND)).len(), 1);
}

#[test]
fn a_socket_that_may_bind_any_address_is_told_by_its_options() {
    enter_fresh_network();
    let (bound, port) = bound_only();
    let before = until_one(&on(port)).shown;
    assert_eq!((before.free_bind, before.transparent), (Truth::No, Truth::No));
    sockopt::set_ip_freebind(&bound, true).expect("IP_FREEBIND");
    assert_eq!(until_one(&on(port)).shown.free_bind, Truth::Yes);
}

#[test]
fn a_time_wait_has_almost_a_minute_left_and_no_owner() {
    enter_fresh_network();
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let (client, mut server) = connection(&listener);
    drop(client);
    assert_eq!(server.read(&mut [0]).expect("end of stream"), 0);
    drop(server);
    let filter = Filter {
        remote: Some((LOCALHOST, port_of(&listener))),
        ..Filter::all(Transport::Tcp).in_states(States::of(&[State::TimeWait]))
    };
    let found = until_one(&filter);
    assert_eq!((found.state, found.kind), (State::TimeWait, Kind::Minisock));
    assert_eq!(found.timer.kind, TimerKind::TimeWait);
    assert!((50_000..=60_000).contains(&found.timer.remaining_ms), "{:?}", found.timer);
    assert_eq!((found.uid, found.inode), (None, None));
}

#[test]
fn an_orphaned_fin_wait_2_is_a_minisock_with_its_real_state() {
    enter_fresh_network();
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let (client, server) = connection(&listener);
    let port = Port(client.local_addr().expect("connected").port());
    drop(client);
    let found = until_one(&on(port).in_states(States::of(&[State::FinWait2])));
    assert_eq!((found.state, found.kind), (State::FinWait2, Kind::Minisock));
    assert_eq!(found.timer.kind, TimerKind::TimeWait);
    let peer = until_one(&on(port_of(&listener)).in_states(States::of(&[State::CloseWait])));
    assert_eq!((peer.kind, peer.inode.is_some()), (Kind::Full, true));
    drop(server);
}

#[test]
fn a_half_closed_connection_that_is_still_held_is_a_full_fin_wait_2() {
    enter_fresh_network();
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let (client, _server) = connection(&listener);
    client.shutdown(Shutdown::Write).expect("half-close");
    let port = Port(client.local_addr().expect("connected").port());
    let found = until_one(&on(port).in_states(States::of(&[State::FinWait2])));
    assert_eq!((found.kind, found.inode.is_some()), (Kind::Full, true));
}

#[test]
fn an_ipv4_client_of_a_dual_stack_listener_is_found_by_its_ipv4_address() {
    enter_fresh_network();
    let listener = TcpListener::bind("[::]:0").expect("listen on both families");
    let port = port_of(&listener);
    let client = TcpStream::connect(("127.0.0.1", port.0)).expect("connect");
    let (_server, _) = listener.accept().expect("accept");
    let peer = client.local_addr().expect("connected");
    let filter = Filter { remote: Some((peer.ip(), Port(peer.port()))), ..on(port) };
    let [child] = &seen(&filter)[..] else { panic!("one socket") };
    assert_eq!(child.family, Family::V6);
    assert_eq!(child.remote.expect("connected").ip().to_canonical(), LOCALHOST);
    assert_eq!(child.known_v6only(), Truth::No);
    assert_eq!(seen(&on(port)).len(), 2, "the listener as well");
    let stranger = Filter { remote: Some((IpAddr::from([127, 0, 0, 2]), Port(0))), ..on(port) };
    assert_eq!(seen(&stranger).len(), 0);
}

#[test]
fn any_remote_address_may_be_meant_with_one_port() {
    enter_fresh_network();
    let listener = TcpListener::bind("[::1]:0").expect("listen");
    let (_client, _server) = connection(&listener);
    let any = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let filter = Filter { remote: Some((any, port_of(&listener))), ..Filter::all(Transport::Tcp) };
    let [client] = &seen(&filter)[..] else { panic!("the client alone") };
    assert_eq!(client.remote, Some(listener.local_addr().expect("bound")));
}

#[test]
fn v6only_is_shown_of_listeners_and_bound_sockets() {
    enter_fresh_network();
    let only = socket(AddressFamily::INET6, SocketType::STREAM, None).expect("socket");
    sockopt::set_ipv6_v6only(&only, true).expect("set IPV6_V6ONLY");
    bind(&only, &SocketAddr::from((Ipv6Addr::UNSPECIFIED, 4001))).expect("bind");
    let dual = TcpListener::bind("[::]:4002").expect("listen");
    assert_eq!(seen(&on(port_of(&dual)))[0].v6only, Truth::No);
    rustix::net::listen(&only, 1).expect("listen");
    assert_eq!(seen(&on(Port(4001)))[0].v6only, Truth::Yes);
}

#[test]
fn udp_sockets_of_both_families_are_shown() {
    enter_fresh_network();
    let v4 = UdpSocket::bind("127.0.0.1:5353").expect("bind");
    let v6 = UdpSocket::bind("[::1]:5353").expect("bind");
    v4.connect("127.0.0.1:9").expect("connect");
    let found = seen(&Filter::on_port(Transport::Udp, Port(5353)));
    let mut shown: Vec<_> = found.iter().map(|s| (s.family, s.state, s.local)).collect();
    shown.sort();
    let local = |socket: &UdpSocket| socket.local_addr().expect("bound");
    assert_eq!(
        shown,
        [(Family::V4, State::Established, local(&v4)), (Family::V6, State::Closed, local(&v6))]
    );
    assert_eq!(seen(&on(Port(5353))).len(), 0, "TCP has ports of its own");
}

#[test]
fn a_handshake_whose_listener_awaits_data_is_a_request() {
    enter_fresh_network();
    let listener = TcpListener::bind("127.0.0.1:4003").expect("listen");
    crate::sys::set_defer_accept(&listener, 30).expect("set TCP_DEFER_ACCEPT");
    let _client = TcpStream::connect("127.0.0.1:4003").expect("connect");
    let found = until_one(&on(Port(4003)).in_states(States::of(&[State::SynReceived])));
    assert_eq!((found.kind, found.uid, found.inode), (Kind::Request, None, None));
    assert!(!found.owns_port());
}

#[test]
fn whether_a_port_was_named_is_told_when_asked() {
    enter_fresh_network();
    let listener = TcpListener::bind("127.0.0.1:4004").expect("listen");
    let (client, _server) = connection(&listener);
    let named = |port| {
        let mut found = seen(&on(port).with(Detail::PortNamed));
        found.sort_by_key(|socket| socket.state != State::Listen);
        found.iter().map(|socket| socket.port_named).collect::<Vec<_>>()
    };
    assert_eq!(named(Port(4004)), [Truth::Yes, Truth::No], "the listener, then its child");
    let chosen = Port(client.local_addr().expect("connected").port());
    assert_eq!(named(chosen), [Truth::No]);
    assert_eq!(seen(&on(chosen))[0].port_named, Truth::Unknown, "not asked");
}

#[test]
fn traffic_is_shown_of_connections_when_asked() {
    enter_fresh_network();
    let listener = TcpListener::bind("127.0.0.1:4005").expect("listen");
    let (_client, _server) = connection(&listener);
    let found = seen(&on(Port(4005)).with(Detail::Traffic));
    for socket in &found {
        assert_eq!(socket.traffic.is_some(), socket.state == State::Established);
    }
    let traffic = found.iter().find_map(|socket| socket.traffic).expect("of the connection");
    assert!(traffic.timestamps && (200..=3_000).contains(&traffic.rto_ms), "{traffic:?}");
    assert!(seen(&on(Port(4005))).iter().all(|socket| socket.traffic.is_none()));
}

#[test]
fn a_range_of_ports_includes_both_ends_and_nothing_else() {
    enter_fresh_network();
    let _all: Vec<_> =
        (4010..4015).map(|port| TcpListener::bind(("127.0.0.1", port)).expect("listen")).collect();
    let range = PortRange { low: Port(4011), high: Port(4013) };
    let filter = Filter { ports: Some(range), ..Filter::all(Transport::Tcp) };
    let mut ports: Vec<_> = seen(&filter).iter().map(Socket::port).collect();
    ports.sort();
    assert_eq!(ports, [Port(4011), Port(4012), Port(4013)]);
}

#[test]
fn one_walk_shows_what_two_walks_by_family_show() {
    enter_fresh_network();
    let v4 = TcpListener::bind("127.0.0.1:4020").expect("listen");
    let v6 = TcpListener::bind("[::1]:4020").expect("listen");
    let (client, _held) = connection(&v4);
    let _pair = connection(&v6);
    drop(client);
    let (_bound, _) = bound_only();
    until_one(&Filter::all(Transport::Tcp).in_states(States::of(&[State::FinWait2])));
    for filter in [
        Filter::all(Transport::Tcp),
        Filter::all(Transport::Tcp).with(Detail::Traffic),
        on(Port(4020)),
        Filter { remote: Some((LOCALHOST, Port(0))), ..Filter::all(Transport::Tcp) },
    ] {
        let mut netlink = Netlink::open(Channel::SockDiag).expect("open");
        let mut shown = |requests: &[Request]| {
            let mut found = Vec::new();
            for request in requests {
                dump(&mut netlink, &filter, request, &mut |mut socket| {
                    socket.timer.remaining_ms = 0;
                    socket.traffic = socket.traffic.map(|_| Traffic::default());
                    found.push((socket.cookie, format!("{socket:?}")));
                })
                .expect("dump");
            }
            found.sort();
            found
        };
        let once = shown(&[filter.both_families(Origin::Any).expect("TCP has it")]);
        assert!(!once.is_empty());
        assert_eq!(once, shown(&filter.by_family(Origin::Any)));
    }
}

#[test]
fn alike_sockets_are_folded_as_they_come() {
    enter_fresh_network();
    let listener = TcpListener::bind("127.0.0.1:4006").expect("listen");
    let _pairs: Vec<_> = (0..5).map(|_| connection(&listener)).collect();
    let sockets: Sockets = fold(&on(Port(4006)), Sockets::add).expect("dump").folded;
    assert_eq!((sockets.count(), sockets.groups().len()), (6, 2));
}

#[test]
fn a_recorded_time_wait_is_decoded_field_by_field() {
    let record = recorded_time_wait();
    let socket = decode(Transport::Tcp, &record).expect("whole");
    assert_eq!(socket.local, SocketAddr::from(([127, 0, 0, 1], 8080)));
    assert_eq!(socket.remote, Some(SocketAddr::from(([127, 0, 0, 2], 51324))));
    assert_eq!((socket.state, socket.kind), (State::TimeWait, Kind::Minisock));
    assert_eq!(socket.timer.remaining_ms, 59_956);
    assert_eq!((socket.cookie.0, socket.device), (0x2_0000_0001, None));
}

#[test]
fn a_record_cut_short_anywhere_is_malformed() {
    let record = recorded_time_wait();
    for length in 0..record.len() {
        assert_eq!(decode(Transport::Tcp, &record[..length]).map(drop), Err(Malformed));
    }
}

proptest! {
    #[test]
    fn no_record_makes_the_decoder_panic(
        family in prop_oneof![Just(2_u8), Just(10), any::<u8>()],
        state in 0_u8..15,
        rest in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut record = vec![family, state];
        record.extend(rest);
        let decoded = decode(Transport::Tcp, &record);
        prop_assert!(decoded.is_err() || record.len() >= 72);
    }
}

/// `struct inet_diag_msg` of 127.0.0.1:8080 → 127.0.0.2:51324 as Linux 6.18 on a little-endian machine sends it.
fn recorded_time_wait() -> Vec<u8> {
    let mut record = vec![2, 6, 3, 0];
    record.extend(8080_u16.to_be_bytes());
    record.extend(51324_u16.to_be_bytes());
    record.extend([127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    record.extend([127, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for field in [0_u32, 1, 2, 59_956, 0, 0, 0, 0] {
        record.extend(field.to_ne_bytes());
    }
    record
}

fn on(port: Port) -> Filter {
    Filter::on_port(Transport::Tcp, port)
}

fn seen(filter: &Filter) -> Vec<Socket> {
    fold(filter, Vec::push).expect("dump").folded
}

/// The one socket of the filter, as soon as the kernel has it.
fn until_one(filter: &Filter) -> Socket {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        match &seen(filter)[..] {
            [socket] => return socket.clone(),
            others => assert!(Instant::now() < deadline, "{filter:?} shows {others:?}"),
        }
        thread::yield_now();
    }
}

fn port_of(listener: &TcpListener) -> Port {
    Port(listener.local_addr().expect("bound").port())
}

fn connection(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connect");
    (client, listener.accept().expect("accept").0)
}

fn bound_only() -> (OwnedFd, Port) {
    let fd = socket(AddressFamily::INET, SocketType::STREAM, None).expect("socket");
    bind(&fd, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).expect("bind");
    let name = rustix::net::getsockname(&fd).expect("bound");
    let address = SocketAddr::try_from(name).expect("an internet address");
    (fd, Port(address.port()))
}
