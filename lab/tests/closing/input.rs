//! Bad input: one clear error that names the object, exit code 2, and nothing is changed.

use crate::stage::{HERE, ONE, assert_listens, assert_lives, connect, listener};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::{User, lastack, lastack_as};

fn assert_refused(arguments: &[&str], object: &str) {
    let run = lastack(&[&["close"], arguments, &["--yes"]].concat());
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{arguments:?}: {}", run.stderr);
    let first = run.stderr.lines().next().expect("an error");
    assert!(first.contains(object), "{object:?} is not named: {}", run.stderr);
    let errors = run.stderr.lines().filter(|l| l.contains("error") || l.contains("lastack: "));
    assert_eq!(errors.count(), 1, "one error: {}", run.stderr);
    assert!(!run.stderr.contains("panicked") && !run.stderr.contains('\x1b'), "{}", run.stderr);
}

#[test]
fn a_filter_that_selects_by_nothing_is_refused_by_name() {
    Namespace::enter();
    let (server, to) = listener(HERE);
    let bystander = connect(&server, to, ONE);
    assert_refused(&[], "required arguments");
    for state in ["listen", "closed", "nonsense", "", "time wait"] {
        assert_refused(&["--state", state], &format!("'{state}'"));
    }
    for (address, object) in [
        ("nonsense", "nonsense"),
        ("127.0.0.1:99999", "99999"),
        ("[::1", "[::1"),
        ("udp/53", "udp/53"),
        ("127.0.0.1:0", "port 0"),
        ("[fe80::1%nowhere0]:80", "nowhere0"),
        ("host.invalid:80", "host.invalid"),
        ("", "port is missing"),
    ] {
        assert_refused(&["--peer", address], object);
        assert_refused(&["--local", address], object);
    }
    for time in ["never", "-1s", "50d", "1w", ""] {
        assert_refused(&[&format!("--idle={time}")], "--idle");
    }
    assert_refused(&["--pid", "4194305"], "4194305");
    assert_refused(&["--pid", "0"], "/proc/0");
    assert_refused(&["--pid", "self"], "self");
    assert_refused(&["--peer", "127.0.0.2", "--netns", "no-such-namespace"], "no-such-namespace");
    assert_refused(&["--peer", "127.0.0.2", "--dry-run"], "--dry-run");
    assert_refused(&["127.0.0.2"], "127.0.0.2");
    assert_lives(&bystander);
    assert_listens(&server, to);
}

#[test]
fn another_users_process_is_refused_by_name() {
    Namespace::enter();
    let pid = std::process::id().to_string();
    let refused = lastack_as(User::Nobody, &["close", "--pid", &pid, "--yes"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{refused:#?}");
    assert!(refused.stderr.contains(&pid), "{}", refused.stderr);
    assert!(refused.stderr.contains("root"), "what root would add: {}", refused.stderr);
    assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
}
