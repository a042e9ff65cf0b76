//! The line on a terminal, seen through a pseudo-terminal made by script(1).

use crate::sleeper::{LOCAL, fresh_port, request};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::{Run, path, run};
use lastack_lab::states;
use std::process::Command;

/// Runs a wait on a terminal so many columns wide; what the terminal got, and the exit code.
fn on_terminal(columns: u16, arguments: &str) -> Run {
    let line = format!("stty cols {columns}; exec {} wait {arguments}", path().display());
    run(Command::new("script").args(["-qec", &line, "/dev/null"]).env("TERM", "xterm"))
}

/// The lines that stood there one after the other.
fn lines(output: &str) -> Vec<&str> {
    output.split('\r').filter_map(|part| part.strip_suffix("\x1b[K")).collect()
}

#[test]
fn on_a_terminal_a_line_says_what_is_waited_for_and_is_gone_in_the_end() {
    Namespace::enter();
    let port = fresh_port();
    let _listener = states::listening(&request(LOCAL, port));
    let shown = on_terminal(100, &format!("{port} --timeout 2100ms"));
    assert_eq!(shown.code, Some(124), "{shown:#?}");
    let lines = lines(&shown.stdout);
    let whole = format!("waiting for {port}: LISTEN of ");
    let seconds = lines.iter().filter(|line| line.starts_with(&whole)).count();
    assert!((2..=4).contains(&seconds), "one line a second: {lines:?}");
    assert!(lines[0].contains("; gives up in "), "{lines:?}");
    let (_, rest) = shown.stdout.rsplit_once("\r\x1b[K").expect("the line is erased");
    assert!(rest.contains("is in use") && !rest.contains("so far"), "{rest:?}");
}

#[test]
fn on_a_narrow_terminal_the_line_still_fits() {
    Namespace::enter();
    let port = fresh_port();
    let listener = states::listening(&request(LOCAL, port));
    states::time_wait(states::established(&listener, (LOCAL, port).into()));
    lastack_lab::program::undisturbed(|| drop(listener));
    for (columns, words) in [(40, "TIME_WAIT, 1 min left"), (20, "1 min left")] {
        let shown = on_terminal(columns, &format!("127.0.0.1:{port} --timeout 100ms --json"));
        let lines = lines(&shown.stdout);
        assert!(lines[0].contains(words) || lines[0].contains(" s left"), "{lines:?}");
        for line in &lines {
            assert!(line.chars().count() < usize::from(columns), "{columns} columns: {line:?}");
        }
    }
}

#[test]
fn a_wait_that_ends_well_says_so_on_a_terminal_unless_a_command_follows() {
    Namespace::enter();
    let port = fresh_port();
    let alone = on_terminal(80, &port.to_string());
    assert_eq!((alone.code, alone.stdout), (Some(0), format!("{port} can be bound\r\n")));
    let followed = on_terminal(80, &format!("{port} -- echo ran"));
    assert_eq!((followed.code, followed.stdout.as_str()), (Some(0), "ran\r\n"));
}
