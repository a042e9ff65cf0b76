//! Connecting from a local address, port or range of one's own choice, and from a pool of ports that does not run dry.
//!
//! Whoever closes a connection first keeps its `TIME_WAIT`, and with it the four-tuple, for a minute (RFC 9293 §3.6.1). A
//! client that names its ports, as those of `rsh` must, meets its own remains: `EADDRINUSE` from `bind()`,
//! `EADDRNOTAVAIL` from `connect()`. [`Ports`] knows which port may go where, because it is told how each connection
//! ended.
//!
//! ```
//! use lastack_graceful::close::ClosePolicy;
//! use lastack_graceful::ports::Ports;
//! use std::net::TcpListener;
//! use std::time::{Duration, Instant};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = TcpListener::bind("127.0.0.1:0")?;
//! let ports = Ports::of(20_000..=20_499);
//!
//! let deadline = Instant::now() + Duration::from_secs(10);
//! let (stream, lease) = ports.connect(server.local_addr()?, deadline)?;
//! assert!((20_000..=20_499).contains(&stream.local_addr()?.port()));
//!
//! drop(server.accept()?);
//! // Closing so tells the pool who keeps TIME_WAIT, and whether the port may be used again at once.
//! let report = lease.close_orderly(stream, &ClosePolicy::client().remote_first(Duration::from_secs(1)))?;
//! println!("{report}");
//! # Ok(())
//! # }
//! ```
//!
//! [`Ports::listen`] lends ports of the same pool to listen on, for peers that call back, as `rshd` does.
//!
//! [`PortsBuilder::share`] shares ports with other processes, and sees what others left on them.
//!
//! [`Outgoing`] connects once, without a pool.

mod builder;
mod error;
mod lease;
mod listening;
mod others;
mod outgoing;
mod pool;
mod queue;
mod reason;
mod sharing;
mod steward;
#[cfg(feature = "tokio")]
pub mod tokio;

pub use builder::PortsBuilder;
pub use error::{ConnectError, Obstacle};
pub use lastack_model::ports::Standing;
pub use lease::Lease;
pub use listening::{ListenError, Listening};
pub use outgoing::Outgoing;
pub use pool::{Ports, PortsCounts};
pub use queue::Purpose;
pub use reason::Reason;
pub use sharing::{Shares, Stranger};
