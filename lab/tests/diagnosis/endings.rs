//! Endings that hold a port and no table of listeners shows, watched until they really end.

use crate::answer::{LOCAL, fresh_port, me, really, request, reusing, why};
use lastack_lab::link::{HERE, OtherHost, THERE};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::{Process, undisturbed};
use lastack_lab::sockets;
use lastack_lab::states::{self, on_port, wait_for, wait_until};
use lastack_model::errno::Errno;
use lastack_model::facts::{Family, Transport};
use lastack_model::state::State;
use rustix::fd::OwnedFd;
use rustix::net::{SendFlags, send};
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

/// A server on the other host that never closes, and a client here on a port of its own choice.
fn client_of(host: &OtherHost, port: u16, server: u16) -> (OwnedFd, OwnedFd) {
    let listener = host.run(move |_| states::listening(&request(THERE, server)));
    let client = states::bound(&request(HERE, port));
    sockets::connect(&client, (THERE, server).into()).expect("a connection");
    wait_for(port, |socket| socket.state == State::Established);
    (client, listener)
}

/// How long it takes until something holds; unlike a test's preparations it may take a minute.
fn time_until(holds: impl Fn() -> bool) -> u64 {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "waited a minute in vain");
        std::thread::sleep(Duration::from_millis(10));
    }
    u64::try_from(began.elapsed().as_millis()).expect("less than an age")
}

#[test]
fn an_orphan_whose_peer_is_silent_ends_within_the_span_shown() {
    let namespace = Namespace::enter();
    namespace.set("ipv4/tcp_orphan_retries", "2");
    let host = OtherHost::joined_to(&namespace);
    let port = fresh_port();
    let (client, _listener) = client_of(&host, port, 300);
    host.fall_silent();
    undisturbed(|| drop(client));
    wait_for(port, |socket| socket.state == State::FinWait1);
    let answer = why(&[&format!("{HERE}:{port}")]);
    assert_eq!(answer.verdict(), ("in_use", 1));
    assert_eq!(answer.role_and_state(), ("orphan_unacknowledged", State::FinWait1));
    answer.assert_blames(&[]);
    let (least, most) = answer.time_left();
    let took = time_until(|| on_port(port).is_empty());
    // What the question itself took has passed before the watch began.
    assert!(took + 1_000 >= least, "it ended after {took} ms, shown were {least} to {most}");
    assert!(took <= least + least / 4 + 1_000, "about {least} ms were shown, it took {took}");
    assert!(took <= most, "at most {most} ms were shown, it took {took}");
    assert_eq!(really(&request(HERE, port)), None, "and the port is free");
}

/// Where the kernel learns that the peer is unreachable it takes back-off back (RFC 6069) and so gives up earlier than
/// the present interval lets expect.
#[test]
fn an_orphan_whose_peer_is_unreachable_ends_no_later_than_shown() {
    let namespace = Namespace::enter();
    namespace.set("ipv4/tcp_orphan_retries", "2");
    let host = OtherHost::joined_to(&namespace);
    let port = fresh_port();
    let (client, _listener) = client_of(&host, port, 300);
    host.cut_off();
    undisturbed(|| drop(client));
    wait_for(port, |socket| socket.state == State::FinWait1);
    let answer = why(&[&format!("{HERE}:{port}")]);
    assert_eq!(answer.role_and_state(), ("orphan_unacknowledged", State::FinWait1));
    answer.assert_blames(&[]);
    let (_, most) = answer.time_left();
    let took = time_until(|| on_port(port).is_empty());
    assert!(took <= most, "at most {most} ms were shown, it took {took}");
    assert_eq!(really(&request(HERE, port)), None, "and the port is free");
}

#[test]
fn a_held_connection_to_a_dead_peer_is_given_up_within_the_span_shown() {
    let namespace = Namespace::enter();
    namespace.set("ipv4/tcp_retries2", "3");
    let host = OtherHost::joined_to(&namespace);
    let port = fresh_port();
    let (client, _listener) = client_of(&host, port, 300);
    host.fall_silent();
    send(&client, &[0; 100], SendFlags::NOSIGNAL).expect("data is taken");
    wait_for(port, |socket| socket.timer.retransmits > 0);
    let answer = why(&[&format!("{HERE}:{port}")]);
    assert_eq!(answer.verdict(), ("in_use", 1));
    assert_eq!(answer.conflict()["sockets"]["unacknowledged"], 100);
    answer.assert_blames(&[me()]);
    assert!(answer.text.contains("100 bytes not acknowledged"), "{}", answer.text);
    let (least, most) = answer.time_left();
    let took = time_until(|| on_port(port).iter().all(|s| s.state != State::Established));
    assert!(took + 1_000 >= least && took <= most, "{took} ms, shown were {least} to {most}");
    a_dead_socket_that_is_still_open_holds_the_port_it_named(port);
    undisturbed(|| drop(client));
    assert_eq!(really(&request(HERE, port)), None, "closing it frees the port");
}

fn a_dead_socket_that_is_still_open_holds_the_port_it_named(port: u16) {
    let answer = why(&[&format!("{HERE}:{port}")]);
    assert_eq!(answer.verdict(), ("in_use", 1), "{}", answer.text);
    assert_eq!(answer.conflict()["sockets"]["example"]["state"], "CLOSED");
    answer.assert_blames(&[me()]);
    answer.assert_lasts_while_held();
    assert!(answer.is_futile("destroy_bound"), "{}", answer.text);
}

#[test]
fn a_client_that_awaits_an_answer_holds_its_port_only_until_it_is_closed() {
    let namespace = Namespace::enter();
    let host = OtherHost::joined_to(&namespace);
    host.cut_off();
    let port = fresh_port();
    let client = states::bound(&request(HERE, port));
    sockets::connect(&client, (THERE, 300).into()).expect("a SYN under way");
    wait_for(port, |socket| socket.state == State::SynSent);
    let place = format!("{HERE}:{port}");
    let answer = why(&[&place]);
    assert_eq!(answer.verdict(), ("in_use", 1));
    assert_eq!(answer.role_and_state(), ("outgoing", State::SynSent));
    answer.assert_blames(&[me()]);
    undisturbed(|| drop(client));
    assert!(on_port(port).is_empty(), "closed, it is gone at once");
    assert_eq!(why(&[&place]).verdict(), ("free", 0));
}

#[test]
fn a_killed_client_that_awaits_an_answer_leaves_nothing() {
    let namespace = Namespace::enter();
    let host = OtherHost::joined_to(&namespace);
    host.cut_off();
    let port = fresh_port();
    let client = states::bound(&request(HERE, port));
    sockets::connect(&client, (THERE, 300).into()).expect("a SYN under way");
    let holder = Process::start(Command::new("sleep").arg("1000").stdin(client));
    let answer = why(&[&format!("{HERE}:{port}")]);
    assert_eq!(answer.role_and_state(), ("outgoing", State::SynSent));
    answer.assert_blames(&[holder.pid()]);
    drop(holder);
    assert!(on_port(port).is_empty(), "killed, it is gone at once");
    assert_eq!(really(&request(HERE, port)), None);
}

#[test]
fn two_sockets_share_a_port_by_reuse_address_until_one_listens() {
    Namespace::enter();
    let port = fresh_port();
    let place = format!("127.0.0.1:{port}");
    let first = states::bound(&reusing(LOCAL, port));
    let answer = why(&[&place, "--reuse-address"]);
    assert_eq!(answer.verdict(), ("free", 0), "{}", answer.text);
    let cautions = answer.json["cautions"].as_array().expect("a list");
    assert!(cautions.iter().any(|c| c == "first_to_listen_wins"), "{}", answer.text);
    let second = states::bound(&reusing(LOCAL, port));
    assert_eq!(why(&[&place]).verdict(), ("in_use", 1), "without the option it is refused");
    sockets::listen(&second, 1).expect("the first to listen wins");
    assert_eq!(sockets::listen(&first, 1), Err(Errno::AddressInUse), "the other has lost");
    let answer = why(&[&place, "--reuse-address"]);
    assert_eq!(answer.verdict(), ("in_use", 1));
    assert!(answer.is_futile("reuse_address_beside_listener"));
    answer.assert_blames(&[me()]);
}

#[test]
fn a_server_that_was_killed_leaves_connections_that_hold_the_port() {
    Namespace::enter();
    let port = fresh_port();
    let to = SocketAddr::from((LOCAL, port));
    let listener = states::listening(&request(LOCAL, port));
    let pair = states::established(&listener, to);
    let server =
        Process::start(Command::new("sleep").arg("1000").stdin(listener).stdout(pair.ours));
    let place = format!("127.0.0.1:{port}");
    let before = why(&[&place]);
    before.assert_blames(&[server.pid()]);
    assert!(before.is_futile("kill_leaves_connections"), "{}", before.text);
    drop(server);
    wait_for(port, |socket| socket.state == State::FinWait2);
    let after = why(&[&place]);
    assert_eq!(after.verdict(), ("in_use", 1), "as was foretold");
    assert_eq!(after.role_and_state(), ("orphan_fin_wait2", State::FinWait2));
    after.assert_blames(&[]);
    drop(pair.peer);
    wait_until("the peer's close starts TIME_WAIT", || {
        on_port(port).iter().any(|socket| socket.state == State::TimeWait)
    });
    let (least, _) = why(&[&place]).time_left();
    assert!(least >= 50_000, "a fresh minute: {least}");
}

#[test]
fn a_reset_connection_leaves_nothing() {
    Namespace::enter();
    let port = fresh_port();
    let listener = states::listening(&request(LOCAL, port));
    let pair = states::established(&listener, SocketAddr::from((LOCAL, port)));
    undisturbed(|| {
        drop(listener);
        sockets::reset(pair.ours);
    });
    assert!(on_port(port).is_empty());
    assert_eq!(why(&[&port.to_string()]).verdict(), ("free", 0));
}

#[test]
fn a_connecting_client_without_a_bind_is_outgoing_too() {
    let namespace = Namespace::enter();
    let host = OtherHost::joined_to(&namespace);
    let listener = host.run(|_| states::listening(&request(THERE, 300)));
    let client = sockets::open(Transport::Tcp, Family::V4);
    sockets::connect(&client, (THERE, 300).into()).expect("a connection");
    let port = sockets::local(&client).port();
    wait_for(port, |socket| socket.state == State::Established);
    let answer = why(&[&format!("{HERE}:{port}")]);
    assert_eq!(answer.role_and_state(), ("outgoing", State::Established));
    answer.assert_blames(&[me()]);
    drop(listener);
}
