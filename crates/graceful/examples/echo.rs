//! An echo server on tokio that ends well: `cargo run --example echo --features tokio -- 127.0.0.1:7777`.
//!
//! `SIGTERM` or an interrupt ends it. Everybody who is connected by then is served, also who still waits in the
//! listener's queue; each connection is closed so that the last answer arrives.

use lastack_graceful::shutdown::{Orderly, Shutdown, ShutdownPlan, Tracked};
use std::io;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7777".into());
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let shutdown = Shutdown::new(ShutdownPlan::new().finish(Duration::from_secs(10)));
    let mut listener = Orderly::new(TcpListener::bind(address).await?, &shutdown)?;
    println!("listening on {}", listener.local_addr());

    tokio::spawn(shutdown.after(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }));
    while let Some((stream, peer)) = listener.accept().await? {
        let shutdown = shutdown.clone();
        tokio::spawn(async move {
            if let Err(error) = echo(stream, &shutdown).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
    println!("{}", shutdown.report().await);
    Ok(())
}

/// Answers until the peer is done, or until the server is to finish and nothing more has come.
async fn echo(mut stream: Tracked, shutdown: &Shutdown) -> io::Result<()> {
    let mut told = pin!(shutdown.told());
    let mut room = vec![0; 16 << 10];
    loop {
        let read = tokio::select! {
            biased;
            read = stream.read(&mut room) => read?,
            () = &mut told => 0,
        };
        if read == 0 {
            return stream.shutdown().await;
        }
        stream.write_all(&room[..read]).await?;
    }
}
