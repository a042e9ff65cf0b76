//! Ending a server of tokio in the right order, within bounds, so that nobody who was connected is lost.
//!
//! A server that is told to stop and drops its listener resets everybody in the listener's queue. One that tells its
//! connections to finish at that moment also closes those whose first request is still on its way. Here the order is:
//! new connections are kept away, the queue is emptied, fresh connections get time for their first octet, then the
//! server finishes, then its connections are closed in order, and a [`ShutdownReport`] tells how it went. See
//! [`ShutdownPlan`] for the bounds.
//!
//! [`Orderly`] is the listener, [`Tracked`] its connections, [`Shutdown`] asks for the end and waits for it. What the
//! server does itself is to finish when [`Shutdown::told`] ends: to leave idle connections, and to say so where its
//! protocol has words for it.
//!
//! ```
//! use lastack_graceful::shutdown::{Orderly, Shutdown, ShutdownPlan, Tracked};
//! use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
//! use tokio::net::TcpListener;
//!
//! async fn echo(mut stream: Tracked, shutdown: Shutdown) -> std::io::Result<()> {
//!     let mut told = std::pin::pin!(shutdown.told());
//!     let mut room = [0; 4096];
//!     loop {
//!         let read = tokio::select! {
//!             biased;
//!             read = stream.read(&mut room) => read?,
//!             () = &mut told => return stream.shutdown().await,
//!         };
//!         match read {
//!             0 => return stream.shutdown().await,
//!             read => stream.write_all(&room[..read]).await?,
//!         }
//!     }
//! }
//!
//! async fn serve(terminated: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
//!     let shutdown = Shutdown::new(ShutdownPlan::new());
//!     let mut listener = Orderly::new(TcpListener::bind("[::]:7").await?, &shutdown)?;
//!     tokio::spawn(shutdown.after(terminated));
//!     while let Some((stream, _)) = listener.accept().await? {
//!         tokio::spawn(echo(stream, shutdown.clone()));
//!     }
//!     println!("{}", shutdown.report().await);
//!     Ok(())
//! }
//! ```
//!
//! # With axum
//!
//! [`Orderly`] is an `axum::serve::Listener` (feature `axum`):
//!
#![cfg_attr(feature = "axum", doc = "```")]
#![cfg_attr(not(feature = "axum"), doc = "```ignore")]
//! use axum::{Router, routing::get};
//! use lastack_graceful::shutdown::{Orderly, Shutdown, ShutdownPlan};
//!
//! # async fn example(terminated: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
//! let app = Router::new().route("/", get(|| async { "hello" }));
//! let shutdown = Shutdown::new(ShutdownPlan::new());
//! let listener = Orderly::new(tokio::net::TcpListener::bind("[::]:80").await?, &shutdown)?;
//! let server = axum::serve(listener, app).with_graceful_shutdown(shutdown.after(terminated));
//! // The report comes in time even if a handler never ends; the server's future need not.
//! tokio::spawn(server.into_future());
//! println!("{}", shutdown.report().await);
//! # Ok(())
//! # }
//! ```
//!
//! axum tells hyper, which finishes the requests that have begun: HTTP/1.1 answers say `connection: close`, HTTP/2
//! connections get GOAWAY (RFC 9113 §6.8). An HTTP/1.1 connection that waits idle between two requests is closed at
//! that moment; a client that sends on it just then is answered by that FIN and must ask again (RFC 9112 §9.3.1 lets it,
//! where a request may be repeated).
//!
//! # With hyper, without axum
//!
//! `hyper_util` watches the connections and tells them to finish:
//!
#![cfg_attr(feature = "hyper", doc = "```")]
#![cfg_attr(not(feature = "hyper"), doc = "```ignore")]
//! use hyper::service::service_fn;
//! use hyper::{Request, Response, body::Incoming};
//! use hyper_util::rt::{TokioExecutor, TokioIo};
//! use hyper_util::server::{conn::auto, graceful::GracefulShutdown};
//! use lastack_graceful::shutdown::{Orderly, Shutdown, ShutdownPlan};
//! use std::convert::Infallible;
//!
//! async fn hello(_: Request<Incoming>) -> Result<Response<String>, Infallible> {
//!     Ok(Response::new("hello".into()))
//! }
//!
//! # async fn example(terminated: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
//! let shutdown = Shutdown::new(ShutdownPlan::new());
//! let mut listener = Orderly::new(tokio::net::TcpListener::bind("[::]:80").await?, &shutdown)?;
//! tokio::spawn(shutdown.after(terminated));
//! let watching = GracefulShutdown::new();
//! while let Some((stream, _)) = listener.accept().await? {
//!     let builder = auto::Builder::new(TokioExecutor::new());
//!     let serving = builder.serve_connection(TokioIo::new(stream), service_fn(hello));
//!     tokio::spawn(watching.watch(serving.into_owned()));
//! }
//! shutdown.told().await;
//! // The report comes in time even if a service never ends; this future need not.
//! tokio::spawn(watching.shutdown());
//! println!("{}", shutdown.report().await);
//! # Ok(())
//! # }
//! ```
//!
//! # With TLS
//!
//! A [`Tracked`] may lie below a TLS stream, whose shutdown sends `close_notify` and then shuts this one down, which
//! sends the FIN and throws ciphertext away until the peer's. The first octet is then the first of the handshake.
//!
#![cfg_attr(feature = "tokio-rustls", doc = "```")]
#![cfg_attr(not(feature = "tokio-rustls"), doc = "```ignore")]
//! use lastack_graceful::shutdown::Orderly;
//! use tokio::io::AsyncWriteExt as _;
//! use tokio_rustls::TlsAcceptor;
//!
//! # async fn example(mut listener: Orderly, acceptor: TlsAcceptor) -> std::io::Result<()> {
//! while let Some((stream, _)) = listener.accept().await? {
//!     let acceptor = acceptor.clone();
//!     tokio::spawn(async move {
//!         let mut stream = acceptor.accept(stream).await?;
//!         stream.write_all(b"hello").await?;
//!         stream.shutdown().await
//!     });
//! }
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "axum")]
mod axum;
mod course;
mod handle;
mod orderly;
mod plan;
mod report;
mod tracked;

#[cfg(feature = "axum")]
pub use self::axum::Peer;
pub use handle::Shutdown;
pub use orderly::Orderly;
pub use plan::{Cut, ShutdownPlan};
pub use report::{CloseCounts, Elapsed, ShutdownReport};
pub use tracked::Tracked;
