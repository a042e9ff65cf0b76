//! Binding under tokio: the same builder, with pauses that block no thread.
//!
//! Needs a runtime with I/O and time enabled, and panics without as tokio's own types do. An explanation (feature
//! `explain`) reads `/proc` in the calling thread, whose network namespace it is about: some milliseconds, after a
//! failure only, and while it waits when something has changed.

use super::builder::Bind;
use super::error::BindError;
use super::retry::Retry;
use super::socket::Operation;
use ::tokio::net::TcpListener;
use std::io;

/// As [`Bind::listen`].
///
/// ```
/// use lastack_graceful::bind::{self, Bind};
///
/// # fn main() -> std::io::Result<()> {
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let listener = bind::tokio::listen(&Bind::to("127.0.0.1:0")).await?;
/// assert_ne!(listener.local_addr()?.port(), 0);
/// # Ok(()) })
/// # }
/// ```
///
/// # Errors
///
/// As [`Bind::listen`].
pub async fn listen(bind: &Bind) -> Result<TcpListener, BindError> {
    bind.require_one()?;
    let mut all = listen_all(bind).await?;
    all.pop().ok_or_else(|| BindError::new(Operation::Resolve, None, io::ErrorKind::NotFound))
}

/// As [`Bind::listen_all`].
///
/// # Errors
///
/// As [`Bind::listen`].
pub async fn listen_all(bind: &Bind) -> Result<Vec<TcpListener>, BindError> {
    let bind = bind.clone().nonblocking();
    let mut retry = Retry::new(bind.deadline());
    loop {
        match bind.try_listen() {
            Ok(listeners) => {
                let taken_in = |listener: std::net::TcpListener| {
                    let address = listener.local_addr().ok();
                    let refused = |cause| BindError::new(Operation::Listen, address, cause);
                    TcpListener::from_std(listener).map_err(refused)
                };
                return listeners.into_iter().map(taken_in).collect();
            }
            Err(failed) => retry.wait_under_tokio(failed).await?,
        }
    }
}
