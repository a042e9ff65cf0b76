//! A stream whose shutdown lingers: what servers are given that take any stream.

use super::super::half_close::HalfClose;
use super::super::policy::ClosePolicy;
use super::super::reaper::Reaper;
use super::super::report::CloseReport;
use super::super::step::Course;
use super::waiting::Waiting;
use super::{Closing, close_orderly, hand_over};
use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::net::TcpStream;
use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A stream whose shutdown lingers by a policy: this side's FIN, everything thrown away until the peer's.
///
/// Servers that shut a stream down at its end, as hyper does, need no other change. One that is dropped without that is
/// left to a reaper, by the same policy; a layer's end is not sent then, for nobody said that the message is whole: a peer
/// of TLS is told so by the missing `close_notify` (RFC 8446 §6.1).
///
/// It takes a TCP stream, or any layer above one that is a [`HalfClose`]: for TLS, `close_notify` goes before the FIN.
/// Once the shutdown has begun, nothing can be read any more.
///
/// It does not read while its server writes; with the feature `hyper`, `close::hyper::DiscardUnread` does.
#[derive(Debug)]
pub struct Lingering<T: HalfClose<Below = TcpStream> = TcpStream> {
    state: State<T>,
    policy: ClosePolicy,
    reaper: Option<Reaper>,
    waiting: Waiting,
}

#[derive(Debug)]
enum State<T> {
    Open(T),
    Closing(Closing),
    Closed(Option<CloseReport>),
}

impl<T: HalfClose<Below = TcpStream>> Lingering<T> {
    /// Shuts this stream down by the policy.
    ///
    /// ```
    /// use lastack_graceful::close::{ClosePolicy, tokio::Lingering};
    /// use tokio::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// use std::{future::poll_fn, pin::Pin};
    /// use tokio::io::AsyncWrite;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// drop(TcpStream::connect(listener.local_addr()?).await?);
    /// let (stream, _) = listener.accept().await?;
    /// let mut stream = Lingering::new(stream, ClosePolicy::server());
    /// poll_fn(|context| Pin::new(&mut stream).poll_shutdown(context)).await?;
    /// assert!(stream.report().is_some());
    /// # Ok(()) })
    /// # }
    /// ```
    pub const fn new(stream: T, policy: ClosePolicy) -> Self {
        Self { state: State::Open(stream), policy, reaper: None, waiting: Waiting::NOBODY }
    }

    /// If dropped before its shutdown has ended, it is left to this reaper instead of [`Reaper::global`].
    ///
    /// ```
    /// use lastack_graceful::close::{ClosePolicy, Reaper, tokio::Lingering};
    /// use std::time::Duration;
    /// use tokio::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// let client = TcpStream::connect(listener.local_addr()?).await?;
    /// let (server, _) = listener.accept().await?;
    ///
    /// let reaper = Reaper::new(100)?;
    /// drop(Lingering::new(server, ClosePolicy::server()).left_to(&reaper));
    /// drop(client);
    /// assert_eq!(reaper.wait(Duration::from_secs(10)), 0);
    /// assert_eq!(reaper.counts().orderly, 1);
    /// # Ok(()) })
    /// # }
    /// ```
    #[must_use]
    pub fn left_to(mut self, reaper: &Reaper) -> Self {
        self.reaper = Some(reaper.clone());
        self
    }

    /// The stream, until its shutdown begins.
    pub const fn stream(&self) -> Option<&T> {
        match &self.state {
            State::Open(stream) => Some(stream),
            State::Closing(_) | State::Closed(_) => None,
        }
    }

    /// How it ended, once its shutdown has.
    pub const fn report(&self) -> Option<CloseReport> {
        match self.state {
            State::Closed(report) => report,
            State::Open(_) | State::Closing(_) => None,
        }
    }

    fn poll_written<R>(
        &mut self,
        context: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut T>, &mut Context<'_>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>>
    where
        T: Unpin,
    {
        match &mut self.state {
            State::Open(stream) => {
                let polled = poll(Pin::new(stream), context);
                self.waiting.writing(polled, context)
            }
            State::Closing(_) | State::Closed(_) => {
                Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
            }
        }
    }
}

impl<T: HalfClose<Below = TcpStream> + AsyncRead + Unpin> AsyncRead for Lingering<T> {
    /// Once the shutdown has begun there is nothing more to read.
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        match &mut this.state {
            State::Open(stream) => {
                let polled = Pin::new(stream).poll_read(context, room);
                this.waiting.reading(polled, context)
            }
            State::Closing(_) | State::Closed(_) => Poll::Ready(Ok(())),
        }
    }
}

impl<T: HalfClose<Below = TcpStream> + AsyncWrite + Unpin> AsyncWrite for Lingering<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_written(context, |stream, context| stream.poll_write(context, octets))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_written(context, |stream, context| stream.poll_write_vectored(context, octets))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.state {
            State::Open(_) => self.poll_written(context, AsyncWrite::poll_flush),
            State::Closing(_) | State::Closed(_) => Poll::Ready(Ok(())),
        }
    }

    /// Lingers. How it ended is told by [`Lingering::report`]; a peer that resets is no error.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            this.state = match std::mem::replace(&mut this.state, State::Closed(None)) {
                State::Open(stream) => {
                    let mut closing = close_orderly(stream, &this.policy);
                    closing.reaper.clone_from(&this.reaper);
                    std::mem::take(&mut this.waiting).wake();
                    State::Closing(closing)
                }
                State::Closing(mut closing) => match Pin::new(&mut closing).poll(context) {
                    Poll::Pending => {
                        this.state = State::Closing(closing);
                        return Poll::Pending;
                    }
                    Poll::Ready(report) => State::Closed(Some(report?)),
                },
                State::Closed(report) => {
                    this.state = State::Closed(report);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl<T: HalfClose<Below = TcpStream>> Drop for Lingering<T> {
    fn drop(&mut self) {
        if let State::Open(stream) = std::mem::replace(&mut self.state, State::Closed(None)) {
            let (stream, words) = stream.half_close();
            let course = Course::new(self.policy, words.without_farewell());
            hand_over(stream, course, self.reaper.as_ref());
        }
    }
}
