//! What the user forbids: another user's, another program, another unit.

use crate::scene::{
    Attempt, LOCAL, Leave, connection, fresh_port, holder, holder_of, nobodys, request, runs, words,
};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::{Process, User};
use lastack_lab::states::Pair;
use lastack_lab::{sockets, states};
use lastack_model::ids::Uid;
use std::process::Command;

#[test]
fn only_mine_spares_a_program_of_another_user_from_root() {
    Namespace::enter();
    let port = fresh_port();
    let server = holder_of(User::Nobody, states::listening(&nobodys(LOCAL, port)), None);
    let place = format!("127.0.0.1:{port}");
    let attempt = Attempt::on(&place).with(&["--only-mine"]).sparing(&[server.pid()]);
    let said = words(&attempt.refuses().stdout);
    assert!(said.contains("is another user's, and --only-mine forbids it"), "{said}");
    Attempt::on(&place).by_nobody().with(&["--only-mine"]).frees_with(Leave::Stop);
}

#[test]
fn only_mine_spares_a_connection_of_another_user_from_root() {
    Namespace::enter();
    let port = fresh_port();
    let listener = states::listening(&request(LOCAL, port));
    let peer = states::queued(&listener, sockets::local(&listener));
    let accepted = sockets::accept(&listener, Uid(1001)).expect("a connection in the queue");
    drop(listener);
    let server = holder(accepted);
    let place = format!("127.0.0.1:{port}");
    let attempt = Attempt::on(&place).with(&["--only-mine"]).sparing(&[server.pid()]);
    let said = words(&attempt.refuses().stdout);
    assert!(said.contains("uid 1001, and --only-mine forbids it"), "{said}");
    drop(peer);
}

#[test]
fn another_command_is_spared_and_the_right_one_is_not() {
    Namespace::enter();
    let port = fresh_port();
    let server = holder(states::listening(&request(LOCAL, port)));
    let place = format!("127.0.0.1:{port}");
    let wrong = Attempt::on(&place).with(&["--if-command", "nginx"]).sparing(&[server.pid()]);
    let said = words(&wrong.refuses().stdout);
    assert!(said.contains("runs \"sleep 1000\", which does not contain \"nginx\""), "{said}");
    Attempt::on(&place).with(&["--if-command", "sleep 1000"]).frees_with(Leave::Stop);
    assert!(!runs(server.pid()));
}

#[test]
fn the_last_of_many_workers_is_asked_for_its_command_too() {
    Namespace::enter();
    let port = fresh_port();
    let listener = states::listening(&request(LOCAL, port));
    let to = sockets::local(&listener);
    let connect = || states::established(&listener, to);
    let pairs: Vec<Pair> = std::iter::repeat_with(connect).take(70).collect();
    drop(listener);
    let (mut ends, clients): (Vec<_>, Vec<_>) =
        pairs.into_iter().map(|Pair { ours, peer }| (ours, peer)).unzip();
    let mut command = Command::new("sleep");
    let other = Process::start(command.arg("999").stdin(ends.pop().expect("seventy")));
    drop(command);
    let workers: Vec<Process> = ends.into_iter().map(holder).collect();
    let place = format!("127.0.0.1:{port}");
    let innocent: Vec<u32> = workers.iter().chain([&other]).map(Process::pid).collect();
    let attempt = Attempt::on(&place).with(&["--if-command", "sleep 1000"]).sparing(&innocent);
    let said = words(&attempt.refuses().stdout);
    assert!(said.contains(&format!("sleep, pid {}", other.pid())), "{said}");
    Attempt::on(&place).with(&["--if-command", "sleep"]).sparing(&innocent).frees_with(Leave::Yes);
    drop(clients);
}

#[test]
fn a_program_of_no_unit_is_spared_where_a_unit_is_wanted() {
    Namespace::enter();
    let port = fresh_port();
    let pair = connection(&request(LOCAL, port));
    let server = holder(pair.ours);
    let place = format!("127.0.0.1:{port}");
    let attempt = Attempt::on(&place).with(&["--if-unit", "web"]).sparing(&[server.pid()]);
    let said = words(&attempt.refuses().stdout);
    assert!(said.contains("does not belong to \"web\" (--if-unit)"), "{said}");
    drop(pair.peer);
}
