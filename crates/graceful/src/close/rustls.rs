//! TLS by rustls: its end is `close_notify`, before which the records go that it still keeps.
//!
//! What comes in after the close has begun is thrown away as ciphertext, so the peer's `close_notify` is not looked for
//! then. Whether what the program *read* was cut, reading has told it: `UnexpectedEof` for a FIN without `close_notify`
//! (RFC 8446 §6.1), and no error for an end that the peer meant.
//!
//! What was written before the handshake was over is no record yet and cannot be sent any more. The streams themselves
//! take nothing before; only a program that writes into the connection past its stream must wait for it.

use super::half_close::{HalfClose, LastWords};
use ::rustls::{ConnectionCommon, SideData, StreamOwned};
use std::net::TcpStream;
use std::ops::{Deref, DerefMut};

/// The records that rustls keeps, and `close_notify`.
///
/// ```
/// use lastack_graceful::close::{CloseOrderly as _, ClosePolicy, CloseReport};
/// use rustls::{ServerConnection, StreamOwned};
/// use std::io::{self, Read as _, Write as _};
/// use std::net::TcpStream;
///
/// /// One answer; what more the client sends, nobody waits for.
/// fn serve(mut stream: StreamOwned<ServerConnection, TcpStream>) -> io::Result<CloseReport> {
///     stream.read_exact(&mut [0; 64])?;
///     stream.write_all(b"the whole answer")?;
///     stream.close_orderly(&ClosePolicy::server())
/// }
/// # let _ = serve;
/// ```
impl<C, S> HalfClose for StreamOwned<C, TcpStream>
where
    C: Deref<Target = ConnectionCommon<S>> + DerefMut,
    S: SideData,
{
    type Below = TcpStream;

    fn half_close(self) -> (TcpStream, LastWords) {
        let (mut connection, stream) = self.into_parts();
        (stream, last_words(&mut connection))
    }
}

#[cfg(feature = "tokio-rustls")]
mod tokio_streams {
    use super::{HalfClose, LastWords, last_words};
    use ::tokio::net::TcpStream;
    use tokio_rustls::{TlsStream, client, server};

    impl HalfClose for client::TlsStream<TcpStream> {
        type Below = TcpStream;

        fn half_close(self) -> (TcpStream, LastWords) {
            let (stream, mut connection) = self.into_inner();
            (stream, last_words(&mut connection))
        }
    }

    /// The records that rustls keeps, and `close_notify`.
    ///
    /// ```
    /// use lastack_graceful::close::{ClosePolicy, tokio::Lingering};
    /// use std::io;
    /// use tokio::net::TcpListener;
    /// use tokio_rustls::{TlsAcceptor, server::TlsStream};
    /// use tokio::net::TcpStream;
    ///
    /// /// A stream for any server that shuts down what it has served: its shutdown is `close_notify`, the FIN, and
    /// /// throwing away what still comes.
    /// async fn accept(
    ///     listener: &TcpListener,
    ///     acceptor: &TlsAcceptor,
    /// ) -> io::Result<Lingering<TlsStream<TcpStream>>> {
    ///     let (stream, _) = listener.accept().await?;
    ///     let stream = acceptor.accept(stream).await?;
    ///     Ok(Lingering::new(stream, ClosePolicy::server()))
    /// }
    /// # let _ = accept;
    /// ```
    impl HalfClose for server::TlsStream<TcpStream> {
        type Below = TcpStream;

        fn half_close(self) -> (TcpStream, LastWords) {
            let (stream, mut connection) = self.into_inner();
            (stream, last_words(&mut connection))
        }
    }

    impl HalfClose for TlsStream<TcpStream> {
        type Below = TcpStream;

        fn half_close(self) -> (TcpStream, LastWords) {
            match self {
                Self::Client(stream) => stream.half_close(),
                Self::Server(stream) => stream.half_close(),
            }
        }
    }
}

/// A second `close_notify` is never made: rustls remembers the first.
fn last_words<S: SideData>(connection: &mut ConnectionCommon<S>) -> LastWords {
    let kept = records(connection);
    connection.send_close_notify();
    LastWords::new(kept, &records(connection))
}

/// The records that wait to be sent, of which rustls keeps no more than its buffer limit (64 KiB unless set otherwise).
fn records<S: SideData>(connection: &mut ConnectionCommon<S>) -> Vec<u8> {
    let mut records = Vec::new();
    // Writing to memory takes everything and cannot fail.
    while connection.wants_write() && connection.write_tls(&mut records).is_ok_and(|sent| sent > 0)
    {
    }
    records
}
