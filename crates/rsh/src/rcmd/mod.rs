//! The protocol of `rsh`: one command on one host over one or two TCP connections (rcmd(3), rshd(8)).
//!
//! [`setup`] and [`course`] are the client's side of it without I/O, [`wrapper`] gets the status and the end of input
//! across; [`Rsh`] drives them over tokio. What it costs and who keeps `TIME_WAIT` is decided in [`course`].
//!
//! It is clear text and trusts addresses: whoever owns the network owns the hosts.

mod carrier;
mod chance;
pub mod course;
mod dial;
mod drive;
mod line;
mod options;
mod printable;
pub mod request;
mod session;
pub mod setup;
pub mod wrapper;

pub use carrier::Rsh;
pub use course::Errors;
pub use options::{Options, local_user};
pub use session::Session;
