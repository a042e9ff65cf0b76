//! `lastack why --connect` beside what a real connect does.

use crate::answer::{LOCAL, fresh_port, request};
use lastack_lab::link::{HERE, OtherHost, THERE};
use lastack_lab::namespace::Namespace;
use lastack_lab::paper::assert_clean;
use lastack_lab::program::{lastack, undisturbed};
use lastack_lab::sockets::{self, Answer};
use lastack_lab::states::{self, wait_for};
use lastack_model::errno::Errno;
use lastack_model::facts::{Family, Transport};
use lastack_model::ids::Uid;
use lastack_model::state::State;
use rustix::fd::OwnedFd;
use serde_json::Value;
use std::net::SocketAddr;

/// Asks in both forms, which must agree.
fn why_connect(arguments: &[&str]) -> (i32, Value) {
    let verb = [&["why", "--connect"], arguments].concat();
    let text = lastack(&verb);
    let json = lastack(&[&verb[..], &["--json"]].concat());
    assert_eq!((text.stderr.as_str(), text.code), ("", json.code), "{}", json.stdout);
    assert_clean(&text.stdout);
    (json.code.expect("an exit code"), json.json())
}

/// `bind()` with `SO_REUSEADDR` and `connect()` to the other host's port 300.
fn really_connect() -> (OwnedFd, Answer) {
    let socket = states::bound(&crate::answer::reusing(HERE, 1010));
    let answer = sockets::connect(&socket, (THERE, 300).into());
    (socket, answer)
}

/// Connects 10.77.0.1:1010 to 10.77.0.2:300 and closes first.
fn leave_time_wait(host: &OtherHost) -> OwnedFd {
    let listener = host.run(|_| states::listening(&request(THERE, 300)));
    let (client, connected) = really_connect();
    connected.expect("the first connection");
    wait_for(1010, |socket| socket.state == State::Established);
    let accepted = sockets::accept(&listener, Uid(0)).expect("an accepted connection");
    undisturbed(|| drop(client));
    wait_for(1010, |socket| socket.state == State::FinWait2);
    drop(accepted);
    wait_for(1010, |socket| socket.state == State::TimeWait);
    listener
}

fn set_timestamps(here: &Namespace, host: &OtherHost, value: &'static str) {
    here.set("ipv4/tcp_timestamps", value);
    host.run(move |there| there.set("ipv4/tcp_timestamps", value));
}

const DESTINATION: &str = "10.77.0.2:300";
const FROM: [&str; 3] = [DESTINATION, "--from", "10.77.0.1:1010"];

#[test]
fn with_timestamps_the_same_four_tuple_connects_again_at_once() {
    let namespace = Namespace::enter();
    let host = OtherHost::joined_to(&namespace);
    set_timestamps(&namespace, &host, "1");
    assert_eq!(why_connect(&FROM).0, 0, "free before the first connection");
    let _listener = leave_time_wait(&host);
    let (code, json) = why_connect(&FROM);
    // The other host's setting shows nowhere, so a certain yes would be a guess.
    assert_eq!(code, 3, "{json}");
    assert!(json["tuple"].get("depends_on_timestamps").is_some(), "{json}");
    assert_eq!(really_connect().1, Ok(()));
}

#[test]
fn without_timestamps_the_same_four_tuple_is_refused_for_a_minute() {
    let namespace = Namespace::enter();
    let host = OtherHost::joined_to(&namespace);
    set_timestamps(&namespace, &host, "0");
    let _listener = leave_time_wait(&host);
    let (code, json) = why_connect(&FROM);
    assert_eq!(code, 1, "{json}");
    let taken = json["tuple"].get("taken").unwrap_or_else(|| panic!("{json}"));
    assert_eq!(taken["example"]["state"], "TIME_WAIT");
    assert_eq!(really_connect().1, Err(Errno::AddressNotAvailable));
    let text = lastack(&[&["why", "--connect"], &FROM[..]].concat()).stdout;
    assert!(text.contains("EADDRNOTAVAIL") && text.contains("at most"), "{text}");
    let elsewhere = why_connect(&[DESTINATION, "--from", "10.77.0.1:1011"]);
    assert_eq!(elsewhere.0, 0, "another local port is free");
}

#[test]
fn a_live_connection_holds_its_four_tuple_whatever_the_timestamps() {
    let namespace = Namespace::enter();
    let host = OtherHost::joined_to(&namespace);
    let _listener = host.run(|_| states::listening(&request(THERE, 300)));
    let (_client, connected) = really_connect();
    connected.expect("the first connection");
    wait_for(1010, |socket| socket.state == State::Established);
    let (code, json) = why_connect(&FROM);
    assert_eq!(code, 1, "{json}");
    assert!(json["tuple"].get("taken").is_some(), "{json}");
    assert_eq!(really_connect().1, Err(Errno::AddressNotAvailable));
}

#[test]
fn a_spent_range_of_local_ports_is_told_by_the_port() {
    let namespace = Namespace::enter();
    namespace.set("ipv4/ip_local_port_range", "20000 20003");
    let to = SocketAddr::from((LOCAL, fresh_port()));
    let place = to.to_string();
    let _listener = states::listening(&request(LOCAL, to.port()));
    let connect = || {
        let socket = sockets::open(Transport::Tcp, Family::V4);
        let answer = sockets::connect(&socket, to);
        (socket, answer)
    };
    let mut clients = Vec::new();
    for taken in 0..4 {
        let (code, json) = why_connect(&[&place]);
        assert_eq!((code, &json["budget"]["left"]), (0, &Value::from(4 - taken)), "{json}");
        let (client, connected) = connect();
        assert_eq!(connected, Ok(()), "port {taken} of 4");
        let port = sockets::local(&client).port();
        wait_for(port, |socket| socket.state == State::Established);
        clients.push(client);
    }
    let (code, json) = why_connect(&[&place]);
    assert_eq!((code, &json["strain"]), (1, &Value::from("spent")), "{json}");
    assert_eq!(connect().1, Err(Errno::AddressNotAvailable));
}

#[test]
fn a_port_that_a_socket_bound_is_not_lent_to_connections() {
    let namespace = Namespace::enter();
    namespace.set("ipv4/ip_local_port_range", "20000 20001");
    let to = SocketAddr::from((LOCAL, fresh_port()));
    let _listener = states::listening(&request(LOCAL, to.port()));
    let _bound = [states::bound(&request(LOCAL, 20000)), states::bound(&request(LOCAL, 20001))];
    let (code, json) = why_connect(&[&to.to_string()]);
    assert_eq!((code, &json["budget"]["bound"]), (1, &Value::from(2)), "{json}");
    let socket = sockets::open(Transport::Tcp, Family::V4);
    assert_eq!(sockets::connect(&socket, to), Err(Errno::AddressNotAvailable));
}
