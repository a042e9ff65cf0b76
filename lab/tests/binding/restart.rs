//! Restarts while another user tries for the port without pause: what no option closes, and what closes it.

use crate::scene::{ANY, PORT, THIEF, VICTIM, as_user, steal};
use lastack_graceful::bind::{Bind, Families};
use lastack_graceful::listener::{Successor, close_draining};
use lastack_lab::namespace::Namespace;
use lastack_lab::sockets;
use lastack_lab::states::wait_until;
use lastack_model::bind::{Options, Request};
use lastack_model::facts::Transport;
use lastack_model::ids::Port;
use rustix::fd::AsFd as _;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const RESTARTS: usize = 200;

/// Another user who asks for the port all the time, by each option in turn.
struct Thief {
    stop: Arc<AtomicBool>,
    tried: Arc<AtomicU64>,
    thread: JoinHandle<u64>,
}

impl Thief {
    fn start() -> Self {
        let (stop, tried) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let namespace = File::open("/proc/thread-self/ns/net").expect("this namespace");
        let thread = {
            let (stop, tried) = (Arc::clone(&stop), Arc::clone(&tried));
            std::thread::spawn(move || {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                    .expect("the same namespace");
                tries(&stop, &tried)
            })
        };
        Self { stop, tried, thread }
    }

    /// Waits until it has tried every way once more.
    fn tries_again(&self) {
        let before = self.tried.load(Ordering::Relaxed);
        wait_until("the thief has tried", || self.tried.load(Ordering::Relaxed) > before + 8);
    }

    /// How often it listened.
    fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the thief ends")
    }
}

fn tries(stop: &AtomicBool, tried: &AtomicU64) -> u64 {
    let mut had = 0;
    let flags = [(true, false), (false, true), (true, true), (false, false)];
    for (reuse_address, reuse_port) in flags.into_iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let request = Request {
            transport: Transport::Tcp,
            address: ANY.ip(),
            port: Port(PORT),
            options: Options { reuse_address, reuse_port, ..Options::default() },
            uid: THIEF,
            may_bind_reserved: false,
        };
        had += u64::from(steal(&request).is_ok_and(|socket| sockets::listen(&socket, 1).is_ok()));
        tried.fetch_add(1, Ordering::Relaxed);
    }
    had
}

fn listen(wanted: &Bind) -> TcpListener {
    let wanted = wanted.clone().until(Instant::now() + Duration::from_secs(20));
    as_user(VICTIM, || wanted.listen()).expect("the victim gets it in the end")
}

#[test]
fn a_port_that_nobody_holds_for_a_moment_is_anybodys_exclusive_or_not() {
    let _namespace = Namespace::enter();
    for wanted in [Bind::to(ANY), Bind::to(ANY).exclusive().families(Families::Own)] {
        let mut listener = listen(&wanted);
        let thief = Thief::start();
        for _ in 0..RESTARTS / 10 {
            drop(listener);
            thief.tries_again();
            listener = listen(&wanted);
        }
        assert!(thief.end() > 0, "{wanted:?}");
    }
}

#[test]
fn exclusive_servers_that_overlap_leave_no_moment() {
    let _namespace = Namespace::enter();
    let wanted = Bind::to(ANY).exclusive().group().families(Families::Own);
    let mut old = listen(&wanted);
    let thief = Thief::start();
    for _ in 0..RESTARTS {
        let new = listen(&wanted);
        let deadline = Instant::now() + Duration::from_secs(5);
        let report = close_draining(old, Successor::SameGroup { index: 1 }, deadline, drop);
        let _ = report.expect("a close");
        lastack_graceful::listener::stop_steering(&new).expect("no more steering");
        old = new;
    }
    thief.tries_again();
    assert_eq!(thief.end(), 0);
}
