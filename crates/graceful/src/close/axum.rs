//! The same for axum, as a layer.

use super::hyper::{DiscardUnread, Discarding};
use ::hyper::Request;
use ::hyper::body::Body;
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

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
