//! Trying again: the address is taken soon after it is free, the reason is of that moment, and what no time changes is
//! told at once.

use crate::scene::{LOCAL, LOCAL_V6, leave_time_wait, python_server, silence};
use lastack_graceful::bind::{Bind, Reason};
use lastack_lab::link::ip;
use lastack_lab::namespace::Namespace;
use lastack_lab::states::wait_until;
use rustix::fd::AsFd as _;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::net::TcpListener;
use std::process::Command;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(300);
/// A busy machine may be late by as much.
const LATE: Duration = Duration::from_secs(5);

/// Waits for the address in a thread that has failed to bind it once and sleeps now.
fn in_vain_at_first(wanted: Bind) -> JoinHandle<()> {
    let namespace = File::open("/proc/thread-self/ns/net").expect("this namespace");
    let (sender, thread) = channel();
    let waiting = std::thread::spawn(move || {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .expect("the same namespace");
        sender.send(rustix::thread::gettid()).expect("told");
        wanted.until(Instant::now() + LONG).listen().expect("it is free in the end");
    });
    let thread = thread.recv().expect("a thread").as_raw_nonzero();
    let call = format!("/proc/self/task/{thread}/syscall");
    let sleep = format!("{} ", libc::SYS_ppoll);
    wait_until("it sleeps between two attempts", || {
        std::fs::read_to_string(&call).expect("what it does").starts_with(&sleep)
    });
    waiting
}

/// How long until it was bound.
fn bound_after(waiting: JoinHandle<()>) -> Duration {
    let began = Instant::now();
    waiting.join().expect("bound");
    began.elapsed()
}

#[test]
fn a_listener_that_goes_is_followed() {
    let _namespace = Namespace::enter();
    let server = python_server(LOCAL);
    let waiting = in_vain_at_first(Bind::to(LOCAL));
    drop(server);
    assert!(bound_after(waiting) < LATE);
}

#[test]
fn a_time_wait_that_is_destroyed_is_noticed_long_before_its_end() {
    let _namespace = Namespace::enter();
    let listener = TcpListener::bind(LOCAL).expect("a listener");
    rustix::net::sockopt::set_socket_reuseaddr(&listener, false).expect("SO_REUSEADDR");
    leave_time_wait(&listener);
    drop(listener);
    silence(LOCAL.port());
    let waiting = in_vain_at_first(Bind::to(LOCAL));
    destroy_time_wait();
    assert!(bound_after(waiting) < LATE);
}

fn destroy_time_wait() {
    let mut command = Command::new("ss");
    let run = lastack_lab::program::run(command.args([
        "-K",
        "state",
        "time-wait",
        "sport",
        "=",
        ":8080",
    ]));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}

#[test]
fn an_address_that_is_not_there_yet_is_waited_for() {
    let _namespace = Namespace::enter();
    let waiting = in_vain_at_first(Bind::to("10.5.5.5:8080"));
    ip("address add 10.5.5.5/32 dev lo");
    assert!(bound_after(waiting) < LATE);
}

#[test]
fn the_deadline_is_kept_and_the_reason_told() {
    let _namespace = Namespace::enter();
    let _taken = TcpListener::bind(LOCAL).expect("taken");
    let began = Instant::now();
    let error = Bind::to(LOCAL).until(began + SHORT).listen().expect_err("in use");
    let took = began.elapsed();
    assert!(took >= SHORT && took < SHORT + LATE, "{took:?}");
    assert_eq!(error.reason(), Reason::AddressInUse);
    // It began to wait a moment after the deadline was set.
    let waited = error.waited().expect("more than one attempt");
    assert!(waited > SHORT / 2 && waited <= took, "{waited:?} of {took:?}");
    let text = error.to_string();
    assert!(text.contains("listens on 127.0.0.1:8080; waited 0."), "{text}");
}

#[test]
fn a_deadline_that_is_over_still_allows_one_attempt() {
    let _namespace = Namespace::enter();
    let past = Instant::now();
    Bind::to(LOCAL).until(past).listen().expect("free");
    let _taken = TcpListener::bind(LOCAL).expect("taken");
    let error = Bind::to(LOCAL).until(past).listen().expect_err("in use");
    assert_eq!(error.waited(), None);
}

#[test]
fn attempts_that_fail_at_the_second_address_do_not_keep_a_processor_busy() {
    let _namespace = Namespace::enter();
    let _taken = TcpListener::bind(LOCAL_V6).expect("taken");
    let began = Instant::now();
    let used = thread_time();
    let wanted = Bind::to(LOCAL).and(LOCAL_V6).until(began + SHORT * 4);
    assert!(wanted.listen_all().is_err());
    let used = thread_time().saturating_sub(used);
    assert!(used < began.elapsed() / 2, "{used:?} of {:?}", began.elapsed());
}

pub(super) fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("a time")
}
