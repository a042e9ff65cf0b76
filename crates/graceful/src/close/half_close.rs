//! What a layer above TCP has to say before this side's FIN: the octets it still keeps, and its own end.
//!
//! A layer gives the stream below away together with those octets, and is done. They are sent under the close's own
//! bounds, while what comes in is thrown away as it is: nothing is decrypted that nobody will read.

/// A stream whose side can be ended: TCP itself, or a layer above it with an end of its own (for TLS `close_notify`,
/// RFC 8446 §6.1).
///
/// Whatever implements it can be closed with a report ([`CloseOrderly`](super::CloseOrderly), or
/// `close::tokio::close_orderly` with the feature `tokio`), left to a [`Reaper`](super::Reaper), and put into a
/// `close::tokio::Lingering`.
///
/// It is there for the streams of the standard library and of tokio; with the feature `rustls` for
/// `rustls::StreamOwned`, with `tokio-rustls` for its streams. For any other layer:
///
/// ```
/// use lastack_graceful::close::{CloseOrderly as _, ClosePolicy, HalfClose, LastWords, Outcome};
/// use std::io::Read as _;
/// use std::net::{TcpListener, TcpStream};
///
/// /// Lines, the last of which says that there are no more.
/// struct Lines {
///     stream: TcpStream,
///     /// What was not sent yet.
///     kept: Vec<u8>,
/// }
///
/// impl HalfClose for Lines {
///     type Below = TcpStream;
///
///     fn half_close(self) -> (TcpStream, LastWords) {
///         (self.stream, LastWords::new(self.kept, b"BYE\n"))
///     }
/// }
///
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut client = TcpStream::connect(listener.local_addr()?)?;
/// let (stream, _) = listener.accept()?;
/// let reader = std::thread::spawn(move || {
///     let mut text = String::new();
///     client.read_to_string(&mut text).map(|_| text)
/// });
///
/// let lines = Lines { stream, kept: b"the answer\n".to_vec() };
/// assert_eq!(lines.close_orderly(&ClosePolicy::server())?.outcome, Outcome::Orderly);
/// assert_eq!(reader.join().unwrap()?, "the answer\nBYE\n");
/// # Ok(())
/// # }
/// ```
pub trait HalfClose {
    /// The TCP stream below: the standard library's or tokio's.
    type Below;

    /// Ends this side of the layer: gives the stream below, and what is to be sent on it before the FIN. Does no I/O.
    fn half_close(self) -> (Self::Below, LastWords);
}

/// Octets that are to be sent before this side's FIN.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LastWords {
    octets: Vec<u8>,
    /// How many of them belong to the program's message; the rest is the layer's end.
    kept: usize,
    sent: usize,
}

impl LastWords {
    /// What the layer has not handed to the kernel yet, and the end that it puts to the message.
    ///
    /// They are told apart because a peer that may close first
    /// ([`Order::RemoteFirst`](super::Order::RemoteFirst)) must have the first, and shall not have the second before its
    /// time; and because only the first counts as unacknowledged in the report.
    pub fn new(mut kept: Vec<u8>, farewell: &[u8]) -> Self {
        let length = kept.len();
        kept.extend_from_slice(farewell);
        Self { octets: kept, kept: length, sent: 0 }
    }

    /// Nothing: the layer has no end of its own and keeps nothing back.
    pub const fn none() -> Self {
        Self { octets: Vec::new(), kept: 0, sent: 0 }
    }

    /// What was kept of the message, and nothing that calls it whole.
    #[cfg(feature = "tokio")]
    pub(super) fn without_farewell(mut self) -> Self {
        self.octets.truncate(self.kept);
        self
    }

    /// How many octets of the message were kept.
    pub(super) const fn kept(&self) -> u64 {
        self.kept as u64
    }

    /// How many octets the end takes.
    pub(super) const fn farewell(&self) -> u64 {
        (self.octets.len() - self.kept) as u64
    }

    /// The next of them, so many at most.
    pub(super) fn next(&self, most: u64) -> &[u8] {
        let left = &self.octets[self.sent..];
        &left[..usize::try_from(most).map_or(left.len(), |most| most.min(left.len()))]
    }

    /// So many were sent.
    pub(super) fn advance(&mut self, sent: usize) {
        self.sent += sent;
        if self.sent >= self.octets.len() {
            *self = Self::none();
        }
    }
}

impl HalfClose for std::net::TcpStream {
    type Below = Self;

    fn half_close(self) -> (Self, LastWords) {
        (self, LastWords::none())
    }
}

#[cfg(feature = "tokio")]
impl HalfClose for ::tokio::net::TcpStream {
    type Below = Self;

    fn half_close(self) -> (Self, LastWords) {
        (self, LastWords::none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_come_in_order_and_never_more_than_asked_for() {
        let mut words = LastWords::new(b"kept".to_vec(), b"bye");
        assert_eq!((words.kept(), words.farewell()), (4, 3));
        assert_eq!(words.next(2), b"ke");
        words.advance(2);
        assert_eq!(words.next(2), b"pt");
        words.advance(2);
        assert_eq!(words.next(u64::MAX), b"bye");
        words.advance(3);
        assert_eq!(words, LastWords::none());
        assert_eq!(words.next(7), b"");
    }
}
