//! Ports and holders in other namespaces: acted on where that was asked for and possible, else refused with the reason.

use crate::bystander::Bystander;
use crate::scene::{ANY, Attempt, LOCAL, Leave, fresh_port, holder, request, runs, words};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::{Process, run};
use lastack_lab::states::{self, wait_until};
use std::fs;
use std::process::Command;
use std::thread;

#[test]
fn a_listener_in_another_network_namespace_is_left_alone_unless_that_one_is_named() {
    Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(port);
    let server = holder(states::listening(&request(LOCAL, port)));
    let name = format!("lastack-freeing-{}", std::process::id());
    let attached =
        run(Command::new("ip").args(["netns", "attach", &name, &server.pid().to_string()]));
    assert_eq!(attached.code, Some(0), "{attached:#?}");
    let place = format!("127.0.0.1:{port}");
    let there = thread::scope(|scope| {
        let afar = scope.spawn(|| {
            Namespace::enter();
            Attempt::on(&place).sparing(&[server.pid()]).finds_it_free();
            let attempt = Attempt::on(&place).with(&["--netns", &name]);
            let without_leave = attempt.run(&["--yes"]);
            assert_eq!(without_leave.code, Some(1), "{without_leave:#?}");
            assert!(runs(server.pid()));
            attempt.run(&["--yes", "--stop"])
        });
        afar.join().expect("the asking thread")
    });
    let detached = run(Command::new("ip").args(["netns", "delete", &name]));
    assert_eq!(detached.code, Some(0), "{detached:#?}");
    assert_eq!(there.code, Some(0), "{there:#?}");
    assert!(!runs(server.pid()));
    assert_eq!(crate::scene::really(&request(LOCAL, port)), None);
    bystander.assert_unharmed();
}

/// A program that holds a listener as the first process of a PID namespace: what started it, and its pid here.
fn first_process(port: u16) -> (Process, u32) {
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]).args(["sleep", "1000"]);
    let outer = Process::start(command.stdin(states::listening(&request(LOCAL, port))));
    drop(command);
    let children = format!("/proc/{0}/task/{0}/children", outer.pid());
    let inner = || fs::read_to_string(&children).ok()?.trim().parse::<u32>().ok();
    wait_until("the inner process runs", || {
        let name = inner().map(|pid| fs::read_to_string(format!("/proc/{pid}/comm")));
        matches!(name, Some(Ok(name)) if name == "sleep\n")
    });
    let inner = inner().expect("the inner process");
    (outer, inner)
}

#[test]
fn a_holder_in_a_process_namespace_below_is_ended_by_sigkill_from_here() {
    Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(port);
    let (outer, inner) = first_process(port);
    let place = format!("127.0.0.1:{port}");
    Attempt::on(&place).frees_with(Leave::Kill);
    assert!(!runs(outer.pid()) && !runs(inner));
    bystander.assert_unharmed();
}

#[test]
fn a_holder_outside_the_process_namespace_refuses_with_the_reason() {
    Namespace::enter();
    let port = fresh_port();
    let server = holder(states::listening(&request(LOCAL, port)));
    let place = format!("127.0.0.1:{port}");
    let apart = ["unshare", "--pid", "--fork", "--mount-proc"];
    let end = Attempt::on(&place).through(&apart).sparing(&[server.pid()]).refuses();
    let said = words(&end.stdout);
    assert!(said.contains("a process in another PID namespace"), "{said}");
    assert!(!said.contains("run as root"), "root is what it is: {said}");
}

#[test]
fn pid_1_refuses_and_if_named_it_is_said_that_it_lives_on() {
    Namespace::enter();
    let port = fresh_port();
    let (_outer, first) = first_process(port);
    let place = format!("127.0.0.1:{port}");
    let pid = first.to_string();
    let inside = ["nsenter", "--target", &pid, "--pid", "--mount"];
    let end = Attempt::on(&place).through(&inside).sparing(&[first]).refuses();
    let said = words(&end.stdout);
    assert!(said.contains("is the first process (pid 1): no signal ends it"), "{said}");
    let named = Attempt::on(&place)
        .through(&inside)
        .with(&["--even", "1", "--grace", "100ms"])
        .run(&["--yes", "--stop"]);
    assert_eq!(named.code, Some(1), "{named:#?}");
    assert!(named.stdout.contains("still runs"), "{}", named.stdout);
    assert!(words(&named.stdout).contains("the first process of its PID namespace"));
    assert!(runs(first));
    drop(Bystander::on(port));
}

#[test]
fn connections_of_an_unseen_program_are_still_ended() {
    use lastack_lab::states::Pair;
    Namespace::enter();
    let port = fresh_port();
    let bystander = Bystander::on(fresh_port());
    let Pair { ours, peer } = crate::scene::connection(&request(ANY, port));
    let (server, client) = (holder(ours), holder(peer));
    let apart = ["unshare", "--pid", "--fork", "--mount-proc"];
    Attempt::on(&port.to_string())
        .through(&apart)
        .sparing(&[server.pid(), client.pid()])
        .frees_with(Leave::Yes);
    bystander.assert_unharmed();
}
