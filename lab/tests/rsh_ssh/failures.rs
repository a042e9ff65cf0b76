//! Hosts that cannot be reached, commands that do not end, limits: each is reported for its host, and the others go on.

use crate::answers::events;
use crate::scene::{Scene, sorted};
use lastack_lab::program::{path, run};
use std::process::Command;

#[test]
fn a_bad_host_is_reported_and_the_others_go_on() {
    let scene = Scene::new();
    let run = scene.rsh(&["-w", "node1,no.such.host,192.0.2.1,nobody@node2,node3", "echo ok"]);
    assert_eq!((run.code, sorted(&run.stdout)), (Some(3), vec!["node1: ok", "node3: ok"]));
    for (host, says) in [
        ("no.such.host", "finding its address: Could not resolve"),
        ("192.0.2.1", "connecting: connect to host 192.0.2.1"),
        ("nobody@node2", "setting up: refused: nobody@node2: Permission denied"),
    ] {
        let text = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(host) && text.contains(says), "{host}: {}", run.stderr);
    }
    assert!(run.stderr.contains("5 hosts: 2 succeeded, 3 without a status; "), "{}", run.stderr);
    assert!(run.stderr.lines().all(|line| line.chars().count() <= 80), "{}", run.stderr);
}

#[test]
fn only_what_was_certainly_not_run_is_tried_again() {
    let scene = Scene::new();
    let run = scene.rsh(&["--json", "--retries", "1", "-w", "192.0.2.1,node1", "kill -9 $$"]);
    let attempts = |host: &str| {
        let ended = events(&run.stdout, "ended");
        ended.into_iter().find(|event| event["host"] == host).expect("its end")["attempts"].clone()
    };
    assert_eq!((attempts("192.0.2.1"), attempts("node1")), (2.into(), 1.into()));
    assert_eq!(events(&run.stdout, "again").len(), 1);
}

#[test]
fn a_host_that_does_not_answer_is_given_up() {
    let scene = Scene::new();
    let silent = ["--ssh-option", "ProxyCommand=cat", "--connect-timeout", "300ms"];
    let run = scene.rsh(&[&silent[..], &["-w", "node1", "--json", "echo ok"]].concat());
    let failure = &events(&run.stdout, "ended")[0]["failure"];
    assert_eq!((&failure["cause"], &failure["ran"]), (&"timed_out".into(), &"no".into()));
    assert_eq!(run.code, Some(3));
}

#[test]
fn a_command_that_does_not_end_is_stopped_and_may_go_on_there() {
    let scene = Scene::new();
    let run = scene.rsh(&["-w", "node[1-2]", "--command-timeout", "300ms", "sleep 1234"]);
    assert_eq!(run.code, Some(3));
    let text = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    let says = "running the command: not done within 0.3 s (the command may still run there)";
    assert_eq!(text.matches(says).count(), 2, "{}", run.stderr);
    assert_eq!(Scene::clients("sleep 1234"), 0);
}

#[test]
fn when_the_time_for_all_is_over_nothing_more_is_begun() {
    let scene = Scene::new();
    let run = scene.rsh(&["-w", "node[1-3]", "-f", "1", "--timeout", "1s", "sleep 2345"]);
    assert_eq!(run.code, Some(124));
    assert!(run.stderr.contains("the time of --timeout is over"), "{}", run.stderr);
    assert_eq!(run.stderr.matches("not run: the time was over first").count(), 2, "{}", run.stderr);
    assert_eq!(Scene::clients("sleep 2345"), 0);
}

#[test]
fn a_background_job_that_holds_the_connection_is_told_from_a_command_that_runs() {
    let scene = Scene::new();
    let run = scene.rsh(&["-w", "node1", "--command-timeout", "500ms", "sleep 3456 & echo began"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(3), "node1: began\n"));
    let text = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("something that it began held the connection"), "{text}");
    assert!(!text.contains("may still run"), "{text}");
}

#[test]
fn with_few_files_fewer_run_at_once() {
    let scene = Scene::new();
    let script = "ulimit -n 128; exec \"$L\" rsh -f 100 -w node[1-12] echo ok";
    let run = scene.shell(script);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(
        run.stderr.contains("5 at once, not more: the hard limit is 128 open files"),
        "{}",
        run.stderr
    );
    assert_eq!(run.stdout.lines().count(), 12);
}

#[test]
fn without_ssh_nothing_is_begun() {
    let found =
        run(Command::new(path()).args(["rsh", "-w", "a", "true"]).env("PATH", "/nonexistent"));
    assert_eq!((found.code, found.stdout.as_str()), (Some(2), ""));
    assert!(
        found.stderr.contains("failed to find ssh") && found.stderr.contains("OpenSSH"),
        "{}",
        found.stderr
    );
}
