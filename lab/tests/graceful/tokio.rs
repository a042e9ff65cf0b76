//! Under tokio: nothing is lost by an orderly close, nor when its future is dropped.

use super::ends::{ANSWER, End, PATIENCE};
use ::tokio::net::TcpListener;
use ::tokio::runtime::Builder;
use lastack_graceful::close::Reaper;
use lastack_graceful::close::tokio::{Lingering, write_all_draining};
use lastack_lab::namespace::Namespace;
use std::io::{Read as _, Write as _};
use std::net::TcpStream as Blocking;
use std::thread::{JoinHandle, spawn};

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

/// What hyper asks of a stream.
const fn is_usable_by_servers<T>()
where
    T: ::tokio::io::AsyncRead + ::tokio::io::AsyncWrite + Unpin + Send + 'static,
{
}
const _: () = is_usable_by_servers::<Lingering>();

#[test]
fn more_than_all_buffers_reaches_a_client_that_sends_before_it_reads() {
    let _namespace = Namespace::enter();
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let written = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let to = listener.local_addr().expect("an address");
        let client = spawn(move || {
            let mut stream = Blocking::connect(to).expect("connected");
            stream.write_all(&vec![0; UPLOAD]).expect("sent");
            stream.read_exact(&mut vec![0; 4 * UPLOAD]).expect("received");
        });
        let (stream, _) = listener.accept().await.expect("accepted");
        let (answer, limit) = (vec![0; 4 * UPLOAD], 2 * UPLOAD as u64);
        let written = write_all_draining(&stream, &answer, PATIENCE, limit).await;
        drop(stream);
        client.join().expect("the client ends");
        written
    });
    assert_eq!(written.expect("written"), UPLOAD as u64);
}
