//! Under tokio: nothing is lost by an orderly close, nor when its future is dropped.

use super::ends::{ANSWER, End, PATIENCE};
use ::tokio::net::{TcpListener, TcpStream};
use ::tokio::runtime::Builder;
use lastack_graceful::close::tokio::{Lingering, close_orderly, write_all_draining};
use lastack_graceful::close::{ClosePolicy, Outcome, Reaper};
use lastack_lab::namespace::Namespace;
use std::io::{Read as _, Write as _};
use std::net::TcpStream as Blocking;
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

const TRIALS: usize = 100;
const UPLOAD: usize = 8 << 20;

/// Uploads, and then reads; how much was read, and whether the upload failed.
fn client(to: std::net::SocketAddr) -> JoinHandle<(usize, bool)> {
    spawn(move || {
        let mut stream = Blocking::connect(to).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        let second = stream.try_clone().expect("a second handle");
        let uploader = spawn(move || (&second).write_all(&vec![0; UPLOAD]).is_err());
        let mut received = Vec::new();
        let _ = stream.read_to_end(&mut received);
        (received.len(), uploader.join().expect("the upload ends"))
    })
}

/// How many answers were cut, and how many uploads failed.
fn play(end: End) -> (usize, usize) {
    let _namespace = Namespace::enter();
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let reaper = Reaper::new(TRIALS).expect("a reaper");
    let (mut cut, mut failed) = (0, 0);
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a listener");
    let to = listener.local_addr().expect("an address");
    for _ in 0..TRIALS {
        let client = client(to);
        runtime.block_on(async {
            let (stream, _) = listener.accept().await.expect("a connection");
            end.serve(stream, &reaper).await;
        });
        let (received, upload_failed) = client.join().expect("the client ends");
        cut += usize::from(received < ANSWER);
        failed += usize::from(upload_failed);
    }
    end.assert_reaped(&reaper, TRIALS);
    (cut, failed)
}

#[test]
fn a_stream_that_is_shut_down_and_dropped_harms_its_client() {
    let (cut, failed) = play(End::ShutDownAndDrop);
    assert!(cut + failed > 0, "nobody was harmed in {TRIALS} trials");
}

#[test]
fn an_orderly_close_loses_nothing() {
    assert_eq!(play(End::Orderly), (0, 0));
}

#[test]
fn a_lingering_stream_loses_nothing_shut_down_or_dropped() {
    assert_eq!(play(End::Lingering), (0, 0));
    assert_eq!(play(End::LingeringDropped), (0, 0));
}

#[test]
fn a_future_that_is_dropped_loses_nothing() {
    assert_eq!(play(End::DroppedUnpolled), (0, 0));
    assert_eq!(play(End::DroppedHalfWay), (0, 0));
}

#[test]
fn peers_that_do_not_play_along_end_in_time() {
    let _namespace = Namespace::enter();
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let to = listener.local_addr().expect("an address");
        let policy = ClosePolicy::server().idle(Duration::from_millis(200));
        let _silent = TcpStream::connect(to).await.expect("connected");
        let (ours, _) = listener.accept().await.expect("a connection");
        let report = close_orderly(ours, &policy).await.expect("a close");
        assert_eq!(report.outcome, Outcome::Acknowledged);

        let mut floods = Blocking::connect(to).expect("connected");
        let flood = spawn(move || while floods.write_all(&[0; 1 << 12]).is_ok() {});
        let (ours, _) = listener.accept().await.expect("a connection");
        let report = close_orderly(ours, &policy.discard_limit(1 << 20)).await.expect("a close");
        assert_eq!(report.outcome, Outcome::DiscardLimit);
        flood.join().expect("the reset ends it");
    });
}

/// What hyper asks of a stream.
const fn is_usable_by_servers<T>()
where
    T: ::tokio::io::AsyncRead + ::tokio::io::AsyncWrite + Unpin + Send + 'static,
{
}
const _: () = is_usable_by_servers::<Lingering>();

/// Writes much to a client that behaves like this; what came of it.
fn written_to(
    client: impl FnOnce(Blocking) + Send + 'static,
    limit: Duration,
) -> std::io::Result<u64> {
    let _namespace = Namespace::enter();
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let to = listener.local_addr().expect("an address");
        let client = spawn(move || client(Blocking::connect(to).expect("connected")));
        let (stream, _) = listener.accept().await.expect("accepted");
        let written =
            write_all_draining(&stream, &vec![0; 4 * UPLOAD], limit, 2 * UPLOAD as u64).await;
        drop(stream);
        client.join().expect("the client ends");
        written
    })
}

#[test]
fn more_than_all_buffers_reaches_a_client_that_sends_before_it_reads() {
    let client = |mut stream: Blocking| {
        stream.write_all(&vec![0; UPLOAD]).expect("sent");
        stream.read_exact(&mut vec![0; 4 * UPLOAD]).expect("received");
    };
    assert_eq!(written_to(client, PATIENCE).expect("written"), UPLOAD as u64);
}

#[test]
fn a_client_that_reads_nothing_is_given_up_in_time() {
    let limit = Duration::from_millis(300);
    // Longer than the limit, or the end of the client would be what ends it.
    let client = move |stream: Blocking| {
        std::thread::sleep(limit * 4);
        drop(stream);
    };
    let began = std::time::Instant::now();
    let error = written_to(client, limit).expect_err("nobody reads");
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    assert!(began.elapsed() >= limit);
}

#[test]
fn a_client_that_floods_is_given_up() {
    let client = |mut stream: Blocking| {
        let _ = (0..4).try_for_each(|_| stream.write_all(&vec![0; UPLOAD]));
    };
    let error = written_to(client, PATIENCE).expect_err("too much");
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
}
