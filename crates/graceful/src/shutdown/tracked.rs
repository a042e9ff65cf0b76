//! A connection of a server that can end: the server has the stream, its end has a hold on it too.
//!
//! It lingers when it is shut down or dropped, tells when the first octet came and how it was closed, and can be ended
//! from outside: reading and writing then fail, and whoever waited for either is woken.

use super::course::Name;
use super::handle::Shutdown;
use super::plan::Cut;
use crate::close::CloseReport;
use crate::close::tokio::waiting::Waiting;
use crate::close::tokio::{Closing, close_orderly};
use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::net::TcpStream;
use lastack_os::connection;
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A connection from [`Orderly`](super::Orderly): a stream whose shutdown lingers by the plan's policy, whose dropping
/// does so in a task, and which the server's end may end.
///
/// When the server has not finished in time, reading and writing fail with `ConnectionAborted`. It may lie below a TLS
/// stream, whose shutdown sends `close_notify` and then shuts this one down.
#[derive(Debug)]
pub struct Tracked(Arc<Slot>);

pub(super) struct Slot {
    shutdown: Shutdown,
    name: Name,
    was_read: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    io: Io,
    waiting: Waiting,
    /// Who waits for the shutdown.
    closer: Option<Waker>,
}

#[derive(Debug)]
enum Io {
    Open(TcpStream),
    Closing(Closing),
    Closed(Option<CloseReport>),
    Cut,
}

/// A connection whose closing somebody sees to; told as ended when it is dropped.
struct Care {
    shutdown: Shutdown,
    name: Name,
    report: Option<CloseReport>,
}

impl Tracked {
    pub(super) fn new(stream: TcpStream, shutdown: &Shutdown) -> Self {
        let inner =
            Mutex::new(Inner { io: Io::Open(stream), waiting: Waiting::NOBODY, closer: None });
        let (shutdown, was_read) = (shutdown.clone(), AtomicBool::new(false));
        let handle = shutdown.clone();
        Self(handle.accepted(|name| Arc::new(Slot { shutdown, name, was_read, inner })))
    }

    /// Does something with the stream, such as setting an option; `None` once it is being closed.
    ///
    /// ```
    /// # async fn example(stream: lastack_graceful::shutdown::Tracked) -> std::io::Result<()> {
    /// stream.with_stream(|stream| stream.set_nodelay(true)).unwrap_or(Ok(()))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_stream<T>(&self, act: impl FnOnce(&TcpStream) -> T) -> Option<T> {
        match &self.0.inner().io {
            Io::Open(stream) => Some(act(stream)),
            Io::Closing(_) | Io::Closed(_) | Io::Cut => None,
        }
    }

    /// How it was closed, once its shutdown has ended.
    pub fn report(&self) -> Option<CloseReport> {
        match self.0.inner().io {
            Io::Closed(report) => report,
            Io::Open(_) | Io::Closing(_) | Io::Cut => None,
        }
    }

    /// The end of the server that it belongs to.
    pub fn shutdown_of_server(&self) -> &Shutdown {
        &self.0.shutdown
    }

    fn poll_written<T>(
        &self,
        context: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut inner = self.0.inner();
        let polled = match &mut inner.io {
            Io::Open(stream) => poll(Pin::new(stream), context),
            Io::Closing(_) | Io::Closed(_) => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Io::Cut => Poll::Ready(Err(was_cut())),
        };
        inner.waiting.writing(polled, context)
    }
}

impl Slot {
    /// Ends it, as the plan says; one that is being closed already goes on.
    pub(super) fn cut(&self) {
        let mut inner = self.inner();
        let Io::Open(_) = &inner.io else { return };
        let Io::Open(stream) = std::mem::replace(&mut inner.io, Io::Cut) else { return };
        let waiting = std::mem::take(&mut inner.waiting);
        drop(inner);
        match self.shutdown.plan().cut {
            Cut::Reset => {
                // Every TCP socket takes it (`sock_set_linger`).
                let _ = connection::reset_on_close(&stream);
                drop(stream);
                self.shutdown.ended(self.name, None);
            }
            Cut::Close => self.see_to(close_orderly(stream, &self.shutdown.plan().linger)),
        }
        waiting.wake();
    }

    /// Leaves one that nobody goes on closing to a reaper.
    pub(super) fn leave(&self) {
        let mut inner = self.inner();
        if matches!(inner.io, Io::Closing(_)) {
            inner.io = Io::Closed(None);
            let closer = inner.closer.take();
            drop(inner);
            closer.into_iter().for_each(Waker::wake);
        }
    }

    /// Closes it in a task. Where the runtime has ended, a reaper does.
    fn see_to(&self, closing: Closing) {
        let care = Care { shutdown: self.shutdown.clone(), name: self.name, report: None };
        self.shutdown.runtime().spawn(care.until_closed(closing));
    }

    fn begin_closing(&self) {
        let mut inner = self.inner();
        if let Io::Open(_) = &inner.io
            && let Io::Open(stream) = std::mem::replace(&mut inner.io, Io::Closed(None))
        {
            inner.io = Io::Closing(close_orderly(stream, &self.shutdown.plan().linger));
            let waiting = std::mem::take(&mut inner.waiting);
            drop(inner);
            self.shutdown.closing(self.name);
            waiting.wake();
        }
    }

    fn poll_closed(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.inner();
        let closed = match &mut inner.io {
            Io::Closing(closing) => match Pin::new(closing).poll(context) {
                Poll::Ready(closed) => closed,
                Poll::Pending => {
                    inner.closer = Some(context.waker().clone());
                    return Poll::Pending;
                }
            },
            Io::Closed(_) => return Poll::Ready(Ok(())),
            Io::Open(_) | Io::Cut => return Poll::Ready(Err(was_cut())),
        };
        let report = closed.as_ref().ok().copied();
        inner.closer = None;
        inner.io = Io::Closed(report);
        drop(inner);
        self.shutdown.ended(self.name, report.map(|report| report.outcome));
        Poll::Ready(closed.map(drop))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for Tracked {
    /// Once the shutdown has begun there is nothing more to read.
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = self.0.inner();
        let polled = match &mut inner.io {
            Io::Open(stream) => Pin::new(stream).poll_read(context, room),
            Io::Closing(_) | Io::Closed(_) => return Poll::Ready(Ok(())),
            Io::Cut => return Poll::Ready(Err(was_cut())),
        };
        let polled = inner.waiting.reading(polled, context);
        drop(inner);
        if polled.is_ready() && !self.0.was_read.swap(true, Relaxed) {
            self.0.shutdown.first_byte(self.0.name);
        }
        polled
    }
}

impl AsyncWrite for Tracked {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_written(context, |stream, context| stream.poll_write(context, octets))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_written(context, |stream, context| stream.poll_write_vectored(context, octets))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// A TCP stream keeps nothing back.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Lingers. How it ended is told by [`Tracked::report`]; a peer that resets is no error.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.begin_closing();
        self.0.poll_closed(context)
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        let slot = &self.0;
        let closing = match std::mem::replace(&mut slot.inner().io, Io::Closed(None)) {
            Io::Open(stream) => {
                slot.shutdown.closing(slot.name);
                close_orderly(stream, &slot.shutdown.plan().linger)
            }
            Io::Closing(closing) => closing,
            Io::Closed(_) | Io::Cut => return,
        };
        slot.see_to(closing);
    }
}

impl Care {
    async fn until_closed(mut self, closing: Closing) {
        self.report = closing.await.ok();
    }
}

impl Drop for Care {
    fn drop(&mut self) {
        self.shutdown.ended(self.name, self.report.map(|report| report.outcome));
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("inner", &*self.inner()).finish_non_exhaustive()
    }
}

fn was_cut() -> io::Error {
    let cause = "the server has ended, and this connection was not finished in time";
    io::Error::new(io::ErrorKind::ConnectionAborted, cause)
}
