//! The command that is run in the end, and waits that are interrupted.

use crate::sleeper::{LOCAL, Sleeper, command, fresh_port, request, wait};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::{NOBODY, User, undisturbed};
use lastack_lab::states;
use rustix::process::Signal;
use std::process::Command;

#[test]
fn the_command_gets_its_arguments_environment_and_directory_and_its_exit_code_is_ours() {
    Namespace::enter();
    let port = fresh_port();
    let listener = states::listening(&request(LOCAL, port));
    let script = r#"printf '%s|' "$0" "$@" "$GREETING" "$PWD"; id -u; exit 42"#;
    let arguments = [&port.to_string(), "--", "sh", "-c", script, "me", "a b", "--json", ""];
    let mut command = command(User::Nobody, &arguments);
    let sleeper = Sleeper::spawn(command.env("GREETING", "hello world").current_dir("/usr"));
    let before = sleeper.pid();
    sleeper.wait_until_it_sleeps();
    undisturbed(|| drop(listener));
    let run = sleeper.end();
    assert_eq!(run.stdout, format!("me|a b|--json||hello world|/usr|{NOBODY}\n"));
    assert_eq!((run.code, run.stderr.as_str()), (Some(42), ""), "pid {before:?}");
}

#[test]
fn the_command_takes_our_place_and_has_no_signal_blocked() {
    Namespace::enter();
    let port = fresh_port().to_string();
    let script = "echo $$; grep -E '^Sig(Blk|Ign)' /proc/self/status";
    let sleeper = Sleeper::spawn(&mut command(User::Root, &[&port, "--", "sh", "-c", script]));
    let pid = sleeper.pid().as_raw_nonzero();
    let run = sleeper.end();
    let mut alone = Command::new("env");
    let alone = alone.args(["--default-signal=INT", "sh", "-c", script]);
    let alone = lastack_lab::program::run(alone);
    let signals = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(run.stdout.lines().next(), Some(pid.to_string().as_str()));
    assert_eq!(signals(&run.stdout), signals(&alone.stdout), "as without lastack");
}

#[test]
fn a_command_that_cannot_be_run_is_an_error_before_any_waiting() {
    Namespace::enter();
    let port = fresh_port();
    let _listener = states::listening(&request(LOCAL, port));
    for (program, cause) in [
        ("no-such-program", "No such file or directory"),
        ("/no/such/program", "No such file or directory"),
        ("/etc/passwd", "Permission denied"),
        ("", "No such file or directory"),
    ] {
        let run = wait(User::Nobody, &[&port.to_string(), "--", program]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{program:?}");
        assert!(run.stderr.starts_with(&format!("lastack: failed to find {program}: ")));
        assert!(run.stderr.contains(cause), "{}", run.stderr);
    }
}

#[test]
fn an_interrupted_wait_ends_with_130_and_runs_nothing() {
    Namespace::enter();
    let port = fresh_port();
    let _listener = states::listening(&request(LOCAL, port));
    for until in ["bindable", "listening", "connectable"] {
        let place = if until == "bindable" { port } else { fresh_port() };
        let arguments = [&place.to_string(), "--until", until, "--", "echo", "ran"];
        let sleeper = Sleeper::start(&arguments);
        sleeper.signal(Signal::INT);
        let run = sleeper.end();
        assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (Some(130), "", ""));
    }
    let sleeper = Sleeper::start(&[&port.to_string(), "--json"]);
    sleeper.signal(Signal::INT);
    let run = sleeper.end();
    assert_eq!((run.code, &run.json()["outcome"]), (Some(130), &"interrupted".into()));
}

#[test]
fn a_wait_that_was_started_with_interrupts_ignored_is_not_interrupted() {
    Namespace::enter();
    let port = fresh_port();
    let listener = states::listening(&request(LOCAL, port));
    let script = r#"trap '' INT; exec "$0" "$@""#;
    let lastack = lastack_lab::program::path();
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(lastack).args(["wait", &port.to_string(), "--json"]);
    let sleeper = Sleeper::spawn(&mut shell);
    sleeper.wait_until_it_sleeps();
    sleeper.signal(Signal::INT);
    undisturbed(|| drop(listener));
    sleeper.reached();
}

#[test]
fn other_signals_end_it_as_they_end_any_program() {
    Namespace::enter();
    let port = fresh_port();
    let _listener = states::listening(&request(LOCAL, port));
    let sleeper = Sleeper::start(&[&port.to_string(), "--", "echo", "ran"]);
    sleeper.signal(Signal::TERM);
    let run = sleeper.end();
    assert_eq!((run.code, run.stdout.as_str()), (None, ""));
}
