//! A TCP proxy that lets its upstream close first: `cargo run --example proxy --features tokio -- 8080 10.0.0.2:80`.
//!
//! Toward its upstream a proxy is a client, always to the same address: if it closes first, `TIME_WAIT` keeps one of its
//! ports for a minute, and some hundreds of connections a second spend them all. So a client's end is not passed on at
//! once: the upstream, which is about to close, gets a while to do so first.

use lastack_graceful::close::ClosePolicy;
use lastack_graceful::close::tokio::{abort, close_orderly};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let meant = match words.as_slice() {
        [port, upstream] => port.parse::<u16>().ok().zip(upstream.parse().ok()),
        _ => None,
    };
    let Some((port, upstream)) = meant else {
        eprintln!("Usage: proxy PORT UPSTREAM, such as 8080 10.0.0.2:80");
        std::process::exit(2);
    };
    serve(TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?, upstream).await
}

/// Passes every connection on.
pub(crate) async fn serve(listener: TcpListener, upstream: SocketAddr) -> io::Result<()> {
    loop {
        let (client, from) = listener.accept().await?;
        tokio::spawn(async move {
            if let Err(error) = pass_on(client, upstream).await {
                eprintln!("proxy: {from}: {error}");
            }
        });
    }
}

/// One connection from its beginning to its end, which both sides see in order.
async fn pass_on(mut client: TcpStream, upstream: SocketAddr) -> io::Result<()> {
    let mut upstream = TcpStream::connect(upstream).await?;
    if let Err(error) = copy_both(&mut client, &mut upstream).await {
        // A FIN would call a part the whole: what broke on one side breaks on the other.
        let resets = [abort(client), abort(upstream)];
        return resets.into_iter().collect::<io::Result<()>>().and(Err(error));
    }
    let (to_upstream, to_client) = tokio::join!(
        // Here it counts who is first. It is the upstream already.
        close_orderly(upstream, &ClosePolicy::client().remote_first(ClosePolicy::REMOTE_WAIT)),
        close_orderly(client, &ClosePolicy::server()),
    );
    to_upstream.and(to_client).map(drop)
}

/// Copies both ways until the upstream's end, for which it has some time after the client's.
async fn copy_both(client: &mut TcpStream, upstream: &mut TcpStream) -> io::Result<()> {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_upstream, mut to_upstream) = upstream.split();
    let questions = async {
        copy(&mut from_client, &mut to_upstream).await?;
        // Whoever waits for the end of the question gets it, after a while in which others close first.
        sleep(ClosePolicy::REMOTE_WAIT).await;
        to_upstream.shutdown().await?;
        sleep(AFTER_THE_CLIENT).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    tokio::select! {
        ended = copy(&mut from_upstream, &mut to_client) => ended.map(drop),
        failed = questions => failed,
    }
}

const AFTER_THE_CLIENT: Duration = Duration::from_secs(600);
