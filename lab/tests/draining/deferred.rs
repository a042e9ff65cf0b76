//! Clients that believe to be connected while the kernel still waits for their data (`TCP_DEFER_ACCEPT`): the accept
//! queue is empty and nothing can be accepted.

use crate::scene::{
    CLIENTS, Site, administrator, answer, ask, everywhere, ordinary_user, outcomes, serve_queue,
};
use lastack_graceful::listener::{DrainReport, Method, Successor, close_draining};
use lastack_lab::program::undisturbed;
use lastack_os::listener;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Clients whose handshakes are half open with this listener.
fn deferred(site: Site, listener: &TcpListener) -> Vec<TcpStream> {
    listener::defer_accept(listener, 30).expect("TCP_DEFER_ACCEPT");
    let clients = site.connected();
    assert_eq!(listener::half_open(site.server()).expect("the handshakes").len() as u32, CLIENTS);
    assert_eq!(listener::accept_queue(listener).expect("the queue").length, 0);
    clients
}

/// Closes it in a thread; the clients ask once new handshakes are kept away.
fn drained(
    listener: TcpListener,
    successor: Successor,
    clients: &mut [TcpStream],
    limit: Duration,
) -> DrainReport {
    std::thread::scope(|scope| {
        let deadline = Instant::now() + limit;
        let draining = scope.spawn(move || close_draining(listener, successor, deadline, answer));
        ask(clients);
        draining.join().expect("no panic").expect("a report")
    })
}

#[test]
fn a_plain_close_resets_who_is_half_open_though_nobody_seemed_to_be_there() {
    everywhere(|site| {
        ordinary_user("0");
        let listener = site.alone();
        let mut clients = deferred(site, &listener);
        let mut ready = [PollFd::new(&listener, PollFlags::IN)];
        assert_eq!(poll(&mut ready, Some(&Timespec::default())), Ok(0), "nobody is there");
        undisturbed(|| drop(listener));
        ask(&mut clients);
        assert_eq!(outcomes(clients), (0, CLIENTS));
    });
}

#[test]
fn a_sibling_does_not_save_who_is_half_open_with_a_listener_that_is_closed_plainly() {
    everywhere(|site| {
        ordinary_user("0");
        let listener = site.of_group();
        let mut clients = deferred(site, &listener);
        let sibling = site.of_group();
        undisturbed(|| drop(listener));
        ask(&mut clients);
        assert_eq!(outcomes(clients), (0, CLIENTS));
        assert_eq!(serve_queue(&sibling), 0);
    });
}

#[test]
fn accepting_until_there_is_nothing_resets_everybody() {
    everywhere(|site| {
        ordinary_user("0");
        let listener = site.alone();
        let mut clients = deferred(site, &listener);
        assert_eq!(serve_queue(&listener), 0, "the queue looks empty");
        undisturbed(|| drop(listener));
        ask(&mut clients);
        assert_eq!(outcomes(clients), (0, CLIENTS));
    });
}

#[test]
fn the_end_of_a_server_waits_for_half_open_handshakes() {
    everywhere(|site| {
        administrator();
        let listener = site.alone();
        let mut clients = deferred(site, &listener);
        let report = drained(listener, Successor::None, &mut clients, PATIENCE);
        assert_eq!((report.method, report.accepted), (Method::SynFilter, CLIENTS.into()));
        assert!(report.lost_nobody(), "{report:?}");
        assert_eq!(outcomes(clients), (CLIENTS, 0));
    });
}

#[test]
fn an_ordinary_users_end_of_a_server_waits_for_half_open_handshakes() {
    everywhere(|site| {
        ordinary_user("0");
        let listener = site.alone();
        let mut clients = deferred(site, &listener);
        let report = drained(listener, Successor::None, &mut clients, PATIENCE);
        assert!(matches!(report.method, Method::SynFilter | Method::TtlFloor), "{report:?}");
        assert_eq!(report.accepted, u64::from(CLIENTS), "{report:?}");
        assert!(report.lost_nobody(), "{report:?}");
        assert_eq!(outcomes(clients), (CLIENTS, 0));
    });
}

#[test]
fn steering_waits_for_half_open_handshakes() {
    everywhere(|site| {
        ordinary_user("0");
        let listener = site.of_group();
        let mut clients = deferred(site, &listener);
        let successor = site.of_group();
        let group = Successor::SameGroup { index: 1 };
        let report = drained(listener, group, &mut clients, PATIENCE);
        assert_eq!((report.method, report.accepted), (Method::Steered, CLIENTS.into()));
        assert!(report.lost_nobody(), "{report:?}");
        assert_eq!(outcomes(clients), (CLIENTS, 0));
        assert_eq!(serve_queue(&successor), 0);
    });
}

#[test]
fn handshakes_that_do_not_end_by_the_deadline_are_told() {
    everywhere(|site| {
        administrator();
        let listener = site.alone();
        let mut clients = deferred(site, &listener);
        let limit = Duration::from_millis(100);
        let report = undisturbed(|| {
            close_draining(listener, Successor::None, Instant::now() + limit, answer)
        })
        .expect("a report");
        assert_eq!((report.half_open_left, report.accepted), (Some(CLIENTS), 0));
        assert!(!report.lost_nobody());
        assert!(report.elapsed >= limit);
        ask(&mut clients);
        assert_eq!(outcomes(clients), (0, CLIENTS));
    });
}

#[test]
fn with_tcp_migrate_req_the_sibling_gets_half_open_handshakes() {
    everywhere(|site| {
        ordinary_user("1");
        let listener = site.of_group();
        let mut clients = deferred(site, &listener);
        let sibling = site.of_group();
        undisturbed(|| drop(listener));
        ask(&mut clients);
        lastack_lab::states::wait_until("all have moved", || {
            listener::accept_queue(&sibling).expect("the queue").length == CLIENTS
        });
        assert_eq!(serve_queue(&sibling), CLIENTS);
        assert_eq!(outcomes(clients), (CLIENTS, 0));
    });
}

const PATIENCE: Duration = Duration::from_secs(20);
