//! The examples, ended by `SIGTERM` while clients come without a pause, while others wait in the queue, and while
//! requests are being worked on.

use crate::load::{Load, Talk};
use crate::server::Server;
use lastack_lab::namespace::Namespace;
use lastack_lab::program::User;
use lastack_lab::states::wait_until;
use rustix::process::Signal;
use std::net::TcpStream;

const ECHO: Talk = Talk { question: b"hello", answer: b"hello", half_close: true };
const LINE: Talk = Talk { question: b"hello\n", answer: b"hello\n", half_close: false };
const WEB: Talk =
    Talk { question: b"GET / HTTP/1.0\r\n\r\n", answer: b"hello\n", half_close: false };
const SLOW: Talk =
    Talk { question: b"GET /slow HTTP/1.0\r\n\r\n", answer: b"at last\n", half_close: false };

const ROUNDS: u32 = 5;
const QUEUED: usize = 50;

/// Ends it again and again under load; nobody may be lost, and nothing may be left.
fn ends_well(example: &str, user: User, talk: Talk) {
    let _namespace = Namespace::enter();
    for _ in 0..ROUNDS {
        let server = Server::start(example, user);
        let load = Load::start(talk, server.address, 8);
        wait_until("many were answered", || load.answered() > 300);
        server.signal(Signal::TERM);
        let said = server.ended();
        assert_eq!(load.losses(), Vec::<String>::new(), "{said}");
    }
    serves_the_queue(example, user, talk);
    leaves_nothing(example, user, talk);
}

/// Those who wait in the queue when the signal comes: the process sleeps while they connect.
fn serves_the_queue(example: &str, user: User, talk: Talk) {
    let server = Server::start(example, user);
    server.signal(Signal::STOP);
    let ask = |_| talk.ask(server.address).expect("connected");
    let mut queued: Vec<TcpStream> = (0..QUEUED).map(ask).collect();
    server.signal(Signal::TERM);
    server.signal(Signal::CONT);
    let losses: Vec<String> = queued.iter_mut().filter_map(|it| talk.hear(it).err()).collect();
    drop(queued);
    let said = server.ended();
    assert_eq!(losses, Vec::<String>::new(), "{said}");
    let by = |method: &str| said.contains(&format!(" accepted from the queue ({method})"));
    // A filter on a TCP socket needed no privilege before 2026.
    assert!(by("SYN filter") || user == User::Nobody && by("TTL floor"), "{said}");
}

/// Every descriptor of a connection is given back.
fn leaves_nothing(example: &str, user: User, talk: Talk) {
    let server = Server::start(example, user);
    let ask = || talk.hear(&mut talk.ask(server.address).expect("connected")).expect("an answer");
    ask();
    // The first connection may bring descriptors that stay; its own may be open still.
    let idle = server.descriptors();
    for _ in 0..200 {
        ask();
    }
    wait_until("every descriptor is closed", || server.descriptors() <= idle);
    server.signal(Signal::TERM);
    let _ = server.ended();
}

#[test]
fn the_echo_server_of_root_loses_nobody() {
    ends_well("echo", User::Root, ECHO);
}

#[test]
fn the_echo_server_of_an_ordinary_user_loses_nobody() {
    ends_well("echo", User::Nobody, ECHO);
}

#[test]
fn the_blocking_server_of_root_loses_nobody() {
    ends_well("blocking", User::Root, LINE);
}

#[test]
fn the_blocking_server_of_an_ordinary_user_loses_nobody() {
    ends_well("blocking", User::Nobody, LINE);
}

#[test]
fn the_axum_server_of_root_loses_nobody() {
    ends_well("axum", User::Root, WEB);
}

#[test]
fn the_axum_server_of_an_ordinary_user_loses_nobody() {
    ends_well("axum", User::Nobody, WEB);
}

#[test]
fn the_axum_server_finishes_what_has_begun() {
    let _namespace = Namespace::enter();
    let server = Server::start("axum", User::Nobody);
    let ask = |_| SLOW.ask(server.address).expect("connected");
    let mut clients: Vec<TcpStream> = (0..QUEUED).map(ask).collect();
    // Nobody but an accepted one can have an answer.
    WEB.hear(&mut WEB.ask(server.address).expect("connected")).expect("an answer");
    server.signal(Signal::TERM);
    let losses: Vec<String> = clients.iter_mut().filter_map(|it| SLOW.hear(it).err()).collect();
    drop(clients);
    let said = server.ended();
    assert_eq!(losses, Vec::<String>::new(), "{said}");
    assert!(said.contains(" 0 cut"), "{said}");
}
