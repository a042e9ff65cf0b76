//! Closing a listener without losing a client.
//!
//! Closing a listener resets every connection in its accept queue (`inet_csk_listen_stop`), and every handshake that is half
//! open when its next segment comes: clients that believed to be connected. "Accept until there is nothing, then close"
//! leaves a gap in which one more arrives, and does not see handshakes whose data is awaited (`TCP_DEFER_ACCEPT`).
//!
//! [`close_draining`] first sees to it that no new handshake begins here, then serves what the listener has until the
//! kernel holds nothing more for it, then closes. What could not be had in time is in the [`DrainReport`].
//!
//! ```
//! use lastack_graceful::listener::{Method, Successor, close_draining};
//! use std::io::{Read as _, Write as _};
//! use std::net::{TcpListener, TcpStream};
//! use std::time::{Duration, Instant};
//!
//! # fn main() -> std::io::Result<()> {
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! // Connected, as far as the client can tell, but not accepted yet.
//! let mut client = TcpStream::connect(listener.local_addr()?)?;
//!
//! let deadline = Instant::now() + Duration::from_secs(5);
//! let report = close_draining(listener, Successor::None, deadline, |mut stream| {
//!     let _ = stream.write_all(b"the last answer");
//! })?;
//! assert_eq!(report.accepted, 1);
//! // A kernel without filters and floors has to do with `Method::AcceptLoop`, which cannot know.
//! assert!(report.lost_nobody() || report.method == Method::AcceptLoop);
//!
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//! assert_eq!(answer, "the last answer");
//! # Ok(())
//! # }
//! ```
//!
//! # Which way is taken
//!
//! | Successor | Ways, the first that the system allows | What a new client sees meanwhile |
//! |---|---|---|
//! | [`SharedSocket`](Successor::SharedSocket) | [`Shared`](Method::Shared) | nothing |
//! | [`SameGroup`](Successor::SameGroup) | [`Steered`](Method::Steered), [`Migrated`](Method::Migrated), [`SynFilter`](Method::SynFilter), [`TtlFloor`](Method::TtlFloor), [`AcceptLoop`](Method::AcceptLoop) | nothing when steered |
//! | [`None`](Successor::None) | [`SynFilter`](Method::SynFilter), [`TtlFloor`](Method::TtlFloor), [`AcceptLoop`](Method::AcceptLoop) | silence, then a refusal |

mod drain;
mod plan;
mod report;
mod step;
#[cfg(feature = "tokio")]
pub mod tokio;

pub use drain::close_draining;
pub use lastack_os::listener::stop_steering;
pub use plan::{Plan, Waiting, Want};
#[cfg(feature = "tokio")]
pub(crate) use step::{Failure, SHORTAGE};

pub use report::{DrainReport, Method, Successor};
