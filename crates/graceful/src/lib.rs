//! Ends TCP connections without losing an octet, and says how they ended.
//!
//! [`bind`] gets a listener, keeps it one's own, and says who is in the way.
//!
//! [`close`] closes one connection: this side's FIN, everything thrown away that still comes, the peer's FIN, all within
//! bounds; or the peer first, where it knows the end of the message.
//!
//! [`listener`] closes a listener: no client that is connected to it, or about to be, is lost.
//!
//! [`ports`] connects from local ports of one's own choice, and from a pool of them that does not run dry.
//!
//! [`handover`] brings listeners from one process to another: by the environment, over a Unix socket, out of a running
//! process.
//!
//! `shutdown` (feature `tokio`) ends a server: its listeners, then its connections.
//!
//! [`testing`] is for the tests of one's own servers.
//!
//! It is for Linux, 5.10 and later. What a kernel or a user lacks is found out by trying; the next best way is taken then,
//! and the report says which.

pub mod bind;
pub mod close;
pub mod handover;
pub mod listener;
pub mod ports;
#[cfg(feature = "tokio")]
pub mod shutdown;
pub mod testing;

/// The code of the book.
#[cfg(all(doctest, feature = "axum", feature = "tokio-rustls"))]
mod book {
    #[doc = include_str!("../../../README.md")]
    mod readme {}

    #[doc = include_str!("../../../docs/binding.md")]
    mod binding {}

    #[doc = include_str!("../../../docs/closing.md")]
    mod closing {}

    #[doc = include_str!("../../../docs/closing-a-listener.md")]
    mod closing_a_listener {}

    #[doc = include_str!("../../../docs/from-tcplistener-bind.md")]
    mod from_tcplistener_bind {}

    #[doc = include_str!("../../../docs/handing-over.md")]
    mod handing_over {}
}
