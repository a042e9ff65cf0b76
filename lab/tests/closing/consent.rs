//! Nothing happens without leave: by flag, or by a clear yes on a terminal, step by step.

use crate::stage::{
    HERE, ONE, OTHER, assert_ended, assert_listens, assert_lives, close, close_as, connect,
    is_there, list, listener, time_wait,
};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::{Run, User, path, run};
use lastack_lab::sockets;
use serde_json::json;
use std::process::Command;

/// Runs it on a terminal, made by script(1), on which these lines are typed.
fn on_terminal(typed: &str, arguments: &str) -> Run {
    let line = format!(
        "printf '{typed}' | script -qec 'stty cols 80; exec {} close {arguments}' /dev/null",
        path().display()
    );
    run(Command::new("sh").args(["-c", &line]).env("TERM", "xterm"))
}

#[test]
fn a_dry_run_shows_the_plan_and_does_nothing() {
    Namespace::enter();
    let (server, to) = listener(HERE);
    let pair = connect(&server, to, ONE);
    let shown = close(&["--peer", "127.0.0.2", "--dry-run"]);
    assert_eq!(shown.code, Some(1), "{}", shown.stdout);
    for words in ["1 connection matches", "Plan", "stops nobody", "Nothing was done", "--yes"] {
        assert!(shown.stdout.contains(words), "{words:?} is missing: {}", shown.stdout);
    }
    let answer = close(&["--peer", "127.0.0.2", "--dry-run", "--json"]).json();
    assert_eq!((list(&answer["plan"], "steps").len(), list(&answer, "done").len()), (1, 0));
    assert_eq!(answer["after"], json!(null));
    assert_lives(&pair);
}

#[test]
fn without_a_terminal_and_without_leave_nothing_is_done() {
    Namespace::enter();
    let (server, to) = listener(HERE);
    let pair = connect(&server, to, ONE);
    let shown = close(&["--peer", "127.0.0.2"]);
    assert_eq!(shown.code, Some(1), "{}", shown.stdout);
    assert!(shown.stdout.contains("Nothing was done. To do it: add --yes"), "{}", shown.stdout);
    assert_eq!(close(&["--peer", "127.0.0.2", "--json"]).code, Some(1));
    assert_lives(&pair);
}

#[test]
fn on_a_terminal_a_clear_yes_is_asked_for() {
    Namespace::enter();
    let (server, to) = listener(HERE);
    let pair = connect(&server, to, ONE);
    let peer = sockets::local(&pair.peer);
    for typed in ["n\\n", "\\n", "x\\n", "", "yeah\\n"] {
        let refused = on_terminal(typed, &format!("--peer {peer}"));
        assert_eq!(refused.code, Some(1), "{typed:?}: {}", refused.stdout);
        assert!(refused.stdout.contains("[y/N]"), "{typed:?}: {}", refused.stdout);
        assert!(refused.stdout.contains("Nothing was done."), "{typed:?}: {}", refused.stdout);
        assert_lives(&pair);
    }
    let agreed = on_terminal("y\\n", &format!("--peer {peer}"));
    assert_eq!(agreed.code, Some(0), "{}", agreed.stdout);
    assert!(agreed.stdout.contains("It has ended."), "{}", agreed.stdout);
    assert_ended(&pair);
    assert_listens(&server, to);
}

#[test]
fn json_is_for_programs_and_never_asks() {
    Namespace::enter();
    let (server, to) = listener(HERE);
    let pair = connect(&server, to, ONE);
    let answer = on_terminal("y\\n", "--peer 127.0.0.2 --json");
    assert_eq!(answer.code, Some(1), "{}", answer.stdout);
    assert!(!answer.stdout.contains("[y/N]"), "{}", answer.stdout);
    assert_lives(&pair);
}

#[test]
fn what_was_declined_is_left_and_counted() {
    Namespace::enter();
    let (server, to) = listener(HERE);
    let waits = time_wait(&server, to, ONE);
    let live = connect(&server, to, ONE);
    let bystander = connect(&server, to, OTHER);
    let partly = on_terminal("y\\nn\\n", "--peer 127.0.0.2");
    assert_eq!(partly.code, Some(3), "{}", partly.stdout);
    assert!(partly.stdout.contains("1 of 2 are still there."), "{}", partly.stdout);
    assert!(!is_there(to.port(), waits));
    assert_lives(&live);
    assert_lives(&bystander);
}

#[test]
fn an_ordinary_user_is_told_what_root_could_do_and_changes_nothing() {
    Namespace::enter();
    let (server, to) = listener(HERE);
    let waits = time_wait(&server, to, ONE);
    let live = connect(&server, to, ONE);
    for flags in [&["--yes"][..], &["--dry-run"], &[]] {
        let refused = close_as(User::Nobody, &[&["--peer", "127.0.0.2"], flags].concat());
        assert_eq!(refused.code, Some(1), "{}", refused.stdout);
        let words = refused.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("What cannot be done"), "{words}");
        assert!(words.contains("needs CAP_NET_ADMIN: run as root"), "{words}");
        assert!(words.contains("no visible process"), "{words}");
        assert!(words.contains("Not seen"), "{words}");
    }
    let answer = close_as(User::Nobody, &["--peer", "127.0.0.2", "--yes", "--json"]).json();
    assert_eq!((list(&answer["plan"], "steps").len(), list(&answer, "done").len()), (0, 0));
    assert!(!list(&answer["plan"], "obstacles").is_empty(), "{answer}");
    assert!(!list(&answer, "unseen").is_empty(), "{answer}");
    assert!(is_there(to.port(), waits));
    assert_lives(&live);
    assert_listens(&server, to);
}
