//! Killing by accident: each destructive step leaves everybody else alone, however close.
//!
//! The steps that the rows of the matrix take are checked there; here are the others, and the nearest neighbours: the
//! same program's other connections, and connections of the same address and port that are not in the way.

use crate::bystander::Bystander;
use crate::scene::{
    Attempt, LOCAL, Leave, connection, fresh_port, holder, holder_of, request, runs,
};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::User;
use lastack_lab::sockets;
use lastack_lab::states::{self, Pair, wait_for};
use lastack_model::bind::{Options, Request};
use lastack_model::state::State;
use rustix::fd::OwnedFd;
use rustix::net::sockopt::set_socket_reuseaddr;

/// Destroys what is made of a connection, held by nobody.
fn destroyed_beside_a_bystander(remains: impl FnOnce(Pair) -> OwnedFd) {
    Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(port);
    let remote_end = holder(remains(connection(&request(LOCAL, port))));
    let place = format!("127.0.0.1:{port}");
    Attempt::on(&place).sparing(&[bystander.pid(), remote_end.pid()]).frees_with(Leave::Yes);
    bystander.assert_unharmed();
}

#[test]
fn destroying_a_fin_wait_1_harms_no_bystander() {
    destroyed_beside_a_bystander(states::orphan_fin_wait_1);
}

#[test]
fn destroying_a_last_ack_harms_no_bystander() {
    destroyed_beside_a_bystander(states::orphan_last_ack);
}

#[test]
fn sigkill_harms_no_bystander() {
    Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(port);
    let deaf = crate::stubborn::deaf(port);
    let place = format!("127.0.0.1:{port}");
    Attempt::on(&place).sparing(&[bystander.pid()]).frees_with(Leave::Kill);
    assert!(!runs(deaf.pid()));
    bystander.assert_unharmed();
}

#[test]
fn the_other_connections_of_the_program_that_leaked_one_live() {
    Namespace::enter();
    let port = fresh_port();
    let other = connection(&request(LOCAL, fresh_port()));
    let Pair { ours, peer } = connection(&request(LOCAL, port));
    let client = sockets::local(&peer);
    drop(peer);
    wait_for(client.port(), |s| s.local == client && s.state == State::FinWait2);
    let end = other.ours.try_clone().expect("a duplicate");
    let leaker = holder_of(User::Root, ours, Some(end));
    let place = format!("127.0.0.1:{port}");
    Attempt::on(&place).sparing(&[leaker.pid()]).frees_with(Leave::Yes);
    crate::bystander::assert_carries(&other);
}

/// A kernel's record of alike connections is split where their options differ: none may be lost by that.
#[test]
fn two_connections_that_differ_in_an_option_alone_are_ended_by_one_step() {
    Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(port);
    let listener = states::listening(&request(LOCAL, port));
    let to = sockets::local(&listener);
    let (one, other) = (states::established(&listener, to), states::established(&listener, to));
    drop(listener);
    set_socket_reuseaddr(&other.ours, true).expect("SO_REUSEADDR");
    let program = holder_of(User::Root, one.ours, Some(other.ours));
    let place = format!("127.0.0.1:{port}");
    let attempt = Attempt::on(&place).sparing(&[program.pid()]);
    let plan = attempt.json(&["--dry-run"]);
    assert_eq!(plan["plan"]["steps"][0]["conflicts"], serde_json::json!([0, 1]), "{plan}");
    let freed = attempt.frees_with(Leave::Yes);
    assert!(freed.stdout.contains("destroyed 2 sockets"), "{}", freed.stdout);
    bystander.assert_unharmed();
    drop((one.peer, other.peer));
}

/// Two connections of one address and port, of which only one forbids the bind: it alone has lost `SO_REUSEADDR`.
#[test]
fn a_connection_beside_the_one_in_the_way_lives() {
    Namespace::enter();
    let port = fresh_port();
    let options = Options { reuse_address: true, ..Options::default() };
    let listener = states::listening(&Request { options, ..request(LOCAL, port) });
    let to = sockets::local(&listener);
    let (in_the_way, beside) =
        (states::established(&listener, to), states::established(&listener, to));
    drop(listener);
    set_socket_reuseaddr(&in_the_way.ours, false).expect("SO_REUSEADDR");
    let end = beside.ours.try_clone().expect("a duplicate");
    let programs = [holder(in_the_way.ours), holder(end)];
    let place = format!("127.0.0.1:{port}");
    let innocent = [programs[0].pid(), programs[1].pid()];
    let attempt = Attempt::on(&place).with(&["--reuse-address"]).sparing(&innocent);
    let freed = attempt.frees_with(Leave::Yes);
    assert!(freed.stdout.contains("destroyed 1 socket"), "{}", freed.stdout);
    crate::bystander::assert_carries(&beside);
    drop(in_the_way.peer);
}
