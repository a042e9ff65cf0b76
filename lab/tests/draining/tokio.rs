//! The same under tokio: one future, or one connection after another, also where a call is dropped half-way.

use crate::scene::{
    CLIENTS, administrator, answer, ask, everywhere, ordinary_user, ordinary_user_of_high_ttls,
    outcomes,
};
use ::tokio::net::TcpListener;
use ::tokio::runtime::{Builder, Runtime};
use ::tokio::time::timeout;
use lastack_graceful::listener::tokio::{Drained, Draining, close_draining};
use lastack_graceful::listener::{Method, Successor};
use lastack_os::listener;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Its threads are of this thread's namespace and user.
pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

pub(crate) fn of_tokio(listener: std::net::TcpListener) -> TcpListener {
    listener.set_nonblocking(true).expect("O_NONBLOCK");
    TcpListener::from_std(listener).expect("a listener of this runtime")
}

pub(crate) fn answer_one(stream: ::tokio::net::TcpStream) {
    let stream = stream.into_std().expect("a stream");
    stream.set_nonblocking(false).expect("a mode");
    answer(stream);
}

#[test]
fn the_end_of_a_server_serves_everybody_who_waits() {
    for enter in [administrator as fn(), || ordinary_user("0")] {
        everywhere(|site| {
            enter();
            let listener = site.alone();
            let clients = site.queued(&listener);
            let report = runtime().block_on(async {
                let deadline = Instant::now() + PATIENCE;
                close_draining(of_tokio(listener), Successor::None, deadline, answer_one).await
            });
            let report = report.expect("a report");
            assert_eq!(report.accepted, u64::from(CLIENTS), "{report:?}");
            assert!(report.lost_nobody(), "{report:?}");
            assert_eq!(outcomes(clients), (CLIENTS, 0));
        });
    }
}

#[test]
fn half_open_handshakes_are_waited_for_however_often_a_call_is_dropped() {
    everywhere(|site| {
        ordinary_user("0");
        let listener = site.alone();
        listener::defer_accept(&listener, 30).expect("TCP_DEFER_ACCEPT");
        let mut clients = site.connected();
        let report = runtime().block_on(async {
            let deadline = Instant::now() + PATIENCE;
            let mut draining =
                Draining::new(of_tokio(listener), Successor::None, deadline).expect("an address");
            for micros in 0..50 {
                let dropped = timeout(Duration::from_micros(micros * 100), draining.next()).await;
                assert!(dropped.is_err(), "nobody can be accepted yet: {dropped:?}");
            }
            ask(&mut clients);
            loop {
                match timeout(Duration::from_millis(1), draining.next()).await {
                    Ok(Ok(Drained::Connection(stream, _))) => answer_one(stream),
                    Ok(Ok(Drained::Closed(report))) => break report,
                    Ok(Err(error)) => panic!("{error}"),
                    Err(_) => {}
                }
            }
        });
        assert_eq!(report.accepted, u64::from(CLIENTS), "{report:?}");
        assert!(report.lost_nobody(), "{report:?}");
        assert_eq!(outcomes(clients), (CLIENTS, 0));
    });
}

/// A system that begins at 255, in the same network, comes over the floor.
#[test]
fn a_client_over_the_floor_is_served_and_told() {
    everywhere(|site| {
        ordinary_user_of_high_ttls();
        let listener = site.alone();
        let clients = site.queued(&listener);
        let mut late = Vec::new();
        let report = runtime().block_on(async {
            let deadline = Instant::now() + PATIENCE;
            close_draining(of_tokio(listener), Successor::None, deadline, |stream| {
                if late.len() < CLIENTS as usize
                    && let Ok(mut client) =
                        TcpStream::connect_timeout(&site.door(late.len()), AT_ONCE)
                {
                    ask(std::slice::from_mut(&mut client));
                    late.push(client);
                }
                answer_one(stream);
            })
            .await
        });
        let report = report.expect("a report");
        let served = CLIENTS + late.len() as u32;
        assert_eq!(report.accepted, u64::from(served));
        // Without floors, where everybody may filter.
        let come_through = if report.method == Method::SynFilter { 0 } else { CLIENTS };
        assert_eq!(late.len() as u32, come_through, "{report:?}");
        assert!(late.is_empty() || report.method == Method::AcceptLoop, "{report:?}");
        assert_eq!(late.is_empty(), report.lost_nobody(), "{report:?}");
        assert_eq!(outcomes(clients), (CLIENTS, 0));
        assert_eq!(outcomes(late), (served - CLIENTS, 0));
    });
}

const PATIENCE: Duration = Duration::from_secs(20);
/// Within this host.
const AT_ONCE: Duration = Duration::from_millis(100);
