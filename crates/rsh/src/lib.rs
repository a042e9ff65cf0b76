//! Runs commands on many hosts in parallel, over rsh without ever running out of reserved ports, or over ssh.
//!
//! A [`Task`] is one command on one host. A [`Carrier`] carries it there, hands what comes back to an [`Output`], and
//! says how it went: a [`Report`].

pub mod fan;
pub mod hosts;
pub mod ssh;

mod carrier;
mod output;
pub mod rcmd;
mod report;
mod task;

pub use carrier::{Carrier, Signal, Stop};
pub use output::{Output, Piece, Source};
pub use report::{Cause, Failure, Ran, Report, Stage};
pub use task::{Limits, Stdin, Task};

/// The page about this crate, whose code is compiled with the examples here.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/rsh.md")]
mod page {}
