//! The drivers of `graceful` that close in the calling thread. What one of them promises, the other does too.

use ::tokio::net::TcpStream as Asynchronous;
use ::tokio::runtime::Builder;
use lastack_graceful::close::{
    CloseOrderly as _, ClosePolicy, CloseReport, tokio, write_all_draining,
};
use std::io;
use std::net::TcpStream;
use std::time::Duration;

/// What closes, and writes to peers that read only after they have sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Driver {
    /// By the standard library.
    Blocking,
    /// By tokio, on a runtime of its own.
    Tokio,
}

impl Driver {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Blocking, Self::Tokio];

    /// `close_orderly`.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub fn close(self, stream: TcpStream, policy: &ClosePolicy) -> CloseReport {
        let report = match self {
            Self::Blocking => stream.close_orderly(policy),
            Self::Tokio => {
                under_tokio(stream, async |stream| tokio::close_orderly(stream, policy).await)
            }
        };
        report.expect("a close")
    }

    /// `write_all_draining`.
    ///
    /// # Errors
    ///
    /// As that has.
    ///
    /// # Panics
    ///
    /// Where there is no runtime to be had.
    pub fn write_all_draining(
        self,
        stream: &TcpStream,
        octets: &[u8],
        limit: Duration,
        discard_limit: u64,
    ) -> io::Result<u64> {
        match self {
            Self::Blocking => write_all_draining(stream, octets, limit, discard_limit),
            Self::Tokio => {
                under_tokio(stream.try_clone().expect("a second handle"), async |stream| {
                    tokio::write_all_draining(&stream, octets, limit, discard_limit).await
                })
            }
        }
    }
}

fn under_tokio<T>(stream: TcpStream, act: impl AsyncFnOnce(Asynchronous) -> T) -> T {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    stream.set_nonblocking(true).expect("a mode");
    runtime.block_on(async { act(Asynchronous::from_std(stream).expect("a stream")).await })
}
