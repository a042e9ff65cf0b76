//! Refusals that no waiting takes back, and questions that mean nothing.

use crate::sleeper::{LOCAL, Sleeper, fresh_port, request, wait};
use lastack_lab::link::ip;
use lastack_lab::namespace::Namespace;
use lastack_lab::program::User;
use lastack_lab::states;
use std::process::{Command, Stdio};

#[test]
fn a_reserved_port_is_refused_at_once() {
    Namespace::enter();
    let run = wait(User::Nobody, &["80", "--", "echo", "ran"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""));
    assert!(run.stdout.contains("EACCES"), "{}", run.stdout);
    assert!(!run.stdout.contains("ran"));
    let json = wait(User::Nobody, &["80", "--json"]);
    assert_eq!((json.code, &json.json()["outcome"]), (Some(1), &"refused".into()));
    assert_eq!(wait(User::Root, &["80"]).code, Some(0), "root may");
}

#[test]
fn an_address_that_is_not_ours_is_refused_at_once_unless_it_is_to_be_waited_for() {
    Namespace::enter();
    let place = format!("192.0.2.1:{}", fresh_port());
    let run = wait(User::Root, &[&place, "--json"]);
    assert_eq!((run.code, &run.json()["outcome"]), (Some(1), &"refused".into()));
    let over = wait(User::Root, &[&place, "--even-if-refused", "--timeout", "100ms"]);
    assert_eq!(over.code, Some(124));
    assert!(over.stdout.contains("EADDRNOTAVAIL"), "{}", over.stdout);
    let sleeper = Sleeper::start(&[&place, "--even-if-refused", "--json"]);
    ip("address add 192.0.2.1/32 dev lo");
    sleeper.reached();
}

#[test]
fn what_means_nothing_is_one_error_and_exit_code_2() {
    Namespace::enter();
    for (arguments, says) in [
        (&["70000"][..], "ports go from 1 to 65535"),
        (&["8080", "--timeout", "soon"], "not a time"),
        (&["8080", "--until", "noon"], "bindable"),
        (&["udp/53", "--until", "connectable"], "UDP has no connections"),
        (&["8080", "--until", "listening", "--reuse-port"], "--reuse-port is about a bind"),
        (&["8080", "--until", "connectable", "--even-if-refused"], "is about a bind"),
        (&["8080", "--device", "nowhere0"], "no interface is called"),
        (&["8080", "--netns", "nowhere"], "network namespace"),
        (&["8080", "9090"], "unexpected argument"),
        (&[], "<ADDR>"),
    ] {
        let run = wait(User::Root, arguments);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(run.stderr.contains(says), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    Namespace::enter();
    let port = fresh_port();
    let _listener = states::listening(&request(LOCAL, port));
    let script = format!(
        "{{ {} wait {port} --timeout 0; echo $? >&2; }} | true",
        lastack_lab::program::path().display()
    );
    let run = lastack_lab::program::run(Command::new("sh").args(["-c", &script]));
    assert_eq!(run.stderr, "124\n");
}

#[test]
fn without_any_standard_stream_it_waits_and_ends_all_the_same() {
    Namespace::enter();
    let port = fresh_port();
    let _listener = states::listening(&request(LOCAL, port));
    let script = format!(
        "{} wait {port} --timeout 100ms <&- >&- 2>&-",
        lastack_lab::program::path().display()
    );
    let mut shell = Command::new("sh");
    let run = lastack_lab::program::run(shell.args(["-c", &script]).stdin(Stdio::null()));
    assert_eq!(run.code, Some(124));
}
