//! Binding so that it works, stays one's own, and says whose fault it is when it does not.
//!
//! ```
//! use lastack_graceful::bind::Bind;
//! use std::time::{Duration, Instant};
//!
//! # fn main() -> Result<(), lastack_graceful::bind::BindError> {
//! let deadline = Instant::now() + Duration::from_secs(5);
//! let listener = Bind::to("127.0.0.1:0").until(deadline).listen()?;
//! # drop(listener);
//! # Ok(())
//! # }
//! ```
//!
//! # What is set, and why
//!
//! - `SO_REUSEADDR`, from the first bind on. On Linux the *old* socket must have had it too: what remains of a connection
//!   lets a new server in only if both sides set it (`inet_bind_conflict`). So a server that sets it only when a restart
//!   has failed is too late by 60 s. Accepted connections inherit it.
//! - `IPV6_V6ONLY`, on or off and never the system's default (`net.ipv6.bindv6only`): see [`Families`].
//! - close-on-exec, so that no child keeps the port.
//! - A backlog of 4,096, which the kernel cuts to `net.core.somaxconn`.
//!
//! An error names the culprit, with the feature `explain`:
//!
//! ```text
//! address in use: pid 4711 nginx (unit nginx.service) listens on 0.0.0.0:80
//! ```
//!
//! [`Bind::exclusive`] closes the gaps through which another user could take the port.

mod bound;
mod builder;
mod error;
mod exclusive;
#[cfg(feature = "explain")]
mod explain;
mod families;
mod retry;
mod socket;
#[cfg(feature = "tokio")]
pub mod tokio;

pub use bound::Bound;
pub use builder::Bind;
pub use error::{BindError, Reason};
pub use families::Families;
