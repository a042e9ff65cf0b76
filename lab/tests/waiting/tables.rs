//! Waiting without trial binds: the tables alone decide.

use crate::sleeper::{LOCAL, Sleeper, fresh_port, request, wait};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::{Process, User, undisturbed};
use lastack_lab::states;
use lastack_model::bind::{Options, Request};
use std::process::Command;

#[test]
fn without_trials_a_closed_listener_is_noticed() {
    Namespace::enter();
    let port = fresh_port();
    let listener = states::listening(&request(LOCAL, port));
    let sleeper = Sleeper::start(&[&port.to_string(), "--no-trial-bind", "--json"]);
    undisturbed(|| drop(listener));
    assert_eq!(sleeper.reached()["trials"], 0);
}

#[test]
fn without_trials_a_killed_listener_is_noticed() {
    Namespace::enter();
    let port = fresh_port();
    let listener = states::listening(&request(LOCAL, port));
    let server = Process::start(Command::new("sleep").arg("1000").stdin(listener));
    let arguments = [&port.to_string(), "--no-trial-bind", "--json"];
    let sleeper = Sleeper::start_as(User::Nobody, &arguments);
    drop(server);
    assert_eq!(sleeper.reached()["trials"], 0);
}

#[test]
fn a_bind_with_reuse_port_is_not_tried_while_the_rules_decide() {
    Namespace::enter();
    let port = fresh_port();
    let listener = states::listening(&request(LOCAL, port));
    let place = format!("127.0.0.1:{port}");
    let sleeper = Sleeper::start(&[&place, "--reuse-port", "--json"]);
    undisturbed(|| drop(listener));
    sleeper.reached();
    let shared = Options { reuse_port: true, ..Options::default() };
    let _group = states::listening(&Request { options: shared, ..request(LOCAL, port) });
    let run = wait(User::Root, &[&place, "--reuse-port", "--json"]);
    assert_eq!(run.code, Some(0), "it may join the group: {run:#?}");
}

#[test]
fn without_trials_a_timed_end_is_noticed() {
    let namespace = Namespace::enter();
    namespace.set("ipv4/tcp_fin_timeout", "1");
    let port = fresh_port();
    let listener = states::listening(&request(LOCAL, port));
    let pair = states::established(&listener, std::net::SocketAddr::from((LOCAL, port)));
    undisturbed(|| drop(listener));
    let _peer = states::orphan_fin_wait_2(pair);
    let place = format!("127.0.0.1:{port}");
    assert_eq!(Sleeper::start(&[&place, "--no-trial-bind", "--json"]).reached()["trials"], 0);
}
