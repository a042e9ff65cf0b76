use super::relation::overlap;
use super::*;
use crate::facts::{KernelVersion, Kind, SocketOptions, Timer, TimerKind};
use crate::ids::{InterfaceIndex, Port, Uid};
use crate::state::State;
use proptest::prelude::*;
use std::net::IpAddr;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

const PORT: Port = Port(8080);
const TODAY: Rules = Rules::of(KernelVersion::new(6, 18));

/// One kind of end, as a row and as a column of the table.
#[derive(Clone, Copy, Debug)]
struct End {
    address: IpAddr,
    v6only: bool,
}

const fn v4(address: Ipv4Addr) -> End {
    End { address: IpAddr::V4(address), v6only: false }
}

const fn v6(address: Ipv6Addr) -> End {
    End { address: IpAddr::V6(address), v6only: false }
}

const fn only(end: End) -> End {
    End { v6only: true, ..end }
}

const MAPPED_ANY: Ipv6Addr = Ipv4Addr::UNSPECIFIED.to_ipv6_mapped();
const MAPPED: Ipv6Addr = Ipv4Addr::LOCALHOST.to_ipv6_mapped();

/// In the order of the rows and columns of the table.
const ENDS: [End; 9] = [
    v4(Ipv4Addr::UNSPECIFIED),
    v4(Ipv4Addr::LOCALHOST),
    v6(MAPPED_ANY),
    v6(MAPPED),
    v6(Ipv6Addr::UNSPECIFIED),
    only(v6(Ipv6Addr::UNSPECIFIED)),
    only(v6(Ipv6Addr::LOCALHOST)),
    v6(Ipv6Addr::LOCALHOST),
    v4(Ipv4Addr::new(127, 0, 0, 2)),
];

fn request(end: End) -> Request {
    Request {
        transport: Transport::Tcp,
        address: end.address,
        port: PORT,
        options: Options { v6only: end.v6only, ..Options::default() },
        uid: Uid(1000),
        may_bind_reserved: false,
    }
}

fn socket(end: End) -> Socket {
    let mut socket = Socket::closed(Transport::Tcp, SocketAddr::new(end.address, PORT.0));
    socket.v6only = Truth::from(end.v6only);
    socket.uid = Some(Uid(1000));
    socket.options = with(false, false);
    socket
}

fn with(reuse_address: bool, reuse_port: bool) -> SocketOptions {
    SocketOptions {
        reuse_address: reuse_address.into(),
        reuse_port: reuse_port.into(),
        v6only: Truth::Unknown,
    }
}

fn minisock(end: End) -> Socket {
    let timer = Timer { kind: TimerKind::TimeWait, remaining_ms: 30_000, retransmits: 0 };
    Socket { kind: Kind::Minisock, state: State::TimeWait, uid: None, timer, ..socket(end) }
}

fn host() -> Host {
    Host { ipv6: true, sysctls: crate::facts::Sysctls::default(), ..Host::default() }
}

fn ruling(request: &Request, old: &Socket) -> Ruling {
    bind(request, &[old], &host(), TODAY)
}

fn any_v4(change: impl FnOnce(&mut Request)) -> Request {
    let mut request = request(v4(Ipv4Addr::UNSPECIFIED));
    change(&mut request);
    request
}

#[test]
fn every_pair_of_addresses_overlaps_as_measured() {
    // A row for the new one, a column for the old one:
    // 0.0.0.0 | 127.0.0.1 | ::ffff:0.0.0.0 | ::ffff:127.0.0.1 | :: | :: only | ::1 only | ::1 | 127.0.0.2
    let measured = [
        "x x x x x . . x x", // 0.0.0.0: ::1 without V6ONLY is a child with the stand-in 127.0.0.6
        "x x x x x . . . .", // 127.0.0.1
        "x x x x x . . . x", // ::ffff:0.0.0.0
        "x x x x x . . . .", // ::ffff:127.0.0.1
        "x x x x x x x x x", // ::
        ". . . . x x x x .", // :: only
        ". . . . x x x x .", // ::1 only
        ". . . . x x x x .", // ::1
        "x . x . x . . . x", // 127.0.0.2
    ];
    for (new, row) in ENDS.iter().zip(measured) {
        let found: Vec<&str> = ENDS
            .iter()
            .map(|old| match overlap(&request(*new), &socket(*old), TODAY).0 {
                Truth::Yes => "x",
                Truth::No => ".",
                Truth::Unknown => "?",
            })
            .collect();
        assert_eq!(found.join(" "), row, "a new {new:?}");
    }
}

#[test]
fn sharing_needs_the_same_option_on_both_sides() {
    for (new, old, listening, shares) in [
        ((true, false), (true, false), false, true),
        ((true, false), (true, false), true, false),
        ((true, false), (false, true), false, false),
        ((false, true), (false, true), false, true),
        ((false, true), (false, true), true, true),
        ((false, true), (true, false), false, false),
        ((false, false), (true, true), false, false),
        ((true, true), (true, true), true, true),
    ] {
        let request = any_v4(|request| {
            (request.options.reuse_address, request.options.reuse_port) = new;
        });
        let mut socket = socket(v4(Ipv4Addr::UNSPECIFIED));
        socket.options = with(old.0, old.1);
        socket.state = if listening { State::Listen } else { State::Closed };
        let relation = relation(&request, &socket, TODAY);
        assert_eq!(relation.conflict(), Truth::from(!shares), "{new:?} beside {old:?}");
    }
}

#[test]
fn a_time_wait_that_may_have_had_the_option_is_not_decided() {
    let request = any_v4(|request| request.options.reuse_address = true);
    let mut old = minisock(v4(Ipv4Addr::LOCALHOST));
    old.options = SocketOptions::default();
    let Ruling::DependsOn { hidden, certain, possible } = ruling(&request, &old) else {
        panic!("undecided")
    };
    assert_eq!((hidden, certain, possible), (vec![Hidden::OldReuseAddress], vec![], vec![0]));
    let plain = any_v4(|_| {});
    assert_eq!(ruling(&plain, &old), Ruling::Conflict { certain: vec![0], possible: vec![] });
}

#[test]
fn root_may_not_join_the_port_of_another_user_but_any_user_passes_a_minisock() {
    let request = any_v4(|request| {
        request.options.reuse_port = true;
        request.uid = Uid(0);
    });
    let end = v4(Ipv4Addr::UNSPECIFIED);
    let listener = Socket { state: State::Listen, options: with(false, true), ..socket(end) };
    let found = relation(&request, &listener, TODAY);
    assert_eq!((found.conflict(), found.barrier), (Truth::Yes, Barrier::OtherUser));
    let remains = Socket { options: with(false, true), ..minisock(end) };
    assert_eq!(ruling(&request, &remains), Ruling::Free);
}

#[test]
fn a_refusal_with_reuse_port_is_left_to_the_kernels_memory() {
    let request = any_v4(|request| request.options.reuse_port = true);
    let old = socket(v4(Ipv4Addr::UNSPECIFIED));
    let Ruling::DependsOn { hidden, certain, .. } = ruling(&request, &old) else {
        panic!("undecided")
    };
    assert_eq!((hidden, certain), (vec![Hidden::ReusePortShortcut], vec![0]));
}

#[test]
fn sockets_bound_to_different_interfaces_never_meet() {
    let on = |device| Some(InterfaceIndex(device));
    let request = any_v4(|request| request.options.device = on(1));
    let mut old = socket(v4(Ipv4Addr::UNSPECIFIED));
    for (device, meets) in [(on(2), false), (on(1), true), (None, true)] {
        old.device = device;
        assert_eq!(ruling(&request, &old) == Ruling::Free, !meets, "{device:?}");
    }
}

#[test]
fn of_two_sockets_that_share_a_port_the_first_to_listen_wins() {
    let request = any_v4(|request| request.options.reuse_address = true);
    let end = v4(Ipv4Addr::UNSPECIFIED);
    let own = Socket { cookie: Cookie(1), options: with(true, false), ..socket(end) };
    let other =
        |state| Socket { cookie: Cookie(2), options: with(true, false), state, ..socket(end) };
    let bound = other(State::Closed);
    assert_eq!(listen(&request, own.cookie, &[&own, &bound], TODAY), Ruling::Free);
    let listening = other(State::Listen);
    let refused = Ruling::Conflict { certain: vec![1], possible: vec![] };
    assert_eq!(listen(&request, own.cookie, &[&own, &listening], TODAY), refused);
}

#[test]
fn a_handshake_on_its_way_owns_no_port() {
    let mut half_open = socket(v4(Ipv4Addr::LOCALHOST));
    (half_open.kind, half_open.state) = (Kind::Request, State::SynReceived);
    assert_eq!(ruling(&any_v4(|_| {}), &half_open), Ruling::Free);
}

#[test]
fn a_foreign_address_on_a_reserved_port_answers_by_family() {
    let foreign = |end| Request { port: Port(80), ..request(end) };
    let over_v4 = foreign(v4(Ipv4Addr::new(192, 0, 2, 1)));
    let over_v6 = foreign(v6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)));
    let errno = |request| bind(request, &[], &host(), TODAY).errno();
    assert_eq!(errno(&over_v4), Some(Errno::AddressNotAvailable));
    assert_eq!(errno(&over_v6), Some(Errno::AccessDenied));
}

#[test]
fn no_option_helps_against_an_owner_when_the_kernel_chooses_the_port() {
    let mut host = host();
    host.sysctls.local_port_range = crate::facts::PortRange { low: PORT, high: PORT };
    let request = any_v4(|request| request.options.reuse_address = true);
    let mut old = socket(v4(Ipv4Addr::UNSPECIFIED));
    old.options = with(true, false);
    let (refused, chosen) = bind_any_port(&request, &[&old], &host, TODAY);
    assert_eq!((refused.errno(), chosen), (Some(Errno::AddressInUse), None));
    host.sysctls.autobind_reuse = true;
    assert_eq!(bind_any_port(&request, &[&old], &host, TODAY), (Ruling::Free, Some(PORT)));
}

#[test]
fn a_udp_socket_that_shares_may_be_given_a_port_in_use() {
    let mut host = host();
    host.sysctls.local_port_range = crate::facts::PortRange { low: PORT, high: PORT };
    let choice = |wants: (bool, bool), has: (bool, bool)| {
        let request = any_v4(|request| {
            request.transport = Transport::Udp;
            (request.options.reuse_address, request.options.reuse_port) = wants;
        });
        let mut old = socket(v4(Ipv4Addr::UNSPECIFIED));
        (old.transport, old.options) = (Transport::Udp, with(has.0, has.1));
        bind_any_port(&request, &[&old], &host, TODAY)
    };
    assert_eq!(choice((true, false), (true, false)), (Ruling::Free, Some(PORT)));
    assert_eq!(choice((false, true), (false, true)), (Ruling::Free, Some(PORT)));
    assert_eq!(choice((true, false), (false, true)).0.errno(), Some(Errno::AddressInUse));
}

#[test]
fn connect_surely_avoids_a_bound_socket_but_not_one_that_connected_since() {
    let localhost = SocketAddr::from((Ipv4Addr::LOCALHOST, 80));
    let connect = Connect { destination: localhost, source: localhost.ip(), device: None };
    let usable =
        |old: &Socket| connect_without_port(&connect, PORT, &[old], &host(), Truth::Yes).usable();
    let bound = socket(v4(Ipv4Addr::LOCALHOST));
    assert_eq!(usable(&bound), Truth::No);
    assert_eq!(usable(&Socket { state: State::Listen, ..bound.clone() }), Truth::No);
    let elsewhere = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 81)));
    let dead = Socket { remote: elsewhere, port_named: Truth::Yes, ..bound };
    assert_eq!(usable(&dead), Truth::Unknown);
    let connected = Socket { state: State::Established, ..dead };
    assert_eq!(usable(&connected), Truth::Unknown);
    let there = Socket { remote: Some(localhost), ..connected };
    assert_eq!(usable(&there), Truth::No);
}

fn ends() -> impl Strategy<Value = End> {
    prop::sample::select(ENDS.as_slice())
}

fn devices() -> impl Strategy<Value = Option<InterfaceIndex>> {
    prop::option::of((1_u32..3).prop_map(InterfaceIndex))
}

proptest! {
    /// The one exception since 6.9: 0.0.0.0 meets a connection between IPv6 addresses, which in turn never
    /// asks for an IPv4 address.
    #[test]
    fn overlap_is_symmetric_but_for_the_ipv4_stand_in(
        one in ends(), other in ends(), device in devices(), elsewhere in devices(),
    ) {
        let asked = |end, device| {
            let mut request = request(end);
            request.options.device = device;
            request
        };
        let there = |end, device| Socket { device, ..socket(end) };
        let forward = overlap(&asked(one, device), &there(other, elsewhere), TODAY);
        let backward = overlap(&asked(other, elsewhere), &there(one, device), TODAY);
        let stand_in = [forward.1, backward.1].contains(&Some(Overlap::StandIn));
        prop_assert!(forward.0 == backward.0 || stand_in, "{forward:?} {backward:?}");
    }

    /// Whatever is not visible, learning it never turns a certain answer into another.
    #[test]
    fn a_certain_answer_stays_whatever_the_hidden_options_are(
        new in ends(), old in ends(), listening: bool,
        wants: (bool, bool), has: (bool, bool), same_user: bool,
    ) {
        let mut request = request(new);
        (request.options.reuse_address, request.options.reuse_port) = wants;
        let mut shown = socket(old);
        shown.state = if listening { State::Listen } else { State::Established };
        shown.uid = Some(Uid(if same_user { 1000 } else { 1001 }));
        let full = Socket { options: with(has.0, has.1), ..shown.clone() };
        shown.options = SocketOptions::default();
        shown.v6only = Truth::Unknown;
        let (blind, seeing) = (ruling(&request, &shown), ruling(&request, &full));
        if blind.is_certain() {
            prop_assert_eq!(blind.errno(), seeing.errno());
            prop_assert!(seeing.is_certain());
        }
    }
}
