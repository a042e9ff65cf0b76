//! What an ordinary user is told about the sockets of others: less, never nothing, and never something wrong.

use crate::answer::{Answer, LOCAL, ask, fresh_port, request, reusing};
use lastack_lab::namespace::Namespace;
use lastack_lab::paper::assert_clean;
use lastack_lab::program::{User, lastack_as};
use lastack_lab::sockets::owned_by;
use lastack_lab::states::{self, wait_for};
use lastack_model::bind::Request;
use lastack_model::ids::Uid;
use lastack_model::state::State;
use std::net::SocketAddr;

fn asked_by_nobody(port: u16) -> Answer {
    ask(User::Nobody, &[&format!("127.0.0.1:{port}")])
}

fn shows_root_would_see_more(answer: &Answer) -> bool {
    let unseen = answer.json["unseen"].as_array().expect("a list");
    unseen.iter().any(|what| what["remedy"].as_str().is_some_and(|how| how.contains("root")))
}

#[test]
fn a_listener_of_another_user_shows_its_state_and_uid_and_what_root_would_add() {
    Namespace::enter();
    let port = fresh_port();
    let _listener = states::listening(&Request { uid: Uid(1001), ..request(LOCAL, port) });
    let answer = asked_by_nobody(port);
    assert_eq!(answer.verdict(), ("in_use", 1));
    assert_eq!(answer.role_and_state(), ("listener", State::Listen));
    answer.assert_blames(&[]);
    assert_eq!(answer.conflict()["sockets"]["example"]["uid"], 1001);
    assert!(answer.conflict()["sockets"]["example"]["cgroup"].is_u64());
    assert!(answer.text.contains("uid 1001"), "{}", answer.text);
    assert!(shows_root_would_see_more(&answer), "{}", answer.text);
    assert!(answer.text.contains("run as root"), "{}", answer.text);
}

#[test]
fn a_leak_of_another_user_is_still_called_a_leak() {
    Namespace::enter();
    let port = fresh_port();
    let listener = states::listening(&request(LOCAL, port));
    let pair = states::established(&listener, SocketAddr::from((LOCAL, port)));
    drop(listener);
    drop(pair.peer);
    wait_for(port, |socket| socket.state == State::CloseWait);
    let answer = asked_by_nobody(port);
    assert_eq!(answer.verdict(), ("in_use", 1));
    assert_eq!(answer.role_and_state(), ("close_wait", State::CloseWait));
    answer.assert_blames(&[]);
    assert!(shows_root_would_see_more(&answer), "{}", answer.text);
}

#[test]
fn a_bound_socket_of_another_user_is_seen() {
    Namespace::enter();
    let port = fresh_port();
    let _bound = states::bound(&request(LOCAL, port));
    let answer = asked_by_nobody(port);
    assert_eq!(answer.verdict(), ("in_use", 1));
    assert_eq!(answer.role_and_state(), ("bound_only", State::Closed));
    assert!(answer.text.contains("uid 0"), "{}", answer.text);
}

#[test]
fn what_nobody_holds_needs_no_root_to_be_explained() {
    Namespace::enter();
    let port = fresh_port();
    let listener = states::listening(&reusing(LOCAL, port));
    let pair = states::established(&listener, SocketAddr::from((LOCAL, port)));
    drop(listener);
    states::time_wait(pair);
    let answer = asked_by_nobody(port);
    assert_eq!(answer.verdict(), ("in_use", 1));
    assert_eq!(answer.role_and_state(), ("time_wait", State::TimeWait));
    answer.time_left();
    assert!(answer.is_futile("kill_nobody_holds_it"));
    assert_eq!(answer.reuse_address().expect("SO_REUSEADDR is proposed"), "tried");
}

#[test]
fn ones_own_sockets_are_attributed_without_root() {
    use lastack_lab::program::{NOBODY, Process};
    use std::os::unix::process::CommandExt;
    Namespace::enter();
    let port = fresh_port();
    let listener = owned_by(Uid(NOBODY), || {
        states::listening(&Request { uid: Uid(NOBODY), ..request(LOCAL, port) })
    });
    let mut command = std::process::Command::new("sleep");
    let own = Process::start(command.arg("1000").uid(NOBODY).gid(NOBODY).stdin(listener));
    drop(command);
    asked_by_nobody(port).assert_blames(&[own.pid()]);
}

#[test]
fn the_overview_works_without_root() {
    Namespace::enter();
    let port = fresh_port();
    let _listener = states::listening(&request(LOCAL, port));
    let overview = lastack_as(User::Nobody, &[]);
    assert_eq!((overview.code, overview.stderr.as_str()), (Some(1), ""), "{}", overview.stdout);
    assert!(overview.stdout.contains(&format!("127.0.0.1:{port}")), "{}", overview.stdout);
    assert!(overview.stdout.contains("uid 0"), "{}", overview.stdout);
    assert_clean(&overview.stdout);
}
