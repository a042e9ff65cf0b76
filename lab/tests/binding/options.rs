//! The sockets that are made: their options, their families, one port for both, all of them or none.

use crate::scene::{ANY, ANY_V6, LOCAL, LOCAL_V6, PORT, silence};
use lastack_graceful::bind::{Bind, Families, Reason};
use lastack_lab::namespace::Namespace;
use lastack_lab::states::on_port;
use lastack_os::listener::accept_queue;
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::{FdFlags, fcntl_getfd};
use rustix::net::sockopt;
use std::net::{SocketAddr, TcpListener, TcpStream};

fn addresses(listeners: &[TcpListener]) -> Vec<SocketAddr> {
    listeners.iter().map(|it| it.local_addr().expect("an address")).collect()
}

#[test]
fn a_listener_has_every_option_from_its_first_bind_on() {
    let _namespace = Namespace::enter();
    let bound = Bind::to(LOCAL).bound().expect("bound");
    for socket in bound.sockets() {
        assert!(sockopt::socket_reuseaddr(socket).expect("SO_REUSEADDR"));
        assert!(!sockopt::socket_reuseport(socket).expect("SO_REUSEPORT"));
    }
    drop(bound);
    let listener = Bind::to(LOCAL).backlog(7).listen().expect("a listener");
    assert_eq!(accept_queue(&listener).expect("a queue").limit, 7);
    assert!(fcntl_getfd(&listener).expect("flags").contains(FdFlags::CLOEXEC));
    assert!(!fcntl_getfl(&listener).expect("flags").contains(OFlags::NONBLOCK));
    drop(listener);
    silence(LOCAL.port());
    let listener = Bind::to(LOCAL).nonblocking().listen().expect("a listener");
    assert!(fcntl_getfl(&listener).expect("flags").contains(OFlags::NONBLOCK));
}

#[test]
fn v6only_is_set_whatever_the_system_says() {
    let namespace = Namespace::enter();
    for default in ["0", "1"] {
        namespace.set("ipv6/bindv6only", default);
        let own = Bind::to(ANY_V6).listen().expect("a listener");
        assert!(sockopt::ipv6_v6only(&own).expect("IPV6_V6ONLY"));
        assert!(TcpStream::connect(LOCAL).is_err(), "IPv4 is not served");
        drop(own);
        for asked in [ANY, ANY_V6] {
            let both = Bind::to(asked).families(Families::OneSocket).listen().expect("a listener");
            assert!(!sockopt::ipv6_v6only(&both).expect("IPV6_V6ONLY"));
            TcpStream::connect(LOCAL).expect("IPv4 is served");
            TcpStream::connect(LOCAL_V6).expect("IPv6 is served");
        }
        let two = Bind::to(ANY).families(Families::TwoSockets).listen_all().expect("listeners");
        assert_eq!(addresses(&two), [ANY, ANY_V6]);
    }
}

#[test]
fn two_sockets_on_a_port_of_the_kernels_choice_have_the_same() {
    let namespace = Namespace::enter();
    // Of the only two ports one is taken in the other family: the first choice may be the wrong one.
    namespace.set("ipv4/ip_local_port_range", "20000 20001");
    let _taken = TcpListener::bind(("::1", 20001)).expect("taken");
    for _ in 0..20 {
        let pair = Bind::to("127.0.0.1:0").families(Families::TwoSockets);
        let ports: Vec<u16> =
            addresses(&pair.listen_all().expect("a pair")).iter().map(SocketAddr::port).collect();
        assert_eq!(ports, [20000, 20000]);
    }
}

#[test]
fn without_ipv6_the_pair_is_ipv4_alone_and_what_was_asked_for_is_missed() {
    let namespace = Namespace::enter();
    namespace.set("ipv6/conf/all/disable_ipv6", "1");
    let pair = Bind::to(LOCAL).families(Families::TwoSockets).listen_all().expect("a listener");
    assert_eq!(addresses(&pair), [LOCAL]);
    let error = Bind::to(LOCAL_V6).listen().expect_err("no such address");
    assert_eq!(error.reason(), Reason::AddressNotAvailable);
    let says = "bind [::1]:8080: the address is not one of this host's (it may lack the address \
                still, or IPv6)";
    assert_eq!(error.to_string(), says);
}

#[test]
fn of_several_addresses_all_are_bound_or_none() {
    let _namespace = Namespace::enter();
    let taken = TcpListener::bind(LOCAL_V6).expect("taken");
    let both = Bind::to(LOCAL).and(LOCAL_V6);
    let error = both.listen_all().expect_err("one is taken");
    assert_eq!((error.reason(), error.address()), (Reason::AddressInUse, Some(LOCAL_V6)));
    assert_eq!(on_port(PORT).len(), 1, "nothing is left of the attempt");
    drop(taken);
    assert_eq!(addresses(&both.listen_all().expect("free")), [LOCAL, LOCAL_V6]);
}

#[test]
fn one_listener_is_not_made_of_two() {
    let _namespace = Namespace::enter();
    let error = Bind::to(LOCAL).and(LOCAL_V6).listen().expect_err("two");
    assert_eq!(error.reason(), Reason::SeveralSockets);
    let says =
        "listen with one socket: 127.0.0.1:8080 and [::1]:8080 need several (call listen_all)";
    assert_eq!(error.to_string(), says);
    assert!(on_port(PORT).is_empty());
}

#[test]
fn what_does_not_resolve_is_told_when_it_is_needed() {
    let error = Bind::to("no address").listen().expect_err("no address");
    assert_eq!((error.reason(), error.address()), (Reason::BadAddress, None));
    assert!(error.to_string().starts_with("resolve the address: "), "{error}");
    let error = Bind::to(&[][..]).listen_all().expect_err("nothing");
    assert_eq!(error.reason(), Reason::BadAddress);
}

#[test]
fn a_group_shares_and_a_server_that_sets_nothing_does_not() {
    let _namespace = Namespace::enter();
    let first = Bind::to(LOCAL).group().listen().expect("the first");
    let second = Bind::to(LOCAL).group().listen().expect("the second");
    let error = Bind::to(LOCAL).listen().expect_err("in use");
    assert_eq!(error.reason(), Reason::AddressInUse);
    drop((first, second));
}
