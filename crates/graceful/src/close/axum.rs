//! The same for axum: a listener whose streams linger, and a layer.

use super::half_close::HalfClose;
use super::hyper::{DiscardUnread, Discarding};
use super::policy::ClosePolicy;
use super::tokio::Lingering;
use ::axum::serve::Listener;
use ::hyper::Request;
use ::hyper::body::Body;
use ::tokio::net::TcpStream;
use std::io;
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

/// A listener for `axum::serve` whose streams linger when they are shut down, as hyper does at their end.
///
/// It takes a `TcpListener`, or any other listener of axum whose streams end by a [`HalfClose`], such as one of TLS. For
/// servers that end without losing those who wait, `shutdown::Orderly` is a listener that does both.
///
/// ```
/// use axum::Router;
/// use axum::routing::put;
/// use lastack_graceful::close::ClosePolicy;
/// use lastack_graceful::close::axum::LingeringListener;
/// use lastack_graceful::close::hyper::DiscardUnread;
/// use tokio::net::TcpListener;
///
/// # async fn example() -> std::io::Result<()> {
/// let app: Router = Router::new().route("/", put(async || "enough")).layer(DiscardUnread::new());
/// let listener = TcpListener::bind("[::]:80").await?;
/// axum::serve(LingeringListener::new(listener, ClosePolicy::server()), app).await
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct LingeringListener<L> {
    listener: L,
    policy: ClosePolicy,
}

impl<L> LingeringListener<L> {
    /// Has the streams of this listener shut down by the policy.
    pub const fn new(listener: L, policy: ClosePolicy) -> Self {
        Self { listener, policy }
    }
}

impl<L> Listener for LingeringListener<L>
where
    L: Listener,
    L::Io: HalfClose<Below = TcpStream>,
{
    type Io = Lingering<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, L::Addr) {
        let (stream, from) = self.listener.accept().await;
        (Lingering::new(stream, self.policy), from)
    }

    fn local_addr(&self) -> io::Result<L::Addr> {
        self.listener.local_addr()
    }
}

/// A service whose requests are read on when their bodies are dropped: what [`DiscardUnread`] makes of a service as a
/// layer.
///
/// ```
/// use axum::Router;
/// use axum::http::StatusCode;
/// use axum::routing::put;
/// use lastack_graceful::close::hyper::DiscardUnread;
///
/// // The upload is refused unread; clients that send all of it before they read get the answer too.
/// let app: Router = Router::new()
///     .route("/upload", put(async || (StatusCode::INSUFFICIENT_STORAGE, "no room")))
///     .layer(DiscardUnread::new());
/// # let _ = app;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DiscardUnreadService<S> {
    inner: S,
    bounds: DiscardUnread,
}

impl<S> Layer<S> for DiscardUnread {
    type Service = DiscardUnreadService<S>;

    fn layer(&self, inner: S) -> DiscardUnreadService<S> {
        DiscardUnreadService { inner, bounds: *self }
    }
}

impl<S, B> Service<Request<B>> for DiscardUnreadService<S>
where
    S: Service<Request<Discarding<B>>>,
    B: Body + Send + Unpin + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        self.inner.call(self.bounds.request(request))
    }
}
