//! Closing a listener on the running kernel: what clients see who wait in it, half-open ones included, by every way of
//! closing.
//!
//! Each test has a network namespace of its own and closes as an ordinary user, except where the kernel wants
//! `CAP_NET_ADMIN` for a filter on a TCP socket. Most are played once for each kind of address: IPv4, IPv6, a dual
//! stack with clients of both, and IPv4 mapped into IPv6.

mod deferred;
mod late;
mod load;
mod queued;
mod scene;
mod tokio;
