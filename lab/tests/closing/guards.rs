//! `--only-mine`, `--if-command`, `--if-unit`: anything else among the selected, and nothing is done.

use crate::stage::{
    HERE, ONE, OTHER, assert_ended, assert_lives, close, connect, connect_of, listener,
};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::{Process, lastack_apart};
use lastack_lab::sockets;
use lastack_model::ids::Uid;
use std::process::Command;

fn assert_refused(arguments: &[&str], guard: &str) {
    let refused = close(&[arguments, &["--yes"]].concat());
    assert_eq!(refused.code, Some(1), "{}", refused.stdout);
    assert!(refused.stdout.contains("What cannot be done"), "{}", refused.stdout);
    assert!(refused.stdout.contains(guard), "{guard} is not named: {}", refused.stdout);
}

#[test]
fn only_mine_refuses_the_connection_of_another_user() {
    Namespace::enter();
    let (server, to) = listener(HERE);
    let mine = connect(&server, to, ONE);
    let theirs = connect_of(Uid(1001), &server, to, OTHER);
    assert_refused(&["--local", &to.to_string(), "--only-mine"], "--only-mine");
    assert_lives(&mine);
    assert_lives(&theirs);
    let own = ["--local", &to.to_string(), "--peer", "127.0.0.2", "--only-mine", "--yes"];
    assert_eq!(close(&own).code, Some(0));
    assert_ended(&mine);
    assert_lives(&theirs);
}

#[test]
fn if_command_refuses_the_connection_of_another_program() {
    Namespace::enter();
    let (server, to) = listener(HERE);
    let pair = connect(&server, to, ONE);
    let bystander = connect(&server, to, OTHER);
    let mut command = Command::new("sleep");
    let _holder = Process::start(command.arg("4711").stdin(pair.ours));
    drop(command);
    let peer = sockets::local(&pair.peer).to_string();
    assert_refused(&["--peer", &peer, "--if-command", "sleep 4712"], "--if-command");
    assert_eq!(close(&["--peer", &peer, "--if-command", "sleep 4711", "--yes"]).code, Some(0));
    assert_eq!(crate::stage::error_of(&pair.peer), rustix::io::Errno::CONNRESET);
    assert_lives(&bystander);
}

#[test]
fn if_unit_refuses_the_connection_of_another_service() {
    Namespace::enter();
    let (server, to) = listener(HERE);
    let pair = connect(&server, to, ONE);
    assert_refused(&["--peer", "127.0.0.2", "--if-unit", "no-such-unit"], "--if-unit");
    assert_lives(&pair);
}

#[test]
fn a_guard_refuses_what_nobody_visible_holds() {
    Namespace::enter();
    let (server, to) = listener(HERE);
    let pair = connect(&server, to, ONE);
    for guard in [["--if-command", "closing"], ["--if-unit", "no-such-unit"]] {
        let arguments = [&["close", "--peer", "127.0.0.2", "--yes"], &guard[..]].concat();
        let refused = lastack_apart(&arguments);
        assert_eq!(refused.code, Some(1), "{refused:#?}");
        assert_lives(&pair);
    }
}
