//! One task that waits for a stream and another that shuts it down: the first is told.

use ::tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, split};
use ::tokio::net::{TcpListener, TcpStream};
use ::tokio::time::{sleep, timeout};
use lastack_graceful::close::ClosePolicy;
use lastack_graceful::close::tokio::Lingering;
use lastack_graceful::shutdown::{Orderly, Shutdown, ShutdownPlan};
use lastack_lab::namespace::Namespace;
use std::time::Duration;

const MOMENT: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(20);

/// Reads in one task while another shuts down; the peer closes only afterwards.
async fn play<T>(stream: T, peer: TcpStream)
where
    T: ::tokio::io::AsyncRead + ::tokio::io::AsyncWrite + Send + 'static,
{
    let (mut reading, mut writing) = split(stream);
    let reader = ::tokio::spawn(async move { reading.read(&mut [0; 16]).await });
    sleep(MOMENT).await;
    let closer = ::tokio::spawn(async move { writing.shutdown().await });
    let read = timeout(PATIENCE, reader).await.expect("the reader is told").expect("no panic");
    assert_eq!(read.expect("no error"), 0, "there is nothing more to read");
    drop(peer);
    timeout(PATIENCE, closer).await.expect("the close ends").expect("no panic").expect("closed");
}

#[::tokio::test]
async fn whoever_waits_to_read_is_told_that_there_is_nothing_more() {
    let _namespace = Namespace::enter();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let to = listener.local_addr().expect("an address");

    let peer = TcpStream::connect(to).await.expect("connected");
    let (ours, _) = listener.accept().await.expect("a connection");
    play(Lingering::new(ours, ClosePolicy::server()), peer).await;

    let shutdown = Shutdown::new(ShutdownPlan::new());
    let mut listener = Orderly::new(listener, &shutdown).expect("a listener");
    let peer = TcpStream::connect(to).await.expect("connected");
    let (ours, _) = listener.accept().await.expect("a connection").expect("not the end");
    play(ours, peer).await;
}
