//! Passing descriptors between processes over a Unix socket (`SCM_RIGHTS`), each message whole or not at all.
//!
//! A [`Rendezvous`] is a path where another process finds this one, a [`Channel`] the connection of the two. The sockets
//! keep messages apart (`SOCK_SEQPACKET`), so no length can lie about where one ends. Every wait has an end.

mod channel;
mod rendezvous;

pub use channel::{Channel, Message, Peer};
pub use rendezvous::Rendezvous;

/// How many descriptors one message may carry (`SCM_MAX_FD`, `include/net/scm.h`).
pub const MOST_DESCRIPTORS: usize = 253;
