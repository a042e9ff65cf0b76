//! The ways in which a server of tokio ends a stream whose answer is written, whatever the stream is.

use ::tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use ::tokio::net::TcpStream;
use lastack_graceful::close::tokio::{Lingering, close_orderly};
use lastack_graceful::close::{ClosePolicy, HalfClose, Outcome, Reaper};
use std::time::Duration;

/// What the server does with the stream once the answer is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// What hyper does with a plain stream.
    ShutDownAndDrop,
    Orderly,
    Lingering,
    LingeringDropped,
    DroppedUnpolled,
    DroppedHalfWay,
}

impl End {
    /// Waits for a request, answers it, and ends the stream in this way.
    pub(crate) async fn serve<T>(self, mut stream: T, reaper: &Reaper)
    where
        T: HalfClose<Below = TcpStream> + AsyncRead + AsyncWrite + Unpin,
    {
        stream.read_exact(&mut [0]).await.expect("a request");
        if matches!(self, Self::Lingering | Self::LingeringDropped) {
            let mut stream = Lingering::new(stream, patient()).left_to(reaper);
            stream.write_all(&vec![0; ANSWER]).await.expect("written");
            // One that is dropped may still keep what a layer has not handed on.
            if self == Self::Lingering {
                stream.shutdown().await.expect("shut down");
                let outcome = stream.report().map(|report| report.outcome);
                assert_eq!(outcome, Some(Outcome::Orderly));
            }
            return;
        }
        // The client may have been reset already by the naive one's kernel.
        let _ = stream.write_all(&vec![0; ANSWER]).await;
        match self {
            Self::ShutDownAndDrop => drop(stream.shutdown().await),
            Self::DroppedUnpolled => drop(close_orderly(stream, &patient()).left_to(reaper)),
            Self::DroppedHalfWay => {
                let closing = close_orderly(stream, &patient()).left_to(reaper);
                let _ = ::tokio::time::timeout(HALF_WAY, closing).await;
            }
            Self::Orderly | Self::Lingering | Self::LingeringDropped => {
                let report = close_orderly(stream, &patient()).await.expect("a close");
                assert_eq!(report.outcome, Outcome::Orderly, "{report:?}");
            }
        }
    }

    /// What was dropped on the way has ended orderly by the reaper's hand, and nothing else has been left to it.
    pub(crate) fn assert_reaped(self, reaper: &Reaper, streams: usize) {
        assert_eq!(reaper.wait(PATIENCE), 0);
        let counts = reaper.counts();
        assert_eq!(counts.orderly, counts.taken, "{counts:?}");
        if matches!(self, Self::LingeringDropped | Self::DroppedUnpolled) {
            assert_eq!(counts.taken, streams as u64);
        }
    }
}

/// Bounds that no test reaches.
pub(crate) fn patient() -> ClosePolicy {
    ClosePolicy::server().within(PATIENCE).idle(PATIENCE)
}

pub(crate) const ANSWER: usize = 1 << 20;
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
const HALF_WAY: Duration = Duration::from_micros(300);
