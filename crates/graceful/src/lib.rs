//! Ends TCP connections without losing an octet, and says how they ended.
//!
//! [`close`] closes one connection: this side's FIN, everything thrown away that still comes, the peer's FIN, all within
//! bounds; or the peer first, where it knows the end of the message.

pub mod close;
