//! Waiting for somebody to be there.

use crate::sleeper::{LOCAL, Sleeper, fresh_port, request, wait};
use lastack_lab::link::{OtherHost, THERE};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::User;
use lastack_lab::{sockets, states};
use lastack_model::bind::{Options, Request};
use lastack_model::ids::Uid;
use rustix::net::RecvFlags;
use std::net::{IpAddr, Ipv6Addr, UdpSocket};

const ANY: [u8; 4] = [0, 0, 0, 0];

/// Whether somebody counts as listening there, at once.
fn is_listened_on(place: &str) -> bool {
    let run = wait(User::Nobody, &[place, "--until", "listening", "--timeout", "0"]);
    match run.code {
        Some(0) => assert_eq!(run.stdout, ""),
        Some(124) => assert!(run.stdout.contains("Nobody listens on"), "{run:#?}"),
        _ => panic!("{run:#?}"),
    }
    run.code == Some(0)
}

#[test]
fn a_listener_is_awaited() {
    Namespace::enter();
    let port = fresh_port();
    let arguments = [&port.to_string(), "--until", "listening", "--json"];
    let sleeper = Sleeper::start_as(User::Nobody, &arguments);
    let bound = states::bound(&request(LOCAL, port));
    assert!(!is_listened_on(&port.to_string()), "bound is not listening");
    sockets::listen(&bound, 1).expect("it listens");
    assert_eq!(sleeper.reached()["trials"], 0);
}

#[test]
fn a_wildcard_listener_covers_every_address_of_its_families_and_no_address_covers_it() {
    Namespace::enter();
    let cases: [(IpAddr, bool, [bool; 5]); 5] = [
        (ANY.into(), false, [true, true, true, false, false]),
        (LOCAL.into(), false, [true, true, false, false, false]),
        (Ipv6Addr::UNSPECIFIED.into(), false, [true; 5]),
        (Ipv6Addr::UNSPECIFIED.into(), true, [true, false, false, true, true]),
        (Ipv6Addr::LOCALHOST.into(), false, [true, false, false, true, false]),
    ];
    for (address, v6only, expected) in cases {
        let port = fresh_port();
        let options = Options { v6only, ..Options::default() };
        let _listener = states::listening(&Request { options, ..request(address, port) });
        let places = ["", "127.0.0.1", "0.0.0.0", "[::1]", "[::]"];
        let found = places.map(|place| is_listened_on(&format!("{place}:{port}")));
        assert_eq!(found, expected, "a listener on {address}, v6only {v6only}");
    }
}

#[test]
fn a_udp_socket_counts_once_it_is_bound() {
    Namespace::enter();
    let port = fresh_port();
    let sleeper = Sleeper::start(&[&format!("udp/{port}"), "--until", "listening", "--json"]);
    let _tcp = states::listening(&request(LOCAL, port));
    let _udp = UdpSocket::bind(std::net::SocketAddr::from((LOCAL, port))).expect("bind");
    sleeper.reached();
}

#[test]
fn an_answer_is_awaited_and_the_server_reads_an_orderly_end() {
    Namespace::enter();
    let port = fresh_port();
    let place = format!("127.0.0.1:{port}");
    let sleeper = Sleeper::start_as(User::Nobody, &[&place, "--until", "connectable", "--json"]);
    let listener = states::listening(&request(LOCAL, port));
    let run = sleeper.end();
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:#?}");
    assert!(run.json()["trials"].as_u64() >= Some(2), "{run:#?}");
    let accepted = sockets::accept(&listener, Uid(0)).expect("the attempt that was answered");
    let read = rustix::net::recv(&accepted, &mut [0; 1][..], RecvFlags::empty());
    assert_eq!(read.map(|(_, length)| length), Ok(0), "an end, and no reset");
}

#[test]
fn no_answer_names_the_cause_for_every_address() {
    Namespace::enter();
    let port = fresh_port();
    let arguments = [&port.to_string(), "--until", "connectable", "--timeout", "0"];
    let run = wait(User::Root, &arguments);
    assert_eq!((run.code, run.stderr.as_str()), (Some(124), ""));
    for address in ["127.0.0.1", "[::1]"] {
        let line = format!("{address}:{port}: connection refused");
        assert!(run.stdout.contains(&line), "{line:?} is missing: {}", run.stdout);
    }
}

#[test]
fn another_host_is_awaited_through_its_silence() {
    let namespace = Namespace::enter();
    let host = OtherHost::joined_to(&namespace);
    let place = format!("{THERE}:300");
    let early = wait(User::Root, &[&place, "--until", "connectable", "--timeout", "0", "--json"]);
    assert!(early.json()["reason"].as_str().expect("a reason").contains(&place));
    let sleeper = Sleeper::start(&[&place, "--until", "connectable", "--json"]);
    let listener = host.run(|_| states::listening(&request(THERE, 300)));
    assert_eq!(sleeper.end().code, Some(0));
    drop(listener);
}
