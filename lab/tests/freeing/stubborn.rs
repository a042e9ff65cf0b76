//! Programs that do not end when told to, end before they are told, or are replaced meanwhile.

use crate::bystander::Bystander;
use crate::scene::{Attempt, LOCAL, Leave, fresh_port, holder, request, runs, words};
use crate::terminal::Terminal;
use lastack_lab::namespace::Namespace;
use lastack_lab::program::Process;
use lastack_lab::states::{self, wait_until};
use lastack_model::ids::Pid;
use lastack_model::stop::{Means, Stop};
use lastack_os::act::stop::{self, Kill, Stopped};
use rustix::process::Signal;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// A program that listens and ignores SIGTERM.
pub(crate) fn deaf(port: u16) -> Process {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' TERM; echo ready; exec sleep 1000"]);
    command.stdin(states::listening(&request(LOCAL, port))).stdout(Stdio::piped());
    let mut deaf = Process::start(&mut command);
    let mut line = String::new();
    let output = deaf.child().stdout.as_mut().expect("its output");
    BufReader::new(output).read_line(&mut line).expect("a line");
    assert_eq!(line, "ready\n");
    deaf
}

#[test]
fn a_program_that_ignores_sigterm_is_named_with_the_reason_and_ended_only_by_kill() {
    Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(port);
    let deaf = deaf(port);
    let place = format!("127.0.0.1:{port}");
    let end = Attempt::on(&place).run(&["--yes", "--stop", "--grace", "100ms"]);
    let said = words(&end.stdout);
    assert_eq!(end.code, Some(1), "{said}");
    assert!(said.contains("still runs: it ignores SIGTERM"), "{said}");
    assert!(said.contains("was told to end and runs on; what is left is SIGKILL (--kill)"));
    Attempt::on(&place).frees_with(Leave::Kill);
    assert!(!runs(deaf.pid()));
    bystander.assert_unharmed();
}

#[test]
fn one_of_two_holders_that_ignores_sigterm_is_told_only_once() {
    Namespace::enter();
    let port = fresh_port();
    // A shell gives what it starts in the background /dev/null to read, unless it is told otherwise.
    let script =
        "exec 3<&0; sleep 1000 <&3 >/dev/null & trap '' TERM; echo ready; exec sleep 1000 3<&-";
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(states::listening(&request(LOCAL, port)));
    let mut deaf = Process::start(command.stdout(Stdio::piped()));
    drop(command);
    let mut line = String::new();
    let output = deaf.child().stdout.as_mut().expect("its output");
    BufReader::new(output).read_line(&mut line).expect("a line");
    let place = format!("127.0.0.1:{port}");
    let answer = Attempt::on(&place).json(&["--yes", "--stop", "--grace", "100ms"]);
    let told = &answer["plan"]["steps"][0]["act"]["stop"]["processes"];
    assert_eq!(told.as_array().map(Vec::len), Some(2), "{told}");
    assert_eq!(answer["exit"], 1);
    assert_eq!(answer["done"].as_array().expect("a list").len(), 1, "{answer}");
    assert_eq!(answer["obstacles"][0]["runs_on"]["pid"], deaf.pid(), "{answer}");
}

#[test]
fn a_stopped_program_is_named_as_such_and_ended_only_by_kill() {
    Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(port);
    let stopped = holder(states::listening(&request(LOCAL, port)));
    stopped.signal(Signal::STOP);
    let stat = || fs::read_to_string(format!("/proc/{}/stat", stopped.pid())).expect("it is there");
    wait_until("it is stopped", || stat().contains(") T "));
    let place = format!("127.0.0.1:{port}");
    let end = Attempt::on(&place).run(&["--yes", "--stop", "--grace", "100ms"]);
    assert!(words(&end.stdout).contains("it is stopped; SIGTERM stays pending"), "{}", end.stdout);
    assert_eq!(end.code, Some(1));
    Attempt::on(&place).frees_with(Leave::Kill);
    bystander.assert_unharmed();
}

#[test]
fn a_program_that_ends_between_plan_and_act_is_no_error() {
    Namespace::enter();
    let port = fresh_port();
    let server = holder(states::listening(&request(LOCAL, port)));
    let ended = Terminal::session(&[&format!("127.0.0.1:{port}")], |terminal| {
        terminal.is_asked(1);
        server.signal(Signal::KILL);
        wait_until("it has ended", || !runs(server.pid()));
        terminal.types("y\n");
    });
    assert_eq!(ended.code, Some(0), "{}", ended.screen);
    assert!(ended.screen.contains("it had ended before"), "{}", ended.screen);
}

#[test]
fn a_program_that_was_started_again_meanwhile_is_not_stopped_unseen() {
    Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(port);
    let server = holder(states::listening(&request(LOCAL, port)));
    let mut reborn = None;
    let ended = Terminal::session(&[&format!("127.0.0.1:{port}")], |terminal| {
        terminal.is_asked(1);
        server.signal(Signal::KILL);
        wait_until("it has ended", || !runs(server.pid()));
        let listener = states::listening(&request(LOCAL, port));
        reborn = Some(holder(listener));
        terminal.types("y\n");
    });
    let screen = words(&ended.screen);
    assert_eq!(ended.code, Some(1), "{screen}");
    assert!(reborn.is_some_and(|newcomer| runs(newcomer.pid())), "{screen}");
    assert!(screen.contains("holds it now and was not in the plan"), "{screen}");
    bystander.assert_unharmed();
}

#[test]
fn whoever_has_the_pid_by_now_is_not_the_one_that_was_meant() {
    let innocent = Process::start(Command::new("sleep").arg("1000"));
    let mut process = lastack_os::process::describe(Pid(innocent.pid())).expect("a description");
    process.start_ticks -= 1;
    let meant = Stop { means: Means::Terminate, processes: vec![process], also: Vec::new() };
    let terms = stop::Terms { grace: Duration::ZERO, kill: Kill::AfterGrace, named: Vec::new() };
    assert_eq!(stop::stop(&meant, &terms).expect("asked"), Stopped::GoneBefore);
    assert!(runs(innocent.pid()));
}

#[test]
fn a_server_whose_clients_keep_coming_is_freed_with_what_they_leave() {
    Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(fresh_port());
    let mut command = Command::new("python3");
    command.args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string()]);
    let server = Process::start(command.stdin(Stdio::null()).stdout(Stdio::null()));
    let to = SocketAddr::from((LOCAL, port));
    wait_until("the server listens", || TcpStream::connect(to).is_ok());
    let over = AtomicBool::new(false);
    let (mut answered, place) = (0, format!("127.0.0.1:{port}"));
    let end = thread::scope(|scope| {
        let clients = scope.spawn(|| {
            let mut count = 0;
            while !over.load(Ordering::Relaxed) {
                count += u32::from(ask_for_a_page(to));
                thread::yield_now();
            }
            count
        });
        wait_until("some were answered", || states::on_port(port).len() > 20);
        let end = Attempt::on(&place).run(&["--yes", "--stop"]);
        over.store(true, Ordering::Relaxed);
        answered = clients.join().expect("the clients");
        end
    });
    assert!(answered > 10, "{answered}");
    assert_eq!(end.code, Some(0), "{}", end.stdout);
    assert!(!runs(server.pid()));
    assert_eq!(crate::scene::really(&request(LOCAL, port)), None, "{}", end.stdout);
    bystander.assert_unharmed();
}

fn ask_for_a_page(server: SocketAddr) -> bool {
    use std::io::{Read, Write};
    let Ok(mut client) = TcpStream::connect(server) else { return false };
    let asked = client.write_all(b"HEAD / HTTP/1.0\r\n\r\n");
    asked.and_then(|()| client.read_to_end(&mut Vec::new())).is_ok_and(|count| count > 0)
}
