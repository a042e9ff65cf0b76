use super::*;
use crate::facts::{Interface, Sockets, Sysctls, Timer, TimerKind, Transport};
use crate::ids::{Inode, InterfaceIndex};
use std::net::Ipv4Addr;

fn minisock(state: State, local: &str, remote: &str, remaining_ms: u32) -> Socket {
    Socket {
        remote: Some(remote.parse().expect("an address")),
        state,
        kind: Kind::Minisock,
        timer: Timer { kind: TimerKind::TimeWait, remaining_ms, retransmits: 0 },
        ..Socket::closed(Transport::Tcp, local.parse().expect("an address"))
    }
}

fn time_wait(local: &str, remote: &str) -> SocketGroup {
    SocketGroup::of(minisock(State::TimeWait, local, remote, 40_000))
}

/// A host that has 10.0.0.1 beside loopback.
fn host(timestamps: u8) -> Host {
    Host {
        sysctls: Sysctls { timestamps, ..Sysctls::default() },
        interfaces: vec![Interface {
            index: InterfaceIndex(2),
            name: "eth0".into(),
            v4: vec![Ipv4Addr::new(10, 0, 0, 1)],
        }],
        ..Host::default()
    }
}

#[test]
fn a_connection_of_the_host_with_itself_has_both_ends_here() {
    let on_loopback = time_wait("127.0.0.1:80", "127.0.0.1:4000");
    let on_own_address = time_wait("10.0.0.1:80", "10.0.0.1:4000");
    let mapped = time_wait("[::ffff:10.0.0.1]:80", "[::ffff:10.0.0.1]:4000");
    for group in [on_loopback, on_own_address, mapped] {
        assert_eq!(risk(&group, &host(0)), Risk::BothEndsHere, "{group:?}");
    }
}

#[test]
fn towards_another_host_timestamps_make_the_difference() {
    let group = time_wait("10.0.0.1:80", "10.0.0.2:4000");
    assert_eq!(risk(&group, &host(0)), Risk::NoTimestamps);
    assert_eq!(risk(&group, &host(1)), Risk::TimestampsHere);
    assert_eq!(risk(&group, &host(2)), Risk::TimestampsHere);
}

#[test]
fn one_end_elsewhere_or_out_of_sight_is_enough_to_be_at_risk() {
    let mut sockets = Sockets::default();
    for port in 4000..4006 {
        let remote = format!("10.0.0.1:{port}");
        sockets.add(minisock(State::TimeWait, "10.0.0.1:80", &remote, 1000));
        let [group] = sockets.groups() else { panic!("one group") };
        let certain = group.count <= 4;
        let expected = if certain { Risk::BothEndsHere } else { Risk::NoTimestamps };
        assert_eq!(risk(group, &host(0)), expected, "{} remote ends", group.count);
    }
    let mut mixed = Sockets::default();
    mixed.add(minisock(State::TimeWait, "10.0.0.1:80", "10.0.0.1:4000", 1000));
    mixed.add(minisock(State::TimeWait, "10.0.0.1:80", "10.0.0.2:4000", 1000));
    assert_eq!(risk(&mixed.groups()[0], &host(0)), Risk::NoTimestamps);
}

#[test]
fn a_socket_bound_to_an_interface_may_speak_to_anyone() {
    let mut group = time_wait("10.0.0.1:80", "10.0.0.1:4000");
    group.example.device = Some(InterfaceIndex(2));
    assert_eq!(risk(&group, &host(0)), Risk::NoTimestamps);
}

#[test]
fn a_peer_that_has_not_closed_is_at_risk_on_the_same_host_too() {
    let waiting = minisock(State::FinWait2, "127.0.0.1:80", "127.0.0.1:4000", 1000);
    let group = SocketGroup::of(waiting);
    assert_eq!(risk(&group, &host(1)), Risk::PeerHasNotClosed);
    assert_eq!(waited_ms(&group), None);
}

#[test]
fn whole_sockets_are_left_to_others_but_for_an_orphan_whose_peer_has_not_closed() {
    for state in State::ALL {
        let local = "10.0.0.1:80".parse().expect("an address");
        let whole = Socket { state, ..Socket::closed(Transport::Tcp, local) };
        let orphaned = SocketGroup::of(whole.clone());
        let held = SocketGroup::of(Socket { inode: Some(Inode(9)), ..whole });
        let waits_for_peer = state == State::FinWait2;
        let expected = if waits_for_peer { Risk::PeerIsResetAtOnce } else { Risk::NotRemains };
        assert_eq!(risk(&orphaned, &host(0)), expected, "{state}");
        assert_eq!(risk(&held, &host(0)), Risk::NotRemains, "{state}");
    }
}

#[test]
fn the_youngest_of_a_group_says_how_long_all_have_waited() {
    let mut sockets = Sockets::default();
    sockets.add(minisock(State::TimeWait, "10.0.0.1:80", "10.0.0.2:4000", 10_000));
    sockets.add(minisock(State::TimeWait, "10.0.0.1:80", "10.0.0.2:4001", 55_000));
    assert_eq!(waited_ms(&sockets.groups()[0]), Some(5_000));
    let restarted = minisock(State::TimeWait, "10.0.0.1:80", "10.0.0.2:4000", 62_000);
    assert_eq!(waited_ms(&SocketGroup::of(restarted)), Some(0), "a late timer is no negative age");
}
