//! Servers that do not finish in time, by fault of a handler or of a peer: the end comes all the same, whoever is cut
//! hears of it, and no task is left.

use axum::Router;
use axum::routing::post;
use lastack_graceful::close::{ClosePolicy, Outcome};
use lastack_graceful::shutdown::{Cut, Orderly, Shutdown, ShutdownPlan};
use lastack_lab::namespace::Namespace;
use lastack_lab::states::wait_until;
use std::future::pending;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, Runtime};

const SOON: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(20);

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

async fn listening(plan: ShutdownPlan) -> (Shutdown, Orderly) {
    let shutdown = Shutdown::new(plan);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let listener = Orderly::new(listener, &shutdown).expect("an address");
    (shutdown, listener)
}

/// A client that has sent something.
fn client(listener: &Orderly) -> TcpStream {
    let mut client = TcpStream::connect(listener.local_addr()).expect("connected");
    client.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    client.write_all(b"?").expect("sent");
    client
}

/// No task but this test's own future is left.
fn no_task_is_left() {
    let metrics = Handle::current().metrics();
    wait_until("every task has ended", || metrics.num_alive_tasks() == 0);
}

#[test]
fn at_the_deadline_readers_fail_and_peers_are_reset() {
    let _namespace = Namespace::enter();
    runtime().block_on(async {
        let (shutdown, mut listener) = listening(ShutdownPlan::new().finish(SOON)).await;
        let mut peer = client(&listener);
        let (mut stream, _) = listener.accept().await.expect("accepted").expect("a connection");
        let reader = tokio::spawn(async move {
            stream.read_exact(&mut [0]).await.expect("what was sent");
            let error = stream.read(&mut [0]).await.expect_err("it is cut");
            let refused = stream.write(b"!").await.expect_err("it is cut");
            (error.kind(), refused.kind())
        });
        shutdown.begin();
        assert!(listener.accept().await.expect("an end").is_none());
        let began = Instant::now();
        let report = shutdown.report().await;
        assert!(began.elapsed() < SOON * 10, "{report:?}");
        assert_eq!((report.cut, report.finished, report.left), (1, 0, 0), "{report:?}");
        assert!(!report.lost_nobody());
        let aborted = ErrorKind::ConnectionAborted;
        assert_eq!(reader.await.expect("no panic"), (aborted, aborted));
        let heard = peer.read(&mut [0]).expect_err("a reset");
        assert_eq!(heard.kind(), ErrorKind::ConnectionReset);
        no_task_is_left();
    });
}

#[test]
fn what_a_task_forgets_is_ended_by_a_fin_if_the_plan_says_so() {
    let _namespace = Namespace::enter();
    runtime().block_on(async {
        let plan = ShutdownPlan::new().finish(SOON).cut(Cut::Close);
        let (shutdown, mut listener) = listening(plan).await;
        let mut peer = client(&listener);
        let (mut stream, _) = listener.accept().await.expect("accepted").expect("a connection");
        stream.read_exact(&mut [0]).await.expect("what was sent");
        shutdown.begin();
        assert!(listener.accept().await.expect("an end").is_none());
        let closes = tokio::task::spawn_blocking(move || peer.read(&mut [0]));
        let report = shutdown.report().await;
        assert_eq!(closes.await.expect("no panic").expect("the FIN"), 0);
        assert_eq!((report.cut, report.closes.of(Outcome::Orderly)), (1, 1), "{report:?}");
        drop(stream);
        no_task_is_left();
    });
}

#[test]
fn a_handler_of_axum_that_never_ends_does_not_keep_the_server() {
    let _namespace = Namespace::enter();
    let runtime = runtime();
    runtime.block_on(async {
        let (shutdown, listener) = listening(ShutdownPlan::new().finish(SOON)).await;
        let app = Router::new().route("/", post(pending::<()>));
        let mut peer = TcpStream::connect(listener.local_addr()).expect("connected");
        peer.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        // The body is announced and never sent.
        peer.write_all(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\n")
            .expect("sent");
        let server = axum::serve(listener, app).with_graceful_shutdown(shutdown.told());
        tokio::spawn(server.into_future());
        shutdown.begin();
        let report = shutdown.report().await;
        assert_eq!((report.cut, report.let_go), (1, 0), "{report:?}");
        assert!(report.elapsed.total() < SOON * 20, "{report:?}");
        let heard = peer.read(&mut [0]).expect_err("a reset");
        assert_eq!(heard.kind(), ErrorKind::ConnectionReset);
    });
    runtime.shutdown_timeout(PATIENCE);
}

#[test]
fn a_peer_that_never_closes_has_the_time_of_the_policy() {
    let _namespace = Namespace::enter();
    runtime().block_on(async {
        let linger = ClosePolicy::server().idle(SOON);
        let (shutdown, mut listener) = listening(ShutdownPlan::new().linger(linger)).await;
        let peer = client(&listener);
        let (mut stream, _) = listener.accept().await.expect("accepted").expect("a connection");
        stream.read_exact(&mut [0]).await.expect("what was sent");
        shutdown.begin();
        assert!(listener.accept().await.expect("an end").is_none());
        drop(stream);
        let report = shutdown.report().await;
        let closes = report.closes.of(Outcome::Acknowledged);
        assert_eq!((report.finished, closes, report.cut), (1, 1, 0), "{report:?}");
        assert!(report.elapsed.linger < SOON * 20, "{report:?}");
        no_task_is_left();
        drop(peer);
    });
}

#[test]
fn a_listener_that_is_dropped_is_told_as_not_emptied() {
    let _namespace = Namespace::enter();
    runtime().block_on(async {
        let (shutdown, listener) = listening(ShutdownPlan::new()).await;
        drop(listener);
        shutdown.begin();
        let report = shutdown.report().await;
        assert_eq!((report.undrained, report.lost_nobody()), (1, false), "{report:?}");
        no_task_is_left();
    });
}
