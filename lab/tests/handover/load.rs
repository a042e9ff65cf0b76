//! Twenty-one processes, one after the other, while clients come without a pause: none may fail, by whatever way the listener
//! goes from one process to the next.

use crate::heir::{Folder, Heir};
use lastack_lab::handover::{SERVER, clients};
use lastack_lab::namespace::Namespace;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Lets clients ask while processes follow one another; how many were answered, and how many not.
fn under_load(first: Heir, mut follow: impl FnMut(Heir) -> Heir) -> (usize, u64) {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut total = (0, 0);
            while !is_over.load(Relaxed) || total.0 < LEAST {
                let (answered, failed) = clients(500, 8);
                total = (total.0 + answered.len(), total.1 + failed);
            }
            total
        });
        let mut current = first;
        for _ in 0..GENERATIONS {
            current = follow(current);
        }
        is_over.store(true, Relaxed);
        let total = asking.join().expect("clients that end");
        drop(current);
        total
    })
}

fn assert_none_failed((answered, failed): (usize, u64)) {
    assert_eq!(failed, 0, "of {answered} that were answered");
    assert!(answered >= LEAST, "only {answered}");
}

#[test]
fn no_request_fails_while_processes_offer_and_receive_the_listener() {
    let _namespace = Namespace::enter();
    let folder = Folder::new();
    let path = folder.path();
    let path = path.to_str().expect("a path in UTF-8");
    let start = || Heir::start(&["generation", path]).serving();
    assert_none_failed(under_load(start(), |mut old| {
        let new = start();
        assert_eq!(old.line(), "done", "it drained without a loss");
        assert!(old.end().success());
        new
    }));
}

/// The listener stays with this process, as with a service manager.
fn managed(script: &str) {
    let _namespace = Namespace::enter();
    let listener = TcpListener::bind(SERVER).expect("a listener");
    let start = || Heir::passed(&listener, script).serving();
    assert_none_failed(under_load(start(), |mut old| {
        let new = start();
        assert!(old.end().success(), "it drained without a loss");
        new
    }));
}

#[test]
fn no_request_fails_while_a_manager_passes_the_listener_as_systemd_does() {
    managed(
        "export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=http
         exec \"$HEIR\" env http 3<&2 2>/dev/null",
    );
}

#[test]
fn no_request_fails_while_a_manager_passes_the_listener_as_einhorn_does() {
    managed(
        "export EINHORN_MASTER_PID=$PPID EINHORN_FD_COUNT=1 EINHORN_FD_0=6
         exec \"$HEIR\" env 0 6<&2 2>/dev/null",
    );
}

#[test]
fn no_request_fails_while_a_manager_passes_the_listener_as_server_starter_does() {
    managed(
        "export SERVER_STARTER_PORT='127.0.0.1:8080=5'
         exec \"$HEIR\" env 127.0.0.1:8080 5<&2 2>/dev/null",
    );
}

#[test]
fn no_request_fails_while_processes_take_the_listener_out_of_one_another() {
    let _namespace = Namespace::enter();
    let listener = TcpListener::bind(SERVER).expect("a listener");
    let script = "export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$HEIR\" env unknown 3<&2 2>/dev/null";
    let first = Heir::passed(&listener, script).serving();
    drop(listener);
    assert_none_failed(under_load(first, |mut old| {
        let pid = old.pid().to_string();
        let new = Heir::start(&["take", &pid, &SERVER.to_string()]).serving();
        assert!(old.end().success(), "it drained without a loss");
        new
    }));
}

const GENERATIONS: usize = 20;
const LEAST: usize = 20_000;
