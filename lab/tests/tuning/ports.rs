//! Local ports: which are lent, which are not, and to whom.

use crate::bench::{LOCAL, bind, connect, leave_time_wait, local, request, reusing};
use lastack_lab::namespace::Namespace;
use lastack_lab::privilege::without_reserved_ports;
use lastack_lab::{sockets, states};
use lastack_model::errno::Errno;

#[test]
fn ip_local_port_range_limits_how_many_connections_can_rest() {
    let namespace = Namespace::enter();
    namespace.set("ipv4/ip_local_port_range", "50000 50003");
    namespace.set("ipv4/tcp_tw_reuse", "0");
    let listener = states::listening(&reusing(LOCAL, 300));
    let mut ports: Vec<u16> = (0..4)
        .map(|_| {
            let (client, connected) = connect(local(300));
            connected.expect("a port is left");
            leave_time_wait(client, &listener)
        })
        .collect();
    ports.sort_unstable();
    assert_eq!(ports, [50_000, 50_001, 50_002, 50_003]);
    assert_eq!(connect(local(300)).1, Err(Errno::AddressNotAvailable), "all four rest");
    namespace.set("ipv4/ip_local_port_range", "50000 50005");
    let (fifth, connected) = connect(local(300));
    assert_eq!(connected, Ok(()));
    assert!(sockets::local(&fifth).port() > 50_003);
}

#[test]
fn ip_local_reserved_ports_are_not_lent_and_can_be_bound_by_name() {
    let namespace = Namespace::enter();
    namespace.set("ipv4/ip_local_port_range", "50000 50001");
    namespace.set("ipv4/ip_local_reserved_ports", "50000");
    let _listener = states::listening(&request(LOCAL, 300));
    let (first, connected) = connect(local(300));
    assert_eq!((connected, sockets::local(&first).port()), (Ok(()), 50_001));
    assert_eq!(connect(local(300)).1, Err(Errno::AddressNotAvailable), "the other is not lent");
    assert_eq!(bind(&request(LOCAL, 0)), Err(Errno::AddressInUse), "nor to bind(0)");
    assert_eq!(bind(&request(LOCAL, 50_000)), Ok(()), "by name it is to be had");
    namespace.set("ipv4/ip_local_reserved_ports", "\n");
    assert_eq!(connect(local(300)).1, Ok(()));
}

#[test]
fn ip_unprivileged_port_start_opens_ports_to_everybody() {
    let namespace = Namespace::enter();
    let ask = |port| without_reserved_ports(|| bind(&request(LOCAL, port)));
    assert_eq!((ask(1023), ask(1024)), (Err(Errno::AccessDenied), Ok(())));
    namespace.set("ipv4/ip_unprivileged_port_start", "80");
    assert_eq!((ask(79), ask(80)), (Err(Errno::AccessDenied), Ok(())));
}

#[test]
fn ip_autobind_reuse_lends_a_port_twice_when_none_is_free() {
    let namespace = Namespace::enter();
    namespace.set("ipv4/ip_local_port_range", "50000 50001");
    namespace.set("ipv4/ip_local_reserved_ports", "50001");
    let first = states::bound(&reusing(LOCAL, 0));
    assert_eq!(sockets::local(&first).port(), 50_000);
    assert_eq!(bind(&reusing(LOCAL, 0)), Err(Errno::AddressInUse), "0: none is free");
    namespace.set("ipv4/ip_autobind_reuse", "1");
    assert_eq!(bind(&request(LOCAL, 0)), Err(Errno::AddressInUse), "without SO_REUSEADDR");
    assert_eq!(bind(&reusing(LOCAL, 0)), Ok(()));
}
