//! The traits by which hyper reads and writes, so that a [`Lingering`] can be handed to it as it is.
//!
//! hyper's room for what is read can be filled without a copy only by code that promises what the compiler cannot check;
//! here a copy is made. `hyper_util::rt::TokioIo` around a [`Lingering`] makes none.

use super::super::half_close::HalfClose;
use super::lingering::Lingering;
use ::hyper::rt::{Read, ReadBufCursor, Write};
use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::net::TcpStream;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

impl<T: HalfClose<Below = TcpStream> + AsyncRead + Unpin> Read for Lingering<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut room: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut space = [const { MaybeUninit::uninit() }; ROOM];
        let length = room.remaining().min(ROOM);
        let mut read = ReadBuf::uninit(&mut space[..length]);
        ready!(AsyncRead::poll_read(self, context, &mut read))?;
        room.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl<T: HalfClose<Below = TcpStream> + AsyncWrite + Unpin> Write for Lingering<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(self, context, octets)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write_vectored(self, context, octets)
    }

    fn is_write_vectored(&self) -> bool {
        AsyncWrite::is_write_vectored(self)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(self, context)
    }

    /// Lingers.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_shutdown(self, context)
    }
}

/// How much is read at once.
const ROOM: usize = 16 << 10;
