//! Closing one connection so that nothing is lost, and telling how it went.
//!
//! A plain `close` promises nothing: where octets wait unread, or come later, the kernel answers with a reset and throws
//! away what the peer has not read yet, and the program never hears of it. [`CloseOrderly::close_orderly`] sends the FIN,
//! throws away what still comes until the peer's FIN, and reports. Every wait has an end.
//!
//! A layer above TCP has an end of its own that goes before the FIN: see [`HalfClose`], and the features `rustls` and
//! `tokio-rustls`. For servers that take any stream, the feature `tokio` has one whose shutdown lingers; what a handler
//! leaves unread of a request is read on with the feature `hyper`, and as a layer with `axum`.
//!
//! ```
//! use lastack_graceful::close::{CloseOrderly as _, ClosePolicy, Outcome};
//! use std::io::{Read as _, Write as _};
//! use std::net::{TcpListener, TcpStream};
//!
//! # fn main() -> std::io::Result<()> {
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let mut client = TcpStream::connect(listener.local_addr()?)?;
//! let (mut server, _) = listener.accept()?;
//!
//! server.write_all(b"the whole answer")?;
//! let reader = std::thread::spawn(move || {
//!     let mut answer = String::new();
//!     client.read_to_string(&mut answer).map(|_| answer)
//! });
//! let report = server.close_orderly(&ClosePolicy::server())?;
//!
//! assert_eq!(report.outcome, Outcome::Orderly);
//! assert_eq!(reader.join().unwrap()?, "the whole answer");
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "axum")]
pub mod axum;
mod blocking;
mod half_close;
#[cfg(feature = "hyper")]
pub mod hyper;
pub(crate) mod plan;
mod policy;
mod reaper;
mod report;
#[cfg(feature = "rustls")]
mod rustls;
mod step;
#[cfg(feature = "tokio")]
pub mod tokio;
mod writing;

pub use blocking::{CloseOrderly, abort};
pub use half_close::{HalfClose, LastWords};
pub use plan::{Finish, Plan, Seen, Want};
pub use policy::{AtDeadline, ClosePolicy, Order};
pub use reaper::{Reaper, ReaperCounts};
pub use report::{CloseReport, Delivered, FirstFin, Outcome, TimeWait};
pub use writing::write_all_draining;
