//! For servers of axum: a listener for `axum::serve`, and the peer's address for handlers.

use super::orderly::Orderly;
use super::tracked::Tracked;
use crate::close::HalfClose;
use crate::close::axum::LingeringListener;
use ::tokio::net::TcpStream;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use std::future::pending;
use std::io;
use std::net::SocketAddr;

/// axum drops its listener at the moment of its graceful shutdown, which resets who waits in it, and hyper then closes
/// connections on which nothing was read yet. So the signal for axum is [`Shutdown::after`](super::Shutdown::after),
/// which fires when nobody is left of either kind.
///
/// A listener that fails begins the server's end; the report counts it as
/// [`undrained`](super::ShutdownReport::undrained).
impl Listener for Orderly {
    type Io = Tracked;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Tracked, SocketAddr) {
        match Self::accept(self).await {
            Ok(Some(connection)) => connection,
            // Nobody will come any more; axum goes on when it is told to finish.
            Ok(None) | Err(_) => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(Self::local_addr(self))
    }
}

/// Where a connection comes from, for handlers that ask for `ConnectInfo<Peer>`.
///
/// ```
/// use axum::{Router, extract::ConnectInfo, routing::get};
/// use lastack_graceful::shutdown::Peer;
///
/// async fn hello(ConnectInfo(peer): ConnectInfo<Peer>) -> String {
///     format!("hello, {}", peer.0)
/// }
///
/// let app: Router = Router::new().route("/", get(hello));
/// let make_service = app.into_make_service_with_connect_info::<Peer>();
/// # let _ = make_service;
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Peer(pub SocketAddr);

impl<L> Connected<IncomingStream<'_, LingeringListener<L>>> for Peer
where
    L: Listener<Addr = SocketAddr, Io: HalfClose<Below = TcpStream>>,
{
    fn connect_info(stream: IncomingStream<'_, LingeringListener<L>>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Connected<IncomingStream<'_, Orderly>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Orderly>) -> Self {
        Self(*stream.remote_addr())
    }
}
