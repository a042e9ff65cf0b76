//! What each kind of socket on the port is called, who is blamed for it, and what helps.

use crate::answer::{ANY, LOCAL, fresh_port, me, really, request, reusing, why};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::{Process, User, lastack_as};
use lastack_lab::states::{self, Pair};
use lastack_lab::{sockets, states::wait_for};
use lastack_model::bind::{Options, Request};
use lastack_model::errno::Errno;
use lastack_model::facts::{Family, Transport};
use lastack_model::ids::Uid;
use lastack_model::state::State;
use rustix::net::{self, Shutdown};
use std::net::{Ipv6Addr, SocketAddr};
use std::process::Command;

/// A connection to a listener that is gone; our end is on the port.
fn connection(listener: &Request) -> Pair {
    let socket = states::listening(listener);
    states::established(&socket, SocketAddr::from((LOCAL, listener.port.0)))
}

#[test]
fn a_plain_listener_is_named_with_its_process() {
    Namespace::enter();
    let port = fresh_port();
    let _listener = states::listening(&request(LOCAL, port));
    let answer = why(&[&format!("127.0.0.1:{port}")]);
    assert_eq!(answer.verdict(), ("in_use", 1));
    assert_eq!(answer.role_and_state(), ("listener", State::Listen));
    answer.assert_blames(&[me()]);
    answer.assert_lasts_while_held();
    assert!(answer.is_futile("reuse_address_beside_listener"));
    assert!(answer.is_futile("destroy_listener"), "ss -K breaks a listener and frees nothing");
}

#[test]
fn time_wait_of_a_server_without_reuse_address_ends_by_waiting_alone() {
    Namespace::enter();
    let port = fresh_port();
    states::time_wait(connection(&request(LOCAL, port)));
    let answer = why(&[&format!("127.0.0.1:{port}")]);
    assert_eq!(answer.verdict(), ("in_use", 1));
    assert_eq!(answer.role_and_state(), ("time_wait", State::TimeWait));
    answer.assert_blames(&[]);
    let (least, most) = answer.time_left();
    assert!((50_000..=60_000).contains(&least) && most <= 65_000, "{least} to {most} ms");
    assert_eq!(answer.reuse_address(), None, "{}", answer.text);
    assert!(answer.is_futile("reuse_address_tried") || answer.is_futile("reuse_address_one_sided"));
    assert!(answer.is_futile("kill_nobody_holds_it"));
    assert_eq!(really(&reusing(LOCAL, port)), Some(Errno::AddressInUse));
}

#[test]
fn time_wait_of_a_server_with_reuse_address_gives_way_to_reuse_address() {
    Namespace::enter();
    let port = fresh_port();
    states::time_wait(connection(&reusing(LOCAL, port)));
    let place = format!("127.0.0.1:{port}");
    let answer = why(&[&place]);
    assert_eq!(answer.verdict(), ("in_use", 1));
    answer.assert_blames(&[]);
    answer.time_left();
    assert_eq!(answer.reuse_address().expect("SO_REUSEADDR is proposed"), "tried");
    assert_eq!(really(&reusing(LOCAL, port)), None);
    assert_eq!(why(&[&place, "--reuse-address"]).verdict(), ("free", 0));
}

#[test]
fn an_orphan_in_fin_wait_2_is_not_blamed_on_the_remote_end() {
    Namespace::enter();
    let port = fresh_port();
    let _remote_end = states::orphan_fin_wait_2(connection(&request(LOCAL, port)));
    let answer = why(&[&format!("127.0.0.1:{port}")]);
    assert_eq!(answer.verdict(), ("in_use", 1));
    assert_eq!(answer.role_and_state(), ("orphan_fin_wait2", State::FinWait2));
    answer.assert_blames(&[]);
    assert!(answer.is_futile("kill_remote_end"));
    let (least, most) = answer.time_left();
    assert!(least <= 60_000, "the orphan's own minute: {least}");
    assert!(most >= least + 60_000, "the remote end may close in the last moment: {most}");
}

#[test]
fn a_half_closed_connection_is_blamed_on_the_process_that_still_holds_it() {
    Namespace::enter();
    let port = fresh_port();
    let pair = connection(&request(LOCAL, port));
    net::shutdown(&pair.ours, Shutdown::Write).expect("a half-close");
    wait_for(port, |socket| socket.state == State::FinWait2);
    let answer = why(&[&format!("127.0.0.1:{port}")]);
    assert_eq!(answer.verdict(), ("in_use", 1));
    assert_eq!(answer.role_and_state(), ("half_closed", State::FinWait2));
    answer.assert_blames(&[me()]);
    answer.assert_lasts_while_held();
}

#[test]
fn leaked_connections_in_close_wait_are_counted_and_blamed_on_the_leak() {
    Namespace::enter();
    let port = fresh_port();
    let listener = states::listening(&request(LOCAL, port));
    let to = SocketAddr::from((LOCAL, port));
    let leaked: Vec<_> = (0..3)
        .map(|_| {
            let Pair { ours, peer } = states::established(&listener, to);
            let remote = sockets::local(&peer);
            drop(peer);
            wait_for(port, |s| s.remote == Some(remote) && s.state == State::CloseWait);
            ours
        })
        .collect();
    drop(listener);
    let answer = why(&[&format!("127.0.0.1:{port}")]);
    assert_eq!(answer.verdict(), ("in_use", 1));
    assert_eq!(answer.role_and_state(), ("close_wait", State::CloseWait));
    assert_eq!(answer.conflict()["sockets"]["count"], leaked.len());
    answer.assert_blames(&[me()]);
    answer.assert_lasts_while_held();
    let first = answer.remedies().next().expect("a remedy");
    assert_ne!(first["harm"], "program", "there is something milder than to stop the program");
}

#[test]
fn a_bound_socket_that_never_listened_is_seen_and_named() {
    Namespace::enter();
    let port = fresh_port();
    let _bound = states::bound(&request(LOCAL, port));
    let answer = why(&[&format!("127.0.0.1:{port}")]);
    assert_eq!(answer.verdict(), ("in_use", 1));
    assert_eq!(answer.role_and_state(), ("bound_only", State::Closed));
    answer.assert_blames(&[me()]);
    answer.assert_lasts_while_held();
    assert!(answer.is_futile("destroy_bound"));
}

#[test]
fn a_wildcard_listener_stands_against_every_address_of_its_family_and_no_other() {
    Namespace::enter();
    let port = fresh_port();
    let _listener = states::listening(&request(ANY, port));
    for address in ["127.0.0.1", "127.9.9.9", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]"] {
        let answer = why(&[&format!("{address}:{port}")]);
        assert_eq!(answer.verdict(), ("in_use", 1), "{address}");
        answer.assert_blames(&[me()]);
    }
    assert_eq!(why(&[&format!("[::1]:{port}")]).verdict(), ("free", 0));
    assert_eq!(why(&[&format!("[::]:{port}"), "--v6only"]).verdict(), ("free", 0));
}

#[test]
fn a_dual_stack_listener_stands_against_ipv4() {
    Namespace::enter();
    let port = fresh_port();
    let _listener = states::listening(&request(Ipv6Addr::UNSPECIFIED, port));
    for address in ["0.0.0.0", "127.0.0.1", "[::]", "[::1]"] {
        let answer = why(&[&format!("{address}:{port}")]);
        assert_eq!(answer.verdict(), ("in_use", 1), "{address}");
        answer.assert_blames(&[me()]);
    }
}

#[test]
fn a_listener_on_ipv6_alone_leaves_ipv4_free() {
    Namespace::enter();
    let port = fresh_port();
    let options = Options { v6only: true, ..Options::default() };
    let _listener = states::listening(&Request { options, ..request(Ipv6Addr::UNSPECIFIED, port) });
    assert_eq!(why(&[&format!("0.0.0.0:{port}")]).verdict(), ("free", 0));
    assert_eq!(why(&[&format!("[::]:{port}")]).verdict(), ("in_use", 1));
    let both = why(&[&port.to_string()]);
    assert_eq!(both.verdict(), ("partly", 3));
    both.assert_blames(&[me()]);
}

#[test]
fn ipv4_connections_of_a_dual_stack_server_are_found_in_the_ipv6_table() {
    Namespace::enter();
    let port = fresh_port();
    states::time_wait(connection(&request(Ipv6Addr::UNSPECIFIED, port)));
    let answer = why(&[&format!("0.0.0.0:{port}")]);
    assert_eq!(answer.verdict(), ("in_use", 1));
    assert_eq!(answer.role_and_state(), ("time_wait", State::TimeWait));
    answer.assert_blames(&[]);
}

#[test]
fn reuse_port_of_another_user_is_closed_even_to_root() {
    Namespace::enter();
    let port = fresh_port();
    let options = Options { reuse_port: true, ..Options::default() };
    let theirs = Request { options, uid: Uid(1001), ..request(LOCAL, port) };
    let _listener = states::listening(&theirs);
    let place = format!("127.0.0.1:{port}");
    let answer = why(&[&place, "--reuse-port"]);
    assert_eq!(answer.verdict(), ("in_use", 1));
    assert_eq!(answer.conflict()["sockets"]["example"]["uid"], 1001);
    assert!(answer.is_futile("reuse_port_other_user"), "{}", answer.text);
    answer.assert_blames(&[me()]);
    assert_eq!(why(&[&place, "--reuse-port", "--uid", "1001"]).verdict(), ("free", 0));
}

#[test]
fn the_local_port_of_an_outgoing_connection_is_no_server_and_its_remote_end_is_innocent() {
    Namespace::enter();
    let server = states::listening(&request(LOCAL, fresh_port()));
    let to = sockets::local(&server);
    let _innocent = Process::start(Command::new("sleep").arg("1000").stdin(server));
    let client = sockets::open(Transport::Tcp, Family::V4);
    sockets::connect(&client, to).expect("a connection");
    let port = sockets::local(&client).port();
    wait_for(port, |socket| socket.state == State::Established);
    let answer = why(&[&format!("127.0.0.1:{port}")]);
    assert_eq!(answer.verdict(), ("in_use", 1));
    assert_eq!(answer.role_and_state(), ("outgoing", State::Established));
    answer.assert_blames(&[me()]);
}

#[test]
fn a_udp_socket_leaves_the_tcp_port_free() {
    Namespace::enter();
    let port = fresh_port();
    let _udp = states::bound(&Request { transport: Transport::Udp, ..request(LOCAL, port) });
    assert_eq!(why(&[&port.to_string()]).verdict(), ("free", 0));
    let answer = why(&[&format!("udp/127.0.0.1:{port}")]);
    assert_eq!(answer.verdict(), ("in_use", 1));
    assert_eq!(answer.conflict()["role"], "udp");
    answer.assert_blames(&[me()]);
    answer.assert_lasts_while_held();
}

#[test]
fn a_reserved_port_and_a_foreign_address_are_nobodys_fault() {
    Namespace::enter();
    for (place, errno) in [("127.0.0.1:80", "EACCES"), ("192.0.2.1:8080", "EADDRNOTAVAIL")] {
        let answer = crate::answer::ask(User::Nobody, &[place]);
        assert_eq!(answer.verdict(), ("refused", 1), "{place}");
        let fails = &answer.json["judgements"][0]["outcome"]["fails"];
        assert_eq!(fails["errno"], errno, "{place}");
        assert!(answer.conflicts().is_empty());
        answer.assert_blames(&[]);
        assert!(answer.is_futile("nobody_to_stop"), "{}", answer.text);
    }
    let scoped = lastack_as(User::Nobody, &["why", "[fe80::1]:8080"]);
    assert_eq!(scoped.code, Some(1), "a link-local address needs its interface: {scoped:?}");
    assert!(scoped.stdout.contains("EINVAL"), "{}", scoped.stdout);
}

#[test]
fn a_port_that_connections_in_many_states_hold_lists_each_state() {
    Namespace::enter();
    let port = fresh_port();
    let listener = states::listening(&reusing(LOCAL, port));
    let to = SocketAddr::from((LOCAL, port));
    states::time_wait(states::established(&listener, to));
    let _fin_wait_2 = states::orphan_fin_wait_2(states::established(&listener, to));
    let _fin_wait_1 = states::orphan_fin_wait_1(states::established(&listener, to));
    let _live = states::established(&listener, to);
    let _last_ack = states::orphan_last_ack(states::established(&listener, to));
    let _queued = states::queued(&listener, to);
    let answer = why(&[&format!("127.0.0.1:{port}")]);
    let roles: Vec<&str> =
        answer.conflicts().iter().map(|c| c["role"].as_str().expect("a role")).collect();
    for role in
        ["listener", "time_wait", "orphan_fin_wait2", "orphan_unacknowledged", "accepted", "queued"]
    {
        assert!(roles.contains(&role), "{role} is missing in {roles:?}: {}", answer.text);
    }
    answer.assert_blames(&[me()]);
}
