//! Clients that are accepted when the end begins, and whose request is on its way: axum alone closes their connections
//! unread, ours waits for them.

use axum::Router;
use axum::routing::get;
use lastack_graceful::shutdown::{Orderly, Shutdown, ShutdownPlan, ShutdownReport};
use lastack_lab::namespace::Namespace;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

const ROUNDS: usize = 25;
const CLIENTS: usize = 40;
const PATIENCE: Duration = Duration::from_secs(20);

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

fn app() -> Router {
    Router::new().route("/", get(|| async { "hello\n" }))
}

fn connected(to: SocketAddr) -> Vec<TcpStream> {
    (0..CLIENTS).map(|_| TcpStream::connect(to).expect("connected")).collect()
}

/// Every client asks and listens; how many got no answer.
fn unanswered(clients: Vec<TcpStream>) -> usize {
    for mut client in &clients {
        // The connection may be closed already.
        let _ = client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n");
    }
    let answered = |mut client: TcpStream| {
        client.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        let mut heard = String::new();
        client.read_to_string(&mut heard).is_ok() && heard.ends_with("hello\n")
    };
    clients.into_iter().map(answered).filter(|answered| !answered).count()
}

/// A signal for axum at the moment that clients are connected and silent.
fn plain() -> usize {
    let runtime = runtime();
    let end = Arc::new(Notify::new());
    let signal = end.clone();
    let accepted = Arc::new(AtomicUsize::new(0));
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a listener");
    let to = listener.local_addr().expect("an address");
    let counter = accepted.clone();
    let listener = axum::serve::ListenerExt::tap_io(listener, move |_| {
        counter.fetch_add(1, Relaxed);
    });
    let server =
        axum::serve(listener, app()).with_graceful_shutdown(async move { signal.notified().await });
    let server = runtime.spawn(server.into_future());
    let clients = connected(to);
    lastack_lab::states::wait_until("all are accepted", || accepted.load(Relaxed) == CLIENTS);
    end.notify_one();
    let lost = unanswered(clients);
    runtime.block_on(server).expect("no panic").expect("an end");
    lost
}

/// The same with ours.
fn ours() -> (usize, ShutdownReport) {
    let runtime = runtime();
    runtime.block_on(async {
        let shutdown = Shutdown::new(ShutdownPlan::new().first_byte(PATIENCE));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let listener = Orderly::new(listener, &shutdown).expect("an address");
        let to = listener.local_addr();
        let server = axum::serve(listener, app()).with_graceful_shutdown(shutdown.told());
        let server = tokio::spawn(server.into_future());
        // Some are accepted by then, and some wait in the queue.
        let clients = connected(to);
        shutdown.begin();
        let lost = tokio::task::spawn_blocking(|| unanswered(clients)).await.expect("clients");
        let report = shutdown.report().await;
        server.await.expect("no panic").expect("an end");
        (lost, report)
    })
}

#[test]
fn axum_alone_loses_requests_that_are_on_their_way_and_ours_none_of_a_thousand() {
    let _namespace = Namespace::enter();
    let (mut lost_plain, mut lost_ours) = (0, 0);
    for _ in 0..ROUNDS {
        lost_plain += plain();
        let (lost, report) = ours();
        lost_ours += lost;
        assert!(report.lost_nobody() && report.let_go == 0, "{report:?}");
        assert_eq!(report.finished, CLIENTS as u64, "{report:?}");
    }
    println!("of {}: axum alone lost {lost_plain}, ours {lost_ours}", ROUNDS * CLIENTS);
    assert!(lost_plain > 0, "axum alone lost nobody: then this page of the book is out of date");
    assert_eq!(lost_ours, 0);
}

#[test]
fn who_stays_silent_is_let_go_after_its_grace() {
    let _namespace = Namespace::enter();
    runtime().block_on(async {
        let grace = Duration::from_millis(100);
        let shutdown = Shutdown::new(ShutdownPlan::new().first_byte(grace));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let listener = Orderly::new(listener, &shutdown).expect("an address");
        let mut silent = TcpStream::connect(listener.local_addr()).expect("connected");
        let server = axum::serve(listener, app()).with_graceful_shutdown(shutdown.told());
        tokio::spawn(server.into_future());
        shutdown.begin();
        let hears = tokio::task::spawn_blocking(move || silent.read(&mut [0]));
        assert_eq!(hears.await.expect("a client").expect("the FIN"), 0);
        let report = shutdown.report().await;
        assert_eq!((report.let_go, report.finished, report.cut), (1, 1, 0), "{report:?}");
        assert!(report.elapsed.first_byte >= grace / 2, "{report:?}");
    });
}
