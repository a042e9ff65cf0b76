//! Several processes of one host take their ports from the same 512, and none of them stands in another's way: not
//! beside it, not after it, and not when one is killed.

use crate::ours::hosts;
use lastack_lab::namespace::Namespace;
use lastack_lab::program::Process;
use lastack_lab::rshd::Rshd;
use std::io::{BufRead as _, BufReader};
use std::process::{ChildStdout, Command, Stdio};

/// A process that carries so many commands to the servers.
fn start(commands: u32, servers: u8) -> (Process, BufReader<ChildStdout>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_carry"));
    command.args([commands.to_string(), "16".into()]).args(hosts(servers));
    let mut process = Process::start(command.stdout(Stdio::piped()));
    let output = process.child().stdout.take().expect("its output");
    (process, BufReader::new(output))
}

/// What it says after its last command.
fn assert_all_succeed(output: BufReader<ChildStdout>, commands: u32) {
    let lines = output.lines().map(|line| line.expect("text")).filter(|line| line != "ok");
    assert_eq!(lines.collect::<Vec<_>>(), [format!("{commands} succeeded, 0 failed")]);
}

#[test]
fn two_at_once_to_one_server_both_succeed_without_timestamps_too() {
    let here = Namespace::enter();
    let rshd = Rshd::started(&here, 1, 1);
    rshd.without_timestamps(&here);
    let (_first, first_says) = start(400, 1);
    let (_second, second_says) = start(400, 1);
    assert_all_succeed(first_says, 400);
    assert_all_succeed(second_says, 400);
}

#[test]
fn one_that_is_killed_leaves_nothing_that_hinders_the_next_or_the_one_beside_it() {
    let here = Namespace::enter();
    let _rshd = Rshd::started(&here, 2, 1);
    let (_beside, beside_says) = start(600, 2);
    let (killed, mut killed_says) = start(100_000, 2);
    for _ in 0..100 {
        let mut line = String::new();
        killed_says.read_line(&mut line).expect("text");
        assert_eq!(line, "ok\n");
    }
    // By SIGKILL.
    drop(killed);
    let (_next, next_says) = start(300, 2);
    assert_all_succeed(next_says, 300);
    assert_all_succeed(beside_says, 600);
}
