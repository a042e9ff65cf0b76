//! A hundred thousand sockets in `TIME_WAIT` on one port: their number costs no memory, and all of them go.

use crate::scene::{ANY, LOCAL, fresh_port, really, request};
use lastack_lab::program::{self, Process, undisturbed};
use lastack_model::ids::Pid;
use lastack_os::namespace;
use lastack_os::process::{Ended, Handle};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

const MANY: u32 = 100_000;
/// The same with a handful is under 10 MB.
const MOST_KIB: u64 = 30_000;

#[test]
fn a_hundred_thousand_time_waits_are_destroyed_in_flat_memory() {
    lastack_lab::privilege::require_root();
    let port = fresh_port();
    let mut command = Command::new(env!("CARGO_BIN_EXE_crowd"));
    command.args(["time-waits", &port.to_string(), &MANY.to_string()]);
    let mut crowd = Process::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
    let mut line = String::new();
    let output = crowd.child().stdout.as_mut().expect("its output");
    BufReader::new(output).read_line(&mut line).expect("a line");
    assert!(line.starts_with("ready"), "{line:?}");
    let there = namespace::of_process(Pid(crowd.pid())).expect("the crowd's namespace");
    // In a thread of its own, which never leaves that namespace.
    let freed = thread::scope(|scope| {
        let inside = scope.spawn(|| {
            namespace::within(&there, || {
                assert!(really(&request(ANY, port)).is_some(), "the crowd is in the way");
                let freed = free(port);
                assert_eq!(really(&request(ANY, port)), None);
                assert_eq!(really(&request(LOCAL, port)), None);
                freed
            })
        });
        inside.join().expect("the thread")
    });
    let (answer, peak_kib) = freed.expect("the namespace can be entered");
    assert_eq!(answer["exit"], 0, "{answer}");
    let destroyed: u64 = answer["done"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|done| done["outcome"]["destroyed"]["destroyed"].as_u64().expect("a number"))
        .sum();
    // A few may have ended by themselves since: they were made over some seconds and last a minute.
    assert!(destroyed > u64::from(MANY) * 9 / 10, "{destroyed}");
    println!("{destroyed} destroyed, peak of {peak_kib} KiB");
    assert!((1..MOST_KIB).contains(&peak_kib), "{peak_kib} KiB");
}

/// The answer as JSON, and the peak of the memory it took.
fn free(port: u16) -> (serde_json::Value, u64) {
    let mut command = Command::new(program::path());
    command.args(["free", &port.to_string(), "--yes", "--json"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = undisturbed(|| command.spawn()).expect("lastack runs");
    let held = Handle::by_pid(Pid(child.id())).expect("held").expect("not reaped");
    // The usage that `wait4` tells counts what this process had when it forked.
    let mut peak_kib = 0;
    while held.wait(Duration::from_millis(1)) == Ended::No {
        peak_kib = peak_kib.max(high_water_kib(child.id()).unwrap_or_default());
    }
    let mut text = String::new();
    child.stdout.take().expect("its output").read_to_string(&mut text).expect("text");
    assert!(child.wait().expect("its end").success(), "{text}");
    (serde_json::from_str(&text).expect("JSON"), peak_kib)
}

/// `VmHWM`, which only grows; none once the process has ended.
fn high_water_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
