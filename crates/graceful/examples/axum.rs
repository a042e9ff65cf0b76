//! A web server on axum that ends well: `cargo run --example axum --features axum -- 127.0.0.1:8080`.
//!
//! `SIGTERM` or an interrupt ends it. Every request of a client that is connected by then is answered, also of those
//! whose request is still on its way. `/slow` takes its time, to have something to finish.

use axum::Router;
use axum::routing::get;
use lastack_graceful::shutdown::{Orderly, Shutdown, ShutdownPlan};
use std::io;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let terminated = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };

    let shutdown = Shutdown::new(ShutdownPlan::new().finish(Duration::from_secs(10)));
    let listener = Orderly::new(TcpListener::bind(address).await?, &shutdown)?;
    println!("listening on {}", listener.local_addr());

    let app = Router::new().route("/", get(|| async { "hello\n" })).route("/slow", get(slow));
    let server = axum::serve(listener, app).with_graceful_shutdown(shutdown.after(terminated));
    // The report comes in time whatever the handlers do; the server's own future waits for them.
    tokio::spawn(server.into_future());
    println!("{}", shutdown.report().await);
    Ok(())
}

async fn slow() -> &'static str {
    tokio::time::sleep(Duration::from_millis(200)).await;
    "at last\n"
}
