//! `lastack probe` against real servers, each in a network namespace of its own: what it finds is what they do.
//!
//! Where a verdict is about the server's own sockets, the test looks at them too.

mod elsewhere;
mod input;
mod networks;
mod others;
mod ours;
mod plain;
mod scene;
mod tls;
