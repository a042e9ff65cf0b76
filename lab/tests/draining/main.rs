//! Closing a listener on the running kernel: what clients see who wait in it, half-open ones included, by every way of
//! closing.
//!
//! Each test has a network namespace of its own and closes as an ordinary user, except where the kernel wants
//! `CAP_NET_ADMIN` for a filter on a TCP socket.

mod deferred;
mod load;
mod queued;
mod scene;
mod tokio;
