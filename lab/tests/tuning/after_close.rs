//! `TIME_WAIT` and `FIN_WAIT_2`: which settings touch them, and which only seem to.

use crate::bench::{
    LOCAL, Wire, bind, connect, counters, leave_time_wait, local, only, request, reusing,
};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::undisturbed;
use lastack_lab::sockets;
use lastack_lab::states::{self, on_port, wait_for, wait_until};
use lastack_model::errno::Errno;
use lastack_model::state::State;
use std::path::Path;

#[test]
fn tcp_fin_timeout_ends_orphans_in_fin_wait_2_and_leaves_time_wait_alone() {
    let namespace = Namespace::enter();
    namespace.set("ipv4/tcp_fin_timeout", "7");
    let listener = states::listening(&reusing(LOCAL, 300));
    states::time_wait(states::established(&listener, local(300)));
    let left = only(300, State::TimeWait).timer.remaining_ms;
    assert!((55_000..=60_000).contains(&left), "TIME_WAIT ends in {left} ms");
    let first = states::orphan_fin_wait_2(states::established(&listener, local(300)));
    let left = only(300, State::FinWait2).timer.remaining_ms;
    assert!((4_000..=7_000).contains(&left), "FIN_WAIT_2 ends in {left} ms");
    namespace.set("ipv4/tcp_fin_timeout", "30");
    let left = only(300, State::FinWait2).timer.remaining_ms;
    assert!(left <= 7_000, "what waits keeps its time: {left} ms");
    let _second = states::orphan_fin_wait_2(states::established(&listener, local(300)));
    let longest = on_port(300).into_iter().filter(|socket| socket.state == State::FinWait2);
    let longest = longest.map(|socket| socket.timer.remaining_ms).max().expect("two of them");
    assert!((25_000..=30_000).contains(&longest), "the next one has {longest} ms");
    let port = sockets::local(&first).port();
    undisturbed(|| drop(first));
    let is_first = |socket: &lastack_model::facts::Socket| {
        socket.remote.is_some_and(|remote| remote.port() == port)
    };
    wait_for(300, |socket| is_first(socket) && socket.state == State::TimeWait);
    let waits = on_port(300);
    let left = waits.iter().find(|socket| is_first(socket)).expect("it waits").timer.remaining_ms;
    assert!(
        (55_000..=60_000).contains(&left),
        "the peer's FIN begins a whole TIME_WAIT: {left} ms"
    );
}

/// A namespace that lends one port, which is in `TIME_WAIT` toward the listener.
fn one_port_in_time_wait(namespace: &Namespace) -> (rustix::fd::OwnedFd, u16) {
    namespace.set("ipv4/ip_local_port_range", "50000 50001");
    namespace.set("ipv4/ip_local_reserved_ports", "50001");
    namespace.set("ipv4/tcp_tw_reuse_delay", "1");
    let listener = states::listening(&reusing(LOCAL, 300));
    let (client, connected) = connect(local(300));
    connected.expect("the first connection");
    let port = leave_time_wait(client, &listener);
    (listener, port)
}

#[test]
fn tcp_tw_reuse_helps_connect_and_never_bind() {
    for value in ["1", "2"] {
        let namespace = Namespace::enter();
        namespace.set("ipv4/tcp_tw_reuse", "0");
        let (_listener, port) = one_port_in_time_wait(&namespace);
        assert_eq!(port, 50_000);
        assert_eq!(connect(local(300)).1, Err(Errno::AddressNotAvailable), "0 never");
        namespace.set("ipv4/tcp_tw_reuse", value);
        assert_eq!(bind(&request(LOCAL, port)), Err(Errno::AddressInUse), "{value} and bind()");
        let recycled = counters().time_wait_recycled;
        wait_until("the wait is older than the delay", || connect(local(300)).1.is_ok());
        assert!(counters().time_wait_recycled > recycled, "{value} on loopback");
    }
}

#[test]
fn tcp_tw_reuse_delay_keeps_a_young_time_wait_from_being_reused() {
    let namespace = Namespace::enter();
    namespace.set("ipv4/tcp_tw_reuse", "1");
    let (_listener, _port) = one_port_in_time_wait(&namespace);
    namespace.set("ipv4/tcp_tw_reuse_delay", "60000");
    assert_eq!(connect(local(300)).1, Err(Errno::AddressNotAvailable));
    namespace.set("ipv4/tcp_tw_reuse_delay", "1");
    wait_until("the wait is older than the delay", || connect(local(300)).1.is_ok());
}

#[test]
fn above_tcp_max_tw_buckets_no_time_wait_is_made_and_the_kernel_counts_it() {
    let namespace = Namespace::enter();
    namespace.set("ipv4/tcp_max_tw_buckets", "1");
    for port in [300, 301] {
        let listener = states::listening(&request(LOCAL, port));
        let pair = states::established(&listener, local(port));
        undisturbed(|| drop(listener));
        undisturbed(|| drop(pair));
        wait_until("the connection has ended", || {
            let left = on_port(port);
            left.iter().all(|socket| socket.state == State::TimeWait)
        });
    }
    assert_eq!(bind(&request(LOCAL, 300)), Err(Errno::AddressInUse), "the first one waits");
    assert_eq!(bind(&request(LOCAL, 301)), Ok(()), "the second one is gone at once");
    assert_eq!(counters().time_wait_overflow, 1);
    namespace.set("ipv4/tcp_max_tw_buckets", "0");
    assert_eq!(only(300, State::TimeWait).state, State::TimeWait, "what is there stays");
}

#[test]
fn an_exact_reset_ends_time_wait_unless_tcp_rfc1337_is_set() {
    let namespace = Namespace::enter();
    let wire = Wire::tap();
    let listener = states::listening(&reusing(LOCAL, 300));
    let pair = states::established(&listener, local(300));
    let peer = sockets::local(&pair.peer).port();
    undisturbed(|| states::time_wait(pair));
    let exact = wire.after_fin(peer, 300);
    namespace.set("ipv4/tcp_rfc1337", "1");
    wire.reset(peer, 300, exact);
    only(300, State::TimeWait);
    namespace.set("ipv4/tcp_rfc1337", "0");
    wire.reset(peer, 300, exact.wrapping_add(1));
    only(300, State::TimeWait);
    wire.reset(peer, 300, exact);
    wait_until("the reset has ended it", || {
        on_port(300).iter().all(|socket| socket.state == State::Listen)
    });
}

#[test]
fn without_tcp_timestamps_a_time_wait_does_not_give_way_to_the_same_four_tuple() {
    for (timestamps, answer) in [("0", Err(Errno::AddressNotAvailable)), ("1", Ok(()))] {
        let namespace = Namespace::enter();
        namespace.set("ipv4/tcp_timestamps", timestamps);
        let listener = states::listening(&reusing(LOCAL, 300));
        let client = states::bound(&reusing(LOCAL, 1010));
        sockets::connect(&client, local(300)).expect("the first connection");
        leave_time_wait(client, &listener);
        let again = states::bound(&reusing(LOCAL, 1010));
        assert_eq!(sockets::connect(&again, local(300)), answer, "tcp_timestamps = {timestamps}");
    }
}

#[test]
fn tcp_tw_recycle_is_gone() {
    let present = Path::new("/proc/sys/net/ipv4/tcp_tw_recycle").exists();
    assert!(!present, "no kernel since 4.12 has it");
}
