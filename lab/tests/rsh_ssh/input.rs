//! Questions that mean nothing: one error, exit code 2, nothing begun.

use lastack_lab::program::{lastack, path, run};
use std::process::Command;

#[test]
fn what_means_nothing_is_one_error_and_exit_code_2() {
    for (arguments, says) in [
        (&["true"][..], "--hosts <HOSTS>"),
        (&["-w", "a"], "no command to run"),
        (&["-w", "a", "  "], "no command to run"),
        (
            &["-w", "n[3-1]", "true"],
            "no list of hosts: \"n[3-1]\": the range 3-1 ends before it begins",
        ),
        (&["-w", "n[1-999999999]", "true"], "more than 100000 hosts, which is the limit"),
        (&["-w", "@/nonexistent/hosts", "true"], "cannot be read"),
        (&["-w", "-oProxyCommand=x", "true"], "cannot begin with \"-\""),
        (&["-w", "a", "-x", "a", "true"], "no host is left"),
        (&["-w", "a", "-f", "0", "true"], "0 is not in 1..=100000"),
        (&["-w", "a", "--connect-timeout", "0", "true"], "--connect-timeout 0 leaves no time"),
        (&["-w", "a", "--timeout", "soon", "true"], "not a time"),
        (&["-w", "a", "-l", "-x", "true"], "a value is required for '--user <USER>'"),
        (&["-w", "a", "--user=-x", "true"], "\"-x\" is no user's name"),
        (
            &["-w", "a", "--stdin", "/nonexistent/input", "true"],
            "failed to read /nonexistent/input (--stdin)",
        ),
        (
            &["-w", "-", "--stdin", "-", "cat"],
            "standard input cannot be read as hosts and as their input",
        ),
        (&["-w", "a", "--commands", "/dev/null"], "no command to run"),
        (&["-w", "a", "-b", "--json", "true"], "cannot be used with"),
        (&["-w", "a", "--via", "telnet", "true"], "possible values: ssh, rsh"),
        (&["-w", "a", "--stderr", "early", "true"], "--stderr is for --via rsh only"),
        (&["-w", "a", "--ports", "600-700", "true"], "--ports is for --via rsh only"),
        (
            &["-w", "a", "--via", "rsh", "--persist", "1m", "true"],
            "--persist is for --via ssh only",
        ),
        (
            &["-w", "a", "--via", "rsh", "--ports", "1-600", "true"],
            "from the ports 512 to 1023 only",
        ),
        (&["-w", "a", "--via", "rsh", "--from", "home", "true"], "invalid IP address"),
    ] {
        let run = lastack(&[&["rsh"], arguments].concat());
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{arguments:?}: {run:?}");
        assert!(run.stderr.contains(says), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn a_dry_run_says_what_would_be_run_and_runs_nothing() {
    let dry = run(Command::new(path())
        .args(["rsh", "-w", "n[1-3],g", "-x", "n2", "-l", "me", "--dry-run", "--", "echo", "it's"])
        .env("PATH", "/nonexistent"));
    assert_eq!((dry.code, dry.stderr.as_str()), (Some(0), ""));
    for says in
        ["3 hosts, 3 at once, over ssh", "g,n[1,3]", "echo it's", "-l me -- n1 'echo it'\\''s'"]
    {
        assert!(dry.stdout.contains(says), "{says}: {}", dry.stdout);
    }
    let json = lastack(&["rsh", "-w", "n[1-2]", "--dry-run", "--json", "true"]).json();
    assert_eq!((&json["event"], &json["dry_run"]), (&"planned".into(), &true.into()));
    assert_eq!(json["hosts"], serde_json::json!(["n1", "n2"]));
}

#[test]
fn options_behind_the_command_are_the_commands() {
    let dry = lastack(&["rsh", "-w", "n1", "--dry-run", "ls", "-l", "--json"]);
    assert_eq!((dry.code, dry.stderr.as_str()), (Some(0), ""));
    assert!(dry.stdout.contains("ls -l --json"), "{}", dry.stdout);
}
