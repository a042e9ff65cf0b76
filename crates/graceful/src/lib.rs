//! Ends TCP connections without losing an octet, and says how they ended.
//!
//! [`close`] closes one connection: this side's FIN, everything thrown away that still comes, the peer's FIN, all within
//! bounds; or the peer first, where it knows the end of the message.
//!
//! [`listener`] closes a listener: no client that is connected to it, or about to be, is lost.

pub mod close;
pub mod listener;
