//! For servers built on hyper: what of a request is not read by its handler is read on and thrown away while the answer
//! is written.
//!
//! hyper stops reading when a handler drops a request's body. A client that reads only after it has sent everything
//! then waits for the server to read, and the server for the client; if the answer is larger than the buffers between
//! them, neither gets further. A lingering close comes too late for that, for the answer must be written first.

use super::plan::after;
use ::hyper::body::{Body, Buf as _, Frame, SizeHint};
use ::hyper::{Request, Version, header};
use ::tokio::runtime::Handle;
use ::tokio::task::yield_now;
use ::tokio::time::timeout_at;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// How much of a request that nobody reads is read on and thrown away, and for how long.
///
/// [`DiscardUnread::request`] wraps a request for hyper's services. With the feature `axum` it is a layer as well:
/// `Router::layer(DiscardUnread::new())`, added last, so that nothing in the router can drop a body outside of it.
///
/// A body that is dropped before its end is read on by a task of its own, which keeps nothing of it and lives no longer
/// than [`DiscardUnread::total`] or the connection. So a client can send all of its request before it reads the answer,
/// and a connection that is to be kept alive can be. At the limits the body is dropped, and hyper stops reading, as it
/// does without all this; put a [`Lingering`](super::tokio::Lingering) below it, and the rest is thrown away once the
/// answer is written.
///
/// Left alone, since reading on would do harm: a request by HTTP/2, where a stream can be refused without the
/// connection; and one with `Expect: 100-continue` (RFC 9110 §10.1.1) whose body was never asked for, since asking for
/// it would tell the client to send it.
///
/// ```
/// use hyper::body::Incoming;
/// use hyper::{Request, Response};
/// use lastack_graceful::close::hyper::{DiscardUnread, Discarding};
/// use std::convert::Infallible;
///
/// /// To be given to `hyper::service::service_fn`.
/// async fn service(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
///     answer(DiscardUnread::new().request(request)).await
/// }
///
/// async fn answer(request: Request<Discarding<Incoming>>) -> Result<Response<String>, Infallible> {
///     Ok(Response::new(format!("{} needs no body", request.uri())))
/// }
/// # let _ = service;
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DiscardUnread {
    /// So many octets of a body are thrown away at most; the piece that goes beyond it is the last.
    pub limit: u64,
    /// The longest that one body is read on.
    pub total: Duration,
    /// The longest silence of the client's.
    pub idle: Duration,
}

/// The body of a request, read on when it is dropped before its end: see [`DiscardUnread`].
///
/// Dropped outside of a tokio runtime, it is just dropped.
#[derive(Debug)]
pub struct Discarding<B: Body + Send + Unpin + 'static> {
    /// Gone at the end.
    body: Option<B>,
    bounds: DiscardUnread,
    on_drop: OnDrop,
}

/// What becomes of a body that is dropped before its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum OnDrop {
    ReadOn,
    /// It is read on only if the handler has asked for it.
    ReadOnOnceAsked,
    Drop,
}

impl DiscardUnread {
    /// As much as [`ClosePolicy::server`](super::ClosePolicy::server) throws away: 256 MiB, for 30 s at most and 5 s of
    /// silence.
    pub const fn new() -> Self {
        let policy = super::ClosePolicy::server();
        Self { limit: policy.discard_limit, total: policy.total, idle: policy.idle }
    }

    /// No more octets than this are thrown away.
    #[must_use]
    pub const fn limit(self, octets: u64) -> Self {
        Self { limit: octets, ..self }
    }

    /// No body is read on longer than this.
    #[must_use]
    pub const fn within(self, total: Duration) -> Self {
        Self { total, ..self }
    }

    /// Silence is borne no longer than this.
    #[must_use]
    pub const fn idle(self, idle: Duration) -> Self {
        Self { idle, ..self }
    }

    /// Gives a request a body that is read on when it is dropped.
    pub fn request<B>(self, request: Request<B>) -> Request<Discarding<B>>
    where
        B: Body + Send + Unpin + 'static,
    {
        let on_drop = on_drop(&request);
        request.map(|body| Discarding { body: Some(body), bounds: self, on_drop })
    }
}

impl Default for DiscardUnread {
    fn default() -> Self {
        Self::new()
    }
}

impl<B: Body + Send + Unpin + 'static> Body for Discarding<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        if self.on_drop == OnDrop::ReadOnOnceAsked {
            self.on_drop = OnDrop::ReadOn;
        }
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(context);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B: Body + Send + Unpin + 'static> Drop for Discarding<B> {
    fn drop(&mut self) {
        let Some(body) = self.body.take() else { return };
        if body.is_end_stream() || self.on_drop != OnDrop::ReadOn {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(discard(body, self.bounds));
        }
    }
}

fn on_drop<B>(request: &Request<B>) -> OnDrop {
    if request.version() > Version::HTTP_11 {
        OnDrop::Drop
    } else if request.version() == Version::HTTP_11
        && request.headers().contains_key(header::EXPECT)
    {
        OnDrop::ReadOnOnceAsked
    } else {
        OnDrop::ReadOn
    }
}

/// Throws away what comes, within the bounds.
async fn discard<B: Body + Unpin>(mut body: B, bounds: DiscardUnread) {
    let end = after(Instant::now(), bounds.total);
    let mut left = bounds.limit;
    loop {
        let now = Instant::now();
        // What is ready is taken without a look at the clock.
        if now >= end {
            return;
        }
        let until = after(now, bounds.idle).min(end).into();
        let next = poll_fn(|context| poll_octets(&mut body, context));
        let Ok(Some(octets)) = timeout_at(until, next).await else { return };
        let Some(rest) = left.checked_sub(octets) else { return };
        left = rest;
        // One that has always something would leave the others no turn.
        yield_now().await;
    }
}

/// How many octets were next; `None` at the end, also at one by an error.
fn poll_octets<B: Body + Unpin>(body: &mut B, context: &mut Context<'_>) -> Poll<Option<u64>> {
    let frame = Pin::new(body).poll_frame(context);
    frame.map(|frame| {
        let frame = frame?.ok()?;
        Some(frame.data_ref().map_or(0, |data| data.remaining() as u64))
    })
}

#[cfg(test)]
mod tests;
